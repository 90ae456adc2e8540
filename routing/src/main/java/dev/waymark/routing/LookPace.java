package dev.waymark.routing;

import dev.waymark.WaymarkConfig;
import java.time.Duration;
import java.util.SplittableRandom;

/**
 * How long a monitor waits between two looks at its node. Looks keep reads free of round trips, but
 * a thousand processes that each look twenty times a second would be a load of their own: so a
 * process looks rarely while it has nothing to ask, and all together share a budget for each node.
 * Nor may a process with a thousand shards spend itself on looking: each database has a budget of
 * its own. Pure; a value.
 *
 * @param nodes how many nodes the database has, in use or not
 */
record LookPace(WaymarkConfig.Monitor monitor, int nodes) {
  /**
   * So many looks a second by one database, unless calls wait for news. Up to 200 nodes it is not
   * felt at the usual interval.
   */
  private static final int LOOKS_PER_SECOND_OF_A_DATABASE = 4_000;

  private static final Duration LONGEST_PAUSE_WHILE_DOWN = Duration.ofMillis(500);

  /** By how much the budget may be exceeded while calls can do nothing but wait for news. */
  private static final int URGENCY = 10;

  private static final Duration FIRST_PAUSE_BETWEEN_COUNTS = Duration.ofMillis(500);
  private static final Duration LONGEST_PAUSE_BETWEEN_COUNTS = Duration.ofSeconds(10);

  /** So many counts a second at one node by all processes: a count costs as much as ten looks. */
  private static final int COUNTS_PER_SECOND = 20;

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
    long share =
        Math.max(
            Math.multiplyExact((long) watchers, 1_000_000_000L) / monitor.looksPerSecond(),
            nodes * 1_000_000_000L / LOOKS_PER_SECOND_OF_A_DATABASE);
    return switch (demand) {
      case NONE -> Math.max(monitor.idleInterval().toNanos(), share);
      case SOME -> Math.max(monitor.interval().toNanos(), share);
      case URGENT -> Math.max(monitor.interval().toNanos() / 2, share / URGENCY);
    };
  }

  /**
   * How long a look that is wished for still has to wait. A call that waits wishes for a look each
   * time it has looked at news in vain, and each look is news: without a pause, looks and waiting
   * calls would drive each other as fast as the servers answer.
   *
   * @param sinceLookNanos how long ago the last look began
   */
  long pauseAfterWishNanos(long sinceLookNanos, int watchers) {
    return Math.max(0, pauseNanos(Demand.URGENT, watchers) - sinceLookNanos);
  }

  /**
   * How long a count of the watchers is good for: longer each time while it stays about the same,
   * short again once it has changed, as processes of a service come and go together.
   *
   * @param before how many there were by the count before; 0 if this is the first
   * @param lastPauseNanos how long that count was good for
   */
  long pauseBetweenCountsNanos(int before, int watchers, long lastPauseNanos) {
    if (before == 0 || Math.abs(watchers - before) > before / 4) {
      return FIRST_PAUSE_BETWEEN_COUNTS.toNanos();
    }
    long share = Math.multiplyExact((long) watchers, 1_000_000_000L) / COUNTS_PER_SECOND;
    return Math.min(lastPauseNanos * 2, Math.max(LONGEST_PAUSE_BETWEEN_COUNTS.toNanos(), share));
  }

  /** A pause, shortened by up to a tenth: processes that started together do not look together. */
  static long jittered(long pauseNanos, SplittableRandom random) {
    return pauseNanos - random.nextLong(pauseNanos / 10 + 1);
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
