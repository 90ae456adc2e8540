package dev.waymark.benchmarks;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Time lines of faults on one shard with two replicas: a replica is killed and comes back, a
 * replica hangs and goes on, the primary is killed and a replica promoted. Each contender meets
 * each fault on servers of its own.
 */
final class FaultRun {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
  private static final int KEYS = 10_000;

  private final Bench bench;

  private FaultRun(Bench bench) {
    this.bench = bench;
  }

  /** What goes wrong. */
  private enum Fault {
    REPLICA_KILLED(
        "replica-killed",
        Operation.POINT_READ,
        List.of("waymark-keyed", "raw", "aws-rw", "shardingsphere-rw")) {
      @Override
      void strike(ShardServers shard) {
        shard.replicas().get(0).kill();
      }

      @Override
      void mend(ShardServers shard, PostgresServer replica) {
        replica.start();
      }
    },
    REPLICA_HUNG(
        "replica-hung",
        Operation.POINT_READ,
        List.of("waymark-keyed", "raw", "aws-rw", "shardingsphere-rw")) {
      @Override
      void strike(ShardServers shard) {
        shard.replicas().get(0).freeze();
      }

      @Override
      void mend(ShardServers shard, PostgresServer replica) {
        replica.thaw();
      }
    },
    PRIMARY_PROMOTED("primary-promoted", Operation.UPDATE, List.of("waymark-keyed", "raw")) {
      @Override
      void strike(ShardServers shard) {
        PostgresServer heir = shard.replicas().get(0);
        shard.primary().kill();
        heir.promote();
      }

      @Override
      void mend(ShardServers shard, PostgresServer replica) {}
    };

    private final String group;
    private final Operation operation;
    private final List<String> contenders;

    Fault(String group, Operation operation, List<String> contenders) {
      this.group = group;
      this.operation = operation;
      this.contenders = contenders;
    }

    abstract void strike(ShardServers shard);

    /**
     * Undoes it.
     *
     * @param replica that was the first before
     */
    abstract void mend(ShardServers shard, PostgresServer replica);
  }

  /**
   * One contender through one fault.
   *
   * @param mendedAtMillis after the fault
   * @param longestMillis of the calls that ended after the fault
   */
  record Line(List<Tick> ticks, long mendedAtMillis, double longestMillis) {}

  /**
   * A tenth of a second.
   *
   * @param millis at which it began, from the fault on
   * @param calls that ended in it
   * @param failed of them
   * @param p99Millis of those that were under way in it; negative if there was none
   */
  record Tick(long millis, long calls, long failed, double p99Millis) {}

  static List<String> groups() {
    List<String> groups = new ArrayList<>();
    for (Fault fault : Fault.values()) {
      groups.add(fault.group);
    }
    return groups;
  }

  static void run(Bench bench) throws IOException {
    try {
      for (Fault fault : Fault.values()) {
        bench.measure(fault.group, () -> measure(bench, fault));
      }
    } finally {
      bench.cores().release();
    }
  }

  private static void measure(Bench bench, Fault fault) throws IOException, InterruptedException {
    Map<String, Line> lines = new LinkedHashMap<>();
    for (String contender : fault.contenders) {
      System.out.println(fault.group + ": " + contender);
      lines.put(contender, new FaultRun(bench).line(fault, contender));
    }
    lines.forEach((contender, line) -> add(bench, fault.group, contender, line));
    keep(bench, fault.group, lines);
  }

