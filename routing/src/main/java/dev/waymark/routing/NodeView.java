package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Node;
import dev.waymark.ReadMark;
import dev.waymark.Role;
import dev.waymark.Route;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One node as last observed. Immutable, safe to share. */
final class NodeView {
  private static final Route.Reason[] REASONS = Route.Reason.values();

  private final int index;
  private final Node node;
  private final String shard;
  private final long mapVersion;
  private final Observed seen;

  /**
   * The choices of this node, one for each reason, made when first asked for: the way of a read
   * makes no objects. Two threads may make the same one; either will do.
   */
  private final @Nullable Choice[] choices = new Choice[REASONS.length];

  /**
   * What was observed.
   *
   * @param role null unless the node is up
   * @param position what the node is known to have written (primary) or replayed (replica); kept
   *     while it is down, null if it never answered
   * @param server since which start the node runs, in microseconds; 0 if it never answered
   * @param askedAtNanos when the look that told the position was begun, and when it was answered
   * @param freshAsOfNanos the node shows everything committed before this instant of the monotonic
   *     clock; null if no such instant is known
   * @param reachedNewest whether the node had everything that was known of the primary: however old
   *     that knowledge is (an idle or a dead primary), the node does not lag
   * @param rewinds how often the node has been seen at an earlier place than before
   * @param trouble why the node is not up; null if it is
   * @param suspect whether only a call has met the trouble, and no look has confirmed it
   */
  record Observed(
      @Nullable Role role,
      @Nullable LogPosition position,
      long server,
      long askedAtNanos,
      long answeredAtNanos,
      @Nullable Long freshAsOfNanos,
      boolean reachedNewest,
      int rewinds,
      @Nullable String trouble,
      boolean suspect) {}

  /** A node and why it was chosen. */
  record Choice(NodeView node, Route route) {}

  private NodeView(int index, Node node, String shard, long mapVersion, Observed seen) {
    this.index = index;
    this.node = node;
    this.shard = shard;
    this.mapVersion = mapVersion;
    this.seen = seen;
  }

  static NodeView unknown(int index, Node node, String shard, long mapVersion) {
    return new NodeView(
        index,
        node,
        shard,
        mapVersion,
        new Observed(null, null, 0, 0, 0, null, true, 0, "it has not been reached yet", false));
  }

  /** This node, observed anew. */
  NodeView with(Observed now) {
    return new NodeView(index, node, shard, mapVersion, now);
  }

  NodeView down(String why, boolean suspect) {
    return with(
        new Observed(
            null,
            seen.position,
            seen.server,
            seen.askedAtNanos,
            seen.answeredAtNanos,
            seen.freshAsOfNanos,
            seen.reachedNewest,
            seen.rewinds,
            why,
            suspect));
  }

  /** The node's place in its shard. */
  int index() {
    return index;
  }

  /** The bit that stands for the node in a set of nodes. */
  long bit() {
    return 1L << index;
  }

  Node node() {
    return node;
  }

  Observed seen() {
    return seen;
  }

  @Nullable Role role() {
    return seen.role;
  }

  @Nullable LogPosition position() {
    return seen.position;
  }

  /** What a session that has read from this node remembers; null if nothing is known of it. */
  @Nullable ReadMark mark() {
    LogPosition position = seen.position;
    return position == null
        ? null
        : new ReadMark(position.systemId(), position.timeline(), seen.server);
  }

  @Nullable String trouble() {
    return seen.trouble;
  }

  boolean isUp() {
    return seen.role != null;
  }

  boolean isUp(Role asked) {
    return seen.role == asked;
  }

  /** For how long the node has not had everything that was known of the primary. */
  long lagNanos(long nowNanos) {
    Long freshAsOf = seen.freshAsOfNanos;
    return freshAsOf == null || isCurrent() ? 0 : nowNanos - freshAsOf;
  }

  /** Whether no lag is known of, so that none grows while nothing is observed. */
  boolean isCurrent() {
    return seen.reachedNewest || seen.freshAsOfNanos == null;
  }

  Choice choice(Route.Reason reason) {
    Choice choice = choices[reason.ordinal()];
    if (choice == null) {
      Role role = Objects.requireNonNull(seen.role, "a node that is not up cannot be chosen");
      choice = new Choice(this, new Route(shard, node.name(), role, reason, mapVersion));
      choices[reason.ordinal()] = choice;
    }
    return choice;
  }

  @Override
  public String toString() {
    return node + " " + seen;
  }
}
