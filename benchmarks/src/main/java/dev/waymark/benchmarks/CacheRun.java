package dev.waymark.benchmarks;

import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
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

/** Runs {@link CacheReadBenchmark} on a Redis of its own; the contenders take turns. */
final class CacheRun {
  private CacheRun() {}

  static void run(Path folder, boolean quick, List<String> wanted)
      throws RunnerException, IOException {
    if (!wanted.contains("l1-hit") && !wanted.contains("l2-hit")) {
      return;
    }
    try (TestCluster cluster = TestCluster.builder().redis().start()) {
      String redis = cluster.redis().url();
      if (wanted.contains("l1-hit")) {
        Map<String, List<double[]>> rounds = rounds(folder, "l1", redis, quick);
        System.out.printf(
            "%n%-14s %12s %10s %12s %10s%n",
            "l1-hit", "cpu ns/op", "over", "wall ns/op", "bytes/op");
        double baseline = median(rounds.getOrDefault("l1Caffeine", List.of()), 0);
        rounds.forEach(
            (contender, figures) ->
                System.out.printf(
                    Locale.ROOT,
                    "%-14s %12.1f %+10.1f %12.1f %10.1f%n",
                    contender,
                    median(figures, 0),
                    median(figures, 0) - baseline,
                    median(figures, 1),
                    median(figures, 2)));
      }
      if (wanted.contains("l2-hit")) {
        Map<String, List<double[]>> rounds = rounds(folder, "l2", redis, quick);
        System.out.printf(
            "%n%-14s %10s %8s %10s %10s%n", "l2-hit", "p50 us", "ratio", "p99 us", "bytes/op");
        double baseline = median(rounds.getOrDefault("l2Get", List.of()), 3);
        rounds.forEach(
            (contender, figures) ->
                System.out.printf(
                    Locale.ROOT,
                    "%-14s %10.1f %8.3f %10.1f %10.0f%n",
                    contender,
                    median(figures, 3) / 1_000,
                    median(figures, 3) / baseline,
                    median(figures, 4) / 1_000,
                    median(figures, 2)));
      }
    }
  }

  /** For each contender and round: CPU, score, bytes, p50, p99. */
  private static Map<String, List<double[]>> rounds(
      Path folder, String tier, String redis, boolean quick) throws RunnerException, IOException {
    Map<String, List<double[]>> figures = new TreeMap<>();
    List<RunResult> all = new ArrayList<>();
    for (int round = 0; round < (quick ? 1 : 5); round++) {
      for (RunResult result :
          new Runner(
                  new OptionsBuilder()
                      .include(CacheReadBenchmark.class.getSimpleName() + "\\." + tier + ".*")
                      .forks(1)
                      .warmupIterations(quick ? 1 : 3)
                      .warmupTime(TimeValue.milliseconds(quick ? 200 : 1_000))
                      .measurementIterations(quick ? 1 : 4)
                      .measurementTime(TimeValue.milliseconds(quick ? 200 : 1_000))
                      .addProfiler(GCProfiler.class)
                      .jvmArgsAppend("-Dbench.redis=" + redis)
                      .shouldFailOnError(true)
                      .build())
              .run()) {
        all.add(result);
        var statistics = result.getPrimaryResult().getStatistics();
        figures
            .computeIfAbsent(result.getPrimaryResult().getLabel(), name -> new ArrayList<>())
            .add(
                new double[] {
                  score(result, "cpuNanos") / score(result, "operations"),
                  result.getPrimaryResult().getScore(),
                  score(result, "gc.alloc.rate.norm"),
                  statistics.getPercentile(50),
                  statistics.getPercentile(99)
                });
      }
    }
    Path file = folder.resolve("cache-" + tier + ".json");
    ResultFormatFactory.getInstance(ResultFormatType.JSON, file.toString()).writeOut(all);
    System.out.println("JMH's results: " + file);
    return figures;
  }

  private static double score(RunResult result, String name) {
    Result<?> found = result.getSecondaryResults().get(name);
    return found == null ? Double.NaN : found.getScore();
  }

  private static double median(List<double[]> rounds, int figure) {
    double[] values = rounds.stream().mapToDouble(round -> round[figure]).sorted().toArray();
    return values.length == 0 ? Double.NaN : values[values.length / 2];
  }
}
