package dev.waymark.testkit;

import static dev.waymark.testkit.ClusterIT.ask;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.net.SocketTimeoutException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Every test leaves one primary and two streaming replicas; which node is which may change. */
@Timeout(120)
class PostgresServerIT {

  private static final Duration SOON = Duration.ofSeconds(30);

  private static TestCluster cluster;
  private static ShardServers shard;

  @BeforeAll
  static void start() {
    cluster = TestCluster.builder().replicas(2).start();
    shard = cluster.shard(0);
    shard.primary().execute("CREATE TABLE facts (id bigint GENERATED ALWAYS AS IDENTITY)");
  }

  @AfterAll
  static void close() {
    cluster.close();
  }

  @BeforeEach
  void everyReplicaIsUpToDate() {
    assertThat(shard.replicas()).hasSize(2);
    shard.replicas().forEach(replica -> awaitFacts(replica, facts(shard.primary())));
  }

  @Test
  void killedPrimaryComesBackWithWhatWasCommitted() throws SQLException {
    PostgresServer primary = shard.primary();
    int port = primary.port();
    write(primary);
    long facts = facts(primary);
    try (Connection open = primary.connect()) {
      primary.kill();

      assertThat(primary.isRunning()).isFalse();
      assertThatThrownBy(primary::pid).hasMessageEndingWith("does not run; start it first");
      assertThat(open.isValid(1)).isFalse();
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(primary::connect)
          .satisfies(e -> assertThat(e.getSQLState()).isEqualTo("08001"));
      assertThatThrownBy(shard::primary)
          .hasMessageStartingWith("shard-1 has no primary now (")
          .hasMessageContaining(primary.name() + " is down");
    }
    primary.start();

    assertThat(primary.port()).isEqualTo(port);
    assertThat(facts(primary)).isEqualTo(facts);
    write(primary);
    shard.replicas().forEach(replica -> awaitFacts(replica, facts + 1));
  }

  @Test
  void stoppedReplicaCatchesUpWhenStarted() {
    PostgresServer replica = shard.replicas().get(0);
    replica.stop();
    assertThat(shard.replicas()).doesNotContain(replica).hasSize(1);
    write(shard.primary());

    replica.start();

    awaitFacts(replica, facts(shard.primary()));
    assertThatThrownBy(replica::start).hasMessageContaining("runs already, with pid");
  }

  @Test
  void frozenNodeHangsQueriesAndNewConnectionsUntilThawed() throws Exception {
    PostgresServer replica = shard.replicas().get(0);
    String url = replica.url() + "?socketTimeout=1&loginTimeout=1";
    try (Connection open = DriverManager.getConnection(url, replica.user(), replica.password());
        Statement statement = open.createStatement()) {
      replica.freeze();

      assertThat(replica.isRunning()).isTrue();
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(() -> statement.executeQuery("SELECT 1"))
          .withCauseInstanceOf(SocketTimeoutException.class);
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(() -> DriverManager.getConnection(url, replica.user(), replica.password()));
      assertThat(shard.replicas()).doesNotContain(replica);
      assertThatThrownBy(replica::stop).hasMessageContaining("thaw it, or kill it");
    }
    write(shard.primary());

    replica.thaw();

    awaitFacts(replica, facts(shard.primary()));
  }

