package dev.waymark.cache;

import dev.waymark.Horizons;
import dev.waymark.KeyRendering;
import dev.waymark.LogPosition;
import dev.waymark.RowImage;
import dev.waymark.SessionToken;
import dev.waymark.Transaction;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.WeakHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToIntBiFunction;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A read-through cache in two tiers: this process' memory (L1), then Redis (L2), then the loader.
 * Safe to share between threads.
 *
 * <p>Whoever changes a row says so within the transaction, with {@link #invalidate(Transaction,
 * Object)} or {@link #put(Transaction, Object, Object)}: the value leaves both tiers of every
 * process when the transaction commits, and no load that began before puts the old one back. What
 * is guaranteed, and what not yet, stands in {@code docs/cache.md}.
 *
 * <p>Values are shared between callers: they must not be changed. Redis being down is not an error
 * of a read; what the loader throws is. A write is then refused before COMMIT, unless {@link
 * Builder#commitWithoutRedis} says otherwise.
 *
 * @param <K> the type of the keys; without further ado String, Long, Integer, Short, UUID or an
 *     enum, else see {@link Builder#keyText}
 * @param <V> the type of the values
 */
public final class TieredCache<K, V> {
  private final String name;
  private final KeyForm<K> keys;
  private final KeyRendering rendering;
  private final LocalTier<K, V> local;
  private final RedisTier redis;
  private final @Nullable ValueFormat<V> format;
  private final ValueWriter<V> writer;
  private final Loads<K, V> loads;
  private final ReadPath<K, V> path;
  private final HotKeys<K> hotKeys = new HotKeys<>();
  private final Counters counters = new Counters();
  private final Supplier<SessionToken> sessionToken;
  private final Settings<K, V> settings;
  private final Sessions sessions;

  /** Null where nothing is proven. */
  private final @Nullable Sweeper sweeper;

  private final boolean writeThrough;

  /** Weak: a transaction that ends without a word to its hooks takes its writes with it. */
  private final Map<Transaction, PendingWrites<K, V>> pending =
      Collections.synchronizedMap(new WeakHashMap<>());

  private TieredCache(Builder<K, V> builder) {
    this.name = builder.name;
    this.keys = builder.keyForm();
    this.rendering = builder.keyRendering;
    this.local =
        builder.withL1
            ? LocalTier.holding(
                builder.capacity(), builder.l1StalenessBound, builder.lateness(), builder.time)
            : LocalTier.none(builder.time);
    this.redis = builder.redis == null ? RedisTier.none() : builder.redis;
    this.format =
        builder.codec == null
            ? null
            : new ValueFormat<>(
                builder.codec,
                new ValueFormat.Sizes(builder.maximumValueBytes, builder.compressFrom));
    this.sessionToken = builder.sessionToken;
    this.writeThrough = builder.writeThrough;
    this.settings = builder.settings();
    CacheListener listener = CarefulCacheListener.around(builder.listener);
    this.writer = new ValueWriter<>(name, format, builder.maximumValueBytes, counters, listener);
    this.loads =
        new Loads<>(
            name,
            keys,
            rendering,
            new LoadLimit<>(name, builder.maximumLoads, builder.longestLoadWait, builder.shardOf),
            builder.failureTimeToLive,
            counters,
            listener,
            local::told,
            builder.time);
    this.sessions = new Sessions(settings, local, redis);
    this.sweeper =
        settings.horizons() == null ? null : new Sweeper(name, redis, settings.horizons());
    this.path =
        new ReadPath<>(
            name,
            keys,
            local,
            redis,
            format,
            writer,
            loads,
            sweeper,
            sessions,
            hotKeys,
            counters,
            listener,
            settings,
            builder.time);
  }

  /**
   * A cache that is built by and by.
   *
   * @param name the same in every process, different for each cache: 1 to 64 letters, digits, dots,
   *     dashes or underscores
   * @param loader fetches what neither tier has
   */
  public static <K, V> Builder<K, V> builder(String name, Loader<K, V> loader) {
    return new Builder<>(name, loader);
  }

  /**
   * The value of a key; null if there is none.
   *
   * @throws WaymarkException with the loader's exception as its cause, if that is a checked one; an
   *     unchecked one comes as it is
   */
  public @Nullable V get(K key) {
    int hash = keys.hash(key);
    SessionToken session = sessionToken.get();
    hotKeys.read(key);
    LocalTier.Entry<V> entry = local.get(key, hash, session);
    if (entry != null) {
      counters.l1Hits.increment();
      sessions.shown(entry.position(), entry.mark(), session);
      return entry.value();
    }
    return path.miss(key, hash, session).value();
  }

  /** As {@link #get}, with who answered. */
  public CacheAnswer<V> lookup(K key) {
    int hash = keys.hash(key);
    SessionToken session = sessionToken.get();
    hotKeys.read(key);
    LocalTier.Entry<V> entry = local.get(key, hash, session);
    if (entry != null) {
      return path.fromL1(entry, session);
    }
    return path.miss(key, hash, session);
  }

  /**
   * The values of many keys, in the order of the keys; those without a value are left out. What
   * memory lacks is asked of Redis in one round trip, what Redis lacks is loaded: with {@link
   * Builder#bulkLoader} at once for each shard, else key by key. The values are not of one instant.
   *
   * @throws WaymarkException as {@link #get}: if one load fails, the call fails; what was loaded
   *     before is kept
   */
  public Map<K, V> getAll(Collection<? extends K> wanted) {
    Map<K, V> values = new LinkedHashMap<>();
    path.getAll(wanted, sessionToken.get())
        .forEach(
            (key, answer) -> {
              V value = answer.value();
              if (value != null) {
                values.put(key, value);
              }
            });
    return Collections.unmodifiableMap(values);
  }

  /**
   * Says that a transaction changes a key. When it commits, the old value is gone from L1 and L2
   * before the commit returns, and other processes are told; when it rolls back, nobody is.
   *
   * <p>To be called by the thread that runs the transaction, before or after the statement. A
   * {@link #get} within the transaction may still answer with the old value: read what the
   * transaction itself has written through its connection.
   */
  public void invalidate(Transaction transaction, K key) {
    pendingOf(transaction).add(key, new PendingWrites.Change.Dropped<>());
  }

  /**
   * As {@link #invalidate(Transaction, Object)}; with {@link Builder#writeThrough} the new value
   * takes the old one's place at once, so that the next reader need not load it.
   *
   * <p>Only for a value that is made from the one row which this transaction writes: the row's lock
   * is what puts two writers in order. For anything put together from several rows use {@link
   * #invalidate(Transaction, Object)}. If the transaction goes back to a savepoint after this, the
   * old value is dropped and the new one is not stored, since it may be undone.
   *
   * @param newValue what a load after the commit would return; null if there will be no value
   */
  public void put(Transaction transaction, K key, @Nullable V newValue) {
    pendingOf(transaction).add(key, changeTo(newValue, transaction.rollbacksToSavepoint()));
  }

  /**
   * Drops a key from both tiers now and tells other processes: for a change made elsewhere and
   * already committed. A replica that has not replayed the change yet may bring the old value back,
   * until its time to live ends.
   */
  public void invalidate(K key) {
    CacheKey address = path.address(key);
    loads.forgetFailure(key);
    local.invalidate(key, address.hash());
    redis.announceNowOrLater(List.of(address), new SharedTier.Change.Elsewhere());
    // Again: L2 may have been read, and kept in L1, between the two lines above.
    local.invalidate(key, address.hash());
  }

  /**
   * Says that a transaction changes rows that everything with a tag is made of, such as the orders
   * of one user: as {@link #invalidate(Transaction, Object)} for all keys that carry the tag,
   * whether or not anybody knows them. An insert, an update and a delete call it with the tags of
   * the old row and of the new one.
   *
   * @throws IllegalStateException if the cache has no tags: see {@link Builder#tag}
   */
  public void invalidateTag(Transaction transaction, String tag) {
    refuseWithoutTags();
    pendingOf(transaction).addTag(tag);
  }

  /** As {@link #invalidate(Object)}, for all keys that carry a tag. */
  public void invalidateTag(String tag) {
    refuseWithoutTags();
    CacheKey address = KeyForm.Tagged.address(name, tag);
    loads.forgetFailures();
    local.invalidateHash(address.hash());
    redis.announceNowOrLater(List.of(address), new SharedTier.Change.Elsewhere());
    local.invalidateHash(address.hash());
  }

  private void refuseWithoutTags() {
    if (!(keys instanceof KeyForm.Tagged<K>)) {
      throw new IllegalStateException(
          "Cache " + name + " has no tags; give its builder tag(...), which names them");
    }
  }

  /**
   * Says that a transaction may change every key: a TRUNCATE, a change of many rows, a key range
   * that moves to another shard. Before the commit everything is dropped, everywhere; until all
   * transactions that run by then are over, nothing is kept in Redis.
   */
  public void invalidateAll(Transaction transaction) {
    pendingOf(transaction).addEverything();
  }

  /**
   * Drops every key now, everywhere, for changes made elsewhere; otherwise as {@link
   * #invalidateAll(Transaction)}.
   */
  public void invalidateAll() {
    loads.forgetFailures();
    local.invalidateAll();
    redis.forgetNowOrLater(name);
    local.invalidateAll();
  }

  /** Empties this process' memory; Redis and other processes are not touched. */
  public void flushL1() {
    local.invalidateAll();
  }

  /** What the cache has done since it was built. The numbers are not of one instant. */
  public CacheStatistics statistics() {
    return counters.read();
  }

  /**
   * The keys that take a large share of the reads, the hottest first; at most 64. Found by looking
   * at one read in 64, so only in a cache that is read often.
   */
  public List<K> hotKeys() {
    return List.copyOf(hotKeys.hottest());
  }

  /** What is known of a key, without loading it and without changing anything. Asks Redis, once. */
  public CacheExplanation explain(K key) {
    CacheKey address = path.address(key);
    SharedTier.Glimpse glimpse = redis.peek(address);
    LocalTier.Entry<V> entry = local.peek(key);
    byte[] stored = glimpse == null ? null : glimpse.value();
    ValueFormat.Decoded<V> decoded =
        stored == null || format == null ? null : format.decode(stored);
    String held;
    LogPosition heldPosition = null;
    if (redis.isAlone()) {
      held = "none";
    } else if (glimpse == null) {
      held = "unavailable";
    } else if (decoded == null) {
      held = "no value";
    } else if (decoded instanceof ValueFormat.Decoded.Value<V> value) {
      held = "value";
      heldPosition = value.position();
    } else if (decoded instanceof ValueFormat.Decoded.Unkept<V>) {
      held = "not kept";
    } else {
      held = "unreadable value";
    }
    return new CacheExplanation(
        keys.render(key, rendering),
        local
            .look(key, address.hash(), sessionToken.get())
            .name()
            .toLowerCase(Locale.ROOT)
            .replace('_', ' '),
        entry == null ? null : entry.position(),
        held,
        glimpse == null ? Duration.ZERO : glimpse.remaining(),
        glimpse == null ? "" : glimpse.label(),
        heldPosition,
        glimpse == null ? Duration.ZERO : glimpse.leased(),
        glimpse == null ? List.of() : glimpse.doubt(),
        glimpse != null && glimpse.memory() == SharedTier.Memory.LOST,
        glimpse == null ? "" : glimpse.place().epoch(),
        glimpse == null ? 0 : glimpse.place().seq(),
        hotKeys.share(key));
  }

  /** How the cache stands. The numbers are not of one instant. */
  public CacheCondition condition() {
    return new CacheCondition(
        local.size(),
        loads.underWay(),
        redis.isAvailable() && !redis.isAlone(),
        redis.owed(),
        stalenessBound(),
        local.proofAge());
  }

  private Duration stalenessBound() {
    if (redis.isAlone()) {
      return settings.l1TimeToLive();
    }
    if (settings.withoutRedis() == PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
      return settings.lifetime().whole();
    }
    return local.holdsEntries() ? Duration.ofNanos(local.boundNanos()) : Duration.ZERO;
  }

  /** The name that the cache was built with. */
  public String name() {
    return name;
  }

  @Override
  public String toString() {
    return "TieredCache[" + name + "]";
  }

  private PendingWrites<K, V> pendingOf(Transaction transaction) {
    PendingWrites<K, V> writes = pending.get(transaction);
    if (writes == null) {
      // A transaction belongs to one thread: nobody else adds the same one in between.
      writes =
          new PendingWrites<>(
              name,
              keys,
              local,
              redis,
              writer::bytesOf,
              loads,
              settings.withoutRedis(),
              sessions::committedUntold);
      transaction.join(writes);
      pending.put(transaction, writes);
    }
    return writes;
  }

  private PendingWrites.Change<V> changeTo(@Nullable V newValue, int rollbacks) {
    Duration life = settings.lifeOf(newValue);
    return writeThrough && !life.isZero()
        ? new PendingWrites.Change.Replaced<>(newValue, life, rollbacks)
        : new PendingWrites.Change.Dropped<>();
  }

  /**
   * Settings of a cache; not for sharing between threads.
   *
   * @param <K> the type of the keys
   * @param <V> the type of the values
   */
  public static final class Builder<K, V> {
    private final String name;
    private final Loader<K, V> loader;
    private @Nullable Codec<V> codec;
    private @Nullable RedisTier redis;
    private @Nullable Function<K, String> keyText;
    private KeyRendering keyRendering = KeyRendering.FINGERPRINT;
    private Supplier<SessionToken> sessionToken = SessionToken::empty;
    private Duration timeToLive = Duration.ofMinutes(5);
    private Duration l1TimeToLive = Duration.ofSeconds(10);
    private Duration negativeTimeToLive = Duration.ZERO;
    private double jitter = 0.1;
    private int maximumLoads = 64;
    private Duration longestLoadWait = Duration.ofSeconds(1);
    private Function<? super K, String> shardOf = key -> "";
    private boolean shardIsSet;
    private CacheListener listener = CacheListener.none();
    private int maximumValueBytes = ValueFormat.Sizes.defaults().maximumBytes();
    private int compressFrom = ValueFormat.Sizes.defaults().compressFrom();
    private long maximumSize = 10_000;
    private boolean withL1 = true;
    private boolean l1IsSet;
    private boolean writeThrough;
    private Duration l1StalenessBound = Duration.ofSeconds(1);
    private PendingWrites.WithoutRedis withoutRedis = PendingWrites.WithoutRedis.REFUSE;
    private @Nullable ToIntBiFunction<? super K, ? super V> weigher;
    private boolean sizeIsSet;
    private @Nullable Function<? super K, String> tagOf;
    private Duration refreshAhead = Duration.ZERO;
    private Duration staleWhileRevalidate = Duration.ZERO;
    private Duration failureTimeToLive = Duration.ZERO;
    private @Nullable Executor background;
    private @Nullable BulkLoader<K, V> bulkLoader;
    private @Nullable Loader<K, V> primaryLoader;
    private @Nullable Horizons horizons;
    private @Nullable Consumer<SessionToken> sessionSaw;
    private final Map<String, Function<RowImage, ? extends Collection<? extends K>>> changedBy =
        new LinkedHashMap<>();
    private final Map<String, Function<RowImage, ? extends Collection<String>>> tagsChangedBy =
        new LinkedHashMap<>();
    private @Nullable Duration changesBound;
    private Time time = Time.system();
    private Supplier<? extends RandomGenerator> random = ThreadLocalRandom::current;

    private Builder(String name, Loader<K, V> loader) {
      if (!name.matches("[A-Za-z0-9_.-]{1,64}")) {
        throw new IllegalArgumentException(
            "The name of a cache must be 1 to 64 letters, digits, dots, dashes or underscores, not '"
                + name
                + "'");
      }
      this.name = name;
      this.loader = Objects.requireNonNull(loader, "loader");
    }

    /** Keeps values in Redis as well, shared by all processes. Without: L1 only. */
    public Builder<K, V> redis(RedisTier redis) {
      this.redis = Objects.requireNonNull(redis, "redis");
      return this;
    }

    /** How values are written in Redis. Needed with {@link #redis}. */
    public Builder<K, V> codec(Codec<V> codec) {
      this.codec = Objects.requireNonNull(codec, "codec");
      return this;
    }

    /**
     * How keys of a type of your own are written: different text for different keys, and the same
     * in every process. Without: for String, Long, Integer, Short, UUID and enums, their own text.
     */
    public Builder<K, V> keyText(Function<K, String> keyText) {
      this.keyText = Objects.requireNonNull(keyText, "keyText");
      return this;
    }

    /** How keys appear in errors; by default as a fingerprint. */
    public Builder<K, V> keyRendering(KeyRendering keyRendering) {
      this.keyRendering = Objects.requireNonNull(keyRendering, "keyRendering");
      return this;
    }

    /**
     * What the caller's session has seen, asked at each read: a value that does not show all of it
     * is loaded anew. Without: sessions are not looked at.
     */
    public Builder<K, V> sessionToken(Supplier<SessionToken> sessionToken) {
      this.sessionToken = Objects.requireNonNull(sessionToken, "sessionToken");
      return this;
    }

    /**
     * How long a value lives in Redis, at least 1 ms; by default 5 minutes. See {@link #jitter}.
     */
    public Builder<K, V> timeToLive(Duration timeToLive) {
      this.timeToLive = atLeastOneMillisecond("timeToLive", timeToLive);
      return this;
    }

    /**
     * How long a value lives in this process' memory, at least 1 ms and never longer than {@link
     * #timeToLive}; by default 10 seconds. Without {@link #redis} the longest that this process can
     * be behind a change made in another one; else that is {@link #l1StalenessBound}.
     */
    public Builder<K, V> l1TimeToLive(Duration l1TimeToLive) {
      this.l1TimeToLive = atLeastOneMillisecond("l1TimeToLive", l1TimeToLive);
      return settingL1("l1TimeToLive");
    }

    /**
     * How long it is remembered that there is no value; zero, the default, for not at all. Whoever
     * inserts a row must then invalidate its key as well.
     */
    public Builder<K, V> negativeTimeToLive(Duration negativeTimeToLive) {
      this.negativeTimeToLive =
          negativeTimeToLive.isZero()
              ? negativeTimeToLive
              : atLeastOneMillisecond("negativeTimeToLive", negativeTimeToLive);
      return this;
    }

    /**
     * The share by which the life of each value may be shorter, so that what was loaded together is
     * not loaded anew together: at least 0, for none, and below 1; by default 0.1.
     */
    public Builder<K, V> jitter(double share) {
      this.jitter = new Lifetime(Duration.ZERO, Duration.ZERO, share).jitter();
      return this;
    }

    /**
     * How many loads may run at the same time in this process, for each shard where {@link
     * #shardOf} tells them apart: at least 1, by default 64. It is what a cold cache, or Redis
     * being down, can cost a database.
     */
    public Builder<K, V> maximumLoads(int maximumLoads) {
      if (maximumLoads < 1) {
        throw new IllegalArgumentException("maximumLoads must be at least 1, not " + maximumLoads);
      }
      this.maximumLoads = maximumLoads;
      return this;
    }

    /**
     * How long a load waits for its turn before it is refused, by default 1 second; zero to refuse
     * at once.
     */
    public Builder<K, V> longestLoadWait(Duration longestLoadWait) {
      if (longestLoadWait.isNegative()) {
        throw new IllegalArgumentException(
            "longestLoadWait must not be negative, as is " + longestLoadWait);
      }
      this.longestLoadWait = longestLoadWait;
      return this;
    }

    /**
     * Which shard a key lives on, such as the shard's name. Without: one limit for all. Needed with
     * {@link #bulkLoader}, which is asked for keys of one shard at a time.
     */
    public Builder<K, V> shardOf(Function<? super K, String> shardOf) {
      this.shardOf = Objects.requireNonNull(shardOf, "shardOf");
      this.shardIsSet = true;
      return this;
    }

    /** Told what the cache does. */
    public Builder<K, V> listener(CacheListener listener) {
      this.listener = this.listener.and(listener);
      return this;
    }

    /**
     * How large a value may be in Redis, in bytes as its codec writes it, before compression; at
     * least 1, by default 1 MiB. A larger one is returned, counted, and loaded anew by everyone.
     */
    public Builder<K, V> maximumValueBytes(int maximumValueBytes) {
      if (maximumValueBytes < 1) {
        throw new IllegalArgumentException(
            "maximumValueBytes must be at least 1, not " + maximumValueBytes);
      }
      this.maximumValueBytes = maximumValueBytes;
      return this;
    }

    /**
     * From how many bytes on a value is compressed for Redis, at least 1; by default never. Worth
     * it where values are some kilobytes and the network is dearer than the processor: unpacking
     * costs some microseconds per kilobyte at each read of Redis.
     */
    public Builder<K, V> compressFrom(int bytes) {
      if (bytes < 1) {
        throw new IllegalArgumentException("compressFrom must be at least 1, not " + bytes);
      }
      this.compressFrom = bytes;
      return this;
    }

    /**
     * Loads what {@link TieredCache#getAll} lacks, at once for each shard. Needs {@link #shardOf},
     * since keys that a loader seeks on another shard would look as if they had no value; with one
     * shard, {@code shardOf(key -> "")}.
     */
    public Builder<K, V> bulkLoader(BulkLoader<K, V> bulkLoader) {
      this.bulkLoader = Objects.requireNonNull(bulkLoader, "bulkLoader");
      return this;
    }

    /**
     * Names what rows a key's value is made of, so that {@link TieredCache#invalidateTag} can drop
     * all that are made of the same: for the results of queries, such as the pages of a user's
     * orders, with the tag {@code "orders of " + userId}. One tag for each key. All rows of a tag
     * lie on one shard.
     */
    public Builder<K, V> tag(Function<? super K, String> tagOf) {
      if (writeThrough) {
        throw new IllegalStateException(
            "tag(...) contradicts writeThrough(): only a value of one row can be put");
      }
      this.tagOf = Objects.requireNonNull(tagOf, "tagOf");
      return this;
    }

    /**
     * Fetches a value anew that is read when less than so much of its life in Redis is left, in the
     * background and in one process; readers get the old one until then. Zero, the default, for
     * never. It must be shorter than {@link #timeToLive}.
     *
     * @param background runs the loads; what it refuses is not fetched anew. The session of the
     *     reader is not known there
     */
    public Builder<K, V> refreshAhead(Duration refreshAhead, Executor background) {
      this.refreshAhead = notNegative("refreshAhead", refreshAhead);
      this.background = Objects.requireNonNull(background, "background");
      return this;
    }

    /**
     * For how long after its fetch a value that another process has changed may still be served
     * from this process' memory, while the new one is fetched in the background: so a key that is
     * changed all the time is fetched twice in so long and not by every reader. Zero, the default,
     * for not at all; at most {@link #l1StalenessBound}, to which it adds nothing. Sessions that
     * have seen more, and this process' own changes, are not affected.
     *
     * @param background as in {@link #refreshAhead}
     */
    public Builder<K, V> staleWhileRevalidate(Duration staleWhileRevalidate, Executor background) {
      this.staleWhileRevalidate = notNegative("staleWhileRevalidate", staleWhileRevalidate);
      this.background = Objects.requireNonNull(background, "background");
      return settingL1("staleWhileRevalidate");
    }

    /**
     * For how long what a loader throws is thrown again, in this process, without asking the
     * database; zero, the default, for not at all. A change of the key in this process ends it.
     */
    public Builder<K, V> failureTimeToLive(Duration failureTimeToLive) {
      this.failureTimeToLive = notNegative("failureTimeToLive", failureTimeToLive);
      return this;
    }

    private static Duration notNegative(String setting, Duration value) {
      if (value.isNegative()) {
        throw new IllegalArgumentException(setting + " must not be negative, as is " + value);
      }
      return value;
    }

    /** How many values this process' memory holds, at least 1; by default 10,000. */
    public Builder<K, V> maximumSize(long maximumSize) {
      if (maximumSize < 1) {
        throw new IllegalArgumentException("maximumSize must be at least 1, not " + maximumSize);
      }
      if (weigher != null) {
        throw new IllegalStateException("maximumSize(...) contradicts maximumWeight(...)");
      }
      this.maximumSize = maximumSize;
      this.sizeIsSet = true;
      return settingL1("maximumSize");
    }

    /**
     * How much this process' memory holds, for values of very different size: at least 1.
     *
     * @param weigher the weight of a key and its value, not negative; the absence of a value weighs
     *     1
     */
    public Builder<K, V> maximumWeight(
        long maximumWeight, ToIntBiFunction<? super K, ? super V> weigher) {
      if (maximumWeight < 1) {
        throw new IllegalArgumentException(
            "maximumWeight must be at least 1, not " + maximumWeight);
      }
      if (sizeIsSet) {
        throw new IllegalStateException("maximumWeight(...) contradicts maximumSize(...)");
      }
      this.maximumSize = maximumWeight;
      this.weigher = Objects.requireNonNull(weigher, "weigher");
      return settingL1("maximumWeight");
    }

    /** Keeps nothing in this process' memory: each read asks Redis. */
    public Builder<K, V> withoutL1() {
      if (l1IsSet) {
        throw new IllegalStateException(
            "withoutL1() contradicts l1TimeToLive(...), l1StalenessBound(...) and"
                + " maximumSize(...)");
      }
      this.withL1 = false;
      return this;
    }

    /**
     * Makes {@link TieredCache#put} store the new value after the commit. Without, it only drops
     * the old one.
     */
    public Builder<K, V> writeThrough() {
      if (withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
        throw new IllegalStateException("writeThrough() contradicts unfenced()");
      }
      if (tagOf != null) {
        throw new IllegalStateException(
            "writeThrough() contradicts tag(...): only a value of one row can be put");
      }
      this.writeThrough = true;
      return this;
    }

    /**
     * Who draws a line through a shard's transactions when Redis has lost data: {@code
     * database::horizon} of the routing module. Needed with {@link #redis}, unless the cache is
     * {@link #unfenced}: without it nothing could ever be kept in Redis again.
     */
    public Builder<K, V> horizons(Horizons horizons) {
      if (withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
        throw new IllegalStateException("horizons(...) contradicts unfenced()");
      }
      this.horizons = Objects.requireNonNull(horizons, "horizons");
      return this;
    }

    /**
     * Fetches a value from the primary, when a replica's answer may lack a change that somebody has
     * already seen. Without: such an answer is returned, and not kept.
     */
    public Builder<K, V> primaryLoader(Loader<K, V> primaryLoader) {
      this.primaryLoader = Objects.requireNonNull(primaryLoader, "primaryLoader");
      return this;
    }

    /**
     * Told what a session was shown where it goes beyond what is known of the session, so that its
     * reads elsewhere do not go back behind that: {@code shown ->
     * database.currentSession().join(shown)} with the routing module.
     */
    public Builder<K, V> sessionSaw(Consumer<SessionToken> sessionSaw) {
      this.sessionSaw = Objects.requireNonNull(sessionSaw, "sessionSaw");
      return this;
    }

    /**
     * How far this process' memory may be behind a committed change, whatever happens to Redis and
     * its messages; at least 200 ms, by default 1 second. Where Redis cannot be reached for longer,
     * values live in memory only so long. Without {@link #redis} it has no meaning: see {@link
     * #l1TimeToLive}.
     */
    public Builder<K, V> l1StalenessBound(Duration l1StalenessBound) {
      if (l1StalenessBound.compareTo(Duration.ofMillis(200)) < 0) {
        throw new IllegalArgumentException(
            "l1StalenessBound must be at least 200 ms, not " + l1StalenessBound);
      }
      this.l1StalenessBound = l1StalenessBound;
      return settingL1("l1StalenessBound");
    }

    /**
     * Lets a transaction commit whose changes cannot be announced because Redis cannot be reached.
     * Without, the default: it is rolled back before COMMIT, with a {@link WaymarkException} whose
     * outcome is {@code REJECTED}, since others would be served what it has made old.
     *
     * <p>Redis is told of such a change as soon as it is back, before this process uses it again.
     * Until then, and for {@link #timeToLive} at most (or, with a change stream, until that tells
     * of it), other processes that reach Redis may be served the old value, from L1 too. Sessions
     * still read their own writes, on any process, and what this process has shown them; what a
     * session has read from the database elsewhere, a cache may show it less of. If this process
     * dies before Redis is back, the debt dies with it. The same in all processes of one cache.
     */
    public Builder<K, V> commitWithoutRedis() {
      if (withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
        throw new IllegalStateException("commitWithoutRedis() contradicts unfenced()");
      }
      this.withoutRedis = PendingWrites.WithoutRedis.COMMIT_AND_OWE;
      return this;
    }

    /**
     * Bounds the age of values by {@link #timeToLive} and by nothing else: no announcement before
     * COMMIT, no proof when a value is kept. An invalidation drops the value after the commit, but
     * a slow reader or a replica that lags may put the old one back, for as long as it lives.
     */
    public Builder<K, V> unfenced() {
      if (withoutRedis == PendingWrites.WithoutRedis.COMMIT_AND_OWE) {
        throw new IllegalStateException("unfenced() contradicts commitWithoutRedis()");
      }
      if (horizons != null) {
        throw new IllegalStateException("unfenced() contradicts horizons(...)");
      }
      if (writeThrough) {
        throw new IllegalStateException("unfenced() contradicts writeThrough()");
      }
      if (changesBound != null) {
        throw new IllegalStateException("unfenced() contradicts changesBound(...)");
      }
      this.withoutRedis = PendingWrites.WithoutRedis.NEVER_ANNOUNCE;
      return this;
    }

    /**
     * Drops keys when a row of a table changes, whoever changes it: mode {@code event}. Needs a
     * change stream, {@code database.changes(redis.changes())}, in a process that has this cache,
     * and {@link #redis}. May be said of several tables.
     *
     * @param table as SQL would write it: {@code users}, or {@code app.users} in that schema alone
     * @param keys the keys that a row belongs to, called with the row as it was, as far as the log
     *     tells, and as it is; empty for none. If it throws, every key is dropped. The old row has
     *     the columns of the table's replica identity, and is not told at all where an update left
     *     those as they were: a key made of other columns needs {@code REPLICA IDENTITY FULL}
     */
    public Builder<K, V> changedBy(
        String table, Function<RowImage, ? extends Collection<? extends K>> keys) {
      if (changedBy.putIfAbsent(table, Objects.requireNonNull(keys, "keys")) != null) {
        throw new IllegalArgumentException("changedBy(...) was already told of table " + table);
      }
      return this;
    }

    /**
     * As {@link #changedBy}, for the {@linkplain #tag tags} that a row belongs to: everything that
     * carries one of them is dropped.
     */
    public Builder<K, V> tagsChangedBy(
        String table, Function<RowImage, ? extends Collection<String>> tags) {
      if (tagsChangedBy.putIfAbsent(table, Objects.requireNonNull(tags, "tags")) != null) {
        throw new IllegalArgumentException("tagsChangedBy(...) was already told of table " + table);
      }
      return this;
    }

    /**
     * How old a hit may be at most against changes that nobody announced, of the tables it is
     * {@link #changedBy}; at least 100 ms. An older one is a miss, and so is one whose age nobody
     * knows because no change stream is followed: the cache answers from the database until it is.
     * Should be several times {@code changes.interval}. Without: not looked at.
     */
    public Builder<K, V> changesBound(Duration changesBound) {
      if (changesBound.compareTo(Duration.ofMillis(100)) < 0) {
        throw new IllegalArgumentException(
            "changesBound must be at least 100 ms, not " + changesBound);
      }
      if (withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
        throw new IllegalStateException("changesBound(...) contradicts unfenced()");
      }
      this.changesBound = changesBound;
      return this;
    }

    /** For tests. */
    Builder<K, V> time(Time time) {
      this.time = time;
      return this;
    }

    /** For tests. */
    Builder<K, V> random(Supplier<? extends RandomGenerator> random) {
      this.random = random;
      return this;
    }

    /**
     * The cache.
     *
     * @throws IllegalStateException if the settings contradict each other
     * @throws IllegalArgumentException if the Redis tier already has a cache of this name
     */
    public TieredCache<K, V> build() {
      if (redis != null && codec == null) {
        throw new IllegalStateException(
            "redis(...) needs codec(...), such as Codec.json(User.class, 1)");
      }
      if (redis == null && withoutRedis == PendingWrites.WithoutRedis.COMMIT_AND_OWE) {
        throw new IllegalStateException("commitWithoutRedis() needs redis(...)");
      }
      if (redis == null && !withL1) {
        throw new IllegalStateException("withoutL1() needs redis(...): nothing would be cached");
      }
      if (redis == null && writeThrough) {
        // In one process alone nothing tells whether another one has written since.
        throw new IllegalStateException("writeThrough() needs redis(...)");
      }
      if (redis != null
          && horizons == null
          && withoutRedis != PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
        throw new IllegalStateException(
            "redis(...) needs horizons(...), such as database::horizon, or unfenced()");
      }
      if (bulkLoader != null && !shardIsSet) {
        throw new IllegalStateException(
            "bulkLoader(...) needs shardOf(...): keys that it sought on another shard would look as if"
                + " they had no value; with one shard, shardOf(key -> \"\")");
      }
      if (refreshAhead.compareTo(timeToLive) >= 0) {
        throw new IllegalStateException(
            "refreshAhead("
                + refreshAhead
                + ") must be shorter than timeToLive("
                + timeToLive
                + ")");
      }
      if (redis == null && !refreshAhead.isZero()) {
        throw new IllegalStateException("refreshAhead(...) needs redis(...)");
      }
      Duration bound = redis == null ? l1TimeToLive : l1StalenessBound;
      if (staleWhileRevalidate.compareTo(bound) > 0) {
        throw new IllegalStateException(
            "staleWhileRevalidate("
                + staleWhileRevalidate
                + ") must not be longer than "
                + (redis == null ? "l1TimeToLive(" : "l1StalenessBound(")
                + bound
                + ")");
      }
      refuseContradictionsOfChanges();
      TieredCache<K, V> cache = new TieredCache<>(this);
      if (redis != null) {
        redis.register(name, cache.local);
        if (isChangedByTables()) {
          redis.follow(name, mapping(cache));
        }
      }
      return cache;
    }

    private boolean isChangedByTables() {
      return !changedBy.isEmpty() || !tagsChangedBy.isEmpty();
    }

    private void refuseContradictionsOfChanges() {
      if (redis == null && isChangedByTables()) {
        throw new IllegalStateException("changedBy(...) needs redis(...)");
      }
      if (!tagsChangedBy.isEmpty() && tagOf == null) {
        throw new IllegalStateException("tagsChangedBy(...) needs tag(...)");
      }
      if (changesBound != null && !isChangedByTables()) {
        throw new IllegalStateException("changesBound(...) needs changedBy(...)");
      }
      if (changesBound != null && !staleWhileRevalidate.isZero()) {
        throw new IllegalStateException(
            "changesBound(...) contradicts staleWhileRevalidate(...), which serves what is older");
      }
    }

    private ChangeMapping mapping(TieredCache<K, V> cache) {
      Map<String, Function<RowImage, List<CacheKey>>> tables = new LinkedHashMap<>();
      changedBy.forEach(
          (table, keysOf) ->
              tables.put(
                  table,
                  row -> keysOf.apply(row).stream().map(key -> cache.path.address(key)).toList()));
      tagsChangedBy.forEach(
          (table, tagsOf) ->
              tables.merge(
                  table,
                  row ->
                      tagsOf.apply(row).stream()
                          .map(tag -> KeyForm.Tagged.address(name, tag))
                          .toList(),
                  (some, more) ->
                      row ->
                          Stream.concat(some.apply(row).stream(), more.apply(row).stream())
                              .toList()));
      return new ChangeMapping(
          name,
          withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE
              ? ChangeMapping.Proof.UNFENCED
              : ChangeMapping.Proof.FENCED,
          cache.sweeper,
          tables);
    }

    private KeyForm<K> keyForm() {
      KeyForm<K> form = keyText == null ? new KeyForm.Known<>() : new KeyForm.Written<>(keyText);
      return tagOf == null ? form : new KeyForm.Tagged<>(form, tagOf);
    }

    private LocalTier.Capacity<K, V> capacity() {
      return new LocalTier.Capacity<>(maximumSize, weigher);
    }

    private LocalTier.Lateness lateness() {
      return staleWhileRevalidate.isZero()
          ? LocalTier.Lateness.NEVER
          : LocalTier.Lateness.FOR_A_TIME;
    }

    private Settings<K, V> settings() {
      return new Settings<>(
          loader,
          primaryLoader,
          bulkLoader,
          shardOf,
          new Lifetime(timeToLive, negativeTimeToLive, jitter),
          l1TimeToLive,
          redis == null ? null : l1StalenessBound,
          refreshAhead,
          staleWhileRevalidate,
          withoutRedis,
          horizons,
          sessionSaw,
          random,
          background,
          isChangedByTables() ? SharedTier.Asking.READ_WITH_AGE : SharedTier.Asking.READ,
          changesBound);
    }

    private Builder<K, V> settingL1(String setting) {
      if (!withL1) {
        throw new IllegalStateException(setting + "(...) contradicts withoutL1()");
      }
      l1IsSet = true;
      return this;
    }

    private static Duration atLeastOneMillisecond(String setting, Duration value) {
      if (value.compareTo(Duration.ofMillis(1)) < 0) {
        throw new IllegalArgumentException(setting + " must be at least 1 ms, not " + value);
      }
      return value;
    }
  }
}
