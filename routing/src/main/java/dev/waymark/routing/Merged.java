package dev.waymark.routing;

import dev.waymark.routing.SqlTree.Expression;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How the answers of several shards to one query make the exact answer. An immutable value.
 *
 * <p>Values are compared as PostgreSQL does: whoever merges must know the columns' types, and
 * refuse those whose order or equality it does not know. A sum of floating-point numbers depends on
 * the order of adding, on one server as well.
 *
 * @param columns what becomes of each column, empty for rows that stay as they are
 * @param sorts what the rows are sorted by, empty for no order
 * @param limit a constant or parameter, null for none
 * @param offset a constant or parameter, null for none
 */
record Merged(
    List<Role> columns,
    List<SortKey> sorts,
    @Nullable Expression limit,
    @Nullable Expression offset) {
  /** What becomes of a column. */
  enum Role {
    /** A group's own value: rows that agree in all of these are one. */
    GROUP,
    /** Added up; null counts as nothing, all null give null. */
    SUM,
    /** Added up; a count is never null. */
    COUNT,
    MIN,
    MAX,
    /** Made of sum and count, which the shards must be asked for in its place. */
    AVERAGE
  }

  /**
   * A column that the result is sorted by.
   *
   * @param position of the column, counted from 1, or 0 if it is found by its label
   */
  record SortKey(
      int position, String label, SqlTree.Sort.Direction direction, SqlTree.Sort.Nulls nulls) {}

  /** Copies. */
  Merged {
    columns = List.copyOf(columns);
    sorts = List.copyOf(sorts);
  }
}
