package dev.waymark.benchmarks;

import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatFactory;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Runs the benchmarks on servers of its own and keeps JMH's results.
 *
 * <p>The contenders take turns: each round runs every contender in a fresh JVM, so that a change of
 * the machine's mood meets all of them. What is printed is the median over the rounds.
 */
public final class BenchmarkRun {
  private static final String BASELINE = "raw";
  private static final List<String> NAMES =
      List.of(
          "routing",
          "datasource",
          "keyed-read",
          "scatter-in",
          "scatter-newest",
          "offload",
          "replica-killed",
          "replica-hung",
          "promotion",
          "l1-hit",
          "l2-hit",
          "stampede",
          "hit-ratio",
          "invalidation");

  private BenchmarkRun() {}

  /**
   * Runs them.
   *
   * @param arguments the folder for the results, {@code full} or {@code quick} (only prove that all
   *     run), and the names of the benchmarks to run, by commas, or {@code all}
   */
  public static void main(String[] arguments) throws IOException, RunnerException {
    Path folder = Files.createDirectories(Path.of(arguments[0]));
    boolean quick = arguments[1].equals("quick");
    List<String> wanted =
        arguments[2].equals("all") ? NAMES : List.of(arguments[2].split("\\s*,\\s*"));
    if (!NAMES.containsAll(wanted)) {
      System.err.println("-Dbench=" + arguments[2] + ": the benchmarks are " + NAMES);
      System.exit(2);
    }
    if (wanted.contains("routing")) {
      RoutingRun.run(folder, "routing", RoutingBenchmark.class, quick);
    }
    if (wanted.contains("datasource")) {
      RoutingRun.run(folder, "datasource", DataSourceBenchmark.class, quick);
    }
    if (wanted.contains("keyed-read")) {
      keyedRead(folder, quick);
    }
    ScatterRun.run(folder, quick, wanted);
    RoutingFigures.run(folder, quick, wanted);
    CacheRun.run(folder, quick, wanted);
    CacheFigures.run(folder, quick, wanted);
  }

  private static void keyedRead(Path folder, boolean quick) throws IOException, RunnerException {
    int rounds = quick ? 1 : 5;
    try (TestCluster cluster =
        TestCluster.builder().shards(1).replicas(1).progress(System.out::println).start()) {
      load(cluster.shard(0));
      Map<String, List<Figures>> byContender = new TreeMap<>();
      List<RunResult> all = new ArrayList<>();
      for (int round = 1; round <= rounds; round++) {
        System.out.printf(Locale.ROOT, "Round %d of %d%n", round, rounds);
        for (RunResult result : runOnce(cluster.shard(0), quick)) {
          all.add(result);
          byContender
              .computeIfAbsent(result.getPrimaryResult().getLabel(), name -> new ArrayList<>())
              .add(Figures.of(result));
        }
      }
      Path file = folder.resolve("keyed-read.json");
      ResultFormatFactory.getInstance(ResultFormatType.JSON, file.toString()).writeOut(all);
      System.out.println();
      report(byContender);
      System.out.println("JMH's results: " + file);
    }
  }

  private static Iterable<RunResult> runOnce(ShardServers shard, boolean quick)
      throws RunnerException {
    PostgresServer primary = shard.primary();
    return new Runner(
            new OptionsBuilder()
                .include(KeyedReadBenchmark.class.getSimpleName())
                .forks(1)
                .warmupIterations(quick ? 1 : 3)
                .warmupTime(TimeValue.milliseconds(quick ? 200 : 1_000))
                .measurementIterations(quick ? 1 : 3)
                .measurementTime(TimeValue.milliseconds(quick ? 200 : 1_000))
                .addProfiler(GCProfiler.class)
                .jvmArgsAppend(
                    "-Dbench.primary=" + primary.url(),
                    "-Dbench.replica=" + shard.replicas().get(0).url(),
                    "-Dbench.user=" + primary.user(),
                    "-Dbench.password=" + primary.password())
                .shouldFailOnError(true)
                .build())
        .run();
  }

  private static void load(ShardServers shard) {
    shard
        .primary()
        .execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL); INSERT INTO users"
                + " SELECT id, 'user ' || id FROM generate_series(1, "
                + KeyedReadBenchmark.USERS
                + ") AS id; GRANT SELECT ON users TO PUBLIC; ANALYZE users");
  }

  /** The figures of one contender in one round. */
  record Figures(double p50Micros, double p99Micros, double bytes) {
    static Figures of(RunResult result) {
      Result<?> allocated = result.getSecondaryResults().get("gc.alloc.rate.norm");
      return new Figures(
          result.getPrimaryResult().getStatistics().getPercentile(50),
          result.getPrimaryResult().getStatistics().getPercentile(99),
          allocated == null ? Double.NaN : allocated.getScore());
    }
  }

  static void report(Map<String, List<Figures>> byContender) {
    System.out.printf(
        "%-14s %12s %8s %12s %8s %12s %8s%n",
        "contender", "p50 us", "ratio", "p99 us", "ratio", "bytes/op", "over");
    Figures baseline = median(byContender.getOrDefault(BASELINE, List.of()));
    byContender.forEach(
        (contender, rounds) -> {
          Figures figures = median(rounds);
          System.out.printf(
              Locale.ROOT,
              "%-14s %12.1f %8.3f %12.1f %8.3f %12.0f %8.0f%n",
              contender,
              figures.p50Micros(),
              figures.p50Micros() / baseline.p50Micros(),
              figures.p99Micros(),
              figures.p99Micros() / baseline.p99Micros(),
              figures.bytes(),
              figures.bytes() - baseline.bytes());
        });
  }

  private static Figures median(List<Figures> rounds) {
    return new Figures(
        middle(rounds.stream().mapToDouble(Figures::p50Micros).toArray()),
        middle(rounds.stream().mapToDouble(Figures::p99Micros).toArray()),
        middle(rounds.stream().mapToDouble(Figures::bytes).toArray()));
  }

  private static double middle(double[] values) {
    Arrays.sort(values);
    return values.length == 0 ? Double.NaN : values[values.length / 2];
  }
}
