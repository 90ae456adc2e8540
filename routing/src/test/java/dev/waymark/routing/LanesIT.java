package dev.waymark.routing;

import static dev.waymark.routing.Clusters.name;
import static dev.waymark.routing.Clusters.save;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import dev.waymark.Consistency;
import dev.waymark.Node;
import dev.waymark.Route.Reason;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Who has a connection, until when, and who may end that: a primary and two replicas. */
class LanesIT {
  private static TestCluster cluster;
  private static ShardServers shard;

  @BeforeAll
  static void start() throws SQLException {
    cluster = TestCluster.builder().shards(1).replicas(2).start();
    shard = cluster.shard(0);
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      Clusters.createSchema(cluster, database);
      database.write(7, connection -> save(connection, 7, "first"));
    }
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @AfterEach
  void allAreUpAndReplay() {
    for (PostgresServer server : cluster.servers()) {
      if (!server.isRunning()) {
        server.start();
      }
    }
    shard.replicas().forEach(PostgresServer::resumeReplay);
  }

  private static WaymarkConfig within(Duration deadline) {
    return Clusters.config(cluster)
        .withCalls(new WaymarkConfig.Calls(deadline, Consistency.session()));
  }

  private static WaymarkConfig withPoolOf(int size, WaymarkConfig config) {
    return config.withPool(
        new WaymarkConfig.Pool(size, Duration.ofSeconds(1), Duration.ofSeconds(1)));
  }

  private static boolean sleep(Connection connection, double seconds) throws SQLException {
    try (var statement = connection.createStatement()) {
      return statement.execute("SELECT pg_sleep(" + seconds + ")");
    }
  }

  @Test
  void anAcknowledgedCommitIsToldAsCommittedEvenIfThePrimaryDiesRightAfterIt() throws Exception {
    try (ShardedDatabase database =
        ShardedDatabase.open(withPoolOf(1, within(Duration.ofSeconds(2))))) {
      Connection connection = database.dataSource(7).getConnection();
      save(connection, 7, "acknowledged");
      shard.primary().kill();

      assertThat(catchThrowable(connection::close))
          .isInstanceOfSatisfying(
              SQLException.class, failure -> assertThat(failure.getSQLState()).isEqualTo("08007"))
          .hasMessageContaining("is committed, but the session could not learn where");
      assertThat(database.nodes())
          .allMatch(node -> node.pools().writes().active() == 0, "the lane is free again");
    }
  }

  @Test
  void anAcknowledgedCommitIsToldAsCommittedEvenIfTheDatabaseIsClosed() throws Exception {
    ShardedDatabase database = ShardedDatabase.open(within(Duration.ofSeconds(2)));
    Connection connection = database.dataSource(7).getConnection();
    save(connection, 7, "acknowledged");
    database.close();

    assertThat(catchThrowable(connection::close))
        .isInstanceOfSatisfying(
            SQLException.class, failure -> assertThat(failure.getSQLState()).isEqualTo("08007"));
  }

  @Test
  void aReadThatGetsNoConnectionToThePrimaryKeepsNoPermitForIt() throws Exception {
    WaymarkConfig.Lag lag = WaymarkConfig.Lag.defaults();
    WaymarkConfig config =
        withPoolOf(1, within(Duration.ofSeconds(2)))
            .withLag(
                new WaymarkConfig.Lag(
                    lag.preferred(),
                    lag.tolerated(),
                    lag.preferredBytes(),
                    lag.toleratedBytes(),
                    lag.minimumServing(),
                    lag.whenAllLag(),
                    1));
    try (ShardedDatabase database = ShardedDatabase.open(config)) {
      shard.replicas().forEach(PostgresServer::pauseReplay);
      database.write(7, connection -> save(connection, 7, "second"));
      CountDownLatch reading = new CountDownLatch(1);
      CountDownLatch enough = new CountDownLatch(1);
      Thread strong =
          new Thread(
              () ->
                  database.<Object, RuntimeException>read(
                      7,
                      Consistency.strong(),
                      connection -> {
                        reading.countDown();
                        return await().until(() -> enough.getCount() == 0, done -> done);
                      }));
      strong.start();
      reading.await();
      AtomicReference<Throwable> met = new AtomicReference<>();
      Thread waiting =
          new Thread(() -> met.set(catchThrowable(() -> database.read(7, c -> name(c, 7)))));
      waiting.start();
      await()
          .until(() -> database.nodes().stream().anyMatch(n -> n.pools().reads().waiting() == 1));

      waiting.interrupt();
      waiting.join();
      enough.countDown();
      strong.join();

      assertThat(met.get()).isInstanceOf(UnavailableException.class);
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("second");
    }
  }

