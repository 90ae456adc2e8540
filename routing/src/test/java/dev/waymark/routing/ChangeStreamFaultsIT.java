package dev.waymark.routing;

import static dev.waymark.routing.Clusters.count;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.ChangeConsumer;
import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.LogPosition;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.RoutingListener.StreamState;
import dev.waymark.Shard;
import dev.waymark.ShardChange;
import dev.waymark.ShardChange.Committed;
import dev.waymark.ShardChange.StartedAnew;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.TransactionHook;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkConfig.ChangedTables;
import dev.waymark.WaymarkConfig.Changes;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a stream does while processes and servers fail: a cluster anew for each test. */
class ChangeStreamFaultsIT {
  private static final Duration LONG = Duration.ofSeconds(60);

  private final RecordedChanges consumer = new RecordedChanges();
  private @Nullable TestCluster cluster;
  private @Nullable ShardedDatabase database;
  private @Nullable ChangeStream stream;

  @AfterEach
  void stop() {
    if (database != null) {
      database.close();
    }
    if (cluster != null) {
      cluster.close();
    }
  }

  // ---- processes ------------------------------------------------------------------------------

  @Test
  void writeIsToldThoughItsProcessDiedRightAfterTheCommit() {
    start(TestCluster.builder());
    follow();

    try (ForkedJvm writer = ForkedJvm.start(DyingWriter.class, connectionArguments(primary()))) {
      assertThat(heard(writer, LONG)).isEqualTo("committed");
      writer.kill();
    }
    awaitAll();

    assertThat(consumer.lines("users")).containsExactly("INSERTED - -> [id=7, name=written]");
  }

  /** Commits and says so from inside the commit, before anybody else hears of it. */
  static final class DyingWriter {
    public static void main(String[] args) throws SQLException {
      try (ShardedDatabase database = ShardedDatabase.open(configOf(args))) {
        database.<Integer, SQLException>transaction(
            7,
            transaction -> {
              transaction.join(
                  new TransactionHook() {
                    @Override
                    public void afterCommit(LogPosition position) {
                      say("committed");
                      awaitTheEnd();
                    }
                  });
              return Clusters.save(transaction.connection(), 7, "written");
            });
      }
    }
  }

  @Test
  void anotherProcessTakesOverWhenTheFollowerIsKilledAndNothingIsLost() throws Exception {
    start(TestCluster.builder());
    Set<Integer> told = new TreeSet<>();
    AtomicBoolean done = new AtomicBoolean();
    List<Integer> written = new ArrayList<>();
    PostgresServer server = primary();
    try (ForkedJvm follower = ForkedJvm.start(Follower.class, connectionArguments(server))) {
      assertThat(heard(follower, LONG)).isEqualTo("NO_SLOT");
      open(config());
      await().atMost(LONG).until(() -> status().state() == StreamState.STANDING_BY);

      Thread writer =
          new Thread(
              () -> {
                for (int id = 1; !done.get(); id++) {
                  server.execute("INSERT INTO users VALUES (%d, 'x')".formatted(id));
                  written.add(id);
                }
              });
      writer.start();
      while (told.size() < 20) {
        told.add(Integer.valueOf(heard(follower, LONG)));
      }
      follower.kill();
      try {
        while (true) {
          told.add(Integer.valueOf(heard(follower, Duration.ofSeconds(1))));
        }
      } catch (IllegalStateException noMoreLines) {
        // All that it had taken over.
      }
      await().atMost(LONG).until(() -> consumer.rows("users").count() > 20);
      done.set(true);
      writer.join();
    }
    awaitAll();

    consumer
        .rows("users")
        .forEach(row -> told.add(Integer.valueOf(row.after().value("id").orElseThrow())));
    assertThat(told).containsExactlyElementsOf(written);
    assertThat(consumer.all(StartedAnew.class)).isEmpty();
  }

  /** Prints the id of each row it takes over, which is as durable as it gets here. */
  static final class Follower {
    public static void main(String[] args) {
      ShardedDatabase database = ShardedDatabase.open(configOf(args));
      database.changes(
          new ChangeConsumer() {
            @Override
            public void take(List<ShardChange> changes) {
              for (ShardChange change : changes) {
                if (change instanceof StartedAnew anew) {
                  say(anew.cause().name());
                } else if (change instanceof Committed committed) {
                  committed.rows().forEach(row -> say(row.after().value("id").orElseThrow()));
                }
              }
            }

            @Override
            public long time() {
              return 0;
            }
          });
      awaitTheEnd();
    }
  }

