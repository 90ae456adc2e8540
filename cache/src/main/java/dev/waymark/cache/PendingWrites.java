package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.SessionToken;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The keys of one cache that one transaction changes, and what is done about them as it ends.
 * Belongs to the thread of the transaction. It must not hold on to the transaction, whose life its
 * place in the cache depends on.
 */
final class PendingWrites<K, V> implements TransactionHook {
  /** More keys than this are announced as all keys of the cache. */
  private static final int LARGEST_ANNOUNCEMENT = 10_000;

  private final String cache;
  private final KeyForm<K> keys;
  private final LocalTier<K, V> local;
  private final RedisTier redis;
  private final Encoder<V> encoder;
  private final Loads<K, V> loads;
  private final WithoutRedis withoutRedis;
  private final Consumer<LogPosition> untold;

  private final Map<K, Change<V>> changes = new LinkedHashMap<>();
  private final Set<String> tags = new LinkedHashSet<>();
  private boolean everything;
  private @Nullable Announcement announcement;
  private String shard = "";
  private int rollbacks;

  /** Whether the time to announce has come: what is added later would go untold. */
  private boolean isAnnounced;

  private boolean ended;

  /** The bytes of a value for Redis; null if it has none. */
  interface Encoder<V> {
    byte @Nullable [] encode(@Nullable V value, LogPosition position);
  }

  /** What becomes of a transaction whose changes cannot be announced. */
  enum WithoutRedis {
    /** It is rolled back. */
    REFUSE,
    /** It commits, and Redis is told when it is back. */
    COMMIT_AND_OWE,
    /** Nothing is announced anyway: values live for their time. */
    NEVER_ANNOUNCE
  }

  /** What becomes of a key. */
  sealed interface Change<V> {
    /** Whoever reads it next loads it. */
    record Dropped<V>() implements Change<V> {}

    /**
     * The writer brought what a load would return.
     *
     * @param timeToLive in Redis
     * @param rollbacks how often the transaction had gone back to a savepoint when the value was
     *     brought: once more, and it may never have been
     */
    record Replaced<V>(@Nullable V value, Duration timeToLive, int rollbacks)
        implements Change<V> {}
  }

  /** What Redis was told before COMMIT. */
  private record Announcement(SharedTier.Writer writer, List<SharedTier.Intent> intents) {}

  PendingWrites(
      String cache,
      KeyForm<K> keys,
      LocalTier<K, V> local,
      RedisTier redis,
      Encoder<V> encoder,
      Loads<K, V> loads,
      WithoutRedis withoutRedis,
      Consumer<LogPosition> untold) {
    this.untold = untold;
    this.cache = cache;
    this.keys = keys;
    this.local = local;
    this.redis = redis;
    this.encoder = encoder;
    this.loads = loads;
    this.withoutRedis = withoutRedis;
  }

  /** The last word on a key counts. */
  void add(K key, Change<V> change) {
    refuseIfEnded();
    changes.put(key, change);
    escalateIfLarge();
  }

  /** Everything that carries a tag. */
  void addTag(String tag) {
    refuseIfEnded();
    tags.add(tag);
    escalateIfLarge();
  }

  private void escalateIfLarge() {
    if (changes.size() + tags.size() > LARGEST_ANNOUNCEMENT) {
      everything = true;
    }
  }

  /** All keys of the cache, known or not. */
  void addEverything() {
    refuseIfEnded();
    everything = true;
  }

  private void refuseIfEnded() {
    if (isAnnounced && !ended) {
      throw new IllegalStateException(
          "Cache "
              + cache
              + " has announced the transaction's changes already, and one that comes later would not"
              + " be: say what changes before the transaction's hooks run");
    }
    if (ended) {
      throw new IllegalStateException(
          "The transaction has ended; what changes now belongs to another one");
    }
  }

  @Override
  public void beforeCommit(Transaction transaction) {
    isAnnounced = true;
    rollbacks = transaction.rollbacksToSavepoint();
    shard = transaction.shard();
    step(Steps.Step.WORKED);
    // The transaction id may cost a round trip: not while nobody would be told it.
    if (withoutRedis != WithoutRedis.NEVER_ANNOUNCE && redis.takesAnnouncements()) {
      announcement = everything ? announceEverything(transaction) : announce(transaction);
    }
    if (announcement == null && withoutRedis == WithoutRedis.REFUSE && !redis.isAlone()) {
      throw new WaymarkException(
          "Cache "
              + cache
              + " could not announce the change of "
              + (everything ? "all its keys" : changes.size() + tags.size() + " keys")
              + " to Redis before COMMIT; committed all the same, others could be served the old"
              + " value. "
              + Outcome.REJECTED.sentence()
              + "; the transaction is rolled back. Repeat it when Redis can be reached, or build the"
              + " cache with commitWithoutRedis().",
          Outcome.REJECTED,
          null);
    }
    dropLocally();
    step(Steps.Step.ANNOUNCED);
  }

