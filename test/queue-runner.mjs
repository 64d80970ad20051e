import TestRunner from 'jest-runner';
import { sharing } from './region/shared-city.ts';
import { endSharedCity, startSharedCity } from './region/start-shared-city.ts';

/**
 * For tests on clusters, which wait for most of the time: those of one project share a city and run one file after the
 * other, in a process of their own, and the projects side by side; all in this process where jest is told so
 * (`--runInBand`). A city is there from the first of its tests to the last.
 */
export default class QueueRunner extends TestRunner {
  constructor(globalConfig, context) {
    super({ ...globalConfig, maxWorkers: 1 }, context);
  }

  async runTests(tests, watcher, options) {
    const queues = options.serial ? [tests] : Map.groupBy(tests, ({ context }) => context.config.id).values();
    await Promise.all([...queues].map((queue) => this.#runQueue(queue, watcher, options)));
  }

  async #runQueue(tests, watcher, options) {
    const names = new Set(tests.map(({ context }) => context.config.displayName.name));
    const kinds = sharing.filter((kind) => names.has(kind));
    await Promise.all(kinds.map(startSharedCity));
    try {
      await super.runTests(tests, watcher, options);
    } finally {
      await Promise.all(kinds.map(endSharedCity));
    }
  }
}
