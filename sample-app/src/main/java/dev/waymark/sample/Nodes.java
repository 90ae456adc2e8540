package dev.waymark.sample;

import dev.waymark.Role;
import dev.waymark.routing.NodeStatus;
import dev.waymark.routing.ShardedDatabase;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The nodes as the service sees them now. */
final class Nodes {
  private Nodes() {}

  /** One shard and its nodes. */
  record ShardHealth(String shard, boolean ready, List<NodeHealth> nodes) {}

  /**
   * One node.
   *
   * @param role {@code primary}, {@code replica} or {@code down}
   * @param lagBytes how far it is behind the primary; null where that is not known
   */
  record NodeHealth(String node, String role, @Nullable Long lagBytes) {}

  /** Shard by shard; a shard is ready if one of its nodes may answer reads. */
  static List<ShardHealth> health(ShardedDatabase database) {
    Map<String, List<NodeStatus>> byShard = new LinkedHashMap<>();
    database
        .nodes()
        .forEach(node -> byShard.computeIfAbsent(node.shard(), s -> new ArrayList<>()).add(node));
    return byShard.entrySet().stream()
        .map(
            shard ->
                new ShardHealth(
                    shard.getKey(),
                    shard.getValue().stream().anyMatch(NodeStatus::isUp),
                    shard.getValue().stream().map(Nodes::health).toList()))
        .toList();
  }

  static @Nullable String primaryOf(ShardedDatabase database, String shard) {
    return database.nodes().stream()
        .filter(node -> node.shard().equals(shard) && node.role() == Role.PRIMARY)
        .map(NodeStatus::node)
        .findFirst()
        .orElse(null);
  }

  static String roleOf(NodeStatus node) {
    Role role = node.role();
    if (role == null) {
      return "down";
    }
    return role == Role.PRIMARY ? "primary" : "replica";
  }

  /** Without {@link NodeStatus#trouble()}: addresses and server messages are for the log. */
  private static NodeHealth health(NodeStatus node) {
    return new NodeHealth(
        node.node(), roleOf(node), node.isUp() && node.lagBytes() >= 0 ? node.lagBytes() : null);
  }
}
