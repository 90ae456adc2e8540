package dev.waymark.cache;

import java.time.Duration;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.LoggerFactory;

/** Where work goes that no caller waits for; one task at a time. */
interface Background extends AutoCloseable {
  /** Runs a task once, later. Does nothing after closing. */
  void after(Duration delay, Runnable task);

  /** Runs a task again and again, with a pause after each time. Does nothing after closing. */
  void every(Duration pause, Runnable task);

  /** Ends; a task that is running is interrupted. */
  @Override
  void close();

  /** A daemon thread of its own. */
  static Background thread(String name) {
    ScheduledThreadPoolExecutor executor =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, name);
              thread.setDaemon(true);
              return thread;
            },
            // Refused because it is closed: nobody waits for it.
            new ThreadPoolExecutor.DiscardPolicy());
    return new Background() {
      @Override
      public void after(Duration delay, Runnable task) {
        // Nobody waits for a task; it tells of its own failures.
        var unused = executor.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
      }

      @Override
      public void every(Duration pause, Runnable task) {
        var unused =
            executor.scheduleWithFixedDelay(
                () -> carefully(task), pause.toNanos(), pause.toNanos(), TimeUnit.NANOSECONDS);
      }

      @Override
      public void close() {
        executor.shutdownNow();
        try {
          if (!executor.awaitTermination(2, TimeUnit.SECONDS)) {
            return;
          }
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
        }
      }
    };
  }

  /** One failure, of whatever kind, must not be the end of what is to happen again and again. */
  private static void carefully(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException failure) {
      LoggerFactory.getLogger(TieredCache.class)
          .debug("What a cache does in the background failed once and goes on", failure);
    }
  }

  /** Runs nothing. */
  Background NONE =
      new Background() {
        @Override
        public void after(Duration delay, Runnable task) {}

        @Override
        public void every(Duration pause, Runnable task) {}

        @Override
        public void close() {}
      };
}
