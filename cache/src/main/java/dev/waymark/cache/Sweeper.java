package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.Horizons;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Proves writers of one cache to be over, where nobody else does: a value that comes from a replica
 * proves nothing about them, and a writer that died before it could say how it ended would keep
 * replicas from filling for good. Safe to share.
 */
final class Sweeper {
  private static final Logger log = LoggerFactory.getLogger(TieredCache.class);

  /** At most so often the primary is asked; most writers have told by then how they ended. */
  private static final Duration PAUSE = Duration.ofSeconds(1);

  private final String cache;
  private final RedisTier redis;
  private final Horizons horizons;

  /** Shard to bucket to cells; guarded by itself. */
  private final Map<String, Map<Integer, Set<Integer>>> due = new HashMap<>();

  Sweeper(String cache, RedisTier redis, Horizons horizons) {
    this.cache = cache;
    this.redis = redis;
    this.horizons = horizons;
  }

  /** A replica of a shard could not fill a key. */
  void mayBeDue(String shard, CacheKey key) {
    synchronized (due) {
      boolean first = due.isEmpty();
      due.computeIfAbsent(shard, unused -> new HashMap<>())
          .computeIfAbsent(key.bucket(), unused -> new TreeSet<>())
          .add(key.cell());
      if (!first) {
        return;
      }
    }
    redis.upkeep().after(PAUSE, this::sweep);
  }

  private void sweep() {
    Map<String, Map<Integer, Set<Integer>>> now;
    synchronized (due) {
      now = new HashMap<>(due);
      due.clear();
    }
    now.forEach(
        (shard, buckets) -> {
          try {
            Horizon horizon = horizons.draw(shard);
            buckets.forEach(
                (bucket, cells) -> {
                  List<Integer> each = new ArrayList<>(cells);
                  redis.sweep(cache, bucket, each, shard, horizon);
                });
          } catch (Exception failure) {
            if (failure instanceof InterruptedException) {
              Thread.currentThread().interrupt();
            }
            // The next replica that cannot fill brings it up again.
            log.debug("Cache {} could not sweep for {}", cache, shard, failure);
          }
        });
  }
}
