package dev.waymark.benchmarks;

import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * Reads and writes on real servers: three shards, each a primary and a replica. One JVM for each
 * class path keeps its contenders open; they take turns in short slices, in an order drawn by lot.
 */
final class DatabaseRun {
  private static final int SHARDS = 3;
  private static final int KEYS_PER_SHARD = 10_000;
  private static final int POOL_SIZE = 16;
  static final List<String> CONTENDERS =
      List.of(
          Summary.RAW,
          Summary.NULL_CONTROL,
          "waymark-keyed",
          "waymark-datasource",
          "spring",
          "aws",
          "aws-rw",
          "shardingsphere",
          "shardingsphere-rw");

  /** Spring and AWS' wrapper ask one shard at a time, so an application would do it by hand. */
  private static final List<String> WHO_SCATTERS =
      List.of(
          Summary.RAW,
          Summary.NULL_CONTROL,
          "waymark-datasource",
          "shardingsphere",
          "shardingsphere-rw");

  private final Bench bench;
  private final DatabaseClients clients;

  private DatabaseRun(Bench bench, DatabaseClients clients) {
    this.bench = bench;
    this.clients = clients;
  }

  static List<String> groups() {
    return Arrays.stream(Operation.values()).map(Operation::group).toList();
  }

  static void run(Bench bench) throws IOException {
    if (!bench.wantsAny(groups())) {
      return;
    }
    try (TestCluster cluster = cluster(bench);
        DatabaseClients clients = new DatabaseClients(bench, topology(cluster), CONTENDERS)) {
      DatabaseRun run = new DatabaseRun(bench, clients);
      for (Operation operation : Operation.values()) {
        bench.measure(operation.group(), () -> run.measure(operation));
      }
    } finally {
      bench.cores().release();
    }
  }

  /** The servers, with their tables and users. */
  static TestCluster cluster(Bench bench) {
    TestCluster cluster =
        bench
            .cores()
            .start(
                TestCluster.builder()
                    .shards(SHARDS)
                    .replicas(1)
                    .setting("max_connections", "300")
                    .setting("shared_buffers", "64MB"));
    for (int i = 0; i < SHARDS; i++) {
      cluster
          .shard(i)
          .primary()
          .execute(Users.schema(1 + (long) i * KEYS_PER_SHARD, KEYS_PER_SHARD));
    }
    return cluster;
  }

  static Topology topology(TestCluster cluster) {
    List<Topology.Nodes> shards = new ArrayList<>();
    for (ShardServers shard : cluster.shards()) {
      shards.add(
          new Topology.Nodes(
              shard.primary().url(), shard.replicas().stream().map(PostgresServer::url).toList()));
    }
    PostgresServer any = cluster.shard(0).primary();
    return new Topology(shards, any.user(), any.password(), KEYS_PER_SHARD, POOL_SIZE);
  }

  private void measure(Operation operation) throws IOException {
    List<String> contenders =
        operation.reach() == Operation.Reach.ALL_SHARDS ? WHO_SCATTERS : CONTENDERS;
    // Before the first slice of any, so that no compiler works in the slices of others.
    for (String contender : contenders) {
      clients.warmUp(contender, operation);
    }
    List<Integer> threads =
        operation.reach() == Operation.Reach.ALL_SHARDS ? List.of(1, 4) : List.of(1, 4, 16);
    for (int each : threads) {
      measure(operation, contenders, each);
    }
  }

  private void measure(Operation operation, List<String> contenders, int threads)
      throws IOException {
    int rounds = bench.effort().of(7, 2);
    int millis = bench.effort().of(200, 100);
    String group = operation.group() + (threads == 1 ? "" : "-" + threads);
    System.out.printf(Locale.ROOT, "%s: %d rounds of slices of %d ms%n", group, rounds, millis);
    Map<String, List<ClientJvm.Slice>> slices = new LinkedHashMap<>();
    contenders.forEach(contender -> slices.put(contender, new ArrayList<>()));
    Random lot = new Random(threads);
    for (int round = 0; round < rounds; round++) {
      List<String> order = new ArrayList<>(contenders);
      Collections.shuffle(order, lot);
      for (String contender : order) {
        slices
            .computeIfAbsent(contender, name -> new ArrayList<>())
            .add(clients.slice(contender, operation, threads, millis));
      }
    }
    SliceResults results = new SliceResults(group, threads, slices);
    results.addTo(bench.summary());
    results.write(bench.folder().resolve(group + ".json"));
  }
}
