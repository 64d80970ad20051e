/** Reports over TLS. The authority and the token are read again each time: both are replaced while we run. */
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { LOAD_REPORT_MAX_BYTES, type LoadReport, LoadReportReply } from '../../crds/load-report.ts';

export interface OperatorAddress {
  url: string;
  caFile: string;
  tokenFile: string;
}

export type ReportOutcome =
  | { kind: 'Accepted'; reply: LoadReportReply }
  /** The operator answered, and did not take the report; `message` is its sentence. */
  | { kind: 'Refused'; message: string }
  | { kind: 'Unreachable'; message: string };

const TIMEOUT_MILLISECONDS = 5000;
/** An assignment is small; whatever sends more is not the operator. */
const MOST_REPLY_BYTES = 65_536;

/** Keeps one connection; the operator closes it when it stops leading, and the next report finds the new leader. */
export class OperatorClient {
  readonly #address: OperatorAddress;
  #connection: { ca: Buffer; agent: Agent } | undefined;

  constructor(address: OperatorAddress) {
    this.#address = address;
  }

  /** Never throws, and never lets the token into a message. */
  async send(report: LoadReport, signal: AbortSignal): Promise<ReportOutcome> {
    const body = JSON.stringify(report);
    if (Buffer.byteLength(body) > LOAD_REPORT_MAX_BYTES) {
      return { kind: 'Refused', message: `the report has more than ${LOAD_REPORT_MAX_BYTES} bytes` };
    }
    try {
      const agent = await this.#agent();
      const token = (await readFile(this.#address.tokenFile, 'utf8')).trim();
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MILLISECONDS)]);
      return outcomeOf(await post(this.#address.url, { agent, signal: limit }, token, body));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { kind: 'Unreachable', message: code ?? message };
    }
  }

  close(): void {
    this.#connection?.agent.destroy();
    this.#connection = undefined;
  }

  async #agent(): Promise<Agent> {
    const ca = await readFile(this.#address.caFile);
    if (!this.#connection?.ca.equals(ca)) {
      this.close();
      this.#connection = {
        ca,
        agent: new Agent({ ca, keepAlive: true, maxSockets: 1, minVersion: 'TLSv1.2' }),
      };
    }
    return this.#connection.agent;
  }
}

function outcomeOf({ status, text }: Answer): ReportOutcome {
  if (status !== 200)
    return { kind: status >= 500 ? 'Unreachable' : 'Refused', message: sentenceOf(status, text) };
  const reply = LoadReportReply.safeParse(JSON.parse(text));
  if (reply.success) return { kind: 'Accepted', reply: reply.data };
  const [issue] = reply.error.issues;
  return {
    kind: 'Refused',
    message: `the operator's reply is not understood: ${issue?.path.join('.')}: ${issue?.message}`,
  };
}

interface Answer {
  status: number;
  text: string;
}

function post(
  url: string,
  connection: { agent: Agent; signal: AbortSignal },
  token: string,
  body: string,
  isRepeat = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const outgoing = request(url, { method: 'POST', headers, ...connection }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MOST_REPLY_BYTES) outgoing.destroy(new Error('the reply is too long'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    outgoing.on('error', (error) => {
      // The operator closed the idle connection just when we used it: once more on a new one.
      const wasIdle = outgoing.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
      if (wasIdle && !isRepeat) post(url, connection, token, body, true).then(resolve, reject);
      else reject(error);
    });
    outgoing.end(body);
  });
}

/** The operator says in a sentence what is wrong; anything else is told by its status alone. */
function sentenceOf(status: number, text: string): string {
  try {
    const { error, message } = JSON.parse(text) as { error?: unknown; message?: unknown };
    const sentence = typeof error === 'string' ? error : message;
    if (typeof sentence === 'string') return `${status}: ${sentence.slice(0, 500)}`;
  } catch {
    // Not the operator's own answer.
  }
  return `the answer was ${status}`;
}
