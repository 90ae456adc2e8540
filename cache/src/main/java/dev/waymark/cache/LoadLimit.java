package dev.waymark.cache;

import dev.waymark.Outcome;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * How many loads of one cache may run at the same time in this process, counted for each shard: a
 * cold cache must not do to the primary what it is there to prevent. Shared between threads.
 *
 * @param <K> the type of the keys
 */
final class LoadLimit<K> {
  private final String cache;
  private final int maximum;
  private final Duration longestWait;
  private final Function<? super K, String> shardOf;

  /** As many as there are shards. */
  private final ConcurrentHashMap<String, Semaphore> places = new ConcurrentHashMap<>();

  /**
   * A limit with all places free.
   *
   * @param longestWait zero to refuse at once where no place is free
   * @param shardOf has few different answers; the empty one where shards are not known
   */
  LoadLimit(String cache, int maximum, Duration longestWait, Function<? super K, String> shardOf) {
    this.cache = cache;
    this.maximum = maximum;
    this.longestWait = longestWait;
    this.shardOf = shardOf;
  }

  /** A place for one load, to be left in the end, whatever happens. */
  final class Place {
    private final Semaphore places;
    private final long waited;

    private Place(Semaphore places, long waited) {
      this.places = places;
      this.waited = waited;
    }

    /** Nanoseconds; zero if a place was free. */
    long waited() {
      return waited;
    }

    void leave() {
      places.release();
    }
  }

  /**
   * Waits for a place.
   *
   * @param key decides the shard
   * @param rendered the key for the error
   * @throws WaymarkException if there was none in time; nothing was sent
   */
  Place enter(K key, Function<? super K, String> rendered) {
    String shard = shardOf.apply(key);
    // In the order of arrival: under a flood, luck must not decide who waits to the end.
    Semaphore ofShard =
        places.computeIfAbsent(shard, same -> new Semaphore(maximum, /* fair= */ true));
    // A try without a wait would pass by those who wait already, fair or not.
    if (!ofShard.hasQueuedThreads() && ofShard.tryAcquire()) {
      return new Place(ofShard, 0);
    }
    long from = System.nanoTime();
    try {
      if (ofShard.tryAcquire(longestWait.toNanos(), TimeUnit.NANOSECONDS)) {
        return new Place(ofShard, System.nanoTime() - from);
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new WaymarkException(
          "Interrupted while a load of cache "
              + cache
              + " waited for its turn. Nothing was sent, so the call may be repeated.",
          Outcome.NOT_SENT,
          interrupted);
    }
    throw new WaymarkException(
        "Cache "
            + cache
            + " has "
            + maximum
            + " loads under way"
            + (shard.isEmpty() ? "" : " on " + shard)
            + " and none of them ended within "
            + longestWait.toMillis()
            + " ms for key "
            + rendered.apply(key)
            + ". Nothing was sent, so the call may be repeated; if it happens often, the database"
            + " is slower than the misses come: see maximumLoads(...).",
        Outcome.NOT_SENT,
        null);
  }

  /** Loads that run at this moment, over all shards. */
  int underWay() {
    int free = 0;
    int all = 0;
    for (Semaphore ofShard : places.values()) {
      free += ofShard.availablePermits();
      all += maximum;
    }
    return all - free;
  }
}
