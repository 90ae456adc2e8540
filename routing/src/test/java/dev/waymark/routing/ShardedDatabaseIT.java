package dev.waymark.routing;

import static dev.waymark.routing.Clusters.count;
import static dev.waymark.routing.Clusters.name;
import static dev.waymark.routing.Clusters.save;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.Balancing;
import dev.waymark.Consistency;
import dev.waymark.Horizon;
import dev.waymark.InvalidSessionTokenException;
import dev.waymark.KeyRange;
import dev.waymark.LogPosition;
import dev.waymark.NoShardForKeyException;
import dev.waymark.Outcome;
import dev.waymark.OwnedRange;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route.Reason;
import dev.waymark.SessionToken;
import dev.waymark.SessionTokenFormat;
import dev.waymark.ShardMap;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What holds while every server is well: 2 shards of a primary and 2 replicas. */
class ShardedDatabaseIT {
  private static TestCluster cluster;
  private static ShardedDatabase database;

  @BeforeAll
  static void start() throws SQLException {
    cluster = TestCluster.builder().shards(2).replicas(2).start();
    database = ShardedDatabase.open(Clusters.config(cluster));
    Clusters.createSchema(cluster, database);
  }

  @AfterAll
  static void stop() {
    database.close();
    cluster.close();
  }

  @BeforeEach
  void empty() {
    for (ShardServers shard : cluster.shards()) {
      shard.primary().execute("TRUNCATE users");
    }
  }

  @AfterEach
  void replayEverywhere() {
    for (ShardServers shard : cluster.shards()) {
      shard.replicas().forEach(PostgresServer::resumeReplay);
    }
  }

  @Test
  void everyNodesRoleIsFoundOut() {
    assertThat(database.nodes())
        .hasSize(6)
        .allMatch(NodeStatus::isUp)
        .filteredOn(node -> node.role() == Role.PRIMARY)
        .extracting(NodeStatus::node)
        .containsExactly(cluster.shard(0).primary().name(), cluster.shard(1).primary().name());
  }

  @Test
  void aRowLivesOnTheShardThatOwnsItsKeyAndNowhereElse() throws SQLException {
    for (long id : List.of(1L, 1_000L, 1_001L, 2_000L)) {
      database.write(id, connection -> save(connection, id, "user"));
    }

    String ids = "SELECT count(*) FROM users WHERE id IN ";
    assertThat(count(cluster.shard(0).primary(), ids + "(1, 1000)")).isEqualTo(2);
    assertThat(count(cluster.shard(1).primary(), ids + "(1001, 2000)")).isEqualTo(2);
    assertThat(count(cluster.shard(0).primary(), "SELECT count(*) FROM users")).isEqualTo(2);
    assertThat(count(cluster.shard(1).primary(), "SELECT count(*) FROM users")).isEqualTo(2);
  }

