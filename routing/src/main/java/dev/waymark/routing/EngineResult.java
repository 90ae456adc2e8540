package dev.waymark.routing;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.BaseStatement;
import org.postgresql.core.Field;
import org.postgresql.core.Tuple;

/**
 * The rows as the driver's own, on a connection that its getters may look up types by. A server
 * says what the columns are; it does not run the query.
 *
 * @param rows each as wide as the query's columns
 */
record EngineResult(String sql, BoundValues values, List<Tuple> rows) implements FanOut.Asked {
  /**
   * What an engine has put together.
   *
   * @throws SQLException if it holds anything but the shards' values and numbers
   */
  static EngineResult of(String sql, BoundValues values, List<List<@Nullable Object>> rows)
      throws SQLException {
    List<Tuple> tuples = new ArrayList<>(rows.size());
    for (List<@Nullable Object> row : rows) {
      byte[] @Nullable [] bytes = new byte @Nullable [row.size()][];
      for (int i = 0; i < row.size(); i++) {
        Object value = row.get(i);
        if (value != null) {
          bytes[i] = text(value).getBytes(StandardCharsets.UTF_8);
        }
      }
      tuples.add(new Tuple(bytes));
    }
    return new EngineResult(sql, values, tuples);
  }

  @Override
  public boolean isStreamed() {
    return false;
  }

  @Override
  public FanOut.Open on(Connection connection, LongPredicate isOwn) throws SQLException {
    List<Field> fields = new ArrayList<>();
    DescribedColumns columns;
    try (PreparedStatement described = connection.prepareStatement(sql)) {
      for (int i = 1; i <= values.count(); i++) {
        values.set(described, i, i);
      }
      ResultSetMetaData told = described.getMetaData();
      columns = DescribedColumns.of(told);
      var types = connection.unwrap(BaseConnection.class).getTypeInfo();
      for (int i = 1; i <= told.getColumnCount(); i++) {
        fields.add(
            new Field(told.getColumnLabel(i), types.getPGType(type(told.getColumnTypeName(i)))));
      }
    }
    if (!rows.isEmpty() && rows.get(0).fieldCount() != fields.size()) {
      throw new SQLException(
          "ShardingSphere has made "
              + rows.get(0).fieldCount()
              + " columns of "
              + fields.size()
              + ". Nothing was written",
          "XX000");
    }
    Statement statement = connection.createStatement();
    ResultSet made =
        statement
            .unwrap(BaseStatement.class)
            .createDriverResultSet(fields.toArray(new Field[0]), rows);
    return new FanOut.Open(connection, statement, new Described(made, columns));
  }

  /** The driver calls columns that number themselves by types that no server has. */
  private static String type(String name) {
    return switch (name) {
      case "bigserial" -> "int8";
      case "serial" -> "int4";
      case "smallserial" -> "int2";
      default -> name;
    };
  }

  private static String text(Object value) throws SQLException {
    if (value instanceof EngineValue own) {
      return own.text();
    } else if (value instanceof BigDecimal decimal) {
      return decimal.toPlainString();
    } else if (value instanceof Long || value instanceof Integer) {
      return value.toString();
    }
    throw new SQLException(
        "ShardingSphere has made a "
            + value.getClass().getName()
            + " of the shards' values. Nothing was written",
        "XX000");
  }

  /** Rows that say of their columns what the server does. */
  private static final class Described extends DelegatingResultSet {
    private final DescribedColumns columns;

    Described(ResultSet rows, DescribedColumns columns) {
      super(rows);
      this.columns = columns;
    }

    @Override
    public ResultSetMetaData getMetaData() {
      return columns;
    }
  }
}
