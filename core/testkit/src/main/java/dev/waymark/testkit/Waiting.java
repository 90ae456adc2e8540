package dev.waymark.testkit;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waiting for a condition of the outside world, which can only be asked. */
final class Waiting {

  /** A loaded two-core machine took 14 s for nine nodes; beyond a minute something is wrong. */
  static final Duration LONG = Duration.ofSeconds(60);

  private static final long PAUSE_MILLIS = 10;

  private Waiting() {}

  /** Returns whether the condition came true within the time. */
  static boolean until(Duration limit, BooleanSupplier condition) {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - start > limit.toNanos()) {
        return false;
      }
      pause(PAUSE_MILLIS);
    }
    return true;
  }

  static void until(Duration limit, BooleanSupplier condition, Supplier<String> otherwise) {
    if (!until(limit, condition)) {
      throw new IllegalStateException(otherwise.get());
    }
  }

  static void pause(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  static IllegalStateException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new IllegalStateException("Interrupted while waiting for a test server", e);
  }

  static String inSeconds(Duration duration) {
    return "%.1f s".formatted(duration.toNanos() / 1e9);
  }
}
