package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The keys of one cache that one transaction changes, and what is done about them as it ends.
 * Belongs to the thread of the transaction. It must not hold on to the transaction, whose life its
 * place in the cache depends on.
 */
final class PendingWrites<K, V> implements TransactionHook {
  private final String cache;
  private final KeyForm<K> keys;
  private final LocalTier<K, V> local;
  private final RedisTier redis;
  private final Encoder<V> encoder;

  private final Map<K, Change<V>> changes = new LinkedHashMap<>();
  private @Nullable Announcement announcement;
  private boolean ended;

  /** The bytes of a value for Redis; null if it has none. */
  interface Encoder<V> {
    byte @Nullable [] encode(@Nullable V value, LogPosition position);
  }

  /** What becomes of a key. */
  sealed interface Change<V> {
    /** Whoever reads it next loads it. */
    record Dropped<V>() implements Change<V> {}

    /**
     * The writer brought what a load would return.
     *
     * @param timeToLive in Redis
     * @param l1TimeToLive in this process
     */
    record Replaced<V>(@Nullable V value, Duration timeToLive, Duration l1TimeToLive)
        implements Change<V> {}
  }

  /** What Redis was told before COMMIT. */
  private record Announcement(String writer, String intent) {}

  PendingWrites(
      String cache, KeyForm<K> keys, LocalTier<K, V> local, RedisTier redis, Encoder<V> encoder) {
    this.cache = cache;
    this.keys = keys;
    this.local = local;
    this.redis = redis;
    this.encoder = encoder;
  }

  /** The last word on a key counts. */
  void add(K key, Change<V> change) {
    if (ended) {
      throw new IllegalStateException(
          "The transaction has ended; what changes now belongs to another one");
    }
    changes.put(key, change);
  }

  @Override
  public void beforeCommit(Transaction transaction) {
    dropLocally();
    // The transaction id may cost a round trip: not while nobody would be told it.
    if (redis.takesAnnouncements()) {
      Announcement made =
          new Announcement(
              transaction.shard() + "/" + Long.toUnsignedString(transaction.transactionId()),
              UUID.randomUUID().toString());
      if (redis.announce(addresses(), made.writer, made.intent)) {
        announcement = made;
      }
    }
  }

  @Override
  public void afterCommit(LogPosition position) {
    ended = true;
    // Stamps from before Redis is told: what others change after that makes them old.
    Map<K, Integer> stamps = dropLocally();
    List<SharedTier.Settlement> settlements = new ArrayList<>(changes.size());
    changes.forEach(
        (key, change) ->
            settlements.add(
                new SharedTier.Settlement(
                    address(key),
                    announcement == null ? null : announcement.writer,
                    position,
                    put(change, position))));
    List<Boolean> put = redis.settle(settlements);
    int i = 0;
    for (Map.Entry<K, Change<V>> entry : changes.entrySet()) {
      K key = entry.getKey();
      if (put.get(i++) && entry.getValue() instanceof Change.Replaced<V> replaced) {
        local.put(
            key,
            new LocalTier.Entry<>(
                replaced.value,
                position,
                stamps.getOrDefault(key, 0),
                replaced.l1TimeToLive.toNanos()));
      } else {
        // Where Redis had not been told before COMMIT, the old value may have come from there again
        // since the first time.
        local.invalidate(key, keys.hash(key));
      }
    }
  }

  private SharedTier.@Nullable Put put(Change<V> change, LogPosition position) {
    // Without an announcement nothing says that no later writer has been here.
    if (announcement == null || !(change instanceof Change.Replaced<V> replaced)) {
      return null;
    }
    byte[] bytes = encoder.encode(replaced.value, position);
    return bytes == null
        ? null
        : new SharedTier.Put(announcement.intent, bytes, replaced.timeToLive);
  }

  @Override
  public void afterRollback() {
    ended = true;
    if (announcement != null) {
      redis.withdraw(addresses(), announcement.writer);
    }
  }

  @Override
  public void outcomeUnknown() {
    ended = true;
    dropLocally();
    // The mark stays: nothing is kept until it has run out and the transaction, most likely, ended.
    redis.settle(
        addresses().stream()
            .map(address -> new SharedTier.Settlement(address, null, null, null))
            .toList());
    dropLocally();
  }

  private Map<K, Integer> dropLocally() {
    Map<K, Integer> stamps = new LinkedHashMap<>();
    for (K key : changes.keySet()) {
      stamps.put(key, local.invalidate(key, keys.hash(key)));
    }
    return stamps;
  }

  private List<CacheKey> addresses() {
    return changes.keySet().stream().map(this::address).toList();
  }

  private CacheKey address(K key) {
    return new CacheKey(cache, keys.text(key), keys.hash(key));
  }
}
