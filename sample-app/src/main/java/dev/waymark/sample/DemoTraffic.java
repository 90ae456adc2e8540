package dev.waymark.sample;

import java.io.IOException;
import java.net.URI;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A gentle load of the demo on itself, over HTTP like any other, so that there is something to see.
 * Safe to share.
 */
final class DemoTraffic implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(DemoTraffic.class);

  /** What a laptop does beside everything else. */
  private static final int PER_SECOND = 200;

  private static final int CLIENTS = 8;

  /** Orders are not cached: without them the replicas would have little to do. */
  private static final int ORDER_PERCENT = 40;

  private final ReentrantLock lock = new ReentrantLock();
  private @Nullable LoadRun run;

  static LoadPlan plan(URI url) {
    return LoadPlan.of(url)
        .withClients(CLIENTS)
        .withRate(PER_SECOND)
        .withOrders(ORDER_PERCENT)
        .untilStopped();
  }

  String start(String url) {
    lock.lock();
    try {
      if (run != null) {
        throw new DemoControls.Impossible("Requests are being sent already.");
      }
      LoadRun started = new LoadRun(plan(URI.create(url)));
      run = started;
      Thread thread = new Thread(() -> send(started), "waymark-sample-traffic");
      thread.setDaemon(true);
      thread.start();
      return "%d requests a second from %d clients: users by Zipf's law, orders, 10 %% writes."
          .formatted(PER_SECOND, CLIENTS);
    } finally {
      lock.unlock();
    }
  }

  String stop() {
    lock.lock();
    try {
      if (run == null) {
        throw new DemoControls.Impossible("No requests are being sent.");
      }
      run.close();
      run = null;
      return "No more requests.";
    } finally {
      lock.unlock();
    }
  }

  boolean isRunning() {
    lock.lock();
    try {
      return run != null;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    lock.lock();
    try {
      if (run != null) {
        run.close();
        run = null;
      }
    } finally {
      lock.unlock();
    }
  }

  private void send(LoadRun started) {
    try {
      LoadReport report = started.run(line -> {});
      log.info("{}", report);
    } catch (IOException failure) {
      log.warn("The demo's own requests could not begin: {}", failure.toString());
    } catch (InterruptedException impossible) {
      Thread.currentThread().interrupt();
    } finally {
      started.close();
      lock.lock();
      try {
        if (run == started) {
          run = null;
        }
      } finally {
        lock.unlock();
      }
    }
  }
}
