package dev.waymark.routing;

import dev.waymark.LogPosition;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.jspecify.annotations.Nullable;

/** The replication slot of one shard: the server's memory of how far its changes were told. */
final class Slot {
  private static final String LOOK =
      """
      SELECT slot_type, plugin, database = current_database(), active_pid, wal_status,
             confirmed_flush_lsn, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint,
             pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint,
             coalesce((to_jsonb(s) ->> 'synced')::boolean, false),
             (to_jsonb(s) ->> 'failover')::boolean IS FALSE
      FROM pg_replication_slots AS s WHERE slot_name = ?
      """;

  private final String name;

  Slot(String name) {
    this.name = name;
  }

  String name() {
    return name;
  }

  /**
   * What the server says of a slot.
   *
   * @param activePid the process that serves it; 0 if nobody uses it
   * @param isLost whether the server has removed log that it needs
   * @param confirmedLsn everything before it was told and taken over
   * @param waitingBytes how much log there is after that
   * @param heldBytes how much log the server keeps for it
   * @param isSynced whether it came from another server, which was the primary then
   * @param isBound whether it could be made to survive a promotion, and was not yet
   */
  record Seen(
      int activePid,
      boolean isLost,
      long confirmedLsn,
      long waitingBytes,
      long heldBytes,
      boolean isSynced,
      boolean isBound) {}

  /**
   * Looks the slot up.
   *
   * @return null if there is none
   * @throws ChangesRefusedException if the name is taken by something else
   */
  @Nullable Seen look(Connection connection) throws SQLException, ChangesRefusedException {
    try (PreparedStatement statement = connection.prepareStatement(LOOK)) {
      statement.setString(1, name);
      try (ResultSet answer = statement.executeQuery()) {
        if (!answer.next()) {
          return null;
        }
        if (!"logical".equals(answer.getString(1))
            || !"pgoutput".equals(answer.getString(2))
            || !answer.getBoolean(3)) {
          throw new ChangesRefusedException(
              "replication slot "
                  + name
                  + " is of another kind or another database; write another name as changes.slot");
        }
        String confirmed = answer.getString(6);
        return new Seen(
            answer.getInt(4),
            "lost".equals(answer.getString(5)) || confirmed == null,
            confirmed == null ? 0 : LogPosition.parseLsn(confirmed),
            answer.getLong(7),
            answer.getLong(8),
            answer.getBoolean(9),
            answer.getBoolean(10));
      }
    }
  }

  /**
   * Makes a slot that ends with this connection and keeps all that is committed from its place on.
   * Waits for the transactions that are running.
   *
   * <p>The lasting slot is a {@linkplain #keep copy} of it, made once the consumer knows that the
   * stream starts anew: whoever finds a lasting slot can rely on it. Had it come first, a crash
   * between the two would leave a slot that looks as if nothing had been missed before it.
   */
  long makePassing(Connection connection) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "SELECT lsn FROM pg_create_logical_replication_slot(?, 'pgoutput', true)")) {
      statement.setString(1, passing(connection));
      try (ResultSet answer = statement.executeQuery()) {
        answer.next();
        return LogPosition.parseLsn(answer.getString(1));
      }
    }
  }

  /** Makes the lasting slot, at the place of the passing one, which goes. */
  void keep(Connection connection) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT pg_copy_logical_replication_slot(?, ?, false)")) {
      statement.setString(1, passing(connection));
      statement.setString(2, name);
      statement.execute();
    }
    drop(connection, passing(connection));
  }

  void drop(Connection connection) throws SQLException {
    drop(connection, name);
  }

  private static void drop(Connection connection, String slot) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT pg_drop_replication_slot(?)")) {
      statement.setString(1, slot);
      statement.execute();
    }
  }

  /**
   * Lets standbys that synchronise slots keep a copy, so that a promoted one has it.
   *
   * @param replication a walsender's connection; only those know the command
   */
  void survivePromotion(Connection replication) throws SQLException {
    try (Statement statement = replication.createStatement()) {
      statement.execute("ALTER_REPLICATION_SLOT " + name + " (FAILOVER true)");
    }
  }

  /** A name of its own for each connection: one that is about to end may still hold its slot. */
  private String passing(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement("SELECT pg_backend_pid()");
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      return name + "_new_" + answer.getInt(1);
    }
  }
}
