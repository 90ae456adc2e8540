package dev.waymark.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * Rounds of one JMH benchmark: in each, every contender runs once in a fresh JVM, in an order drawn
 * by lot, so that a change of the machine's mood meets all of them. JMH itself is started with the
 * contender's class path, and its results are kept.
 */
final class JmhRun {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  /** Far more than any contender takes. */
  private static final Duration PATIENCE = Duration.ofMinutes(4);

  /** In seconds. */
  private static final int LONG_WARM_UP = 10;

  private final Bench bench;
  private final String group;
  private final Path java;
  private final ArrayNode results = JSON.createArrayNode();
  private final Map<String, List<JsonNode>> byContender = new LinkedHashMap<>();

  /**
   * One contender.
   *
   * @param name in the summary
   * @param method the benchmark's class and method
   * @param parameters JMH's, and system properties ({@code -D})
   * @param warmUp seconds before anything is measured
   */
  record Contender(String name, String method, List<String> parameters, int warmUp) {
    Contender {
      parameters = List.copyOf(parameters);
    }

    /** One that warms up for very long takes part in the first round only. */
    private boolean takesPartIn(int round) {
      return round == 1 || warmUp <= LONG_WARM_UP;
    }
  }

  /**
   * Rounds of a group.
   *
   * @param java of the JVMs that measure
   */
  JmhRun(Bench bench, String group, Path java) {
    this.bench = bench;
    this.group = group;
    this.java = java;
  }

  /** Runs the rounds and keeps JMH's results as {@code <group>.json}. */
  JmhRun run(int rounds, int seconds, List<Contender> contenders) throws IOException {
    Random lot = new Random(rounds);
    contenders.forEach(each -> byContender.put(each.name(), new ArrayList<>()));
    for (int round = 1; round <= rounds; round++) {
      System.out.printf(Locale.ROOT, "%s: round %d of %d%n", group, round, rounds);
      List<Contender> order = new ArrayList<>(contenders);
      Collections.shuffle(order, lot);
      for (Contender each : order) {
        if (each.takesPartIn(round)) {
          once(each, seconds);
        }
      }
    }
    Path file = bench.folder().resolve(group + ".json");
    JSON.writeValue(file.toFile(), results);
    if (results.size() > 0) {
      bench
          .summary()
          .measuredOn(
              group,
              results.get(0).path("vmVersion").asText(results.get(0).path("jdkVersion").asText()));
    }
    System.out.println("JMH's results: " + file);
    return this;
  }

  private void once(Contender contender, int seconds) throws IOException {
    Path result = Files.createTempFile(bench.folder(), group, ".json");
    Path log = bench.folder().resolve("jmh.log");
    boolean isQuick = bench.effort() == Effort.QUICK;
    List<String> command = new ArrayList<>();
    command.addAll(List.of(java.toString(), "-cp", bench.classPaths().of(contender.name())));
    command.addAll(List.of("org.openjdk.jmh.Main", contender.method() + "$"));
    command.addAll(List.of("-f", "1", "-foe", "true", "-prof", "gc"));
    command.addAll(List.of("-rf", "json", "-rff", result.toString()));
    command.addAll(
        isQuick
            ? List.of("-wi", "1", "-w", "200ms", "-i", "1", "-r", "200ms")
            : List.of("-wi", "" + contender.warmUp(), "-w", "1s", "-i", "" + seconds, "-r", "1s"));
    for (String parameter : contender.parameters()) {
      command.addAll(
          parameter.startsWith("-D")
              ? List.of("-jvmArgsAppend", parameter)
              : List.of("-p", parameter));
    }
    try {
      Process jmh =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
              .start();
      try {
        if (!jmh.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS) || jmh.exitValue() != 0) {
          throw new IllegalStateException(
              group + ": " + contender.name() + " failed or hung; see the end of " + log);
        }
      } finally {
        jmh.descendants().forEach(ProcessHandle::destroyForcibly);
        jmh.destroyForcibly();
      }
      for (JsonNode each : JSON.readTree(result.toFile())) {
        results.add(each);
        byContender.computeIfAbsent(contender.name(), name -> new ArrayList<>()).add(each);
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("Interrupted while JMH ran", interrupted);
    } finally {
      Files.deleteIfExists(result);
    }
  }

  /** Adds processor time per operation, from the counters of a benchmark that keeps them. */
  JmhRun addCpu() {
    return add(Metric.CPU, each -> secondary(each, "cpuNanos") / secondary(each, "operations"));
  }

  /** Adds bytes per operation, from JMH's own profiler. */
  JmhRun addBytes() {
    return add(Metric.BYTES, each -> secondary(each, "gc.alloc.rate.norm"));
  }

  /** Adds the benchmark's own score, in nanoseconds per operation. */
  JmhRun addScore() {
    return add(Metric.WALL, each -> each.path("primaryMetric").path("score").asDouble(Double.NaN));
  }

  /** Adds a percentile of a benchmark that samples nanoseconds. */
  JmhRun addPercentile(Metric metric, String percentile) {
    return add(
        metric,
        each ->
            each.path("primaryMetric")
                    .path("scorePercentiles")
                    .path(percentile)
                    .asDouble(Double.NaN)
                / 1_000);
  }

  private JmhRun add(Metric metric, java.util.function.ToDoubleFunction<JsonNode> figure) {
    byContender.forEach(
        (contender, rounds) ->
            bench
                .summary()
                .add(group, contender, metric, rounds.stream().mapToDouble(figure).toArray()));
    return this;
  }

  private static double secondary(JsonNode result, String name) {
    return result.path("secondaryMetrics").path(name).path("score").asDouble(Double.NaN);
  }

  /** JDK 25 beside the running one, or the running one. */
  static Path newestJava() throws IOException {
    Path home = Path.of(System.getProperty("java.home"));
    Path beside = home.getParent();
    if (beside != null) {
      try (DirectoryStream<Path> others = Files.newDirectoryStream(beside, "*25*")) {
        for (Path other : others) {
          Path java = other.resolve("bin/java");
          if (Files.isExecutable(java)) {
            return java;
          }
        }
      }
    }
    return runningJava();
  }

  static Path runningJava() {
    return Path.of(System.getProperty("java.home"), "bin", "java");
  }
}
