package dev.waymark.cache;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Fetches values anew although there is one, each key once at a time. Safe to share. */
final class Refresher<K> {
  private static final Logger log = LoggerFactory.getLogger(TieredCache.class);

  private final String name;
  private final @Nullable Executor background;
  private final Counters counters;
  private final Set<K> underWay = ConcurrentHashMap.newKeySet();

  /**
   * A refresher.
   *
   * @param background null if nothing is ever fetched anew
   */
  Refresher(String name, @Nullable Executor background, Counters counters) {
    this.name = name;
    this.background = background;
    this.counters = counters;
  }

  /** Fetches a key in the background; false if it will not be done. */
  boolean fetch(K key, Runnable work) {
    if (background == null) {
      return false;
    }
    if (!underWay.add(key)) {
      return true;
    }
    try {
      background.execute(
          () -> {
            try {
              counters.refreshes.increment();
              work.run();
            } catch (RuntimeException failure) {
              // The listener has been told; the next reader tries again.
              log.debug("Cache {} could not fetch a value anew", name, failure);
            } finally {
              underWay.remove(key);
            }
          });
      return true;
    } catch (RejectedExecutionException full) {
      underWay.remove(key);
      return false;
    }
  }
}
