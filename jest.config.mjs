/** Jest in ESM mode: TypeScript is stripped by swc, types are checked apart (`npm run check`). */
const base = {
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  transformIgnorePatterns: ['/node_modules/'],
  testEnvironment: 'node',
};
const project = (name, extra = {}) => ({
  ...base,
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  ...extra,
});

/** Tests on clusters. */
const queued = { runner: '<rootDir>/test/queue-runner.mjs' };

export default {
  // No test is a measurement: only one that hangs is to be ended.
  testTimeout: 60_000,
  // Half of the tests wait for something most of the time, so that no core is to be left to jest itself.
  maxWorkers: '100%',
  // Idle connections to API servers are closed after a few seconds.
  workerGracefulExitTimeout: 10_000,
  reporters: ['default', '<rootDir>/test/reporter.mjs'],
  projects: [
    project('unit'),
    project('clients'),
    project('api', queued),
    project('hub', queued),
    project('e2e', queued),
    project('region', queued),
    project('gateway'),
  ],
};
