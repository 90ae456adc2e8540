package dev.waymark.benchmarks;

import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Runs {@link CacheReadBenchmark}, {@link CachePeersBenchmark} and {@link L2Worker} on a Redis of
 * its own; the contenders take turns.
 */
final class CacheRun {
  private static final String L1 = "l1";
  private static final String L1_HIT = "l1-hit";
  private static final String L2_HIT = "l2-hit";
  private static final String MISS = "cache-miss";

  /** The baselines have names of their own in code. */
  private static final Map<String, String> BASELINES =
      Map.of("l1Caffeine", Summary.RAW, "l1Caffeine2", Summary.NULL_CONTROL);

  /** What {@link L2Worker} says of a slice, in this order. */
  private static final List<Metric> OF_A_SLICE =
      List.of(Metric.P50, Metric.P99, Metric.CPU, Metric.BYTES);

  private static final String SLICE = "done|[a-z0-9-]+( [0-9]+){4}";

  private CacheRun() {}

  static List<String> groups() {
    return List.of(L1_HIT, L2_HIT, MISS);
  }

  static void run(Bench bench) throws IOException {
    if (!bench.wantsAny(groups())) {
      return;
    }
    try (TestCluster cluster = bench.cores().start(TestCluster.builder().redis())) {
      String redis = cluster.redis().url();
      bench.measure(
          L1_HIT,
          () ->
              new JmhRun(bench, L1_HIT, JmhRun.runningJava())
                  .run(bench.effort().of(2, 1), 2, contenders(redis))
                  .addCpu()
                  .addBytes()
                  .addScore());
      bench.measure(L2_HIT, () -> l2(bench, L2_HIT, redis, L2Worker.Question.HIT));
      bench.measure(MISS, () -> l2(bench, MISS, redis, L2Worker.Question.MISS));
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
  private static void l2(Bench bench, String group, String redis, L2Worker.Question question)
      throws IOException {
    Map<String, List<double[]>> rounds = new LinkedHashMap<>();
    for (int round = 0; round < bench.effort().of(3, 1); round++) {
      System.out.println(group + ": round " + (round + 1));
      Map<String, List<double[]>> slices = new LinkedHashMap<>();
      for (String line : slices(bench, redis, question, bench.effort().of(120, 10))) {
        String[] words = line.split(" ");
        slices
            .computeIfAbsent(words[0], name -> new ArrayList<>())
            .add(Arrays.stream(words, 1, words.length).mapToDouble(Double::parseDouble).toArray());
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
                    group,
                    contender,
                    OF_A_SLICE.get(i),
                    figures.stream().mapToDouble(round -> round[figure]).toArray());
          }
        });
  }

  /** A JVM as an application has it; the testkit's are made to start fast and to run slowly. */
  private static List<String> slices(
      Bench bench, String redis, L2Worker.Question question, int slices) throws IOException {
    List<String> lines = new ArrayList<>();
    try (ClientProcess worker =
        ClientProcess.start(
            L2Worker.class,
            bench.classPaths().of("waymark"),
            bench.folder().resolve("clients.log"),
            List.of(),
            List.of(redis, question.name(), Integer.toString(slices)))) {
      for (String line = worker.answer(SLICE); !line.equals("done"); line = worker.answer(SLICE)) {
        lines.add(line);
      }
    }
    return lines;
  }

  private static double median(List<double[]> slices, int figure) {
    double[] values = slices.stream().mapToDouble(slice -> slice[figure]).sorted().toArray();
    return values[values.length / 2];
  }
}
