/** Below this, memory is best left to the garbage collector. */
const leastBytes = 4096;

/**
 * Gives the memory of an array back now, and leaves it without elements: nobody may need it any more. Requests bring
 * megabytes a second. What is left of them makes the collector, which does not know how soon it is dead, walk through all
 * that lives several times a second, and every new array is memory that no cache has seen.
 *
 * Arrays that share their memory with others are left alone, and small ones.
 */
export function freeMemory({ buffer, byteLength }: ArrayBufferView): void {
  if (byteLength < leastBytes || byteLength !== buffer.byteLength || !('transfer' in buffer)) return;
  buffer.transfer(0);
}