  // ---- cancels ------------------------------------------------------------------------------

  @Test
  void aConnectionThatACancelWasSentForGoesToNoOtherCall() throws Exception {
    try (ShardedDatabase database =
        ShardedDatabase.open(withPoolOf(1, within(Duration.ofSeconds(1))))) {
      AtomicReference<Long> cancelled = new AtomicReference<>();
      assertThat(
              catchThrowable(
                  () ->
                      database.write(
                          7,
                          connection -> {
                            cancelled.set(backend(connection));
                            return sleep(connection, 30);
                          })))
          .isInstanceOf(UnavailableException.class);

      assertThat(database.<Long, SQLException>write(7, LanesIT::backend))
          .isNotEqualTo(cancelled.get());
    }
  }

  @Test
  void whoeverCutsOffACallThatHasEndedMeetsNobody() throws Exception {
    try (NodePools pools = pools(shard.primary().url(), within(Duration.ofHours(1)))) {
      Lane lane = pools.reads().take(inAnHour());
      Connection ended = lane.open(inAnHour());
      lane.close();
      Lane next = pools.reads().take(inAnHour());
      assertThat(next).as("the stack gives the lane that came last").isSameAs(lane);
      Connection innocent = next.open(inAnHour());

      lane.cutOffAndCancelIfStill(ended);
      lane.cancelIfStill(ended);

      assertThat(backend(innocent)).isPositive();
      lane.cutOffAndCancelIfStill(innocent);
      assertThat(catchThrowable(() -> backend(innocent))).isInstanceOf(SQLException.class);
      next.close();
    }
  }

  @Test
  void aStreamUnderHedgingGivesEachRowOnceAndInOrder() throws SQLException {
    WaymarkConfig config =
        Clusters.config(cluster)
            .withHedging(new WaymarkConfig.Hedging(100, 50, Duration.ofMillis(1)));
    try (ShardedDatabase database = ShardedDatabase.open(config)) {
      for (int i = 0; i < 20; i++) {
        database.<String, SQLException>read(7, c -> name(c, 7));
      }
      List<Integer> rows = new ArrayList<>();
      try (RowStream<Integer> stream =
          database.streamFromEveryShard(
              ScatterOptions.within(Duration.ofMinutes(1)),
              ShardQuery.<Integer>of(
                      "SELECT g, pg_sleep(0.005) FROM generate_series(1, 40) AS g",
                      row -> row.getInt(1))
                  .fetching(5),
              Comparator.naturalOrder())) {
        stream.forEachRemaining(rows::add);
      }

      assertThat(rows).containsExactlyElementsOf(IntStream.rangeClosed(1, 40).boxed().toList());
    }
  }

  // ---- the watchdog -------------------------------------------------------------------------

  @Test
  void aCallsTimeCountsFromWhenItIsSeenAndNotFromWhenTheRoundBegan() throws Exception {
    AtomicLong ahead = new AtomicLong();
    AtomicBoolean armed = new AtomicBoolean();
    CountDownLatch inRound = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    LongSupplier clock =
        () -> {
          long now = System.nanoTime() + ahead.get();
          if (Thread.currentThread().getName().equals("waymark-deadlines")
              && armed.compareAndSet(true, false)) {
            inRound.countDown();
            try {
              goOn.await();
            } catch (InterruptedException ended) {
              Thread.currentThread().interrupt();
            }
          }
          return now;
        };
    try (ShardedDatabase database = ShardedDatabase.open(within(Duration.ofSeconds(5)), clock)) {
      database.<String, SQLException>read(7, c -> name(c, 7));
      armed.set(true);
      inRound.await();
      // As if the machine had stood still within a round of the watchdog.
      ahead.addAndGet(Duration.ofMinutes(1).toNanos());
      await().until(() -> database.explain(7).reason() == Reason.REPLICA_IS_FRESH);
      CountDownLatch reading = new CountDownLatch(4);
      List<FutureTask<Boolean>> readers = new ArrayList<>();
      // Several: one read in eight looks at the clock itself.
      for (int i = 0; i < 4; i++) {
        FutureTask<Boolean> reader =
            new FutureTask<>(
                () ->
                    database.<Boolean, SQLException>read(
                        7,
                        connection -> {
                          reading.countDown();
                          return sleep(connection, 0.5);
                        }));
        readers.add(reader);
        new Thread(reader).start();
      }
      reading.await();
      goOn.countDown();

      for (FutureTask<Boolean> reader : readers) {
        assertThat(reader.get()).isTrue();
      }
    }
  }

