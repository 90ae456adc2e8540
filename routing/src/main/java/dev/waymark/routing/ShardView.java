package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.SessionToken;
import dev.waymark.Shard;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that a routing decision reads about one shard, as last observed. Immutable; the monitor
 * replaces it whole.
 */
final class ShardView {
  private final String shard;

  /** In the order of the shard map. Never written to after construction. */
  private final NodeView[] nodes;

  private final @Nullable NodeView primary;
  private final @Nullable LogPosition timelineStart;
  private final int latestTimeline;

  /** The nodes that are up as replicas, one bit each. */
  private final long replicas;

  /** Those of them that had everything known of the primary when last looked at. */
  private final long current;

  private ShardView(String shard, NodeView[] nodes, @Nullable LogPosition startSoFar) {
    this.shard = shard;
    this.nodes = nodes;
    // Two primaries: the later timeline was promoted later, and the other one must not be written
    // to, not even while the later one cannot be reached.
    int least = startSoFar == null ? 0 : startSoFar.timeline();
    NodeView chief = null;
    long up = 0;
    long upToDate = 0;
    int latest = least;
    for (NodeView node : nodes) {
      latest = Math.max(latest, timeline(node));
      if (node.isUp(Role.REPLICA)) {
        up |= node.bit();
        upToDate |= node.isCurrent() ? node.bit() : 0;
      } else if (node.isUp(Role.PRIMARY)
          && timeline(node) >= least
          && (chief == null || timeline(node) > timeline(chief))) {
        chief = node;
      }
    }
    this.replicas = up;
    this.current = upToDate;
    this.latestTimeline = latest;
    this.primary = chief;
    this.timelineStart = chief != null && timeline(chief) > least ? chief.position() : startSoFar;
  }

  static ShardView unknown(Shard shard, long mapVersion) {
    NodeView[] nodes = new NodeView[shard.nodes().size()];
    for (int i = 0; i < nodes.length; i++) {
      nodes[i] = NodeView.unknown(i, shard.nodes().get(i), shard.name(), mapVersion);
    }
    return new ShardView(shard.name(), nodes, null);
  }

  /** This view with one node observed anew. */
  ShardView with(NodeView seen) {
    NodeView[] after = nodes.clone();
    after[seen.index()] = seen;
    return new ShardView(shard, after, timelineStart);
  }

  String shard() {
    return shard;
  }

  /** The nodes in the order of the shard map. */
  List<NodeView> nodes() {
    return List.of(nodes);
  }

  int size() {
    return nodes.length;
  }

  NodeView node(int index) {
    return nodes[index];
  }

  /** The nodes that are up as replicas: bit i stands for node i. */
  long replicas() {
    return replicas;
  }

  /** The replicas that do not lag whatever the time: bit i stands for node i. */
  long current() {
    return current;
  }

  /** The node that takes writes, or null while none is known. */
  @Nullable NodeView primary() {
    return primary;
  }

  /**
   * The first position seen on the primary's timeline. It lies at or after the point where that
   * timeline left the one before, so a node at or beyond it shows all that survived of earlier
   * timelines; null until a primary was seen.
   */
  @Nullable LogPosition timelineStart() {
    return timelineStart;
  }

  /** Whether a node is known to show everything at or before a position of this shard. */
  boolean covers(NodeView node, LogPosition needed) {
    LogPosition known = node.position();
    return known != null
        && known.systemId() == needed.systemId()
        && covers(node, needed.timeline(), needed.lsn());
  }

  /** Whether a node is known to show everything at or before a place of this shard's log. */
  boolean covers(NodeView node, int timeline, long lsn) {
    LogPosition known = node.position();
    if (known == null) {
      return false;
    }
    if (known.timeline() == timeline) {
      // A primary shows what was acknowledged there even while its last known position is older.
      return node.isUp(Role.PRIMARY) || Long.compareUnsigned(known.lsn(), lsn) >= 0;
    }
    // The log grows on across timelines. A position that a replica told which did not know yet that
    // it
    // had followed to the new one bears the old one's number; so the place counts in any case.
    return timeline < known.timeline()
        && (node.isUp(Role.PRIMARY)
            || (timelineStart != null
                && known.covers(timelineStart)
                && Long.compareUnsigned(known.lsn(), lsn) >= 0));
  }

  /** The latest timeline that any node is known to be on; 0 if none is known. */
  int latestTimeline() {
    return latestTimeline;
  }

  /** Whether a node is known to show everything a session has written and read of this shard. */
  boolean covers(NodeView node, SessionToken token) {
    LogPosition known = node.position();
    if (known == null) {
      return token.isEmpty();
    }
    return coversAll(node, known, token.positions()) && coversAll(node, known, token.reads());
  }

  private boolean coversAll(NodeView node, LogPosition known, List<LogPosition> seen) {
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

  /** How many bytes of log a node is behind the primary; 0 if it is not, -1 if that is unknown. */
  long lagBytes(NodeView node) {
    LogPosition mine = node.position();
    LogPosition chief = primary == null ? null : primary.position();
    if (mine == null || chief == null || !mine.isComparableTo(chief)) {
      return -1;
    }
    // The two were asked at different moments, so a replica may seem to be ahead.
    return Math.max(0, chief.lsn() - mine.lsn());
  }

  private static int timeline(NodeView node) {
    return node.position() == null ? 0 : node.position().timeline();
  }
}
