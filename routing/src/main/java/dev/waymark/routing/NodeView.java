package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Node;
import dev.waymark.Role;
import org.jspecify.annotations.Nullable;

/**
 * One node as last observed. Immutable.
 *
 * @param index the node's place in its shard
 * @param role null unless the node is up
 * @param position what the node is known to have written (primary) or replayed (replica); kept
 *     while it is down, null if it never answered
 * @param freshAsOfNanos the node shows everything committed before this instant of the monotonic
 *     clock; null if no such instant is known
 * @param trouble why the node is not up; null if it is
 */
record NodeView(
    int index,
    Node node,
    @Nullable Role role,
    @Nullable LogPosition position,
    @Nullable Long freshAsOfNanos,
    @Nullable String trouble) {

  static NodeView unknown(int index, Node node) {
    return new NodeView(index, node, null, null, null, "it has not been reached yet");
  }

  boolean isUp() {
    return role != null;
  }

  boolean isUp(Role asked) {
    return role == asked;
  }

  NodeView up(Role nowRole, LogPosition nowAt, @Nullable Long freshAsOf) {
    return new NodeView(index, node, nowRole, nowAt, freshAsOf, null);
  }

  NodeView down(String why) {
    return new NodeView(index, node, null, position, freshAsOfNanos, why);
  }
}
