package dev.waymark.benchmarks;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

/**
 * One process' way to the profiles: cached or not, over one shard for each range of keys. Threads
 * share it.
 */
interface Profiles extends AutoCloseable {
  String FIND = "SELECT id, version, name FROM profiles WHERE id = ?";
  String CHANGE = "UPDATE profiles SET version = version + 1 WHERE id = ? RETURNING version";

  /** The profile of a key. */
  Profile read(long key) throws SQLException;

  /**
   * Changes it.
   *
   * @return the version that it has now
   */
  long change(long key) throws SQLException;

  @Override
  void close();

  /** The table, and the profiles of one shard. */
  static String schema(long firstKey, long keys) {
    return "CREATE TABLE profiles (id bigint PRIMARY KEY, version bigint NOT NULL, name text NOT"
        + " NULL) WITH (fillfactor = 50); INSERT INTO profiles SELECT id, 0, 'profile ' || id FROM"
        + " generate_series("
        + firstKey
        + ", "
        + (firstKey + keys - 1)
        + ") AS id; GRANT SELECT, UPDATE ON profiles TO PUBLIC; ANALYZE profiles;"
        + " CREATE EXTENSION pg_stat_statements";
  }

  static Profile find(Connection connection, long key) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(FIND)) {
      statement.setLong(1, key);
      try (ResultSet row = statement.executeQuery()) {
        if (!row.next()) {
          throw new IllegalStateException("The benchmark's profile " + key + " is missing");
        }
        return new Profile(row.getLong(1), row.getLong(2), row.getString(3));
      }
    }
  }

  static long change(Connection connection, long key) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(CHANGE)) {
      statement.setLong(1, key);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
    }
  }
}
