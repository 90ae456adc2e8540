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

  /** How a change stream of a shard is doing, as seen by one process. */
  enum StreamState {
    /** It is not to be followed. */
    OFF,
    /** This process tries to take it up. */
    CONNECTING,
    /** Another process follows it. */
    STANDING_BY,
    /** This process follows it. */
    FOLLOWING,
    /** It cannot be followed before somebody changes the server or the configuration. */
    REFUSED
  }

  /**
   * A change stream is in another state than before.
   *
   * @param trouble why it is not followed, or what part of it is not; null if nothing ails it
   */
  record StreamChange(
      String shard, StreamState before, StreamState after, @Nullable String trouble) {}

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

  /** The change stream of a shard is in another state than before. */
  default void streamChanged(StreamChange change) {}

  /** The change stream of a shard tells its consumer that it starts anew. */
  default void streamStartedAnew(String shard, ShardChange.StartedAnew.Cause cause) {}

  /**
   * The change stream of a shard, followed by this process, has told all that there was.
   *
   * @param nanos from the moment that {@link ShardChange.Reached#asOf} names until it was taken
   *     over
   * @param heldBytes how much log the server keeps for the stream
   */
  default void streamReached(String shard, long nanos, long heldBytes) {}

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
