package dev.waymark.cache;

import dev.waymark.SessionToken;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The way of a read that L1 could not answer: one flight for each key, then Redis, then the
 * database ({@link DatabaseReads}), and back into the tiers that may have it. Many keys at once go
 * by {@link ManyKeys}. Shared between threads.
 */
final class ReadPath<K, V> {
  private final String name;
  private final KeyForm<K> keys;
  private final LocalTier<K, V> local;
  private final RedisTier redis;
  private final @Nullable ValueFormat<V> format;
  private final Loads<K, V> loads;
  private final Keeper<K, V> keeper;
  private final DatabaseReads<K, V> database;
  private final Sessions sessions;
  private final Refresher<K> refresher;
  private final HotKeys<K> hotKeys;
  private final Counters counters;
  private final CacheListener listener;
  private final Settings<K, V> settings;
  private final Time time;

  private final SingleFlight<K, V> flights = new SingleFlight<>();

  /** Names leases as nobody else does: who this is, and a count. Hits need none, and pay little. */
  private final String reader = UUID.randomUUID() + "-";

  private final AtomicLong leases = new AtomicLong();

  ReadPath(
      String name,
      KeyForm<K> keys,
      LocalTier<K, V> local,
      RedisTier redis,
      @Nullable ValueFormat<V> format,
      ValueWriter<V> writer,
      Loads<K, V> loads,
      @Nullable Sweeper sweeper,
      Sessions sessions,
      HotKeys<K> hotKeys,
      Counters counters,
      CacheListener listener,
      Settings<K, V> settings,
      Time time) {
    this.name = name;
    this.keys = keys;
    this.local = local;
    this.redis = redis;
    this.format = format;
    this.loads = loads;
    this.sessions = sessions;
    this.hotKeys = hotKeys;
    this.counters = counters;
    this.listener = listener;
    this.settings = settings;
    this.time = time;
    this.keeper = new Keeper<>(settings, local, hotKeys, time);
    this.refresher = new Refresher<>(name, settings.background(), counters);
    this.database =
        new DatabaseReads<>(
            name,
            settings,
            redis,
            loads,
            new Fills<>(name, settings, redis, writer, keeper, sweeper, counters, listener),
            keeper,
            sessions,
            counters,
            listener);
  }

  CacheKey address(K key) {
    return keys.address(name, key);
  }

  /** What L1 has answered, to be told to the session. */
  CacheAnswer<V> fromL1(LocalTier.Entry<V> entry, SessionToken session) {
    counters.l1Hits.increment();
    sessions.shown(entry.position(), entry.mark(), session);
    return new CacheAnswer<>(entry.value(), CacheAnswer.Tier.L1, entry.position(), null);
  }

  /** What L1 could not answer. */
  CacheAnswer<V> miss(K key, int hash, SessionToken session) {
    local.saw(session);
    long arrivedAt = time.nanos();
    if (!settings.staleWhileRevalidate().isZero()) {
      LocalTier.Entry<V> stale = serveStale(key, hash, session);
      if (stale != null) {
        counters.staleHits.increment();
        return fromL1(stale, session);
      }
    }
    // Twice, because the first load to be shared may have begun too early for this session. Without
    // L1 nothing may be older than now, and whoever is waited for leaves the value in Redis.
    for (int attempt = local.holdsEntries() ? 0 : 1; attempt < 2; attempt++) {
      SingleFlight.Flight<V> flight = enter(key, session);
      if (flight.isLedByThisThread()) {
        return lead(key, hash, session, flight);
      }
      SingleFlight.Landed<V> landed = flight.join();
      if (landed == null) {
        // Who leads it waits for us, and holds the lease as well: no waiting there either.
        return fetch(key, session, alone(hash, session), Patience.none(time));
      }
      if (sessions.mayShare(flight, landed.answer(), session, arrivedAt)) {
        return shared(landed, session);
      }
    }
    return fetch(key, session, alone(hash, session), patience());
  }

