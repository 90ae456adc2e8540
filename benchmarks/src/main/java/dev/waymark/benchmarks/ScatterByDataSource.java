package dev.waymark.benchmarks;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import javax.sql.DataSource;

/** One that finds the shards and merges their answers itself: the application sends one text. */
record ScatterByDataSource(DataSource whole) implements Scatter {
  @Override
  public List<User> find(long... keys) throws SQLException {
    try (Connection connection = whole.getConnection()) {
      return Scatter.find(connection, BY_KEYS, keys);
    }
  }

  @Override
  public List<User> newest() throws SQLException {
    try (Connection connection = whole.getConnection()) {
      return Scatter.find(connection, NEWEST);
    }
  }

  @Override
  public Map<String, Long> states() throws SQLException {
    try (Connection connection = whole.getConnection()) {
      return Scatter.states(connection);
    }
  }
}
