package dev.waymark.benchmarks;

import java.io.IOException;
import java.util.List;

/** Runs {@link RoutingBenchmark}: no servers, JDK 25 where the machine has one. */
final class RoutingRun {
  private static final String GROUP = "routing";
  private static final String FIND = RoutingBenchmark.class.getSimpleName() + ".find";
  private static final List<String> CONTENDERS =
      List.of(
          Summary.RAW,
          Summary.NULL_CONTROL,
          "waymark-keyed",
          "waymark-datasource",
          "waymark-session",
          "waymark-observed",
          "spring",
          "aws",
          "aws-rw",
          "shardingsphere",
          "shardingsphere-rw");

  private RoutingRun() {}

  static void run(Bench bench) throws IOException {
    bench.measure(
        GROUP,
        () ->
            new JmhRun(bench, GROUP, JmhRun.newestJava())
                .run(
                    bench.effort().of(3, 1),
                    2,
                    CONTENDERS.stream().map(RoutingRun::contender).toList())
                .addCpu()
                .addBytes()
                .addScore());
  }

  static JmhRun.Contender contender(String name) {
    // ShardingSphere needs more than 25 s: 434 us per operation fall to 19 in that time.
    int warmUp = name.startsWith("shardingsphere") ? 30 : 3;
    return new JmhRun.Contender(name, FIND, List.of("contender=" + name), warmUp);
  }
}
