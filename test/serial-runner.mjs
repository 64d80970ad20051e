import TestRunner from 'jest-runner';

/** Jest's own runner, one test file after the other: for tests that share a cluster. */
export default class SerialRunner extends TestRunner {
  isSerial = true;
}
