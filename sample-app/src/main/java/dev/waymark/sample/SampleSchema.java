package dev.waymark.sample;

import dev.waymark.ConfigurationException;
import dev.waymark.ConfigurationException.Problem;
import dev.waymark.LogPosition;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.NodeStatus;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/** Brings the tables, and what keeps misplaced rows out of them, to every shard. */
final class SampleSchema {
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(20);
  private static final Duration PAUSE = Duration.ofMillis(10);

  private SampleSchema() {}

  /** The tables as the shard map must have them. */
  static List<Table.Sharded> tables() {
    return List.of(
        new Table.Sharded("users", "id"),
        new Table.Sharded("orders", "user_id"),
        new Table.Sharded("user_emails", "slot"),
        new Table.Sharded("email_uses", "user_id"),
        new Table.Sharded("idempotency_keys", "owner"),
        new Table.Sharded("checkouts", "user_id"),
        new Table.Sharded("accounts", "slot"),
        new Table.Sharded("payments", "slot"),
        new Table.Sharded("outbox", "user_id"),
        new Table.Sharded("activity", "user_id"),
        new Table.Sharded("activity_totals", "user_id"));
  }

  /**
   * Checks that a shard map knows the tables.
   *
   * @throws ConfigurationException if it does not: without their key columns the database could not
   *     refuse misplaced rows
   */
  static void check(ShardMap map) {
    List<Problem> problems = new ArrayList<>();
    for (Table.Sharded table : tables()) {
      if (!table.equals(map.tables().get(table.name()))) {
        problems.add(
            new Problem(
                "tables",
                0,
                0,
                "the sample service needs '%s: {key: %s}'"
                    .formatted(table.name(), table.keyColumn())));
      }
    }
    if (!problems.isEmpty()) {
      throw new ConfigurationException(problems);
    }
  }

  /**
   * Creates what is missing on the primary of every shard that owns keys.
   *
   * @throws IllegalStateException if a shard does not hold afterwards what it must
   */
  static void install(ShardedDatabase database) throws SQLException {
    String sql = sql();
    List<Shard> owners =
        database.map().shards().stream()
            .filter(shard -> !database.map().rangesOf(shard.name()).isEmpty())
            .toList();
    // All are looked at before any is given one: a shard that is new must not bring a ring of its
    // own.
    HashRing ring = null;
    for (Shard shard : owners) {
      Optional<HashRing> found =
          database.write(
              anyKey(database, shard),
              connection -> {
                try (Statement statement = connection.createStatement()) {
                  statement.execute(sql);
                }
                return HashRing.in(connection);
              });
      if (ring != null && found.isPresent() && !ring.equals(found.get())) {
        throw new IllegalStateException(
            "Shard %s has another hash ring than a shard before it: %s and not %s"
                .formatted(shard.name(), found.get(), ring));
      }
      ring = ring == null ? found.orElse(null) : ring;
    }
    HashRing everywhere = ring == null ? HashRing.of(database.map()) : ring;
    for (Shard shard : owners) {
      HashRing kept = database.write(anyKey(database, shard), everywhere::keepIn);
      if (!kept.equals(everywhere)) {
        // Two processes that made one at the same time, by different maps.
        throw new IllegalStateException(
            "Shard %s has been given another hash ring meanwhile: %s and not %s"
                .formatted(shard.name(), kept, everywhere));
      }
    }
    database.schema().install();
    List<String> problems = database.schema().verify();
    if (!problems.isEmpty()) {
      throw new IllegalStateException("The schema is not complete: " + problems);
    }
    awaitReplicas(database, owners);
  }

  /**
   * The same over a database of its own, which is closed again. What follows the tables' changes is
   * to begin when they are there: until it looks again it takes none of them for followed, and
   * warns.
   */
  static void install(WaymarkConfig config) throws SQLException {
    check(config.map());
    try (ShardedDatabase database = ShardedDatabase.open(config)) {
      install(database);
    }
  }

  /**
   * Waits until each replica that is up shows it, or too long: the first requests would otherwise
   * meet servers that know no tables.
   */
  private static void awaitReplicas(ShardedDatabase database, List<Shard> owners)
      throws SQLException {
    Session session = database.newSession();
    try (Session.Binding bound = session.bind()) {
      for (Shard shard : owners) {
        // Its place in the log is behind all that was made.
        database.write(anyKey(database, shard), connection -> shard.name());
      }
    }
    long start = System.nanoTime();
    for (LogPosition made : session.seen().positions()) {
      while (System.nanoTime() - start < LONGEST_WAIT.toNanos()
          && database.nodes().stream().anyMatch(node -> lacks(node, made))) {
        LockSupport.parkNanos(PAUSE.toNanos());
      }
    }
  }

  private static boolean lacks(NodeStatus node, LogPosition made) {
    LogPosition there = node.position();
    return node.isUp() && there != null && there.isComparableTo(made) && !there.covers(made);
  }

  private static long anyKey(ShardedDatabase database, Shard owner) {
    return database.map().rangesOf(owner.name()).get(0).from();
  }

  private static String sql() {
    try (InputStream in =
        Objects.requireNonNull(SampleSchema.class.getResourceAsStream("schema.sql"))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException unreadable) {
      throw new UncheckedIOException("schema.sql cannot be read from the jar", unreadable);
    }
  }
}
