package dev.waymark.cache;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/** Time that passes only when told; a pause passes it. */
final class TestTime implements Time {
  private final AtomicLong nanos = new AtomicLong(1_000_000_000_000L);

  /** What happens while somebody pauses. */
  volatile Runnable duringPause = () -> {};

  @Override
  public long nanos() {
    return nanos.get();
  }

  long millis() {
    return nanos.get() / 1_000_000;
  }

  @Override
  public void pause(Duration duration) {
    pass(duration);
    duringPause.run();
  }

  void pass(Duration duration) {
    nanos.addAndGet(duration.toNanos());
  }
}
