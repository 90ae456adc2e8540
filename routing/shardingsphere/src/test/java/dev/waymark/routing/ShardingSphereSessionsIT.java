package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
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

  @Test
  void aSessionSeesItsWritesOnReplicasThatAreHeldBack() throws SQLException {
    try (TestCluster cluster = TestCluster.builder().shards(2).replicas(1).start()) {
      for (ShardServers servers : cluster.shards()) {
        servers
            .primary()
            .execute(
                "CREATE TABLE users (id bigint PRIMARY KEY, age int); GRANT ALL ON users TO PUBLIC");
      }
      try (ShardedDatabase database = open(cluster);
          ShardedDatabase other = open(cluster);
          Session.Binding bound = database.newSession().bind();
          Connection connection = database.dataSource().getConnection();
          Connection second = other.dataSource().getConnection();
          Statement statement = connection.createStatement()) {
        for (int round = 1; round <= 20; round++) {
          for (ShardServers servers : cluster.shards()) {
            servers.replicas().get(0).pauseReplay();
          }
          statement.executeUpdate("INSERT INTO users VALUES (" + round + ", " + round + ")");
          statement.executeUpdate(
              "INSERT INTO users VALUES (" + (100 + round) + ", " + -round + ")");
          assertThat(one(connection, "SELECT count(DISTINCT age) FROM users"))
              .isEqualTo(String.valueOf(2 * round));
          for (ShardServers servers : cluster.shards()) {
            servers.replicas().get(0).resumeReplay();
          }
        }
        // Two databases in one process keep apart.
        assertThat(one(second, "SELECT count(DISTINCT id) FROM users")).isNotNull();
      }
    }
  }
}
