package dev.waymark.routing;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import org.jspecify.annotations.Nullable;

/**
 * A savepoint, perhaps of a transaction that has no server yet: it is set there once that is known.
 * Belongs to its connection.
 */
final class ShardedSavepoint implements Savepoint, BoundTransaction.Preparation {
  private final @Nullable String name;
  private @Nullable Savepoint onServer;

  /**
   * A savepoint.
   *
   * @param name null if it has none
   */
  ShardedSavepoint(@Nullable String name) {
    this.name = name;
  }

  static ShardedSavepoint ours(Savepoint savepoint) throws SQLException {
    if (savepoint instanceof ShardedSavepoint ours) {
      return ours;
    }
    throw new SQLException("The savepoint is not of this connection", "3B001");
  }

  @Override
  public void on(Connection server) throws SQLException {
    onServer = name == null ? server.setSavepoint() : server.setSavepoint(name);
  }

  /** The server's own. */
  Savepoint onServer() throws SQLException {
    Savepoint set = onServer;
    if (set == null) {
      throw new SQLException("The savepoint is not of this transaction", "3B001");
    }
    return set;
  }

  @Override
  public int getSavepointId() throws SQLException {
    if (name != null) {
      throw new SQLException("The savepoint has a name and no number", "3B001");
    }
    return System.identityHashCode(this);
  }

  @Override
  public String getSavepointName() throws SQLException {
    if (name == null) {
      throw new SQLException("The savepoint has no name", "3B001");
    }
    return name;
  }
}
