package dev.waymark.cache;

import java.time.Duration;

/** The smaller and the greater of two, which {@link Duration} does not have. */
final class Durations {
  private Durations() {}

  static Duration shorter(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? one : other;
  }

  static Duration longer(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? other : one;
  }
}
