package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The service as a process of its own, the way people start and stop it. */
class MainIT {
  private static final Pattern URL = Pattern.compile("http://127\\.0\\.0\\.1:(\\d+)[;\\s]");

  @TempDir private Path directory;
  private Process process;

  @AfterEach
  void endProcess() {
    if (process != null) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }

  @Test
  void servesFromAFile() throws Exception {
    try (TestCluster cluster = TestCluster.builder().redis().start()) {
      PostgresServer node = cluster.servers().get(0);
      Path file = directory.resolve("waymark.yaml");
      Files.writeString(
          file,
          """
          version: 1
          tables:
            users: {key: id}
            orders: {key: user_id}
            user_emails: {key: slot}
            email_uses: {key: user_id}
            idempotency_keys: {key: owner}
            checkouts: {key: user_id}
            accounts: {key: slot}
            payments: {key: slot}
            outbox: {key: user_id}
            activity: {key: user_id}
            activity_totals: {key: user_id}
          shards:
            shard-1: {nodes: [{url: "%s"}]}
          ranges:
            - {from: 1, to: max, shard: shard-1}
          credentials: {user: %s, password: "${SAMPLE_PASSWORD}"}
          redis: {url: "%s"}
          """
              .formatted(node.url(), node.user(), cluster.redis().url()));
      start(
          Map.of("SAMPLE_PASSWORD", node.password()),
          "--config",
          file.toString(),
          "--init-schema",
          "--port",
          "0");
      Client client = new Client(portAfter("Serving on"));

      Reply created =
          client.post("/api/users", "{\"name\": \"Ada\", \"email\": \"ada@example.org\"}");

      assertThat(created.status()).isEqualTo(201);
      assertThat(client.get(created.header("Location")).data()).isEqualTo(created.data());
      process.destroy();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(output()).doesNotContain(node.password());
    }
  }

  @Test
  void theDemoShowsItsNodesAndLeavesNothingBehind() throws Exception {
    // Root's PostgreSQL runs under another account, which must be able to get there.
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      start(
          Map.of(),
          List.of("-Dwaymark.testkit.directory=" + directory),
          "--demo",
          "--port",
          "" + taken.getLocalPort());
      int port = portAfter("To try");
      await().atMost(Duration.ofSeconds(10)).until(() -> output().contains("/health/ready"));

      assertThat(port).isGreaterThan(taken.getLocalPort());
      assertThat(output())
          .contains(
              "Port " + taken.getLocalPort() + " is taken; this is on port " + port + ".",
              "users per shard: {shard-1=100, shard-2=100, shard-3=100}");
      assertThat(output().lines().filter(line -> line.matches(" +shard-\\d +\\S+ +primary .*")))
          .hasSize(3);
      assertThat(output().lines().filter(line -> line.matches(" +shard-\\d +\\S+ +replica .*")))
          .hasSize(6);
      assertThat(output().lines().filter(line -> line.startsWith("  curl "))).hasSize(4);
      // What follows the tables' changes began when they were there.
      assertThat(output()).doesNotContain("not followed", "does not follow");
      Client client = new Client(port);
      assertThat(client.get("/api/users?limit=100").data()).hasSize(100);
      List<ProcessHandle> servers = process.descendants().toList();
      assertThat(servers).hasSizeGreaterThan(9);

      process.destroy();

      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(output()).contains("Stopped: every server has ended");
      await().until(() -> servers.stream().noneMatch(ProcessHandle::isAlive));
      await().until(() -> clustersIn(directory) == 0);
    }
  }

  @Test
  void wrongArgumentsAreExplained() throws Exception {
    start(Map.of(), "--prot", "1");

    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(2);
    assertThat(output()).startsWith("There is no argument '--prot'.").contains("--config FILE");
  }

  @Test
  void aWrongFileIsExplainedWithoutAStack() throws Exception {
    Path file = directory.resolve("waymark.yaml");
    Files.writeString(file, "version: 1\n");
    start(Map.of(), "--config", file.toString());

    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(1);
    assertThat(output()).startsWith("The configuration has").doesNotContain("\tat ");
  }

  private void start(Map<String, String> environment, String... arguments) throws IOException {
    start(environment, List.of(), arguments);
  }

  private void start(Map<String, String> environment, List<String> options, String... arguments)
      throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
            Stream.of(
                    Stream.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()),
                    options.stream(),
                    Stream.of("-cp", System.getProperty("java.class.path")),
                    Stream.of(Main.class.getName()),
                    Stream.of(arguments))
                .flatMap(part -> part)
                .toList());
    // With it a JVM writes a line of its own before the program's first.
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    builder.environment().putAll(environment);
    builder.redirectErrorStream(true).redirectOutput(directory.resolve("output.txt").toFile());
    process = builder.start();
  }

  private int portAfter(String marker) throws IOException {
    await()
        .atMost(Duration.ofSeconds(120))
        .until(
            () ->
                (output().contains(marker) && URL.matcher(afterStart()).find())
                    || !process.isAlive());
    String output = output();
    Matcher url = URL.matcher(afterStart());
    assertThat(url.find()).as(output).isTrue();
    return Integer.parseInt(url.group(1));
  }

  /** A line may be there in part. */
  private String afterStart() throws IOException {
    String output = output();
    return output.substring(Math.max(0, output.indexOf("Serving on")));
  }

  private String output() throws IOException {
    return Files.readString(directory.resolve("output.txt"));
  }

  private static long clustersIn(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> file.getFileName().toString().startsWith("waymark")).count();
    }
  }
}