  private @Nullable Announcement announce(Transaction transaction) {
    SharedTier.Writer writer = writer(transaction);
    List<SharedTier.Intent> intents =
        redis.announce(addresses(), new SharedTier.Change.Open(writer));
    return intents == null ? null : new Announcement(writer, intents);
  }

  /**
   * A new epoch instead of an announcement for each key. It holds off this transaction's own past
   * as well: the horizon of the new epoch is an id given out later than its own.
   */
  private @Nullable Announcement announceEverything(Transaction transaction) {
    SharedTier.Writer writer = writer(transaction);
    return redis.forget(cache) ? new Announcement(writer, List.of()) : null;
  }

  private SharedTier.Writer writer(Transaction transaction) {
    long id = transaction.transactionId();
    return new SharedTier.Writer(shard, id, transaction.transactionIdPosition());
  }

  @Override
  public void afterCommit(LogPosition position) {
    ended = true;
    step(Steps.Step.COMMITTED);
    local.saw(SessionToken.of(position));
    dropLocally();
    Announcement made = announcement;
    if (made == null) {
      if (withoutRedis != WithoutRedis.NEVER_ANNOUNCE && !redis.isAlone()) {
        untold.accept(position);
      }
      late(
          withoutRedis == WithoutRedis.NEVER_ANNOUNCE
              ? new SharedTier.Change.Elsewhere()
              : new SharedTier.Change.Committed(shard, position));
    } else if (!everything) {
      List<SharedTier.Settlement> settlements = new ArrayList<>(changes.size());
      int i = 0;
      for (Map.Entry<K, Change<V>> entry : changes.entrySet()) {
        settlements.add(
            new SharedTier.Settlement(
                address(entry.getKey()), put(entry.getValue(), position, made.intents.get(i++))));
      }
      for (String tag : tags) {
        settlements.add(new SharedTier.Settlement(KeyForm.Tagged.address(cache, tag), null));
      }
      redis.settle(settlements, made.writer, position);
    }
  }

  private SharedTier.@Nullable Put put(
      Change<V> change, LogPosition position, SharedTier.Intent intent) {
    if (!(change instanceof Change.Replaced<V> replaced) || replaced.rollbacks != rollbacks) {
      return null;
    }
    byte[] bytes = encoder.encode(replaced.value, position);
    return bytes == null ? null : new SharedTier.Put(intent, bytes, replaced.timeToLive);
  }

  @Override
  public void afterRollback() {
    ended = true;
    Announcement made = announcement;
    if (made != null && !everything) {
      redis.settle(
          addresses().stream().map(address -> new SharedTier.Settlement(address, null)).toList(),
          made.writer,
          null);
    }
  }

  @Override
  public void outcomeUnknown() {
    ended = true;
    dropLocally();
    if (announcement == null && withoutRedis != WithoutRedis.NEVER_ANNOUNCE) {
      // It may yet be committed, and its id was not asked for: only a new epoch covers that.
      redis.forgetNowOrLater(cache);
    } else if (announcement == null) {
      late(new SharedTier.Change.Elsewhere());
    }
    // Announced, it stays in doubt until somebody proves that it is over: that is all it needs.
    dropLocally();
  }

  /** Tells of what should have been told before. */
  private void late(SharedTier.Change change) {
    if (everything) {
      redis.forgetNowOrLater(cache);
    } else {
      redis.announceNowOrLater(addresses(), change);
    }
    // Again: the old value may have come from Redis in the meantime.
    dropLocally();
  }

  private void dropLocally() {
    if (everything) {
      local.invalidateAll();
      loads.forgetFailures();
    }
    for (K key : changes.keySet()) {
      local.invalidate(key, keys.hash(key));
      loads.forgetFailure(key);
    }
    if (!tags.isEmpty()) {
      // Nobody knows which keys carry a tag.
      loads.forgetFailures();
    }
    for (String tag : tags) {
      local.invalidateHash(KeyForm.Tagged.address(cache, tag).hash());
    }
  }

  private void step(Steps.Step step) {
    for (CacheKey address : addresses()) {
      redis.steps().at(step, cache, address.hash());
    }
  }

  private List<CacheKey> addresses() {
    return Stream.concat(
            changes.keySet().stream().map(this::address),
            tags.stream().map(tag -> KeyForm.Tagged.address(cache, tag)))
        .toList();
  }

  private CacheKey address(K key) {
    return keys.address(cache, key);
  }
}
