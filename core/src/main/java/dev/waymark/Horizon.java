package dev.waymark;

import java.util.Objects;

/**
 * A line drawn through the transactions of one shard: a transaction of our own, begun on the
 * primary for no other purpose than to get an id.
 *
 * @param transactionId the id that was given out, unsigned. Every transaction that had an id before
 *     the line was asked for has a smaller one. (The snapshot's {@code xmax} would not do: running
 *     transactions may lie beyond it.)
 * @param snapshot which transactions were over when the line was drawn
 * @param position where the log ended after the snapshot was taken: at or after the commits of all
 *     transactions that were over
 */
public record Horizon(long transactionId, TransactionSnapshot snapshot, LogPosition position) {
  /** Checks that nothing is missing. */
  public Horizon {
    Objects.requireNonNull(snapshot, "snapshot");
    Objects.requireNonNull(position, "position");
  }
}
