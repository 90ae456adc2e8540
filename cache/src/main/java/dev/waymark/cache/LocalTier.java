package dev.waymark.cache;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Expiry;
import dev.waymark.LogPosition;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;

/**
 * L1: the entries of one process, each stamped with what was known of its stripe of keys before its
 * value was fetched. Shared between threads; takes no lock but Caffeine's own.
 *
 * <p>Invalidating a stripe moves its stamp on, and only entries with the present stamp are served.
 * So it does not matter when a slow load puts its value in: if an invalidation came in between, the
 * entry is never seen. Checking the stamp when putting would not do: the invalidation may come
 * between the check and the put.
 */
final class LocalTier<K, V> implements InvalidationListener {
  private final @Nullable Cache<K, Entry<V>> entries;

  /** An int may wrap: four thousand million invalidations do not fit into one entry's life. */
  private final AtomicIntegerArray stamps;

  private final int mask;

  /**
   * One value in L1.
   *
   * @param stamp the stripe's stamp from before the value was fetched
   * @param nanos how long it may be served
   */
  record Entry<V>(@Nullable V value, @Nullable LogPosition position, int stamp, long nanos) {}

  private LocalTier(@Nullable Cache<K, Entry<V>> entries, long expectedEntries) {
    this.entries = entries;
    // About two stripes for each entry: a message about one key seldom takes another with it.
    int stripes = (int) Math.min(1 << 16, Math.max(1 << 8, expectedEntries * 2));
    stripes = Integer.highestOneBit(stripes - 1) << 1;
    this.stamps = new AtomicIntegerArray(stripes);
    this.mask = stripes - 1;
  }

  static <K, V> LocalTier<K, V> holding(long maximumSize, Time time) {
    Cache<K, Entry<V>> entries =
        Caffeine.newBuilder()
            .maximumSize(maximumSize)
            .ticker(time::nanos)
            // On the caller's thread: no thread of ours, nor a task in the common pool, outlives
            // us.
            .executor(Runnable::run)
            .expireAfter(Expiry.<K, Entry<V>>writing((key, entry) -> Duration.ofNanos(entry.nanos)))
            .build();
    return new LocalTier<>(entries, maximumSize);
  }

  /** Holds nothing; its stamps still tell loads apart. */
  static <K, V> LocalTier<K, V> none() {
    return new LocalTier<>(null, 1 << 12);
  }

  @Nullable Entry<V> get(K key, int hash) {
    if (entries == null) {
      return null;
    }
    Entry<V> entry = entries.getIfPresent(key);
    return entry != null && entry.stamp == stamp(hash) ? entry : null;
  }

  void put(K key, Entry<V> entry) {
    if (entries != null && entry.nanos > 0) {
      entries.put(key, entry);
    }
  }

  int stamp(int hash) {
    return stamps.get(hash & mask);
  }

  /** Forgets a key; returns the stamp that a value fetched from now on carries. */
  int invalidate(K key, int hash) {
    int stamp = stamps.incrementAndGet(hash & mask);
    if (entries != null) {
      entries.invalidate(key);
    }
    return stamp;
  }

  @Override
  public void invalidated(int hash) {
    stamps.incrementAndGet(hash & mask);
  }

  @Override
  public void everythingInvalidated() {
    for (int i = 0; i < stamps.length(); i++) {
      stamps.incrementAndGet(i);
    }
    if (entries != null) {
      entries.invalidateAll();
    }
  }
}
