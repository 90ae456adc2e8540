package dev.waymark.routing;

import dev.waymark.routing.SqlTree.Constant;
import dev.waymark.routing.SqlTree.Expression;
import dev.waymark.routing.SqlTree.Parameter;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/**
 * LIMIT and OFFSET of one execution. An immutable value.
 *
 * @param limit how many rows are given at most, -1 for all
 * @param offset how many rows are skipped
 */
record Bounds(long limit, long offset) {
  /**
   * Reads them.
   *
   * @throws SQLException as the server would, SQLSTATE 2201W or 2201X, if one is negative; 22023 if
   *     one is no number
   */
  static Bounds of(Merged merged, BoundValues values) throws SQLException {
    Long limit = value(merged.limit(), values);
    Long offset = value(merged.offset(), values);
    if (limit != null && limit < 0) {
      throw new SQLException("LIMIT must not be negative", "2201W");
    } else if (offset != null && offset < 0) {
      throw new SQLException("OFFSET must not be negative", "2201X");
    }
    return new Bounds(limit == null ? -1 : limit, offset == null ? 0 : offset);
  }

  /** What each shard has to send, if there is a limit. */
  long wide() {
    return limit + offset < 0 ? Long.MAX_VALUE : limit + offset;
  }

  private static @Nullable Long value(@Nullable Expression bound, BoundValues values)
      throws SQLException {
    Object value = null;
    if (bound instanceof Parameter parameter) {
      value = values.apply(parameter.number());
    } else if (bound instanceof Constant constant) {
      value = constant.text();
    }
    try {
      // As the server rounds: a decimal half away from zero, a binary one half to even.
      boolean isBinary = value instanceof Double || value instanceof Float;
      return value == null
          ? null
          : new BigDecimal(value.toString().strip())
              .setScale(0, isBinary ? RoundingMode.HALF_EVEN : RoundingMode.HALF_UP)
              .longValueExact();
    } catch (ArithmeticException | NumberFormatException notWhole) {
      throw new SQLException("LIMIT and OFFSET must be whole numbers of 64 bits", "22023");
    }
  }
}
