package dev.waymark.benchmarks;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import org.openjdk.jmh.annotations.CompilerControl;

/**
 * The statements, which are the same for every contender. They are never inlined: real work is far
 * too much for that, so the pool's own objects live for every contender, where on the stub driver
 * they would vanish for the simplest ones only.
 */
final class Users {
  static final String FIND = "SELECT id, name FROM users WHERE id = ?";
  static final String RENAME = "UPDATE users SET name = ? WHERE id = ?";
  static final String VISIT = "INSERT INTO visits (user_id, note) VALUES (?, ?)";

  /** Orders on each shard, as many in each state. */
  static final int ORDERS = 1_000;

  static final int STATES = 5;

  private Users() {}

  /** The tables, and the users and orders of one shard. */
  static String schema(long firstKey, long keys) {
    return "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL) WITH (fillfactor = 50);"
        + " CREATE TABLE visits (user_id bigint NOT NULL, note text NOT NULL);"
        + " CREATE TABLE orders (user_id bigint NOT NULL, state text NOT NULL);"
        + " INSERT INTO orders SELECT "
        + firstKey
        + " + n, 'state ' || n % "
        + STATES
        + " FROM generate_series(0, "
        + (ORDERS - 1)
        + ") AS n; GRANT SELECT ON orders TO PUBLIC; ANALYZE orders;"
        + " INSERT INTO users SELECT id, 'user ' || id FROM generate_series("
        + firstKey
        + ", "
        + (firstKey + keys - 1)
        + ") AS id; GRANT SELECT, UPDATE ON users TO PUBLIC;"
        + " GRANT INSERT ON visits TO PUBLIC; ANALYZE users";
  }

  @CompilerControl(CompilerControl.Mode.DONT_INLINE)
  static User find(Connection connection, long key) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(FIND)) {
      statement.setLong(1, key);
      try (ResultSet row = statement.executeQuery()) {
        if (!row.next()) {
          throw new IllegalStateException("The benchmark's user " + key + " is missing");
        }
        return new User(row.getLong(1), row.getString(2));
      }
    }
  }

  @CompilerControl(CompilerControl.Mode.DONT_INLINE)
  static int rename(Connection connection, long key) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(RENAME)) {
      statement.setString(1, "user " + key);
      statement.setLong(2, key);
      return statement.executeUpdate();
    }
  }

  @CompilerControl(CompilerControl.Mode.DONT_INLINE)
  static int visit(Connection connection, long key) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(VISIT)) {
      statement.setLong(1, key);
      statement.setString(2, "seen");
      return statement.executeUpdate();
    }
  }

  /** Three statements that belong together: look, change, note. */
  @CompilerControl(CompilerControl.Mode.DONT_INLINE)
  static int checkIn(Connection connection, long key) throws SQLException {
    User found = find(connection, key);
    return rename(connection, found.id()) + visit(connection, found.id());
  }
}
