/** A pod that belongs to nobody: from it, tests see the network of a city as any pod does. */
import { nodeImage } from '../region/node-image.ts';
import type { ServedModel } from './served-model.ts';

export interface Reply {
  /** HTTP status, or the code of the error that kept an answer from coming: `ECONNREFUSED`, `TIMEOUT` … */
  readonly outcome: number | string;
  readonly body: string;
}

export interface Question {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Far more than an answer takes: one that comes late must not look like none. */
const TIMEOUT_MILLISECONDS = 10_000;

/** Runs in a pod: asks what its argument says and prints what came of it. */
const ASK = `
const { url, ca, method = 'GET', headers = {}, body } = JSON.parse(process.argv[1]);
const { request } = require(url.startsWith('https:') ? 'node:https' : 'node:http');
const say = (outcome, body) => { process.stdout.write(JSON.stringify({ outcome, body })); process.exit(0); };
setTimeout(() => say('TIMEOUT', ''), ${TIMEOUT_MILLISECONDS});
const asked = request(url, { method, headers, ca }, async (response) => {
  let text = '';
  for await (const chunk of response) text += chunk;
  say(response.statusCode, text);
});
asked.on('error', (error) => say(error.code ?? error.message, ''));
asked.end(body);
`;

export class Outsider {
  readonly #model: ServedModel;
  readonly name = 'outsider';

  private constructor(model: ServedModel) {
    this.#model = model;
  }

  /** Starts it in the namespace of a model, under the default service account. */
  static async open(model: ServedModel): Promise<Outsider> {
    const outsider = new Outsider(model);
    const security = {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: outsider.name, namespace: model.namespace },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'node',
            image: await nodeImage(),
            args: ['-e', 'setInterval(() => {}, 1e6)'],
            securityContext: security,
          },
        ],
      },
    };
    await model.city.apply(JSON.stringify(pod));
    await model.kubectl(['wait', '--for=condition=Ready', `pod/${outsider.name}`, '--timeout=120s']);
    return outsider;
  }

  async uid(): Promise<string> {
    return await this.#model.kubectl(['get', 'pod', this.name, '-o', 'jsonpath={.metadata.uid}']);
  }

  /** Asks from this pod, or from another one of the namespace that has Node. @param ca PEM that https trusts */
  async ask(
    question: Question,
    { from = this.name, ca }: { from?: string; ca?: string } = {},
  ): Promise<Reply> {
    const argument = JSON.stringify({ ...question, ca });
    return JSON.parse(await this.#model.kubectl(['exec', from, '--', '/usr/bin/node', '-e', ASK, argument]));
  }
}