  @Test
  void anotherProcessTakesOverFromOneThatHangs() throws Exception {
    start(TestCluster.builder());
    try (ForkedJvm follower = ForkedJvm.start(Follower.class, connectionArguments(primary()))) {
      assertThat(heard(follower, LONG)).isEqualTo("NO_SLOT");
      open(config());
      await().atMost(LONG).until(() -> status().state() == StreamState.STANDING_BY);

      signal("-STOP", follower);
      primary().execute("INSERT INTO users VALUES (1, 'x')");
      awaitAll();

      assertThat(consumer.lines("users")).containsExactly("INSERTED - -> [id=1, name=x]");
      assertThat(consumer.all(StartedAnew.class)).isEmpty();
      signal("-CONT", follower);
      // It finds its connections gone, and stands by.
      primary().execute("INSERT INTO users VALUES (2, 'y')");
      awaitAll();
      assertThat(status().state()).isEqualTo(StreamState.FOLLOWING);
    }
  }

  private static void signal(String signal, ForkedJvm process) throws Exception {
    Process kill = new ProcessBuilder("kill", signal, Long.toString(process.pid())).start();
    assertThat(kill.waitFor()).isZero();
  }

  @Test
  void processWhoseConsumerFailsGivesWayToAnother() {
    start(TestCluster.builder());
    follow();
    awaitAll();
    RecordedChanges other = new RecordedChanges();
    try (ShardedDatabase second = ShardedDatabase.open(config())) {
      ChangeStream otherStream = second.changes(other);
      await().until(() -> otherStream.status().get(0).state() == StreamState.STANDING_BY);

      consumer.refuse(new IllegalStateException("my Redis is cut off"));
      primary().execute("INSERT INTO users VALUES (1, 'x')");
      await()
          .atMost(LONG)
          .until(() -> otherStream.status().get(0).state() == StreamState.FOLLOWING);
      await().atMost(LONG).until(() -> !other.lines("users").isEmpty());

      assertThat(other.lines("users")).containsExactly("INSERTED - -> [id=1, name=x]");
      assertThat(other.all(StartedAnew.class)).isEmpty();
      consumer.refuse(null);
      await().atMost(LONG).until(() -> status().state() == StreamState.STANDING_BY);
    }
    await().atMost(LONG).until(() -> status().state() == StreamState.FOLLOWING);
  }

  // ---- servers --------------------------------------------------------------------------------

  @Test
  void streamGoesOnAfterItsServerWasKilledAndStartedAgain() {
    start(TestCluster.builder());
    follow();
    primary().execute("INSERT INTO users VALUES (1, 'before')");
    awaitAll();
    PostgresServer server = primary();

    server.kill();
    await().atMost(LONG).until(() -> status().state() == StreamState.CONNECTING);
    server.start();
    server.execute("INSERT INTO users VALUES (2, 'after')");
    awaitAll();

    assertThat(consumer.lines("users"))
        .contains("INSERTED - -> [id=1, name=before]", "INSERTED - -> [id=2, name=after]");
    assertThat(consumer.all(StartedAnew.class)).hasSize(1);
  }

  @Test
  void hungServerIsNoticedAndTheStreamGoesOnWhenItAnswersAgain() {
    start(TestCluster.builder());
    follow();
    awaitAll();
    PostgresServer server = primary();

    server.freeze();
    await().atMost(LONG).until(() -> status().state() == StreamState.CONNECTING);
    assertThat(threads()).doesNotContain("waymark-changes-pulse-shard-1");
    server.thaw();
    server.execute("INSERT INTO users VALUES (1, 'x')");
    awaitAll();

    assertThat(consumer.lines("users")).containsExactly("INSERTED - -> [id=1, name=x]");
  }

  @Test
  void silentNetworkIsNoticedAndTheStreamGoesOnOnANewConnection() throws Exception {
    start(TestCluster.builder());
    PostgresServer server = primary();
    try (TcpProxy proxy = TcpProxy.to(server.host(), server.port())) {
      open(
          config(
              any -> "jdbc:postgresql://" + "127.0.0.1" + ":" + proxy.port() + "/app",
              changes(Changes.off().retain())));
      await().atMost(LONG).until(() -> status().state() == StreamState.FOLLOWING);
      awaitAll();

      proxy.blackHole();
      await().atMost(LONG).until(() -> status().state() == StreamState.CONNECTING);
      proxy.heal();
      server.execute("INSERT INTO users VALUES (1, 'x')");
      awaitAll();

      assertThat(consumer.lines("users")).containsExactly("INSERTED - -> [id=1, name=x]");
    }
  }

