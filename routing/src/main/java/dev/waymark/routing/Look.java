package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.function.LongSupplier;

/**
 * What one node said of itself. Asked by the monitor, by each new connection, and by a read that
 * wants to know whether a replica has caught up: what any of them learns serves all.
 *
 * @param role whether it takes writes or replays
 * @param position a lower bound of what the node shows from now on: replay and insertion only move
 *     forward while a server runs; and an upper bound of what it showed before {@code askedAtNanos}
 * @param server since when the server runs, in microseconds; tells servers and their starts apart
 * @param askedAtNanos when the question was sent, by the monotonic clock
 * @param answeredAtNanos when the answer had come
 */
record Look(Role role, LogPosition position, long server, long askedAtNanos, long answeredAtNanos) {
  /**
   * The timeline of a primary is the first part of its current log file's name. A replica's is that
   * of the stream it receives (null without the pg_monitor role, or while there is none), of its
   * last checkpoint, or of what it has written of the log's changes, whichever is latest: it
   * streams only from a timeline that contains all it has replayed.
   */
  private static final String QUESTION =
      """
      SELECT recovering,
             CASE WHEN recovering THEN pg_last_wal_replay_lsn()
                  ELSE (SELECT lsn FROM (%1$s) AS log) END,
             CASE WHEN recovering
                  THEN greatest(checkpoint.timeline_id,
                                recovery.min_recovery_end_timeline,
                                (SELECT received_tli FROM pg_stat_wal_receiver))
                  ELSE ('x' || (SELECT timeline FROM (%1$s) AS log))::bit(32)::int END,
             system.system_identifier,
             (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint
      FROM pg_is_in_recovery() AS recovering,
           pg_control_checkpoint() AS checkpoint,
           pg_control_recovery() AS recovery,
           pg_control_system() AS system
      """
          .formatted(EndOfLog.SELECT);

  static Look at(Connection connection, LongSupplier nanoClock) throws SQLException {
    long askedAt = nanoClock.getAsLong();
    try (PreparedStatement statement = connection.prepareStatement(QUESTION);
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      String lsn = answer.getString(2);
      // A standby that has not replayed anything since its start has no position yet.
      LogPosition position =
          new LogPosition(
              answer.getLong(4), answer.getInt(3), lsn == null ? 0 : LogPosition.parseLsn(lsn));
      Role role = answer.getBoolean(1) ? Role.REPLICA : Role.PRIMARY;
      return new Look(role, position, answer.getLong(5), askedAt, nanoClock.getAsLong());
    }
  }
}
