package dev.waymark.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * From a JVM's first line of ours to its first row from real servers: opening a contender, and one
 * read. One process is one sample.
 */
final class StartUp {
  private static final String GROUP = "start-up";

  private StartUp() {}

  /** The process that is measured: says milliseconds on the wall, of the processor, and classes. */
  public static void main(String[] arguments) throws SQLException {
    long began = System.nanoTime();
    Topology topology = Topology.ofProperties();
    Contender contender = Contenders.open(arguments[0], topology);
    Operation.POINT_READ.run(contender, topology, 1);
    long wall = System.nanoTime() - began;
    long cpu =
        ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    System.out.println(
        wall / 1_000
            + " "
            + cpu / 1_000
            + " "
            + ManagementFactory.getClassLoadingMXBean().getTotalLoadedClassCount());
    // What closing takes is not measured; the servers notice the end.
    Runtime.getRuntime().halt(0);
  }

  static void run(Bench bench) throws IOException {
    bench.measure(GROUP, () -> measure(bench));
  }

  private static void measure(Bench bench) throws IOException {
    Map<String, List<double[]>> samples = new LinkedHashMap<>();
    DatabaseRun.CONTENDERS.forEach(contender -> samples.put(contender, new ArrayList<>()));
    try (TestCluster cluster = DatabaseRun.cluster(bench)) {
      Topology topology = DatabaseRun.topology(cluster);
      Random lot = new Random(7);
      for (int round = 0; round < bench.effort().of(5, 1); round++) {
        System.out.println(GROUP + ": round " + (round + 1));
        List<String> order = new ArrayList<>(DatabaseRun.CONTENDERS);
        Collections.shuffle(order, lot);
        for (String contender : order) {
          if (round > 1 && contender.startsWith("shardingsphere")) {
            // Seconds each, which differ by far less than from all others.
            continue;
          }
          samples
              .computeIfAbsent(contender, name -> new ArrayList<>())
              .add(sample(bench, contender, topology));
        }
      }
    } finally {
      bench.cores().release();
    }
    add(bench, samples, Metric.wall("wall_ms", "ms"), 0, 1_000);
    add(bench, samples, Metric.counted("cpu_ms", "ms"), 1, 1_000);
    add(bench, samples, Metric.counted("classes", "classes"), 2, 1);
  }

  private static void add(
      Bench bench, Map<String, List<double[]>> samples, Metric metric, int place, double unit) {
    samples.forEach(
        (contender, own) ->
            bench
                .summary()
                .add(
                    GROUP,
                    contender,
                    metric,
                    own.stream().mapToDouble(each -> each[place] / unit).toArray()));
  }

  private static double[] sample(Bench bench, String contender, Topology topology)
      throws IOException {
    Path log = bench.folder().resolve("clients.log");
    try (ClientProcess client =
        ClientProcess.start(
            StartUp.class,
            bench.classPaths().of(contender),
            log,
            topology.asProperties(),
            List.of(contender))) {
      String[] words = client.answer("[0-9]+ [0-9]+ [0-9]+").split(" ");
      return new double[] {
        Double.parseDouble(words[0]), Double.parseDouble(words[1]), Double.parseDouble(words[2])
      };
    }
  }
}
