package dev.waymark.shardingsphere;

import dev.waymark.routing.CrossShardEngine.Answer;
import dev.waymark.routing.CrossShardEngine.Shards;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * As much of JDBC as ShardingSphere uses to ask one shard one question: each answer is there as a
 * whole, and its values are handed out as they are. Whatever else were called is refused, so that a
 * change in ShardingSphere is noticed and not guessed at.
 */
final class AskedConnection {
  private AskedConnection() {}

  static Connection to(String shard, Shards query) {
    return proxy(
        Connection.class,
        (method, arguments) ->
            switch (method) {
              case "prepareStatement" ->
                  statement(shard, Objects.requireNonNull((String) arguments.get(0)), query);
              case "close", "setAutoCommit", "setReadOnly" -> null;
              case "isClosed", "isReadOnly" -> false;
              case "getAutoCommit", "isValid" -> true;
              default -> throw unknown(Connection.class, method);
            });
  }

  private static PreparedStatement statement(String shard, String sql, Shards query) {
    List<@Nullable Object> parameters = new ArrayList<>();
    List<ResultSet> answered = new ArrayList<>();
    return proxy(
        PreparedStatement.class,
        (method, arguments) ->
            switch (method) {
              case "setObject" -> {
                int at = (Integer) Objects.requireNonNull(arguments.get(0));
                while (parameters.size() < at) {
                  parameters.add(null);
                }
                parameters.set(at - 1, arguments.get(1));
                yield null;
              }
              case "executeQuery" -> {
                List<Object> set = new ArrayList<>();
                parameters.forEach(
                    parameter -> set.add(Objects.requireNonNull(parameter, "a parameter")));
                answered.clear();
                answered.add(rows(query.ask(shard, sql, set)));
                yield answered.get(0);
              }
              case "getResultSet" -> answered.get(0);
              case "close",
                  "cancel",
                  "setFetchSize",
                  "setFetchDirection",
                  "setMaxRows",
                  "setMaxFieldSize",
                  "setQueryTimeout",
                  "setPoolable",
                  "setEscapeProcessing",
                  "clearParameters" ->
                  null;
              case "isClosed" -> false;
              default -> throw unknown(PreparedStatement.class, method);
            });
  }

  /** Where a result set stands. */
  private static final class Cursor {
    private final Answer answer;
    private int at = -1;
    private boolean wasNull;

    Cursor(Answer answer) {
      this.answer = answer;
    }

    boolean next() {
      at++;
      return at < answer.rows().size();
    }

    @Nullable Object value(@Nullable Object column) {
      int place = (Integer) Objects.requireNonNull(column);
      Object value = answer.rows().get(at).get(place - 1);
      wasNull = value == null;
      return value;
    }
  }

  private static ResultSet rows(Answer answer) {
    Cursor cursor = new Cursor(answer);
    ResultSetMetaData columns = columns(answer.labels());
    return proxy(
        ResultSet.class,
        (method, arguments) ->
            switch (method) {
              case "next" -> cursor.next();
              case "getObject" -> cursor.value(arguments.get(0));
              case "wasNull" -> cursor.wasNull;
              case "getMetaData" -> columns;
              case "close" -> null;
              case "isClosed" -> false;
              default -> throw unknown(ResultSet.class, method);
            });
  }

  private static ResultSetMetaData columns(List<String> labels) {
    Function<@Nullable Object, String> label =
        column -> labels.get((Integer) Objects.requireNonNull(column) - 1);
    return proxy(
        ResultSetMetaData.class,
        (method, arguments) ->
            switch (method) {
              case "getColumnCount" -> labels.size();
              case "getColumnLabel", "getColumnName" -> label.apply(arguments.get(0));
              default -> throw unknown(ResultSetMetaData.class, method);
            });
  }

  // ---- proxies --------------------------------------------------------------------------------

  private interface Answering {
    @Nullable Object call(String method, List<@Nullable Object> arguments) throws SQLException;
  }

  private static UnsupportedOperationException unknown(Class<?> type, String method) {
    return new UnsupportedOperationException(
        type.getSimpleName() + "." + method + " is not expected of ShardingSphere");
  }

  private static <T> T proxy(Class<T> type, Answering answering) {
    InvocationHandler handler =
        (proxy, method, arguments) ->
            method.getDeclaringClass() == Object.class
                ? ownAnswer(method, arguments, proxy)
                : answering.call(method.getName(), list(arguments));
    return type.cast(
        Proxy.newProxyInstance(
            AskedConnection.class.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private static Object ownAnswer(
      Method method, @Nullable Object @Nullable [] arguments, Object proxy) {
    return switch (method.getName()) {
      case "hashCode" -> System.identityHashCode(proxy);
      case "equals" -> arguments != null && arguments[0] == proxy;
      default -> "a question to a shard";
    };
  }

  private static List<@Nullable Object> list(@Nullable Object @Nullable [] arguments) {
    List<@Nullable Object> list = new ArrayList<>();
    if (arguments != null) {
      for (Object argument : arguments) {
        list.add(argument);
      }
    }
    return list;
  }
}
