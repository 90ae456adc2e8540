package dev.waymark.cache;

import java.time.Duration;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * How long values live in Redis.
 *
 * @param whole of a value
 * @param absent of the knowledge that there is none; zero for none at all
 * @param jitter the share, from 0 to less than 1, by which a life may be shorter, never longer:
 *     what is loaded together must not end together
 */
record Lifetime(Duration whole, Duration absent, double jitter) {
  Lifetime {
    if (!(jitter >= 0 && jitter < 1)) {
      throw new IllegalArgumentException("jitter must be at least 0 and below 1, not " + jitter);
    }
  }

  /** The life of one entry that begins now; at least 1 ms, or zero if it is not to be kept. */
  Duration of(@Nullable Object value, RandomGenerator random) {
    Duration longest = value == null ? absent : whole;
    if (longest.isZero() || jitter == 0) {
      return longest;
    }
    double factor = 1 - jitter * random.nextDouble();
    return Duration.ofMillis(Math.max(1, Math.round(longest.toMillis() * factor)));
  }

  /** Whether a value is kept at all. */
  boolean keeps(@Nullable Object value) {
    return value != null || !absent.isZero();
  }
}
