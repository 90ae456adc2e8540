package dev.waymark.cache;

import java.time.Duration;

/**
 * How a reader waits for another process' load: a few times what a load takes, looking again each
 * time an eighth of the wait so far has passed, so that it gets the value little later than it
 * could. Of one read.
 */
final class Patience {
  /** How long a reader waits at least before it loads itself. */
  static final Duration SHORTEST = Duration.ofMillis(200);

  private static final Duration SHORTEST_WAIT = Duration.ofMillis(2);

  private final Duration longest;
  private final Time time;
  private Duration waited = Duration.ZERO;

  private Patience(Duration longest, Time time) {
    this.longest = longest;
    this.time = time;
  }

  /** For as long as loads usually take, four times over. */
  static Patience ofLoads(Duration typical, Time time) {
    return new Patience(
        Durations.shorter(SharedTier.LEASE, Durations.longer(SHORTEST, fourTimes(typical))), time);
  }

  /** Every hit in Redis comes here, and {@code multipliedBy} goes by way of {@code BigDecimal}. */
  private static Duration fourTimes(Duration typical) {
    Duration twice = typical.plus(typical);
    return twice.plus(twice);
  }

  static Patience none(Time time) {
    return new Patience(Duration.ZERO, time);
  }

  /** Waits a little; false if it has come to its end. */
  boolean waitOnce() {
    if (waited.compareTo(longest) >= 0) {
      return false;
    }
    Duration wait = Durations.longer(SHORTEST_WAIT, waited.dividedBy(8));
    try {
      time.pause(wait);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return false;
    }
    waited = waited.plus(wait);
    return true;
  }

  Duration waited() {
    return waited;
  }
}