  @Test
  void closingDoesNotWaitForAHungServer() {
    start(TestCluster.builder());
    follow();
    PostgresServer server = primary();
    server.freeze();

    database.close();

    assertThat(threads()).isEmpty();
    server.thaw();
  }

  @Test
  void streamFollowsAPromotionAndStartsAnewWhereTheSlotIsMissing() {
    start(TestCluster.builder().replicas(1));
    follow();
    primary().execute("INSERT INTO users VALUES (1, 'before')");
    awaitAll();
    PostgresServer old = primary();
    PostgresServer next = shard().replicas().get(0);

    old.kill();
    next.promote();
    await()
        .atMost(LONG)
        .until(
            () -> status().state() == StreamState.FOLLOWING && next.name().equals(status().node()));
    next.execute("INSERT INTO users VALUES (2, 'after')");
    awaitAll();

    assertThat(consumer.all(StartedAnew.class))
        .extracting(StartedAnew::cause)
        .containsExactly(StartedAnew.Cause.NO_SLOT, StartedAnew.Cause.PROMOTION);
    Committed last = consumer.all(Committed.class).get(consumer.all(Committed.class).size() - 1);
    assertThat(last.position().timeline()).isEqualTo(2);
    assertThat(consumer.lines("users")).contains("INSERTED - -> [id=2, name=after]");
    // The old primary comes back as a second one, with its slot, and is not followed.
    old.start();
    old.execute("INSERT INTO users VALUES (3, 'on the old one')");
    next.execute("INSERT INTO users VALUES (4, 'on the new one')");
    awaitAll();
    assertThat(consumer.lines("users")).noneMatch(line -> line.contains("on the old one"));
    assertThat(consumer.lines("users")).anyMatch(line -> line.contains("on the new one"));
  }

  @Test
  void slotThatStandbysSynchroniseSurvivesAPromotionAndNothingIsMissed() {
    start(
        TestCluster.builder()
            .replicas(1)
            .setting("hot_standby_feedback", "on")
            .setting("sync_replication_slots", "on"));
    PostgresServer old = primary();
    PostgresServer next = shard().replicas().get(0);
    old.execute("SELECT pg_create_physical_replication_slot('standby')");
    String connection = conninfo(next);
    alter(next, "primary_slot_name = 'standby'");
    alter(next, "primary_conninfo = '" + connection.replace("'", "''") + " dbname=app'");
    next.execute("SELECT pg_reload_conf()");
    follow();
    old.execute("INSERT INTO users VALUES (1, 'followed')");
    awaitAll();
    await()
        .atMost(LONG)
        .until(
            () ->
                count(
                        next,
                        "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'waymark'"
                            + " AND synced AND NOT temporary AND invalidation_reason IS NULL")
                    == 1);
    stream.close();
    old.execute("INSERT INTO users VALUES (2, 'not followed')");
    await().until(() -> count(next, "SELECT count(*) FROM users") == 2);

    old.kill();
    next.promote();
    stream = database.changes(consumer);
    await()
        .atMost(LONG)
        .until(
            () -> status().state() == StreamState.FOLLOWING && next.name().equals(status().node()));
    next.execute("INSERT INTO users VALUES (3, 'after')");
    awaitAll();

    assertThat(consumer.all(StartedAnew.class))
        .extracting(StartedAnew::cause)
        .containsExactly(StartedAnew.Cause.NO_SLOT, StartedAnew.Cause.PROMOTION);
    assertThat(consumer.lines("users"))
        .contains("INSERTED - -> [id=2, name=not followed]", "INSERTED - -> [id=3, name=after]");
    // Once the new timeline was told of, a restart of the stream is none anew.
    stream.close();
    stream = database.changes(consumer);
    awaitAll();
    assertThat(consumer.all(StartedAnew.class)).hasSize(2);
  }

  // ---- slots ----------------------------------------------------------------------------------

