package dev.waymark.routing;

import static dev.waymark.routing.Shards.column;
import static dev.waymark.routing.Shards.update;

import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Uses a database in each way, and tells what came of it; perhaps where no SQL can be read. */
final class WithoutParser {
  private static final String SELECT = "SELECT name FROM users WHERE id = 7";

  private WithoutParser() {}

  /** Gives what the keyed API reads, twice, and what each data source of the whole gives. */
  static List<String> run(String url, String user, String password) throws Exception {
    // Drivers are looked for once in a JVM, and that was elsewhere.
    Class.forName("org.postgresql.Driver");
    Class.forName(WaymarkDriver.class.getName());
    List<String> told = new ArrayList<>();
    WaymarkConfig config =
        WaymarkConfig.of(
            ShardMap.of(
                1,
                List.of(new Shard("shard-1", List.of(Node.at(url)))),
                List.of(new OwnedRange(new KeyRange(1, 1_001), "shard-1")),
                List.of(new Table.Sharded("users", "id"))),
            new Credentials(user, password));
    Path file = Files.createTempFile("waymark", ".yaml");
    try (ShardedDatabase database = ShardedDatabase.open(config)) {
      database.write(7, connection -> Clusters.save(connection, 7, "written"));
      told.add("read: " + database.<String, SQLException>read(7, on -> column(on, SELECT).get(0)));
      try (Connection connection = database.dataSource(7).getConnection()) {
        update(connection, "UPDATE users SET name = 'written' WHERE id = 7");
        told.add("by the key's data source: " + column(connection, SELECT).get(0));
      }
      told.add(outcome(() -> database.dataSource().getConnection()));
      told.add(outcome(() -> database.dataSourceAcrossShards().getConnection()));
      Files.writeString(
          file,
          """
          version: 1
          tables: {users: {key: id}}
          shards: {shard-1: {nodes: [{url: "%s"}]}}
          ranges: [{from: 1, to: 1001, shard: shard-1}]
          credentials: {user: %s, password: "%s"}
          """
              .formatted(url, user, password));
      told.add(outcome(() -> DriverManager.getConnection("jdbc:waymark:file:" + file)));
      return told;
    } finally {
      Files.delete(file);
      // This class' own loader is to be let go; what the URL has opened is closed with its driver.
      for (Driver driver : Collections.list(DriverManager.getDrivers())) {
        if (driver.getClass().getClassLoader() == WithoutParser.class.getClassLoader()) {
          DriverManager.deregisterDriver(driver);
        }
      }
    }
  }

  private interface Opening {
    Connection connection() throws SQLException;
  }

  private static String outcome(Opening opening) {
    try (Connection connection = opening.connection()) {
      return column(connection, SELECT).get(0);
    } catch (SQLException | RuntimeException | LinkageError failure) {
      return failure.getClass().getSimpleName() + ": " + failure.getMessage();
    }
  }
}
