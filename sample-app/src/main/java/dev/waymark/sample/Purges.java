package dev.waymark.sample;

import dev.waymark.LogPosition;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Purges what committed transactions have changed, on a thread of its own, so that no request waits
 * for a cache elsewhere. A purge may be lost, with this process for instance, and an answer that
 * was under way may be stored after it: what the cache may keep, it therefore may keep for a minute
 * at most ({@link CachePolicy}). Thread-safe.
 */
final class Purges implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Purges.class);
  private static final int MOST_WAITING = 10_000;
  private static final int MOST_AT_ONCE = 100;
  private static final int TRIES = 3;
  private static final long PAUSE_MILLIS = 200;

  private final BlockingQueue<String> waiting = new LinkedBlockingQueue<>(MOST_WAITING);
  private final @Nullable SurrogatePurge port;
  private final @Nullable Thread worker;

  /**
   * Purges through a port.
   *
   * @param port null if there is no cache to be told
   */
  Purges(@Nullable SurrogatePurge port) {
    this.port = port;
    if (port == null) {
      this.worker = null;
    } else {
      this.worker = new Thread(() -> run(port), "waymark-sample-purge");
      worker.setDaemon(true);
      worker.start();
    }
  }

  /** Whether somebody is told. */
  boolean areSent() {
    return port != null;
  }

  static String keyOfUser(long id) {
    return "user-" + id;
  }

  /** Purges what shows a user once the transaction is committed, or may have been. */
  void afterCommit(Transaction transaction, long userId) {
    if (port == null) {
      return;
    }
    transaction.join(
        new TransactionHook() {
          @Override
          public void afterCommit(LogPosition position) {
            add(keyOfUser(userId));
          }

          @Override
          public void outcomeUnknown() {
            add(keyOfUser(userId));
          }
        });
  }

  private void add(String key) {
    if (!waiting.offer(key)) {
      log.warn("The purge of {} is dropped: {} are waiting already", key, MOST_WAITING);
    }
  }

  private void run(SurrogatePurge sender) {
    try {
      while (true) {
        List<String> keys = new ArrayList<>();
        keys.add(waiting.take());
        waiting.drainTo(keys, MOST_AT_ONCE - 1);
        send(sender, keys);
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    }
  }

  private static void send(SurrogatePurge sender, List<String> keys) throws InterruptedException {
    for (int tries = 1; ; tries++) {
      try {
        sender.purge(keys);
        return;
      } catch (IOException | RuntimeException failure) {
        if (tries == TRIES) {
          log.warn("{} keys were not purged: {}", keys.size(), failure.toString());
          return;
        }
        TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
      }
    }
  }

  @Override
  public void close() {
    if (worker != null) {
      worker.interrupt();
    }
  }
}