  @Test
  void queryThatWasAskedWhileFrozenIsAnsweredAfterThaw() throws Exception {
    PostgresServer primary = shard.primary();
    try (Connection open = primary.connect();
        Statement statement = open.createStatement()) {
      primary.freeze();
      CompletableFuture<Boolean> answer =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return statement.execute("SELECT 1");
                } catch (SQLException e) {
                  throw new IllegalStateException(e);
                }
              });
      primary.thaw();
      assertThat(answer).succeedsWithin(SOON).isEqualTo(true);
    }
  }

  @Test
  void pausedReplayShowsNothingNewUntilResumed() {
    PostgresServer replica = shard.replicas().get(0);
    replica.pauseReplay();
    long before = facts(replica);
    write(shard.primary());
    // The other replica shows it, so it has had the time to arrive.
    awaitFacts(shard.replicas().get(1), before + 1);
    assertThat(facts(replica)).isEqualTo(before);

    replica.resumeReplay();

    awaitFacts(replica, before + 1);
  }

  @Test
  void replayDelayKeepsACommitBackForThatLong() {
    PostgresServer replica = shard.replicas().get(0);
    replica.replayDelay(Duration.ofMinutes(10));
    long before = facts(replica);
    write(shard.primary());
    awaitFacts(shard.replicas().get(1), before + 1);
    assertThat(facts(replica)).isEqualTo(before);

    replica.replayDelay(Duration.ZERO);

    awaitFacts(replica, before + 1);
    assertThatThrownBy(() -> replica.replayDelay(Duration.ofMillis(-1)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void promotedReplicaTakesWritesAndTheOthersFollow() {
    PostgresServer old = shard.primary();
    PostgresServer next = shard.replicas().get(0);
    PostgresServer other = shard.replicas().get(1);
    old.kill();

    next.promote();

    assertThat(shard.primary()).isEqualTo(next);
    write(next);
    other.follow(next);
    awaitFacts(other, facts(next));

    old.rejoin(next);

    assertThat(shard.replicas()).containsExactlyInAnyOrder(old, other);
    awaitFacts(old, facts(next));
  }

  @Test
  void oldPrimaryStartedAgainIsASecondOneUntilItRejoins() {
    PostgresServer old = shard.primary();
    PostgresServer next = shard.replicas().get(0);
    PostgresServer other = shard.replicas().get(1);
    old.kill();
    next.promote();
    old.start();

    write(old);
    assertThat(shard.primary()).isEqualTo(next);

    old.rejoin(next);
    other.rejoin(next);

    assertThat(shard.primary()).isEqualTo(next);
    awaitFacts(old, facts(next));
    awaitFacts(other, facts(next));
  }

  @Test
  void copyTakenUnderWritesMissesNone() throws Exception {
    PostgresServer primary = shard.primary();
    PostgresServer replica = shard.replicas().get(0);
    var stop = new java.util.concurrent.atomic.AtomicBoolean();
    CompletableFuture<Void> writer =
        CompletableFuture.runAsync(
            () -> {
              while (!stop.get()) {
                write(primary);
              }
            });
    replica.rejoin(primary);
    stop.set(true);
    assertThat(writer).succeedsWithin(SOON);

    awaitFacts(replica, facts(primary));
  }

  @Test
  void addedReplicaStreamsAndOutlivesARestart() throws Exception {
    try (TestCluster single = TestCluster.builder().start()) {
      ShardServers alone = single.shard(0);
      alone.primary().execute("CREATE TABLE facts (id bigint GENERATED ALWAYS AS IDENTITY)");
      write(alone.primary());

      PostgresServer added = alone.addReplica();

      assertThat(added.name()).isEqualTo("shard-1-b");
      assertThat(alone.servers()).hasSize(2);
      assertThat(alone.replicas()).containsExactly(added);
      awaitFacts(added, 1);
      added.kill();
      added.start();
      awaitFacts(added, 1);
      assertThatThrownBy(single::redis)
          .hasMessage("This cluster has no Redis; ask for one with TestCluster.builder().redis()");
    }
  }

  @Test
  void lostPostmasterIsSeenAndReplaced() {
    PostgresServer replica = shard.replicas().get(0);
    boolean ended =
        ProcessHandle.of(replica.pid()).map(ProcessHandle::destroyForcibly).orElse(false);
    assumeTrue(
        ended || ServerHome.chosen() == ServerHome.EMBEDDED,
        "A container's process belongs to another user, or to a virtual machine");
    assertThat(ended).isTrue();
    await().atMost(SOON).until(() -> !replica.isRunning());

    replica.start();

    awaitFacts(replica, facts(shard.primary()));
  }

  @Test
  void slotsAndPreparedTransactionsAreThere() throws SQLException {
    PostgresServer primary = shard.primary();
    primary.execute("SELECT pg_create_logical_replication_slot('probe', 'pgoutput')");
    primary.execute("SELECT pg_drop_replication_slot('probe')");
    assertThat(ask(primary, "SHOW max_prepared_transactions")).isEqualTo("50");
    assertThat(List.of("0", "off")).contains(ask(primary, "SHOW track_io_timing"));
  }

  private static void write(PostgresServer primary) {
    primary.execute("INSERT INTO facts DEFAULT VALUES");
  }

  private static long facts(PostgresServer server) {
    try {
      return Long.parseLong(ask(server, "SELECT count(*) FROM facts"));
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void awaitFacts(PostgresServer server, long facts) {
    await().atMost(SOON).until(() -> facts(server) == facts);
  }
}
