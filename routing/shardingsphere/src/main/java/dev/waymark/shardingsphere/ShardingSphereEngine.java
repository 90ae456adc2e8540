package dev.waymark.shardingsphere;

import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.routing.CrossShardEngine;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.apache.shardingsphere.broadcast.config.BroadcastRuleConfiguration;
import org.apache.shardingsphere.driver.api.ShardingSphereDataSourceFactory;
import org.apache.shardingsphere.infra.algorithm.core.config.AlgorithmConfiguration;
import org.apache.shardingsphere.infra.config.mode.ModeConfiguration;
import org.apache.shardingsphere.infra.config.rule.RuleConfiguration;
import org.apache.shardingsphere.infra.hint.HintManager;
import org.apache.shardingsphere.mode.repository.standalone.StandalonePersistRepositoryConfiguration;
import org.apache.shardingsphere.sharding.api.config.ShardingRuleConfiguration;
import org.apache.shardingsphere.sharding.api.config.rule.ShardingTableReferenceRuleConfiguration;
import org.apache.shardingsphere.sharding.api.config.rule.ShardingTableRuleConfiguration;
import org.apache.shardingsphere.sharding.api.config.strategy.sharding.StandardShardingStrategyConfiguration;
import org.jspecify.annotations.Nullable;

/**
 * ShardingSphere-JDBC over Waymark's shards. It rewrites, says which shards to ask, and merges; its
 * connections lead to {@link CrossShardEngine.Shards}. Found by {@link java.util.ServiceLoader}.
 */
public final class ShardingSphereEngine implements CrossShardEngine {
  /** An engine that has not started. */
  public ShardingSphereEngine() {}

  @Override
  public Merger start(Layout layout) throws SQLException {
    try (OwnLoader loader = new OwnLoader()) {
      return new Started(layout);
    }
  }

  /** One running ShardingSphere. */
  private static final class Started implements Merger {
    private static final Pattern PLAIN_NAME = Pattern.compile("[a-z_][a-z0-9_]*");

    private final String name = "waymark_" + UUID.randomUUID().toString().replace('-', '_');
    private final DataSource dataSource;

    /**
     * ShardingSphere takes its connections on the thread that asks it, and says nothing of the
     * query there.
     */
    @SuppressWarnings("ThreadLocalUsage") // One for each database, and not static.
    private final ThreadLocal<@Nullable Shards> asking = new ThreadLocal<>();

    Started(Layout layout) throws SQLException {
      ShardMap map = layout.map();
      Map<String, DataSource> shards = new LinkedHashMap<>();
      for (Shard shard : map.shards()) {
        shards.put(
            KeyOwners.dataSource(map, shard.name()),
            new ShardDataSource(shard.name(), layout, asking));
      }
      look(map, layout);
      KeyOwners.open(name, layout);
      boolean isStarted = false;
      try {
        dataSource =
            ShardingSphereDataSourceFactory.createDataSource(
                name,
                mode(),
                shards,
                rules(map, shards.keySet().stream().toList()),
                new Properties());
        isStarted = true;
      } catch (RuntimeException failed) {
        throw told(failed);
      } finally {
        if (!isStarted) {
          KeyOwners.close(name);
        }
      }
    }

    /**
     * Whether every primary is there: ShardingSphere would find out when it has made a pool that
     * nobody closes.
     */
    private static void look(ShardMap map, Layout layout) throws SQLException {
      for (Shard shard : map.shards()) {
        try (Connection connection = layout.connect(shard.name());
            Statement statement = connection.createStatement()) {
          statement.execute("SELECT 1");
        }
      }
    }

    /** What a shard has thrown, out of what ShardingSphere has put around it. */
    private static SQLException told(RuntimeException failed) {
      for (Throwable cause = failed; cause != null; cause = cause.getCause()) {
        if (cause instanceof SQLException told) {
          return told;
        }
      }
      return new SQLException("ShardingSphere did not start", "XX000", failed);
    }

    /** It keeps its rules in a database in memory; each its own, as names there are the JVM's. */
    private ModeConfiguration mode() {
      Properties repository = new Properties();
      repository.setProperty(
          "jdbc_url",
          "jdbc:h2:mem:" + name + ";DB_CLOSE_DELAY=0;DATABASE_TO_UPPER=false;MODE=MYSQL");
      return new ModeConfiguration(
          "Standalone", new StandalonePersistRepositoryConfiguration("JDBC", repository));
    }

    private List<RuleConfiguration> rules(ShardMap map, List<String> shards) {
      ShardingRuleConfiguration sharding = new ShardingRuleConfiguration();
      List<String> sharded = new ArrayList<>();
      List<String> broadcast = new ArrayList<>();
      for (Table table : map.tables().values()) {
        if (!isPlain(table.name())
            || table instanceof Table.Sharded other && !isPlain(other.keyColumn())) {
          // Queries that name it are not left to us.
          continue;
        }
        if (table instanceof Table.Sharded keyed) {
          ShardingTableRuleConfiguration rule =
              new ShardingTableRuleConfiguration(
                  keyed.name(),
                  shards.stream()
                      .map(shard -> shard + "." + keyed.name())
                      .collect(Collectors.joining(",")));
          rule.setDatabaseShardingStrategy(
              new StandardShardingStrategyConfiguration(keyed.keyColumn(), "owners"));
          sharding.getTables().add(rule);
          sharded.add(keyed.name());
        } else {
          broadcast.add(table.name());
        }
      }
      if (!sharded.isEmpty()) {
        // Rows of one key live together, in whatever table.
        sharding
            .getBindingTableGroups()
            .add(new ShardingTableReferenceRuleConfiguration("keyed", String.join(",", sharded)));
      }
      Properties owners = new Properties();
      owners.setProperty("database", name);
      sharding.getShardingAlgorithms().put("owners", new AlgorithmConfiguration("WAYMARK", owners));
      return broadcast.isEmpty()
          ? List.of(sharding)
          : List.of(sharding, new BroadcastRuleConfiguration(broadcast));
    }

    /** ShardingSphere reads names in rules as expressions, and knows no schemas in them. */
    private static boolean isPlain(String name) {
      return PLAIN_NAME.matcher(name).matches();
    }

    @Override
    public List<List<@Nullable Object>> merge(String sql, List<Object> parameters, Shards shards)
        throws SQLException {
      if (HintManager.isInstantiated()) {
        throw new SQLException(
            "This thread has hints for ShardingSphere, which would change the answer", "0A000");
      }
      asking.set(shards);
      try (OwnLoader loader = new OwnLoader();
          Connection connection = dataSource.getConnection();
          PreparedStatement statement = connection.prepareStatement(sql)) {
        for (int i = 0; i < parameters.size(); i++) {
          statement.setObject(i + 1, parameters.get(i));
        }
        try (ResultSet rows = statement.executeQuery()) {
          int columns = rows.getMetaData().getColumnCount();
          List<List<@Nullable Object>> all = new ArrayList<>();
          while (rows.next()) {
            List<@Nullable Object> row = new ArrayList<>(columns);
            for (int i = 1; i <= columns; i++) {
              row.add(rows.getObject(i));
            }
            all.add(row);
          }
          return all;
        }
      } finally {
        asking.remove();
      }
    }

    @Override
    public void close() {
      try (OwnLoader loader = new OwnLoader()) {
        if (dataSource instanceof AutoCloseable open) {
          open.close();
        }
      } catch (Exception failed) {
        throw new IllegalStateException("ShardingSphere did not close", failed);
      } finally {
        KeyOwners.close(name);
      }
    }
  }
}
