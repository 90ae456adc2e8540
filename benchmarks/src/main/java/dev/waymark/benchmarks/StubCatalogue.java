package dev.waymark.benchmarks;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Array;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.NullUnmarked;

/**
 * What the stub driver answers to those who look at a server before they use it: at its state, at
 * its tables. Never on the way that is measured, so a proxy does.
 */
@NullUnmarked // JDBC may return null almost anywhere.
final class StubCatalogue {
  /** Of a user's row. */
  static final ResultSetMetaData USER_COLUMNS =
      stub(
          ResultSetMetaData.class,
          (proxy, method, arguments) -> {
            boolean isId = arguments != null && (int) arguments[0] == 1;
            return switch (method.getName()) {
              case "getColumnCount" -> 2;
              case "getColumnName", "getColumnLabel" -> isId ? "id" : "name";
              case "getColumnType" -> isId ? java.sql.Types.BIGINT : java.sql.Types.VARCHAR;
              case "getColumnTypeName" -> isId ? "int8" : "text";
              case "getTableName" -> "users";
              default -> nothing(method);
            };
          });

  private static final List<List<Object>> COLUMNS =
      List.of(
          List.of("users", "id", 1, "bigint", "int8", "public", "NO"),
          List.of("users", "name", 2, "text", "text", "public", "NO"),
          List.of("visits", "user_id", 1, "bigint", "int8", "public", "NO"),
          List.of("visits", "note", 2, "text", "text", "public", "NO"));

  private static final List<String> RELATION =
      List.of("nspname", "relname", "relkind", "relpersistence", "columns", "view", "policies");

  private StubCatalogue() {}

  /**
   * A statement.
   *
   * @param prepared its text; none if that comes when it is executed
   * @param state what the node says of itself
   */
  static PreparedStatement statement(String prepared, Supplier<List<Object>> state) {
    // Of several statements in one text, those whose results are still to come.
    Deque<String> coming = new ArrayDeque<>();
    return stub(
        PreparedStatement.class,
        (proxy, method, arguments) ->
            switch (method.getName()) {
              case "executeQuery" ->
                  rows(answer(arguments == null ? prepared : (String) arguments[0], state));
              case "execute" -> {
                coming.clear();
                coming.addAll(
                    List.of((arguments == null ? prepared : (String) arguments[0]).split(";")));
                yield isQuery(coming.peek());
              }
              case "getMoreResults" -> {
                coming.poll();
                yield isQuery(coming.peek());
              }
              case "getResultSet" ->
                  isQuery(coming.peek()) ? rows(answer(coming.peek(), state)) : null;
              default -> nothing(method);
            });
  }

  private static boolean isQuery(String sql) {
    return sql != null && sql.strip().startsWith("SELECT");
  }

  /** A table: names of columns, and rows. */
  private record Table(List<String> columns, List<List<Object>> rows) {}

  private static Table answer(String sql, Supplier<List<Object>> state) {
    String lower = sql == null ? "" : sql.toLowerCase(Locale.ROOT);
    if (lower.contains("information_schema.columns")) {
      return new Table(
          List.of(
              "table_name",
              "column_name",
              "ordinal_position",
              "data_type",
              "udt_name",
              "table_schema",
              "is_nullable"),
          COLUMNS);
    }
    if (lower.contains("role_table_grants")) {
      return new Table(List.of("table_name"), List.of(List.of("users"), List.of("visits")));
    }
    if (lower.contains("typname")) {
      return new Table(
          List.of("typname", "oid"), List.of(List.of("int8", 20), List.of("text", 25)));
    }
    if (lower.contains("pg_is_in_recovery") || lower.contains("pg_stat_activity")) {
      return new Table(
          List.of("recovering", "lsn", "timeline", "system", "started"), List.of(state.get()));
    }
    if (lower.contains("current_schemas")) {
      return new Table(
          List.of("current_setting", "schema"),
          List.of(List.of("18", "pg_catalog"), List.of("18", "public")));
    }
    // Of the server's own relations none is in the measured statement; the users' are these.
    if (lower.contains("c.relkind") && lower.contains("and not\n")) {
      return new Table(
          RELATION,
          List.of(relation("users", "id", "name"), relation("visits", "user_id", "note")));
    }
    if (lower.contains("pg_operator")) {
      return new Table(List.of("oprname", "volatile"), List.of(List.of("=", false)));
    }
    return new Table(List.of(), List.of());
  }

