import type { City } from './city.ts';
import { docker } from './docker.ts';

/** How packets that leave a city fare. */
export type Impairment = {
  delayMilliseconds?: number;
  /** The delay varies evenly by up to this much in both directions. */
  jitterMilliseconds?: number;
  lossPercent?: number;
  /** Only packets to this address; all when left out. */
  destination?: string;
};

/** What is for the city's own programs, and what is for its pods. */
const arrivals = ['INPUT', 'FORWARD'] as const;

/** As long as a first start may take: all pods start again at once. */
const UP_AGAIN_WITHIN_SECONDS = 240;

/** What can go wrong with a city, on purpose. Each fault has its remedy beside it. */
export class Faults {
  readonly #city: City;

  constructor(city: City) {
    this.#city = city;
  }

  /** Freezes everything in the city, pods included; connections to it hang. */
  async pause(): Promise<void> {
    await docker(['pause', this.#city.container]);
  }

  async unpause(): Promise<void> {
    await docker(['unpause', this.#city.container]);
  }

  /** Ends the city at once, as a power cut would; its data stays. */
  async kill(): Promise<void> {
    await docker(['kill', this.#city.container]);
  }

  /** Starts a killed city, or a running one again, and resolves when it is up. */
  async restart(): Promise<void> {
    await docker(['restart', '--time', '5', this.#city.container]);
    await this.#city.until('its credentials can be read', 60, async () =>
      Boolean(await this.#city.readKubeconfig()),
    );
    await this.#city.untilUp(UP_AGAIN_WITHIN_SECONDS);
  }

  /** Cuts the city off from the other cities; this machine still reaches it. */
  async partition(): Promise<void> {
    await docker(['network', 'disconnect', this.#wan(), this.#city.container]);
  }

  async heal(): Promise<void> {
    await docker(['network', 'connect', '--alias', this.#city.name, this.#wan(), this.#city.container]);
  }

  /**
   * Sends a signal to one of the city's programs: `SIGKILL` (it is started again after a second), `SIGSTOP` (it
   * hangs until `SIGCONT`) and so on.
   *
   * @param program `etcd`, `kube-apiserver`, `kube-controller-manager`, `kube-scheduler`, `kubelet`,
   *   `kube-proxy`, `containerd`, `coredns`, `metrics-server`, `netpol` or `kwok`
   */
  async signal(program: string, signal: NodeJS.Signals): Promise<void> {
    this.#needLocalImage('signalling one program');
    await this.#city.exec([
      'sh',
      '-c',
      `kill -${signal.replace(/^SIG/, '')} "$(cat /run/city/${program}.pid)"`,
    ]);
  }

  /** The process that one of the city's programs is now. */
  async processOf(program: string): Promise<string> {
    this.#needLocalImage('looking at one program');
    return await this.#city.exec(['cat', `/run/city/${program}.pid`]);
  }

  /**
   * Resolves when a program runs as another process than `before`: proof that a signal has ended it, however late one
   * looks. A program that is back after a second may never be seen away.
   */
  async untilStartedAgain(program: string, before: string): Promise<void> {
    await this.#city.until(`${program} is started again`, 60, async () => {
      return (await this.processOf(program)) !== before;
    });
  }

  /** Drops all that arrives from an address, for the city and for its pods, so that connections to it hang. */
  async blackHole(fromAddress: string): Promise<void> {
    for (const chain of arrivals)
      await this.#city.exec(['iptables', '-w', '-I', chain, '-s', fromAddress, '-j', 'DROP']);
  }

  async clearBlackHole(fromAddress: string): Promise<void> {
    for (const chain of arrivals)
      await this.#city.exec(['iptables', '-w', '-D', chain, '-s', fromAddress, '-j', 'DROP']);
  }

  /** Delays or drops packets that leave the city, in place of what was set before. */
  async impair(wanted: Impairment): Promise<void> {
    this.#needLocalImage('delaying packets');
    await this.clearImpairment();
    const flags = [
      `-delay=${wanted.delayMilliseconds ?? 0}ms`,
      `-jitter=${wanted.jitterMilliseconds ?? 0}ms`,
      `-loss=${wanted.lossPercent ?? 0}`,
      `-destination=${wanted.destination ?? ''}`,
    ];
    const log = '/var/log/city/netem.log';
    await docker([
      'exec',
      '--detach',
      this.#city.container,
      'sh',
      '-c',
      `exec netem ${flags.join(' ')} >${log} 2>&1`,
    ]);
    await this.#city.until('packets are impaired', 10, async () => {
      return (await this.#city.exec(['iptables', '-w', '-t', 'mangle', '-S', 'POSTROUTING'])).includes(
        'NFQUEUE',
      );
    });
  }

  /** Lets packets leave the city as they come. */
  async clearImpairment(): Promise<void> {
    await this.#city.exec(['sh', '-c', 'pkill -x netem && while pgrep -x netem; do sleep 0.05; done; true']);
  }

  #wan(): string {
    if (this.#city.wan) return this.#city.wan;
    throw new Error(
      `City ${this.#city.name} shares no network; start it with \`wan\` to cut it off from others.`,
    );
  }

  #needLocalImage(what: string): void {
    if (this.#city.builtHere) return;
    throw new Error(
      `${what} needs the city image that is built here: set AICITY_CITY_IMAGE=local and start again.`,
    );
  }
}
