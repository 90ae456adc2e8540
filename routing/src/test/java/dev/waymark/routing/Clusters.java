package dev.waymark.routing;

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
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Configurations and statements for tests on a real cluster. Each shard owns 1,000 keys. */
final class Clusters {
  static final int KEYS_PER_SHARD = 1_000;

  private Clusters() {}

  static WaymarkConfig config(TestCluster cluster) {
    return config(cluster, server -> server.url());
  }

  /** As the other, with URLs of the test's choosing: a proxy's, for instance. */
  static WaymarkConfig config(TestCluster cluster, UrlOf url) {
    List<Shard> shards = new ArrayList<>();
    List<OwnedRange> ranges = new ArrayList<>();
    long from = 1;
    for (ShardServers servers : cluster.shards()) {
      shards.add(
          new Shard(
              servers.name(),
              servers.servers().stream()
                  .map(server -> new Node(server.name(), url.of(server)))
                  .toList()));
      ranges.add(new OwnedRange(new KeyRange(from, from + KEYS_PER_SHARD), servers.name()));
      from += KEYS_PER_SHARD;
    }
    PostgresServer any = cluster.servers().get(0);
    return WaymarkConfig.of(
            ShardMap.of(1, shards, ranges, List.of(new Table.Sharded("users", "id"))),
            new Credentials(any.user(), any.password()))
        .withPool(new WaymarkConfig.Pool(4, Duration.ofSeconds(1), Duration.ofSeconds(1)));
  }

  interface UrlOf {
    String of(PostgresServer server);
  }

  static WaymarkConfig withMap(WaymarkConfig config, UnaryOperator<ShardMap> change) {
    return new WaymarkConfig(
        change.apply(config.map()),
        config.credentials(),
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
  }

  /** Creates the users table on every shard, and what Waymark adds. */
  static void createSchema(TestCluster cluster, ShardedDatabase database) throws SQLException {
    for (LiveShard shard : database.shards()) {
      database.writeOn(
          shard,
          transaction -> {
            try (var statement = transaction.connection().createStatement()) {
              return statement.execute(
                  "CREATE TABLE IF NOT EXISTS users (id bigint PRIMARY KEY, name text NOT NULL)");
            }
          });
    }
    database.schema().install();
  }

  static int save(Connection connection, long id, String name) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "INSERT INTO users VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name")) {
      statement.setLong(1, id);
      statement.setString(2, name);
      return statement.executeUpdate();
    }
  }

  static @Nullable String name(Connection connection, long id) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT name FROM users WHERE id = ?")) {
      statement.setLong(1, id);
      try (ResultSet answer = statement.executeQuery()) {
        return answer.next() ? answer.getString(1) : null;
      }
    }
  }

  static long count(PostgresServer server, String sql) {
    try (Connection connection = server.connect();
        var statement = connection.createStatement();
        ResultSet answer = statement.executeQuery(sql)) {
      answer.next();
      return answer.getLong(1);
    } catch (SQLException failure) {
      throw new IllegalStateException(failure);
    }
  }
}
