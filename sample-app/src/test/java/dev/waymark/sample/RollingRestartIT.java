package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Requests of the load command go on while what serves them comes and goes: to those processes that
 * say they are ready, as a cluster's Service sends them. None is sent twice.
 */
class RollingRestartIT {
  private static final int PROCESSES = 2;

  @TempDir private Path directory;
  private TestCluster cluster;
  private final List<ServiceProcess> processes = new ArrayList<>();
  private final List<Integer> ports = new ArrayList<>();
  private int starts;

  @BeforeEach
  void start() throws Exception {
    cluster = TestCluster.builder().replicas(2).redis().start();
    List<String> nodes = new ArrayList<>();
    for (PostgresServer server : cluster.servers()) {
      nodes.add("{name: %s, url: \"%s\"}".formatted(server.name(), server.url()));
    }
    Files.writeString(
        directory.resolve("waymark.yaml"),
        DeployFiles.text("compose/waymark.yaml").split("shards:")[0]
            + """
              shards:
                shard-1: {nodes: [%s]}
              ranges:
                - {from: 1, to: max, shard: shard-1}
              credentials: {user: %s, password: "${APP_DB_PASSWORD}"}
              session: {secret: "${WAYMARK_SESSION_SECRET}"}
              redis: {url: "%s", namespace: sample}
              """
                .formatted(
                    String.join(", ", nodes),
                    cluster.servers().get(0).user(),
                    cluster.redis().url()));
    for (int i = 0; i < PROCESSES; i++) {
      try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
        ports.add(free.getLocalPort());
      }
      processes.add(startOn(ports.get(i)));
    }
  }

  @AfterEach
  void stop() {
    processes.forEach(ServiceProcess::close);
    cluster.close();
  }

  @Test
  void noRequestFailsInARollingRestart() throws Exception {
    LoadReport report =
        during(
            () -> {
              for (int i = 0; i < PROCESSES; i++) {
                processes.get(i).stop();
                processes.set(i, startOn(ports.get(i)));
                awaitReady(ports.get(i));
              }
            });

    System.out.println(report);
    assertThat(report.errors()).isEmpty();
    assertThat(report.requests()).isGreaterThan(100);
  }

  @Test
  void noRequestFailsWhileAReplicaIsKilledAndComesBack() throws Exception {
    PostgresServer replica = cluster.shard(0).replicas().get(0);
    LoadReport report =
        during(
            () -> {
              replica.kill();
              await().until(() -> roles(ports.get(0)).contains("down"));
              replica.start();
              await()
                  .atMost(Duration.ofSeconds(60))
                  .until(() -> !roles(ports.get(0)).contains("down"));
            });

    System.out.println(report);
    assertThat(report.errors()).isEmpty();
    assertThat(report.readsByNode()).containsKey(replica.name());
    assertThat(report.requests()).isGreaterThan(50);
  }

  private interface Events {
    void happen() throws Exception;
  }

  /** Lets something happen while requests go on, from a second of them before to one after. */
  private LoadReport during(Events events) throws Exception {
    URI[] urls =
        ports.stream().map(port -> URI.create("http://127.0.0.1:" + port)).toArray(URI[]::new);
    AtomicInteger seconds = new AtomicInteger();
    try (LoadRun run =
        new LoadRun(
            LoadPlan.of(urls)
                .withClients(6)
                .withRate(60)
                .withUsers(40)
                .withOrders(40)
                .untilStopped())) {
      CompletableFuture<LoadReport> report = new CompletableFuture<>();
      Thread thread =
          new Thread(
              () -> {
                try {
                  report.complete(run.run(line -> seconds.incrementAndGet()));
                } catch (Exception failure) {
                  report.completeExceptionally(failure);
                }
              });
      thread.start();
      awaitSeconds(seconds, 2, report);
      events.happen();
      awaitSeconds(seconds, seconds.get() + 2, report);
      run.stop();
      return report.get(60, TimeUnit.SECONDS);
    }
  }

  private static void awaitSeconds(
      AtomicInteger seconds, int until, CompletableFuture<LoadReport> report) {
    await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> seconds.get() >= until || report.isCompletedExceptionally());
  }

  private ServiceProcess startOn(int port) throws Exception {
    return ServiceProcess.start(
        directory.resolve("output-" + starts++ + ".txt"),
        Map.of(
            "APP_DB_PASSWORD", cluster.servers().get(0).password(),
            "WAYMARK_SESSION_SECRET", "a secret for the tests only",
            // Longer than it takes the load's balancer to look, on a slow machine too.
            "WAYMARK_DRAIN_SECONDS", "3"),
        Stream.of("-cp", System.getProperty("java.class.path")),
        "--config",
        directory.resolve("waymark.yaml").toString(),
        "--init-schema",
        "--port",
        "" + port);
  }

  private static void awaitReady(int port) {
    await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> new Client(port).get("/health/ready").status() == 200);
  }

  private static List<String> roles(int port) {
    return new Client(port).get("/health/ready").data().findValuesAsText("role");
  }
}
