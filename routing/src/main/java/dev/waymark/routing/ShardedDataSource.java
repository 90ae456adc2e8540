package dev.waymark.routing;

import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/** A database of shards as one standard data source. Safe to share; its connections are not. */
final class ShardedDataSource implements DataSource {
  private final ShardedDatabase database;
  private final Plans plans;
  private final ShardedConnection.Crossing crossing;

  ShardedDataSource(ShardedDatabase database, Plans plans, ShardedConnection.Crossing crossing) {
    this.database = database;
    this.plans = plans;
    this.crossing = crossing;
  }

  @Override
  public Connection getConnection() throws SQLException {
    return new ShardedConnection(database, plans, crossing);
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
    if (type.isInstance(this)) {
      return type.cast(this);
    } else if (type.isInstance(database)) {
      return type.cast(database);
    }
    throw new SQLException("Not a wrapper for " + type.getName());
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return type.isInstance(this) || type.isInstance(database);
  }
}
