package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.Horizons;
import dev.waymark.KeyRendering;
import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.PositionedRead;
import dev.waymark.ReadMark;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.RowImage;
import dev.waymark.SessionToken;
import dev.waymark.Transaction;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
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

  /** For values that nobody vouches for; null where there is no Redis to do so. */
  private final @Nullable Duration l1StalenessBound;

  private final boolean writeThrough;
  private final PendingWrites.WithoutRedis withoutRedis;
  private final @Nullable Loader<K, V> primaryLoader;
  private final @Nullable Horizons horizons;
  private final @Nullable Sweeper sweeper;
  private final @Nullable Consumer<SessionToken> sessionSaw;

  /** Asks for the age where there is a change stream to know it. */
  private final SharedTier.Asking asking;

  private final @Nullable Duration changesBound;
  private final Time time;

  /** Losses of Redis' state that this process is mending, so that not every reader does. */
  private final Set<Loss> beingMended = ConcurrentHashMap.newKeySet();

  private final SingleFlight<K, V> flights = new SingleFlight<>();

  /** Weak: a transaction that ends without a word to its hooks takes its writes with it. */
  private final Map<Transaction, PendingWrites<K, V>> pending =
      Collections.synchronizedMap(new WeakHashMap<>());

  /** One loss of a bucket's state, as it concerns one shard. */
  private record Loss(String epoch, String shard) {}

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
        builder.withL1
            ? LocalTier.holding(builder.maximumSize, builder.l1StalenessBound, builder.time)
            : LocalTier.none(builder.time);
    this.redis = builder.redis == null ? RedisTier.none() : builder.redis;
    this.format = builder.codec == null ? null : new ValueFormat<>(builder.codec);
    this.sessionToken = builder.sessionToken;
    this.timeToLive = builder.timeToLive;
    this.l1TimeToLive = builder.l1TimeToLive;
    this.negativeTimeToLive = builder.negativeTimeToLive;
    this.writeThrough = builder.writeThrough;
    this.withoutRedis = builder.withoutRedis;
    this.primaryLoader = builder.primaryLoader;
    this.horizons = builder.horizons;
    this.sweeper = horizons == null ? null : new Sweeper(name, redis, horizons);
    this.sessionSaw = builder.sessionSaw;
    this.asking =
        builder.changedBy.isEmpty() ? SharedTier.Asking.READ : SharedTier.Asking.READ_WITH_AGE;
    this.changesBound = builder.changesBound;
    this.l1StalenessBound = builder.redis == null ? null : builder.l1StalenessBound;
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
    LocalTier.Entry<V> entry = local.get(key, hash, session);
    if (entry != null) {
      l1Hits.increment();
      shown(entry.position(), entry.mark(), session);
      return entry.value();
    }
    return miss(key, hash, session).value();
  }

  /** As {@link #get}, with who answered. */
  public CacheAnswer<V> lookup(K key) {
    int hash = keys.hash(key);
    SessionToken session = sessionToken.get();
    LocalTier.Entry<V> entry = local.get(key, hash, session);
    if (entry != null) {
      l1Hits.increment();
      shown(entry.position(), entry.mark(), session);
      return fromL1(entry);
    }
    return miss(key, hash, session);
  }

  private static <V> CacheAnswer<V> fromL1(LocalTier.Entry<V> entry) {
    return new CacheAnswer<>(entry.value(), CacheAnswer.Tier.L1, entry.position(), null);
  }

  /**
   * The session has now seen a value: what it reads elsewhere must not be older.
   *
   * @param position of a value that Redis vouches for: whatever it shows of its row was committed
   *     by then. Of any other it is only known to be as new
   * @param mark the server that any other value came from
   */
  private void shown(
      @Nullable LogPosition position, @Nullable ReadMark mark, SessionToken session) {
    if (sessionSaw == null) {
      return;
    }
    if (mark != null) {
      // Each time: the session may have been there before, and earlier.
      sessionSaw.accept(SessionToken.empty().readFrom(mark));
    } else if (position != null && !session.reaches(position)) {
      sessionSaw.accept(SessionToken.empty().readUpTo(position));
    }
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
    redis.announceNowOrLater(List.of(address), new SharedTier.Change.Elsewhere());
    // Again: L2 may have been read, and kept in L1, between the two lines above.
    local.invalidate(key, address.hash());
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
   * Whether a value from Redis shows all that a session has written. Where every change was
   * announced, Redis holds no other; this is for those that could not be. Where nothing is known of
   * the value's age, only a session that has seen nothing is content with it.
   */
  private boolean shows(@Nullable LogPosition position, SessionToken session) {
    return session.isEmpty()
        || withoutRedis == PendingWrites.WithoutRedis.REFUSE
        || (position != null && session.isCoveredBy(position));
  }

  private CacheAnswer<V> miss(K key, int hash, SessionToken session) {
    local.saw(session);
    // Twice, because the first load to be shared may have begun too early for this session. Without
    // L1 nothing may be older than now, and whoever is waited for leaves the value in Redis.
    for (int attempt = local.holdsEntries() ? 0 : 1; attempt < 2; attempt++) {
      SingleFlight.Flight<V> flight =
          flights.enter(key, local.stamp(hash), local.seen(), time.nanos());
      if (flight.isLedByThisThread()) {
        return lead(key, hash, session, flight);
      }
      SingleFlight.Landed<V> landed = flight.join();
      CacheAnswer<V> shared = landed.answer();
      if (mayShare(flight, shared, session)) {
        switch (shared.tier()) {
          case L1 -> l1Hits.increment();
          case L2 -> l2Hits.increment();
          case DATABASE -> misses.increment();
        }
        shown(shared.position(), landed.mark(), session);
        return shared;
      }
    }
    SingleFlight.Flight<V> alone =
        SingleFlight.alone(local.stamp(hash), local.seen(), time.nanos());
    return fetch(key, hash, session, alone);
  }

  /**
   * Whether the answer of a load that was under way when a caller came will do. It may have begun
   * before a change that was committed by then: for callers without a session as long as L1 may lag
   * behind, for the others only if it shows all that they have seen.
   */
  private boolean mayShare(
      SingleFlight.Flight<V> flight, CacheAnswer<V> shared, SessionToken session) {
    if (!local.holdsEntries()) {
      return false;
    }
    if (session.isEmpty()) {
      return true;
    }
    Route route = shared.route();
    return switch (shared.tier()) {
      // Looked at for the leader's session alone.
      case L1 -> false;
      case L2 -> flight.seen().reaches(session) && shows(shared.position(), session);
      case DATABASE ->
          route != null && route.role() == Role.PRIMARY
              ? flight.seen().reaches(session)
              : shownBy(shared.position()).reaches(session);
    };
  }

  private static SessionToken shownBy(@Nullable LogPosition position) {
    return position == null ? SessionToken.empty() : SessionToken.of(position);
  }

  private CacheAnswer<V> lead(
      K key, int hash, SessionToken session, SingleFlight.Flight<V> flight) {
    try {
      // The leader before this one may have put it there since this thread looked.
      LocalTier.Entry<V> entry = local.get(key, hash, session);
      CacheAnswer<V> answer;
      if (entry != null) {
        l1Hits.increment();
        answer = fromL1(entry);
        shown(entry.position(), entry.mark(), session);
        flight.land(answer, entry.mark());
      } else {
        answer = fetch(key, hash, session, flight);
      }
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
    SharedTier.Lookup found = redis.read(address, leaseToken, asking);
    while (true) {
      if (found instanceof SharedTier.Lookup.Hit hit) {
        ValueFormat.Stored<V> stored = Objects.requireNonNull(format).decode(hit.value());
        if (stored != null && isYoungEnough(hit) && shows(stored.position(), session)) {
          l2Hits.increment();
          keepLocally(
              key, stored.value(), stored.position(), flight, shorter(hit.remaining(), left(hit)));
          CacheAnswer<V> answer =
              new CacheAnswer<>(
                  stored.value(), CacheAnswer.Tier.L2, stored.position(), null, hit.age());
          flight.land(answer, null);
          shown(stored.position(), null, session);
          return answer;
        }
        found = redis.read(address, leaseToken, SharedTier.Asking.REFRESH);
      } else if (found instanceof SharedTier.Lookup.Awaited awaited
          // While a writer is in doubt the other reader's value is likely to be refused.
          && awaited.doubt() == SharedTier.Doubt.NONE
          && waited.compareTo(LONGEST_WAIT) < 0
          && pause(wait)) {
        waited = waited.plus(wait);
        wait = shorter(wait.multipliedBy(2), LONGEST_BETWEEN_LOOKS);
        found = redis.read(address, leaseToken, asking);
      } else {
        return loadAndKeep(key, address, leaseToken, found, flight);
      }
    }
  }

  private boolean isYoungEnough(SharedTier.Lookup.Hit hit) {
    return changesBound == null || (hit.age() != null && hit.age().compareTo(changesBound) <= 0);
  }

  /** How much longer a value that was loaded will be young enough. */
  private Duration left(Role from, SingleFlight.Flight<V> flight) {
    if (changesBound == null) {
      return timeToLive;
    }
    // What a replica lacks, and nobody has announced, is known when Redis is asked for the value.
    return from == Role.PRIMARY
        ? changesBound.minusNanos(time.nanos() - flight.beganAtNanos())
        : Duration.ZERO;
  }

  /** How much longer a hit will be young enough. */
  private Duration left(SharedTier.Lookup.Hit hit) {
    return changesBound == null || hit.age() == null
        ? hit.remaining()
        : changesBound.minus(hit.age());
  }

  /** From the database, and into the tiers that may have it. */
  private CacheAnswer<V> loadAndKeep(
      K key,
      CacheKey address,
      String leaseToken,
      SharedTier.Lookup found,
      SingleFlight.Flight<V> flight) {
    misses.increment();
    Loader<K, V> onPrimary = primaryLoader;
    if (!(found instanceof SharedTier.Lookup.Leased leased)) {
      boolean unproven = found instanceof SharedTier.Lookup.Awaited && onPrimary != null;
      PositionedRead<@Nullable V> loaded =
          load(unproven ? Objects.requireNonNull(onPrimary) : loader, key);
      if (found instanceof SharedTier.Lookup.Unavailable) {
        degraded.increment();
        keepUnvouched(key, loaded, flight);
      } else if (found instanceof SharedTier.Lookup.Alone) {
        keepUnvouched(key, loaded, flight);
      } else {
        // Another process' load is under way: its value is the one that Redis vouches for.
        unshared.increment();
      }
      flight.land(answer(loaded), loaded.mark());
      return answer(loaded);
    }

    redis.steps().at(Steps.Step.LEASED, name, address.hash());
    boolean toPrimary = onPrimary != null && leased.doubt() == SharedTier.Doubt.IN_DOUBT;
    PositionedRead<@Nullable V> loaded;
    try {
      loaded = load(toPrimary ? Objects.requireNonNull(onPrimary) : loader, key);
    } catch (RuntimeException | Error failure) {
      redis.release(address, leaseToken);
      throw failure;
    }
    redis.steps().at(Steps.Step.LOADED, name, address.hash());
    boolean mayBeOld = onPrimary != null && loaded.route().role() == Role.REPLICA;
    if (!mayBeOld) {
      // Those who wait get it now, not after Redis has been told.
      flight.land(answer(loaded), loaded.mark());
    }
    Offer<K, V> offer = new Offer<>(key, address, leaseToken, loaded, flight);
    if (!mayBeOld) {
      fillLater(offer);
    } else if (!(fill(offer) instanceof SharedTier.Fill.Stored)) {
      // The replica may lack a change that somebody has already seen.
      loaded = load(Objects.requireNonNull(onPrimary), key);
      fillLater(new Offer<>(key, address, leaseToken, loaded, flight));
    }
    flight.land(answer(loaded), loaded.mark());
    return answer(loaded);
  }

  /** What the holder of a lease has loaded. */
  private record Offer<K, V>(
      K key,
      CacheKey address,
      String leaseToken,
      PositionedRead<@Nullable V> loaded,
      SingleFlight.Flight<V> flight) {

    ReadLabel label(PendingWrites.WithoutRedis mode) {
      return mode == PendingWrites.WithoutRedis.NEVER_ANNOUNCE
          ? new ReadLabel.Unfenced(loaded.route().shard())
          : ReadLabel.of(loaded);
    }
  }

  /** Offers a value to Redis; nobody waits for the verdict. */
  private void fillLater(Offer<K, V> offer) {
    Duration life = lifeOf(offer.loaded.value());
    byte[] bytes = bytesOf(offer, life);
    if (bytes == null) {
      redis.release(offer.address, offer.leaseToken);
      return;
    }
    ReadLabel label = offer.label(withoutRedis);
    redis.fillLater(
        offer.address,
        offer.leaseToken,
        bytes,
        life,
        label,
        fill -> {
          if (fill instanceof SharedTier.Fill.Unrecovered lost) {
            redis
                .upkeep()
                .after(Duration.ZERO, () -> judged(offer, mendAndFill(offer, bytes, life, lost)));
          } else {
            judged(offer, fill);
          }
        });
  }

  /** Offers a value to Redis and waits for the verdict; the lease stands if it is refused. */
  private SharedTier.Fill fill(Offer<K, V> offer) {
    Duration life = lifeOf(offer.loaded.value());
    byte[] bytes = bytesOf(offer, life);
    if (bytes == null) {
      return new SharedTier.Fill.Refused(SharedTier.Refusal.LEASE_LOST);
    }
    SharedTier.Fill fill =
        redis.fill(offer.address, offer.leaseToken, bytes, life, offer.label(withoutRedis));
    if (fill instanceof SharedTier.Fill.Unrecovered lost) {
      fill = mendAndFill(offer, bytes, life, lost);
    }
    if (fill instanceof SharedTier.Fill.Stored) {
      judged(offer, fill);
    }
    return fill;
  }

  private byte @Nullable [] bytesOf(Offer<K, V> offer, Duration life) {
    return life.isZero() ? null : encode(offer.loaded.value(), offer.loaded.position());
  }

  /**
   * Accepted if nobody else got a transaction id in the meantime: an idle database's first reader
   * fills.
   */
  private SharedTier.Fill mendAndFill(
      Offer<K, V> offer, byte[] bytes, Duration life, SharedTier.Fill.Unrecovered lost) {
    return mend(offer.address, lost.epoch(), offer.loaded.route().shard())
        ? redis.fill(offer.address, offer.leaseToken, bytes, life, offer.label(withoutRedis))
        : lost;
  }

  /** The last word on an offer: what Redis has taken is kept here as well. */
  private void judged(Offer<K, V> offer, SharedTier.Fill fill) {
    PositionedRead<@Nullable V> loaded = offer.loaded;
    if (fill instanceof SharedTier.Fill.Stored) {
      keepLocally(
          offer.key,
          loaded.value(),
          loaded.position(),
          offer.flight,
          shorter(lifeOf(loaded.value()), left(loaded.route().role(), offer.flight)));
      return;
    }
    unshared.increment();
    boolean fromReplica = offer.label(withoutRedis) instanceof ReadLabel.Replica;
    if (fromReplica || fill instanceof SharedTier.Fill.Unrecovered) {
      // Refused otherwise, it is used up. Not on this thread, which may be Redis' client's own.
      redis.upkeep().after(Duration.ZERO, () -> redis.release(offer.address, offer.leaseToken));
    }
    if (fromReplica
        && sweeper != null
        && fill instanceof SharedTier.Fill.Refused refused
        && (refused.why() == SharedTier.Refusal.IN_DOUBT
            || refused.why() == SharedTier.Refusal.NOT_NEW_ENOUGH)) {
      sweeper.mayBeDue(loaded.route().shard(), offer.address);
    }
  }

  /** Tells a bucket that has lost its state where the writers of a shard begin again. */
  private boolean mend(CacheKey address, String epoch, String shard) {
    Loss loss = new Loss(epoch, shard);
    if (horizons == null || !beingMended.add(loss)) {
      return false;
    }
    try {
      redis.steps().at(Steps.Step.UNRECOVERED, name, address.hash());
      Horizon horizon = horizons.draw(shard);
      redis.steps().at(Steps.Step.HORIZON_DRAWN, name, address.hash());
      return redis.recover(name, address.bucket(), epoch, shard, horizon);
    } catch (Exception failure) {
      if (failure instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      // Nothing is kept until a later reader has more luck.
      log.debug("Cache {} could not draw a horizon on {}", name, shard, failure);
      return false;
    } finally {
      beingMended.remove(loss);
    }
  }

  private PositionedRead<@Nullable V> load(Loader<K, V> from, K key) {
    loads.increment();
    try {
      PositionedRead<@Nullable V> loaded = from.load(key);
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
    boolean fenced = withoutRedis != PendingWrites.WithoutRedis.NEVER_ANNOUNCE;
    local.put(
        key,
        new LocalTier.Entry<>(
            value,
            position,
            flight.stamp(),
            time.nanos() + shorter(atMost, l1TimeToLive).toNanos(),
            null,
            fenced ? null : shownBy(position)));
  }

  /** A value that no Redis vouches for: it may be as old as L1 may be, counted from its load. */
  private void keepUnvouched(
      K key, PositionedRead<@Nullable V> loaded, SingleFlight.Flight<V> flight) {
    Duration life = shorter(lifeOf(loaded.value()), l1TimeToLive);
    if (changesBound != null) {
      life = shorter(life, changesBound);
    }
    if (l1StalenessBound != null) {
      life = shorter(life, l1StalenessBound);
    }
    local.put(
        key,
        new LocalTier.Entry<>(
            loaded.value(),
            loaded.position(),
            flight.stamp(),
            flight.beganAtNanos() + life.toNanos(),
            loaded.mark(),
            loaded.route().role() == Role.PRIMARY ? flight.seen() : shownBy(loaded.position())));
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
      writes = new PendingWrites<>(name, keys, local, redis, this::encode, withoutRedis);
      transaction.join(writes);
      pending.put(transaction, writes);
    }
    return writes;
  }

  private PendingWrites.Change<V> changeTo(@Nullable V newValue) {
    Duration life = lifeOf(newValue);
    return writeThrough && !life.isZero()
        ? new PendingWrites.Change.Replaced<>(newValue, life)
        : new PendingWrites.Change.Dropped<>();
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
    private Duration l1StalenessBound = Duration.ofSeconds(1);
    private PendingWrites.WithoutRedis withoutRedis = PendingWrites.WithoutRedis.COMMIT_AND_OWE;
    private @Nullable Loader<K, V> primaryLoader;
    private @Nullable Horizons horizons;
    private @Nullable Consumer<SessionToken> sessionSaw;
    private final Map<String, Function<RowImage, ? extends Collection<? extends K>>> changedBy =
        new LinkedHashMap<>();
    private @Nullable Duration changesBound;
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
     * Rolls a transaction back whose changes cannot be announced because Redis cannot be reached.
     * Without: it commits, and Redis is told as soon as it is back; until then other processes may
     * be served the old value.
     */
    public Builder<K, V> refuseWritesWithoutRedis() {
      if (withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
        throw new IllegalStateException("refuseWritesWithoutRedis() contradicts unfenced()");
      }
      this.withoutRedis = PendingWrites.WithoutRedis.REFUSE;
      return this;
    }

    /**
     * Bounds the age of values by {@link #timeToLive} and by nothing else: no announcement before
     * COMMIT, no proof when a value is kept. An invalidation drops the value after the commit, but
     * a slow reader or a replica that lags may put the old one back, for as long as it lives.
     */
    public Builder<K, V> unfenced() {
      if (withoutRedis == PendingWrites.WithoutRedis.REFUSE) {
        throw new IllegalStateException("unfenced() contradicts refuseWritesWithoutRedis()");
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
     * How old a hit may be at most against changes that nobody announced, of tables that it is
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
      if (redis != null
          && horizons == null
          && withoutRedis != PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
        throw new IllegalStateException(
            "redis(...) needs horizons(...), such as database::horizon, or unfenced()");
      }
      if (redis == null && !changedBy.isEmpty()) {
        throw new IllegalStateException("changedBy(...) needs redis(...)");
      }
      if (changesBound != null && changedBy.isEmpty()) {
        throw new IllegalStateException("changesBound(...) needs changedBy(...)");
      }
      TieredCache<K, V> cache = new TieredCache<>(this);
      if (redis != null) {
        redis.register(name, cache.local);
      }
      if (redis != null && !changedBy.isEmpty()) {
        redis.follow(
            name,
            new ChangeMapping<>(
                name,
                cache.keys,
                withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE
                    ? ChangeMapping.Proof.UNFENCED
                    : ChangeMapping.Proof.FENCED,
                cache.sweeper,
                changedBy));
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
