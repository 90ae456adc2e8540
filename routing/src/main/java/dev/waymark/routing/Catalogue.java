package dev.waymark.routing;

import dev.waymark.TableName;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;

/**
 * Finds what the log does not tell in rows: that a followed table was rewritten, got other columns,
 * had a partition truncated, attached or detached. It compares what the catalogue says with what it
 * said last. One thread looks at a time; another may tell what was told.
 */
final class Catalogue {
  /**
   * For each published table a digest over it and its partitions: storage, columns, place among the
   * partitions (a row of {@code pg_inherits} is a new one after detach and attach, which its xmin
   * tells), and its membership in the publication. And whether any of that was written at or after
   * the slot's {@code catalog_xmin}: everything older was finished before the confirmed place.
   */
  private static final String LOOK =
      """
      WITH RECURSIVE followed AS (
          SELECT c.oid AS id, c.oid AS part
          FROM pg_publication_tables AS p
          JOIN pg_namespace AS n ON n.nspname = p.schemaname
          JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
          WHERE p.pubname = ?
        UNION
          SELECT f.id, i.inhrelid FROM followed AS f JOIN pg_inherits AS i ON i.inhparent = f.part),
      member AS (
          SELECT r.prrelid AS id, r.xmin AS written
          FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid
          WHERE p.pubname = ?),
      slot AS (SELECT catalog_xmin FROM pg_replication_slots WHERE slot_name = ?)
      SELECT n.nspname, t.relname,
             md5(string_agg(concat_ws('/', part.oid, part.relfilenode, columns.digest,
                                      place.digest, member.written),
                            ';' ORDER BY part.oid)) AS digest,
             t.relkind = 'p' OR t.relhassubclass AS has_parts,
             coalesce(bool_or(least(age(part.xmin), columns.age)
                              <= age((SELECT catalog_xmin FROM slot))), true) AS is_recent,
             coalesce(bool_or(age(member.written)
                              <= age((SELECT catalog_xmin FROM slot))), false) AS has_joined
      FROM followed AS f
      JOIN pg_class AS t ON t.oid = f.id
      JOIN pg_namespace AS n ON n.oid = t.relnamespace
      JOIN pg_class AS part ON part.oid = f.part
      LEFT JOIN member ON member.id = f.id
      CROSS JOIN LATERAL (
          SELECT string_agg(concat_ws(' ', attnum, attname, atttypid, atttypmod, attisdropped,
                                      attgenerated), ',' ORDER BY attnum) AS digest,
                 min(age(xmin)) AS age
          FROM pg_attribute WHERE attrelid = part.oid AND attnum > 0) AS columns
      CROSS JOIN LATERAL (
          SELECT string_agg(concat_ws(' ', inhparent, xmin), ',' ORDER BY inhparent) AS digest
          FROM pg_inherits WHERE inhrelid = part.oid) AS place
      GROUP BY t.oid, n.nspname, t.relname, t.relkind, t.relhassubclass
      """;

  private final String publication;
  private final String slot;

  /** What was seen last, null before the first look of this process. */
  private @Nullable Map<TableName, String> known;

  /**
   * What has been found and not been taken over yet, each with the look that found it last: a
   * session that ends takes its marks with it, and the next one must tell.
   */
  private final ConcurrentMap<TableName, Long> untold = new ConcurrentHashMap<>();

  private long looks;
  private long firstOfSession;

  /** The keys of what was seen last, the same object for as long as they are the same. */
  private Set<TableName> followed = Set.of();

  /**
   * Tables that became part of the publication lately, and an id that was given out after that.
   * PostgreSQL may decode transactions that were running then as if they had not, until it has read
   * their ends: so such a table is told as altered again and again until they have all ended.
   */
  private final Map<TableName, Long> settling = new HashMap<>();

  /**
   * What a look found.
   *
   * @param number counts the looks
   * @param altered the tables that may have changed unseen
   * @param followed the tables that are published
   */
  record Seen(long number, List<TableName> altered, Set<TableName> followed) {}

  Catalogue(String publication, String slot) {
    this.publication = publication;
    this.slot = slot;
  }

  /**
   * Looks as of a snapshot taken now, and compares with the last look.
   *
   * @param oldestRunning every transaction with a lower id has ended, as of before this call
   */
  Seen look(Connection connection, long oldestRunning) throws SQLException {
    Map<TableName, String> before = known;
    Map<TableName, String> now = new HashMap<>();
    List<TableName> altered = new ArrayList<>();
    List<TableName> joined = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(LOOK)) {
      statement.setString(1, publication);
      statement.setString(2, publication);
      statement.setString(3, slot);
      try (ResultSet answer = statement.executeQuery()) {
        while (answer.next()) {
          TableName table = new TableName(answer.getString(1), answer.getString(2));
          String digest = answer.getString(3);
          now.put(table, digest);
          if (before == null) {
            // What another process knew is gone with it. A partition that was dropped leaves no
            // trace in the catalogue.
            if (answer.getBoolean("has_joined")) {
              joined.add(table);
            } else if (answer.getBoolean("has_parts") || answer.getBoolean("is_recent")) {
              altered.add(table);
            }
          } else if (!before.containsKey(table)) {
            joined.add(table);
          } else if (!digest.equals(before.get(table))) {
            altered.add(table);
          }
        }
      }
    }
    if (before != null) {
      // Dropped, renamed, or taken out of the publication.
      before.keySet().stream().filter(table -> !now.containsKey(table)).forEach(altered::add);
    }
    altered.addAll(settling.keySet());
    // Told once more after the last of them has ended.
    settling.values().removeIf(horizon -> Long.compareUnsigned(horizon, oldestRunning) < 0);
    if (!joined.isEmpty()) {
      long horizon = assignedId(connection);
      joined.forEach(table -> settling.put(table, horizon));
      altered.addAll(joined);
    }
    known = now;
    if (before == null || !before.keySet().equals(now.keySet())) {
      followed = Set.copyOf(now.keySet());
    }
    long number = looks++;
    altered.forEach(table -> untold.put(table, number));
    List<TableName> news = new ArrayList<>();
    untold.forEach(
        (table, look) -> {
          // What an earlier look of this session found is on its way.
          if (look == number || look < firstOfSession) {
            news.add(table);
          }
        });
    return new Seen(number, news, followed);
  }

  /** A session begins; the marks of the one before are gone. */
  void begin() {
    firstOfSession = looks;
  }

  /** What a look found has been taken over. */
  void told(long number) {
    untold.values().removeIf(look -> look <= number);
  }

  /** Not the snapshot's upper end: ids beyond that may be running. */
  private static long assignedId(Connection connection) throws SQLException {
    try (PreparedStatement statement =
            connection.prepareStatement("SELECT pg_current_xact_id()::text");
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      return Long.parseUnsignedLong(answer.getString(1));
    }
  }
}
