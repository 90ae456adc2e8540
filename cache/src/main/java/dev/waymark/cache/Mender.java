package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.Horizons;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells buckets of one cache that have lost their state where the writers of a shard begin again.
 * Shared between threads.
 *
 * <p>Each loss is mended once at a time, whoever comes upon it: a primary whose commits hang keeps
 * one reader waiting, and not one for each value that could not be kept.
 */
final class Mender {
  private static final Logger log = LoggerFactory.getLogger(TieredCache.class);

  private final String cache;
  private final RedisTier redis;
  private final @Nullable Horizons horizons;

  /** What somebody is mending, or is about to. */
  private final Set<Loss> beingMended = ConcurrentHashMap.newKeySet();

  /** Shard to losses, with what is to follow; guarded by itself. */
  private final Map<String, Map<Loss, Job>> due = new HashMap<>();

  /** One loss of a bucket's state, as it concerns one shard. */
  private record Loss(int bucket, String epoch, String shard) {}

  private record Job(CacheKey address, Runnable mended, Runnable failed) {}

  /**
   * A mender.
   *
   * @param horizons null where nothing is proven, and nothing need be mended
   */
  Mender(String cache, RedisTier redis, @Nullable Horizons horizons) {
    this.cache = cache;
    this.redis = redis;
    this.horizons = horizons;
  }

  /**
   * Mends a loss on the calling thread.
   *
   * @param address a key of the bucket
   * @param epoch names the loss
   * @return false if somebody else is at it, or it could not be done now
   */
  boolean mend(CacheKey address, String epoch, String shard) {
    Loss loss = new Loss(address.bucket(), epoch, shard);
    if (horizons == null || !beingMended.add(loss)) {
      return false;
    }
    try {
      reached(Steps.Step.UNRECOVERED, address);
      Horizon horizon = draw(horizons, shard);
      return horizon != null && tell(loss, address, horizon);
    } finally {
      beingMended.remove(loss);
    }
  }

  /**
   * Mends a loss in the background. All losses that wait for a shard share one horizon: they were
   * there when it was drawn.
   *
   * @param mended what to do then, in the background as well
   * @param failed the same, if it could not be done now
   * @return false if somebody else is at it: neither is done
   */
  boolean mendLater(
      CacheKey address, String epoch, String shard, Runnable mended, Runnable failed) {
    Loss loss = new Loss(address.bucket(), epoch, shard);
    if (horizons == null || !beingMended.add(loss)) {
      return false;
    }
    boolean first;
    synchronized (due) {
      Map<Loss, Job> ofShard = due.get(shard);
      first = ofShard == null;
      due.computeIfAbsent(shard, unused -> new LinkedHashMap<>())
          .put(loss, new Job(address, mended, failed));
    }
    if (first) {
      redis.upkeep().after(Duration.ZERO, () -> mendAll(horizons, shard));
    }
    return true;
  }

  private void mendAll(Horizons drawnBy, String shard) {
    Map<Loss, Job> jobs;
    synchronized (due) {
      jobs = due.remove(shard);
    }
    if (jobs == null) {
      return;
    }
    Set<Loss> left = new HashSet<>(jobs.keySet());
    try {
      jobs.values().forEach(job -> reached(Steps.Step.UNRECOVERED, job.address));
      Horizon horizon = draw(drawnBy, shard);
      jobs.forEach(
          (loss, job) -> {
            boolean told = horizon != null && tell(loss, job.address, horizon);
            // Once only: from now on somebody else may be at it.
            left.remove(loss);
            beingMended.remove(loss);
            (told ? job.mended : job.failed).run();
          });
    } finally {
      // Whatever a job has thrown, the next reader may try again.
      left.forEach(beingMended::remove);
    }
  }

  /** Null if the primary gives none: nothing is kept until a later reader has more luck. */
  private @Nullable Horizon draw(Horizons drawnBy, String shard) {
    try {
      return drawnBy.draw(shard);
    } catch (Exception failure) {
      if (failure instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      log.debug("Cache {} could not draw a horizon on {}", cache, shard, failure);
      return null;
    }
  }

  private boolean tell(Loss loss, CacheKey address, Horizon horizon) {
    reached(Steps.Step.HORIZON_DRAWN, address);
    return redis.recover(cache, loss.bucket, loss.epoch, loss.shard, horizon);
  }

  private void reached(Steps.Step step, CacheKey address) {
    redis.steps().at(step, cache, address.hash());
  }
}
