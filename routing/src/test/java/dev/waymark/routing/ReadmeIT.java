package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's program, as it stands there, compiled and run on a real cluster. */
class ReadmeIT {
  @TempDir Path folder;

  @Test
  void theProgramOfTheReadmeCompilesAndRuns() throws Exception {
    String readme = Files.readString(Path.of("..", "README.md"));
    Path source = folder.resolve("FirstSteps.java");
    Files.writeString(source, block(readme, "java"));
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    assertThat(
            compiler.run(
                null,
                null,
                null,
                "-d",
                folder.toString(),
                "-cp",
                System.getProperty("java.class.path"),
                source.toString()))
        .isZero();

    try (TestCluster cluster = TestCluster.builder().shards(2).replicas(1).start()) {
      Path file = folder.resolve("waymark.yaml");
      Files.writeString(file, withServers(block(readme, "yaml"), cluster));
      WaymarkConfig config =
          WaymarkConfig.parse(
              Files.readString(file), "waymark.yaml", name -> cluster.servers().get(0).password());
      // The program reads its environment, which a test cannot set.
      Files.writeString(
          file,
          Files.readString(file)
              .replace("${APP_DB_PASSWORD}", cluster.servers().get(0).password()));
      try (ShardedDatabase database = ShardedDatabase.open(config)) {
        Clusters.createSchema(cluster, database);
      }

      assertThat(run(file)).contains("Ada lives on shard-").contains("shard map version 1");
    }
  }

  private String run(Path file) throws Exception {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try (URLClassLoader loader =
        new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader())) {
      loader
          .loadClass("FirstSteps")
          .getMethod("main", String[].class)
          .invoke(null, (Object) new String[] {file.toString()});
    } finally {
      System.setOut(before);
    }
    return printed.toString(StandardCharsets.UTF_8);
  }

  /** The README's file with the cluster's addresses in place of its own. */
  private static String withServers(String yaml, TestCluster cluster) {
    String result = yaml.replace("user: app", "user: " + cluster.servers().get(0).user());
    for (int i = 0; i < cluster.shards().size(); i++) {
      ShardServers shard = cluster.shard(i);
      String letters = "ab";
      for (int n = 0; n < shard.servers().size(); n++) {
        PostgresServer server = shard.servers().get(n);
        String written = "jdbc:postgresql://pg" + (i + 1) + letters.charAt(n) + "/app";
        assertThat(yaml).contains(written);
        result = result.replace(written, server.url());
      }
    }
    return result;
  }

  private static String block(String markdown, String language) {
    String start = "```" + language + "\n";
    int from = markdown.indexOf(start) + start.length();
    return markdown.substring(from, markdown.indexOf("```", from));
  }
}