  @Test
  void slotThatSomebodyDroppedIsMadeAgainAndTheStreamStartsAnew() {
    start(TestCluster.builder());
    follow();
    awaitAll();
    stream.close();
    primary().execute("SELECT pg_drop_replication_slot('waymark')");
    primary().execute("INSERT INTO users VALUES (1, 'missed')");

    stream = database.changes(consumer);
    primary().execute("INSERT INTO users VALUES (2, 'told')");
    awaitAll();

    assertThat(consumer.all(StartedAnew.class))
        .extracting(StartedAnew::cause)
        .containsExactly(StartedAnew.Cause.NO_SLOT, StartedAnew.Cause.NO_SLOT);
    assertThat(count(primary(), "SELECT count(*) FROM pg_replication_slots")).isEqualTo(1);
  }

  @Test
  void slotThatTheServerGaveUpIsMadeAgainAndTheStreamStartsAnew() {
    start(
        TestCluster.builder()
            .setting("max_slot_wal_keep_size", "1MB")
            .setting("wal_keep_size", "0")
            .setting("max_wal_size", "32MB"));
    follow();
    awaitAll();
    stream.close();
    fillTheLog();
    await()
        .atMost(LONG)
        .until(
            () -> {
              primary().execute("CHECKPOINT");
              return count(
                      primary(),
                      "SELECT count(*) FROM pg_replication_slots WHERE wal_status = 'lost'")
                  == 1;
            });

    stream = database.changes(consumer);
    primary().execute("INSERT INTO users VALUES (1, 'told')");
    awaitAll();

    assertThat(consumer.all(StartedAnew.class))
        .extracting(StartedAnew::cause)
        .containsExactly(StartedAnew.Cause.NO_SLOT, StartedAnew.Cause.SLOT_INVALIDATED);
  }

  @Test
  void streamThatIsTooFarBehindLetsTheServerForgetAndStartsAnew() {
    start(TestCluster.builder());
    open(config(PostgresServer::url, changes(16L << 20)));
    await().atMost(LONG).until(() -> status().state() == StreamState.FOLLOWING);
    awaitAll();

    consumer.refuse(new IllegalStateException("no Redis"));
    fillTheLog();
    // While the consumer takes nothing over, not even that the stream starts anew, no slot is kept.
    await()
        .atMost(LONG)
        .until(
            () ->
                count(primary(), "SELECT count(*) FROM pg_replication_slots WHERE NOT temporary")
                    == 0);
    consumer.refuse(null);
    awaitAll();
    primary().execute("INSERT INTO users VALUES (1, 'told')");
    awaitAll();

    assertThat(consumer.all(StartedAnew.class))
        .extracting(StartedAnew::cause)
        .containsExactly(StartedAnew.Cause.NO_SLOT, StartedAnew.Cause.TOO_FAR_BEHIND);
    assertThat(consumer.lines("users")).contains("INSERTED - -> [id=1, name=told]");
    assertThat(count(primary(), "SELECT count(*) FROM pg_replication_slots")).isEqualTo(1);
  }

  @Test
  void newSlotWaitsForARunningTransactionAndTellsOfItself() throws SQLException {
    start(TestCluster.builder());
    try (var psql = primary().connect();
        var statement = psql.createStatement()) {
      psql.setAutoCommit(false);
      statement.execute("INSERT INTO users VALUES (1, 'began before')");
      open(config());
      await()
          .atMost(LONG)
          .until(
              () ->
                  "a new slot waits for the transactions that are running"
                      .equals(status().trouble()));
      // For longer than any time-out of the stream's own.
      await()
          .during(Duration.ofSeconds(3))
          .atMost(LONG)
          .until(() -> status().state() == StreamState.CONNECTING && consumer.calls() == 0);
      psql.commit();
    }
    awaitAll();
    assertThat(consumer.all(StartedAnew.class)).hasSize(1);
  }

  // ---- servers that will not be followed ------------------------------------------------------

  @Test
  void serverWithoutLogicalLogIsRefusedAndNothingElseIsAffected() throws SQLException {
    start(TestCluster.builder().setting("wal_level", "replica"));
    open(config());

    await().atMost(LONG).until(() -> status().state() == StreamState.REFUSED);
    assertThat(status().trouble())
        .isEqualTo(
            "wal_level is replica there; set wal_level = logical on every node of the shard and"
                + " restart it, or leave changes.enabled off");
    database.write(7, connection -> Clusters.save(connection, 7, "written"));
    assertThat(database.<String, SQLException>read(7, c -> Clusters.name(c, 7)))
        .isEqualTo("written");
    assertThat(consumer.all()).isEmpty();
  }