  @Test
  void readsAreServedByReplicasAndWritesByThePrimary() throws SQLException {
    ShardServers shard = cluster.shard(0);
    List<PostgresServer> replicas = shard.replicas();
    String reads =
        "SELECT coalesce(idx_scan, 0) + coalesce(seq_scan, 0) FROM pg_stat_user_tables"
            + " WHERE relname = 'visits'";
    String inserts = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'visits'";
    // A table of its own: the sessions of other tests report at times of their choosing.
    shard.primary().execute("CREATE TABLE visits (id bigint PRIMARY KEY, name text NOT NULL)");
    await()
        .untilAsserted(
            () ->
                assertThat(replicas)
                    .allMatch(
                        replica ->
                            count(replica, "SELECT count(*) FROM pg_class WHERE relname = 'visits'")
                                == 1));
    long readByPrimary = count(shard.primary(), reads);
    long readByFirst = count(replicas.get(0), reads);
    long readBySecond = count(replicas.get(1), reads);
    long inserted = count(shard.primary(), inserts);

    // A database of its own: a server session reports what it has done when it ends.
    WaymarkConfig config =
        Clusters.config(cluster)
            .withReads(
                new WaymarkConfig.Reads(Balancing.ROUND_ROBIN, "", Duration.ZERO, Duration.ZERO));
    try (ShardedDatabase own = ShardedDatabase.open(config)) {
      for (long id = 1; id <= 20; id++) {
        String insert = "INSERT INTO visits VALUES (" + id + ", 'user')";
        own.write(id, connection -> connection.createStatement().executeUpdate(insert));
      }
      awaitReplicasHave(own, 1);
      for (int i = 0; i < 100; i++) {
        long counted =
            own.<Long, SQLException>read(
                1,
                connection -> {
                  try (var statement = connection.createStatement();
                      ResultSet answer =
                          statement.executeQuery("SELECT count(*) FROM visits WHERE id = 1")) {
                    answer.next();
                    return answer.getLong(1);
                  }
                });
        assertThat(counted).isEqualTo(1);
      }
    }

    await()
        .untilAsserted(
            () -> {
              assertThat(count(shard.primary(), inserts) - inserted).isEqualTo(20);
              assertThat(count(replicas.get(0), reads) - readByFirst).isEqualTo(50);
              assertThat(count(replicas.get(1), reads) - readBySecond).isEqualTo(50);
              assertThat(count(shard.primary(), reads) - readByPrimary).isZero();
            });
  }

  @Test
  void aReadAfterAWriteNeverMissesItWhoeverLagsBehind() throws SQLException {
    ShardServers shard = cluster.shard(0);
    shard.replicas().get(0).pauseReplay();

    for (int i = 0; i < 300; i++) {
      String value = "value " + i;
      database.write(7, connection -> save(connection, 7, value));
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo(value);
    }
  }

  @Test
  void aReplicaThatCaughtUpBetweenTwoLooksIsAskedAndServes() throws SQLException {
    WaymarkConfig config =
        Clusters.config(cluster)
            .withMonitor(
                new WaymarkConfig.Monitor(
                    Duration.ofSeconds(30), Duration.ofSeconds(1), Duration.ofSeconds(30), 200));
    try (ShardedDatabase rarely = ShardedDatabase.open(config)) {
      rarely.write(7, connection -> save(connection, 7, "asked"));
      await()
          .untilAsserted(
              () -> {
                var read = rarely.<String, SQLException>readPositioned(7, c -> name(c, 7));
                assertThat(read.value()).isEqualTo("asked");
                assertThat(read.route().reason()).isEqualTo(Reason.REPLICA_WAS_ASKED);
              });
      // What one read has learnt serves the next one.
      assertThat(rarely.<String, SQLException>readPositioned(7, c -> name(c, 7)).route().role())
          .isEqualTo(Role.REPLICA);
    }
  }

  @Test
  void aSessionNeverGoesBackWhicheverReplicaLags() throws SQLException {
    ShardServers shard = cluster.shard(0);
    PostgresServer behind = shard.replicas().get(0);
    behind.pauseReplay();
    try {
      for (int i = 0; i < 50; i++) {
        String value = "step " + i;
        // Written elsewhere: this process knows nothing of it.
        shard
            .primary()
            .execute(
                "INSERT INTO users VALUES (9, '%s') ON CONFLICT (id) DO UPDATE SET name = '%1$s'"
                    .formatted(value));
        try (Session.Binding bound = database.newSession().bind()) {
          int seen = -1;
          for (int j = 0; j < 5; j++) {
            String name = database.<String, SQLException>read(9, c -> name(c, 9));
            int now = name == null ? -1 : Integer.parseInt(name.substring("step ".length()));
            assertThat(now).isGreaterThanOrEqualTo(seen);
            seen = now;
            // As another process would go on.
            Session resumed = database.resumeSession(database.currentSession().token());
            try (Session.Binding again = resumed.bind()) {
              String next = database.<String, SQLException>read(9, c -> name(c, 9));
              int then = next == null ? -1 : Integer.parseInt(next.substring("step ".length()));
              assertThat(then).isGreaterThanOrEqualTo(seen);
            }
          }
        }
      }
    } finally {
      behind.resumeReplay();
    }
  }

