package dev.waymark.routing;

import static dev.waymark.routing.Clusters.count;
import static dev.waymark.routing.Clusters.name;
import static dev.waymark.routing.Clusters.save;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import dev.waymark.Balancing;
import dev.waymark.ConfigurationException;
import dev.waymark.Consistency;
import dev.waymark.Credentials;
import dev.waymark.Outcome;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route.Reason;
import dev.waymark.RoutingListener;
import dev.waymark.RoutingListener.Hedge;
import dev.waymark.RoutingListener.Wait;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.TransactionHook;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What holds while servers fail: one shard of a primary and two replicas. A test that leaves them
 * as it found them says so by {@link #leftAsFound} and the next one has them too; after any other
 * they are made anew.
 */
class NodeFaultsIT {
  private static @Nullable TestCluster left;

  private TestCluster cluster;
  private ShardServers shard;
  private boolean asFound;

  @BeforeEach
  void start() throws SQLException {
    TestCluster found = left;
    left = null;
    cluster = found != null ? found : TestCluster.builder().shards(1).replicas(2).start();
    shard = cluster.shard(0);
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      Clusters.createSchema(cluster, database);
      shard.primary().execute("DELETE FROM users");
      database.write(7, connection -> save(connection, 7, "first"));
    }
    await()
        // A replica that has not replayed the table's creation has no such table.
        .ignoreException(IllegalStateException.class)
        .untilAsserted(
            () ->
                assertThat(shard.replicas())
                    .hasSize(2)
                    .allMatch(
                        replica ->
                            count(replica, "SELECT count(*) FROM users") == 1
                                && count(replica, "SELECT count(*) FROM users WHERE name = 'first'")
                                    == 1));
  }

  @AfterEach
  void stop() {
    if (asFound) {
      left = cluster;
    } else {
      cluster.close();
    }
  }

  @AfterAll
  static void stopTheLast() {
    if (left != null) {
      left.close();
    }
  }

  private void leftAsFound() {
    asFound = true;
  }

  @Test
  void killingAReplicaUnderLoadFailsNoRead() throws Exception {
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      PostgresServer victim = shard.replicas().get(0);
      Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
      AtomicLong reads = new AtomicLong();
      AtomicBoolean done = new AtomicBoolean();
      List<Thread> readers = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        Thread reader =
            new Thread(
                () -> {
                  while (!done.get()) {
                    try {
                      String value = database.<String, SQLException>read(7, c -> name(c, 7));
                      if (!"first".equals(value)) {
                        failures.add(new AssertionError("read " + value));
                      }
                      reads.incrementAndGet();
                    } catch (Exception | AssertionError failure) {
                      failures.add(failure);
                    }
                  }
                });
        reader.start();
        readers.add(reader);
      }

      await().until(() -> reads.get() > 500);
      victim.kill();
      long whenKilled = reads.get();
      await().until(() -> reads.get() > whenKilled + 500);
      await().until(() -> trouble(database, victim) != null);
      victim.start();
      await().until(() -> trouble(database, victim) == null);
      long whenBack = reads.get();
      await().until(() -> reads.get() > whenBack + 500);
      done.set(true);
      for (Thread reader : readers) {
        reader.join();
      }

      assertThat(failures).isEmpty();
    }
    leftAsFound();
  }

  @Test
  void aReplicaThatIsDownAtTheStartIsTakenInWhenItComesUp() throws SQLException {
    List<PostgresServer> replicas = shard.replicas();
    replicas.forEach(PostgresServer::stop);

    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      assertThat(database.explain(7).reason()).isEqualTo(Reason.NO_REPLICA_IS_UP);
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("first");

      replicas.forEach(PostgresServer::start);
      await()
          .untilAsserted(
              () -> assertThat(database.explain(7).reason()).isEqualTo(Reason.REPLICA_IS_FRESH));
    }
    leftAsFound();
  }

  @Test
  void withoutAPrimaryReadsWorkAndWritesSayThatNothingWasSent() throws SQLException {
    PostgresServer primary = shard.primary();
    primary.stop();

    try (ShardedDatabase database =
        ShardedDatabase.open(
            Clusters.config(cluster)
                .withCalls(
                    new WaymarkConfig.Calls(Duration.ofSeconds(2), Consistency.session())))) {
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("first");

      UnavailableException refused =
          (UnavailableException)
              catchThrowable(() -> database.write(7, connection -> save(connection, 7, "no")));
      assertThat(refused.outcome()).isEqualTo(Outcome.NOT_SENT);
      assertThat(refused.shard()).isEqualTo("shard-1");
      assertThat(refused.getMessage())
          .startsWith("Shard shard-1 had no primary to write to for key #")
          .contains(primary.name() + " is not up: ")
          .endsWith("Nothing was sent, so the call may be repeated.");
    }
    primary.start();
    leftAsFound();
  }

  @Test
  void aWriteThatWasNotSentWaitsForTheNewPrimary() throws Exception {
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      PostgresServer old = shard.primary();
      PostgresServer heir = shard.replicas().get(0);
      PostgresServer other = shard.replicas().get(1);
      Session session = database.newSession();
      try (Session.Binding bound = session.bind()) {
        database.write(7, connection -> save(connection, 7, "before"));
        await()
            .untilAsserted(
                () ->
                    assertThat(count(heir, "SELECT count(*) FROM users WHERE name = 'before'"))
                        .isEqualTo(1));
        old.kill();
        await().until(() -> trouble(database, old) != null);
        Thread promotion = new Thread(heir::promote);
        promotion.start();

        database.write(8, connection -> save(connection, 8, "after"));

        promotion.join();
        assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("before");
        assertThat(database.<String, SQLException>read(8, c -> name(c, 8))).isEqualTo("after");
        assertThat(role(database, heir)).isEqualTo(Role.PRIMARY);

        other.follow(heir);
        old.rejoin(heir);
        // The token was begun on the old timeline; replicas of the new one honour it.
        await()
            .untilAsserted(
                () -> assertThat(database.explain(7).reason()).isEqualTo(Reason.REPLICA_IS_FRESH));
        await().untilAsserted(() -> assertThat(role(database, old)).isEqualTo(Role.REPLICA));
      }
    }
  }

  @Test
  void aLostAnswerToCommitIsReportedAsUnknown() throws SQLException {
    PostgresServer primary = shard.primary();
    try (TcpProxy proxy = TcpProxy.to(primary.host(), primary.port());
        ShardedDatabase database =
            ShardedDatabase.open(
                Clusters.config(
                    cluster,
                    server ->
                        server == primary
                            ? server.url().replace(":" + server.port(), ":" + proxy.port())
                            : server.url()))) {
      List<String> told = new ArrayList<>();

      Throwable failure =
          catchThrowable(
              () ->
                  database.transaction(
                      9,
                      transaction -> {
                        transaction.join(
                            new TransactionHook() {
                              @Override
                              public void outcomeUnknown() {
                                told.add("unknown");
                              }
                            });
                        save(transaction.connection(), 9, "perhaps");
                        proxy.cutNextAnswerContaining("COMMIT");
                        return 0;
                      }));

      assertThat(failure).isInstanceOf(UnavailableException.class);
      assertThat(((UnavailableException) failure).outcome()).isEqualTo(Outcome.UNKNOWN);
      assertThat(failure)
          .hasMessageEndingWith(
              "Whether the transaction was committed is unknown; look with strong consistency before repeating it.");
      assertThat(told).containsExactly("unknown");
      assertThat(count(primary, "SELECT count(*) FROM users WHERE id = 9")).isEqualTo(1);
    }
    leftAsFound();
  }

  @Test
  void aPrimaryThatDiesUnderAWriteHasWrittenNothing() {
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      PostgresServer primary = shard.primary();

      Throwable failure =
          catchThrowable(
              () ->
                  database.write(
                      9,
                      connection -> {
                        save(connection, 9, "never");
                        primary.kill();
                        return save(connection, 9, "never");
                      }));

      assertThat(failure).isInstanceOf(UnavailableException.class);
      assertThat(((UnavailableException) failure).outcome()).isEqualTo(Outcome.REJECTED);
      primary.start();
      assertThat(count(primary, "SELECT count(*) FROM users WHERE id = 9")).isZero();
    }
    leftAsFound();
  }

  @Test
  void aReadThatKillsEveryNodeItRunsOnIsNotTriedWithoutEnd() {
    AtomicInteger runs = new AtomicInteger();
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      assertThatThrownBy(
              () ->
                  database.read(
                      7,
                      connection -> {
                        runs.incrementAndGet();
                        return connection
                            .createStatement()
                            .execute("SELECT pg_terminate_backend(pg_backend_pid())");
                      }))
          .isInstanceOf(UnavailableException.class)
          .hasMessageStartingWith(
              "Shard shard-1 had no answer: nodes went away under the read for key #");
    }
    assertThat(runs).hasValue(2);
    leftAsFound();
  }

  @Test
  void anInterruptedCallThatLosesItsConnectionBlamesNoNodeAndIsNotTriedAgain() throws Exception {
    // As the JDK does it to a virtual thread: interrupted, it finds its socket closed.
    String lose = "SELECT pg_terminate_backend(pg_backend_pid())";
    Queue<String> troubles = new ConcurrentLinkedQueue<>();
    RoutingListener listener =
        new RoutingListener() {
          @Override
          public void nodeChanged(NodeChange change) {
            if (change.trouble() != null) {
              troubles.add(change.node() + ": " + change.trouble());
            }
          }
        };
    AtomicInteger runs = new AtomicInteger();
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster), listener)) {
      UnavailableException read =
          (UnavailableException)
              catchThrowable(
                  () ->
                      database.read(
                          7,
                          connection -> {
                            runs.incrementAndGet();
                            Thread.currentThread().interrupt();
                            return connection.createStatement().execute(lose);
                          }));
      assertThat(Thread.interrupted()).as("the caller still knows").isTrue();
      UnavailableException write =
          (UnavailableException)
              catchThrowable(
                  () ->
                      database.write(
                          7,
                          connection -> {
                            runs.incrementAndGet();
                            Thread.currentThread().interrupt();
                            return connection.createStatement().execute(lose);
                          }));
      assertThat(Thread.interrupted()).isTrue();

      assertThat(runs).hasValue(2);
      assertThat(read).hasMessageContaining("no answer: the call was interrupted");
      assertThat(read.outcome()).isEqualTo(Outcome.REJECTED);
      assertThat(write).hasMessageContaining("the call was interrupted");
      assertThat(write.outcome()).isEqualTo(Outcome.REJECTED);
      assertThat(troubles).isEmpty();
    }
    leftAsFound();
  }

  @Test
  void aMonitorThatLosesOneConnectionTakesNoNodeDown() throws Exception {
    Queue<String> troubles = new ConcurrentLinkedQueue<>();
    RoutingListener listener =
        new RoutingListener() {
          @Override
          public void nodeChanged(NodeChange change) {
            if (change.trouble() != null) {
              troubles.add(change.node() + ": " + change.trouble());
            }
          }
        };
    String monitors =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waymark-monitor'";
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster), listener)) {
      for (PostgresServer server : cluster.servers()) {
        long last =
            count(
                server,
                "SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'waymark-monitor'");
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ="
                + " 'waymark-monitor'");
        await().until(() -> count(server, monitors + " AND pid <> " + last) == 1);
      }
      // Whatever a monitor tells of the look before, it has told by the next one.
      database.write(7, connection -> save(connection, 7, "after"));
      assertThat(database.nodes()).allMatch(NodeStatus::isUp);
      assertThat(troubles).isEmpty();
    }
    leftAsFound();
  }

  @Test
  void callsThatWaitDriveNoMonitorFasterThanItsPace() throws Exception {
    AtomicLong readings = new AtomicLong();
    AtomicBoolean counting = new AtomicBoolean();
    LongSupplier clock =
        () -> {
          if (counting.get() && Thread.currentThread().getName().startsWith("waymark-monitor-")) {
            readings.incrementAndGet();
          }
          return System.nanoTime();
        };
    WaymarkConfig config =
        Clusters.config(cluster)
            .withCalls(new WaymarkConfig.Calls(Duration.ofSeconds(2), Consistency.session()));
    try (ShardedDatabase database = ShardedDatabase.open(config, clock)) {
      PostgresServer primary = shard.primary();
      primary.kill();
      await().until(() -> trouble(database, primary) != null);
      long began = System.nanoTime();
      counting.set(true);
      assertThat(catchThrowable(() -> database.write(7, c -> save(c, 7, "no"))))
          .isInstanceOf(UnavailableException.class);
      counting.set(false);
      long took = System.nanoTime() - began;

      // Half the interval, shortened by a tenth at most, and a look at either end; no look of the
      // three monitors reads the clock more often than ten times.
      long looks = took / (config.monitor().interval().toNanos() / 2 * 9 / 10) + 2;
      assertThat(readings.get()).isLessThanOrEqualTo(3 * looks * 10);
    }
    shard.servers().get(0).start();
    leftAsFound();
  }

  // ---- wrong configurations -----------------------------------------------------------------

  @Test
  void aWrongPasswordIsToldAtOnceAndNotRepeated() {
    WaymarkConfig config = Clusters.config(cluster);
    WaymarkConfig wrong =
        new WaymarkConfig(
            config.map(),
            new Credentials(config.credentials().user(), "not-the-password"),
            config.pool(),
            config.calls(),
            config.reads(),
            config.hedging(),
            config.lag(),
            config.monitor(),
            config.tokens(),
            config.keys(),
            config.redis(),
            config.changes());

    assertThatThrownBy(() -> ShardedDatabase.open(wrong))
        .isInstanceOf(ConfigurationException.class)
        .hasMessageContaining("shard-1: node " + shard.primary().name())
        .hasMessageContaining("password authentication failed")
        .hasMessageNotContaining("not-the-password");
    leftAsFound();
  }

  @Test
  void twoShardsWithTheSameServersAreRefused() {
    // Another name for the same host: the addresses differ, the system identifier does not.
    WaymarkConfig config =
        Clusters.withMap(
            Clusters.config(cluster),
            map -> {
              List<Shard> shards = new ArrayList<>(map.shards());
              shards.add(
                  new Shard(
                      "shard-2",
                      List.of(
                          dev.waymark.Node.at(
                              shard.primary().url().replace("127.0.0.1", "localhost")))));
              return ShardMap.of(1, shards, map.ranges(), map.tables().values());
            });

    assertThatThrownBy(() -> ShardedDatabase.open(config))
        .isInstanceOf(ConfigurationException.class)
        .hasMessageContaining("both have the same system identifier");
    leftAsFound();
  }

  @Test
  void aServerThatIsNotPostgresIsRefused() throws Exception {
    try (ServerSocket notPostgres = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread answering =
          new Thread(
              () -> {
                try {
                  while (true) {
                    try (var client = notPostgres.accept()) {
                      client
                          .getOutputStream()
                          .write(
                              "HTTP/1.1 400 Bad Request\r\n\r\n"
                                  .getBytes(StandardCharsets.US_ASCII));
                    }
                  }
                } catch (java.io.IOException closed) {
                  // The test is over.
                }
              });
      answering.start();
      WaymarkConfig config =
          Clusters.config(
              cluster,
              server ->
                  server == shard.replicas().get(0)
                      ? "jdbc:postgresql://127.0.0.1:" + notPostgres.getLocalPort() + "/app"
                      : server.url());

      assertThatThrownBy(() -> ShardedDatabase.open(config))
          .isInstanceOf(ConfigurationException.class)
          .hasMessageContaining("shard-1: node " + shard.replicas().get(0).name());
    }
    leftAsFound();
  }

  private static String trouble(ShardedDatabase database, PostgresServer server) {
    return status(database, server).trouble();
  }

  private static Role role(ShardedDatabase database, PostgresServer server) {
    return status(database, server).role();
  }

  private static NodeStatus status(ShardedDatabase database, PostgresServer server) {
    return database.nodes().stream()
        .filter(node -> node.node().equals(server.name()))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void aHungReplicaHoldsNoReadForLongerThanItTakesToFindOut() throws Exception {
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      for (int i = 0; i < 20; i++) {
        database.<String, SQLException>read(7, c -> name(c, 7));
      }
      PostgresServer victim = shard.replicas().get(0);
      victim.freeze();
      try {
        // More than its pool has connections: whatever was sent there goes on elsewhere.
        for (int i = 0; i < 50; i++) {
          assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("first");
        }
        await().until(() -> trouble(database, victim) != null);
      } finally {
        victim.thaw();
      }
      await().until(() -> trouble(database, victim) == null);
    }
    leftAsFound();
  }

  @Test
  void aReadThatTakesLongIsAskedOfASecondReplicaAndTheFirstOneIsLetGo() throws Exception {
    PostgresServer slow = shard.replicas().get(0);
    try (TcpProxy proxy = TcpProxy.to(slow.host(), slow.port())) {
      WaymarkConfig config =
          Clusters.config(
                  cluster,
                  server ->
                      server == slow
                          ? server.url().replace(":" + server.port(), ":" + proxy.port())
                          : server.url())
              .withReads(
                  new WaymarkConfig.Reads(Balancing.ROUND_ROBIN, "", Duration.ZERO, Duration.ZERO))
              .withHedging(new WaymarkConfig.Hedging(100, 95, Duration.ofMillis(1)));
      Queue<Hedge> results = new ConcurrentLinkedQueue<>();
      RoutingListener listener =
          new RoutingListener() {
            @Override
            public void hedged(String name, Hedge result) {
              results.add(result);
            }
          };
      try (ShardedDatabase database = ShardedDatabase.open(config, listener)) {
        Queue<Reason> reasons = new ConcurrentLinkedQueue<>();
        // A pool asks a server first whose connection was not lent for half a second, and nobody
        // else is asked meanwhile: so this begins anew if this thread has stood still so long.
        await()
            .until(
                () -> {
                  proxy.latency(Duration.ZERO);
                  for (int i = 0; i < 40; i++) {
                    database.<String, SQLException>read(7, c -> name(c, 7));
                  }
                  proxy.latency(Duration.ofMillis(300));
                  for (int i = 0; i < 10; i++) {
                    PositionedRead<String> read =
                        database.<String, SQLException>readPositioned(7, c -> name(c, 7));
                    assertThat(read.value()).isEqualTo("first");
                    reasons.add(read.route().reason());
                  }
                  return reasons.contains(Reason.HEDGED);
                });

        assertThat(results).contains(Hedge.WON);
        await()
            .until(
                () ->
                    database.nodes().stream().allMatch(node -> node.pools().reads().active() == 0));
      }
    }
    leftAsFound();
  }

  @Test
  void aCommitWhoseWaitForAReplicaWasCutShortIsNoSuccess() throws Exception {
    PostgresServer primary = shard.primary();
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'");
    primary.execute("SELECT pg_reload_conf()");
    await()
        .until(
            () ->
                count(
                        primary,
                        "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'")
                    == 2);
    try (ShardedDatabase database =
        ShardedDatabase.open(
            Clusters.config(cluster)
                .withCalls(
                    new WaymarkConfig.Calls(Duration.ofSeconds(1), Consistency.session())))) {
      database.write(7, connection -> save(connection, 7, "before"));
      shard.replicas().forEach(PostgresServer::freeze);
      try {
        UnavailableException failure =
            (UnavailableException)
                catchThrowable(
                    () -> database.write(7, connection -> save(connection, 7, "lonely")));

        assertThat(failure.outcome()).isEqualTo(Outcome.UNKNOWN);
        assertThat(failure)
            .hasMessageContaining("its wait for a synchronous replica was cut short")
            .hasMessageEndingWith(
                "Whether the transaction was committed is unknown; look with strong consistency before repeating it.");
        assertThat(count(primary, "SELECT count(*) FROM users WHERE name = 'lonely'")).isEqualTo(1);
        assertThat(trouble(database, primary)).as("the primary is well").isNull();
      } finally {
        shard.replicas().forEach(PostgresServer::thaw);
      }
    }
  }

  @Test
  void aSessionThatHasSeenACommitOnAReplicaSeesItOnThePrimaryToo() throws Exception {
    PostgresServer primary = shard.primary();
    PostgresServer shows = shard.replicas().get(0);
    PostgresServer hangs = shard.replicas().get(1);
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 2 (*)'");
    primary.execute("SELECT pg_reload_conf()");
    await()
        .until(
            () ->
                count(primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
                    == 2);
    Queue<Wait> waits = new ConcurrentLinkedQueue<>();
    RoutingListener listener =
        new RoutingListener() {
          @Override
          public void waited(String name, Wait reason, long nanos) {
            waits.add(reason);
          }
        };
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster), listener);
        Connection longTransaction = primary.connect()) {
      database.write(8, connection -> save(connection, 8, "other"));
      // Nobody has seen what it does: no read may wait for it.
      longTransaction.setAutoCommit(false);
      longTransaction.createStatement().execute("UPDATE users SET name = 'mine' WHERE id = 8");
      hangs.freeze();
      Thread writer =
          new Thread(
              () -> {
                try {
                  database.write(7, connection -> save(connection, 7, "second"));
                } catch (SQLException failure) {
                  throw new IllegalStateException(failure);
                }
              });
      writer.start();
      // The commit is on the replica, and its writer waits for the other one.
      await().until(() -> count(shows, "SELECT count(*) FROM users WHERE name = 'second'") == 1);
      assertThat(count(primary, "SELECT count(*) FROM users WHERE name = 'second'")).isZero();

      Session session = database.newSession();
      try (Session.Binding bound = session.bind()) {
        // Here, because the session is bound to this thread.
        await()
            .pollInSameThread()
            .until(() -> "second".equals(database.<String, SQLException>read(7, c -> name(c, 7))));
        Thread thaws =
            new Thread(
                () -> {
                  String asked =
                      "SELECT count(*) FROM pg_stat_activity WHERE usename = '"
                          + primary.user()
                          + "' AND query LIKE 'SELECT transactionid%'";
                  await().until(() -> count(primary, asked) > 0);
                  hangs.thaw();
                });
        thaws.start();

        assertThat(database.<String, SQLException>read(7, Consistency.strong(), c -> name(c, 7)))
            .isEqualTo("second");
        thaws.join();
        assertThat(waits).contains(Wait.VISIBLE_ON_PRIMARY);
      }
      writer.join();

      Session resumed = database.resumeSession(session.token());
      try (Session.Binding bound = resumed.bind()) {
        assertThat(database.<String, SQLException>read(8, Consistency.strong(), c -> name(c, 8)))
            .isEqualTo("other");
      }
    }
  }

  @ParameterizedTest(name = "up at the start: {0}")
  @ValueSource(strings = {"", "0", "1", "2", "01", "02", "12", "012"})
  void aDatabaseStartsWithAnySubsetOfItsNodesAndTakesInTheOthers(String up) throws Exception {
    List<PostgresServer> servers =
        List.of(shard.primary(), shard.replicas().get(0), shard.replicas().get(1));
    for (int i = 0; i < servers.size(); i++) {
      if (up.indexOf('0' + i) < 0) {
        servers.get(i).kill();
      }
    }
    try (ShardedDatabase database =
        ShardedDatabase.open(
            Clusters.config(cluster)
                .withCalls(
                    new WaymarkConfig.Calls(Duration.ofSeconds(2), Consistency.session())))) {
      if (up.isEmpty()) {
        assertThat(catchThrowable(() -> database.read(7, c -> name(c, 7))))
            .isInstanceOfSatisfying(
                UnavailableException.class,
                failure -> assertThat(failure.outcome()).isEqualTo(Outcome.NOT_SENT));
      } else {
        assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("first");
      }
      if (up.startsWith("0")) {
        database.write(7, connection -> save(connection, 7, "second"));
      } else {
        assertThat(catchThrowable(() -> database.write(7, c -> save(c, 7, "second"))))
            .isInstanceOfSatisfying(
                UnavailableException.class,
                failure -> assertThat(failure.outcome()).isEqualTo(Outcome.NOT_SENT));
      }
      for (PostgresServer server : servers) {
        if (!server.isRunning()) {
          server.start();
        }
      }
      await().untilAsserted(() -> assertThat(database.nodes()).allMatch(NodeStatus::isUp));
      database.write(7, connection -> save(connection, 7, "third"));
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("third");
    }
    leftAsFound();
  }

  @Test
  void thePrimaryTakesNoMoreReadsInItsReplicasSteadThanItMay() throws Exception {
    WaymarkConfig.Lag lag = WaymarkConfig.Lag.defaults();
    try (ShardedDatabase database =
        ShardedDatabase.open(
            Clusters.config(cluster)
                .withCalls(new WaymarkConfig.Calls(Duration.ofSeconds(1), Consistency.session()))
                .withLag(withPrimaryReads(lag, 1)))) {
      shard.replicas().forEach(PostgresServer::pauseReplay);
      database.write(7, connection -> save(connection, 7, "newer"));
      CountDownLatch reading = new CountDownLatch(1);
      CountDownLatch enough = new CountDownLatch(1);
      Thread first =
          new Thread(
              () -> {
                try {
                  database.<Object, InterruptedException>read(
                      7,
                      connection -> {
                        reading.countDown();
                        enough.await();
                        return "";
                      });
                } catch (InterruptedException ended) {
                  Thread.currentThread().interrupt();
                }
              });
      first.start();
      reading.await();

      UnavailableException refused =
          (UnavailableException) catchThrowable(() -> database.read(7, c -> name(c, 7)));
      assertThat(refused.outcome()).isEqualTo(Outcome.NOT_SENT);
      assertThat(refused).hasMessageContaining("as many reads on its primary as lag.primaryReads");
      // What must be answered by a primary is not in anybody's stead.
      assertThat(database.<String, SQLException>read(7, Consistency.strong(), c -> name(c, 7)))
          .isEqualTo("newer");

      enough.countDown();
      first.join();
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("newer");
    }
    shard.replicas().forEach(PostgresServer::resumeReplay);
    leftAsFound();
  }

  @Test
  void aReadWaitsForAReplicaAsLongAsItIsAllowedAndThenAsksThePrimary() throws Exception {
    Queue<Wait> waits = new ConcurrentLinkedQueue<>();
    RoutingListener listener =
        new RoutingListener() {
          @Override
          public void waited(String name, Wait reason, long nanos) {
            waits.add(reason);
          }
        };
    WaymarkConfig config =
        Clusters.config(cluster)
            .withReads(
                new WaymarkConfig.Reads(
                    Balancing.ROUND_ROBIN, "", Duration.ZERO, Duration.ofSeconds(5)));
    try (ShardedDatabase database = ShardedDatabase.open(config, listener)) {
      shard.replicas().forEach(PostgresServer::pauseReplay);
      database.write(7, connection -> save(connection, 7, "newer"));
      Thread resumes =
          new Thread(
              () -> {
                await().until(() -> waits.contains(Wait.FRESH_REPLICA));
                shard.replicas().forEach(PostgresServer::resumeReplay);
              });
      resumes.start();

      PositionedRead<String> read =
          database.<String, SQLException>readPositioned(7, c -> name(c, 7));
      resumes.join();

      assertThat(read.value()).isEqualTo("newer");
      assertThat(read.route().role()).isEqualTo(Role.REPLICA);
    }
    try (ShardedDatabase hasty =
        ShardedDatabase.open(
            config.withReads(
                new WaymarkConfig.Reads(
                    Balancing.ROUND_ROBIN, "", Duration.ZERO, Duration.ofMillis(50))),
            listener)) {
      shard.replicas().forEach(PostgresServer::pauseReplay);
      hasty.write(7, connection -> save(connection, 7, "newest"));

      PositionedRead<String> read = hasty.<String, SQLException>readPositioned(7, c -> name(c, 7));

      assertThat(read.value()).isEqualTo("newest");
      assertThat(read.route().reason()).isEqualTo(Reason.NO_REPLICA_IS_FRESH);
    }
    shard.replicas().forEach(PostgresServer::resumeReplay);
    leftAsFound();
  }

  @Test
  void aCallWhoseServerHeedsNoCancelIsCutOff() throws Exception {
    PostgresServer primary = shard.primary();
    try (TcpProxy proxy = TcpProxy.to(primary.host(), primary.port());
        ShardedDatabase database =
            ShardedDatabase.open(
                Clusters.config(
                        cluster,
                        server ->
                            server == primary
                                ? server.url().replace(":" + server.port(), ":" + proxy.port())
                                : server.url())
                    .withCalls(
                        new WaymarkConfig.Calls(Duration.ofSeconds(1), Consistency.session())))) {
      database.write(7, connection -> save(connection, 7, "before"));

      // Neither the statement nor the cancel gets through, and no socket says that anything is
      // wrong.
      UnavailableException failure =
          (UnavailableException)
              catchThrowable(
                  () ->
                      database.write(
                          7,
                          connection -> {
                            proxy.blackHole();
                            return save(connection, 7, "lost");
                          }));

      assertThat(failure.outcome()).isEqualTo(Outcome.REJECTED);
      proxy.heal();
      await().until(() -> trouble(database, primary) == null);
      database.write(7, connection -> save(connection, 7, "after"));
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("after");
    }
    leftAsFound();
  }

  private static WaymarkConfig.Lag withPrimaryReads(WaymarkConfig.Lag lag, int primaryReads) {
    return new WaymarkConfig.Lag(
        lag.preferred(),
        lag.tolerated(),
        lag.preferredBytes(),
        lag.toleratedBytes(),
        lag.minimumServing(),
        lag.whenAllLag(),
        primaryReads);
  }

  @Test
  void aWriteThatMeetsAReplicaInItsPrimarysPlaceWaitsForTheNewPrimary() throws Exception {
    try (ShardedDatabase database = ShardedDatabase.open(Clusters.config(cluster))) {
      database.write(7, connection -> save(connection, 7, "before"));
      PostgresServer old = shard.primary();
      PostgresServer heir = shard.replicas().get(0);
      PostgresServer other = shard.replicas().get(1);
      AtomicBoolean done = new AtomicBoolean();
      Queue<Throwable> refusals = new ConcurrentLinkedQueue<>();
      Thread writer =
          new Thread(
              () -> {
                while (!done.get()) {
                  try {
                    database.write(7, connection -> save(connection, 7, "during"));
                  } catch (SQLException | RuntimeException failure) {
                    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
                      if (cause instanceof SQLException sql && "25006".equals(sql.getSQLState())) {
                        refusals.add(failure);
                      }
                    }
                  }
                }
              });
      writer.start();
      old.stop();
      heir.promote();
      other.follow(heir);
      old.rejoin(heir);
      await()
          .untilAsserted(
              () ->
                  assertThat(database.nodes())
                      .filteredOn(node -> node.node().equals(old.name()))
                      .allMatch(node -> node.role() == Role.REPLICA));
      done.set(true);
      writer.join();
      database.write(7, connection -> save(connection, 7, "after"));

      assertThat(refusals).isEmpty();
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("after");
    }
  }
}
