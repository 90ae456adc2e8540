package dev.waymark.routing;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * The shards' rows as they are: in one order, or one shard after the other if there is none. Each
 * shard is read no further than to its next row.
 */
final class SortedRows extends MergedRows {
  private final RowOrder order;
  private final PriorityQueue<Head> heads;
  private long toSkip;
  private long toGive;

  /** The shard whose row is the current one; null before the first. */
  private @Nullable Head current;

  /** A shard's next row, or its current one. */
  private record Head(int shard, ResultSet rows, @Nullable Object[] keys) {}

  SortedRows(MergeShape shape, Bounds bounds, ShardAnswers answers, long maxRows)
      throws SQLException {
    super(answers, 0);
    this.order = RowOrder.of(shape);
    Comparator<Head> byRow = (one, other) -> order.compare(one.keys(), other.keys());
    this.heads = new PriorityQueue<>(byRow.thenComparingInt(Head::shard));
    // The text of one shard still skips for itself only if nothing is to be skipped.
    this.toSkip = bounds.offset();
    long limit = bounds.limit() < 0 ? Long.MAX_VALUE : bounds.limit();
    this.toGive = maxRows == 0 ? limit : Math.min(limit, maxRows);
    for (int i = 0; i < answers.size(); i++) {
      ResultSet rows = answers.get(i).rows();
      if (rows.next()) {
        heads.add(new Head(i, rows, order.keys(rows)));
      }
    }
  }

  @Override
  boolean hasRows() {
    return !heads.isEmpty() && toGive > 0 && toSkip == 0;
  }

  @Override
  boolean step() throws SQLException {
    if (toGive == 0) {
      return false;
    }
    while (toSkip > 0) {
      toSkip--;
      if (!stepOnce()) {
        return false;
      }
    }
    toGive--;
    return stepOnce();
  }

  private boolean stepOnce() throws SQLException {
    Head before = current;
    if (before != null && before.rows().next()) {
      Head next = new Head(before.shard(), before.rows(), order.keys(before.rows()));
      if (order.compare(before.keys(), next.keys()) > 0) {
        throw new SQLException(
            "The rows of shard "
                + answers().get(before.shard()).shard()
                + " do not come in the order that they were to be merged in. The schema has changed, or"
                + " this is a fault of Waymark: please report it",
            "XX000");
      }
      heads.add(next);
    }
    current = heads.poll();
    return current != null;
  }

  @Override
  ResultSet source(int column) throws SQLException {
    refuseUnlessOnRow();
    Head head = current;
    if (head == null) {
      throw new IllegalStateException("There is no current row");
    }
    return head.rows();
  }

  @Override
  int place(int column) {
    return column;
  }
}
