package dev.waymark;

/**
 * A half-open range of sharding keys: {@code from} belongs to it, {@code to} does not.
 *
 * <p>{@link Long#MAX_VALUE} is never a key, so that a range without an upper end is {@code [from,
 * Long.MAX_VALUE)} and needs no special case anywhere. In files it is written {@code to: max}, and
 * {@link Long#MIN_VALUE} is written {@code from: min}.
 *
 * @param from the first key of the range
 * @param to the first key after the range; greater than {@code from}
 */
public record KeyRange(long from, long to) implements Comparable<KeyRange> {
  /** Checks that the range holds at least one key. */
  public KeyRange {
    if (from >= to) {
      throw new IllegalArgumentException(
          "A key range must hold at least one key, but " + text(from, to) + " holds none");
    }
  }

  /** Whether the key lies in this range. */
  public boolean contains(long key) {
    return from <= key && key < to;
  }

  /** Orders ranges by their first key, then by their end. */
  @Override
  public int compareTo(KeyRange other) {
    int byStart = Long.compare(from, other.from);
    return byStart != 0 ? byStart : Long.compare(to, other.to);
  }

  /** The range in mathematical notation, such as {@code [1, 500000)}. */
  @Override
  public String toString() {
    return text(from, to);
  }

  private static String text(long from, long to) {
    return "["
        + (from == Long.MIN_VALUE ? "min" : from)
        + ", "
        + (to == Long.MAX_VALUE ? "max" : to)
        + ")";
  }
}
