package dev.waymark.routing;

import dev.waymark.WaymarkConfig;
import java.time.Duration;

/**
 * How long a monitor waits between two looks at its node. Looks keep reads free of round trips, but
 * a thousand processes that each look twenty times a second would be a load of their own: so a
 * process looks rarely while it has nothing to ask, and all together share a budget for each node.
 * Pure; a value.
 */
record LookPace(WaymarkConfig.Monitor monitor) {
  private static final Duration LONGEST_PAUSE_WHILE_DOWN = Duration.ofMillis(500);

  /** By how much the budget may be exceeded while calls can do nothing but wait for news. */
  private static final int URGENCY = 10;

  /** How much news of the shard is wanted. */
  enum Demand {
    /** No call has used the shard for a while. */
    NONE,
    /** Calls use the shard. */
    SOME,
    /** Calls wait for a primary, or for any node at all. */
    URGENT
  }

  /**
   * The pause after a look that was answered.
   *
   * @param watchers how many processes watch the node, this one included; at least 1
   */
  long pauseNanos(Demand demand, int watchers) {
    long share = Math.multiplyExact((long) watchers, 1_000_000_000L) / monitor.looksPerSecond();
    return switch (demand) {
      case NONE -> Math.max(monitor.idleInterval().toNanos(), share);
      case SOME -> Math.max(monitor.interval().toNanos(), share);
      case URGENT -> Math.max(monitor.interval().toNanos() / 2, share / URGENCY);
    };
  }

  /** The pause after a look that failed: longer each time, unless calls wait for the node. */
  long pauseAfterFailureNanos(Demand demand, int watchers, long lastPauseNanos) {
    long next = pauseNanos(demand == Demand.NONE ? Demand.SOME : demand, watchers);
    if (demand == Demand.URGENT) {
      return next;
    }
    long longest = Math.max(LONGEST_PAUSE_WHILE_DOWN.toNanos(), next);
    return Math.min(Math.max(lastPauseNanos * 2, next), longest);
  }
}
