package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.testkit.TestCluster;
import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The library on a class path that lacks what reads SQL, as with those who use the keyed API. */
class WithoutParserIT {
  /** As much of the class path as an application without the optional dependencies has. */
  private static URL[] classPath(String missing) throws MalformedURLException {
    List<URL> urls = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      if (!Path.of(entry).getFileName().toString().startsWith(missing)) {
        urls.add(Path.of(entry).toUri().toURL());
      }
    }
    return urls.toArray(URL[]::new);
  }

  /** Runs {@link WithoutParser} where jars of a name are missing. */
  private static List<String> told(TestCluster cluster, String missing) throws Exception {
    var primary = cluster.shard(0).primary();
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    try (URLClassLoader poor =
        new URLClassLoader(classPath(missing), ClassLoader.getPlatformClassLoader())) {
      // Whoever looks for a JDBC driver looks there.
      thread.setContextClassLoader(poor);
      Class<?> main = Class.forName(WithoutParser.class.getName(), true, poor);
      var run = main.getDeclaredMethod("run", String.class, String.class, String.class);
      run.setAccessible(true);
      List<?> told = (List<?>) run.invoke(null, primary.url(), primary.user(), primary.password());
      return told.stream().map(String.class::cast).toList();
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  @Test
  void theKeyedApiWorksAndTheDataSourceSaysWhatIsMissing() throws Exception {
    try (TestCluster cluster = TestCluster.builder().shards(1).replicas(0).start()) {
      try (Connection connection = cluster.shard(0).primary().connect()) {
        createUsers(connection);
      }
      for (String missing : List.of("pgcodekeeper", "antlr4-runtime")) {
        assertThat(told(cluster, missing))
            .as(missing)
            .hasSize(5)
            .startsWith("read: written", "by the key's data source: written")
            .allMatch(line -> line.startsWith("read:") || line.startsWith("by") || isClear(line));
      }
      assertThat(told(cluster, "nothing-of-this-name"))
          .containsExactly(
              "read: written",
              "by the key's data source: written",
              "written",
              "written",
              "written");
    }
  }

  private static boolean isClear(String line) {
    return line.endsWith(
        "The data source reads SQL with org.pgcodekeeper:pgcodekeeper-core and"
            + " org.antlr:antlr4-runtime, which are not on the class path; add them, or use"
            + " read(key, …), write(key, …) and dataSource(key), which need no parser");
  }

  private static void createUsers(Connection connection) throws SQLException {
    Shards.update(connection, "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL)");
    Shards.update(connection, "GRANT ALL ON users TO PUBLIC");
  }
}
