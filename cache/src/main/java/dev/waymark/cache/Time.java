package dev.waymark.cache;

import java.time.Duration;

/** The passing of time, so that a test can own it. */
interface Time {
  /** Nanoseconds since some moment; never goes back. */
  long nanos();

  /** Waits. */
  void pause(Duration duration) throws InterruptedException;

  /** The machine's own. */
  static Time system() {
    return new Time() {
      @Override
      public long nanos() {
        return System.nanoTime();
      }

      @Override
      public void pause(Duration duration) throws InterruptedException {
        Thread.sleep(duration.toMillis());
      }
    };
  }
}
