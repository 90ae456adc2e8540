package dev.waymark.routing;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The table in which a shard keeps the decisions of the cross-shard transactions that it
 * coordinates, and the names of the parts that other shards have prepared. Stateless.
 *
 * <p>A transaction is committed exactly if its row is there and committed. The row is inserted by
 * the coordinating shard's own part <em>before</em> any other part is prepared, and becomes visible
 * by that part's COMMIT, which is the decision. So whoever finds a prepared part and tries to
 * insert the same row learns what became of it, and cannot be wrong:
 *
 * <ul>
 *   <li>while the coordinating part is open, the try waits for it, as for any unique key;
 *   <li>if it has committed, the row is there;
 *   <li>if the try succeeds, the coordinating part is over and has not committed, nor ever will:
 *       ids are used once, and a row that was committed is deleted only when no prepared part is
 *       left. Nothing need be left behind, so the try is rolled back.
 * </ul>
 */
final class DecisionLog {
  static final String TABLE = "waymark_decision";

  /** So that it survives whatever the server's {@code synchronous_commit} lets go. */
  private static final String DURABLE =
      "SELECT set_config('synchronous_commit', 'on', true) WHERE"
          + " current_setting('synchronous_commit') = 'off'";

  private static final String PREFIX = "waymark:";

  private DecisionLog() {}

  /** What the schema must hold. */
  static List<String> sql() {
    return List.of(
        "CREATE TABLE IF NOT EXISTS "
            + TABLE
            + " (id uuid PRIMARY KEY, participants bigint[] NOT NULL, decided_at timestamptz NOT"
            + " NULL DEFAULT now())");
  }

  /** A part that is prepared, by what its name tells. */
  record Part(String name, long coordinator, UUID id) {}

  /** A decision that is not forgotten yet. */
  record Decision(UUID id, List<Long> participants) {}

  /** What became of a transaction. */
  enum Fate {
    COMMITTED,
    ABORTED,
    /** Its coordinating part is still open. */
    OPEN
  }

  /** The name of a part: the coordinator's system identifier and the transaction's id. */
  static String name(long coordinator, UUID id) {
    return PREFIX + Long.toHexString(coordinator) + ":" + id;
  }

  private static @Nullable Part part(String name) {
    String[] parts = name.split(":", -1);
    try {
      return parts.length == 3
          ? new Part(name, Long.parseUnsignedLong(parts[1], 16), UUID.fromString(parts[2]))
          : null;
    } catch (IllegalArgumentException notOurs) {
      return null;
    }
  }

  /** Writes the decision into an open transaction, whose COMMIT makes it. */
  static void decide(Connection connection, UUID id, List<Long> participants) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(DURABLE);
    }
    try (PreparedStatement statement =
        connection.prepareStatement("INSERT INTO " + TABLE + " (id, participants) VALUES (?, ?)")) {
      statement.setObject(1, id);
      statement.setArray(2, connection.createArrayOf("bigint", participants.toArray()));
      statement.executeUpdate();
    }
  }

  static void prepare(Connection connection, String name) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("PREPARE TRANSACTION '" + name + "'");
    }
  }

  /**
   * Ends a prepared part.
   *
   * @param connection in auto-commit
   * @param ending {@code COMMIT} or {@code ROLLBACK}
   * @return whether it was there; if not, somebody has ended it already
   */
  static boolean end(Connection connection, String ending, String name) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(ending + " PREPARED '" + name + "'");
      return true;
    } catch (SQLException failure) {
      if ("42704".equals(failure.getSQLState())) {
        return false;
      }
      throw failure;
    }
  }

  /**
   * What became of a transaction, asked of its coordinating shard's primary.
   *
   * @param connection with auto-commit off and no transaction open
   * @param patienceMillis how long a coordinating part that is open is waited for
   */
  static Fate fate(Connection connection, UUID id, long patienceMillis) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      // A stricter level would answer a decision made meanwhile by an error.
      statement.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
      statement.execute("SET LOCAL lock_timeout = " + Math.max(1, patienceMillis));
      int inserted =
          statement.executeUpdate(
              "INSERT INTO "
                  + TABLE
                  + " (id, participants) VALUES ('"
                  + id
                  + "', '{}') ON CONFLICT (id) DO NOTHING");
      return inserted == 0 ? Fate.COMMITTED : Fate.ABORTED;
    } catch (SQLException failure) {
      if ("55P03".equals(failure.getSQLState())) {
        return Fate.OPEN;
      }
      throw failure;
    } finally {
      if (!connection.isClosed()) {
        connection.rollback();
      }
    }
  }

  /** Whether the server knows that a transaction was rolled back. */
  static boolean isAborted(Connection connection, String transactionId) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT coalesce(pg_xact_status(?::text::xid8) = 'aborted', false)")) {
      select.setString(1, transactionId);
      try (ResultSet answer = select.executeQuery()) {
        answer.next();
        return answer.getBoolean(1);
      }
    }
  }

  /** What is prepared in a shard's database. */
  static List<Part> prepared(Connection connection) throws SQLException {
    List<Part> parts = new ArrayList<>();
    try (Statement statement = connection.createStatement();
        ResultSet answer =
            statement.executeQuery(
                "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND gid"
                    + " LIKE '"
                    + PREFIX
                    + "%' ORDER BY prepared")) {
      while (answer.next()) {
        Part part = part(answer.getString(1));
        if (part != null) {
          parts.add(part);
        }
      }
    }
    return parts;
  }

  /** The decisions that a shard keeps; none if it has no table for them. */
  static List<Decision> decisions(Connection connection) throws SQLException {
    List<Decision> decisions = new ArrayList<>();
    if (!isInstalled(connection)) {
      return decisions;
    }
    try (Statement statement = connection.createStatement();
        ResultSet answer = statement.executeQuery("SELECT id, participants FROM " + TABLE)) {
      while (answer.next()) {
        decisions.add(
            new Decision(
                answer.getObject(1, UUID.class), List.of((Long[]) answer.getArray(2).getArray())));
      }
    }
    return decisions;
  }

  static boolean isInstalled(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet answer =
            statement.executeQuery("SELECT to_regclass('" + TABLE + "') IS NOT NULL")) {
      answer.next();
      return answer.getBoolean(1);
    }
  }

  /** How many parts a server can have prepared at a time. */
  static int mostPrepared(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet answer = statement.executeQuery("SHOW max_prepared_transactions")) {
      answer.next();
      return answer.getInt(1);
    }
  }

  /** Every part has been committed: nobody will ask again. */
  static void forget(Connection connection, UUID id) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("DELETE FROM " + TABLE + " WHERE id = ?")) {
      statement.setObject(1, id);
      statement.executeUpdate();
    }
  }
}
