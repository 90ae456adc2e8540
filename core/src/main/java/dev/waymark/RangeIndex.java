package dev.waymark;

/**
 * Finds the range that a key falls into: the keys are dealt into equal slots, half to twice as many
 * as there are ranges, and each slot knows where its ranges begin. Where ranges are of about one
 * size that leaves one to three to look at, however many there are; where one slot holds them all,
 * as after a first range that is far wider than all others together, it is a binary search again.
 *
 * <p>Immutable, safe to share; looking up allocates nothing. It takes 2 to 8 bytes for each range
 * beside the starts.
 */
final class RangeIndex {
  /** The first key of each range, ascending. */
  private final long[] starts;

  /** A key's distance from the first start, shifted by this, is its slot. */
  private final int shift;

  /** For each slot, and one beyond the last, the range in which it begins. */
  private final int[] slots;

  /**
   * An index of ranges without gaps.
   *
   * @param starts the first key of each, ascending, at least one; not copied
   */
  RangeIndex(long[] starts) {
    this.starts = starts;
    int last = starts.length - 1;
    // Unsigned: keys may be negative.
    long span = starts[last] - starts[0];
    int bitsOfSpan = Long.SIZE - Long.numberOfLeadingZeros(span);
    int bitsOfCount = Integer.SIZE - Integer.numberOfLeadingZeros(last);
    this.shift = Math.max(0, bitsOfSpan - bitsOfCount);
    this.slots = new int[(int) (span >>> shift) + 2];
    int range = 0;
    for (int slot = 0; slot < slots.length - 1; slot++) {
      long first = (long) slot << shift;
      while (range < last && Long.compareUnsigned(starts[range + 1] - starts[0], first) <= 0) {
        range++;
      }
      slots[slot] = range;
    }
    slots[slots.length - 1] = last;
  }

  /** The position of the last range that starts at the key or before; -1 if none does. */
  int find(long key) {
    int last = starts.length - 1;
    if (key >= starts[last]) {
      return last;
    } else if (key < starts[0]) {
      return -1;
    }
    int slot = (int) ((key - starts[0]) >>> shift);
    int low = slots[slot];
    int high = slots[slot + 1];
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (starts[middle] <= key) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
}
