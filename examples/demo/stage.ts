/** What the person at the terminal sees: numbered acts, facts as they come in, and at the end every claim with its proof. */
import { clock } from '../../test/region/progress.ts';

interface Claim {
  readonly text: string;
  readonly proof: string;
}

export class Stage {
  readonly #write: (line: string) => void;
  readonly #startedAt = performance.now();
  readonly #acts: { title: string; milliseconds: number }[] = [];
  readonly #claims: Claim[] = [];

  /** Lines of the picture that stand at the end of what was printed. */
  #painted = 0;
  #picture = '';

  constructor(write: (line: string) => void = console.log) {
    this.#write = write;
  }

  /** Plays one act under its heading; its time goes into the summary. */
  async act<T>(title: string, play: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    this.#print(`\n${bold(`${this.#acts.length + 1}. ${title}`)}  ${faint(`at ${this.elapsed()}`)}`);
    const result = await play();
    this.#acts.push({ title, milliseconds: performance.now() - startedAt });
    return result;
  }

  say(...lines: string[]): void {
    for (const line of lines.flatMap((text) => text.split('\n'))) this.#print(`   ${line}`);
  }

  /** A command as the person could type it. */
  command(line: string): void {
    this.#print(faint(`   $ ${line}`));
  }

  /**
   * States a fact that was just checked.
   *
   * @throws Error when it does not hold: the demo shows nothing that is not so.
   */
  claim(text: string, holds: boolean, proof: string): void {
    if (!holds) throw new Error(`not so: "${text}" (${proof})`);
    this.#claims.push({ text, proof });
    this.#print(`   ${bold('✓')} ${text} ${faint(`(${proof})`)}`);
  }

  /**
   * Shows a picture that changes: on a terminal in place of the one before, elsewhere below it and only when it differs in
   * more than its moving figures.
   *
   * @param still what the picture is without moving figures
   */
  paint(lines: readonly string[], still: string): void {
    if (process.stdout.isTTY) {
      if (this.#painted > 0) process.stdout.write(`\u001b[${this.#painted}A`);
      for (const line of lines) process.stdout.write(`\u001b[2K   ${line}\n`);
      this.#painted = lines.length;
    } else if (still !== this.#picture) {
      this.say(...lines);
      this.#picture = still;
    }
  }

  #print(line: string): void {
    this.#painted = 0;
    this.#write(line);
  }

  summary(): void {
    this.#print(`\n${bold('What was shown')}`);
    for (const { text, proof } of this.#claims) this.#print(`   ✓ ${text}\n     ${faint(proof)}`);
    this.#print(`\n${bold('Where the time went')}`);
    for (const { title, milliseconds } of this.#acts)
      this.#print(`   ${clock(milliseconds).padStart(6)}  ${title}`);
    this.#print(`   ${this.elapsed().padStart(6)}  altogether`);
  }

  elapsed(): string {
    return clock(performance.now() - this.#startedAt);
  }
}

const style = (code: number) => (text: string) =>
  process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text;
const bold = style(1);
const faint = style(2);