  @Test
  void userWhoMayNotReplicateIsRefusedAndFollowedOnceHeMay() {
    start(TestCluster.builder());
    primary().execute("ALTER ROLE waymark NOREPLICATION");
    open(config());

    await().atMost(LONG).until(() -> status().state() == StreamState.REFUSED);
    assertThat(status().trouble())
        .isEqualTo(
            "user waymark may not replicate; run ALTER ROLE waymark REPLICATION on the primary, or"
                + " leave changes.enabled off");
    primary().execute("ALTER ROLE waymark REPLICATION");
    await().atMost(LONG).until(() -> status().state() == StreamState.FOLLOWING);
  }

  @Test
  void serverWithoutAFreeSlotSaysSo() {
    start(TestCluster.builder().setting("max_replication_slots", "1"));
    primary().execute("SELECT pg_create_physical_replication_slot('taken')");
    open(config());

    await()
        .atMost(LONG)
        .until(() -> status().trouble() != null && status().trouble().contains("in use"));
    assertThat(status().trouble()).contains("SQLSTATE 53400");
    primary().execute("SELECT pg_drop_replication_slot('taken')");
    assertThat(status().state()).isEqualTo(StreamState.CONNECTING);
  }

  // ---- helpers --------------------------------------------------------------------------------

  private void start(TestCluster.Builder builder) {
    cluster = builder.start();
    primary()
        .execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);"
                + " ALTER TABLE users OWNER TO waymark");
  }

  private ShardServers shard() {
    return cluster.shard(0);
  }

  private PostgresServer primary() {
    return shard().primary();
  }

  private void open(WaymarkConfig config) {
    database = ShardedDatabase.open(config);
    stream = database.changes(consumer);
  }

  private void follow() {
    open(config());
    await().atMost(LONG).until(() -> status().state() == StreamState.FOLLOWING);
  }

  private ChangeStatus status() {
    return stream.status().get(0);
  }

  private WaymarkConfig config() {
    return config(PostgresServer::url, changes(Changes.off().retain()));
  }

  private WaymarkConfig config(Clusters.UrlOf url, Changes changes) {
    return Clusters.config(cluster, url)
        .withMonitor(
            new WaymarkConfig.Monitor(
                Duration.ofMillis(20), Duration.ofSeconds(1), Duration.ofMillis(100), 200))
        .withChanges(changes);
  }

  private static Changes changes(long retain) {
    return new Changes(
        true,
        "waymark",
        "waymark",
        ChangedTables.MAP,
        Duration.ofMillis(50),
        Duration.ofSeconds(1),
        retain,
        1_000);
  }

  /** What another process needs to open the same database. */
  private static String[] connectionArguments(PostgresServer server) {
    return new String[] {server.url(), server.user(), server.password()};
  }

  private static WaymarkConfig configOf(String[] arguments) {
    return WaymarkConfig.of(
            ShardMap.of(
                1,
                List.of(new Shard("shard-1", List.of(Node.at(arguments[0])))),
                List.of(new OwnedRange(new KeyRange(1, 1_001), "shard-1")),
                List.of(new Table.Sharded("users", "id"))),
            new Credentials(arguments[1], arguments[2]))
        .withChanges(changes(Changes.off().retain()));
  }

  /** What another process has to say, among the lines of its log. */
  private static void say(String word) {
    System.out.println("> " + word);
  }

  private static String heard(ForkedJvm process, Duration limit) {
    while (true) {
      String line = process.readLine(limit);
      if (line.startsWith("> ")) {
        return line.substring(2);
      }
    }
  }

  private static void awaitTheEnd() {
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void awaitAll() {
    long moment = consumer.now();
    await()
        .atMost(LONG)
        .untilAsserted(
            () -> assertThat(consumer.hasReached(moment)).as(status().toString()).isTrue());
  }

  /** More than 20 MB of log, in a table that is not followed. */
  private void fillTheLog() {
    primary()
        .execute(
            "CREATE TABLE filler AS SELECT n, repeat('x', 1000) AS x FROM generate_series(1, 30000) AS n");
    primary().execute("SELECT pg_switch_wal()");
  }

  private static void alter(PostgresServer server, String setting) {
    server.execute("ALTER SYSTEM SET " + setting);
  }

  private static String conninfo(PostgresServer standby) {
    try (var connection = standby.connect();
        var statement = connection.createStatement();
        var answer = statement.executeQuery("SHOW primary_conninfo")) {
      answer.next();
      return answer.getString(1);
    } catch (SQLException failure) {
      throw new IllegalStateException(failure);
    }
  }

  private static List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("waymark-changes"))
        .toList();
  }
}
