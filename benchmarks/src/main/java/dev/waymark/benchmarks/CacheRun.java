package dev.waymark.benchmarks;

import dev.waymark.testkit.TestCluster;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
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
 * Runs {@link CacheReadBenchmark} and {@link L2HitWorker} on a Redis of its own; the contenders
 * take turns.
 */
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
        l2Hit(folder, redis, quick);
      }
    }
  }

  /** What {@link L2HitWorker} measures, in several JVMs: medians over all slices. */
  private static void l2Hit(Path folder, String redis, boolean quick) throws IOException {
    Map<String, List<double[]>> slices = new TreeMap<>();
    for (int round = 0; round < (quick ? 1 : 5); round++) {
      for (String line : l2HitWorker(redis, quick ? "10" : "200")) {
        String[] words = line.split(" ");
        if (words.length == 1) {
          System.out.println("Redis and its client, on cores of their own or not: " + line);
        } else {
          slices
              .computeIfAbsent(words[0], name -> new ArrayList<>())
              .add(
                  Arrays.stream(words, 1, words.length).mapToDouble(Double::parseDouble).toArray());
        }
      }
    }
    System.out.printf(
        "%n%-10s %10s %8s %10s %10s %10s%n",
        "l2-hit", "p50 us", "ratio", "p99 us", "cpu us", "bytes/op");
    List<double[]> baseline = Objects.requireNonNull(slices.get("raw"));
    List<String> rows = new ArrayList<>();
    slices.forEach(
        (contender, figures) -> {
          // Of slices that were measured one after the other.
          double[] ratios = new double[figures.size()];
          Arrays.setAll(ratios, slice -> figures.get(slice)[0] / baseline.get(slice)[0]);
          Arrays.sort(ratios);
          double ratio = ratios[ratios.length / 2];
          System.out.printf(
              Locale.ROOT,
              "%-10s %10.1f %8.3f %10.1f %10.1f %10.0f%n",
              contender,
              median(figures, 0) / 1_000,
              ratio,
              median(figures, 1) / 1_000,
              median(figures, 2) / 1_000,
              median(figures, 3));
          rows.add(
              String.format(
                  Locale.ROOT,
                  "  {\"group\": \"l2-hit\", \"contender\": \"%s\", \"metric\": \"p50_us\", \"unit\":"
                      + " \"us\", \"median\": %.3f, \"over\": %.3f, \"ratio\": %.4f}",
                  contender,
                  median(figures, 0) / 1_000,
                  (median(figures, 0) - median(baseline, 0)) / 1_000,
                  ratio));
        });
    Path file = folder.resolve("cache-l2.json");
    Files.writeString(file, "[\n" + String.join(",\n", rows) + "\n]\n");
    System.out.println("Figures: " + file);
  }

  /** A JVM as an application has it; the testkit's are made to start fast and to run slowly. */
  private static List<String> l2HitWorker(String redis, String slices) throws IOException {
    Process worker =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-cp",
                System.getProperty("java.class.path"),
                L2HitWorker.class.getName(),
                redis,
                slices)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader out = worker.inputReader(StandardCharsets.UTF_8)) {
      List<String> lines = new ArrayList<>();
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        if (line.equals("done")) {
          return lines;
        }
        lines.add(line);
      }
    } finally {
      worker.destroyForcibly();
    }
    throw new IllegalStateException(
        "A JVM that was to measure hits in Redis has not come to its end");
  }

  /** For each contender and round: CPU, score, bytes. */
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
        figures
            .computeIfAbsent(result.getPrimaryResult().getLabel(), name -> new ArrayList<>())
            .add(
                new double[] {
                  score(result, "cpuNanos") / score(result, "operations"),
                  result.getPrimaryResult().getScore(),
                  score(result, "gc.alloc.rate.norm")
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
