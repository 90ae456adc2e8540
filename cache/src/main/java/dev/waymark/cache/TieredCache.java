package dev.waymark.cache;

import dev.waymark.KeyRendering;
import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.PositionedRead;
import dev.waymark.SessionToken;
import dev.waymark.Transaction;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.WeakHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A read-through cache in two tiers: this process' memory (L1), then Redis (L2), then the loader.
 * Safe to share between threads.
 *
 * <p>Whoever changes a row says so within the transaction, with {@link #invalidate(Transaction,
 * Object)} or {@link #put(Transaction, Object, Object)}: the value leaves both tiers of every
 * process when the transaction commits, and no load that began before puts the old one back. What
 * is guaranteed, and what not yet, stands in {@code docs/cache.md}.
 *
 * <p>Values are shared between callers: they must not be changed. Redis being down is not an error;
 * what the loader throws is.
 *
 * @param <K> the type of the keys; without further ado String, Long, Integer, Short, UUID or an
 *     enum, else see {@link Builder#keyText}
 * @param <V> the type of the values
 */
public final class TieredCache<K, V> {
  private static final Logger log = LoggerFactory.getLogger(TieredCache.class);

  /** How long a reader waits for another process' load before it loads itself. */
  static final Duration LONGEST_WAIT = Duration.ofMillis(200);

  private static final Duration FIRST_WAIT = Duration.ofMillis(5);
  private static final Duration LONGEST_BETWEEN_LOOKS = Duration.ofMillis(40);

  private final String name;
  private final Loader<K, V> loader;
  private final KeyForm<K> keys;
  private final KeyRendering rendering;
  private final LocalTier<K, V> local;
  private final RedisTier redis;
  private final @Nullable ValueFormat<V> format;
  private final Supplier<SessionToken> sessionToken;
  private final Duration timeToLive;
  private final Duration l1TimeToLive;
  private final Duration negativeTimeToLive;
  private final boolean writeThrough;
  private final Time time;

  private final SingleFlight<K, V> flights = new SingleFlight<>();

  /** Weak: a transaction that ends without a word to its hooks takes its writes with it. */
  private final Map<Transaction, PendingWrites<K, V>> pending =
      Collections.synchronizedMap(new WeakHashMap<>());

  private final AtomicBoolean toldOfUnencodable = new AtomicBoolean();
  private final LongAdder l1Hits = new LongAdder();
  private final LongAdder l2Hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final LongAdder loads = new LongAdder();
  private final LongAdder loadFailures = new LongAdder();
  private final LongAdder unshared = new LongAdder();
  private final LongAdder degraded = new LongAdder();

  private TieredCache(Builder<K, V> builder) {
    this.name = builder.name;
    this.loader = builder.loader;
    this.keys =
        builder.keyText == null ? new KeyForm.Known<>() : new KeyForm.Written<>(builder.keyText);
    this.rendering = builder.keyRendering;
    this.local =
        builder.withL1 ? LocalTier.holding(builder.maximumSize, builder.time) : LocalTier.none();
    this.redis = builder.redis == null ? RedisTier.none() : builder.redis;
    this.format = builder.codec == null ? null : new ValueFormat<>(builder.codec);
    this.sessionToken = builder.sessionToken;
    this.timeToLive = builder.timeToLive;
    this.l1TimeToLive = builder.l1TimeToLive;
    this.negativeTimeToLive = builder.negativeTimeToLive;
    this.writeThrough = builder.writeThrough;
    this.time = builder.time;
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
    LocalTier.Entry<V> entry = local.get(key, hash);
    if (entry != null && shows(entry.position(), session)) {
      l1Hits.increment();
      return entry.value();
    }
    return miss(key, hash, session).value();
  }

  /** As {@link #get}, with who answered. */
  public CacheAnswer<V> lookup(K key) {
    int hash = keys.hash(key);
    SessionToken session = sessionToken.get();
    LocalTier.Entry<V> entry = local.get(key, hash);
    if (entry != null && shows(entry.position(), session)) {
      l1Hits.increment();
      return new CacheAnswer<>(entry.value(), CacheAnswer.Tier.L1, entry.position(), null);
    }
    return miss(key, hash, session);
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
   * #invalidate(Transaction, Object)}.
   *
   * @param newValue what a load after the commit would return; null if there will be no value
   */
  public void put(Transaction transaction, K key, @Nullable V newValue) {
    pendingOf(transaction).add(key, changeTo(newValue));
  }

  /**
   * Drops a key from both tiers now and tells other processes: for a change made elsewhere and
   * already committed. A replica that has not replayed the change yet may bring the old value back,
   * until its time to live ends.
   */
  public void invalidate(K key) {
    CacheKey address = address(key);
    local.invalidate(key, address.hash());
    redis.settle(List.of(new SharedTier.Settlement(address, null, null, null)));
    // Again: L2 may have been read, and kept in L1, between the two lines above.
    local.invalidate(key, address.hash());
  }

  /** Empties this process' memory; Redis and other processes are not touched. */
  public void flushL1() {
    local.everythingInvalidated();
  }

  /** What the cache has done since it was built. The numbers are not of one instant. */
  public CacheStatistics statistics() {
    return new CacheStatistics(
        l1Hits.sum(),
        l2Hits.sum(),
        misses.sum(),
        loads.sum(),
        loadFailures.sum(),
        unshared.sum(),
        degraded.sum());
  }

  @Override
  public String toString() {
    return "TieredCache[" + name + "]";
  }

  /**
   * Whether a value shows all that a session has seen. Where nothing is known of the value's age,
   * only a session that has seen nothing is content with it.
   */
  private static boolean shows(@Nullable LogPosition position, SessionToken session) {
    return session.isEmpty() || (position != null && session.isCoveredBy(position));
  }

  private CacheAnswer<V> miss(K key, int hash, SessionToken session) {
    // Twice, because the first load to be shared may have begun too early for this session.
    for (int attempt = 0; attempt < 2; attempt++) {
      SingleFlight.Flight<V> flight = flights.enter(key, local.stamp(hash));
      if (flight.isLedByThisThread()) {
        return lead(key, hash, session, flight);
      }
      CacheAnswer<V> shared = flight.join();
      if (shows(shared.position(), session)) {
        switch (shared.tier()) {
          case L1 -> l1Hits.increment();
          case L2 -> l2Hits.increment();
          case DATABASE -> misses.increment();
        }
        return shared;
      }
    }
    misses.increment();
    return answer(load(key));
  }

  private CacheAnswer<V> lead(
      K key, int hash, SessionToken session, SingleFlight.Flight<V> flight) {
    try {
      // The leader before this one may have put it there since this thread looked.
      LocalTier.Entry<V> entry = local.get(key, hash);
      CacheAnswer<V> answer;
      if (entry != null && shows(entry.position(), session)) {
        l1Hits.increment();
        answer = new CacheAnswer<>(entry.value(), CacheAnswer.Tier.L1, entry.position(), null);
      } else {
        answer = fetch(key, hash, session, flight);
      }
      flight.land(answer);
      return answer;
    } catch (RuntimeException | Error failure) {
      flight.crash(failure);
      throw failure;
    } finally {
      flights.leave(key, flight);
    }
  }

  /** From Redis, or else from the database. */
  private CacheAnswer<V> fetch(
      K key, int hash, SessionToken session, SingleFlight.Flight<V> flight) {
    CacheKey address = new CacheKey(name, keys.text(key), hash);
    String leaseToken = UUID.randomUUID().toString();
    Duration waited = Duration.ZERO;
    Duration wait = FIRST_WAIT;
    SharedTier.Lookup found = redis.read(address, leaseToken, SharedTier.Asking.READ);
    while (true) {
      if (found instanceof SharedTier.Lookup.Hit hit) {
        ValueFormat.Stored<V> stored = Objects.requireNonNull(format).decode(hit.value());
        if (stored != null && shows(stored.position(), session)) {
          l2Hits.increment();
          keepLocally(key, stored.value(), stored.position(), flight, hit.remaining());
          return new CacheAnswer<>(stored.value(), CacheAnswer.Tier.L2, stored.position(), null);
        }
        found = redis.read(address, leaseToken, SharedTier.Asking.REFRESH);
      } else if (found instanceof SharedTier.Lookup.Awaited
          && waited.compareTo(LONGEST_WAIT) < 0
          && pause(wait)) {
        waited = waited.plus(wait);
        wait = shorter(wait.multipliedBy(2), LONGEST_BETWEEN_LOOKS);
        found = redis.read(address, leaseToken, SharedTier.Asking.READ);
      } else {
        return loadAndKeep(key, address, leaseToken, found, flight);
      }
    }
  }

  /** From the database, and into the tiers that may have it. */
  private CacheAnswer<V> loadAndKeep(
      K key,
      CacheKey address,
      String leaseToken,
      SharedTier.Lookup found,
      SingleFlight.Flight<V> flight) {
    boolean leased = found instanceof SharedTier.Lookup.Leased;
    misses.increment();
    PositionedRead<@Nullable V> loaded;
    try {
      loaded = load(key);
    } catch (RuntimeException | Error failure) {
      if (leased) {
        redis.release(address, leaseToken);
      }
      throw failure;
    }
    CacheAnswer<V> answer = answer(loaded);
    // Those who wait get it now, not after Redis has been told.
    flight.land(answer);

    Duration life = lifeOf(loaded.value());
    boolean unavailable = found instanceof SharedTier.Lookup.Unavailable;
    if (unavailable) {
      degraded.increment();
    }
    if (life.isZero()) {
      if (leased) {
        redis.release(address, leaseToken);
      }
    } else if (leased
        ? fill(address, leaseToken, loaded, life)
        : unavailable || found instanceof SharedTier.Lookup.Alone) {
      keepLocally(key, loaded.value(), loaded.position(), flight, life);
    } else {
      // Refused; or a write is in doubt, or another process' load under way: nobody vouches for it.
      unshared.increment();
    }
    return answer;
  }

  private boolean fill(
      CacheKey address, String leaseToken, PositionedRead<@Nullable V> loaded, Duration life) {
    byte[] bytes = encode(loaded.value(), loaded.position());
    if (bytes == null) {
      redis.release(address, leaseToken);
      return false;
    }
    return redis.fill(address, leaseToken, bytes, life, loaded.route().role(), loaded.position());
  }

  private PositionedRead<@Nullable V> load(K key) {
    loads.increment();
    try {
      PositionedRead<@Nullable V> loaded = loader.load(key);
      Objects.requireNonNull(
          loaded, "A loader returns a PositionedRead, with null inside for no value");
      return loaded;
    } catch (RuntimeException | Error failure) {
      loadFailures.increment();
      throw failure;
    } catch (Exception failure) {
      loadFailures.increment();
      if (failure instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      throw new WaymarkException(
          "Cache "
              + name
              + " could not load key "
              + keys.render(key, rendering)
              + ": "
              + failure
              + ". Nothing was cached; see the cause, then the call may be repeated.",
          Outcome.REJECTED,
          failure);
    }
  }

  private void keepLocally(
      K key,
      @Nullable V value,
      @Nullable LogPosition position,
      SingleFlight.Flight<V> flight,
      Duration atMost) {
    local.put(
        key, new LocalTier.Entry<>(value, position, flight.stamp(), l1LifeOf(atMost).toNanos()));
  }

  /** How long a value may be kept anywhere; zero for not at all. */
  private Duration lifeOf(@Nullable V value) {
    return value == null ? negativeTimeToLive : timeToLive;
  }

  /** Null if the value cannot be encoded. */
  private byte @Nullable [] encode(@Nullable V value, @Nullable LogPosition position) {
    try {
      return Objects.requireNonNull(format).encode(value, position);
    } catch (RuntimeException unencodable) {
      if (toldOfUnencodable.compareAndSet(false, true)) {
        log.warn(
            "Cache {} cannot encode a value for Redis; such values are loaded each time. Give its"
                + " codec a type that it can write",
            name,
            unencodable);
      }
      return null;
    }
  }

  private boolean pause(Duration duration) {
    try {
      time.pause(duration);
      return true;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static <V> CacheAnswer<V> answer(PositionedRead<@Nullable V> loaded) {
    return new CacheAnswer<>(
        loaded.value(), CacheAnswer.Tier.DATABASE, loaded.position(), loaded.route());
  }

  private CacheKey address(K key) {
    return new CacheKey(name, keys.text(key), keys.hash(key));
  }

  private PendingWrites<K, V> pendingOf(Transaction transaction) {
    PendingWrites<K, V> writes = pending.get(transaction);
    if (writes == null) {
      // A transaction belongs to one thread: nobody else adds the same one in between.
      writes = new PendingWrites<>(name, keys, local, redis, this::encode);
      transaction.join(writes);
      pending.put(transaction, writes);
    }
    return writes;
  }

  private PendingWrites.Change<V> changeTo(@Nullable V newValue) {
    Duration life = lifeOf(newValue);
    return writeThrough && !life.isZero()
        ? new PendingWrites.Change.Replaced<>(newValue, life, l1LifeOf(life))
        : new PendingWrites.Change.Dropped<>();
  }

  private Duration l1LifeOf(Duration life) {
    return shorter(life, l1TimeToLive);
  }

  private static Duration shorter(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? one : other;
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
    private long maximumSize = 10_000;
    private boolean withL1 = true;
    private boolean l1IsSet;
    private boolean writeThrough;
    private Time time = Time.system();

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

    /** How long a value lives in Redis, at least 1 ms; by default 5 minutes. */
    public Builder<K, V> timeToLive(Duration timeToLive) {
      this.timeToLive = atLeastOneMillisecond("timeToLive", timeToLive);
      return this;
    }

    /**
     * How long a value lives in this process' memory, at least 1 ms and never longer than {@link
     * #timeToLive}; by default 10 seconds. The longest that a lost message, or Redis being down,
     * can leave this process behind a change made in another one.
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

    /** How many values this process' memory holds, at least 1; by default 10,000. */
    public Builder<K, V> maximumSize(long maximumSize) {
      if (maximumSize < 1) {
        throw new IllegalArgumentException("maximumSize must be at least 1, not " + maximumSize);
      }
      this.maximumSize = maximumSize;
      return settingL1("maximumSize");
    }

    /** Keeps nothing in this process' memory: each read asks Redis. */
    public Builder<K, V> withoutL1() {
      if (l1IsSet) {
        throw new IllegalStateException(
            "withoutL1() contradicts l1TimeToLive(...) and maximumSize(...)");
      }
      this.withL1 = false;
      return this;
    }

    /**
     * Makes {@link TieredCache#put} store the new value after the commit. Without, it only drops
     * the old one.
     */
    public Builder<K, V> writeThrough() {
      this.writeThrough = true;
      return this;
    }

    /** For tests. */
    Builder<K, V> time(Time time) {
      this.time = time;
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
      if (redis == null && !withL1) {
        throw new IllegalStateException("withoutL1() needs redis(...): nothing would be cached");
      }
      if (redis == null && writeThrough) {
        // In one process alone nothing tells whether another one has written since.
        throw new IllegalStateException("writeThrough() needs redis(...)");
      }
      TieredCache<K, V> cache = new TieredCache<>(this);
      if (redis != null) {
        redis.register(name, cache.local);
      }
      return cache;
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