  @Test
  void theWatchdogOutlivesWhateverGoesWrongWithACancel() throws Exception {
    WaymarkConfig config = within(Duration.ofHours(1));
    try (NodePools pools = pools(shard.primary().url(), config);
        Watchdog watchdog =
            new Watchdog(
                List.of(pools),
                System::nanoTime,
                task -> {
                  throw new OutOfMemoryError("no thread");
                },
                config.calls().deadline())) {
      watchdog.start();
      for (int i = 0; i < 2; i++) {
        Lane lane = pools.reads().take(inAnHour());
        Connection connection = lane.open(System.nanoTime() + 100_000_000);
        assertThat(catchThrowable(() -> sleep(connection, 60)))
            .isInstanceOf(SQLException.class)
            .isNotNull();
        lane.close();
      }
    }
  }

  @Test
  void theRollbackOfWhatTheWorkLeftOpenEndsInTimeToo() throws Exception {
    WaymarkConfig config = within(Duration.ofHours(1));
    try (TcpProxy proxy = TcpProxy.to(shard.primary().host(), shard.primary().port());
        NodePools pools = pools(through(proxy), config);
        Watchdog watchdog =
            new Watchdog(List.of(pools), System::nanoTime, task -> {}, config.calls().deadline())) {
      watchdog.start();
      Lane lane = pools.reads().take(inAnHour());
      Connection connection = lane.open(System.nanoTime() + 1_000_000_000);
      connection.createStatement().execute("BEGIN");
      proxy.blackHole();
      FutureTask<Boolean> closing =
          new FutureTask<>(
              () -> {
                lane.close();
                return true;
              });
      Thread closer = new Thread(closing);
      closer.start();

      await().until(closing::isDone);
      assertThat(closing.get()).isTrue();
      proxy.heal();
    }
  }

  // ---- what may take longer than a call -----------------------------------------------------

  @Test
  void aScatterMayTakeLongerThanACall() throws SQLException {
    try (ShardedDatabase database =
        ShardedDatabase.open(withPoolOf(1, within(Duration.ofSeconds(1))))) {
      String usual = database.<String, SQLException>read(7, LanesIT::statementTimeout);

      assertThat(
              database
                  .<Boolean, SQLException>onEveryShard(
                      ScatterOptions.within(Duration.ofSeconds(30)),
                      connection -> List.of(sleep(connection, 3)))
                  .toList())
          .containsExactly(true);

      assertThat(usual).isEqualTo("2s");
      for (int i = 0; i < 4; i++) {
        assertThat(database.<String, SQLException>read(7, LanesIT::statementTimeout))
            .isEqualTo(usual);
      }
    }
  }

  @Test
  void whatIsDoneOnAPlainConnectionMayTakeLongerThanACall() throws SQLException {
    try (ShardedDatabase database = ShardedDatabase.open(within(Duration.ofSeconds(1)));
        Connection connection = database.dataSource(7).getConnection()) {
      assertThat(sleep(connection, 3)).isTrue();
    }
  }

  @Test
  void installingMayTakeLongerThanACall() throws Exception {
    PostgresServer primary = shard.primary();
    try (ShardedDatabase database = ShardedDatabase.open(within(Duration.ofSeconds(1)));
        Connection other = primary.connect()) {
      other.setAutoCommit(false);
      other.createStatement().execute("SELECT pg_advisory_xact_lock(" + 0x7761796D61726BL + ")");
      FutureTask<Boolean> installing =
          new FutureTask<>(
              () -> {
                database.schema().install();
                return true;
              });
      new Thread(installing).start();
      await()
          .until(
              () ->
                  Clusters.count(
                          primary,
                          "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                              + " AND now() - query_start > interval '2500 ms'")
                      == 1);
      other.rollback();

      assertThat(installing.get()).isTrue();
    }
  }

  private static NodePools pools(String url, WaymarkConfig config) {
    return new NodePools(Node.at(url), config, System::nanoTime, look -> {}, () -> true);
  }

  private static String through(TcpProxy proxy) {
    PostgresServer primary = shard.primary();
    return primary.url().replace(":" + primary.port(), ":" + proxy.port());
  }

  private static long inAnHour() {
    return System.nanoTime() + Duration.ofHours(1).toNanos();
  }

  private static long backend(Connection connection) throws SQLException {
    try (var statement = connection.createStatement();
        ResultSet answer = statement.executeQuery("SELECT pg_backend_pid()")) {
      answer.next();
      return answer.getLong(1);
    }
  }

  private static String statementTimeout(Connection connection) throws SQLException {
    try (var statement = connection.createStatement();
        ResultSet answer = statement.executeQuery("SHOW statement_timeout")) {
      answer.next();
      return answer.getString(1);
    }
  }
}
