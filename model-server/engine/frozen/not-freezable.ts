/** Why the variables of a model cannot be made constants. */
export class NotFreezable extends Error {
  override name = 'NotFreezable';
}
