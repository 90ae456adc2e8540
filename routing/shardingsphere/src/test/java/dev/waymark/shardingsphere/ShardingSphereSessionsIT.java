package dev.waymark.shardingsphere;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** A session sees through ShardingSphere what it has written. */
class ShardingSphereSessionsIT {
  private static String one(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      rows.next();
      return rows.getString(1);
    }
  }

  private static ShardedDatabase open(TestCluster cluster) {
    List<Shard> shards = new ArrayList<>();
    List<OwnedRange> ranges = new ArrayList<>();
    long from = 1;
    for (ShardServers servers : cluster.shards()) {
      List<Node> nodes = new ArrayList<>();
      for (PostgresServer server : servers.servers()) {
        nodes.add(new Node(server.name(), server.url()));
      }
      shards.add(new Shard(servers.name(), nodes));
      ranges.add(new OwnedRange(new KeyRange(from, from + 100), servers.name()));
      from += 100;
    }
    PostgresServer any = cluster.servers().get(0);
    return ShardedDatabase.open(
        WaymarkConfig.of(
            ShardMap.of(1, shards, ranges, List.of(new Table.Sharded("users", "id"))),
            new Credentials(any.user(), any.password())));
  }

  private static TestCluster cluster(int replicas) {
    TestCluster cluster = TestCluster.builder().shards(2).replicas(replicas).start();
    for (ShardServers servers : cluster.shards()) {
      PostgresServer primary = servers.primary();
      primary.execute(
          "CREATE TABLE users (id bigint PRIMARY KEY, age int); ALTER TABLE users OWNER TO "
              + primary.user()
              + "; GRANT CREATE ON SCHEMA public TO PUBLIC");
    }
    return cluster;
  }

  @Test
  void aSessionSeesItsWritesOnReplicasThatAreHeldBack() throws SQLException {
    try (TestCluster cluster = cluster(1);
        ShardedDatabase database = open(cluster);
        Session.Binding bound = database.newSession().bind();
        Connection connection = database.dataSource().getConnection();
        Statement statement = connection.createStatement()) {
      for (int round = 1; round <= 20; round++) {
        for (ShardServers servers : cluster.shards()) {
          servers.replicas().get(0).pauseReplay();
        }
        statement.executeUpdate("INSERT INTO users VALUES (" + round + ", " + round + ")");
        statement.executeUpdate("INSERT INTO users VALUES (" + (100 + round) + ", " + -round + ")");
        assertThat(one(connection, "SELECT count(DISTINCT age) FROM users"))
            .isEqualTo(String.valueOf(2 * round));
        for (ShardServers servers : cluster.shards()) {
          servers.replicas().get(0).resumeReplay();
        }
      }
    }
    assertThat(KeyOwners.openDatabases()).isEmpty();
  }

  @Test
  void aColumnThatIsAddedLaterIsKnown() throws SQLException {
    String question = "SELECT count(DISTINCT size) FROM users";
    try (TestCluster cluster = cluster(0)) {
      try (ShardedDatabase database = open(cluster);
          ShardedDatabase other = open(cluster);
          Connection connection = database.dataSource().getConnection();
          Connection elsewhere = other.dataSource().getConnection();
          Statement statement = connection.createStatement()) {
        statement.executeUpdate("INSERT INTO users VALUES (1, 1)");
        statement.executeUpdate("INSERT INTO users VALUES (101, 2)");
        for (Connection either : List.of(connection, elsewhere)) {
          assertThat(one(either, "SELECT count(DISTINCT age) FROM users")).isEqualTo("2");
          assertThatThrownBy(() -> one(either, question)).isInstanceOf(SQLException.class);
        }
        Set<String> before = KeyOwners.openDatabases();
        assertThat(before).hasSize(2);

        for (int key : List.of(1, 101)) {
          statement.executeUpdate(
              "/* waymark: key=" + key + " */ ALTER TABLE users ADD COLUMN size int DEFAULT 3");
        }
        assertThat(one(connection, question)).isEqualTo("1");
        // By another process: its first failure has the catalogue read again.
        Awaitility.await()
            .atMost(Duration.ofMinutes(1))
            .ignoreExceptions()
            .until(() -> one(elsewhere, question).equals("1"));

        // What was started before is closed, and what has nothing to do with it starts nothing.
        Set<String> after = KeyOwners.openDatabases();
        assertThat(after).hasSize(2).doesNotContainAnyElementsOf(before);
        statement.executeUpdate("/* waymark: key=1 */ CREATE TABLE others (id int)");
        statement.executeUpdate("/* waymark: key=101 */ CREATE TABLE others (id int)");
        assertThat(one(connection, question)).isEqualTo("1");
        assertThat(KeyOwners.openDatabases()).isEqualTo(after);
      }
    }
    assertThat(KeyOwners.openDatabases()).isEmpty();
  }
}