  /**
   * An entry that is not the newest, and somebody who sees to it. One that was fetched only lately
   * is left alone for half of its time: a key that changes all the time is then fetched twice in
   * that time, and one that changes now and then at once.
   */
  private LocalTier.@Nullable Entry<V> serveStale(K key, int hash, SessionToken session) {
    long longest = settings.staleWhileRevalidate().toNanos();
    LocalTier.Entry<V> stale = local.lately(key, hash, session, longest);
    if (stale == null) {
      return null;
    }
    return time.nanos() - stale.sinceNanos() < longest / 2
            || refresher.fetch(key, () -> fetchAnew(key, hash))
        ? stale
        : null;
  }

  // ---- one load for each key ------------------------------------------------------------------

  SingleFlight.Flight<V> enter(K key, SessionToken session) {
    return flights.enter(key, local.stamp(keys.hash(key)), local.seen(), session, time.nanos());
  }

  void leave(K key, SingleFlight.Flight<V> flight) {
    flights.leave(key, flight);
  }

  private SingleFlight.Flight<V> alone(int hash, SessionToken session) {
    return SingleFlight.alone(local.stamp(hash), local.seen(), session, time.nanos());
  }

  /** What another thread loads, or else a read of its own. */
  CacheAnswer<V> joinOrRead(
      K key, SingleFlight.Flight<V> flight, SessionToken session, long arrivedAtNanos) {
    SingleFlight.Landed<V> landed = flight.join();
    return landed != null && sessions.mayShare(flight, landed.answer(), session, arrivedAtNanos)
        ? shared(landed, session)
        : miss(key, keys.hash(key), session);
  }

  private CacheAnswer<V> shared(SingleFlight.Landed<V> landed, SessionToken session) {
    switch (landed.answer().tier()) {
      case L1 -> counters.l1Hits.increment();
      case L2 -> counters.l2Hits.increment();
      case DATABASE -> counters.misses.increment();
    }
    sessions.shown(landed.answer().position(), landed.mark(), session);
    return landed.answer();
  }

  private CacheAnswer<V> lead(
      K key, int hash, SessionToken session, SingleFlight.Flight<V> flight) {
    try {
      // The leader before this one may have put it there since this thread looked.
      LocalTier.Entry<V> entry = local.get(key, hash, session);
      if (entry == null) {
        return fetch(key, session, flight, patience());
      }
      CacheAnswer<V> answer = fromL1(entry, session);
      flight.land(answer, entry.mark());
      return answer;
    } catch (RuntimeException | Error failure) {
      flight.crash(failure);
      throw failure;
    } finally {
      flights.leave(key, flight);
    }
  }

  // ---- from Redis, or else from the database --------------------------------------------------

  private String newLeaseToken() {
    return reader + leases.incrementAndGet();
  }

  private CacheAnswer<V> fetch(
      K key, SessionToken session, SingleFlight.Flight<V> flight, Patience patience) {
    CacheKey address = address(key);
    String leaseToken = newLeaseToken();
    SharedTier.Lookup found = redis.read(address, leaseToken, settings.asking());
    while (true) {
      if (found instanceof SharedTier.Lookup.Hit hit) {
        Served<V> served = serve(key, address, hit, session, flight);
        if (served instanceof Served.Answer<V> answer) {
          hasWaited(patience);
          return answer.answer;
        }
        if (served instanceof Served.Unkept<V>) {
          // Nobody shares it: a lease would only make others wait for nothing.
          return database.read(key, address, leaseToken, found, session, flight);
        }
        found = redis.read(address, leaseToken, SharedTier.Asking.REFRESH);
      } else if (isWorthWaiting(found) && patience.waitOnce()) {
        found = redis.read(address, leaseToken, settings.askingAgain());
      } else {
        hasWaited(patience);
        return database.read(key, address, leaseToken, found, session, flight);
      }
    }
  }

  /** While a writer is in doubt the other reader's value is likely to be refused. */
  static boolean isWorthWaiting(SharedTier.Lookup found) {
    return found instanceof SharedTier.Lookup.Awaited awaited
        && awaited.doubt() == SharedTier.Doubt.NONE;
  }

  Patience patience() {
    return Patience.ofLoads(loads.typical(), time);
  }

