package dev.waymark.routing;

import dev.waymark.LogPosition;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where the primary stood when: answers as of what instant a replica is current. A replica that has
 * replayed the position sampled at an instant shows everything committed before that instant,
 * however idle the primary is; {@code pg_last_xact_replay_timestamp()} alone would take an idle
 * primary for lag.
 *
 * <p>Not safe to share; the shard's state guards it.
 */
final class FreshnessLog {
  private static final int MAXIMUM_SAMPLES = 128;

  private record Sample(LogPosition position, long nanos) {}

  /** Oldest first. */
  private final List<Sample> samples = new ArrayList<>();

  /**
   * The primary stood at {@code position} at some instant not before {@code askedAtNanos}: all that
   * was committed before then lies at or before the position.
   */
  void primaryAt(LogPosition position, long askedAtNanos) {
    samples.add(new Sample(position, askedAtNanos));
    if (samples.size() > MAXIMUM_SAMPLES) {
      // Every other one of the older half goes: long lags are told coarsely, short ones finely.
      for (int i = MAXIMUM_SAMPLES / 2; i > 0; i -= 2) {
        samples.remove(i);
      }
    }
  }

  /** The latest instant as of which a node at {@code position} is known to be current, or null. */
  @Nullable Long freshAsOf(LogPosition position) {
    for (int i = samples.size() - 1; i >= 0; i--) {
      if (position.covers(samples.get(i).position())) {
        return samples.get(i).nanos();
      }
    }
    return null;
  }

  /** Whether a node at {@code position} has everything that is known of the primary. */
  boolean isNewest(LogPosition position) {
    return samples.isEmpty() || position.covers(samples.get(samples.size() - 1).position());
  }
}
