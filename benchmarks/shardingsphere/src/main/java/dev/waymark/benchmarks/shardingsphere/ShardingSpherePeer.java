package dev.waymark.benchmarks.shardingsphere;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.apache.shardingsphere.driver.api.yaml.YamlShardingSphereDataSourceFactory;

/** Opens ShardingSphere-JDBC over pools that the benchmark has made. */
public final class ShardingSpherePeer {
  private ShardingSpherePeer() {}

  /**
   * Opens it.
   *
   * @param nodes {@code primary_<shard>}, and with read/write splitting {@code
   *     replica_<shard>_<number>}
   * @param keysPerShard keys of each shard
   */
  public static DataSource open(Map<String, DataSource> nodes, long keysPerShard)
      throws SQLException, IOException {
    Map<Integer, List<String>> replicas =
        nodes.keySet().stream()
            .filter(name -> name.startsWith("replica_"))
            .collect(
                Collectors.groupingBy(
                    name -> Integer.valueOf(name.split("_")[1]),
                    TreeMap::new,
                    Collectors.toList()));
    List<String> shards =
        nodes.keySet().stream()
            .filter(name -> name.startsWith("primary_"))
            .map(name -> replicas.isEmpty() ? name : name.replace("primary_", "shard_"))
            .toList();
    return YamlShardingSphereDataSourceFactory.createDataSource(
        nodes, yaml(shards, replicas, keysPerShard).getBytes(StandardCharsets.UTF_8));
  }

  private static String yaml(
      List<String> shards, Map<Integer, List<String>> replicas, long keysPerShard) {
    StringBuilder yaml = new StringBuilder();
    yaml.append(
        """
        mode:
          type: Standalone
          repository:
            type: Memory
        rules:
        - !SHARDING
          tables:
        """);
    table(yaml, "users", "id", shards);
    table(yaml, "visits", "user_id", shards);
    table(yaml, "orders", "user_id", shards);
    yaml.append(
        """
          shardingAlgorithms:
            key_ranges:
              type: CLASS_BASED
              props:
                strategy: STANDARD
                algorithmClassName: %s
                width: %d
                names: "%s"
        """
            .formatted(KeyRanges.class.getName(), keysPerShard, String.join(",", shards)));
    if (!replicas.isEmpty()) {
      yaml.append("- !READWRITE_SPLITTING\n  dataSourceGroups:\n");
      replicas.forEach(
          (shard, names) ->
              yaml.append(
                  """
                      shard_%1$d:
                        writeDataSourceName: primary_%1$d
                        readDataSourceNames: [%2$s]
                        transactionalReadQueryStrategy: PRIMARY
                        loadBalancerName: in_turn
                  """
                      .formatted(shard, String.join(", ", names))));
      yaml.append("  loadBalancers:\n    in_turn:\n      type: ROUND_ROBIN\n");
    }
    yaml.append(
        """
        props:
          sql-show: false
          check-table-metadata-enabled: false
        """);
    return yaml.toString();
  }

  private static void table(StringBuilder yaml, String name, String key, List<String> shards) {
    yaml.append(
        """
            %1$s:
              actualDataNodes: %3$s
              databaseStrategy:
                standard:
                  shardingColumn: %2$s
                  shardingAlgorithmName: key_ranges
        """
            .formatted(
                name,
                key,
                shards.stream().map(shard -> shard + "." + name).collect(Collectors.joining(","))));
  }
}