  @Test
  void aSessionSeesItsWriteInAnotherProcessThatHasItsToken() throws SQLException {
    try (ShardedDatabase elsewhere = ShardedDatabase.open(Clusters.config(cluster))) {
      cluster.shard(0).replicas().forEach(PostgresServer::pauseReplay);
      Session session = database.newSession();
      try (Session.Binding bound = session.bind()) {
        database.write(7, connection -> save(connection, 7, "new"));
      }

      assertThat(elsewhere.<String, SQLException>read(7, c -> name(c, 7))).isNull();
      try (Session.Binding bound = elsewhere.resumeSession(session.token()).bind()) {
        PositionedRead<String> read = elsewhere.readPositioned(7, c -> name(c, 7));
        assertThat(read.value()).isEqualTo("new");
        assertThat(read.route().reason()).isEqualTo(Reason.NO_REPLICA_IS_FRESH);
      }
    }
  }

  @Test
  void anotherKeysWriteDoesNotSendAReadToThePrimary() throws SQLException {
    cluster.shard(0).replicas().forEach(PostgresServer::pauseReplay);
    database.write(7, connection -> save(connection, 7, "new"));

    assertThat(database.explain(7).role()).isEqualTo(Role.PRIMARY);
    assertThat(database.explain(8).role()).isEqualTo(Role.REPLICA);
  }

  @Test
  void replicasServeAKeyAgainOnceTheyHaveReplayedItsWrite() throws SQLException {
    database.write(7, connection -> save(connection, 7, "new"));

    awaitReplicasHave(database, 7);
    assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("new");
  }

  @Test
  void anIdlePrimarysPositionAfterALogSwitchIsOneThatReplicasReach() throws SQLException {
    PostgresServer primary = cluster.shard(0).primary();
    try (Connection connection = primary.connect();
        var statement = connection.createStatement()) {
      statement.execute("SELECT pg_switch_wal()");
      LogPosition end;
      try (ResultSet answer = statement.executeQuery(EndOfLog.SELECT)) {
        answer.next();
        end = EndOfLog.read(answer, 1);
      }

      // An idle primary logs nothing for up to 15 seconds, so this shows the position itself.
      for (PostgresServer replica : cluster.shard(0).replicas()) {
        String reached =
            "SELECT (pg_last_wal_replay_lsn() >= '" + LogPosition.printLsn(end.lsn()) + "')::int";
        await().until(() -> count(replica, reached) == 1);
      }
      assertThat(end.lsn() % (16 << 20)).isZero();
    }
  }

  @Test
  void strongReadIsAnsweredByThePrimary() throws SQLException {
    PositionedRead<Boolean> read =
        database.readPositioned(7, Consistency.strong(), ShardedDatabaseIT::isInRecovery);

    assertThat(read.value()).isFalse();
    assertThat(read.route().toString())
        .isEqualTo(
            "shard-1 / "
                + cluster.shard(0).primary().name()
                + " (primary): strong consistency was asked for; shard map version 1");
  }

  @Test
  void readOfThePrimaryTellsWhichTransactionsItShows() throws Exception {
    long[] id = new long[1];
    database.transaction(
        7,
        open -> {
          save(open.connection(), 7, "new");
          id[0] = open.transactionId();
          PositionedRead<String> during =
              database.readPositioned(8, Consistency.strong(), c -> name(c, 7));
          assertThat(during.value()).isNotEqualTo("new");
          assertThat(during.snapshot().hasFinished(id[0])).isFalse();
          return null;
        });
    PositionedRead<String> after =
        database.readPositioned(7, Consistency.strong(), c -> name(c, 7));
    assertThat(after.value()).isEqualTo("new");
    assertThat(after.snapshot().hasFinished(id[0])).isTrue();
    assertThat(database.currentSession().seen().isCoveredBy(after.position())).isTrue();
  }

