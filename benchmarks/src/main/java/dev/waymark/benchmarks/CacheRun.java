package dev.waymark.benchmarks;

import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Runs {@link CacheReadBenchmark} and {@link CachePeersBenchmark} on a Redis of its own. A method's
 * name is its tier, {@code l1} or {@code l2}, and the contender.
 */
final class CacheRun {
  /** The baselines have names of their own in code. */
  private static final Map<String, String> BASELINES =
      Map.of(
          "l1Caffeine", Summary.RAW,
          "l1Caffeine2", Summary.NULL_CONTROL,
          "l2Get", Summary.RAW,
          "l2Get2", Summary.NULL_CONTROL);

  private CacheRun() {}

  static void run(Bench bench) throws IOException {
    if (!bench.wants("l1-hit") && !bench.wants("l2-hit")) {
      return;
    }
    try (TestCluster cluster = bench.cores().start(TestCluster.builder().redis())) {
      String redis = cluster.redis().url();
      if (bench.wants("l1-hit")) {
        rounds(bench, "l1-hit", "l1", redis).addCpu().addBytes().addScore();
      }
      if (bench.wants("l2-hit")) {
        rounds(bench, "l2-hit", "l2", redis)
            .addPercentile(Metric.P50, "50.0")
            .addPercentile(Metric.P99, "99.0")
            .addCpu()
            .addBytes();
      }
    } finally {
      bench.cores().release();
    }
  }

  private static JmhRun rounds(Bench bench, String group, String tier, String redis)
      throws IOException {
    return new JmhRun(bench, group, JmhRun.runningJava())
        .run(bench.effort().of(4, 1), 3, contenders(tier, redis));
  }

  private static List<JmhRun.Contender> contenders(String tier, String redis) {
    List<JmhRun.Contender> contenders = new ArrayList<>();
    for (Class<?> type : List.of(CacheReadBenchmark.class, CachePeersBenchmark.class)) {
      Stream.of(type.getDeclaredMethods())
          .filter(method -> method.isAnnotationPresent(Benchmark.class))
          .map(java.lang.reflect.Method::getName)
          .filter(name -> name.startsWith(tier))
          .sorted()
          .forEach(
              name ->
                  contenders.add(
                      new JmhRun.Contender(
                          BASELINES.getOrDefault(
                              name,
                              kebab(name.substring(tier.length()).replace("JetCache", "Jetcache"))),
                          type.getSimpleName() + "." + name,
                          List.of("-Dbench.redis=" + redis),
                          3)));
    }
    return contenders;
  }

  private static String kebab(String name) {
    return name.replaceAll("(?<=[a-z0-9])(?=[A-Z])", "-").toLowerCase(Locale.ROOT);
  }
}
