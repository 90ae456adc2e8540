package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.Route.Reason;
import dev.waymark.SessionToken;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Decides which node answers a read. Pure: the same arguments always give the same choice, and
 * nothing is touched on the way.
 */
final class Router {
  private Router() {}

  /** A node and why. */
  record Choice(NodeView node, Reason reason) {}

  /**
   * What a read must see, and where it must not go.
   *
   * @param seen what the session has seen
   * @param keyWritten where this process last wrote the key; null if that is known everywhere
   * @param avoided bit i is set if node i has already failed this read
   */
  record Need(
      Consistency consistency, SessionToken seen, @Nullable LogPosition keyWritten, long avoided) {
    boolean avoids(NodeView node) {
      return (avoided & bit(node)) != 0;
    }

    static long bit(NodeView node) {
      return 1L << node.index();
    }

    /**
     * A position that an answer of the node is known to be at least as new as: the node's own as
     * last observed, or what the read had to see if that is further.
     */
    @Nullable LogPosition provenBy(NodeView node) {
      LogPosition proven = node.position();
      if (proven == null || !(consistency instanceof Consistency.Session)) {
        return proven;
      }
      if (keyWritten != null && keyWritten.covers(proven)) {
        proven = keyWritten;
      }
      for (LogPosition position : seen.positions()) {
        if (position.covers(proven)) {
          proven = position;
        }
      }
      return proven;
    }
  }

  /**
   * The node for a read, or null if no node that is up may serve it.
   *
   * @param turn grows by one with each read of the shard: replicas take turns
   */
  static @Nullable Choice choose(ShardView view, Need need, long nowNanos, int turn) {
    if (need.consistency() instanceof Consistency.Strong) {
      return primary(view, need, Reason.STRONG);
    }
    List<NodeView> nodes = view.nodes();
    int up = 0;
    int fit = 0;
    for (int i = 0; i < nodes.size(); i++) {
      NodeView node = nodes.get(i);
      if (node.isUp(Role.REPLICA)) {
        up++;
        fit += !need.avoids(node) && isFresh(view, node, need, nowNanos) ? 1 : 0;
      }
    }
    if (fit == 0) {
      return primary(view, need, up == 0 ? Reason.NO_REPLICA_IS_UP : Reason.NO_REPLICA_IS_FRESH);
    }
    // Counted again instead of collected: no list is made for each read.
    int skip = Integer.remainderUnsigned(turn, fit);
    for (int i = 0; i < nodes.size(); i++) {
      NodeView node = nodes.get(i);
      if (node.isUp(Role.REPLICA)
          && !need.avoids(node)
          && isFresh(view, node, need, nowNanos)
          && skip-- == 0) {
        return new Choice(node, Reason.REPLICA_IS_FRESH);
      }
    }
    throw new AssertionError("the view is immutable, so the second count finds what the first did");
  }

  private static boolean isFresh(ShardView view, NodeView node, Need need, long nowNanos) {
    if (need.consistency() instanceof Consistency.Eventual) {
      return true;
    }
    if (need.consistency() instanceof Consistency.BoundedStaleness bounded) {
      Long freshAsOf = node.freshAsOfNanos();
      return freshAsOf != null && nowNanos - freshAsOf <= bounded.age().toNanos();
    }
    return (need.keyWritten() == null || view.covers(node, need.keyWritten()))
        && view.covers(node, need.seen());
  }

  private static @Nullable Choice primary(ShardView view, Need need, Reason reason) {
    NodeView primary = view.primary();
    if (primary == null || need.avoids(primary)) {
      return null;
    }
    // A session that has seen a later timeline knows of a promotion that this process does not know
    // of yet: this primary is the old one.
    return view.covers(primary, need.seen()) ? new Choice(primary, reason) : null;
  }
}
