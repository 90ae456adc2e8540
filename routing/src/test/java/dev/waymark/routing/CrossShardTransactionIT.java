package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.Table;
import dev.waymark.TransactionHook;
import dev.waymark.WaymarkException;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CrossShardTransactionIT {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final List<Long> KEYS = List.of(7L, 1_007L, 2_007L);

  private TestCluster cluster;
  private ShardedDatabase database;

  @BeforeAll
  void start() throws SQLException {
    cluster =
        TestCluster.builder()
            .shards(3)
            .replicas(0)
            .setting("max_prepared_transactions", "50")
            .start();
    database = ShardedDatabase.open(Clusters.config(cluster));
    Clusters.createSchema(cluster, database);
  }

  @AfterAll
  void stop() {
    database.close();
    cluster.close();
  }

  @BeforeEach
  void empty() {
    primaries().forEach(primary -> primary.execute("DELETE FROM users"));
  }

  @AfterEach
  void nothingIsLeft() {
    // A decision is forgotten behind the caller's back.
    Awaitility.await().until(() -> everywhere("SELECT count(*) FROM waymark_decision") == 0);
    assertThat(everywhere("SELECT count(*) FROM pg_prepared_xacts")).isZero();
    assertThat(database.nodes()).allMatch(node -> node.pools().writes().active() == 0);
  }

  private List<PostgresServer> primaries() {
    return cluster.shards().stream().map(ShardServers::primary).toList();
  }

  private long everywhere(String sql) {
    return primaries().stream().mapToLong(primary -> Clusters.count(primary, sql)).sum();
  }

  private long saved() {
    return everywhere("SELECT count(*) FROM users WHERE id % 1000 = 7");
  }

  private static int saveAll(CrossShardTransaction transaction) throws SQLException {
    int saved = 0;
    for (long key : KEYS) {
      saved += Clusters.save(transaction.on(key).connection(), key, "all");
    }
    return saved;
  }

  @Test
  void everyPartIsCommittedAndSeen() throws SQLException {
    int saved = database.acrossShards(CrossShardTransactionIT::saveAll);

    assertThat(saved).isEqualTo(3);
    for (long key : KEYS) {
      String name = database.read(key, connection -> Clusters.name(connection, key));
      assertThat(name).isEqualTo("all");
    }
  }

  @Test
  void whatThrowsLeavesNothing() {
    assertThatThrownBy(
            () ->
                database.acrossShards(
                    transaction -> {
                      saveAll(transaction);
                      throw new SQLException("no");
                    }))
        .hasMessage("no");
    assertThat(saved()).isZero();
  }

  @Test
  void oneShardAloneNeedsNoDecision() throws SQLException {
    List<CrossShardStep> steps = new ArrayList<>();
    database.<Integer, SQLException>acrossShards(
        steps::add,
        transaction -> {
          // Reading elsewhere needs none either.
          assertThat(Clusters.name(transaction.on(1_007).connection(), 1_007)).isNull();
          return Clusters.save(transaction.on(7).connection(), 7, "one");
        });

    assertThat(steps).isEmpty();
    assertThat(saved()).isEqualTo(1);
  }

  @Test
  void misplacedRowFailsTheWhole() {
    assertThatThrownBy(
            () ->
                database.acrossShards(
                    transaction -> {
                      Clusters.save(transaction.on(7).connection(), 7, "right");
                      return Clusters.save(transaction.on(1_007).connection(), 8, "wrong");
                    }))
        .isInstanceOf(SQLException.class)
        .hasMessageContaining("waymark_users_key_range");
    assertThat(saved()).isZero();
  }

  @Test
  void swallowedErrorFailsTheWhole() {
    assertThatThrownBy(
            () ->
                database.acrossShards(
                    transaction -> {
                      saveAll(transaction);
                      try {
                        Clusters.save(transaction.on(7).connection(), 1_007, "wrong");
                      } catch (SQLException swallowed) {
                        // The server has not forgotten it.
                      }
                      return 0;
                    }))
        .isInstanceOf(WaymarkException.class)
        .extracting(failure -> ((WaymarkException) failure).outcome())
        .isEqualTo(Outcome.REJECTED);
    assertThat(saved()).isZero();
  }

  @Test
  void whatCannotBePreparedFailsTheWhole() {
    assertThatThrownBy(
            () ->
                database.acrossShards(
                    transaction -> {
                      saveAll(transaction);
                      try (var statement = transaction.on(2_007).connection().createStatement()) {
                        return statement.execute("CREATE TEMPORARY TABLE passing (id int)");
                      }
                    }))
        .isInstanceOf(WaymarkException.class)
        .hasMessageContaining("shard-3 could not prepare its part")
        .hasMessageContaining("Nothing was written on any shard");
    assertThat(saved()).isZero();
  }

  @Test
  void hooksHearOfEveryPart() throws SQLException {
    List<String> heard = new CopyOnWriteArrayList<>();
    database.<Integer, SQLException>acrossShards(
        transaction -> {
          for (long key : KEYS) {
            transaction
                .on(key)
                .join(
                    new TransactionHook() {
                      @Override
                      public void beforeCommit(dev.waymark.Transaction part) {
                        heard.add("before " + part.shard());
                      }

                      @Override
                      public void afterCommit(LogPosition position) {
                        heard.add("after " + key);
                      }
                    });
          }
          return saveAll(transaction);
        });

    assertThat(heard)
        .containsExactly(
            "before shard-1",
            "before shard-2",
            "before shard-3",
            "after 7",
            "after 1007",
            "after 2007");
  }

  // ---- statements ---------------------------------------------------------------------------

  private static final Map<String, Table> TABLES =
      Map.of(
          "users", new Table.Sharded("users", "id"),
          "colours", new Table.Broadcast("colours"));

  private Planner planner() throws SQLException {
    try (Connection connection = primaries().get(0).connect()) {
      return new Planner(
          TABLES,
          new SqlCatalogueLoader().load(connection),
          SqlScanner.Backslash.LITERAL,
          SmallCatalogue.READER);
    }
  }

  private static long update(
      CrossShardTransaction transaction, Planner planner, String sql, Object... values)
      throws SQLException {
    SpreadWrites.Answer answer = planner.acrossShards(sql, SqlScanner.Markers.JDBC);
    return transaction.update(
        sql,
        Objects.requireNonNull(answer.write(), () -> String.valueOf(answer.refusal())),
        new CrossShardTransaction.Sending(
            SqlScanner.Markers.JDBC, Values.of(values), 0, new FanOut.Canceller()));
  }

  @Test
  void statementsWriteWhereTheirRowsLiveAndQueriesSeeIt() throws SQLException {
    Planner planner = planner();
    database.<Integer, SQLException>acrossShards(
        transaction -> {
          assertThat(
                  update(
                      transaction,
                      planner,
                      "INSERT INTO users (name, id) VALUES (?, ?), ('b', 1007), (?, ?), ('d', 8)",
                      "a",
                      7L,
                      "c",
                      2_007L))
              .isEqualTo(4);
          assertThat(
                  update(
                      transaction,
                      planner,
                      "UPDATE users SET name = name || ? WHERE id IN (?, ?)",
                      "!",
                      7L,
                      1_007L))
              .isEqualTo(2);
          assertThat(update(transaction, planner, "DELETE FROM users WHERE name = ?", "d"))
              .isEqualTo(1);
          String sql = "SELECT id, name FROM users ORDER BY id DESC LIMIT ? OFFSET 1";
          Plan plan = planner.plan(sql, SqlScanner.Markers.JDBC);
          FanOut.Options options =
              new FanOut.Options(
                  SqlScanner.Markers.JDBC,
                  0,
                  0,
                  0,
                  null,
                  Consistency.session(),
                  new FanOut.Canceller());
          try (ResultSet rows = transaction.query(sql, plan, Values.of(2), options)) {
            assertThat(rows.next()).isTrue();
            assertThat(rows.getString(2)).isEqualTo("b!");
            assertThat(rows.next()).isTrue();
            assertThat(rows.getLong(1)).isEqualTo(7);
            assertThat(rows.next()).isFalse();
          }
          return 0;
        });

    assertThat(saved()).isEqualTo(3);
    assertThat(everywhere("SELECT count(*) FROM users")).isEqualTo(3);
  }

  @Test
  void broadcastTableIsWrittenOnEveryShardOrOnNone() throws SQLException {
    primaries()
        .forEach(
            primary ->
                primary.execute(
                    "DROP TABLE IF EXISTS colours; CREATE TABLE colours (name text PRIMARY KEY);"
                        + " GRANT ALL ON colours TO PUBLIC"));
    Planner planner = planner();
    database.<Long, SQLException>acrossShards(
        transaction ->
            update(transaction, planner, "INSERT INTO colours VALUES (?), ('blue')", "red"));
    assertThat(everywhere("SELECT count(*) FROM colours")).isEqualTo(6);

    primaries().get(2).execute("DELETE FROM colours WHERE name = 'blue'");
    assertThatThrownBy(
            () ->
                database.<Long, SQLException>acrossShards(
                    transaction -> update(transaction, planner, "DELETE FROM colours")))
        .isInstanceOf(SQLException.class)
        .hasMessageContaining("shard-1 changed 2, shard-3 1");
    assertThat(everywhere("SELECT count(*) FROM colours")).isEqualTo(5);
  }

  // ---- processes that die ---------------------------------------------------------------------

  @ParameterizedTest
  @EnumSource(CrossShardStep.class)
  void processKilledAtAnyStepLeavesAllOrNothing(CrossShardStep step) {
    PostgresServer any = primaries().get(0);
    List<String> arguments = new ArrayList<>(List.of(step.name(), any.user(), any.password()));
    primaries().forEach(primary -> arguments.add(primary.url()));
    try (ForkedJvm victim =
        ForkedJvm.start(CrossShardVictim.class, arguments.toArray(String[]::new))) {
      String line;
      do {
        // It logs as well.
        line = victim.readLine(PATIENCE);
      } while (!line.startsWith("reached "));
      assertThat(line).isEqualTo("reached " + step);
      // While it lives nobody touches what is not decided.
      if (step.compareTo(CrossShardStep.DECIDED) < 0) {
        assertThat(database.recoverAcrossShards().rolledBack()).isZero();
      }
      victim.kill();
    }

    Awaitility.await().atMost(PATIENCE).until(() -> database.recoverAcrossShards().isComplete());

    assertThat(saved()).isEqualTo(step.compareTo(CrossShardStep.DECIDED) < 0 ? 0 : 3);
    // Once more, as any process may at any time.
    assertThat(database.recoverAcrossShards())
        .isEqualTo(new CrossShardRecovery(0, 0, 0, List.of()));
  }

  private void endSessions(int shard, String which) {
    Clusters.count(
        primaries().get(shard),
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name ="
            + " 'waymark' AND datname = current_database() AND "
            + which);
    Awaitility.await()
        .until(
            () ->
                Clusters.count(
                        primaries().get(shard),
                        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waymark'"
                            + " AND datname = current_database() AND "
                            + which)
                    == 0);
  }

  @Test
  void coordinatorThatLostItsPartCannotCommitAfterRecovery() {
    assertThatThrownBy(
            () ->
                database.<Integer, SQLException>acrossShards(
                    step -> {
                      if (step == CrossShardStep.ALL_PREPARED) {
                        endSessions(0, "state = 'idle in transaction'");
                        assertThat(database.recoverAcrossShards().rolledBack()).isEqualTo(2);
                      }
                    },
                    CrossShardTransactionIT::saveAll))
        .isInstanceOf(WaymarkException.class)
        .extracting(failure -> ((WaymarkException) failure).outcome())
        .isEqualTo(Outcome.REJECTED);
    assertThat(saved()).isZero();
  }

  /** The answer to the deciding COMMIT is lost, and others finish all of it meanwhile. */
  @Test
  void decisionThatOthersHaveCarriedOutAndForgottenIsNotTakenForARefusal() throws Exception {
    PostgresServer deciding = primaries().get(0);
    try (TcpProxy wire = TcpProxy.to(deciding.host(), deciding.port());
        ShardedDatabase behind =
            ShardedDatabase.open(
                Clusters.config(
                    cluster,
                    server ->
                        server == deciding
                            ? server.url().replace(":" + server.port(), ":" + wire.port())
                            : server.url()))) {
      ExecutorService others = Executors.newSingleThreadExecutor();
      try {
        List<Future<?>> recovered = new ArrayList<>();
        assertThatThrownBy(
                () ->
                    behind.<Integer, SQLException>acrossShards(
                        step -> {
                          if (step == CrossShardStep.ALL_PREPARED) {
                            wire.loseAnswersContaining("COMMIT");
                            recovered.add(
                                others.submit(
                                    () -> {
                                      Awaitility.await().atMost(PATIENCE).until(() -> saved() == 1);
                                      Awaitility.await()
                                          .atMost(PATIENCE)
                                          .until(() -> database.recoverAcrossShards().isComplete());
                                      wire.heal();
                                      wire.cut();
                                    }));
                          }
                        },
                        CrossShardTransactionIT::saveAll))
            .isInstanceOf(WaymarkException.class)
            .extracting(failure -> ((WaymarkException) failure).outcome())
            .isEqualTo(Outcome.UNKNOWN);
        for (Future<?> each : recovered) {
          each.get();
        }
      } finally {
        others.shutdownNow();
      }
    }
    assertThat(saved()).isEqualTo(3);
  }

  @Test
  void partWhoseConnectionIsLostAfterTheDecisionIsCommittedOnAnother() throws SQLException {
    database.<Integer, SQLException>acrossShards(
        step -> {
          if (step == CrossShardStep.DECIDED) {
            endSessions(1, "query LIKE 'PREPARE TRANSACTION%'");
          }
        },
        CrossShardTransactionIT::saveAll);

    assertThat(saved()).isEqualTo(3);
  }

  @Test
  void partThatRecoveryHasCommittedIsNoError() throws SQLException {
    database.<Integer, SQLException>acrossShards(
        step -> {
          if (step == CrossShardStep.DECIDED) {
            assertThat(database.recoverAcrossShards().committed()).isEqualTo(2);
          }
        },
        CrossShardTransactionIT::saveAll);

    assertThat(saved()).isEqualTo(3);
  }

  @Test
  void serverThatRestartsKeepsItsPreparedPart() throws SQLException {
    PostgresServer second = primaries().get(1);
    AtomicBoolean isTold = new AtomicBoolean();
    try {
      database.<Integer, SQLException>acrossShards(
          step -> {
            if (step == CrossShardStep.DECIDED) {
              second.kill();
              second.start();
            }
          },
          CrossShardTransactionIT::saveAll);
    } catch (WaymarkException told) {
      assertThat(told.outcome()).isEqualTo(Outcome.UNKNOWN);
      assertThat(told).hasMessageContaining("The transaction is committed");
      isTold.set(true);
    }
    Awaitility.await().atMost(PATIENCE).until(() -> database.recoverAcrossShards().isComplete());

    assertThat(saved()).isEqualTo(3);
  }

  /** Transfers while sessions are killed and others recover: the sum stays, and no part is left. */
  @Test
  void moneyIsNeitherMadeNorLost() throws InterruptedException, SQLException {
    for (long key : KEYS) {
      database.write(key, connection -> Clusters.save(connection, key, "1000"));
    }
    AtomicInteger done = new AtomicInteger();
    AtomicBoolean isOver = new AtomicBoolean();
    List<Thread> threads = new ArrayList<>();
    for (int client = 0; client < 3; client++) {
      Random random = new Random(client);
      threads.add(
          new Thread(
              () -> {
                for (int i = 0; i < 60; i++) {
                  if (transfer(random)) {
                    done.incrementAndGet();
                  }
                }
              }));
    }
    Thread rescue =
        new Thread(
            () -> {
              while (!isOver.get()) {
                database.recoverAcrossShards();
              }
            });
    Thread trouble =
        new Thread(
            () -> {
              Random random = new Random(99);
              while (!isOver.get()) {
                Clusters.count(
                    primaries().get(random.nextInt(3)),
                    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                        + " WHERE application_name = 'waymark' AND datname = current_database()"
                        + " AND backend_xid IS NOT NULL ORDER BY random() LIMIT 1) AS one");
              }
            });
    threads.forEach(Thread::start);
    trouble.start();
    rescue.start();
    for (Thread thread : threads) {
      thread.join();
    }
    isOver.set(true);
    trouble.join();
    rescue.join();
    Awaitility.await().atMost(PATIENCE).until(() -> database.recoverAcrossShards().isComplete());

    assertThat(everywhere("SELECT sum(name::int) FROM users")).isEqualTo(3_000);
    System.out.println(done + " of 180 transfers committed under trouble");
    assertThat(done.get()).isPositive();
  }

  private boolean transfer(Random random) {
    long from = KEYS.get(random.nextInt(3));
    long to = KEYS.get(random.nextInt(3));
    try {
      database.<Integer, SQLException>acrossShards(
          transaction -> {
            // In one order, so that two transfers do not wait for each other.
            int moved = 0;
            for (long key : List.of(Math.min(from, to), Math.max(from, to))) {
              try (var statement =
                  transaction
                      .on(key)
                      .connection()
                      .prepareStatement(
                          "UPDATE users SET name = (name::int + ?)::text WHERE id = ?")) {
                statement.setInt(1, from == to ? 0 : key == from ? -1 : 1);
                statement.setLong(2, key);
                moved += statement.executeUpdate();
              }
            }
            return moved;
          });
      return true;
    } catch (SQLException | WaymarkException trouble) {
      return false;
    }
  }

  @Test
  void recoveryMayRunWhileOthersCommit() throws SQLException {
    for (int i = 0; i < 20; i++) {
      database.<Integer, SQLException>acrossShards(
          step -> assertThat(database.recoverAcrossShards().unreachable()).isEmpty(),
          CrossShardTransactionIT::saveAll);
      assertThat(saved()).isEqualTo(3);
      primaries().forEach(primary -> primary.execute("DELETE FROM users"));
    }
  }

  @Test
  void serversThatPrepareNothingAreRefused() throws SQLException {
    try (TestCluster without =
            TestCluster.builder()
                .shards(2)
                .replicas(0)
                .setting("max_prepared_transactions", "0")
                .start();
        ShardedDatabase other = ShardedDatabase.open(Clusters.config(without))) {
      Clusters.createSchema(without, other);

      assertThatThrownBy(
              () ->
                  other.acrossShards(
                      transaction -> {
                        Clusters.save(transaction.on(7).connection(), 7, "one");
                        return transaction.on(1_007);
                      }))
          .isInstanceOf(WaymarkException.class)
          .hasMessageStartingWith("WM-022: ");
      assertThat(
              other.<Integer, SQLException>acrossShards(
                  transaction -> Clusters.save(transaction.on(7).connection(), 7, "one")))
          .isEqualTo(1);
    }
  }
}
