package dev.waymark.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Whether a read costs more as there is more to route: {@link RoutingBenchmark} with more shards,
 * ranges, sessions and keys. A group's {@code raw} is here the contender with the least of it.
 */
final class GrowthRun {
  private static final String FIND = RoutingBenchmark.class.getSimpleName() + ".find";

  private GrowthRun() {}

  static List<String> groups() {
    return List.of(
        "growth-shards", "growth-shards-raw", "growth-ranges", "growth-sessions", "growth-keys");
  }

  static void run(Bench bench) throws IOException {
    grow(bench, "growth-shards", "waymark-keyed", "shards", 3, 1, 12, 1_000);
    grow(bench, "growth-shards-raw", "raw", "shards", 3, 1_000);
    grow(bench, "growth-ranges", "waymark-keyed", "ranges", 3, 100_000);
    grow(bench, "growth-sessions", "waymark-session", "sessions", 1, 100_000);
    grow(bench, "growth-keys", "waymark-keyed", "keys", 1_000, 999_999);
  }

  private static void grow(
      Bench bench, String group, String contender, String parameter, int least, int... more)
      throws IOException {
    List<JmhRun.Contender> sizes = new ArrayList<>();
    sizes.add(size(Summary.RAW, contender, parameter, least));
    sizes.add(size(Summary.NULL_CONTROL, contender, parameter, least));
    for (int each : more) {
      sizes.add(size(parameter + "-" + each, contender, parameter, each));
    }
    bench.measure(
        group,
        () ->
            new JmhRun(bench, group, JmhRun.newestJava())
                .run(bench.effort().of(2, 1), 2, sizes)
                .addCpu()
                .addBytes());
  }

  private static JmhRun.Contender size(String name, String contender, String parameter, int value) {
    return new JmhRun.Contender(
        name, FIND, List.of("contender=" + contender, parameter + "=" + value), 2);
  }
}
