package dev.waymark.shardingsphere;

import dev.waymark.routing.CrossShardEngine;
import dev.waymark.routing.CrossShardEngine.Shards;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * What ShardingSphere takes for the pool of a shard. While it answers a query, the connections lead
 * to the query's own questions; at any other time it looks up tables. Public, and with names for
 * URL and user, because ShardingSphere reads those by reflection. Safe to share.
 */
public final class ShardDataSource implements DataSource {
  private final String shard;
  private final CrossShardEngine.Layout layout;
  private final ThreadLocal<@Nullable Shards> asking;

  ShardDataSource(
      String shard, CrossShardEngine.Layout layout, ThreadLocal<@Nullable Shards> asking) {
    this.shard = shard;
    this.layout = layout;
    this.asking = asking;
  }

  /** Tells which dialect it is; nobody connects by it. */
  public String getUrl() {
    return "jdbc:postgresql://waymark/" + shard;
  }

  /** Does nothing: ShardingSphere takes for a property what can be set. */
  public void setUrl(String url) {}

  /** No user's name. */
  public String getUsername() {
    return "";
  }

  /** Does nothing, as {@link #setUrl}. */
  public void setUsername(String user) {}

  @Override
  public Connection getConnection() throws SQLException {
    Shards query = asking.get();
    return query == null ? layout.connect(shard) : AskedConnection.to(shard, query);
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
    if (type.isInstance(this)) {
      return type.cast(this);
    }
    throw new SQLException("Not a wrapper for " + type.getName());
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return type.isInstance(this);
  }
}
