package dev.waymark.benchmarks;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import javax.sql.DataSource;

/**
 * Opens contenders by their names in the summary: same nodes, same pools, same statements. A
 * contender's classes are touched only when it is opened, so that a class path need not have all.
 */
final class Contenders {
  private Contenders() {}

  static Contender open(String name, Topology topology) {
    return switch (name) {
      case "raw", "raw2" -> raw(topology);
      case "waymark-keyed" -> WaymarkKeyed.open(topology);
      case "waymark-session" -> WaymarkKeyed.inSession(topology);
      case "waymark-observed" -> WaymarkKeyed.observed(topology);
      case "waymark-datasource" -> WaymarkKeyed.dataSource(topology);
      case "spring" -> SpringRouting.open(topology);
      case "aws" -> aws(topology);
      case "aws-rw" -> awsSplitting(topology);
      case "shardingsphere" -> shardingSphere(topology, "SHARDING");
      case "shardingsphere-rw" -> shardingSphere(topology, "SHARDING_AND_SPLITTING");
      default -> throw new IllegalArgumentException("There is no contender '" + name + "'");
    };
  }

  /** HikariCP and pgjdbc: the shard by a division, the replica by the key's last bit. */
  private static Contender raw(Topology topology) {
    return byNode(topology, "", new Properties());
  }

  /** The same through AWS' wrapper, which does nothing: the least that it costs. */
  private static Contender aws(Topology topology) {
    Properties none = awsSettings();
    none.setProperty("wrapperPlugins", "");
    return byNode(topology, "aws-wrapper:", none);
  }

  private static Properties awsSettings() {
    Properties settings = new Properties();
    // Said rather than detected: no questions to the server that only Aurora can answer.
    settings.setProperty("wrapperDialect", "pg");
    settings.setProperty("wrapperTargetDriverDialect", "pgjdbc");
    return settings;
  }

  private static Contender byNode(Topology topology, String wrapper, Properties settings) {
    List<HikariDataSource> pools = new ArrayList<>();
    List<HikariDataSource> primaries = new ArrayList<>();
    List<HikariDataSource[]> replicas = new ArrayList<>();
    for (Topology.Nodes nodes : topology.shards()) {
      HikariDataSource primary = pool(topology, wrapped(nodes.primary(), wrapper), settings);
      primaries.add(primary);
      pools.add(primary);
      HikariDataSource[] own =
          nodes.replicas().stream()
              .map(url -> pool(topology, wrapped(url, wrapper), settings))
              .toArray(HikariDataSource[]::new);
      replicas.add(own);
      pools.addAll(List.of(own));
    }
    ByConnection.Opener reads =
        key -> {
          HikariDataSource[] own = replicas.get(topology.shardOf(key));
          return own[(int) (key % own.length)].getConnection();
        };
    ScatterByHand scatter = new ScatterByHand(topology, reads);
    List<AutoCloseable> closed = new ArrayList<>();
    closed.add(scatter);
    closed.addAll(pools);
    return new ByConnection(
        reads, key -> primaries.get(topology.shardOf(key)).getConnection(), scatter, closed);
  }

  private static String wrapped(String url, String wrapper) {
    return "jdbc:" + wrapper + url.substring("jdbc:".length());
  }

  /**
   * One pool for each shard, whose connections change to the replica for reads: the way that AWS
   * documents for databases other than Aurora.
   */
  private static Contender awsSplitting(Topology topology) {
    List<HikariDataSource> pools = new ArrayList<>();
    for (Topology.Nodes nodes : topology.shards()) {
      Properties splitting = awsSettings();
      splitting.setProperty("wrapperPlugins", "srw");
      splitting.setProperty("srwWriteEndpoint", host(nodes.primary()));
      splitting.setProperty("srwReadEndpoint", host(nodes.replicas().get(0)));
      // Only Aurora's endpoints can answer with another role than their name says.
      splitting.setProperty("verifyNewSrwConnections", "false");
      pools.add(pool(topology, wrapped(nodes.primary(), "aws-wrapper:"), splitting));
    }
    return new ByConnection(
        key -> {
          Connection connection = pools.get(topology.shardOf(key)).getConnection();
          connection.setReadOnly(true);
          return connection;
        },
        key -> pools.get(topology.shardOf(key)).getConnection(),
        pools);
  }

  private static String host(String url) {
    String rest = url.substring(url.indexOf("//") + 2);
    return rest.substring(0, rest.indexOf('/'));
  }

  static HikariDataSource pool(Topology topology, String url, Properties settings) {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(url);
    config.setUsername(topology.user());
    config.setPassword(topology.password());
    config.setMaximumPoolSize(topology.poolSize());
    config.setMinimumIdle(1);
    config.setDataSourceProperties(settings);
    return new HikariDataSource(config);
  }

  /** By reflection: its module is built only for benchmarks, and has a class path of its own. */
  private static Contender shardingSphere(Topology topology, String rules) {
    Map<String, DataSource> nodes = new LinkedHashMap<>();
    List<HikariDataSource> pools = new ArrayList<>();
    for (int shard = 0; shard < topology.shards().size(); shard++) {
      Topology.Nodes own = topology.shards().get(shard);
      HikariDataSource primary = pool(topology, own.primary(), new Properties());
      nodes.put("primary_" + shard, primary);
      pools.add(primary);
      if (rules.equals("SHARDING_AND_SPLITTING")) {
        for (int replica = 0; replica < own.replicas().size(); replica++) {
          HikariDataSource pool = pool(topology, own.replicas().get(replica), new Properties());
          nodes.put("replica_" + shard + "_" + replica, pool);
          pools.add(pool);
        }
      }
    }
    try {
      DataSource whole =
          (DataSource)
              Class.forName("dev.waymark.benchmarks.shardingsphere.ShardingSpherePeer")
                  .getMethod("open", Map.class, long.class)
                  .invoke(null, nodes, topology.keysPerShard());
      List<AutoCloseable> closed = new ArrayList<>();
      closed.add((AutoCloseable) whole);
      closed.addAll(pools);
      return new ByConnection(
          key -> whole.getConnection(),
          key -> whole.getConnection(),
          new ScatterByDataSource(whole),
          closed);
    } catch (ReflectiveOperationException failed) {
      throw new IllegalStateException("Opening ShardingSphere", failed);
    }
  }
}
