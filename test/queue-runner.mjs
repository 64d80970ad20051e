import TestRunner from 'jest-runner';

/**
 * For tests on clusters, which wait for most of the time: those of one project share a cluster and run one file after the
 * other, in a process of their own, and the projects side by side; all in this process where jest is told so
 * (`--runInBand`).
 */
export default class QueueRunner extends TestRunner {
  constructor(globalConfig, context) {
    super({ ...globalConfig, maxWorkers: 1 }, context);
  }

  async runTests(tests, watcher, options) {
    const queues = options.serial ? [tests] : Map.groupBy(tests, ({ context }) => context.config.id).values();
    await Promise.all([...queues].map((queue) => super.runTests(queue, watcher, options)));
  }
}
