package dev.waymark.routing;

import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLType;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A call of a function or procedure, which names no key: its shard is named by a hint. */
final class ShardedCallableStatement extends DelegatingCallableStatement {
  private final List<Registration> registrations = new ArrayList<>(2);

  ShardedCallableStatement(ShardedConnection connection, String sql, Form form) {
    super(connection, sql, form, Returned.NOTHING);
  }

  /** Declares one result. */
  private interface Registration {
    void on(CallableStatement statement) throws SQLException;
  }

  /** By the call inside of JDBC's braces, which PostgreSQL does not know. */
  @Override
  StatementPlan planned() throws SQLException {
    return sharded().plans().ofCall(text());
  }

  @Override
  Statement make(Connection on, String planned, Form form, Returned returned) throws SQLException {
    return form.call(on, withoutComments(text()));
  }

  /** The driver finds JDBC's braces at the very beginning only, and so not behind a hint. */
  private static String withoutComments(String sql) {
    return sql.replaceFirst("(?s)\\A\\s*(/\\*.*?\\*/\\s*)+", "");
  }

  @Override
  void bind(Statement on) throws SQLException {
    for (Registration each : registrations) {
      each.on((CallableStatement) on);
    }
    super.bind(on);
  }

  @Override
  CallableStatement called() throws SQLException {
    checkOpen();
    if (server() instanceof CallableStatement called) {
      return called;
    }
    throw new SQLException("The call has not been executed, or its results are closed", "55000");
  }

  private void register(Registration registration) throws SQLException {
    checkOpen();
    registrations.add(registration);
    keepsResults();
  }

  @Override
  public void registerOutParameter(int number, int sqlType) throws SQLException {
    register(on -> on.registerOutParameter(number, sqlType));
  }

  @Override
  public void registerOutParameter(int number, int sqlType, int scale) throws SQLException {
    register(on -> on.registerOutParameter(number, sqlType, scale));
  }

  @Override
  public void registerOutParameter(int number, int sqlType, @Nullable String typeName)
      throws SQLException {
    register(on -> on.registerOutParameter(number, sqlType, typeName));
  }

  @Override
  public void registerOutParameter(int number, SQLType sqlType) throws SQLException {
    register(on -> on.registerOutParameter(number, sqlType));
  }

  @Override
  public void registerOutParameter(int number, SQLType sqlType, int scale) throws SQLException {
    register(on -> on.registerOutParameter(number, sqlType, scale));
  }

  @Override
  public void registerOutParameter(int number, SQLType sqlType, @Nullable String typeName)
      throws SQLException {
    register(on -> on.registerOutParameter(number, sqlType, typeName));
  }
}
