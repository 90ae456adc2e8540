package dev.waymark.routing;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/**
 * A value in the hands of a {@link CrossShardEngine}: it compares as the server does, whoever
 * compares it, and refuses where that is not known. An immutable value.
 */
final class EngineValue implements Comparable<EngineValue> {
  private final ColumnKind kind;

  /** As {@link ColumnKind#of} gives it; of {@link ColumnKind#OTHER} the text. */
  private final Object value;

  /** As the server writes it. */
  private final String text;

  private EngineValue(ColumnKind kind, Object value, String text) {
    this.kind = kind;
    this.value = value;
    this.text = text;
  }

  /** Only the server knows. Not an SQL exception: comparisons throw none. */
  static final class NotComparableException extends RuntimeException {
    private static final long serialVersionUID = 1;

    NotComparableException(String what) {
      super(what);
    }
  }

  /** What a row that came as text holds in a column, null for NULL. */
  static @Nullable EngineValue of(ResultSet row, int column, ColumnKind kind) throws SQLException {
    String text = row.getString(column);
    if (text == null) {
      return null;
    } else if (!kind.canBeGrouped()) {
      return new EngineValue(kind, text, text);
    }
    Object value = kind.of(row, column);
    return value == null ? null : new EngineValue(kind, value, text);
  }

  /** As the server writes it. */
  String text() {
    return text;
  }

  @Override
  public int compareTo(EngineValue other) {
    if (!kind.canBeSorted() || kind != other.kind) {
      throw new NotComparableException("the order of values");
    }
    return kind.order(value, other.value);
  }

  private Object identity() {
    if (!kind.canBeGrouped()) {
      throw new NotComparableException("what equals");
    }
    return kind.identity(value);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    if (!(other instanceof EngineValue same)) {
      return false;
    } else if (kind != same.kind) {
      throw new NotComparableException("what equals");
    }
    return identity().equals(same.identity());
  }

  @Override
  public int hashCode() {
    return identity().hashCode();
  }

  /** The number that engines add up; floating-point numbers are not added as the server does. */
  @Override
  public String toString() {
    if (kind == ColumnKind.WHOLE || kind == ColumnKind.DECIMAL && value instanceof BigDecimal) {
      return text;
    }
    throw new NotComparableException("the sum of values");
  }
}
