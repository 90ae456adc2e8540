package dev.waymark.routing;

import static dev.waymark.routing.Clusters.name;
import static dev.waymark.routing.Clusters.save;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import dev.waymark.Consistency;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
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
        ShardedDatabase.open(withPoolOf(1, within(Duration.ofMillis(700))))) {
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
    ShardedDatabase database = ShardedDatabase.open(within(Duration.ofMillis(700)));
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

      assertThat(met.get())
          .isInstanceOf(UnavailableException.class)
          .hasMessageContaining("no free connection for a read");
      assertThat(database.<String, SQLException>read(7, c -> name(c, 7))).isEqualTo("second");
    }
  }
}
