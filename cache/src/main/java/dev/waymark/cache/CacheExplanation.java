package dev.waymark.cache;

import dev.waymark.LogPosition;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a cache knows of one key, and what a read would do; for a person. Print it.
 *
 * @param key as errors show it
 * @param memory the standing of its entry in this process' memory: {@code served}, {@code absent},
 *     {@code changed} (a change has been heard of), {@code unproven} (it is not certain that every
 *     change has been heard of), {@code run out}, {@code behind session}
 * @param memoryPosition a log position that the entry is known to be at least as new as; null if
 *     none is known
 * @param redis what Redis holds: {@code value}, {@code no value}, {@code unreadable value}, {@code
 *     not kept} (a word that the value is loaded each time: it is too large, cannot be encoded or
 *     is an absence), {@code unavailable}, {@code none} (the cache has no Redis)
 * @param redisRemaining how much longer the value in Redis lives; zero without one
 * @param redisLabel what was proven when it was stored: the snapshot of the primary as {@code
 *     xmin:xmax:running}, {@code @} and a replica's position, or {@code =} and the transaction that
 *     put it; empty if nothing was
 * @param redisPosition as {@code memoryPosition}, of the value in Redis
 * @param leased how much longer somebody has the right to load the value; zero if nobody has
 * @param doubt the transactions in doubt, as shard and id: until they are proven to be over, only
 *     what shows them is kept
 * @param recovering whether Redis has lost what it knew of the key's bucket, so that nothing it
 *     held before is read
 * @param epoch of the key's bucket in Redis; empty without one
 * @param sequence how many changes the bucket has been told of
 * @param hotShare which share of this process' reads the key has, at least; zero if it is not hot
 */
public record CacheExplanation(
    String key,
    String memory,
    @Nullable LogPosition memoryPosition,
    String redis,
    Duration redisRemaining,
    String redisLabel,
    @Nullable LogPosition redisPosition,
    Duration leased,
    List<String> doubt,
    boolean recovering,
    String epoch,
    long sequence,
    double hotShare) {

  /** Several lines of text. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("key ").append(key);
    text.append("\n  L1: ").append(memory);
    if (memoryPosition != null) {
      text.append(", at or after ").append(memoryPosition);
    }
    text.append("\n  L2: ").append(redis);
    if (!redisRemaining.isZero()) {
      text.append(", for ").append(redisRemaining.toMillis()).append(" ms");
    }
    if (redisPosition != null) {
      text.append(", at or after ").append(redisPosition);
    }
    if (!redisLabel.isEmpty()) {
      text.append(", proven by ").append(redisLabel);
    }
    if (!leased.isZero()) {
      text.append("\n  being loaded; the lease ends in ").append(leased.toMillis()).append(" ms");
    }
    if (!doubt.isEmpty()) {
      text.append("\n  in doubt: ").append(String.join(", ", doubt));
    }
    if (recovering) {
      text.append("\n  Redis has lost its memory of this bucket; it recovers with the next load");
    }
    if (!epoch.isEmpty()) {
      text.append("\n  epoch ").append(epoch).append(", change ").append(sequence);
    }
    if (hotShare > 0) {
      text.append(
          String.format(java.util.Locale.ROOT, "%n  hot: %.1f %% of reads", hotShare * 100));
    }
    return text.toString();
  }
}
