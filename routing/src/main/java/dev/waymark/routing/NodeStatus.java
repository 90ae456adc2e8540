package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import org.jspecify.annotations.Nullable;

/**
 * One node as last observed.
 *
 * @param shard the shard's name
 * @param node the node's name
 * @param role null while the node is down
 * @param position what a primary has written or a replica has replayed; null if it never answered
 * @param lagBytes how far it is behind the primary; 0 for the primary, -1 where it is not known
 * @param trouble why the node is down; null while it is up
 */
public record NodeStatus(
    String shard,
    String node,
    @Nullable Role role,
    @Nullable LogPosition position,
    long lagBytes,
    @Nullable String trouble) {

  /** Whether the node answers. */
  public boolean isUp() {
    return role != null;
  }

  static NodeStatus of(ShardView view, NodeView node) {
    return new NodeStatus(
        view.shard(),
        node.node().name(),
        node.role(),
        node.position(),
        lagBytes(view, node),
        node.trouble());
  }

  private static long lagBytes(ShardView view, NodeView node) {
    LogPosition mine = node.position();
    LogPosition chief = view.primary() == null ? null : view.primary().position();
    if (mine == null || chief == null || !mine.isComparableTo(chief)) {
      return -1;
    }
    // The two were asked at different moments, so a replica may seem to be ahead.
    return Math.max(0, chief.lsn() - mine.lsn());
  }
}
