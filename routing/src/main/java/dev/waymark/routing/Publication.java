package dev.waymark.routing;

import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig.ChangedTables;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Which tables a shard's server publishes. A table without a replica identity is never put into a
 * publication: the server would refuse every UPDATE and DELETE of it from then on.
 */
final class Publication {
  private static final String OPTIONS =
      " WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)";

  private static final String LOOK =
      """
      SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot
      FROM pg_publication WHERE pubname = ?
      """;

  /** Whether every ordinary table among a table and its partitions has a replica identity. */
  private static final String HAS_IDENTITY =
      """
      NOT EXISTS (
          WITH RECURSIVE parts AS (
              SELECT c.oid AS part
            UNION ALL
              SELECT i.inhrelid FROM parts AS p JOIN pg_inherits AS i ON i.inhparent = p.part)
          SELECT FROM parts JOIN pg_class AS l ON l.oid = parts.part
          WHERE l.relkind = 'r' AND l.relreplident <> 'f' AND NOT EXISTS (
              SELECT FROM pg_index AS x
              WHERE x.indrelid = l.oid AND x.indisvalid AND x.indimmediate
                AND (x.indisreplident OR l.relreplident = 'd' AND x.indisprimary)))
      """;

  private static final String TABLE =
      """
      SELECT format('%%I.%%I', n.nspname, c.relname), c.relkind, c.relpersistence, %s,
             EXISTS (SELECT FROM pg_publication_tables AS p
                     WHERE p.pubname = ? AND p.schemaname = n.nspname AND p.tablename = c.relname)
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = to_regclass(?)
      """
          .formatted(HAS_IDENTITY);

  private static final String PARTITIONED =
      """
      SELECT format('%I.%I', schemaname, tablename)
      FROM pg_publication_tables AS p
      JOIN pg_class AS c ON c.oid = format('%I.%I', schemaname, tablename)::regclass
      WHERE p.pubname = ? AND c.relispartition LIMIT 1
      """;

  private final String name;
  private final ChangedTables tables;
  private final ShardMap map;

  Publication(String name, ChangedTables tables, ShardMap map) {
    this.name = name;
    this.tables = tables;
    this.map = map;
  }

  String name() {
    return name;
  }

  /** What an operator runs who makes the publication, once on the primary of each shard. */
  List<String> sql() {
    if (tables == ChangedTables.ALL) {
      return List.of("CREATE PUBLICATION " + quoted() + " FOR ALL TABLES" + OPTIONS);
    }
    List<String> names = map.tables().values().stream().map(table -> quoted(table.name())).toList();
    return List.of(
        "CREATE PUBLICATION "
            + quoted()
            + (names.isEmpty() ? "" : " FOR TABLE " + String.join(", ", names))
            + OPTIONS);
  }

  /**
   * Makes the publication what it shall be, as far as the settings allow.
   *
   * @return the tables that are not followed, each with the reason; empty if all are
   * @throws ChangesRefusedException if somebody has to do something first
   */
  List<String> bringAbout(Connection connection) throws SQLException, ChangesRefusedException {
    try {
      boolean exists = verify(connection);
      return switch (tables) {
        case MAP -> bringAboutMap(connection, exists);
        case ALL -> {
          if (!exists) {
            refuseTablesWithoutIdentity(connection);
            execute(connection, sql().get(0));
          }
          yield List.of();
        }
        case GIVEN -> {
          if (!exists) {
            throw new ChangesRefusedException(
                "publication "
                    + name
                    + " does not exist, and changes.tables is given; run on this server: "
                    + String.join("; ", sql()));
          }
          List<String> left = new ArrayList<>();
          survey(connection, left)
              .forEach(
                  table ->
                      left.add(
                          "table " + table + " is not followed: it is not in publication " + name));
          yield left;
        }
      };
    } catch (SQLException refused) {
      // 42501: no privilege. 42710: another process was a little faster, and the next look is fine.
      if ("42501".equals(refused.getSQLState())) {
        throw new ChangesRefusedException(
            "the user may not make the publication ("
                + refused.getMessage()
                + "); run on this server as the owner of the tables"
                + (tables == ChangedTables.ALL ? " and superuser" : "")
                + ": "
                + String.join("; ", sql()));
      }
      throw refused;
    }
  }

