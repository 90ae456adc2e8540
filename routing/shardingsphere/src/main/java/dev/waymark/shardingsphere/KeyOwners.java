package dev.waymark.shardingsphere;

import com.google.common.collect.Range;
import dev.waymark.NoShardForKeyException;
import dev.waymark.OwnedRange;
import dev.waymark.ShardMap;
import dev.waymark.routing.CrossShardEngine;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.shardingsphere.sharding.api.sharding.standard.PreciseShardingValue;
import org.apache.shardingsphere.sharding.api.sharding.standard.RangeShardingValue;
import org.apache.shardingsphere.sharding.api.sharding.standard.StandardShardingAlgorithm;
import org.jspecify.annotations.Nullable;

/**
 * ShardingSphere's question whose a key is, answered by the shard map as it is then. ShardingSphere
 * makes it, by its type's name; safe to share.
 */
public final class KeyOwners implements StandardShardingAlgorithm<Comparable<?>> {
  /**
   * The open databases by their names: ShardingSphere hands its algorithms nothing but texts, so
   * what is no text has to be found by one. Each has its own name, and is in here while it is open.
   */
  private static final Map<String, CrossShardEngine.Layout> OPEN = new ConcurrentHashMap<>();

  private String database = "";

  /** One that is told by {@link #init} which database it is for. */
  public KeyOwners() {}

  static void open(String database, CrossShardEngine.Layout layout) {
    OPEN.put(database, layout);
  }

  static void close(String database) {
    OPEN.remove(database);
  }

  /** The names of those that are open. */
  static Set<String> openDatabases() {
    return Set.copyOf(OPEN.keySet());
  }

  /** What ShardingSphere calls a shard: its names allow less than ours. */
  static String dataSource(ShardMap map, String shard) {
    for (int i = 0; i < map.shards().size(); i++) {
      if (map.shards().get(i).name().equals(shard)) {
        return "shard_" + i;
      }
    }
    throw new IllegalArgumentException("The shard map has no shard '" + shard + "'");
  }

  @Override
  public void init(Properties properties) {
    database = properties.getProperty("database");
  }

  private ShardMap map() {
    return Objects.requireNonNull(OPEN.get(database), "The database is closed").map();
  }

  @Override
  public String doSharding(Collection<String> targets, PreciseShardingValue<Comparable<?>> asked) {
    ShardMap map = map();
    Long key = key(asked.getValue());
    if (key != null) {
      try {
        return "shard_" + map.indexOfShardFor(key);
      } catch (NoShardForKeyException nobody) {
        // Then no row has it, on any shard.
      }
    }
    return targets.iterator().next();
  }

  @Override
  public Collection<String> doSharding(
      Collection<String> targets, RangeShardingValue<Comparable<?>> asked) {
    ShardMap map = map();
    Range<Comparable<?>> keys = asked.getValueRange();
    Long low = keys.hasLowerBound() ? key(keys.lowerEndpoint()) : Long.valueOf(Long.MIN_VALUE);
    Long high = keys.hasUpperBound() ? key(keys.upperEndpoint()) : Long.valueOf(Long.MAX_VALUE);
    if (low == null || high == null) {
      return targets;
    }
    Set<String> found = new LinkedHashSet<>();
    for (OwnedRange owned : map.ranges()) {
      if (owned.range().from() <= high && low < owned.range().to()) {
        found.add(dataSource(map, owned.shard()));
      }
    }
    return found.isEmpty() ? Set.of(targets.iterator().next()) : found;
  }

  /** Null for what is no key, which no row has. */
  private static @Nullable Long key(Object value) {
    try {
      return value instanceof Number number
          ? Long.valueOf(number.longValue())
          : Long.valueOf(value.toString());
    } catch (ArithmeticException | NumberFormatException none) {
      return null;
    }
  }

  @Override
  public String getType() {
    return "WAYMARK";
  }
}
