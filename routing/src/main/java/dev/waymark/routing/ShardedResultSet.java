package dev.waymark.routing;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** Rows whose statement is ours, and whose closing gives their connection back. */
final class ShardedResultSet extends DelegatingResultSet {
  private final ShardedStatement statement;

  ShardedResultSet(ShardedStatement statement, ResultSet rows) {
    super(rows);
    this.statement = statement;
  }

  @Override
  public Statement getStatement() throws SQLException {
    if (isClosed()) {
      throw new SQLException("This result set is closed", "55000");
    }
    return statement;
  }

  @Override
  public void close() throws SQLException {
    try {
      rows().close();
    } finally {
      statement.closed(this);
    }
  }
}
