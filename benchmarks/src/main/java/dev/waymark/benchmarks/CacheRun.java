package dev.waymark.benchmarks;

import dev.waymark.testkit.TestCluster;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Runs {@link CacheReadBenchmark}, {@link CachePeersBenchmark} and {@link L2HitWorker} on a Redis of
 * its own; the contenders take turns.
 */
final class CacheRun {
  private static final String L1 = "l1";

  /** The baselines have names of their own in code. */
  private static final Map<String, String> BASELINES =
      Map.of("l1Caffeine", Summary.RAW, "l1Caffeine2", Summary.NULL_CONTROL);

  /** What {@link L2HitWorker} says of a slice, in this order. */
  private static final List<Metric> OF_A_SLICE =
      List.of(Metric.P50, Metric.P99, Metric.CPU, Metric.BYTES);

  private CacheRun() {}

  static void run(Bench bench) throws IOException {
    if (!bench.wants("l1-hit") && !bench.wants("l2-hit")) {
      return;
    }
    try (TestCluster cluster = bench.cores().start(TestCluster.builder().redis())) {
      String redis = cluster.redis().url();
      if (bench.wants("l1-hit")) {
        new JmhRun(bench, "l1-hit", JmhRun.runningJava())
            .run(bench.effort().of(4, 1), 3, contenders(redis))
            .addCpu()
            .addBytes()
            .addScore();
      }
      if (bench.wants("l2-hit")) {
        l2Hit(bench, redis);
      }
    } finally {
      bench.cores().release();
    }
  }

  private static List<JmhRun.Contender> contenders(String redis) {
    List<JmhRun.Contender> contenders = new ArrayList<>();
    for (Class<?> type : List.of(CacheReadBenchmark.class, CachePeersBenchmark.class)) {
      Stream.of(type.getDeclaredMethods())
          .filter(method -> method.isAnnotationPresent(Benchmark.class))
          .map(java.lang.reflect.Method::getName)
          .sorted()
          .forEach(
              name ->
                  contenders.add(
                      new JmhRun.Contender(
                          BASELINES.getOrDefault(
                              name,
                              kebab(name.substring(L1.length()).replace("JetCache", "Jetcache"))),
                          type.getSimpleName() + "." + name,
                          List.of("-Dbench.redis=" + redis),
                          3)));
    }
    return contenders;
  }

  private static String kebab(String name) {
    return name.replaceAll("(?<=[a-z0-9])(?=[A-Z])", "-").toLowerCase(Locale.ROOT);
  }

  /** Several JVMs; of each one, the median over its slices counts. */
  private static void l2Hit(Bench bench, String redis) throws IOException {
    Map<String, List<double[]>> rounds = new LinkedHashMap<>();
    for (int round = 0; round < bench.effort().of(5, 1); round++) {
      Map<String, List<double[]>> slices = new LinkedHashMap<>();
      for (String line : slices(bench, redis, bench.effort().of(200, 10))) {
        String[] words = line.split(" ");
        if (words.length == 1) {
          System.out.println("l2-hit: Redis and its client " + line + " on the processors");
        } else {
          slices
              .computeIfAbsent(words[0], name -> new ArrayList<>())
              .add(
                  Arrays.stream(words, 1, words.length).mapToDouble(Double::parseDouble).toArray());
        }
      }
      slices.forEach(
          (contender, figures) ->
              rounds
                  .computeIfAbsent(contender, name -> new ArrayList<>())
                  .add(
                      new double[] {
                        median(figures, 0) / 1_000,
                        median(figures, 1) / 1_000,
                        median(figures, 2),
                        median(figures, 3)
                      }));
    }
    rounds.forEach(
        (contender, figures) -> {
          for (int i = 0; i < OF_A_SLICE.size(); i++) {
            int figure = i;
            bench
                .summary()
                .add(
                    "l2-hit",
                    contender,
                    OF_A_SLICE.get(i),
                    figures.stream().mapToDouble(round -> round[figure]).toArray());
          }
        });
  }

  /** A JVM as an application has it; the testkit's are made to start fast and to run slowly. */
  private static List<String> slices(Bench bench, String redis, int slices) throws IOException {
    Process worker =
        new ProcessBuilder(
                JmhRun.runningJava().toString(),
                "-Xmx512m",
                "-cp",
                bench.classPaths().of("waymark"),
                L2HitWorker.class.getName(),
                redis,
                Integer.toString(slices))
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

  private static double median(List<double[]> slices, int figure) {
    double[] values = slices.stream().mapToDouble(slice -> slice[figure]).sorted().toArray();
    return values[values.length / 2];
  }
}
