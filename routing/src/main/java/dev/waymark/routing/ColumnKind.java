package dev.waymark.routing;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.Comparator;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What is known of the values in a column: whether they can be told apart, put in order and added
 * up here exactly as the server does it. What is not listed can be handed through, and nothing
 * else.
 */
enum ColumnKind {
  /** smallint, integer, bigint, oid. */
  WHOLE(Can.BE_SORTED) {
    @Override
    Object value(ResultSet row, int column) throws SQLException {
      return row.getLong(column);
    }
  },
  /** numeric, with NaN as the greatest value, equal to itself. */
  DECIMAL(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      // The driver gives what is no number as a Double.
      return row.getObject(column);
    }

    @Override
    Object identity(Object value) {
      return value instanceof BigDecimal decimal ? decimal.stripTrailingZeros() : value;
    }

    @Override
    int order(Object one, Object other) {
      return DECIMALS.compare(one, other);
    }
  },
  /** real. */
  REAL(Can.BE_SORTED) {
    @Override
    Object value(ResultSet row, int column) throws SQLException {
      return row.getFloat(column) + 0.0f;
    }
  },
  /** double precision. */
  DOUBLE(Can.BE_SORTED) {
    @Override
    Object value(ResultSet row, int column) throws SQLException {
      // A negative zero is none.
      return row.getDouble(column) + 0.0;
    }
  },
  /** Text under a collation that compares bytes. */
  BYTEWISE_TEXT(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return row.getString(column);
    }

    @Override
    int order(Object one, Object other) {
      return byCodePoint((String) one, (String) other);
    }
  },
  /** character(n) under such a collation: blanks at the end count for nothing. */
  BYTEWISE_PADDED(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return withoutBlanks(row.getString(column));
    }

    @Override
    int order(Object one, Object other) {
      return byCodePoint((String) one, (String) other);
    }
  },
  /** Text under any other collation by which equal texts are the same: only equality is known. */
  TEXT(Can.BE_GROUPED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return row.getString(column);
    }
  },
  /** The same for character(n). */
  PADDED(Can.BE_GROUPED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return withoutBlanks(row.getString(column));
    }
  },
  /** An enum: its order is the server's. */
  LABEL(Can.BE_GROUPED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return row.getString(column);
    }
  },
  /** boolean. */
  BOOLEAN(Can.BE_SORTED) {
    @Override
    Object value(ResultSet row, int column) throws SQLException {
      return row.getBoolean(column);
    }
  },
  /** date. */
  DATE(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return row.getObject(column, LocalDate.class);
    }

    @Override
    int order(Object one, Object other) {
      return ((LocalDate) one).compareTo((LocalDate) other);
    }
  },
  /** timestamp without time zone. */
  TIMESTAMP(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return row.getObject(column, LocalDateTime.class);
    }

    @Override
    int order(Object one, Object other) {
      return ((LocalDateTime) one).compareTo((LocalDateTime) other);
    }
  },
  /** timestamp with time zone. */
  INSTANT(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      OffsetDateTime value = row.getObject(column, OffsetDateTime.class);
      return value == null ? null : value.toInstant();
    }

    @Override
    int order(Object one, Object other) {
      return ((Instant) one).compareTo((Instant) other);
    }
  },
  /** time without time zone; 24:00 is later than every other. */
  TIME(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return row.getObject(column, LocalTime.class);
    }
  },
  /** uuid, by its bytes without signs. */
  UNIQUE_ID(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      return row.getObject(column, UUID.class);
    }

    @Override
    int order(Object one, Object other) {
      UUID left = (UUID) one;
      UUID right = (UUID) other;
      int high =
          Long.compareUnsigned(left.getMostSignificantBits(), right.getMostSignificantBits());
      return high != 0
          ? high
          : Long.compareUnsigned(left.getLeastSignificantBits(), right.getLeastSignificantBits());
    }
  },
  /** bytea, by its bytes without signs. */
  BYTES(Can.BE_SORTED) {
    @Override
    @Nullable Object value(ResultSet row, int column) throws SQLException {
      byte[] bytes = row.getBytes(column);
      return bytes == null ? null : ByteBuffer.wrap(bytes);
    }

    @Override
    int order(Object one, Object other) {
      return java.util.Arrays.compareUnsigned(
          ((ByteBuffer) one).array(), ((ByteBuffer) other).array());
    }
  },
  /** Anything else. */
  OTHER(Can.ONLY_BE_SHOWN) {
    @Override
    Object value(ResultSet row, int column) {
      throw new IllegalStateException("Values of this kind are not compared");
    }
  };

  /** What can be done here with a column's values. */
  private enum Can {
    ONLY_BE_SHOWN,
    /** Told apart. */
    BE_GROUPED,
    /** Told apart and put in order. */
    BE_SORTED
  }

  /** -Infinity, the numbers, Infinity, NaN. */
  private static final Comparator<Object> DECIMALS =
      (one, other) -> {
        int byKind = Integer.compare(rank(one), rank(other));
        return byKind == 0 && one instanceof BigDecimal left && other instanceof BigDecimal right
            ? left.compareTo(right)
            : byKind;
      };

  private final Can can;

  ColumnKind(Can can) {
    this.can = can;
  }

  /** What a row holds in a column, as something that {@link #compare} understands. */
  final @Nullable Object of(ResultSet row, int column) throws SQLException {
    Object value = value(row, column);
    return value == null || row.wasNull() ? null : value;
  }

  /** May be anything for NULL. */
  abstract @Nullable Object value(ResultSet row, int column) throws SQLException;

  /** What equals only the same of equal values. */
  Object identity(Object value) {
    return value;
  }

  /** The order of two values that are not NULL. */
  @SuppressWarnings({"unchecked", "rawtypes"}) // Both come from the same kind's value().
  int order(Object one, Object other) {
    return ((Comparable) one).compareTo(other);
  }

  /** Whether equal values are known to be equal. */
  final boolean canBeGrouped() {
    return can != Can.ONLY_BE_SHOWN;
  }

  /** Whether the order is known. */
  final boolean canBeSorted() {
    return can == Can.BE_SORTED;
  }

  /** The kind of a type that needs no collation, by its number in the catalogue. */
  static ColumnKind ofType(int oid) {
    return switch (oid) {
      case 20, 21, 23, 26 -> WHOLE;
      case 1700 -> DECIMAL;
      case 700 -> REAL;
      case 701 -> DOUBLE;
      case 16 -> BOOLEAN;
      case 1082 -> DATE;
      case 1114 -> TIMESTAMP;
      case 1184 -> INSTANT;
      case 1083 -> TIME;
      case 2950 -> UNIQUE_ID;
      case 17 -> BYTES;
      default -> OTHER;
    };
  }

  /** Whether a type's order depends on a collation: name, text, varchar, character(n). */
  static boolean isText(int oid) {
    return oid == 19 || oid == 25 || oid == 1043 || oid == 1042;
  }

  private static int rank(Object decimal) {
    if (decimal instanceof BigDecimal) {
      return 0;
    }
    double special = ((Number) decimal).doubleValue();
    return Double.isNaN(special) ? 2 : special > 0 ? 1 : -1;
  }

  private static @Nullable String withoutBlanks(@Nullable String padded) {
    if (padded == null) {
      return null;
    }
    int end = padded.length();
    while (end > 0 && padded.charAt(end - 1) == ' ') {
      end--;
    }
    return padded.substring(0, end);
  }

  /** The order of the bytes in UTF-8, which is that of the code points and not that of UTF-16. */
  private static int byCodePoint(String one, String other) {
    int length = Math.min(one.length(), other.length());
    for (int i = 0; i < length; i++) {
      char left = one.charAt(i);
      char right = other.charAt(i);
      if (left != right) {
        boolean isPair = Character.isSurrogate(left);
        return isPair == Character.isSurrogate(right)
            ? Character.compare(left, right)
            : isPair ? 1 : -1;
      }
    }
    return Integer.compare(one.length(), other.length());
  }
}
