package dev.waymark.routing;

import dev.waymark.LogPosition;
import java.sql.ResultSet;
import java.sql.SQLException;

/**
 * How a primary is asked where its log ends.
 *
 * <p>The insert position, and not the flushed one, because with {@code synchronous_commit = off} a
 * commit is acknowledged before it is written out. But the insert position is where the next record
 * will <em>begin</em>: right after a page is full it lies behind the next page's header (24 bytes,
 * or 40 at the head of a file; {@code XLogBytePosToRecPtr} in PostgreSQL's sources), while a
 * replica that has replayed everything stands before it. On an idle primary, after a log switch
 * above all, that would look like lag until the next record comes. So a header without a record is
 * taken off again; no record can end there.
 */
final class EndOfLog {
  /** A row of the position and the timeline, the first part of the log file's name. */
  static final String SELECT =
      """
      SELECT at - CASE
               WHEN (at - '0/0'::pg_lsn) % pg_size_bytes(current_setting('wal_segment_size')) = 40
               THEN 40
               WHEN (at - '0/0'::pg_lsn) % current_setting('wal_block_size')::bigint = 24
               THEN 24
               ELSE 0
             END AS lsn,
             left(pg_walfile_name(at), 8) AS timeline
      FROM pg_current_wal_insert_lsn() AS at
      """;

  private EndOfLog() {}

  /** The position in the current row of an answer to {@link #SELECT}. */
  static LogPosition read(ResultSet answer, long systemId) throws SQLException {
    return new LogPosition(
        systemId,
        Integer.parseUnsignedInt(answer.getString("timeline"), 16),
        LogPosition.parseLsn(answer.getString("lsn")));
  }
}