  private List<String> bringAboutMap(Connection connection, boolean exists) throws SQLException {
    List<String> left = new ArrayList<>();
    List<String> missing = survey(connection, left);
    if (!exists) {
      execute(
          connection,
          "CREATE PUBLICATION "
              + quoted()
              + (missing.isEmpty() ? "" : " FOR TABLE " + String.join(", ", missing))
              + OPTIONS);
    } else if (!missing.isEmpty()) {
      execute(
          connection, "ALTER PUBLICATION " + quoted() + " ADD TABLE " + String.join(", ", missing));
    }
    return left;
  }

  /**
   * The map's tables that could be followed and are not; adds to {@code left} those that cannot.
   */
  private List<String> survey(Connection connection, List<String> left) throws SQLException {
    List<String> missing = new ArrayList<>();
    for (Table table : map.tables().values()) {
      try (PreparedStatement statement = connection.prepareStatement(TABLE)) {
        statement.setString(1, name);
        statement.setString(2, quoted(table.name()));
        try (ResultSet answer = statement.executeQuery()) {
          if (!answer.next()) {
            left.add("table " + table.name() + " is not followed: it does not exist");
          } else if (!answer.getBoolean(5)) {
            String obstacle = obstacle(answer);
            if (obstacle == null) {
              missing.add(answer.getString(1));
            } else {
              left.add("table " + table.name() + " is not followed: " + obstacle);
            }
          }
        }
      }
    }
    return missing;
  }

  private static @Nullable String obstacle(ResultSet table) throws SQLException {
    if (!"p".equals(table.getString(3))) {
      return "it is not logged";
    }
    if (!"r".equals(table.getString(2)) && !"p".equals(table.getString(2))) {
      return "it is no ordinary table";
    }
    return table.getBoolean(4)
        ? null
        : "it, or a partition of it, has no replica identity; add a primary key, or ALTER TABLE …"
            + " REPLICA IDENTITY FULL";
  }

  /** Whether it exists. One that hides changes must not be taken for one that tells them. */
  private boolean verify(Connection connection) throws SQLException, ChangesRefusedException {
    boolean viaRoot;
    try (PreparedStatement statement = connection.prepareStatement(LOOK)) {
      statement.setString(1, name);
      try (ResultSet answer = statement.executeQuery()) {
        if (!answer.next()) {
          return false;
        }
        if (tables == ChangedTables.ALL && !answer.getBoolean(1)) {
          throw new ChangesRefusedException(
              "publication "
                  + name
                  + " is not FOR ALL TABLES, and changes.tables is all; drop it, or write given");
        }
        if (!answer.getBoolean(2)) {
          throw new ChangesRefusedException(
              "publication "
                  + name
                  + " does not publish everything; run on this server: ALTER PUBLICATION "
                  + quoted()
                  + " SET (publish = 'insert, update, delete, truncate')");
        }
        viaRoot = answer.getBoolean(3);
      }
    }
    if (!viaRoot) {
      try (PreparedStatement statement = connection.prepareStatement(PARTITIONED)) {
        statement.setString(1, name);
        try (ResultSet answer = statement.executeQuery()) {
          if (answer.next()) {
            throw new ChangesRefusedException(
                "publication "
                    + name
                    + " tells changes of partition "
                    + answer.getString(1)
                    + " under its own name; run on this server: ALTER PUBLICATION "
                    + quoted()
                    + " SET (publish_via_partition_root = true)");
          }
        }
      }
    }
    return true;
  }

  private static void refuseTablesWithoutIdentity(Connection connection)
      throws SQLException, ChangesRefusedException {
    String sql =
        """
        SELECT string_agg(found.name, ', ')
        FROM (SELECT format('%%I.%%I', n.nspname, c.relname) AS name
              FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
              WHERE c.relkind = 'r' AND c.relpersistence = 'p'
                AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT (%s)
              ORDER BY 1 LIMIT 10) AS found
        """
            .formatted(HAS_IDENTITY);
    try (PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      String found = answer.getString(1);
      if (found != null) {
        throw new ChangesRefusedException(
            "with a publication FOR ALL TABLES the server would refuse every UPDATE and DELETE of "
                + found
                + ": they have no replica identity; give them a primary key or REPLICA IDENTITY"
                + " FULL, or set changes.tables to map");
      }
    }
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  /** The name as pgoutput's options want it, too. */
  String quoted() {
    return '"' + name + '"';
  }

  /** Each part of a name as SQL without quotes would read it. */
  private static String quoted(String name) {
    List<String> parts = new ArrayList<>();
    for (String part : name.toLowerCase(Locale.ROOT).split("\\.")) {
      parts.add('"' + part.replace("\"", "\"\"") + '"');
    }
    return String.join(".", parts);
  }
}
