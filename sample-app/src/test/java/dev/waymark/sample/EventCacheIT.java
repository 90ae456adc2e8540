package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.Consistency;
import dev.waymark.PositionedRead;
import dev.waymark.RoutingListener.StreamState;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkConfig.Changes;
import dev.waymark.cache.CacheAnswer;
import dev.waymark.cache.CacheChanges;
import dev.waymark.cache.Codec;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ChangeStream;
import dev.waymark.routing.ShardedDatabase;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Caches over a database that others write to, who announce nothing. Each process here has its own
 * pools, its own L1 and its own connection to Redis; only one of them may follow the changes.
 */
@Timeout(180)
class EventCacheIT {
  private final Deque<AutoCloseable> opened = new ArrayDeque<>();
  private TestCluster cluster;
  private ShardServers shard;

  @BeforeEach
  void start() throws Exception {
    cluster = TestCluster.builder().shards(1).replicas(2).redis().start();
    opened.push(cluster);
    shard = cluster.shard(0);
    try (ShardedDatabase database = ShardedDatabase.open(config())) {
      SampleSchema.install(database);
    }
    stranger("INSERT INTO users (id, name, email) VALUES (7, 'old', '7@x'), (8, 'other', '8@x')");
  }

  @AfterEach
  void stop() throws Exception {
    while (!opened.isEmpty()) {
      opened.pop().close();
    }
  }

  private WaymarkConfig config() {
    Changes changes = Changes.on();
    return Demo.config(cluster, 1_000)
        .withRedis(
            new WaymarkConfig.Redis(
                cluster.redis().url(),
                Optional.empty(),
                Optional.empty(),
                Duration.ofSeconds(2),
                "events"))
        .withChanges(
            new Changes(
                true,
                changes.slot(),
                changes.publication(),
                changes.tables(),
                Duration.ofMillis(200),
                changes.timeout(),
                changes.retain(),
                changes.rows()));
  }

  /** A process of the service. */
  private final class Process implements AutoCloseable {
    private final ShardedDatabase database = ShardedDatabase.open(config());
    private final RedisTier redis = RedisTier.connect(config().redis().orElseThrow());
    private final TieredCache<Long, String> names =
        TieredCache.<Long, String>builder("names", id -> read(database, id, Consistency.eventual()))
            .redis(redis)
            .codec(Codec.json(String.class, 1))
            .horizons(database::horizon)
            .primaryLoader(id -> read(database, id, Consistency.strong()))
            // Nothing goes by itself while a test looks.
            .timeToLive(Duration.ofHours(1))
            .l1TimeToLive(Duration.ofHours(1))
            .changedBy("users", row -> List.of(Long.valueOf(row.value("id").orElseThrow())))
            .build();
    private final CacheChanges taken = redis.changes();
    private final ChangeStream stream = database.changes(taken);

    Process() {
      opened.push(this);
      await().until(redis::isAvailable);
    }

    boolean follows() {
      return stream.status().get(0).state() == StreamState.FOLLOWING;
    }

    /** Until both tiers have a value, or a writer of it is in doubt. */
    void warm(long id) {
      await().until(() -> names.lookup(id).tier() == CacheAnswer.Tier.L1);
    }

    @Override
    public void close() {
      stream.close();
      database.close();
      redis.close();
    }
  }

  @SuppressWarnings("NullAway") // before JDK 22 it does not know type variables that may be null
  private static PositionedRead<@Nullable String> read(
      ShardedDatabase database, long id, Consistency consistency) throws SQLException {
    return database.readPositioned(
        id,
        consistency,
        connection -> {
          try (Statement statement = connection.createStatement();
              ResultSet row = statement.executeQuery("SELECT name FROM users WHERE id = " + id)) {
            return row.next() ? row.getString(1) : null;
          }
        });
  }

  /** Somebody with psql. */
  private void stranger(String sql) {
    shard.primary().execute(sql);
  }

  private void awaitFollower(Process... processes) {
    await()
        .atMost(Duration.ofSeconds(30))
        .until(() -> List.of(processes).stream().anyMatch(Process::follows));
  }

  private void assertAllSee(String name, Process... processes) {
    for (Process process : processes) {
      await()
          .atMost(Duration.ofSeconds(20))
          .untilAsserted(() -> assertThat(process.names.get(7L)).isEqualTo(name));
      assertThat(process.names.get(7L)).isEqualTo(name);
    }
  }

  @Test
  void updateWithPsqlLeavesNoTierOfNoProcessWithTheOldValue() {
    Process here = new Process();
    Process there = new Process();
    awaitFollower(here, there);
    here.warm(7);
    there.warm(7);
    here.warm(8);

    stranger("UPDATE users SET name = 'new' WHERE id = 7");

    assertAllSee("new", here, there);
    assertThat(here.names.lookup(8L).tier()).isEqualTo(CacheAnswer.Tier.L1);
    // And it is kept again: the stream's doubt is over as soon as somebody has proven it.
    here.warm(7);
    there.warm(7);
    stranger("DELETE FROM users WHERE id = 7");
    assertAllSee(null, here, there);
  }

