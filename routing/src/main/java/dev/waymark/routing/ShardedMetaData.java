package dev.waymark.routing;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;

/** The meta data of a database of shards: what one shard's server says, as all are alike. */
final class ShardedMetaData extends DelegatingMetaData {
  private static final String NAME = "Waymark JDBC";

  private final ShardedConnection connection;

  ShardedMetaData(ShardedConnection connection) {
    this.connection = connection;
  }

  @Override
  <T> T answer(Question<T> question) throws SQLException {
    return connection.onSomeServer(server -> question.to(server.getMetaData()));
  }

  @Override
  ResultSet rows(Question<ResultSet> question) throws SQLException {
    return connection.rowsOfSomeServer(question);
  }

  @Override
  public Connection getConnection() {
    return connection;
  }

  @Override
  public String getURL() {
    return WaymarkDriver.PREFIX;
  }

  @Override
  public String getUserName() {
    return connection.database().user();
  }

  @Override
  public boolean isReadOnly() throws SQLException {
    return connection.isReadOnly();
  }

  @Override
  public String getDriverName() {
    return NAME;
  }

  @Override
  public String getDriverVersion() {
    return WaymarkDriver.MAJOR + "." + WaymarkDriver.MINOR;
  }

  @Override
  public int getDriverMajorVersion() {
    return WaymarkDriver.MAJOR;
  }

  @Override
  public int getDriverMinorVersion() {
    return WaymarkDriver.MINOR;
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
