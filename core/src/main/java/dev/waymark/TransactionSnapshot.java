package dev.waymark;

import java.util.Arrays;

/**
 * Which transactions of one primary were over at one moment: PostgreSQL's {@code pg_snapshot}. An
 * immutable value, safe to share.
 *
 * <p>Only a primary knows this. A standby's snapshot does not list the transactions that run on its
 * primary.
 */
public final class TransactionSnapshot {
  private final long xmin;
  private final long xmax;

  /** Sorted as unsigned numbers. */
  private final long[] running;

  private TransactionSnapshot(long xmin, long xmax, long[] running) {
    this.xmin = xmin;
    this.xmax = xmax;
    this.running = running;
  }

  /**
   * What PostgreSQL prints as {@code xmin:xmax:xip,…}.
   *
   * @throws IllegalArgumentException if the text is not that
   */
  public static TransactionSnapshot parse(String text) {
    String[] parts = text.split(":", -1);
    if (parts.length != 3) {
      throw new IllegalArgumentException("Not a transaction snapshot: " + text);
    }
    try {
      long xmin = Long.parseUnsignedLong(parts[0]);
      long xmax = Long.parseUnsignedLong(parts[1]);
      String[] ids = parts[2].isEmpty() ? new String[0] : parts[2].split(",", -1);
      long[] running = new long[ids.length];
      for (int i = 0; i < ids.length; i++) {
        running[i] = Long.parseUnsignedLong(ids[i]);
        boolean inOrder = i == 0 || Long.compareUnsigned(running[i - 1], running[i]) < 0;
        if (!inOrder
            || Long.compareUnsigned(running[i], xmin) < 0
            || Long.compareUnsigned(running[i], xmax) >= 0) {
          throw new IllegalArgumentException("Not a transaction snapshot: " + text);
        }
      }
      if (Long.compareUnsigned(xmin, xmax) > 0) {
        throw new IllegalArgumentException("Not a transaction snapshot: " + text);
      }
      return new TransactionSnapshot(xmin, xmax, running);
    } catch (NumberFormatException notANumber) {
      throw new IllegalArgumentException("Not a transaction snapshot: " + text, notANumber);
    }
  }

  /** Every transaction with a smaller id was over; unsigned. */
  public long xmin() {
    return xmin;
  }

  /**
   * No transaction with this id or a greater one was over; unsigned. One more than the latest id
   * that was over, not than the latest that was given out: transactions at or beyond it may have
   * been running.
   */
  public long xmax() {
    return xmax;
  }

  /**
   * Whether a transaction was over, committed or rolled back: whatever is read under a snapshot
   * taken afterwards shows all it has committed.
   *
   * @param transactionId the 64-bit id ({@code xid8}), unsigned
   */
  public boolean hasFinished(long transactionId) {
    if (Long.compareUnsigned(transactionId, xmin) < 0) {
      return true;
    }
    if (Long.compareUnsigned(transactionId, xmax) >= 0) {
      return false;
    }
    for (long id : running) {
      if (id == transactionId) {
        return false;
      }
    }
    return true;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TransactionSnapshot that
        && xmin == that.xmin
        && xmax == that.xmax
        && Arrays.equals(running, that.running);
  }

  @Override
  public int hashCode() {
    return Long.hashCode(xmin) * 31 * 31 + Long.hashCode(xmax) * 31 + Arrays.hashCode(running);
  }

  /** As PostgreSQL prints it. */
  @Override
  public String toString() {
    StringBuilder text =
        new StringBuilder()
            .append(Long.toUnsignedString(xmin))
            .append(':')
            .append(Long.toUnsignedString(xmax))
            .append(':');
    for (int i = 0; i < running.length; i++) {
      text.append(i == 0 ? "" : ",").append(Long.toUnsignedString(running[i]));
    }
    return text.toString();
  }
}
