package dev.waymark.routing;

import static dev.waymark.routing.Clusters.count;
import static dev.waymark.routing.Shards.column;
import static dev.waymark.routing.Shards.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.NodeState;
import dev.waymark.Outcome;
import dev.waymark.OwnedRange;
import dev.waymark.Route;
import dev.waymark.Route.Reason;
import dev.waymark.RoutingListener;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLTransientConnectionException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** What JDBC's callers are told when servers die under them: one shard, a primary and a replica. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DataSourceFaultsIT {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final ExecutorService another = Executors.newCachedThreadPool();
  private final List<Throwable> lost = new CopyOnWriteArrayList<>();
  private final List<Object> changes = new CopyOnWriteArrayList<>();
  private TestCluster cluster;
  private PostgresServer primary;
  private PostgresServer replica;
  private ShardedDatabase database;

  @BeforeAll
  void start() throws SQLException {
    cluster = TestCluster.builder().shards(1).replicas(1).start();
    primary = cluster.shard(0).primary();
    replica = cluster.shard(0).replicas().get(0);
    try (ShardedDatabase any = ShardedDatabase.open(config(server -> server.url()))) {
      Clusters.createSchema(cluster, any);
    }
    primary.execute(
        """
        CREATE FUNCTION impostors_friend() RETURNS int LANGUAGE plpgsql VOLATILE AS
          $$ BEGIN UPDATE users SET name = 'written' WHERE id = 7; RETURN 7; END $$;
        CREATE FUNCTION impostor() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
          $$ BEGIN RETURN impostors_friend(); END $$;
        """);
  }

  @AfterAll
  void stop() {
    another.shutdownNow();
    cluster.close();
  }

  private WaymarkConfig config(Clusters.UrlOf url) {
    return Clusters.config(cluster, url)
        .withPool(new WaymarkConfig.Pool(4, Duration.ofSeconds(5), Duration.ofSeconds(5)));
  }

  @BeforeEach
  void open() {
    primary.execute(
        "INSERT INTO users VALUES (7, 'first') ON CONFLICT (id) DO UPDATE SET name = 'first'");
    lost.clear();
    database =
        ShardedDatabase.open(
            config(server -> server.url()),
            new RoutingListener() {
              @Override
              public void readLost(Route route, Throwable failure) {
                lost.add(failure);
              }

              @Override
              public void nodeChanged(RoutingListener.NodeChange change) {
                if (change.after() == NodeState.SUSPECT) {
                  changes.add(change);
                }
              }
            });
    await()
        .atMost(PATIENCE)
        .untilAsserted(
            () -> {
              assertThat(database.explain(7).reason()).isEqualTo(Reason.REPLICA_IS_FRESH);
              try (Connection direct = replica.connect()) {
                assertThat(column(direct, "SELECT name FROM users WHERE id = 7"))
                    .containsExactly("first");
              }
            });
  }

  @AfterEach
  void nothingIsLeft() {
    await()
        .untilAsserted(
            () ->
                assertThat(database.nodes())
                    .allMatch(
                        node ->
                            node.pools().reads().active() + node.pools().writes().active() == 0));
    database.close();
  }

  // ---- nodes that die under a statement -----------------------------------------------------

  /** Whether a statement on a server waits for a lock on the users. */
  private static boolean isWaited(PostgresServer server) {
    return count(
            server,
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass")
        > 0;
  }

  /**
   * Runs work that reads the users on the replica, kills that while the read is under way, and
   * gives what the work gave. A lock on the primary's table holds the replica's readers as well.
   */
  private <T> T whileTheReplicaDies(Callable<T> work) throws Exception {
    try (Connection locker = primary.connect()) {
      locker.setAutoCommit(false);
      update(locker, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
      // The lock is in the log, which a commit sends on.
      primary.execute("SELECT pg_logical_emit_message(true, 'test', '')");
      await()
          .atMost(PATIENCE)
          .until(
              () ->
                  count(
                          replica,
                          "SELECT count(*) FROM pg_locks WHERE granted AND relation ="
                              + " 'users'::regclass AND mode = 'AccessExclusiveLock'")
                      == 1);
      Future<T> running = another.submit(work);
      await().atMost(PATIENCE).until(() -> isWaited(replica));
      // The readers there stay held, and elsewhere they are not.
      replica.pauseReplay();
      locker.rollback();
      replica.kill();
      return running.get();
    } finally {
      replica.start();
    }
  }

  private static String name(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(50);
      try (var rows = statement.executeQuery("SELECT name FROM users WHERE id = 7")) {
        assertThat(rows.next()).isTrue();
        return rows.getString(1);
      }
    }
  }

  @Test
  void aReadWhoseReplicaDiesIsAnsweredByAnotherNodeOnce() throws Exception {
    try (Connection connection = database.dataSource().getConnection()) {
      assertThat(name(connection)).isEqualTo("first");
      assertThat(whileTheReplicaDies(() -> name(connection))).isEqualTo("first");
      assertThat(lost).hasSize(1);
    }
  }

  @Test
  void aReadOnlyTransactionWhoseReplicaDiesSaysThatNothingWasWritten() throws Exception {
    try (Connection connection = database.dataSource().getConnection()) {
      connection.setAutoCommit(false);
      connection.setReadOnly(true);
      assertThat(name(connection)).isEqualTo("first");
      connection.commit();
      assertThatThrownBy(
              () -> {
                try {
                  whileTheReplicaDies(() -> name(connection));
                } catch (ExecutionException failure) {
                  throw failure.getCause();
                }
              })
          .satisfies(failure -> isLostNode(failure, replica));
      connection.rollback();
    }
  }

  private static final String ABORTED = " /* to be aborted */";

  private interface Running {
    void on(Statement statement) throws SQLException;
  }

  /** What a statement's caller is told when its connection is aborted while it runs on a server. */
  private Throwable abortedOn(PostgresServer server, Running work) throws Exception {
    String isRunning =
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%to be aborted%'"
            + " AND pid <> pg_backend_pid()";
    Connection aborted = database.dataSource().getConnection();
    Future<Throwable> told =
        another.submit(
            () -> {
              try (Statement statement = aborted.createStatement()) {
                return catchThrowable(() -> work.on(statement));
              }
            });
    await().atMost(PATIENCE).until(() -> count(server, isRunning) == 1 || told.isDone());
    changes.clear();
    aborted.abort(Runnable::run);
    Throwable failure = told.get();
    await().atMost(PATIENCE).until(() -> count(server, isRunning) == 0);
    return failure;
  }

  @Test
  void anAbortedProcedureThatHasCommittedIsToldAsUnknown() throws Exception {
    primary.execute(
        """
        CREATE OR REPLACE PROCEDURE half_done() LANGUAGE plpgsql AS
          $$ BEGIN
            UPDATE users SET name = 'kept' WHERE id = 7; COMMIT;
            PERFORM count(*) FROM generate_series(1, 100000000000);
          END $$;
        """);
    assertThat(
            abortedOn(primary, s -> s.execute("/* waymark: key=7 */ CALL half_done()" + ABORTED)))
        .isInstanceOfSatisfying(
            SQLException.class, failure -> assertThat(failure.getSQLState()).isEqualTo("08007"))
        .hasMessageContaining("Whether it has written is unknown");
    assertThat(count(primary, "SELECT count(*) FROM users WHERE name = 'kept'")).isOne();
  }

  @Test
  void anAbortedBatchTellsWhatItCameTo() throws Exception {
    assertThat(
            abortedOn(
                primary,
                s -> {
                  s.addBatch(
                      "UPDATE users SET name = (SELECT count(*) FROM generate_series(1, 100000000000))::text"
                          + " WHERE id = 7"
                          + ABORTED);
                  s.executeBatch();
                }))
        .isInstanceOfSatisfying(
            BatchUpdateException.class,
            failure ->
                assertThat(failure.getUpdateCounts()).containsExactly(Statement.EXECUTE_FAILED))
        .hasMessageContaining("was aborted while its statement ran. Nothing was written");
    assertThat(changes).isEmpty();
  }

  /** It is not the node's fault, and a read must not be asked again of another one. */
  @Test
  void anAbortBlamesNoNodeAndLeavesNothingRunning() throws Exception {
    for (String sql :
        List.of(
            "SELECT (SELECT count(*) FROM generate_series(1, 100000000000)) FROM users WHERE id = 7",
            "UPDATE users SET name = (SELECT count(*) FROM generate_series(1, 100000000000))::text"
                + " WHERE id = 7")) {
      assertThat(
              abortedOn(
                  sql.startsWith("SELECT") ? replica : primary, s -> s.execute(sql + ABORTED)))
          .isInstanceOf(SQLNonTransientConnectionException.class)
          .hasMessageContaining("was aborted while its statement ran. Nothing was written");
      assertThat(changes).as(sql).isEmpty();
      assertThat(lost).as(sql).isEmpty();
    }
  }

  private static void awaitFreshReplica(ShardedDatabase of) {
    await().atMost(PATIENCE).until(() -> of.explain(7).reason() == Reason.REPLICA_IS_FRESH);
  }

  /** The map with one more shard, of a server that nobody has ever seen. */
  private static ShardMap withAnAbsentShard(ShardMap map) {
    List<Shard> shards = new ArrayList<>(map.shards());
    shards.add(new Shard("absent", List.of(Node.at("jdbc:postgresql://127.0.0.1:1/app"))));
    List<OwnedRange> ranges = new ArrayList<>(map.ranges());
    long end = ranges.get(ranges.size() - 1).range().to();
    ranges.add(new OwnedRange(new KeyRange(end, end + 100), "absent"));
    return ShardMap.of(map.version(), shards, ranges, List.copyOf(map.tables().values()));
  }

  @Test
  void aShardThatIsDownTakesNoReadsOfOthersOffTheirReplicas() throws Exception {
    WaymarkConfig config =
        Clusters.withMap(config(server -> server.url()), DataSourceFaultsIT::withAnAbsentShard);
    try (ShardedDatabase wider = ShardedDatabase.open(config);
        Connection connection = wider.dataSource().getConnection()) {
      awaitFreshReplica(wider);
      // Taken for a read, as the catalogue proves that the function does not write.
      assertThat(column(connection, "SELECT inet_server_port() FROM users WHERE id = 7"))
          .containsExactly(String.valueOf(replica.port()));
      // The catalogue is read again for this.
      update(connection, "/* waymark: key=7 */ CREATE TABLE IF NOT EXISTS unused ()");
      awaitFreshReplica(wider);
      assertThat(column(connection, "SELECT inet_server_port() FROM users WHERE id = 7"))
          .containsExactly(String.valueOf(replica.port()));
    } finally {
      primary.execute("DROP TABLE IF EXISTS unused");
    }
  }

  private static void isLostNode(Throwable failure, PostgresServer node) {
    assertThat(failure)
        .isInstanceOf(SQLTransientConnectionException.class)
        .hasFieldOrPropertyWithValue("SQLState", "08006")
        .hasMessageContaining("lost its node " + node.name() + " under a transaction")
        .hasMessageContaining("Nothing was written, so the transaction may be repeated")
        .hasCauseInstanceOf(UnavailableException.class);
    assertThat(((UnavailableException) failure.getCause()).outcome()).isEqualTo(Outcome.REJECTED);
  }

  @Test
  void aTransactionWhosePrimaryDiesSaysThatNothingWasWritten() throws Exception {
    for (boolean isBatch : new boolean[] {false, true}) {
      try (Connection connection = database.dataSource().getConnection();
          Connection across = database.dataSourceAcrossShards().getConnection()) {
        for (Connection each : new Connection[] {connection, across}) {
          each.setAutoCommit(false);
        }
        assertThat(update(connection, "UPDATE users SET name = 'never' WHERE id = 7")).isOne();
        assertThat(update(across, "INSERT INTO users VALUES (8, 'never')")).isOne();
        primary.kill();
        for (Connection each : new Connection[] {connection, across}) {
          assertThatThrownBy(() -> write(each, isBatch))
              .satisfies(
                  failure ->
                      isLostNode(
                          failure instanceof BatchUpdateException batch
                              ? batch.getCause()
                              : failure,
                          primary));
          assertThatThrownBy(each::commit)
              .isInstanceOf(SQLException.class)
              .matches(failure -> !"08007".equals(((SQLException) failure).getSQLState()));
        }
      } finally {
        primary.start();
      }
      assertThat(count(primary, "SELECT count(*) FROM users WHERE name = 'never'")).isZero();
      awaitPrimary();
    }
  }

  private static void write(Connection connection, boolean isBatch) throws SQLException {
    String sql = "UPDATE users SET name = 'never again' WHERE id = 7";
    if (isBatch) {
      try (Statement batch = connection.createStatement()) {
        batch.addBatch(sql);
        batch.executeBatch();
      }
    } else {
      update(connection, sql);
    }
  }

  private void awaitPrimary() {
    await()
        .atMost(PATIENCE)
        .ignoreExceptions()
        .untilAsserted(
            () -> assertThat(database.<Boolean, SQLException>write(9, unused -> true)).isTrue());
  }

  // ---- answers that are lost ----------------------------------------------------------------

  private void isUnknown(ThrowingCallable call) {
    assertThatThrownBy(call)
        .satisfies(
            thrown -> {
              Throwable failure =
                  thrown instanceof BatchUpdateException batch ? batch.getCause() : thrown;
              assertThat(thrown).hasFieldOrPropertyWithValue("SQLState", "08007");
              assertThat(failure)
                  .isInstanceOf(SQLNonTransientConnectionException.class)
                  .hasMessageContaining("Whether the transaction was committed is unknown");
            });
  }

  @Test
  void aLostAnswerToACommitIsSqlState08007() throws SQLException {
    try (TcpProxy proxy = TcpProxy.to(primary.host(), primary.port());
        ShardedDatabase behind =
            ShardedDatabase.open(
                config(
                    server ->
                        server == primary
                            ? server.url().replace(":" + server.port(), ":" + proxy.port())
                            : server.url()))) {
      for (var source : List.of(behind.dataSource(), behind.dataSourceAcrossShards())) {
        try (Connection connection = source.getConnection()) {
          connection.setAutoCommit(false);
          update(connection, "UPDATE users SET name = name || '!' WHERE id = 7");
          proxy.cutNextAnswerContaining("COMMIT");
          isUnknown(connection::commit);
          connection.rollback();
          connection.setAutoCommit(true);

          proxy.cutNextAnswerContaining("COMMIT");
          isUnknown(() -> update(connection, "UPDATE users SET name = name || '!' WHERE id = 7"));

          try (Statement batch = connection.createStatement()) {
            batch.addBatch("UPDATE users SET name = name || '!' WHERE id = 7");
            proxy.cutNextAnswerContaining("COMMIT");
            isUnknown(batch::executeBatch);
          }
        }
      }
      // Each of them had been committed, once.
      assertThat(count(primary, "SELECT count(*) FROM users WHERE name = 'first!!!!!!'")).isOne();
    }
  }

  // ---- on one shard there is no doubt where a write belongs ----------------------------------

  @Test
  void aReadThatTurnsOutToWriteIsPartOfTheTransaction() throws SQLException {
    int number = 0;
    for (var source : List.of(database.dataSource(), database.dataSourceAcrossShards())) {
      try (Connection connection = source.getConnection()) {
        connection.setAutoCommit(false);
        assertThat(column(connection, "SELECT impostor() AS a" + number++)).containsExactly("7");
        connection.rollback();
        assertThat(count(primary, "SELECT count(*) FROM users WHERE name = 'first'")).isOne();
        assertThat(column(connection, "SELECT impostor() AS a" + number++)).containsExactly("7");
        connection.commit();
        assertThat(count(primary, "SELECT count(*) FROM users WHERE name = 'written'")).isOne();
        update(connection, "UPDATE users SET name = 'first' WHERE id = 7");
        connection.commit();
      }
    }
  }
}
