/** Why a TensorFlow.js model cannot become a TensorFlow graph; it runs operation by operation then. */
export class NotTranslatable extends Error {
  override readonly name = 'NotTranslatable';
}
