import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import type { LoadReport } from '../../../../crds/load-report.ts';
import type { ModelAssignment } from '../../../../crds/pod-contract.ts';
import type { ReportOutcome } from '../../../../model-server/reports/operator-client.ts';
import { pauseSeconds, Reporter } from '../../../../model-server/reports/reporter.ts';
import { settled, TestClock } from '../clock.ts';

let clock: TestClock;
let sent: { sequence: number; at: number }[];
let assigned: ModelAssignment[];
let logged: string[];
let counted: string[];
let outcome: ReportOutcome;
let reporter: Reporter;

const accepted = (more: object = {}): ReportOutcome => ({
  kind: 'Accepted',
  reply: { intervalSeconds: 2, ...more },
});

beforeEach(() => {
  clock = new TestClock();
  [sent, assigned, logged, counted] = [[], [], [], []];
  outcome = accepted();
  reporter = new Reporter({
    report: (sequence) => ({ sequence }) as LoadReport,
    send: async ({ sequence }) => {
      sent.push({ sequence, at: clock.monotonicMilliseconds() / 1000 });
      return outcome;
    },
    assign: (assignment) => assigned.push(assignment),
    reported: (result) => counted.push(result),
    clock,
    log: pino({}, { write: (line: string) => logged.push(line) }),
    random: () => 0.5,
  });
});
afterEach(() => reporter.stop(1));

test('reports at once and then at the interval that the operator asks for', async () => {
  reporter.start();
  await clock.advance(4.5);
  outcome = accepted({ intervalSeconds: 10 });
  await clock.advance(10);
  expect(sent).toEqual([0, 2, 4, 6].map((at, sequence) => ({ sequence, at })));
  await clock.advance(2);
  expect(sent.at(-1)).toEqual({ sequence: 4, at: 16 });
});

test('takes the assignment of a reply', async () => {
  const assignment = { revision: '0123456789' } as ModelAssignment;
  outcome = accepted({ assignment });
  reporter.start();
  await settled();
  expect(assigned).toEqual([assignment]);
});

test('a change is reported without waiting for the interval', async () => {
  reporter.start();
  await clock.advance(0.5);
  reporter.hurry();
  reporter.hurry();
  await clock.advance(0.4);
  expect(sent.map(({ at }) => at)).toEqual([0, 0.8]);
});

test.each<[ReportOutcome, string]>([
  [{ kind: 'Refused', message: '403: this token is of another pod' }, 'this token is of another pod'],
  [{ kind: 'Unreachable', message: 'ECONNREFUSED' }, 'ECONNREFUSED'],
])('%j: tried again, further and further apart, and logged once', async (trouble, sentence) => {
  outcome = trouble;
  reporter.start();
  await clock.advance(60);
  expect(sent.map(({ at }) => at)).toEqual([0, 2, 6, 14, 29, 44, 59]);
  expect(logged.filter((line) => line.includes(sentence))).toHaveLength(1);
  outcome = accepted();
  await clock.advance(15);
  expect(logged.at(-1)).toContain('accepted again');
  expect(new Set(counted)).toEqual(new Set([trouble.kind, 'Accepted']));
  await clock.advance(2);
  expect(sent.at(-1)?.at).toBe(76);
});

describe('the end', () => {
  test('is one last report', async () => {
    reporter.start();
    await settled();
    await reporter.stop(1);
    expect(sent).toHaveLength(2);
    await clock.advance(10);
    expect(sent).toHaveLength(2);
  });

  test('of one that never started is silent', async () => {
    await reporter.stop(1);
    expect(sent).toHaveLength(0);
  });
});

test('pauses never get shorter than the interval', () => {
  expect([0, 1, 2, 3, 4, 5, 50].map((failures) => pauseSeconds(2, failures))).toEqual([
    2, 2, 4, 8, 15, 15, 15,
  ]);
  expect(pauseSeconds(60, 7)).toBe(60);
});
