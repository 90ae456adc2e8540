package dev.waymark.benchmarks;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A way to ask several shards at once. Threads share it. */
interface Scatter {
  String BY_KEYS = "SELECT id, name FROM users WHERE id IN (?, ?, ?)";
  String NEWEST = "SELECT id, name FROM users ORDER BY id DESC LIMIT 20";
  String STATES = "SELECT state, count(*) FROM orders GROUP BY state";

  /** How many {@link #NEWEST} gives. */
  int HOW_MANY = 20;

  /** The users of some keys, each on another shard, in any order. */
  List<User> find(long... keys) throws SQLException;

  /** The newest users of all shards, the newest first. */
  List<User> newest() throws SQLException;

  /** How many orders there are in each state. */
  Map<String, Long> states() throws SQLException;

  /** What one connection answers about some keys: all of them by one statement. */
  static List<User> find(Connection connection, String sql, long... keys) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < keys.length; i++) {
        statement.setLong(i + 1, keys[i]);
      }
      try (ResultSet rows = statement.executeQuery()) {
        List<User> users = new ArrayList<>();
        while (rows.next()) {
          users.add(new User(rows.getLong(1), rows.getString(2)));
        }
        return users;
      }
    }
  }

  /** What one connection answers. */
  static Map<String, Long> states(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(STATES);
        ResultSet rows = statement.executeQuery()) {
      Map<String, Long> states = new HashMap<>();
      while (rows.next()) {
        states.put(rows.getString(1), rows.getLong(2));
      }
      return states;
    }
  }
}
