package dev.waymark.routing;

import dev.waymark.LogPosition;
import java.io.PrintWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.util.Objects;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/** Connections to the primary of one key's shard whose commits the current session sees. */
final class KeyDataSource implements DataSource {
  private final ShardedDatabase database;
  private final LiveShard shard;
  private final long key;

  KeyDataSource(ShardedDatabase database, LiveShard shard, long key) {
    this.database = database;
    this.shard = shard;
    this.key = key;
  }

  @Override
  public Connection getConnection() throws SQLException {
    Connection connection = database.connectionTo(shard, key);
    Session session = database.currentSession();
    return (Connection)
        Proxy.newProxyInstance(
            KeyDataSource.class.getClassLoader(),
            new Class<?>[] {Connection.class},
            (proxy, method, arguments) -> {
              try {
                switch (method.getName()) {
                  case "commit" -> {
                    connection.commit();
                    learnPosition(connection, session);
                    return null;
                  }
                  case "close" -> {
                    close(connection, session);
                    return null;
                  }
                  default -> {
                    return method.invoke(connection, arguments);
                  }
                }
              } catch (InvocationTargetException failure) {
                throw failure.getTargetException();
              }
            });
  }

  private void close(Connection connection, Session session) throws SQLException {
    if (connection.isClosed()) {
      return;
    }
    try (connection) {
      if (!connection.getAutoCommit()) {
        // What was not committed is rolled back, as the pool would do next.
        connection.rollback();
      }
      learnPosition(connection, session);
    }
  }

  /** The position lies at or after every commit that the connection has been told of. */
  private void learnPosition(Connection connection, Session session) throws SQLException {
    boolean autoCommit = connection.getAutoCommit();
    try (Statement statement = connection.createStatement();
        ResultSet answer =
            statement.executeQuery(
                "SELECT * FROM (" + EndOfLog.SELECT + ") AS log, pg_control_system()")) {
      answer.next();
      LogPosition position = EndOfLog.read(answer, answer.getLong("system_identifier"));
      database.wrote(shard, session, key, position);
    }
    if (!autoCommit) {
      // The question opened a transaction of its own.
      connection.rollback();
    }
  }

  @Override
  public Connection getConnection(String user, String password) throws SQLException {
    throw new SQLFeatureNotSupportedException(
        "The user is part of the configuration; call getConnection()", "0A000");
  }

  @Override
  public @Nullable PrintWriter getLogWriter() {
    return null;
  }

  @Override
  public void setLogWriter(@Nullable PrintWriter out) throws SQLException {
    throw new SQLFeatureNotSupportedException("Logging goes through SLF4J", "0A000");
  }

  @Override
  public void setLoginTimeout(int seconds) throws SQLException {
    throw new SQLFeatureNotSupportedException("Set pool.connectTimeout instead", "0A000");
  }

  @Override
  public int getLoginTimeout() {
    return 0;
  }

  @Override
  public Logger getParentLogger() throws SQLFeatureNotSupportedException {
    throw new SQLFeatureNotSupportedException("Logging goes through SLF4J", "0A000");
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    if (isWrapperFor(type)) {
      return type.cast(this);
    }
    throw new SQLException("Not a wrapper for " + Objects.requireNonNull(type).getName());
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return type.isInstance(this);
  }
}