  private Line line(Fault fault, String contender) throws IOException, InterruptedException {
    try (TestCluster cluster = bench.cores().start(TestCluster.builder().shards(1).replicas(2))) {
      ShardServers shard = cluster.shard(0);
      shard.primary().execute(Users.schema(1, KEYS));
      PostgresServer any = shard.primary();
      Topology topology =
          new Topology(
              List.of(
                  new Topology.Nodes(
                      any.url(), shard.replicas().stream().map(PostgresServer::url).toList())),
              any.user(),
              any.password(),
              KEYS,
              10);
      PostgresServer replica = shard.replicas().get(0);
      try (ClientProcess client =
          ClientProcess.start(
              FaultClient.class,
              bench.classPaths().of(contender),
              bench.folder().resolve("clients.log"),
              topology.asProperties(),
              List.of(contender, fault.operation.group()))) {
        client.answer("ready");
        // The time line is what is measured: these are its lengths, not waits for something.
        boolean isSlow = contender.startsWith("shardingsphere");
        Thread.sleep(bench.effort().of(isSlow ? 12_000 : 4_000, 1_500));
        client.send("mark");
        client.answer("marked");
        long struckAt = System.nanoTime();
        fault.strike(shard);
        Thread.sleep(bench.effort().of(5_000, 1_000));
        fault.mend(shard, replica);
        long mendedAt = (System.nanoTime() - struckAt) / 1_000_000;
        Thread.sleep(bench.effort().of(4_000, 1_000));
        client.send("stop");
        return read(client, mendedAt);
      }
    }
  }

  private static Line read(ClientProcess client, long mendedAt) throws IOException {
    List<Tick> ticks = new ArrayList<>();
    while (true) {
      String[] words = client.answer("(tick|end) .*").split(" ");
      if (words[0].equals("end")) {
        return new Line(ticks, mendedAt, Long.parseLong(words[1]) / 1e3);
      }
      ticks.add(
          new Tick(
              Long.parseLong(words[1]) * FaultClient.TICK_MILLIS,
              Long.parseLong(words[2]),
              Long.parseLong(words[3]),
              Long.parseLong(words[4]) / 1e3));
    }
  }

  private static void add(Bench bench, String group, String contender, Line line) {
    // The second before the fault says what is normal.
    double before =
        line.ticks().stream()
            .filter(tick -> tick.millis() >= -1_000 && tick.millis() < 0)
            .mapToDouble(Tick::p99Millis)
            .max()
            .orElse(Double.NaN);
    List<Tick> after = line.ticks().stream().filter(tick -> tick.millis() >= 0).toList();
    long failed = after.stream().mapToLong(Tick::failed).sum();
    // Recovered is who has no failed call from then on, and no slower ones than five times before.
    long recovered =
        after.stream()
            .filter(
                tick -> tick.failed() > 0 || tick.p99Millis() < 0 || tick.p99Millis() > 5 * before)
            .mapToLong(tick -> tick.millis() + FaultClient.TICK_MILLIS)
            .max()
            .orElse(0);
    Summary summary = bench.summary();
    summary.add(group, contender, Metric.counted("failed", "calls"), failed);
    summary.add(group, contender, Metric.wall("p99_before_ms", "ms"), before);
    summary.add(
        group,
        contender,
        Metric.wall("p99_after_ms", "ms"),
        after.stream()
            .filter(tick -> tick.millis() < 2_000)
            .mapToDouble(Tick::p99Millis)
            .max()
            .orElse(Double.NaN));
    summary.add(group, contender, Metric.wall("longest_ms", "ms"), line.longestMillis());
    summary.add(group, contender, Metric.wall("recovered_after_ms", "ms"), recovered);
  }

  private static void keep(Bench bench, String group, Map<String, Line> lines) throws IOException {
    Path file = bench.folder().resolve("timelines.json");
    Map<String, Map<String, Line>> all = read(file);
    if (bench.effort() == Effort.FULL || !all.containsKey(group)) {
      all.put(group, lines);
      JSON.writeValue(file.toFile(), all);
    }
  }

  /** All time lines of a file, by group and contender; none if there is no such file. */
  static Map<String, Map<String, Line>> read(Path file) throws IOException {
    return Files.exists(file)
        ? JSON.readValue(
            file.toFile(), new TypeReference<LinkedHashMap<String, Map<String, Line>>>() {})
        : new LinkedHashMap<>();
  }
}
