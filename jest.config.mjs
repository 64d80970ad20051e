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

export default {
  reporters: ['default', '<rootDir>/test/reporter.mjs'],
  projects: [project('unit'), project('api'), project('e2e')],
};
