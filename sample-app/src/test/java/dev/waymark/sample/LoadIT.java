package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.TestCluster;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The load command against a service on real servers. */
class LoadIT {
  private static TestCluster cluster;
  private static SampleService service;
  private static String url;

  @TempDir private Path directory;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().shards(2).replicas(1).redis().start();
    service =
        SampleService.open(
            Demo.config(cluster, 1_000).withRedis(WaymarkConfig.Redis.at(cluster.redis().url())));
    SampleSchema.install(service.database());
    url = "http://127.0.0.1:" + service.serve("127.0.0.1", 0).port();
  }

  @AfterAll
  static void stop() {
    service.close();
    cluster.close();
  }

  @Test
  void countsWhatItDid() throws Exception {
    List<String> progress = new ArrayList<>();
    LoadReport report;
    try (LoadRun run =
        new LoadRun(
            LoadPlan.of(URI.create(url))
                .withClients(4)
                .withUsers(30)
                .withOrders(20)
                .withDuration(Duration.ofMillis(2_500)))) {
      report = run.run(progress::add);
    }

    assertThat(report.errors()).isEmpty();
    assertThat(report.requests()).isGreaterThan(50);
    assertThat(report.writeMicros().getTotalCount())
        .isPositive()
        .isEqualTo(sum(report.writesByNode().values()));
    assertThat(report.writesByNode().keySet())
        .containsExactlyInAnyOrder(
            cluster.shard(0).primary().name(), cluster.shard(1).primary().name());
    assertThat(sum(report.readsByTier().values()))
        .isPositive()
        .isLessThan(report.readMicros().getTotalCount());
    assertThat(report.readsByNode()).isNotEmpty();
    assertThat(progress).hasSize(2);
    assertThat(progress.get(0)).contains("requests/s", "failed 0", "at 1 s");
  }

  @Test
  void keepsToItsRate() throws Exception {
    try (LoadRun run =
        new LoadRun(
            LoadPlan.of(URI.create(url))
                .withClients(4)
                .withUsers(10)
                .withRate(20)
                .withDuration(Duration.ofSeconds(3)))) {
      // A slow machine may do less: what is due within three seconds is the most.
      assertThat(run.run(line -> {}).requests()).isBetween(1L, 60L);
    }
  }

  @Test
  void failedRequestsAreCountedByWhatTheySaid() throws Exception {
    try (LoadRun run =
        new LoadRun(
            LoadPlan.of(URI.create(url)).withClients(2).withUsers(5).withRate(50).untilStopped())) {
      List<String> seen = new ArrayList<>();
      LoadReport report =
          run.run(
              line -> {
                if (seen.isEmpty()) {
                  rename("users", "away");
                } else if (!line.contains("failed 0,")) {
                  run.stop();
                }
                seen.add(line);
              });

      assertThat(report.failed()).isPositive();
      assertThat(report.errors().keySet()).allMatch(what -> what.startsWith("500"));
      assertThat(report.toString()).contains("500 ");
    } finally {
      rename("away", "users");
    }
  }

  private static void rename(String from, String to) {
    cluster
        .shards()
        .forEach(
            shard -> shard.primary().execute("ALTER TABLE %s RENAME TO %s".formatted(from, to)));
  }

  @Test
  void theCommandReportsAndEndsWell() throws Exception {
    Path output = directory.resolve("output.txt");
    int status =
        runCommand(output, "--url", url, "--seconds", "2", "--clients", "2", "--users", "10");

    assertThat(Files.readString(output))
        .contains(
            "requests/s  p50", " by 2 clients", "milliseconds", "users read from", "shard-1-a");
    assertThat(status).isZero();
  }

  @Test
  void aServiceThatIsNotThereIsSaidSo() throws Exception {
    Path output = directory.resolve("output.txt");
    int status = runCommand(output, "--url", "http://127.0.0.1:1");

    assertThat(Files.readString(output)).startsWith("http://127.0.0.1:1 does not answer");
    assertThat(status).isEqualTo(1);
  }

  @Test
  void wrongArgumentsAreExplained() throws Exception {
    Path output = directory.resolve("output.txt");

    assertThat(runCommand(output, "--clints", "1")).isEqualTo(2);
    assertThat(Files.readString(output))
        .startsWith("There is no argument '--clints'.")
        .contains("--rate N");
  }

  private static int runCommand(Path output, String... arguments) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(
            Stream.concat(
                    Stream.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Load.class.getName()),
                    Stream.of(arguments))
                .toList());
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    Process process = builder.redirectErrorStream(true).redirectOutput(output.toFile()).start();
    try {
      assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
      return process.exitValue();
    } finally {
      process.destroyForcibly();
    }
  }

  private static long sum(java.util.Collection<Long> counts) {
    return counts.stream().mapToLong(Long::longValue).sum();
  }
}
