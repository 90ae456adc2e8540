package dev.waymark.routing;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;

/**
 * Ends calls whose deadline has passed, whatever they wait for: by a cancel, and where the server
 * does not heed it, by closing the connection. One thread for a whole database, which looks at the
 * lanes in use; so a call sets no timer.
 */
final class Watchdog implements AutoCloseable {
  /** How long a server may take to heed a cancel. */
  private static final Duration GRACE = Duration.ofMillis(200);

  private static final Duration LONGEST_PAUSE = Duration.ofMillis(50);

  private final List<NodePools> pools;
  private final LongSupplier nanoClock;
  private final Executor background;
  private final long budgetNanos;
  private final long pauseNanos;
  private final Thread thread;
  private volatile long recentNanos;
  private volatile boolean stopped;

  Watchdog(List<NodePools> pools, LongSupplier nanoClock, Executor background, Duration deadline) {
    this.pools = pools;
    this.nanoClock = nanoClock;
    this.background = background;
    this.budgetNanos = deadline.toNanos();
    this.recentNanos = nanoClock.getAsLong();
    this.pauseNanos =
        Math.max(1_000_000, Math.min(LONGEST_PAUSE.toNanos(), deadline.toNanos() / 20));
    this.thread = new Thread(this::watch, "waymark-deadlines");
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /**
   * An instant that has just passed: one round ago, or longer if the machine is so busy that this
   * thread waits. For what need not be exact, where reading the clock would cost too much.
   */
  long recentNanos() {
    return recentNanos;
  }

  private void watch() {
    while (!stopped) {
      long now = nanoClock.getAsLong();
      recentNanos = now;
      for (NodePools each : pools) {
        // Whatever goes wrong with one lane is told there: this thread must not end by it.
        each.endOverdue(now, budgetNanos, GRACE.toNanos(), background);
      }
      LockSupport.parkNanos(pauseNanos);
    }
  }

  @Override
  public void close() {
    stopped = true;
    LockSupport.unpark(thread);
  }
}
