/** Plays the timeline of a scenario on a stage, which is a simulated region or a real one. */
import type { ModelServiceSpec } from '../../../crds/model-service.ts';
import { described, differences, type Picture, podsOf } from './picture.ts';
import type { Scenario, Step } from './scenario.ts';

/** What each mode can do. Cities and services are there when a stage is handed over. */
export interface ScenarioStage {
  /** Seconds since the stage was handed over. */
  elapsed(): number;
  /** Lets time pass. */
  pass(seconds: number): Promise<void>;
  look(): Promise<Picture>;
  /** What the programs say that are at work; absent where a run can be repeated exactly. */
  evidence?(): Promise<string>;
  /** Waits until clients have heard where to go now; absent where no clients are. */
  clientsFollow?(): Promise<void>;
  /** Requests of the clients of a service that began after so many seconds and were not answered, and why. */
  unanswered?(service: string, sinceSeconds: number): string[];
  partition(city: string): Promise<void>;
  heal(city: string): Promise<void>;
  cutFromHub(city: string): Promise<void>;
  reconnectToHub(city: string): Promise<void>;
  pause(city: string): Promise<void>;
  resume(city: string): Promise<void>;
  kill(city: string): Promise<void>;
  start(city: string): Promise<void>;
  killHub(): Promise<void>;
  startHub(): Promise<void>;
  pauseHub(): Promise<void>;
  resumeHub(): Promise<void>;
  drain(city: string, drain: boolean): Promise<void>;
  /** As `kubectl scale` does. */
  scale(service: string, replicas: number): Promise<void>;
  /** As a merge patch of the spec does. */
  edit(service: string, spec: Readonly<Record<string, unknown>>): Promise<void>;
  add(service: string, spec: ModelServiceSpec): Promise<void>;
  delete(service: string): Promise<void>;
}

/** Something was not as the scenario expects it. */
export class ScenarioFailed extends Error {}

/** How often is looked while something is to come true, or to hold. */
const LOOK_EVERY_SECONDS = 1;
/** Changes that are told of with a failure: most often the last one alone does not say how it came. */
const KEPT_CHANGES = 8;

/**
 * @param tell hears of every step as it begins
 * @throws ScenarioFailed naming the step, what was found, and what was seen to change before
 */
export async function perform(
  scenario: Scenario,
  stage: ScenarioStage,
  tell: (line: string) => void = () => {},
): Promise<void> {
  const changes = new Changes();
  const look = async (): Promise<Picture> => {
    const picture = await stage.look();
    changes.note(stage.elapsed(), picture);
    for (const [service, most] of Object.entries(scenario.limits)) {
      const pods = podsOf(picture.services[service] ?? { runs: {} });
      if (pods > most)
        throw new ScenarioFailed(`${service} runs ${pods} times, and never more than ${most} was promised`);
    }
    return picture;
  };
  for (const [at, step] of scenario.timeline.entries()) {
    tell(`${step.verb} ${typeof step.value === 'string' ? step.value : JSON.stringify(step.value)}`);
    try {
      await take(step, stage, look);
    } catch (error) {
      if (!(error instanceof ScenarioFailed)) throw error;
      const told = [`${scenario.name}, timeline[${at}] (${step.verb}): ${error.message}`, `${changes}`];
      const evidence = await stage.evidence?.();
      throw new ScenarioFailed([...told, ...(evidence ? [evidence] : [])].join('\n'));
    }
  }
}

/** The last pictures that differed from the one before. */
class Changes {
  readonly #lines: string[] = [];
  #last = '';

  note(atSeconds: number, picture: Picture): void {
    const description = described(picture);
    if (description === this.#last) return;
    this.#last = description;
    this.#lines.push(`  ${atSeconds.toFixed(1)} s  ${description}`);
    if (this.#lines.length > KEPT_CHANGES) this.#lines.shift();
  }

  toString(): string {
    return ['What was seen to change:', ...this.#lines].join('\n');
  }
}

type Look = () => Promise<Picture>;

async function take({ verb, value }: Step, stage: ScenarioStage, look: Look): Promise<void> {
  switch (verb) {
    case 'chapter':
      return;
    case 'wait':
      return await waits(value, stage, look);
    case 'expect':
      return await comesTrue(value, stage, look);
    case 'hold':
      return await holds(value, stage, look);
    case 'drain':
    case 'undrain':
      return await stage.drain(value, verb === 'drain');
    case 'scale':
      return await stage.scale(value.service, value.replicas);
    case 'edit':
      return await stage.edit(value.service, value.spec);
    case 'add':
      return await stage.add(value.service, value.spec);
    case 'killHub':
    case 'startHub':
    case 'pauseHub':
    case 'resumeHub':
      return await stage[verb]();
    default:
      return await stage[verb](value);
  }
}

type Value<V extends Step['verb']> = Extract<Step, { verb: V }>['value'];

async function waits(seconds: number, stage: ScenarioStage, look: Look): Promise<void> {
  const end = stage.elapsed() + seconds;
  while (stage.elapsed() < end) {
    await stage.pass(Math.min(LOOK_EVERY_SECONDS, end - stage.elapsed()));
    await look();
  }
}

async function comesTrue(expected: Value<'expect'>, stage: ScenarioStage, look: Look): Promise<void> {
  const begin = stage.elapsed();
  let found = differences(await look(), expected);
  while (found.length > 0) {
    if (stage.elapsed() >= begin + expected.within) {
      throw new ScenarioFailed(`not within ${expected.within} s: ${found.join('; ')}`);
    }
    await stage.pass(LOOK_EVERY_SECONDS);
    found = differences(await look(), expected);
  }
  checkAnswers(expected, stage, begin);
}

async function holds(expected: Value<'hold'>, stage: ScenarioStage, look: Look): Promise<void> {
  await stage.clientsFollow?.();
  const begin = stage.elapsed();
  while (stage.elapsed() < begin + expected.for) {
    await stage.pass(LOOK_EVERY_SECONDS);
    const found = differences(await look(), expected);
    if (found.length > 0) {
      const after = Math.round(stage.elapsed() - begin);
      throw new ScenarioFailed(`no longer so after ${after} s: ${found.join('; ')}`);
    }
  }
  checkAnswers(expected, stage, begin);
}

function checkAnswers(
  { unanswered = {} }: Pick<Value<'hold'>, 'unanswered'>,
  stage: ScenarioStage,
  since: number,
) {
  for (const [service, most] of Object.entries(unanswered)) {
    const lost = stage.unanswered?.(service, since) ?? [];
    if (lost.length <= most) continue;
    const reasons = lost.slice(-3).join('; ');
    throw new ScenarioFailed(
      `${lost.length} requests to ${service} were not answered, at most ${most} may be: ${reasons}`,
    );
  }
}
