package dev.waymark.routing;

import dev.waymark.routing.SqlTree.Expression;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A query over several shards that is not merged here, and may be left to a {@link
 * CrossShardEngine}. An immutable value.
 *
 * @param sql the query without its comments, which may hold hints for others than us
 * @param limit a constant or parameter, null for none
 * @param offset a constant or parameter, null for none
 * @param columns of each table of the shard map, as the plan's catalogue has them: an engine that
 *     was started over others does not know what the query may name
 * @param conditions the keys that each of the conditions confines the query to by itself, where it
 *     has several: the plan goes by one of them
 */
record Delegated(
    String sql,
    @Nullable Expression limit,
    @Nullable Expression offset,
    Map<String, List<String>> columns,
    List<KeySource.Keys> conditions) {
  /** Copies. */
  Delegated {
    columns = Map.copyOf(columns);
    conditions = List.copyOf(conditions);
  }
}
