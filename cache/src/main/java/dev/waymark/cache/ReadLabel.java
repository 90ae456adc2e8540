package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.TransactionSnapshot;
import org.jspecify.annotations.Nullable;

/** What a load can prove about the transactions that its value shows. */
sealed interface ReadLabel {
  /** The name of the shard that answered. */
  String shard();

  /**
   * The primary answered.
   *
   * @param snapshot the transactions that were over before it was asked; null if it did not say
   * @param position where its log ended after that; null if it did not say
   */
  record Primary(
      String shard, @Nullable TransactionSnapshot snapshot, @Nullable LogPosition position)
      implements ReadLabel {}

  /**
   * A replica answered.
   *
   * @param position up to where it had replayed before it was asked; null if that is not known
   */
  record Replica(String shard, @Nullable LogPosition position) implements ReadLabel {}

  /** Nothing is to be proven: the value lives for its time, whatever happens to its row. */
  record Unfenced(String shard) implements ReadLabel {}

  /** The label that a load brought. */
  static ReadLabel of(PositionedRead<?> read) {
    String shard = read.route().shard();
    return read.route().role() == Role.PRIMARY
        ? new Primary(shard, read.snapshot(), read.position())
        : new Replica(shard, read.position());
  }
}