  private static List<Object> relation(String name, String... columns) {
    return List.of("public", name, "r", "p", List.of(columns));
  }

  /** Tables and columns of the stub's schema; everything else about it is empty. */
  static DatabaseMetaData metaData(String url) {
    return stub(
        DatabaseMetaData.class,
        (proxy, method, arguments) ->
            switch (method.getName()) {
              case "getURL" -> url;
              case "getUserName" -> "app";
              case "getDatabaseProductName" -> "PostgreSQL";
              case "getDatabaseProductVersion" -> "18.6";
              case "getDatabaseMajorVersion" -> 18;
              case "getDriverName" -> "PostgreSQL JDBC Driver";
              case "getDriverVersion" -> "42.7.14";
              case "getDriverMajorVersion", "getJDBCMajorVersion" -> 4;
              case "getTables" -> tables();
              case "getSchemas" ->
                  rows(new Table(List.of("TABLE_SCHEM"), List.of(List.of("public"))));
              case "getTypeInfo" ->
                  rows(
                      new Table(
                          List.of("TYPE_NAME", "DATA_TYPE"),
                          List.of(
                              List.of("int8", java.sql.Types.BIGINT),
                              List.of("text", java.sql.Types.VARCHAR))));
              default ->
                  method.getReturnType() == ResultSet.class
                      ? rows(new Table(List.of(), List.of()))
                      : method.getReturnType() == String.class ? "" : nothing(method);
            });
  }

  private static ResultSet tables() {
    List<List<Object>> rows = new ArrayList<>();
    rows.add(List.of("app", "public", "users", "TABLE"));
    rows.add(List.of("app", "public", "visits", "TABLE"));
    return rows(new Table(List.of("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE"), rows));
  }

  private static ResultSet rows(Table table) {
    int[] at = {-1};
    return stub(
        ResultSet.class,
        (proxy, method, arguments) ->
            switch (method.getName()) {
              case "next" -> ++at[0] < table.rows().size();
              // How many processes watch is asked as an int, and in the first column.
              case "getInt" -> cell(table, at[0], arguments) instanceof Number n ? n.intValue() : 1;
              case "getLong" ->
                  cell(table, at[0], arguments) instanceof Number n ? n.longValue() : 0L;
              case "getString" -> {
                Object cell = cell(table, at[0], arguments);
                yield cell == null ? null : cell.toString();
              }
              case "getBoolean" -> Boolean.TRUE.equals(cell(table, at[0], arguments));
              case "getObject" -> cell(table, at[0], arguments);
              case "getArray" -> array(cell(table, at[0], arguments));
              default -> nothing(method);
            });
  }

  private static Object cell(Table table, int row, Object[] arguments) {
    int column =
        arguments[0] instanceof Integer number
            ? number - 1
            : indexOf(table.columns(), (String) arguments[0]);
    List<Object> cells = table.rows().get(row);
    return column >= 0 && column < cells.size() ? cells.get(column) : null;
  }

  private static Array array(Object cells) {
    return cells == null
        ? null
        : stub(
            Array.class,
            (proxy, method, arguments) ->
                method.getName().equals("getArray")
                    ? ((List<?>) cells).toArray(String[]::new)
                    : nothing(method));
  }

  private static int indexOf(List<String> columns, String name) {
    for (int i = 0; i < columns.size(); i++) {
      if (columns.get(i).equalsIgnoreCase(name)) {
        return i;
      }
    }
    return -1;
  }

  private static Object nothing(Method method) {
    return ZEROS.get(method.getReturnType());
  }

  private static final Map<Class<?>, Object> ZEROS =
      Map.of(boolean.class, false, int.class, 0, long.class, 0L, short.class, (short) 0);

  private static <T> T stub(Class<T> type, InvocationHandler handler) {
    return type.cast(
        Proxy.newProxyInstance(
            StubCatalogue.class.getClassLoader(), new Class<?>[] {type}, handler));
  }
}
