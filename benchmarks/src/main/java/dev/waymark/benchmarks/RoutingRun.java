package dev.waymark.benchmarks;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
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
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/** Runs a benchmark on the stub driver: no servers, JDK 25 where the machine has one. */
final class RoutingRun {
  private RoutingRun() {}

  static void run(Path folder, String name, Class<?> benchmark, boolean quick)
      throws RunnerException, IOException {
    int rounds = quick ? 1 : 5;
    String java = newestJava();
    System.out.println(name + ": on " + java);
    Map<String, List<double[]>> figures = new TreeMap<>();
    List<RunResult> all = new ArrayList<>();
    for (int round = 0; round < rounds; round++) {
      ChainedOptionsBuilder options =
          new OptionsBuilder()
              .include("\\." + benchmark.getSimpleName() + "\\.")
              .jvm(java)
              .forks(1)
              .warmupIterations(quick ? 1 : 4)
              .warmupTime(TimeValue.milliseconds(quick ? 200 : 1_000))
              .measurementIterations(quick ? 1 : 5)
              .measurementTime(TimeValue.milliseconds(quick ? 200 : 1_000))
              .addProfiler(GCProfiler.class)
              .shouldFailOnError(true);
      for (RunResult result : new Runner(options.build()).run()) {
        all.add(result);
        Map<String, ? extends Result<?>> counted = secondary(result);
        double operations = score(counted, "operations");
        figures
            .computeIfAbsent(result.getPrimaryResult().getLabel(), unused -> new ArrayList<>())
            .add(
                new double[] {
                  score(counted, "cpuNanos") / operations,
                  result.getPrimaryResult().getScore(),
                  score(counted, "gc.alloc.rate.norm")
                });
      }
    }
    Path file = folder.resolve(name + ".json");
    ResultFormatFactory.getInstance(ResultFormatType.JSON, file.toString()).writeOut(all);
    report(figures);
    System.out.println("JMH's results: " + file);
  }

  private static Map<String, ? extends Result<?>> secondary(RunResult result) {
    Map<String, Result<?>> found = new TreeMap<>();
    result.getSecondaryResults().forEach((name, value) -> found.put(name, value));
    return found;
  }

  private static double score(Map<String, ? extends Result<?>> results, String name) {
    Result<?> result = results.get(name);
    return result == null ? Double.NaN : result.getScore();
  }

  private static void report(Map<String, List<double[]>> figures) {
    List<double[]> raw = figures.getOrDefault("raw", List.of());
    System.out.printf(
        "%n%-18s %12s %10s %12s %12s %10s%n",
        "contender", "cpu ns/op", "over raw", "wall ns/op", "bytes/op", "over raw");
    figures.forEach(
        (contender, rounds) ->
            System.out.printf(
                Locale.ROOT,
                "%-18s %12.1f %+10.1f %12.1f %12.1f %+10.1f%n",
                contender,
                median(rounds, 0),
                median(rounds, 0) - median(raw, 0),
                median(rounds, 1),
                median(rounds, 2),
                median(rounds, 2) - median(raw, 2)));
  }

  private static double median(List<double[]> rounds, int figure) {
    double[] values = rounds.stream().mapToDouble(round -> round[figure]).sorted().toArray();
    return values.length == 0 ? Double.NaN : values[values.length / 2];
  }

  /** JDK 25 beside the running one, or the running one. */
  private static String newestJava() throws IOException {
    Path home = Path.of(System.getProperty("java.home"));
    Path beside = home.getParent();
    if (beside != null) {
      try (DirectoryStream<Path> others = Files.newDirectoryStream(beside, "*25*")) {
        for (Path other : others) {
          Path java = other.resolve("bin/java");
          if (Files.isExecutable(java)) {
            return java.toString();
          }
        }
      }
    }
    return home.resolve("bin/java").toString();
  }
}
