package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.WaymarkException;
import java.io.PrintWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.Objects;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Connections to one shard's primary by which somebody looks at its catalogue: read-only, and each
 * with {@code calls.deadline}. Safe to share.
 */
final class ReadDataSource implements DataSource {
  private final Reads reads;
  private final LiveShard shard;

  ReadDataSource(Reads reads, LiveShard shard) {
    this.reads = reads;
    this.shard = shard;
  }

  /** A read that goes on after it has returned. */
  private static final class Lent implements HeldWork<Connection, SQLException> {
    private @Nullable Lane lane;

    @Override
    public Connection run(Connection connection) {
      return connection;
    }

    @Override
    public void held(Lane held) {
      lane = held;
    }

    boolean isClosed() {
      return lane == null;
    }

    void close() {
      Lane held = lane;
      lane = null;
      if (held != null) {
        held.close();
      }
    }
  }

  @Override
  public Connection getConnection() throws SQLException {
    Lent lent = new Lent();
    Connection connection;
    try {
      connection = reads.hold(shard, Router.NO_KEY, Consistency.strong(), null, lent, 0);
    } catch (WaymarkException failure) {
      throw FanOut.asSql(failure);
    }
    return (Connection)
        Proxy.newProxyInstance(
            ReadDataSource.class.getClassLoader(),
            new Class<?>[] {Connection.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("close")) {
                lent.close();
                return null;
              } else if (method.getName().equals("isClosed")) {
                return lent.isClosed();
              } else if (lent.isClosed() && method.getDeclaringClass() != Object.class) {
                // It may be somebody else's by now.
                throw new SQLException("The connection is closed", "08003");
              }
              try {
                return method.invoke(connection, arguments);
              } catch (InvocationTargetException failure) {
                throw failure.getTargetException();
              }
            });
  }

  @Override
  public Connection getConnection(String user, String password) throws SQLException {
    return getConnection();
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
