package dev.waymark.history;

import dev.waymark.history.Checker.Findings;
import dev.waymark.history.Checker.Rule;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The registers that histories are made of, on a cluster of their own: one row for each key, whose
 * version grows by one with each write. Replication is synchronous, so that an acknowledged write
 * survives a promotion. Each node is reached through a proxy.
 */
final class Registers {
  private final TestCluster cluster;
  private final int keysPerShard;
  private final int replicas;
  private final Map<PostgresServer, TcpProxy> proxies;

  private Registers(
      TestCluster cluster, int keysPerShard, int replicas, Map<PostgresServer, TcpProxy> proxies) {
    this.cluster = cluster;
    this.keysPerShard = keysPerShard;
    this.replicas = replicas;
    this.proxies = Map.copyOf(proxies);
  }

  /** The servers that registers need. */
  static TestCluster.Builder cluster(int shards, int replicas) {
    return TestCluster.builder()
        .shards(shards)
        .replicas(replicas)
        .setting("synchronous_standby_names", "ANY 1 (*)")
        // The testkit's own work does not wait for replicas that are yet to come.
        .setting("synchronous_commit", "local")
        .setting("max_connections", "60");
  }

  /**
   * Makes the tables and the proxies.
   *
   * @param proxies takes the proxies, one for each node; the caller closes them
   */
  static Registers create(
      TestCluster cluster, int keysPerShard, int replicas, Map<PostgresServer, TcpProxy> proxies) {
    for (PostgresServer server : cluster.servers()) {
      proxies.put(server, TcpProxy.to(server.host(), server.port()));
    }
    Registers registers = new Registers(cluster, keysPerShard, replicas, proxies);
    registers.createTables();
    return registers;
  }

  private void createTables() {
    for (int i = 0; i < cluster.shards().size(); i++) {
      long from = firstKey(i);
      PostgresServer primary = cluster.shard(i).primary();
      primary.execute(
          "CREATE TABLE registers (id bigint PRIMARY KEY, version bigint NOT NULL, writer bigint"
              + " NOT NULL, CHECK (id >= %d AND id < %d)); ".formatted(from, from + keysPerShard)
              // No unique key on purpose: a write applied twice must show.
              + "CREATE TABLE applied (id bigint NOT NULL, writer bigint NOT NULL); "
              // The workers' own role, and not the one that runs this.
              + "ALTER ROLE %s SET synchronous_commit = on; ".formatted(primary.user())
              + "INSERT INTO registers SELECT id, 0, 0 FROM generate_series(%d, %d) AS id"
                  .formatted(from, from + keysPerShard - 1));
    }
  }

  long firstKey(int shard) {
    return 1 + (long) shard * keysPerShard;
  }

  long shardOf(long key) {
    return (key - 1) / keysPerShard;
  }

  TcpProxy proxy(PostgresServer server) {
    TcpProxy proxy = proxies.get(server);
    if (proxy == null) {
      throw new IllegalStateException("No proxy for " + server);
    }
    return proxy;
  }

  /** The configuration by which a worker finds the registers. */
  String yaml(int poolSize, Duration deadline) {
    StringBuilder yaml = new StringBuilder("version: 1\ntables: {registers: {key: id}}\nshards:\n");
    StringBuilder ranges = new StringBuilder("ranges:\n");
    List<ShardServers> shards = cluster.shards();
    for (int i = 0; i < shards.size(); i++) {
      ShardServers shard = shards.get(i);
      yaml.append("  ").append(shard.name()).append(":\n    nodes:\n");
      for (PostgresServer server : shard.servers()) {
        String url =
            server
                .url()
                .replace(server.host() + ":" + server.port(), "127.0.0.1:" + proxy(server).port());
        yaml.append("      - {url: \"%s\", name: %s}%n".formatted(url, server.name()));
      }
      ranges.append(
          "  - {from: %d, to: %d, shard: %s}%n"
              .formatted(firstKey(i), firstKey(i + 1), shard.name()));
    }
    PostgresServer any = cluster.servers().get(0);
    return yaml.append(ranges)
        .append("credentials: {user: %s, password: \"%s\"}%n".formatted(any.user(), any.password()))
        .append("pool: {size: %d}%n".formatted(poolSize))
        .append("calls: {deadline: %ds}%n".formatted(deadline.toSeconds()))
        .append("session: {secret: \"not a secret: a test of one machine\"}\n")
        .toString();
  }

  /** The next fault may take away any one node only when all replicas stream again. */
  void awaitStreaming(ShardServers shard) throws InterruptedException {
    long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (ask(
            shard.primary(), "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        < replicas) {
      if (System.nanoTime() > end) {
        throw new IllegalStateException("The replicas of " + shard + " do not stream");
      }
      Thread.sleep(20);
    }
  }

  static long ask(PostgresServer server, String sql) {
    try (Connection connection = server.connect();
        Statement statement = connection.createStatement();
        ResultSet answer = statement.executeQuery(sql)) {
      answer.next();
      return answer.getLong(1);
    } catch (SQLException failure) {
      throw new IllegalStateException(sql + " on " + server, failure);
    }
  }

  /** Holds the rows against the history, and returns the version of each key. */
  Map<Long, Long> checkRows(List<Operation> history, Findings findings) throws SQLException {
    Map<Long, Long> versions = new HashMap<>();
    Map<Long, Integer> applied = new HashMap<>();
    for (int i = 0; i < cluster.shards().size(); i++) {
      try (Connection connection = cluster.shard(i).primary().connect();
          Statement statement = connection.createStatement()) {
        try (ResultSet rows = statement.executeQuery("SELECT id, version FROM registers")) {
          while (rows.next()) {
            long key = rows.getLong(1);
            versions.put(key, rows.getLong(2));
            if (shardOf(key) != i) {
              findings.add(Rule.PLACE, "key " + key + " on " + cluster.shard(i));
            }
          }
        }
        try (ResultSet rows = statement.executeQuery("SELECT writer FROM applied")) {
          while (rows.next()) {
            applied.merge(rows.getLong(1), 1, Integer::sum);
          }
        }
      }
    }
    Checker.checkRows(history, versions, applied, findings);
    return versions;
  }
}
