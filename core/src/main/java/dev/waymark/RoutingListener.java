package dev.waymark;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Told what routing does. Called on the thread that does it, some of it under a lock: be quick, do
 * not block, and do not call the database. What a listener throws is logged once and otherwise
 * ignored. Must be safe to share.
 */
public interface RoutingListener {
  /** What a call waits for. */
  enum Wait {
    /** That a replica replays what the read must see. */
    FRESH_REPLICA,
    /** That the shard has a primary, or a free connection to it. */
    PRIMARY,
    /** That the primary shows a commit which a replica has shown to the session already. */
    VISIBLE_ON_PRIMARY,
    /** That any node may answer a read. */
    NODE
  }

  /** What a replica said when it was asked on a read's own connection. */
  enum Freshness {
    /** It has replayed what the read must see. */
    FRESH,
    /** It has not. */
    BEHIND
  }

  /** How a hedged read went. */
  enum Hedge {
    /** The first node answered after all, before the second. */
    LOST,
    /** The second node answered first. */
    WON,
    /** The first node took long, but the budget was used up. */
    OVER_BUDGET
  }

  /**
   * A node is in another state than before.
   *
   * @param trouble why it is not up; null if it is
   */
  record NodeChange(
      String shard, String node, NodeState before, NodeState after, @Nullable String trouble) {}

  /**
   * A read was answered, so long after its call. The routes are few and made once for each view.
   */
  default void read(Route route, long nanos) {}

  /** A transaction was committed, so long after its call. */
  default void written(Route route, long nanos) {}

  /** A node went away under a read, or gave no answer in time. */
  default void readLost(Route route, Throwable failure) {}

  /** A call ended with a {@link WaymarkException}. */
  default void failed(String shard, Outcome outcome) {}

  /** A call has waited; also called if it waited in vain. */
  default void waited(String shard, Wait reason, long nanos) {}

  /** A replica was asked, on a read's own connection, how far it is. */
  default void freshnessChecked(String shard, String node, Freshness found, long nanos) {}

  /** A read took longer than most, and hedging is on. */
  default void hedged(String shard, Hedge result) {}

  /** A node changed its state. */
  default void nodeChanged(NodeChange change) {}

  /**
   * Another node is the primary.
   *
   * @param before null if this is the first one seen
   * @param nanosWithout for how long this process knew no primary
   */
  default void primaryChanged(
      String shard, @Nullable String before, String after, long nanosWithout) {}

  /** Nobody listens. */
  static RoutingListener none() {
    return Silent.INSTANCE;
  }

  /** Both, this one first. */
  default RoutingListener and(RoutingListener other) {
    Objects.requireNonNull(other, "other");
    if (this == none()) {
      return other;
    }
    return other == none() ? this : new TwoListeners(this, other);
  }
}
