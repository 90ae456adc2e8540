package dev.waymark.routing;

import java.math.BigDecimal;
import java.sql.Array;
import java.sql.Connection;
import java.sql.Date;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a prepared statement's parameters were set to, while it is not known yet which server they
 * are for. Belongs to one statement and thread.
 */
final class Parameters implements BoundValues {
  private static final int AT_FIRST = 4;

  /** Null where nothing is set: the driver tells which one is missing. */
  private @Nullable Kind[] kinds;

  private @Nullable Object[] values;
  private int count;
  private boolean hasStreams;
  private boolean areStreamsRead;

  Parameters() {
    kinds = new @Nullable Kind[AT_FIRST];
    values = new @Nullable Object[AT_FIRST];
  }

  private Parameters(Parameters other) {
    kinds = Arrays.copyOf(other.kinds, Math.max(1, other.count));
    values = Arrays.copyOf(other.values, Math.max(1, other.count));
    count = other.count;
    hasStreams = other.hasStreams;
    areStreamsRead = other.areStreamsRead;
  }

  /** How a value is set. One constant for each setter that takes nothing but the value. */
  enum Kind {
    LONG {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setLong(at, (Long) Objects.requireNonNull(value));
      }
    },
    INT {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setInt(at, (Integer) Objects.requireNonNull(value));
      }
    },
    STRING {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setString(at, (String) value);
      }
    },
    BOOLEAN {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setBoolean(at, (Boolean) Objects.requireNonNull(value));
      }
    },
    SHORT {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setShort(at, (Short) Objects.requireNonNull(value));
      }
    },
    BYTE {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setByte(at, (Byte) Objects.requireNonNull(value));
      }
    },
    FLOAT {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setFloat(at, (Float) Objects.requireNonNull(value));
      }
    },
    DOUBLE {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setDouble(at, (Double) Objects.requireNonNull(value));
      }
    },
    DECIMAL {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setBigDecimal(at, (BigDecimal) value);
      }
    },
    BYTES {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setBytes(at, (byte[]) value);
      }
    },
    DATE {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setDate(at, (Date) value);
      }
    },
    TIME {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setTime(at, (Time) value);
      }
    },
    TIMESTAMP {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        statement.setTimestamp(at, (Timestamp) value);
      }
    },
    OBJECT {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        if (value instanceof Array array) {
          ARRAY.set(statement, at, array);
        } else {
          statement.setObject(at, value);
        }
      }
    },
    ARRAY {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        if (value instanceof ShardedArray ours) {
          statement.setArray(at, ours.on(statement.getConnection()));
        } else {
          statement.setArray(at, (Array) value);
        }
      }
    },
    /** By a setter that takes more than the value. */
    SPECIAL {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        ((Special) Objects.requireNonNull(value)).setter().set(statement, at);
      }
    },
    /** From a stream or reader, which is empty afterwards. */
    ONCE {
      @Override
      void set(PreparedStatement statement, int at, @Nullable Object value) throws SQLException {
        ((Special) Objects.requireNonNull(value)).setter().set(statement, at);
      }
    };

    abstract void set(PreparedStatement statement, int at, @Nullable Object value)
        throws SQLException;
  }

  /** Calls one setter of a statement. */
  interface Setter {
    void set(PreparedStatement statement, int at) throws SQLException;
  }

  /** A setter with what a key would be read from. */
  private record Special(@Nullable Object value, Setter setter) {}

  void put(int number, Kind kind, @Nullable Object value) throws SQLException {
    if (number < 1 || number > Short.MAX_VALUE * 2) {
      throw new SQLException("There is no parameter " + number + "; the first one is 1", "22023");
    }
    if (number > kinds.length) {
      int more = Math.max(number, kinds.length * 2);
      kinds = Arrays.copyOf(kinds, more);
      values = Arrays.copyOf(values, more);
    }
    kinds[number - 1] = kind;
    values[number - 1] = value;
    if (number > count) {
      count = number;
    }
  }

  void putSpecial(int number, @Nullable Object value, Setter setter) throws SQLException {
    put(number, Kind.SPECIAL, new Special(value, setter));
  }

  void putOnce(int number, Setter setter) throws SQLException {
    put(number, Kind.ONCE, new Special(null, setter));
    hasStreams = true;
    areStreamsRead = false;
  }

  void clear() {
    Arrays.fill(kinds, 0, count, null);
    Arrays.fill(values, 0, count, null);
    count = 0;
    hasStreams = false;
  }

  /** These values, whatever is set afterwards. */
  Parameters copy() {
    return new Parameters(this);
  }

  /** Whether they can be bound more than once: none comes from a stream. */
  boolean isReplayable() {
    return !hasStreams;
  }

  private void readStreams() throws SQLException {
    if (hasStreams) {
      if (areStreamsRead) {
        throw new SQLException(
            "A stream or reader among the parameters has been read already; set it anew", "22023");
      }
      areStreamsRead = true;
    }
  }

  @Override
  public int count() {
    return count;
  }

  @Override
  public void set(PreparedStatement statement, int number, int at) throws SQLException {
    Kind kind = kinds[number - 1];
    if (kind != null) {
      kind.set(statement, at, values[number - 1]);
    }
  }

  /** Binds all of them. */
  void setOn(PreparedStatement statement) throws SQLException {
    readStreams();
    for (int number = 1; number <= count; number++) {
      set(statement, number, number);
    }
  }

  /**
   * Binds all of them to a text that has one parameter more.
   *
   * @param dealt the number of that one
   * @param key what it is set to
   */
  void setOn(PreparedStatement statement, int dealt, long key) throws SQLException {
    readStreams();
    for (int number = 1; number <= count; number++) {
      set(statement, number, number < dealt ? number : number + 1);
    }
    statement.setLong(dealt, key);
  }

  /** Whether a parameter is a whole number of 64 bits, as nearly every key is. */
  boolean isWhole(int number) {
    return number <= count
        && (kinds[number - 1] == Kind.LONG
            || kinds[number - 1] == Kind.INT
            || values[number - 1] instanceof Long
            || values[number - 1] instanceof Integer);
  }

  /** That number. */
  long whole(int number) {
    return ((Number) Objects.requireNonNull(values[number - 1])).longValue();
  }

  /** The value that a key is read from; null as well if none is set. */
  @Override
  public @Nullable Object apply(int number) {
    Object value = number <= count ? values[number - 1] : null;
    if (value instanceof Special special) {
      value = special.value();
    }
    if (value instanceof ShardedArray ours) {
      return ours.elements();
    } else if (value instanceof Array array) {
      try {
        return array.getArray();
      } catch (SQLException unreadable) {
        return array;
      }
    }
    return value;
  }

  /** An array that was made before it was known for which server. */
  record ShardedArray(String typeName, Object elements) implements Array {
    Array on(Connection server) throws SQLException {
      return server.createArrayOf(typeName, (Object[]) elements);
    }

    @Override
    public String getBaseTypeName() {
      return typeName;
    }

    @Override
    @Refused("the type's number is known to servers only")
    public int getBaseType() throws SQLException {
      throw refused();
    }

    @Override
    public Object getArray() {
      return elements;
    }

    @Override
    @Refused("pgjdbc maps no types either")
    public Object getArray(java.util.Map<String, Class<?>> map) throws SQLException {
      throw refused();
    }

    @Override
    @Refused("an array to be sent is not read in parts")
    public Object getArray(long index, int length) throws SQLException {
      throw refused();
    }

    @Override
    @Refused("an array to be sent is not read in parts")
    public Object getArray(long index, int length, java.util.Map<String, Class<?>> map)
        throws SQLException {
      throw refused();
    }

    @Override
    @Refused("an array to be sent is not read as rows")
    public java.sql.ResultSet getResultSet() throws SQLException {
      throw refused();
    }

    @Override
    @Refused("an array to be sent is not read as rows")
    public java.sql.ResultSet getResultSet(java.util.Map<String, Class<?>> map)
        throws SQLException {
      throw refused();
    }

    @Override
    @Refused("an array to be sent is not read as rows")
    public java.sql.ResultSet getResultSet(long index, int count) throws SQLException {
      throw refused();
    }

    @Override
    @Refused("an array to be sent is not read as rows")
    public java.sql.ResultSet getResultSet(
        long index, int count, java.util.Map<String, Class<?>> map) throws SQLException {
      throw refused();
    }

    @Override
    public void free() {
      // It holds nothing.
    }

    private static SQLException refused() {
      return new java.sql.SQLFeatureNotSupportedException(
          "An array made by createArrayOf(…) is to be sent; it gives getArray() only", "0A000");
    }
  }
}
