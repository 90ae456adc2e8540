package dev.waymark.benchmarks;

import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
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
  private static final List<Integer> THREADS = List.of(1, 4, 16);
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

  private final Bench bench;
  private final Map<String, ClientProcess> clients = new LinkedHashMap<>();

  private DatabaseRun(Bench bench) {
    this.bench = bench;
  }

  static List<String> groups() {
    List<String> groups = new ArrayList<>();
    for (Operation operation : Operation.values()) {
      groups.add(operation.group());
    }
    return groups;
  }

  static void run(Bench bench) throws IOException {
    List<Operation> wanted = new ArrayList<>();
    for (Operation operation : Operation.values()) {
      if (bench.wants(operation.group())) {
        wanted.add(operation);
      }
    }
    if (wanted.isEmpty()) {
      return;
    }
    try (TestCluster cluster = cluster(bench)) {
      new DatabaseRun(bench).run(topology(cluster), wanted);
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

  private void run(Topology topology, List<Operation> wanted) throws IOException {
    Map<String, List<String>> byClassPath = new LinkedHashMap<>();
    for (String contender : CONTENDERS) {
      byClassPath
          .computeIfAbsent(bench.classPaths().of(contender), path -> new ArrayList<>())
          .add(contender);
    }
    try {
      for (Map.Entry<String, List<String>> each : byClassPath.entrySet()) {
        Path log = bench.folder().resolve("clients.log");
        ClientProcess client =
            ClientProcess.start(
                ClientJvm.class,
                each.getKey(),
                log,
                topology.asProperties(),
                List.of(String.join(",", each.getValue())));
        each.getValue().forEach(contender -> clients.put(contender, client));
      }
      for (ClientProcess client : List.copyOf(new java.util.LinkedHashSet<>(clients.values()))) {
        client.answer("ready");
      }
      warmUp(wanted);
      for (Operation operation : wanted) {
        for (int threads : THREADS) {
          measure(operation, threads);
        }
        bench.summary().save();
      }
    } finally {
      new java.util.LinkedHashSet<>(clients.values()).forEach(ClientProcess::close);
    }
  }

  /** ShardingSphere needs more than 25 s: 434 us per operation fall to 19 in that time. */
  private void warmUp(List<Operation> wanted) throws IOException {
    for (String contender : CONTENDERS) {
      boolean isSlow = contender.startsWith("shardingsphere");
      System.out.println("Warming up " + contender);
      int seconds = isSlow ? 28 : 2;
      for (Operation operation : wanted) {
        slice(contender, operation, 4, bench.effort().of(seconds * 1_000, 200));
        seconds = isSlow ? 8 : 1;
      }
    }
  }

  private void measure(Operation operation, int threads) throws IOException {
    int rounds = bench.effort().of(9, 2);
    int millis = bench.effort().of(300, 100);
    String group = operation.group() + (threads == 1 ? "" : "-" + threads);
    System.out.printf(Locale.ROOT, "%s: %d rounds of slices of %d ms%n", group, rounds, millis);
    Map<String, List<ClientJvm.Slice>> slices = new LinkedHashMap<>();
    CONTENDERS.forEach(contender -> slices.put(contender, new ArrayList<>()));
    Random lot = new Random(threads);
    for (int round = 0; round < rounds; round++) {
      List<String> order = new ArrayList<>(CONTENDERS);
      Collections.shuffle(order, lot);
      for (String contender : order) {
        slices
            .computeIfAbsent(contender, name -> new ArrayList<>())
            .add(slice(contender, operation, threads, millis));
      }
    }
    SliceResults results = new SliceResults(group, threads, slices);
    results.addTo(bench.summary());
    results.write(bench.folder().resolve(group + ".json"));
  }

  private ClientJvm.Slice slice(String contender, Operation operation, int threads, int millis)
      throws IOException {
    ClientProcess client = clients.get(contender);
    if (client == null) {
      throw new IllegalStateException(contender + " has no JVM");
    }
    client.send(contender + " " + operation.group() + " " + threads + " " + millis);
    return ClientJvm.Slice.ofLine(client.answer("[0-9 ]+"));
  }
}
