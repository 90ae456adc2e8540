package dev.waymark;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One row that a committed transaction changed.
 *
 * @param table where the row is; of a partitioned table the whole one, not the partition
 * @param kind what happened to it
 * @param before as much of the old row as the table's replica identity tells: all of it with {@code
 *     FULL}, else the columns of the primary key (or of the index that was chosen). Null for a new
 *     row, and for an update that left those columns as they were: they are in {@code after} then.
 *     Where the identity is an index without the column that one looks for, it {@linkplain
 *     RowImage#tells tells} nothing of it: take any row for changed
 * @param after the row as it is now; null for a deleted row
 */
public record RowChange(
    TableName table, Kind kind, @Nullable RowImage before, @Nullable RowImage after) {
  /** What happened to a row. */
  public enum Kind {
    /** It is new. */
    INSERTED,
    /** It has other values. */
    UPDATED,
    /** It is gone. */
    DELETED
  }

  /** Checks that the images are those of the kind. */
  public RowChange {
    Objects.requireNonNull(table, "table");
    if ((after == null) != (kind == Kind.DELETED)) {
      throw new IllegalArgumentException(
          kind + " of " + table + (after == null ? " without a new row" : " with a new row"));
    }
    if (kind == Kind.INSERTED && before != null) {
      throw new IllegalArgumentException(kind + " of " + table + " with an old row");
    }
    if (kind == Kind.DELETED && before == null) {
      throw new IllegalArgumentException(kind + " of " + table + " without an old row");
    }
  }
}
