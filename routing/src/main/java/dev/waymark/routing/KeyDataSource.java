package dev.waymark.routing;

import dev.waymark.LogPosition;
import java.io.PrintWriter;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Connections to the primary of one shard, of one key's as a rule, whose commits the current
 * session sees.
 */
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
    Writes.Writer writer = database.connectionTo(shard, key);
    // The user's own transactions last as long as they last.
    writer.lane().noDeadline();
    Connection connection = writer.connection();
    try {
      connection.setAutoCommit(true);
    } catch (SQLException failure) {
      writer.lane().close();
      throw failure;
    }
    return (Connection)
        Proxy.newProxyInstance(
            KeyDataSource.class.getClassLoader(),
            new Class<?>[] {Connection.class},
            new Borrowed(writer.lane(), connection, database.currentSession()));
  }

  /** A connection in its user's hands: a session learns what is committed on it. */
  private final class Borrowed implements InvocationHandler {
    private final Lane lane;
    private final Connection connection;
    private final Session session;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final AtomicBoolean givenUp = new AtomicBoolean();

    Borrowed(Lane lane, Connection connection, Session session) {
      this.lane = lane;
      this.connection = connection;
      this.session = session;
    }

    @Override
    public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] arguments)
        throws Throwable {
      switch (method.getName()) {
        case "commit" -> {
          connection.commit();
          learnPosition();
          if (!givenUp.get()) {
            lane.noDeadline();
          }
          return null;
        }
        case "close" -> {
          if (closed.compareAndSet(false, true)) {
            close();
          }
          return null;
        }
        default -> {
          try {
            return method.invoke(connection, arguments);
          } catch (InvocationTargetException failure) {
            throw failure.getTargetException();
          }
        }
      }
    }

    private void close() throws SQLException {
      try {
        try {
          if (!givenUp.get()) {
            // From here on it is our own doing, not the user's.
            lane.dueAt(database.dueAt());
          }
          // What was begun and not committed is rolled back, as the pool would do.
          NodePools.endOwnTransaction(connection);
        } catch (SQLException lost) {
          // The server rolls back what loses its connection; what was committed before counts.
        }
        learnPosition();
      } finally {
        giveUp();
        if (key == Router.NO_KEY) {
          database.schemaMayHaveChanged();
        }
      }
    }

    private void giveUp() {
      if (givenUp.compareAndSet(false, true)) {
        lane.close();
      }
    }

    /**
     * Learns a position at or after every commit that the connection's user has been told of; on
     * another connection where this one is lost.
     */
    private void learnPosition() throws SQLException {
      try {
        if (!givenUp.get() && !connection.isClosed()) {
          lane.dueAt(database.dueAt());
          database.wrote(shard, session, key, position(connection));
          return;
        }
      } catch (SQLException failure) {
        if (!connection.isClosed()) {
          throw notLearnt(failure);
        }
      }
      // Whoever waited for a second lane with the first one in hand could wait for itself.
      giveUp();
      try {
        Writes.Writer another = database.connectionTo(shard, key);
        try {
          database.wrote(shard, session, key, position(another.connection()));
        } finally {
          another.lane().close();
        }
      } catch (SQLException | IllegalStateException failure) {
        // The latter if the database has been closed.
        throw notLearnt(failure);
      }
    }

    private SQLException notLearnt(Exception cause) {
      return new SQLException(
          "What was committed on shard "
              + shard.name()
              + " is committed, but the session could not learn where: it may not see it until every"
              + " replica has replayed it. Read with strong consistency",
          "08007",
          cause);
    }
  }

  /** Where a primary's log ends, asked on a connection that is not within a transaction's work. */
  static LogPosition position(Connection connection) throws SQLException {
    boolean autoCommit = connection.getAutoCommit();
    try (Statement statement = connection.createStatement();
        ResultSet answer =
            statement.executeQuery(
                "SELECT * FROM (" + EndOfLog.SELECT + ") AS log, pg_control_system()")) {
      answer.next();
      return EndOfLog.read(answer, answer.getLong("system_identifier"));
    } finally {
      if (!autoCommit && !connection.isClosed()) {
        // The question opened a transaction of its own.
        connection.rollback();
      }
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