  @Test
  void writerThatIsKilledRightAfterItsCommitLeavesNoOldValue() {
    Process here = new Process();
    Process there = new Process();
    awaitFollower(here, there);
    here.warm(7);
    there.warm(7);
    PostgresServer primary = shard.primary();
    try (ForkedJvm writer =
        ForkedJvm.start(DyingWriter.class, primary.url(), primary.user(), primary.password())) {
      assertThat(writer.readLine(Duration.ofSeconds(30))).isEqualTo("committed");
      writer.kill();
    }
    assertAllSee("written by a process that died", here, there);
  }

  /** Commits, and never gets round to telling anybody. */
  static final class DyingWriter {
    private DyingWriter() {}

    public static void main(String[] args) throws Exception {
      try (Connection connection = DriverManager.getConnection(args[0], args[1], args[2]);
          Statement statement = connection.createStatement()) {
        connection.setAutoCommit(false);
        statement.execute("UPDATE users SET name = 'written by a process that died' WHERE id = 7");
        connection.commit();
        System.out.println("committed");
        Thread.sleep(Duration.ofMinutes(1).toMillis());
      }
    }
  }

  @Test
  void writeOfThisLibraryIsLeftAloneByTheStream() throws Exception {
    Process here = new Process();
    awaitFollower(here);
    here.warm(7);
    long told = here.taken.statistics().keysTold();
    long dropped = here.taken.statistics().keysDropped();
    here.database.<Integer, SQLException>transaction(
        7,
        transaction -> {
          try (Statement statement = transaction.connection().createStatement()) {
            int rows = statement.executeUpdate("UPDATE users SET name = 'new' WHERE id = 7");
            here.names.invalidate(transaction, 7L);
            return rows;
          }
        });
    await().until(() -> here.taken.statistics().keysTold() > told);
    assertThat(here.taken.statistics().keysDropped()).isEqualTo(dropped);
    assertAllSee("new", here);
  }

  @Test
  void processThatTakesOverMissesNothing() {
    Process first = new Process();
    awaitFollower(first);
    Process second = new Process();
    second.warm(7);
    second.warm(8);
    opened.remove(first);
    first.close();
    // Nobody follows, or nobody yet.
    stranger("UPDATE users SET name = 'new' WHERE id = 7");
    awaitFollower(second);
    assertAllSee("new", second);
    // It knew the same caches: nothing else was dropped.
    assertThat(second.taken.statistics().cachesBegunAnew()).isZero();
  }

  @Test
  void truncateEmptiesTheCache() {
    Process here = new Process();
    Process there = new Process();
    awaitFollower(here, there);
    here.warm(7);
    there.warm(7);
    stranger("TRUNCATE users CASCADE");
    assertAllSee(null, here, there);
  }

  @Test
  void ageOfAHitIsKnownAndSmall() {
    Process here = new Process();
    Process there = new Process();
    awaitFollower(here, there);
    here.warm(8);
    await()
        .untilAsserted(
            () -> {
              there.names.flushL1();
              CacheAnswer<String> answer = there.names.lookup(8L);
              assertThat(answer.tier()).isEqualTo(CacheAnswer.Tier.L2);
              assertThat(answer.age()).isNotNull().isLessThan(Duration.ofSeconds(5));
            });
  }

  @Test
  void redisThatWasAwayIsToldOfWhatHappenedMeanwhile() {
    Process here = new Process();
    awaitFollower(here);
    here.warm(7);
    cluster.redis().freeze();
    try {
      stranger("UPDATE users SET name = 'new' WHERE id = 7");
    } finally {
      cluster.redis().thaw();
    }
    assertAllSee("new", here);
  }

  @Test
  void commitThatIsToldBeforeItIsVisibleDoesNotLetTheOldRowBack() {
    PostgresServer primary = shard.primary();
    PostgresServer hangs = shard.replicas().get(1);
    stranger("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 2 (*)'");
    stranger("SELECT pg_reload_conf()");
    await()
        .until(
            () ->
                count(primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
                    == 2);
    Process here = new Process();
    Process there = new Process();
    awaitFollower(here, there);
    here.warm(7);
    there.warm(7);
    Process follower = here.follows() ? here : there;
    long told = follower.taken.statistics().keysTold();
    hangs.freeze();
    Thread writer =
        new Thread(() -> stranger("UPDATE users SET name = 'new' WHERE id = 7"), "stranger");
    try {
      writer.start();
      await().until(() -> follower.taken.statistics().keysTold() > told);
      // The log has told it, and the primary does not show it yet.
      assertThat(count(primary, "SELECT count(*) FROM users WHERE name = 'new'")).isZero();
      for (int i = 0; i < 20; i++) {
        // Whatever is read now may be the old row; nobody may keep it.
        assertThat(here.names.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
        assertThat(there.names.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
      }
    } finally {
      hangs.thaw();
    }
    assertAllSee("new", here, there);
    here.warm(7);
    assertThat(here.names.get(7L)).isEqualTo("new");
  }

  private static long count(PostgresServer server, String sql) {
    try (Connection connection = server.connect();
        Statement statement = connection.createStatement();
        ResultSet answer = statement.executeQuery(sql)) {
      answer.next();
      return answer.getLong(1);
    } catch (SQLException failure) {
      throw new IllegalStateException(failure);
    }
  }
}