  void hasWaited(Patience patience) {
    if (!patience.waited().isZero()) {
      listener.waited(name, CacheListener.Wait.LEASE, patience.waited().toNanos());
    }
  }

  /** What a hit in Redis is good for. */
  sealed interface Served<V> {
    record Answer<V>(CacheAnswer<V> answer) implements Served<V> {}

    record Unkept<V>() implements Served<V> {}

    /** It cannot be read, may be too old, or the session has seen more. */
    record Useless<V>() implements Served<V> {}
  }

  Served<V> serve(
      K key,
      CacheKey address,
      SharedTier.Lookup.Hit hit,
      SessionToken session,
      SingleFlight.Flight<V> flight) {
    ValueFormat.Decoded<V> decoded = Objects.requireNonNull(format).decode(hit.value());
    if (decoded instanceof ValueFormat.Decoded.Unkept<V>) {
      return new Served.Unkept<>();
    }
    if (decoded instanceof ValueFormat.Decoded.Unreadable<V>) {
      listener.unreadable(name);
    }
    if (!(decoded instanceof ValueFormat.Decoded.Value<V> stored)
        || !keeper.isYoungEnough(hit)
        || !sessions.mayBeShown(stored.position(), stored.readAt(), session)) {
      return new Served.Useless<>();
    }
    counters.l2Hits.increment();
    if (stored.position() != null) {
      local.told(stored.position());
    }
    keeper.keepHit(key, stored, hit, flight);
    if (hit.remaining().compareTo(settings.refreshAhead()) < 0) {
      refresher.fetch(key, () -> refresh(key, address));
    }
    CacheAnswer<V> answer =
        new CacheAnswer<>(stored.value(), CacheAnswer.Tier.L2, stored.position(), null, hit.age());
    flight.land(answer, null);
    sessions.shown(stored.position(), null, session);
    return new Served.Answer<>(answer);
  }

  // ---- many keys ------------------------------------------------------------------------------

  /** Many keys, each once, in their order: L1, one round trip to Redis, loads for each shard. */
  Map<K, CacheAnswer<V>> getAll(Iterable<? extends K> wanted, SessionToken session) {
    Map<K, @Nullable CacheAnswer<V>> answers = new LinkedHashMap<>();
    List<K> missing = new ArrayList<>();
    for (K key : wanted) {
      if (answers.containsKey(key)) {
        continue;
      }
      hotKeys.read(key);
      LocalTier.Entry<V> entry = local.get(key, keys.hash(key), session);
      if (entry == null) {
        missing.add(key);
        answers.put(key, null);
      } else {
        answers.put(key, fromL1(entry, session));
      }
    }
    if (!missing.isEmpty()) {
      local.saw(session);
      answers.putAll(
          new ManyKeys<>(this, settings, redis, database, session).read(missing, time.nanos()));
    }
    Map<K, CacheAnswer<V>> found = new LinkedHashMap<>();
    answers.forEach((key, answer) -> found.put(key, Objects.requireNonNull(answer)));
    return found;
  }

  // ---- in the background ----------------------------------------------------------------------

  /** Before a value in Redis runs out: nobody waits, and one process does it. */
  private void refresh(K key, CacheKey address) {
    String leaseToken = newLeaseToken();
    SingleFlight.Flight<V> flight = alone(address.hash(), SessionToken.empty());
    SharedTier.Lookup found = redis.read(address, leaseToken, SharedTier.Asking.READ);
    if (found instanceof SharedTier.Lookup.Hit hit
        && hit.remaining().compareTo(settings.refreshAhead()) < 0) {
      found = redis.read(address, leaseToken, SharedTier.Asking.REFRESH);
    }
    // Else somebody has been quicker, or is at it.
    if (found instanceof SharedTier.Lookup.Leased) {
      database.read(key, address, leaseToken, found, SessionToken.empty(), flight);
    }
  }

  /** After a value has changed: as a reader without a session would. */
  private void fetchAnew(K key, int hash) {
    SingleFlight.Flight<V> flight = enter(key, SessionToken.empty());
    if (flight.isLedByThisThread()) {
      lead(key, hash, SessionToken.empty(), flight);
    }
  }
}
