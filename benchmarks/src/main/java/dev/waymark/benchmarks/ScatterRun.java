package dev.waymark.benchmarks;

import dev.waymark.benchmarks.BenchmarkRun.Figures;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatFactory;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/** Runs {@link ScatterBenchmark} on three servers of its own. */
final class ScatterRun {
  private static final String PREFIX = "scatter-";

  private ScatterRun() {}

  static void run(Path folder, boolean quick, List<String> wanted)
      throws IOException, RunnerException {
    List<String> queries =
        wanted.stream()
            .filter(name -> name.startsWith(PREFIX))
            .map(name -> name.substring(PREFIX.length()))
            .toList();
    if (queries.isEmpty()) {
      return;
    }
    try (TestCluster cluster =
        TestCluster.builder()
            .shards(ScatterBenchmark.SHARDS)
            .replicas(0)
            .progress(System.out::println)
            .start()) {
      load(cluster);
      for (String query : queries) {
        measure(folder, quick, query, cluster);
      }
    }
  }

  private static void measure(Path folder, boolean quick, String query, TestCluster cluster)
      throws IOException, RunnerException {
    int rounds = quick ? 1 : 5;
    Map<String, List<Figures>> byContender = new TreeMap<>();
    List<RunResult> all = new ArrayList<>();
    for (int round = 1; round <= rounds; round++) {
      System.out.printf(Locale.ROOT, "%s%s, round %d of %d%n", PREFIX, query, round, rounds);
      for (RunResult result : runOnce(cluster, quick, query)) {
        all.add(result);
        byContender
            .computeIfAbsent(result.getPrimaryResult().getLabel(), name -> new ArrayList<>())
            .add(Figures.of(result));
      }
    }
    Path file = folder.resolve(PREFIX + query + ".json");
    ResultFormatFactory.getInstance(ResultFormatType.JSON, file.toString()).writeOut(all);
    System.out.println();
    BenchmarkRun.report(byContender);
    System.out.println("JMH's results: " + file);
  }

  private static Iterable<RunResult> runOnce(TestCluster cluster, boolean quick, String query)
      throws RunnerException {
    PostgresServer any = cluster.shard(0).primary();
    List<String> arguments = new ArrayList<>();
    arguments.add("-Dbench.user=" + any.user());
    arguments.add("-Dbench.password=" + any.password());
    for (int i = 0; i < ScatterBenchmark.SHARDS; i++) {
      arguments.add("-Dbench.shard." + i + "=" + cluster.shard(i).primary().url());
    }
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include(ScatterBenchmark.class.getSimpleName())
            .param("query", query)
            .forks(1)
            .warmupIterations(quick ? 1 : 3)
            .warmupTime(TimeValue.milliseconds(quick ? 200 : 1_000))
            .measurementIterations(quick ? 1 : 3)
            .measurementTime(TimeValue.milliseconds(quick ? 200 : 1_000))
            .addProfiler(GCProfiler.class)
            .jvmArgsAppend(arguments.toArray(String[]::new))
            .shouldFailOnError(true);
    return new Runner(options.build()).run();
  }

  private static void load(TestCluster cluster) {
    for (int i = 0; i < ScatterBenchmark.SHARDS; i++) {
      long first = 1 + i * (long) ScatterBenchmark.USERS_PER_SHARD;
      cluster
          .shard(i)
          .primary()
          .execute(
              "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL); INSERT INTO users"
                  + " SELECT id, 'user ' || id FROM generate_series("
                  + first
                  + ", "
                  + (first + ScatterBenchmark.USERS_PER_SHARD - 1)
                  + ") AS id; GRANT SELECT ON users TO PUBLIC; ANALYZE users");
    }
  }
}
