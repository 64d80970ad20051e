import TestRunner from 'jest-runner';

/**
 * For tests that share a cluster: those of one project run one file after the other, in a process of their own, and
 * the projects side by side; all in this process where jest is told so (`--runInBand`).
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
