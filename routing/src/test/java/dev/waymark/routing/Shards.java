package dev.waymark.routing;

import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;

/**
 * Two shards of a primary and replicas with users, their orders and the countries, behind a data
 * source: keys 1 to 1,000 live on the first one, the next 1,000 on the second.
 */
final class Shards implements AutoCloseable {
  static final String SCHEMA =
      """
      CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, data jsonb, tags text[],
                          born date, seen timestamptz);
      CREATE TABLE orders (id bigint, user_id bigint NOT NULL, total numeric(10, 2),
                           PRIMARY KEY (user_id, id));
      CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
      INSERT INTO countries VALUES ('NO', 'Norway'), ('PE', 'Peru');
      CREATE FUNCTION touch(bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS
        $$ BEGIN UPDATE users SET name = name || '!' WHERE id = $1; RETURN $1; END $$;
      CREATE FUNCTION liar(bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS
        $$ BEGIN PERFORM touch($1); RETURN $1; END $$;
      CREATE FUNCTION impostor() RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN PERFORM touch(7); RETURN 7; END $$;
      CREATE PROCEDURE touched(bigint) LANGUAGE plpgsql AS $$ BEGIN PERFORM touch($1); END $$;
      """;

  private final TestCluster cluster;
  private final ShardedDatabase database;

  private Shards(TestCluster cluster, ShardedDatabase database) {
    this.cluster = cluster;
    this.database = database;
  }

  static Shards start(int replicas) throws SQLException {
    TestCluster cluster = TestCluster.builder().shards(2).replicas(replicas).start();
    try {
      return new Shards(cluster, open(cluster));
    } catch (SQLException | RuntimeException | Error failure) {
      cluster.close();
      throw failure;
    }
  }

  private static ShardedDatabase open(TestCluster cluster) throws SQLException {
    ShardedDatabase database = ShardedDatabase.open(config(cluster));
    try {
      for (LiveShard shard : database.shards()) {
        database.writeOn(
            shard,
            transaction -> {
              try (Statement statement = transaction.connection().createStatement()) {
                return statement.execute(SCHEMA);
              }
            });
      }
      database.schema().install();
      return database;
    } catch (SQLException | RuntimeException | Error failure) {
      database.close();
      throw failure;
    }
  }

  static WaymarkConfig config(TestCluster cluster) {
    return Clusters.withMap(
            Clusters.config(cluster),
            map ->
                ShardMap.of(
                    map.version(),
                    map.shards(),
                    map.ranges(),
                    List.of(
                        new Table.Sharded("users", "id"),
                        new Table.Sharded("orders", "user_id"),
                        new Table.Broadcast("countries"))))
        .withPool(new WaymarkConfig.Pool(4, Duration.ofSeconds(5), Duration.ofSeconds(2)));
  }

  TestCluster cluster() {
    return cluster;
  }

  ShardedDatabase database() {
    return database;
  }

  DataSource dataSource() {
    return database.dataSource();
  }

  /** The primary of a shard, counted from 0. */
  PostgresServer primary(int shard) {
    return cluster.shard(shard).primary();
  }

  void clear() throws SQLException {
    for (ShardServers shard : cluster.shards()) {
      shard.primary().execute("TRUNCATE users, orders");
    }
  }

  /** The first column of every row of one statement on a connection. */
  static List<String> column(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> values = new ArrayList<>();
      while (rows.next()) {
        values.add(rows.getString(1));
      }
      return values;
    }
  }

  static int update(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      return statement.executeUpdate(sql);
    }
  }

  /** Connections in use on every node, which must be none between tests. */
  long inUse() {
    return database.nodes().stream()
        .mapToLong(node -> node.pools().reads().active() + node.pools().writes().active())
        .sum();
  }

  @Override
  public void close() {
    database.close();
    cluster.close();
  }
}
