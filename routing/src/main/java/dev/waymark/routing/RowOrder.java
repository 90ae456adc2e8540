package dev.waymark.routing;

import dev.waymark.routing.Merged.SortKey;
import dev.waymark.routing.SqlTree.Sort.Direction;
import dev.waymark.routing.SqlTree.Sort.Nulls;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The order that a query's rows come in. An immutable value. */
record RowOrder(List<SortKey> sorts, List<Integer> columns, List<ColumnKind> kinds)
    implements Comparator<@Nullable Object[]> {
  /** Copies. */
  RowOrder {
    sorts = List.copyOf(sorts);
    columns = List.copyOf(columns);
    kinds = List.copyOf(kinds);
  }

  static RowOrder of(MergeShape shape) {
    return new RowOrder(
        shape.merged().sorts(),
        shape.sortColumns(),
        shape.sortColumns().stream().map(shape::kind).toList());
  }

  /** What the current row is sorted by. */
  @Nullable Object[] keys(ResultSet row) throws SQLException {
    @Nullable Object[] keys = new @Nullable Object[columns.size()];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = kinds.get(i).of(row, columns.get(i));
    }
    return keys;
  }

  @Override
  public int compare(@Nullable Object[] one, @Nullable Object[] other) {
    for (int i = 0; i < one.length; i++) {
      Object left = one[i];
      Object right = other[i];
      int order;
      if (left == null || right == null) {
        int nullsLast = Boolean.compare(left == null, right == null);
        order = sorts.get(i).nulls() == Nulls.LAST ? nullsLast : -nullsLast;
      } else {
        int ascending = kinds.get(i).order(left, right);
        order = sorts.get(i).direction() == Direction.ASCENDING ? ascending : -ascending;
      }
      if (order != 0) {
        return order;
      }
    }
    return 0;
  }
}
