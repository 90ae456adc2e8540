package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.SessionToken;
import dev.waymark.Shard;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * All that a routing decision reads about one shard, as last observed. Immutable; the monitor
 * replaces it whole.
 *
 * @param nodes in the order of the shard map
 * @param primary the node that takes writes, or null while none is known
 * @param timelineStart the first position seen on the primary's timeline. It lies at or after the
 *     point where that timeline left the one before, so a node at or beyond it shows all that
 *     survived of earlier timelines; null until a primary was seen
 */
record ShardView(
    String shard,
    List<NodeView> nodes,
    @Nullable NodeView primary,
    @Nullable LogPosition timelineStart) {

  static ShardView unknown(Shard shard) {
    List<NodeView> nodes =
        IntStream.range(0, shard.nodes().size())
            .mapToObj(i -> NodeView.unknown(i, shard.nodes().get(i)))
            .toList();
    return new ShardView(shard.name(), nodes, null, null);
  }

  /** This view with one node observed anew. */
  ShardView with(NodeView seen) {
    NodeView[] after = nodes.toArray(NodeView[]::new);
    after[seen.index()] = seen;
    NodeView chief = null;
    LogPosition start = timelineStart;
    // Two primaries: the later timeline was promoted later, and the other one must not be written
    // to, not even while the later one cannot be reached.
    int least = start == null ? 0 : start.timeline();
    for (NodeView node : after) {
      if (node.isUp(Role.PRIMARY)
          && timeline(node) >= least
          && (chief == null || timeline(node) > timeline(chief))) {
        chief = node;
      }
    }
    if (chief != null && (start == null || timeline(chief) > start.timeline())) {
      start = chief.position();
    }
    return new ShardView(shard, List.of(after), chief, start);
  }

  /** Whether a node is known to show everything at or before a position of this shard. */
  boolean covers(NodeView node, LogPosition needed) {
    LogPosition known = node.position();
    if (known == null || known.systemId() != needed.systemId()) {
      return false;
    }
    if (known.timeline() == needed.timeline()) {
      // A primary shows what was acknowledged there even while its last known position is older.
      return node.isUp(Role.PRIMARY) || known.covers(needed);
    }
    return needed.timeline() < known.timeline()
        && (node.isUp(Role.PRIMARY) || (timelineStart != null && known.covers(timelineStart)));
  }

  /** Whether a node is known to show everything a session has seen of this shard. */
  boolean covers(NodeView node, SessionToken token) {
    LogPosition known = node.position();
    if (known == null) {
      return token.isEmpty();
    }
    List<LogPosition> seen = token.positions();
    for (int i = 0; i < seen.size(); i++) {
      LogPosition needed = seen.get(i);
      if (needed.systemId() == known.systemId() && !covers(node, needed)) {
        return false;
      }
    }
    return true;
  }

  /** Whether a later primary than this writer's is known, so that its commit would be lost. */
  boolean hasOvertaken(LogPosition writer) {
    return timelineStart != null && timelineStart.timeline() > writer.timeline();
  }

  /** The system identifier of this shard, or null until a node has answered. */
  @Nullable Long systemId() {
    for (NodeView node : nodes) {
      if (node.position() != null) {
        return node.position().systemId();
      }
    }
    return null;
  }

  private static int timeline(NodeView node) {
    return node.position() == null ? 0 : node.position().timeline();
  }
}