  @Test
  void readOfAReplicaTellsNoSnapshot() throws SQLException {
    PositionedRead<Boolean> read =
        database.readPositioned(7, Consistency.eventual(), ShardedDatabaseIT::isInRecovery);
    assertThat(read.value()).isTrue();
    assertThat(read.snapshot()).isNull();
    assertThat(read.position()).isNotNull();
  }

  @Test
  void horizonLiesBeyondEveryTransactionThatHasAnIdWhereasXmaxDoesNot() throws Exception {
    database.transaction(
        7,
        open -> {
          long running = open.transactionId();
          Horizon horizon = database.horizon("shard-1");
          assertThat(Long.compareUnsigned(horizon.transactionId(), running)).isPositive();
          assertThat(horizon.snapshot().hasFinished(running)).isFalse();
          // The trap: nothing with a greater id was over yet, so xmax is the running one's own.
          assertThat(horizon.snapshot().xmax()).isEqualTo(running);
          return null;
        });
    Horizon quiet = database.horizon("shard-1");
    assertThat(quiet.snapshot().xmin()).isEqualTo(quiet.transactionId());
    assertThatThrownBy(() -> database.horizon("shard-9"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("The shard map has no shard 'shard-9'; it has [shard-1");
  }

  @Test
  void boundedReadIsAnsweredByAReplicaOnlyWhileThatIsYoungEnough() throws SQLException {
    Consistency second = Consistency.boundedStaleness(Duration.ofSeconds(1));
    await()
        .untilAsserted(
            () ->
                assertThat(database.readPositioned(7, second, c -> isInRecovery(c)).value())
                    .isTrue());

    cluster.shard(0).replicas().forEach(PostgresServer::pauseReplay);
    cluster.shard(0).primary().execute("INSERT INTO users VALUES (500, 'moves the log on')");

    await()
        .untilAsserted(
            () ->
                assertThat(database.readPositioned(7, second, c -> isInRecovery(c)).value())
                    .isFalse());
  }

  @Test
  void aReadCannotWriteNotEvenOnThePrimary() {
    assertThatThrownBy(
            () -> database.read(7, Consistency.strong(), connection -> save(connection, 7, "no")))
        .isInstanceOf(SQLException.class)
        .extracting(failure -> ((SQLException) failure).getSQLState())
        .isEqualTo("25006");
  }

  @Test
  void theDatabaseItselfRefusesAMisplacedRow() {
    assertThatThrownBy(
            () -> database.write(1, connection -> save(connection, 1_001, "on the wrong shard")))
        .isInstanceOf(SQLException.class)
        .hasMessageContaining("waymark_users_key_range")
        .extracting(failure -> ((SQLException) failure).getSQLState())
        .isEqualTo("23514");
  }

  @Test
  void aMissingOrForeignConstraintIsFound() throws SQLException {
    assertThat(database.schema().verify()).isEmpty();
    PostgresServer primary = cluster.shard(1).primary();

    primary.execute("ALTER TABLE users DROP CONSTRAINT waymark_users_key_range");
    assertThat(database.schema().verify())
        .containsExactly("shard-2: table users has no constraint waymark_users_key_range");

    primary.execute(
        "ALTER TABLE users ADD CONSTRAINT waymark_users_key_range CHECK (id > 0) NOT VALID");
    assertThat(database.schema().verify())
        .containsExactly("shard-2: constraint waymark_users_key_range is not validated");
    primary.execute("ALTER TABLE users VALIDATE CONSTRAINT waymark_users_key_range");
    assertThat(database.schema().verify())
        .containsExactly(
            "shard-2: constraint waymark_users_key_range is CHECK ((id > 0)) and should be CHECK"
                + " ((\"id\" IS NOT NULL) AND (((\"id\" >= '1001'::bigint) AND (\"id\" <"
                + " '2001'::bigint))))");

    database.schema().install();
    assertThat(database.schema().verify()).isEmpty();
  }

  @Test
  void newKeysSpreadOverTheShardsAndNoneIsHandedOutTwice() {
    try (ShardedDatabase elsewhere = ShardedDatabase.open(Clusters.config(cluster))) {
      Set<Long> keys = new HashSet<>();
      for (int i = 0; i < 150; i++) {
        assertThat(keys.add(database.keys().next())).isTrue();
        assertThat(keys.add(elsewhere.keys().next())).isTrue();
      }

      assertThat(keys.stream().filter(key -> key <= 1_000)).hasSize(150);
      assertThat(keys).allMatch(key -> 1 <= key && key <= 2_000);
    }
  }

  @Test
  void aRangeThatIsUsedUpDealsNoKeyAndHindersNobody() throws SQLException {
    PostgresServer second = cluster.shard(1).primary();
    second.execute("SELECT setval('waymark_keys_from_1001', 2000, true)");
    try (ShardedDatabase fresh = ShardedDatabase.open(Clusters.config(cluster))) {
      for (int i = 0; i < 10; i++) {
        assertThat(fresh.keys().next()).isLessThanOrEqualTo(1_000);
      }
    } finally {
      second.execute("SELECT setval('waymark_keys_from_1001', 1001, false)");
    }
  }

  @Test
  void aSequenceFollowsTheMap() throws SQLException {
    try (ShardedDatabase shrunk =
        ShardedDatabase.open(
            Clusters.withMap(
                Clusters.config(cluster),
                map ->
                    ShardMap.of(
                        2,
                        map.shards(),
                        List.of(
                            map.ranges().get(0),
                            new OwnedRange(new KeyRange(1_001, 1_500), "shard-2")),
                        map.tables().values())))) {
      assertThat(shrunk.schema().verify())
          .contains("shard-2: sequence waymark_keys_from_1001 does not deal the keys [1001, 1500)");

      shrunk.schema().install();

      assertThat(shrunk.schema().verify()).isEmpty();
    } finally {
      database.schema().install();
    }
    assertThat(database.schema().verify()).isEmpty();
  }

  @Test
  void everyShardIsAskedAndTheRowsAreMergedInOrder() throws SQLException {
    for (long id : List.of(3L, 1_003L, 4L, 1_004L, 5L)) {
      database.write(id, connection -> save(connection, id, "user " + id));
    }

    Scatter<Long> scatter = database.onEveryShard(ShardedDatabaseIT::newestIds);

    assertThat(scatter.merge(Comparator.reverseOrder(), 4)).containsExactly(1_004L, 1_003L, 5L, 4L);
    assertThat(scatter.merge(Comparator.reverseOrder(), 100)).hasSize(5);
    assertThat(scatter.toList()).containsExactly(5L, 4L, 3L, 1_004L, 1_003L);
    assertThatThrownBy(() -> scatter.merge(Comparator.naturalOrder(), 4))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("add the ORDER BY");
  }

  @Test
  void whatOneShardThrowsReachesTheCallerOfAll() {
    assertThatThrownBy(
            () ->
                database.onEveryShard(
                    connection -> {
                      connection.createStatement().execute("SELECT 1 / 0");
                      return List.of();
                    }))
        .isInstanceOf(SQLException.class)
        .hasMessageContaining("division by zero");
  }

  @Test
  void aKeyThatNoShardOwnsIsRefused() {
    assertThatThrownBy(() -> database.read(2_001, connection -> 0))
        .isInstanceOf(NoShardForKeyException.class)
        .hasMessage(
            "No shard owns the key: it lies after the last range, [1001, 2001) on shard-2 (shard map"
                + " version 1). Nothing was sent, so the call may be repeated once the map has a"
                + " range for it.");
  }

  // ---- transactions -------------------------------------------------------------------------

  @Test
  void whatTheWorkThrowsRollsBackAndReachesTheCaller() throws SQLException {
    IllegalStateException thrown = new IllegalStateException("no");

    assertThatThrownBy(
            () ->
                database.write(
                    7,
                    connection -> {
                      save(connection, 7, "never");
                      throw thrown;
                    }))
        .isSameAs(thrown);

    assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isNull();
  }

  @Test
  void hooksLearnOfTheCommit() throws SQLException {
    Recorder recorder = new Recorder();

    long xid =
        database.transaction(
            7,
            transaction -> {
              transaction.join(recorder);
              save(transaction.connection(), 7, "new");
              return transaction.transactionId();
            });

    assertThat(xid).isPositive();
    assertThat(recorder.calls).hasSize(2);
    assertThat(recorder.calls.get(0)).isEqualTo("before commit of " + xid);
    assertThat(recorder.calls.get(1)).startsWith("committed");
    LogPosition position = recorder.position;
    assertThat(database.currentSession().seen().isCoveredBy(position)).isTrue();
  }

  @Test
  void hooksLearnOfTheRollback() {
    Recorder recorder = new Recorder();

    assertThatThrownBy(
            () ->
                database.transaction(
                    7,
                    transaction -> {
                      transaction.join(recorder);
                      throw new IllegalStateException("no");
                    }))
        .isInstanceOf(IllegalStateException.class);

    assertThat(recorder.calls).containsExactly("rolled back");
  }

  @Test
  void aHookCanRefuseTheCommit() throws SQLException {
    Recorder recorder = new Recorder();

    assertThatThrownBy(
            () ->
                database.transaction(
                    7,
                    transaction -> {
                      transaction.join(recorder);
                      transaction.join(
                          new TransactionHook() {
                            @Override
                            public void beforeCommit(Transaction refused) throws Exception {
                              throw new Exception("not today");
                            }
                          });
                      return save(transaction.connection(), 7, "never");
                    }))
        .isInstanceOf(WaymarkException.class)
        .hasMessage("A hook refused the commit on shard shard-1: not today. Nothing was written.")
        .extracting(failure -> ((WaymarkException) failure).outcome())
        .isEqualTo(Outcome.REJECTED);

    assertThat(recorder.calls).last().isEqualTo("rolled back");
    assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isNull();
  }

  @Test
  void aHookThatFailsAfterTheCommitStopsNobody() throws SQLException {
    Recorder recorder = new Recorder();

    database.transaction(
        7,
        transaction -> {
          transaction.join(
              new TransactionHook() {
                @Override
                public void afterCommit(LogPosition position) {
                  throw new IllegalStateException("expected by the test: logged, not thrown");
                }
              });
          transaction.join(recorder);
          return save(transaction.connection(), 7, "new");
        });

    assertThat(recorder.calls).hasSize(2);
    assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("new");
  }

  @Test
  void aSwallowedErrorDoesNotPassForACommit() {
    Recorder recorder = new Recorder();

    assertThatThrownBy(
            () ->
                database.transaction(
                    7,
                    transaction -> {
                      transaction.join(recorder);
                      save(transaction.connection(), 7, "never");
                      try {
                        transaction.connection().createStatement().execute("SELECT 1 / 0");
                      } catch (SQLException swallowed) {
                        // The test's point.
                      }
                      return 0;
                    }))
        .isInstanceOf(WaymarkException.class)
        .hasMessageContaining("a statement had failed and the work swallowed its error")
        .extracting(failure -> ((WaymarkException) failure).outcome())
        .isEqualTo(Outcome.REJECTED);

    assertThat(recorder.calls).last().isEqualTo("rolled back");
  }

  @Test
  void theWorkCannotEndTheTransactionItself() {
    assertThatThrownBy(
            () ->
                database.write(
                    7,
                    connection -> {
                      connection.commit();
                      return 0;
                    }))
        .isInstanceOf(SQLException.class)
        .hasMessage(
            "Waymark ends the transaction when the work returns or throws; commit() is not for the"
                + " work to call");
  }

  @Test
  void goingBackToASavepointIsCountedHoweverItIsSaid() throws SQLException {
    int[] counted = new int[6];
    database.transaction(
        7,
        transaction -> {
          Connection connection = transaction.connection();
          Savepoint savepoint = connection.setSavepoint("a");
          try (Statement statement = connection.createStatement();
              PreparedStatement prepared =
                  connection.prepareStatement("ROLLBACK TO SAVEPOINT \"a\"")) {
            statement.execute("UPDATE users SET name = 'rollback' WHERE id = 7");
            // For the one that was prepared, and is not carried out yet.
            counted[0] = transaction.rollbacksToSavepoint();
            prepared.execute();
            counted[1] = transaction.rollbacksToSavepoint();
            statement.execute("rollback work\n to \"a\"");
            counted[2] = transaction.rollbacksToSavepoint();
            connection.rollback(savepoint);
            counted[3] = transaction.rollbacksToSavepoint();
            prepared.execute();
            counted[4] = transaction.rollbacksToSavepoint();
            connection.releaseSavepoint(savepoint);
            counted[5] = transaction.rollbacksToSavepoint();
          }
          return null;
        });
    assertThat(counted).containsExactly(1, 2, 3, 4, 5, 5);
  }

  @Test
  void theWorkMayUseSavepoints() throws SQLException {
    database.write(
        7,
        connection -> {
          save(connection, 7, "kept");
          Savepoint savepoint = connection.setSavepoint();
          save(connection, 7, "taken back");
          connection.rollback(savepoint);
          return 0;
        });

    assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("kept");
  }

  @Test
  void aTransactionThatAReadsWorkLeftOpenDoesNotReachTheNextReader() throws SQLException {
    database.write(7, connection -> save(connection, 7, "old"));
    for (int i = 0; i < 16; i++) {
      database.read(
          7,
          Consistency.strong(),
          connection -> {
            connection.createStatement().execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
            return name(connection, 7);
          });
    }
    database.write(7, connection -> save(connection, 7, "new"));

    for (int i = 0; i < 16; i++) {
      String seen = database.read(7, Consistency.strong(), connection -> name(connection, 7));
      assertThat(seen).isEqualTo("new");
    }
  }

  @Test
  void aReplicasRefusalInsideAWriteIsNoFaultOfThePrimary() {
    assertThatThrownBy(
            () ->
                database.write(
                    7, outer -> database.read(7, inner -> save(inner, 7, "a read that writes"))))
        .isInstanceOf(SQLException.class);

    assertThat(database.nodes()).allMatch(NodeStatus::isUp);
  }

  @Test
  void aSlowStatementIsCutOffAtTheDeadlineAndTakesNoNodeDown() {
    try (ShardedDatabase hasty =
        ShardedDatabase.open(
            Clusters.config(cluster)
                .withCalls(
                    new WaymarkConfig.Calls(Duration.ofSeconds(1), Consistency.session())))) {
      assertThatThrownBy(
              () -> hasty.read(7, c -> c.createStatement().execute("SELECT pg_sleep(60)")))
          .isInstanceOf(UnavailableException.class)
          .hasMessageStartingWith("Shard shard-1 had no answer in time for key #");

      assertThat(hasty.nodes()).allMatch(NodeStatus::isUp);
      // Nor does it go on without its caller, holding back the replica's replay.
      String sleeping =
          "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
              + " AND state = 'active'";
      for (PostgresServer replica : cluster.shard(0).replicas()) {
        await().until(() -> count(replica, sleeping) == 0);
      }
    }
  }

  @Test
  void aCallAfterCloseSaysSo() {
    ShardedDatabase closed = ShardedDatabase.open(Clusters.config(cluster));
    closed.close();

    assertThatThrownBy(() -> closed.write(7, connection -> 0))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("The database is closed");
  }

  @Test
  void commitsThroughAPlainDataSourceAreSeenByTheSession() throws SQLException {
    cluster.shard(0).replicas().forEach(PostgresServer::pauseReplay);

    try (Connection connection = database.dataSource(7).getConnection()) {
      save(connection, 7, "auto-commit");
    }
    assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("auto-commit");

    try (Connection connection = database.dataSource(7).getConnection()) {
      connection.setAutoCommit(false);
      save(connection, 7, "committed");
      connection.commit();
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("committed");
      save(connection, 7, "rolled back by close");
    }
    assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("committed");
  }

  // ---- tokens -------------------------------------------------------------------------------

  @Test
  void aTokenOfAnotherDatabaseIsRefused() {
    String foreign =
        SessionTokenFormat.unsigned().print(SessionToken.of(new LogPosition(7, 1, 100)));

    assertThatThrownBy(() -> database.resumeSession(foreign))
        .isInstanceOf(InvalidSessionTokenException.class)
        .hasMessage(
            "The session token was refused: it belongs to another database. Nothing was sent, so the"
                + " call may be repeated without it; read with strong consistency to be sure to see"
                + " earlier writes.");
  }

  @Test
  void aForgedPositionOnlySendsItsBearerToThePrimary() throws SQLException {
    long system = database.nodes().get(0).position().systemId();
    String ahead =
        SessionTokenFormat.unsigned()
            .print(SessionToken.of(new LogPosition(system, 1, Long.MAX_VALUE)));

    try (Session.Binding bound = database.resumeSession(ahead).bind()) {
      assertThat(database.<Boolean, SQLException>read(7, ShardedDatabaseIT::isInRecovery))
          .isFalse();
    }
  }

  @Test
  void aTokenWithoutTheSecretsSignatureIsRefused() {
    try (ShardedDatabase signed =
        ShardedDatabase.open(
            Clusters.config(cluster)
                .withTokens(SessionTokenFormat.signedWith("a secret of some length")))) {
      String unsigned = database.currentSession().token();

      assertThatThrownBy(() -> signed.resumeSession(unsigned))
          .isInstanceOf(InvalidSessionTokenException.class)
          .hasMessageContaining("it is not signed");
    }
  }

  @Test
  void aUrlsTlsSettingReachesTheDriver() {
    try (ShardedDatabase insisting =
        ShardedDatabase.open(
            Clusters.config(cluster, server -> server.url() + "?sslmode=require"))) {
      // The cluster's servers offer none, and nothing falls back to plain text.
      assertThat(insisting.nodes())
          .hasSize(6)
          .allSatisfy(node -> assertThat(node.trouble()).contains("does not support SSL"));
    }
  }

  @Test
  void closingLeavesNoThread() {
    ShardedDatabase closing = ShardedDatabase.open(Clusters.config(cluster));
    closing.onEveryShard(connection -> List.of());
    assertThat(threads("waymark-monitor-")).isEqualTo(12);
    closing.close();
    closing.close();

    // Six are the shared database's own.
    await().untilAsserted(() -> assertThat(threads("waymark-monitor-")).isEqualTo(6));
    await().untilAsserted(() -> assertThat(threads("waymark-fan-out-")).isLessThanOrEqualTo(2));
  }

  private static long threads(String prefix) {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith(prefix))
        .count();
  }

  private static boolean isInRecovery(Connection connection) throws SQLException {
    try (var statement = connection.createStatement();
        ResultSet answer = statement.executeQuery("SELECT pg_is_in_recovery()")) {
      answer.next();
      return answer.getBoolean(1);
    }
  }

  private static List<Long> newestIds(Connection connection) throws SQLException {
    try (var statement = connection.createStatement();
        ResultSet answer = statement.executeQuery("SELECT id FROM users ORDER BY id DESC")) {
      List<Long> ids = new ArrayList<>();
      while (answer.next()) {
        ids.add(answer.getLong(1));
      }
      return ids;
    }
  }

  private static void awaitReplicasHave(ShardedDatabase in, long key) {
    await()
        .untilAsserted(
            () -> {
              LiveShard shard = in.shards().get(0);
              ShardView view = shard.view();
              assertThat(view.nodes())
                  .allMatch(node -> shard.recentWrites().areShownBy(view, node, key));
            });
  }

  private static final class Recorder implements TransactionHook {
    final List<String> calls = new ArrayList<>();
    LogPosition position;

    @Override
    public void beforeCommit(Transaction transaction) {
      calls.add("before commit of " + transaction.transactionId());
    }

    @Override
    public void afterCommit(LogPosition at) {
      position = at;
      calls.add("committed at " + at);
    }

    @Override
    public void afterRollback() {
      calls.add("rolled back");
    }

    @Override
    public void outcomeUnknown() {
      calls.add("unknown");
    }
  }
}
