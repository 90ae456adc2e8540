package dev.waymark.routing;

import dev.waymark.KeyRange;
import dev.waymark.Table;
import dev.waymark.Transaction;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What each shard's own schema must hold so that the database itself refuses a misplaced row, even
 * from a client with an outdated map: a CHECK on the key of every sharded table, and for each range
 * the sequence that new keys come from. And the table in which a shard keeps the decisions of
 * transactions over several shards.
 *
 * <p>{@link #install} brings it about; {@link #sql} gives the statements to those who migrate by
 * other means; {@link #verify} tells what is missing. Safe to share.
 */
public final class ShardSchema {
  /** How the names of the sequences begin that keys come from. */
  static final String SEQUENCES = "waymark_keys_from_";

  private static final String DEFINITION =
      """
      SELECT pg_get_constraintdef(oid), convalidated
      FROM pg_constraint
      WHERE conrelid = to_regclass(?) AND conname = ? AND contype = 'c'
      """;

  /** An arbitrary number that nobody else's advisory lock is likely to have: "waymark" in ASCII. */
  private static final long INSTALLING = 0x7761796D61726BL;

  private final ShardedDatabase database;

  ShardSchema(ShardedDatabase database) {
    this.database = database;
  }

  /**
   * The statements for one shard whose tables are empty. They replace the constraints of an earlier
   * map and leave sequences that are there as they are; {@link #install} looks at both, and at the
   * rows.
   */
  public List<String> sql(String shard) {
    List<String> statements = new ArrayList<>();
    for (Table.Sharded table : shardedTables()) {
      statements.addAll(constraintSql(shard, table));
    }
    for (KeyRange range : database.map().rangesOf(shard)) {
      statements.add(sequenceSql(range, range.from()));
    }
    statements.addAll(DecisionLog.sql());
    return statements;
  }

  /**
   * Installs what is missing or differs on every shard, one transaction for each. A sequence that
   * is new starts after the greatest key that the sharded tables already hold in its range. While a
   * constraint is added to a large table, that is locked and looked through, however long it takes.
   *
   * @throws SQLException if a shard refuses, because a table is missing or holds a misplaced row
   *     for instance; that shard is then as it was, the shards before it are done
   */
  public void install() throws SQLException {
    for (LiveShard shard : database.shards()) {
      database.writeWithoutDeadlineOn(shard, transaction -> install(shard.name(), transaction));
    }
  }

  private boolean install(String shard, Transaction transaction) throws SQLException {
    Connection connection = transaction.connection();
    // Two processes that start together: the second finds the work done.
    execute(connection, List.of("SELECT pg_advisory_xact_lock(" + INSTALLING + ")"));
    for (Table.Sharded table : shardedTables()) {
      if (constraintProblem(connection, shard, table) != null) {
        execute(connection, constraintSql(shard, table));
      }
    }
    for (KeyRange range : database.map().rangesOf(shard)) {
      if (!exists(connection, sequence(range))) {
        installSequence(connection, range);
      } else if (sequenceProblem(connection, range) != null) {
        // The last key it dealt may lie beyond the range that is left to it.
        execute(
            connection,
            List.of(
                "SELECT setval('%1$s', least(last_value, %2$d), is_called OR last_value > %2$d) FROM %1$s"
                    .formatted(sequence(range), range.to() - 1),
                "ALTER SEQUENCE "
                    + sequence(range)
                    + bounds(range)
                    + " START WITH "
                    + range.from()));
      }
    }
    execute(connection, DecisionLog.sql());
    return true;
  }

  private void installSequence(Connection connection, KeyRange range) throws SQLException {
    long first = firstFreeKey(connection, range);
    boolean isFull = first >= range.to();
    List<String> statements = new ArrayList<>();
    statements.add(sequenceSql(range, isFull ? range.to() - 1 : first));
    if (isFull) {
      // There all the same, used up: whoever asks it is told so.
      statements.add("SELECT setval('" + sequence(range) + "', " + (range.to() - 1) + ", true)");
    }
    execute(connection, statements);
  }

  private @Nullable String sequenceProblem(Connection connection, KeyRange range)
      throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "SELECT seqmin, seqmax, seqincrement FROM pg_sequence WHERE seqrelid = to_regclass(?)")) {
      statement.setString(1, sequence(range));
      try (ResultSet answer = statement.executeQuery()) {
        if (!answer.next()) {
          return "sequence " + sequence(range) + " is missing";
        }
        return answer.getLong(1) == range.from()
                && answer.getLong(2) == range.to() - 1
                && answer.getLong(3) == KeyAllocator.BLOCK
            ? null
            : "sequence " + sequence(range) + " does not deal the keys " + range;
      }
    }
  }

  /** What is missing or differs, in words; empty if every shard refuses misplaced rows. */
  public List<String> verify() throws SQLException {
    List<String> problems = new ArrayList<>();
    for (LiveShard shard : database.shards()) {
      problems.addAll(
          database.writeOn(
              shard,
              transaction -> {
                List<String> found = new ArrayList<>();
                for (Table.Sharded table : shardedTables()) {
                  String problem = constraintProblem(transaction.connection(), shard.name(), table);
                  if (problem != null) {
                    found.add(shard.name() + ": " + problem);
                  }
                }
                for (KeyRange range : database.map().rangesOf(shard.name())) {
                  String problem = sequenceProblem(transaction.connection(), range);
                  if (problem != null) {
                    found.add(shard.name() + ": " + problem);
                  }
                }
                if (!exists(transaction.connection(), DecisionLog.TABLE)) {
                  found.add(shard.name() + ": table " + DecisionLog.TABLE + " is missing");
                }
                return found;
              }));
    }
    return problems;
  }

  private @Nullable String constraintProblem(
      Connection connection, String shard, Table.Sharded table) throws SQLException {
    if (!exists(connection, quoted(table.name()))) {
      return "table " + table.name() + " is missing";
    }
    try (PreparedStatement statement = connection.prepareStatement(DEFINITION)) {
      statement.setString(1, quoted(table.name()));
      statement.setString(2, constraint(table));
      try (ResultSet answer = statement.executeQuery()) {
        if (!answer.next()) {
          return "table " + table.name() + " has no constraint " + constraint(table);
        }
        if (!answer.getBoolean(2)) {
          return "constraint " + constraint(table) + " is not validated";
        }
        String expected = "CHECK " + condition(shard, table);
        // PostgreSQL prints an expression with brackets of its own.
        return bare(answer.getString(1)).equals(bare(expected))
            ? null
            : "constraint "
                + constraint(table)
                + " is "
                + answer.getString(1)
                + " and should be "
                + expected;
      }
    }
  }

  private List<String> constraintSql(String shard, Table.Sharded table) {
    String alter = "ALTER TABLE " + quoted(table.name()) + " ";
    return List.of(
        alter + "DROP CONSTRAINT IF EXISTS " + constraint(table),
        alter + "ADD CONSTRAINT " + constraint(table) + " CHECK " + condition(shard, table));
  }

  /** Written the way PostgreSQL prints it, so that the two can be compared. */
  private String condition(String shard, Table.Sharded table) {
    String key = quoted(table.keyColumn());
    List<KeyRange> ranges = database.map().rangesOf(shard);
    if (ranges.isEmpty()) {
      return "(false)";
    }
    // A row without a key would pass a comparison.
    return ranges.stream()
        .map(
            range ->
                "(("
                    + key
                    + " >= '"
                    + range.from()
                    + "'::bigint) AND ("
                    + key
                    + " < '"
                    + range.to()
                    + "'::bigint))")
        .collect(Collectors.joining(" OR ", "((" + key + " IS NOT NULL) AND (", "))"));
  }

  private static String sequenceSql(KeyRange range, long first) {
    return "CREATE SEQUENCE IF NOT EXISTS "
        + sequence(range)
        + " AS bigint"
        + bounds(range)
        + " START WITH "
        + first
        + " NO CYCLE";
  }

  private static String bounds(KeyRange range) {
    return " INCREMENT BY "
        + KeyAllocator.BLOCK
        + " MINVALUE "
        + range.from()
        + " MAXVALUE "
        + (range.to() - 1);
  }

  /** Beyond the range if that is full to its end. */
  private long firstFreeKey(Connection connection, KeyRange range) throws SQLException {
    long first = range.from();
    for (Table.Sharded table : shardedTables()) {
      String key = quoted(table.keyColumn());
      String sql =
          "SELECT max("
              + key
              + ") FROM "
              + quoted(table.name())
              + " WHERE "
              + key
              + " >= ? AND "
              + key
              + " < ?";
      try (PreparedStatement statement = connection.prepareStatement(sql)) {
        statement.setLong(1, range.from());
        statement.setLong(2, range.to());
        try (ResultSet answer = statement.executeQuery()) {
          answer.next();
          long greatest = answer.getLong(1);
          if (!answer.wasNull()) {
            first = Math.max(first, greatest + 1);
          }
        }
      }
    }
    return first;
  }

  private List<Table.Sharded> shardedTables() {
    return database.map().tables().values().stream()
        .filter(Table.Sharded.class::isInstance)
        .map(Table.Sharded.class::cast)
        .toList();
  }

  private static boolean exists(Connection connection, String name) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT to_regclass(?) IS NOT NULL")) {
      statement.setString(1, name);
      try (ResultSet answer = statement.executeQuery()) {
        answer.next();
        return answer.getBoolean(1);
      }
    }
  }

  private static void execute(Connection connection, List<String> statements) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  static String sequence(KeyRange range) {
    return SEQUENCES
        + (range.from() < 0 ? "minus_" : "")
        + Long.toUnsignedString(Math.abs(range.from()));
  }

  private static String constraint(Table.Sharded table) {
    return "waymark_" + table.name().toLowerCase(Locale.ROOT).replace('.', '_') + "_key_range";
  }

  /**
   * Each part of the name in quotes, folded to lower case as SQL does with names without quotes.
   */
  private static String quoted(String name) {
    return Arrays.stream(name.toLowerCase(Locale.ROOT).split("\\."))
        .map(part -> '"' + part.replace("\"", "\"\"") + '"')
        .collect(Collectors.joining("."));
  }

  private static String bare(String expression) {
    return expression.replaceAll("[()\\s\"]", "");
  }
}
