package dev.waymark.benchmarks;

import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.ToDoubleFunction;

/**
 * Reads of which most hit in a cache, and 10 % writes, end to end: cache, Redis and three shards
 * with a replica each. One contender at a time is open, so that the statements which the servers
 * have counted meanwhile are its own: its monitor's, too.
 */
final class MixedRun {
  private static final String GROUP = "mixed";
  private static final int SHARDS = 3;
  private static final int KEYS_PER_SHARD = 10_000;
  private static final int POOL_SIZE = 8;
  private static final long WARM_UP_CALLS = 60_000;
  private static final String COUNTED = "[0-9]+( -?[0-9]+){8}";
  private static final List<String> CONTENDERS =
      List.of(
          Summary.RAW,
          Summary.NULL_CONTROL,
          "waymark",
          "waymark-session",
          "caffeine",
          "jetcache",
          "redisson");

  private final Bench bench;
  private final TestCluster cluster;
  private final Topology topology;

  private MixedRun(Bench bench, TestCluster cluster) {
    this.bench = bench;
    this.cluster = cluster;
    List<Topology.Nodes> shards = new ArrayList<>();
    for (ShardServers shard : cluster.shards()) {
      shards.add(
          new Topology.Nodes(
              shard.primary().url(), shard.replicas().stream().map(PostgresServer::url).toList()));
    }
    PostgresServer any = cluster.shard(0).primary();
    this.topology = new Topology(shards, any.user(), any.password(), KEYS_PER_SHARD, POOL_SIZE);
  }

  /**
   * One round of one contender.
   *
   * @param onPrimaries statements that primaries have run meanwhile
   * @param onReplicas statements that replicas have run meanwhile
   */
  private record Round(MixedClient.Counted done, long onPrimaries, long onReplicas) {
    double onPrimariesOfACall() {
      return (double) onPrimaries / done.operations();
    }

    double onReplicasOfACall() {
      return (double) onReplicas / done.operations();
    }
  }

  static void run(Bench bench) throws IOException {
    bench.measure(
        GROUP,
        () -> {
          try (TestCluster cluster =
              bench
                  .cores()
                  .start(
                      TestCluster.builder()
                          .shards(SHARDS)
                          .replicas(1)
                          .redis()
                          .setting("max_connections", "200")
                          .setting("shared_buffers", "64MB")
                          .setting("shared_preload_libraries", "pg_stat_statements"))) {
            new MixedRun(bench, cluster).measure();
          } catch (SQLException failed) {
            throw new IllegalStateException(failed);
          } finally {
            bench.cores().release();
          }
        });
  }

  private void measure() throws IOException, SQLException {
    for (int i = 0; i < SHARDS; i++) {
      cluster
          .shard(i)
          .primary()
          .execute(Profiles.schema(1 + (long) i * KEYS_PER_SHARD, KEYS_PER_SHARD));
    }
    Map<String, List<Round>> rounds = new LinkedHashMap<>();
    CONTENDERS.forEach(contender -> rounds.put(contender, new ArrayList<>()));
    Random lot = new Random(7);
    for (int round = 0; round < bench.effort().of(2, 1); round++) {
      System.out.println(GROUP + ": round " + (round + 1));
      List<String> order = new ArrayList<>(CONTENDERS);
      Collections.shuffle(order, lot);
      for (String contender : order) {
        rounds
            .computeIfAbsent(contender, name -> new ArrayList<>())
            .add(round(contender, contender + "-" + round));
      }
    }
    add(rounds, Metric.counted("queries_on_primaries", "1/call"), Round::onPrimariesOfACall);
    add(rounds, Metric.counted("queries_on_replicas", "1/call"), Round::onReplicasOfACall);
    add(
        rounds,
        Metric.OPERATIONS,
        each -> each.done().operations() * 1e9 / each.done().wallNanos());
    add(rounds, Metric.wall("read_p50_us", "us"), each -> micros(each.done().readP50()));
    add(rounds, Metric.wall("read_p99_us", "us"), each -> micros(each.done().readP99()));
    add(rounds, Metric.wall("write_p50_us", "us"), each -> micros(each.done().writeP50()));
    add(rounds, Metric.wall("write_p99_us", "us"), each -> micros(each.done().writeP99()));
    add(rounds, Metric.CPU, each -> (double) each.done().cpuNanos() / each.done().operations());
    add(
        rounds,
        Metric.counted("stale_of_a_million", "reads"),
        each -> each.done().stale() * 1e6 / each.done().reads());
  }

  private static double micros(long nanos) {
    return nanos < 0 ? Double.NaN : nanos / 1e3;
  }

  private void add(Map<String, List<Round>> rounds, Metric metric, ToDoubleFunction<Round> figure) {
    rounds.forEach(
        (contender, own) ->
            bench
                .summary()
                .add(GROUP, contender, metric, own.stream().mapToDouble(figure).toArray()));
  }

  private Round round(String contender, String cacheName) throws IOException, SQLException {
    try (ClientProcess client =
        ClientProcess.start(
            MixedClient.class,
            bench.classPaths().of(contender),
            bench.folder().resolve("clients.log"),
            topology.asProperties(),
            List.of(contender, cluster.redis().url(), cacheName))) {
      var unused = client.answer("ready");
      // By calls and not by time: else who is slow at first is measured with a cache that is empty.
      client.send(bench.effort().of(15_000, 2_000) + " " + WARM_UP_CALLS);
      unused = client.answer(COUNTED);
      long onPrimaries = statements(Node.PRIMARY);
      long onReplicas = statements(Node.REPLICA);
      client.send(bench.effort().of(2_000, 1_000) + " " + Long.MAX_VALUE);
      MixedClient.Counted done = MixedClient.Counted.ofLine(client.answer(COUNTED));
      return new Round(
          done, statements(Node.PRIMARY) - onPrimaries, statements(Node.REPLICA) - onReplicas);
    }
  }

  private enum Node {
    PRIMARY,
    REPLICA
  }

  /** All that the servers have counted so far, but for this question itself. */
  private long statements(Node node) throws SQLException {
    long calls = 0;
    for (ShardServers shard : cluster.shards()) {
      PostgresServer server = node == Node.PRIMARY ? shard.primary() : shard.replicas().get(0);
      try (Connection connection = server.connect();
          Statement statement = connection.createStatement();
          ResultSet row =
              statement.executeQuery(
                  "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE"
                      + " '%pg_stat_statements%'")) {
        row.next();
        calls += row.getLong(1);
      }
    }
    return calls;
  }
}
