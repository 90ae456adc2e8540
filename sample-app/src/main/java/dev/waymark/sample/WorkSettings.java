package dev.waymark.sample;

import java.math.BigDecimal;
import java.time.Duration;

/**
 * How the service does what no request waits for.
 *
 * @param poll how often a process looks for work that others left, and for events to be told
 * @param heartbeat how often it says that it is still at a piece of work; after four that are
 *     missing another process does it
 * @param patience how long a payment may take
 * @param claimAfter how long the consumer of an event may take before another one gets it
 * @param openingBalance what an account holds when it is first used
 */
record WorkSettings(
    Duration poll,
    Duration heartbeat,
    Duration patience,
    Duration claimAfter,
    BigDecimal openingBalance) {
  WorkSettings {
    for (Duration each : new Duration[] {poll, heartbeat, claimAfter}) {
      if (each.toMillis() < 1) {
        throw new IllegalArgumentException("Work needs times of 1 ms at least, not " + each);
      }
    }
    if (openingBalance.signum() < 0) {
      throw new IllegalArgumentException("An account cannot open with " + openingBalance);
    }
  }

  static WorkSettings defaults() {
    return new WorkSettings(
        Duration.ofSeconds(1),
        Duration.ofSeconds(5),
        Duration.ofMinutes(15),
        Duration.ofSeconds(30),
        new BigDecimal("1000.00"));
  }

  WorkSettings withPatience(Duration other) {
    return new WorkSettings(poll, heartbeat, other, claimAfter, openingBalance);
  }
}
