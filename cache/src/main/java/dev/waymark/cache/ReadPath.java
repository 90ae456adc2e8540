package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.Horizons;
import dev.waymark.LogPosition;
import dev.waymark.PositionedRead;
import dev.waymark.ReadMark;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.SessionToken;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of a read that L1 could not answer: one flight for each key, then Redis, then the
 * database, and back into the tiers that may have it. Shared between threads.
 */
final class ReadPath<K, V> {
  private static final Logger log = LoggerFactory.getLogger(TieredCache.class);

  /** How long a reader waits at least for another process' load before it loads itself. */
  static final Duration SHORTEST_PATIENCE = Duration.ofMillis(200);

  /** For how long nobody tries again whether a value has become small enough, unless it changes. */
  private static final Duration LONGEST_TOO_LARGE = Duration.ofMinutes(1);

  private static final Duration SHORTEST_WAIT = Duration.ofMillis(2);

  private final String name;
  private final KeyForm<K> keys;
  private final LocalTier<K, V> local;
  private final RedisTier redis;
  private final @Nullable ValueFormat<V> format;
  private final ValueWriter<V> writer;
  private final Loads<K, V> loads;
  private final HotKeys<K> hotKeys;
  private final Counters counters;
  private final CacheListener listener;
  private final Settings<K, V> settings;
  private final @Nullable Sweeper sweeper;
  private final Time time;

  /** Losses of Redis' state that this process is mending, so that not every reader does. */
  private final Set<Loss> beingMended = ConcurrentHashMap.newKeySet();

  private final SingleFlight<K, V> flights = new SingleFlight<>();

  /** Keys that are fetched anew although there is a value. */
  private final Set<K> beingRefreshed = ConcurrentHashMap.newKeySet();

  /** One loss of a bucket's state, as it concerns one shard. */
  private record Loss(String epoch, String shard) {}

  /**
   * What was chosen for a cache.
   *
   * @param l1TimeToLive the life of an entry in L1; those of hot keys live as long as in Redis
   * @param l1StalenessBound for values that nobody vouches for; null where there is no Redis to do
   *     so
   * @param refreshAhead how long before its end a value in Redis is fetched anew; zero for never
   * @param staleWhileRevalidate for how long after its fetch a value that has changed may still be
   *     served; zero for not at all
   * @param background where values are fetched that nobody waits for; null if none ever are
   * @param asking whether hits are to tell their age, which only a change stream knows
   * @param changesBound how old a hit may be; null for any age
   */
  record Settings<K, V>(
      Loader<K, V> loader,
      @Nullable Loader<K, V> primaryLoader,
      @Nullable BulkLoader<K, V> bulkLoader,
      Function<? super K, String> shardOf,
      Lifetime lifetime,
      Duration l1TimeToLive,
      @Nullable Duration l1StalenessBound,
      Duration refreshAhead,
      Duration staleWhileRevalidate,
      PendingWrites.WithoutRedis withoutRedis,
      @Nullable Horizons horizons,
      @Nullable Consumer<SessionToken> sessionSaw,
      Supplier<? extends RandomGenerator> random,
      @Nullable Executor background,
      SharedTier.Asking asking,
      @Nullable Duration changesBound) {}

  ReadPath(
      String name,
      KeyForm<K> keys,
      LocalTier<K, V> local,
      RedisTier redis,
      @Nullable ValueFormat<V> format,
      ValueWriter<V> writer,
      Loads<K, V> loads,
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
    this.writer = writer;
    this.loads = loads;
    this.hotKeys = hotKeys;
    this.counters = counters;
    this.listener = listener;
    this.settings = settings;
    Horizons horizons = settings.horizons;
    this.sweeper = horizons == null ? null : new Sweeper(name, redis, horizons);
    this.time = time;
  }

  CacheKey address(K key) {
    return new CacheKey(name, keys.text(key), keys.hash(key), keys.tag(key));
  }

  /** Null where nothing is proven. */
  @Nullable Sweeper sweeper() {
    return sweeper;
  }

  static <V> CacheAnswer<V> fromL1(LocalTier.Entry<V> entry) {
    return new CacheAnswer<>(entry.value(), CacheAnswer.Tier.L1, entry.position(), null);
  }

  /**
   * The session has now seen a value: what it reads elsewhere must not be older.
   *
   * @param position of a value that Redis vouches for: whatever it shows of its row was committed
   *     by then. Of any other it is only known to be as new
   * @param mark the server that any other value came from
   */
  void shown(@Nullable LogPosition position, @Nullable ReadMark mark, SessionToken session) {
    Consumer<SessionToken> sessionSaw = settings.sessionSaw;
    if (sessionSaw == null) {
      return;
    }
    boolean cutOff =
        settings.withoutRedis == PendingWrites.WithoutRedis.COMMIT_AND_OWE
            && !redis.isAlone()
            && !redis.isAvailable();
    if (mark == null && !cutOff) {
      if (position != null && !session.reaches(position)) {
        sessionSaw.accept(SessionToken.empty().readUpTo(position));
      }
      return;
    }
    // Each time: the session may have been at the server before, and earlier.
    SessionToken shown = mark == null ? SessionToken.empty() : SessionToken.empty().readFrom(mark);
    if (position != null && mark == null) {
      shown = shown.readUpTo(position);
    }
    if (position != null && cutOff) {
      // What is shown may be a change that was committed without an announcement.
      shown = shown.untoldUpTo(position);
    }
    sessionSaw.accept(shown);
  }

  /** A transaction of the calling thread's session was committed and could not be announced. */
  void committedUntold(LogPosition position) {
    Consumer<SessionToken> sessionSaw = settings.sessionSaw;
    if (sessionSaw != null) {
      sessionSaw.accept(SessionToken.empty().untoldUpTo(position));
    }
  }

  // ---- one key --------------------------------------------------------------------------------

  /** What L1 could not answer. */
  CacheAnswer<V> miss(K key, int hash, SessionToken session) {
    local.saw(session);
    long arrivedAt = time.nanos();
    if (!settings.staleWhileRevalidate.isZero()) {
      LocalTier.Entry<V> stale = serveStale(key, hash, session);
      if (stale != null) {
        counters.l1Hits.increment();
        counters.staleHits.increment();
        shown(stale.position(), stale.mark(), session);
        return fromL1(stale);
      }
    }
    // Twice, because the first load to be shared may have begun too early for this session. Without
    // L1 nothing may be older than now, and whoever is waited for leaves the value in Redis.
    for (int attempt = local.holdsEntries() ? 0 : 1; attempt < 2; attempt++) {
      SingleFlight.Flight<V> flight = enter(key, hash);
      if (flight.isLedByThisThread()) {
        return lead(key, hash, session, flight);
      }
      SingleFlight.Landed<V> landed = flight.join();
      if (mayShare(flight, landed.answer(), session, arrivedAt)) {
        return shared(landed, session);
      }
    }
    return fetch(key, hash, session, alone(hash));
  }

  /**
   * An entry that is not the newest, and somebody who sees to it. One that was fetched only lately
   * is left alone for half of its time: a key that changes all the time is then fetched twice in
   * that time, and one that changes now and then at once.
   */
  private LocalTier.@Nullable Entry<V> serveStale(K key, int hash, SessionToken session) {
    long longest = settings.staleWhileRevalidate.toNanos();
    LocalTier.Entry<V> stale = local.lately(key, hash, session, longest);
    if (stale == null) {
      return null;
    }
    return time.nanos() - stale.sinceNanos() < longest / 2
            || inBackground(key, () -> fetchAnew(key, hash))
        ? stale
        : null;
  }

  private SingleFlight.Flight<V> enter(K key, int hash) {
    return flights.enter(key, local.stamp(hash), local.seen(), time.nanos());
  }

  private SingleFlight.Flight<V> alone(int hash) {
    return SingleFlight.alone(local.stamp(hash), local.seen(), time.nanos());
  }

  private CacheAnswer<V> shared(SingleFlight.Landed<V> landed, SessionToken session) {
    switch (landed.answer().tier()) {
      case L1 -> counters.l1Hits.increment();
      case L2 -> counters.l2Hits.increment();
      case DATABASE -> counters.misses.increment();
    }
    shown(landed.answer().position(), landed.mark(), session);
    return landed.answer();
  }

  /**
   * Whether the answer of a load that was under way when a caller came will do. It may have begun
   * before a change that was committed by then: for callers without a session as long as L1 may lag
   * behind, for the others only if it shows all that they have seen.
   */
  private boolean mayShare(
      SingleFlight.Flight<V> flight, CacheAnswer<V> shared, SessionToken session, long arrivedAt) {
    Duration behind = Objects.requireNonNullElse(settings.l1StalenessBound, settings.l1TimeToLive);
    if (!local.holdsEntries() || arrivedAt - flight.beganAtNanos() >= behind.toNanos()) {
      return false;
    }
    if (session.isEmpty()) {
      return true;
    }
    Route route = shared.route();
    return switch (shared.tier()) {
      // Looked at for the leader's session alone.
      case L1 -> false;
      // Whether it was read or put, and so what it shows of the untold, is not known here.
      case L2 ->
          flight.seen().reaches(session)
              && session.untold().isEmpty()
              && shows(shared.position(), null, session);
      case DATABASE ->
          route != null && route.role() == Role.PRIMARY
              ? flight.seen().reaches(session)
              : shownBy(shared.position()).reaches(session);
    };
  }

  /**
   * Whether a value from Redis shows all that a session has seen. It shows every change that was
   * announced; of those that could not be only the place where it was read tells. Without a fence
   * nothing but its position does. Where its age is not known, it serves only sessions that cannot
   * miss anything.
   *
   * @param readAt null if it was not read but put by its writer
   */
  private boolean shows(
      @Nullable LogPosition position, @Nullable LogPosition readAt, SessionToken session) {
    if (settings.withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE) {
      return session.isEmpty() || (position != null && session.isCoveredBy(position));
    }
    return session.untold().isEmpty() || (readAt != null && session.isUntoldShownFrom(readAt));
  }

  private static SessionToken shownBy(@Nullable LogPosition position) {
    return position == null ? SessionToken.empty() : SessionToken.of(position);
  }

  private CacheAnswer<V> lead(
      K key, int hash, SessionToken session, SingleFlight.Flight<V> flight) {
    try {
      // The leader before this one may have put it there since this thread looked.
      LocalTier.Entry<V> entry = local.get(key, hash, session);
      if (entry == null) {
        return fetch(key, hash, session, flight);
      }
      counters.l1Hits.increment();
      shown(entry.position(), entry.mark(), session);
      flight.land(fromL1(entry), entry.mark());
      return fromL1(entry);
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
    CacheKey address = address(key);
    String leaseToken = UUID.randomUUID().toString();
    Patience patience = new Patience();
    SharedTier.Lookup found = redis.read(address, leaseToken, settings.asking);
    while (true) {
      if (found instanceof SharedTier.Lookup.Hit hit) {
        Served<V> served = serve(key, address, hit, session, flight);
        if (served instanceof Served.Answer<V> answer) {
          patience.end();
          return answer.answer;
        }
        if (served instanceof Served.TooLarge<V>) {
          // Nobody can share it: a lease would only make others wait for nothing.
          return loadAndKeep(key, address, leaseToken, found, session, flight);
        }
        found = redis.read(address, leaseToken, SharedTier.Asking.REFRESH);
      } else if (isWorthWaiting(found) && patience.waitOnce()) {
        found = redis.read(address, leaseToken, settings.asking);
      } else {
        patience.end();
        return loadAndKeep(key, address, leaseToken, found, session, flight);
      }
    }
  }

  /** While a writer is in doubt the other reader's value is likely to be refused. */
  private static boolean isWorthWaiting(SharedTier.Lookup found) {
    return found instanceof SharedTier.Lookup.Awaited awaited
        && awaited.doubt() == SharedTier.Doubt.NONE;
  }

  /** What a hit in Redis is good for. */
  private sealed interface Served<V> {
    record Answer<V>(CacheAnswer<V> answer) implements Served<V> {}

    record TooLarge<V>() implements Served<V> {}

    /** It cannot be read, may be too old, or the session has seen more. */
    record Useless<V>() implements Served<V> {}
  }

  private Served<V> serve(
      K key,
      CacheKey address,
      SharedTier.Lookup.Hit hit,
      SessionToken session,
      SingleFlight.Flight<V> flight) {
    ValueFormat.Decoded<V> decoded = Objects.requireNonNull(format).decode(hit.value());
    if (decoded instanceof ValueFormat.Decoded.TooLarge<V>) {
      return new Served.TooLarge<>();
    }
    if (decoded instanceof ValueFormat.Decoded.Unreadable<V>) {
      listener.unreadable(name);
    }
    if (decoded instanceof ValueFormat.Decoded.Value<V> stored
        && isYoungEnough(hit)
        && shows(stored.position(), readAt(stored), session)) {
      counters.l2Hits.increment();
      keepLocally(
          key,
          stored.value(),
          stored.position(),
          readAt(stored),
          flight,
          hit.remaining(),
          stillYoungEnough(hit));
      if (hit.remaining().compareTo(settings.refreshAhead) < 0) {
        inBackground(key, () -> refresh(key, address));
      }
      CacheAnswer<V> answer =
          new CacheAnswer<>(
              stored.value(), CacheAnswer.Tier.L2, stored.position(), null, hit.age());
      flight.land(answer, null);
      shown(stored.position(), null, session);
      return new Served.Answer<>(answer);
    }
    return new Served.Useless<>();
  }

  private static @Nullable LogPosition readAt(ValueFormat.Decoded.Value<?> stored) {
    return stored.origin() == ValueFormat.Origin.READ ? stored.position() : null;
  }

  /**
   * How a reader waits for another process' load: a few times what a load takes, looking again each
   * time an eighth of the wait so far has passed, so that it gets the value little later than it
   * could.
   */
  private final class Patience {
    private Duration waited = Duration.ZERO;

    /** False if it has come to its end. */
    boolean waitOnce() {
      if (waited.compareTo(longest()) >= 0) {
        return false;
      }
      Duration wait = longer(SHORTEST_WAIT, waited.dividedBy(8));
      try {
        time.pause(wait);
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        return false;
      }
      waited = waited.plus(wait);
      return true;
    }

    private Duration longest() {
      return shorter(SharedTier.LEASE, longer(SHORTEST_PATIENCE, loads.typical().multipliedBy(4)));
    }

    void end() {
      if (!waited.isZero()) {
        listener.waited(name, CacheListener.Wait.LEASE, waited.toNanos());
      }
    }
  }

  // ---- many keys ------------------------------------------------------------------------------

  /** One of many keys, on its way. */
  private static final class Wanted<K, V> {
    final K key;
    final CacheKey address;
    final SingleFlight.Flight<V> flight;
    SharedTier.Lookup found = new SharedTier.Lookup.Unavailable();

    Wanted(K key, CacheKey address, SingleFlight.Flight<V> flight) {
      this.key = key;
      this.address = address;
      this.flight = flight;
    }
  }

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
        counters.l1Hits.increment();
        shown(entry.position(), entry.mark(), session);
        answers.put(key, fromL1(entry));
      }
    }
    if (!missing.isEmpty()) {
      answers.putAll(fetchAll(missing, session));
    }
    Map<K, CacheAnswer<V>> found = new LinkedHashMap<>();
    answers.forEach((key, answer) -> found.put(key, Objects.requireNonNull(answer)));
    return found;
  }

  private Map<K, CacheAnswer<V>> fetchAll(List<K> missing, SessionToken session) {
    local.saw(session);
    long arrivedAt = time.nanos();
    Map<K, CacheAnswer<V>> answers = new LinkedHashMap<>();
    List<Wanted<K, V>> led = new ArrayList<>();
    Map<K, SingleFlight.Flight<V>> others = new LinkedHashMap<>();
    try {
      for (K key : missing) {
        SingleFlight.Flight<V> flight = enter(key, keys.hash(key));
        if (flight.isLedByThisThread()) {
          led.add(new Wanted<>(key, address(key), flight));
        } else {
          others.put(key, flight);
        }
      }
      leadAll(led, session, answers);
    } catch (RuntimeException | Error failure) {
      // Those that have landed stay landed.
      led.forEach(each -> each.flight.crash(failure));
      throw failure;
    } finally {
      led.forEach(each -> flights.leave(each.key, each.flight));
    }
    // Only now: whoever leads them may be waiting for one of ours.
    others.forEach(
        (key, flight) -> {
          SingleFlight.Landed<V> landed = flight.join();
          answers.put(
              key,
              mayShare(flight, landed.answer(), session, arrivedAt)
                  ? shared(landed, session)
                  : miss(key, keys.hash(key), session));
        });
    return answers;
  }

  /** Where the keys of one round trip go from there. */
  private final class Sorting {
    final List<Wanted<K, V>> toLoad = new ArrayList<>();
    final List<Wanted<K, V>> awaited = new ArrayList<>();
    final List<Wanted<K, V>> useless = new ArrayList<>();
    private final String leaseToken;
    private final SessionToken session;
    private final Map<K, CacheAnswer<V>> answers;

    Sorting(String leaseToken, SessionToken session, Map<K, CacheAnswer<V>> answers) {
      this.leaseToken = leaseToken;
      this.session = session;
      this.answers = answers;
    }

    void ask(List<Wanted<K, V>> asked, SharedTier.Asking asking) {
      List<SharedTier.Lookup> found =
          redis.readAll(asked.stream().map(each -> each.address).toList(), leaseToken, asking);
      for (int i = 0; i < asked.size(); i++) {
        Wanted<K, V> each = asked.get(i);
        each.found = found.get(i);
        if (each.found instanceof SharedTier.Lookup.Hit hit) {
          sort(each, serve(each.key, each.address, hit, session, each.flight));
        } else if (isWorthWaiting(each.found)) {
          awaited.add(each);
        } else {
          toLoad.add(each);
        }
      }
    }

    private void sort(Wanted<K, V> each, Served<V> served) {
      if (served instanceof Served.Answer<V> answer) {
        answers.put(each.key, answer.answer);
      } else if (served instanceof Served.TooLarge<V>) {
        toLoad.add(each);
      } else {
        useless.add(each);
      }
    }
  }

  private void leadAll(
      List<Wanted<K, V>> led, SessionToken session, Map<K, CacheAnswer<V>> answers) {
    if (led.isEmpty()) {
      return;
    }
    String leaseToken = UUID.randomUUID().toString();
    Sorting sorting = new Sorting(leaseToken, session, answers);
    sorting.ask(led, settings.asking);
    if (!sorting.useless.isEmpty()) {
      sorting.ask(takeAll(sorting.useless), SharedTier.Asking.REFRESH);
    }
    Patience patience = new Patience();
    while (!sorting.awaited.isEmpty() && patience.waitOnce()) {
      sorting.ask(takeAll(sorting.awaited), settings.asking);
    }
    patience.end();
    sorting.toLoad.addAll(sorting.awaited);
    sorting.toLoad.addAll(sorting.useless);
    try {
      loadAll(sorting.toLoad, leaseToken, session, answers);
    } catch (RuntimeException | Error failure) {
      for (Wanted<K, V> each : sorting.toLoad) {
        if (each.found instanceof SharedTier.Lookup.Leased && !answers.containsKey(each.key)) {
          redis.release(each.address, leaseToken);
        }
      }
      throw failure;
    }
  }

  private static <T> List<T> takeAll(List<T> from) {
    List<T> taken = new ArrayList<>(from);
    from.clear();
    return taken;
  }

  private void loadAll(
      List<Wanted<K, V>> toLoad,
      String leaseToken,
      SessionToken session,
      Map<K, CacheAnswer<V>> answers) {
    BulkLoader<K, V> bulkLoader = settings.bulkLoader;
    Map<String, List<Wanted<K, V>>> byShard = new LinkedHashMap<>();
    for (Wanted<K, V> each : toLoad) {
      if (bulkLoader == null || onlyThePrimaryWillDo(each.found)) {
        answers.put(
            each.key,
            loadAndKeep(each.key, each.address, leaseToken, each.found, session, each.flight));
      } else {
        byShard
            .computeIfAbsent(settings.shardOf.apply(each.key), shard -> new ArrayList<>())
            .add(each);
      }
    }
    if (bulkLoader != null) {
      byShard.values().forEach(group -> loadGroup(bulkLoader, group, leaseToken, session, answers));
    }
  }

  /** A hit that is to be loaded is a value too large to be kept: nobody judges the load either. */
  private boolean onlyThePrimaryWillDo(SharedTier.Lookup found) {
    return settings.primaryLoader != null
        && (found instanceof SharedTier.Lookup.Awaited
            || found instanceof SharedTier.Lookup.Hit
            || (found instanceof SharedTier.Lookup.Leased leased
                && leased.doubt() == SharedTier.Doubt.IN_DOUBT));
  }

  /** Keys of one shard: one load, one round trip to fill. */
  private void loadGroup(
      BulkLoader<K, V> bulkLoader,
      List<Wanted<K, V>> group,
      String leaseToken,
      SessionToken session,
      Map<K, CacheAnswer<V>> answers) {
    counters.misses.add(group.size());
    for (Wanted<K, V> each : group) {
      step(Steps.Step.LEASED, each);
    }
    Map<K, PositionedRead<@Nullable V>> loaded =
        loads.loadAll(bulkLoader, group.stream().map(each -> each.key).toList());
    List<Offer<K, V>> judgedNow = new ArrayList<>();
    for (Wanted<K, V> each : group) {
      step(Steps.Step.LOADED, each);
      PositionedRead<@Nullable V> read = Objects.requireNonNull(loaded.get(each.key));
      if (!(each.found instanceof SharedTier.Lookup.Leased)) {
        answers.put(each.key, keepUnleased(each.key, each.found, read, session, each.flight));
        continue;
      }
      Offer<K, V> offer = offer(each.key, each.address, leaseToken, read, each.flight);
      if (mayBeOld(read)) {
        judgedNow.add(offer);
      } else {
        each.flight.land(answer(read), read.mark());
        answers.put(each.key, answer(read));
        fillLater(offer);
      }
    }
    List<SharedTier.Fill> fills = fillAll(judgedNow);
    for (int i = 0; i < judgedNow.size(); i++) {
      Offer<K, V> offer = judgedNow.get(i);
      answers.put(offer.key, answerOnce(offer, fills.get(i)));
    }
  }

  private void step(Steps.Step step, Wanted<K, V> each) {
    if (each.found instanceof SharedTier.Lookup.Leased) {
      redis.steps().at(step, name, each.address.hash());
    }
  }

  // ---- from the database ----------------------------------------------------------------------

  /** From the database, and into the tiers that may have it. */
  private CacheAnswer<V> loadAndKeep(
      K key,
      CacheKey address,
      String leaseToken,
      SharedTier.Lookup found,
      SessionToken session,
      SingleFlight.Flight<V> flight) {
    counters.misses.increment();
    Loader<K, V> onPrimary = settings.primaryLoader;
    Loader<K, V> from =
        onPrimary != null && onlyThePrimaryWillDo(found) ? onPrimary : settings.loader;
    if (!(found instanceof SharedTier.Lookup.Leased)) {
      PositionedRead<@Nullable V> loaded = loads.load(from, key);
      return keepUnleased(key, found, loaded, session, flight);
    }

    redis.steps().at(Steps.Step.LEASED, name, address.hash());
    PositionedRead<@Nullable V> loaded;
    try {
      loaded = loads.load(from, key);
    } catch (RuntimeException | Error failure) {
      redis.release(address, leaseToken);
      throw failure;
    }
    redis.steps().at(Steps.Step.LOADED, name, address.hash());
    if (!mayBeOld(loaded)) {
      // Those who wait get it now, not after Redis has been told.
      flight.land(answer(loaded), loaded.mark());
    }
    Offer<K, V> offer = offer(key, address, leaseToken, loaded, flight);
    if (mayBeOld(loaded)) {
      return answerOnce(offer, fillAll(List.of(offer)).get(0));
    }
    fillLater(offer);
    return answer(loaded);
  }

  /** A replica's answer that the primary can be asked about. */
  private boolean mayBeOld(PositionedRead<?> loaded) {
    return settings.primaryLoader != null && loaded.route().role() == Role.REPLICA;
  }

  /** What was loaded without the right to fill Redis. */
  private CacheAnswer<V> keepUnleased(
      K key,
      SharedTier.Lookup found,
      PositionedRead<@Nullable V> loaded,
      SessionToken session,
      SingleFlight.Flight<V> flight) {
    if (found instanceof SharedTier.Lookup.Unavailable) {
      counters.degraded.increment();
      listener.notKept(name, CacheListener.NotKept.UNAVAILABLE);
      keepUnvouched(key, loaded, flight);
      shown(loaded.position(), loaded.mark(), session);
    } else if (found instanceof SharedTier.Lookup.Alone) {
      keepUnvouched(key, loaded, flight);
    } else {
      // Another process' load is under way: its value is the one that Redis vouches for.
      counters.unshared.increment();
      if (found instanceof SharedTier.Lookup.Awaited) {
        listener.notKept(name, CacheListener.NotKept.LEASE_TAKEN);
      }
    }
    flight.land(answer(loaded), loaded.mark());
    return answer(loaded);
  }

  /** A replica's answer after its verdict: from the primary where it was refused. */
  private CacheAnswer<V> answerOnce(Offer<K, V> offer, SharedTier.Fill fill) {
    PositionedRead<@Nullable V> loaded = offer.loaded;
    Loader<K, V> onPrimary = settings.primaryLoader;
    if (onPrimary != null && !(fill instanceof SharedTier.Fill.Stored)) {
      // The replica may lack a change that somebody has already seen.
      try {
        loaded = loads.load(onPrimary, offer.key);
      } catch (RuntimeException | Error failure) {
        redis.release(offer.address, offer.leaseToken);
        throw failure;
      }
      fillLater(offer(offer.key, offer.address, offer.leaseToken, loaded, offer.flight));
    }
    offer.flight.land(answer(loaded), loaded.mark());
    return answer(loaded);
  }

  /**
   * What the holder of a lease has loaded, and what it offers Redis.
   *
   * @param encoded null if the value is not to be kept, or cannot be
   */
  private record Offer<K, V>(
      K key,
      CacheKey address,
      String leaseToken,
      PositionedRead<@Nullable V> loaded,
      SingleFlight.Flight<V> flight,
      ValueFormat.@Nullable Encoded encoded,
      Duration life,
      ReadLabel label) {}

  private Offer<K, V> offer(
      K key,
      CacheKey address,
      String leaseToken,
      PositionedRead<@Nullable V> loaded,
      SingleFlight.Flight<V> flight) {
    Duration life = lifeOf(loaded.value());
    ValueFormat.Encoded encoded =
        life.isZero() ? null : writer.encode(loaded.value(), loaded.position());
    return new Offer<>(
        key,
        address,
        leaseToken,
        loaded,
        flight,
        encoded,
        encoded instanceof ValueFormat.Encoded.TooLarge ? shorter(life, LONGEST_TOO_LARGE) : life,
        settings.withoutRedis == PendingWrites.WithoutRedis.NEVER_ANNOUNCE
            ? new ReadLabel.Unfenced(loaded.route().shard())
            : ReadLabel.of(loaded));
  }

  /** Offers a value to Redis; nobody waits for the verdict. */
  private void fillLater(Offer<K, V> offer) {
    ValueFormat.Encoded encoded = offer.encoded;
    if (encoded == null) {
      redis.release(offer.address, offer.leaseToken);
      if (settings.lifetime.keeps(offer.loaded.value())) {
        counters.unshared.increment();
      }
      return;
    }
    redis.fillLater(
        offer.address,
        offer.leaseToken,
        encoded.bytes(),
        offer.life,
        offer.label,
        fill -> {
          if (fill instanceof SharedTier.Fill.Unrecovered lost) {
            redis
                .upkeep()
                .after(
                    Duration.ZERO, () -> judged(offer, mendAndFill(offer, encoded.bytes(), lost)));
          } else {
            judged(offer, fill);
          }
        });
  }

  /** Offers values to Redis and waits for the verdicts; the leases of those refused stand. */
  private List<SharedTier.Fill> fillAll(List<Offer<K, V>> offers) {
    List<SharedTier.Filling> fillings = new ArrayList<>();
    for (Offer<K, V> offer : offers) {
      if (offer.encoded != null) {
        fillings.add(
            new SharedTier.Filling(
                offer.address, offer.leaseToken, offer.encoded.bytes(), offer.life, offer.label));
      }
    }
    Iterator<SharedTier.Fill> verdicts = redis.fillAll(fillings).iterator();
    List<SharedTier.Fill> fills = new ArrayList<>();
    for (Offer<K, V> offer : offers) {
      if (offer.encoded == null) {
        fills.add(new SharedTier.Fill.Refused(SharedTier.Refusal.LEASE_LOST));
        continue;
      }
      SharedTier.Fill fill = verdicts.next();
      if (fill instanceof SharedTier.Fill.Unrecovered lost) {
        fill = mendAndFill(offer, offer.encoded.bytes(), lost);
      }
      if (fill instanceof SharedTier.Fill.Stored) {
        judged(offer, fill);
      } else {
        listener.notKept(name, reasonOf(fill));
      }
      fills.add(fill);
    }
    return fills;
  }

  /**
   * Accepted if nobody else got a transaction id in the meantime: an idle database's first reader
   * fills.
   */
  private SharedTier.Fill mendAndFill(
      Offer<K, V> offer, byte[] bytes, SharedTier.Fill.Unrecovered lost) {
    return mend(offer.address, lost.epoch(), offer.loaded.route().shard())
        ? redis.fill(offer.address, offer.leaseToken, bytes, offer.life, offer.label)
        : lost;
  }

  /** The last word on an offer: what Redis has taken is kept here as well. */
  private void judged(Offer<K, V> offer, SharedTier.Fill fill) {
    PositionedRead<@Nullable V> loaded = offer.loaded;
    if (fill instanceof SharedTier.Fill.Stored) {
      if (offer.encoded instanceof ValueFormat.Encoded.Whole) {
        keepLocally(
            offer.key,
            loaded.value(),
            loaded.position(),
            loaded.position(),
            offer.flight,
            offer.life,
            stillYoungEnough(loaded.route().role(), offer.flight));
      } else {
        counters.unshared.increment();
      }
      return;
    }
    counters.unshared.increment();
    listener.notKept(name, reasonOf(fill));
    boolean fromReplica = offer.label instanceof ReadLabel.Replica;
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

  private static CacheListener.NotKept reasonOf(SharedTier.Fill fill) {
    return fill instanceof SharedTier.Fill.Refused refused
        ? refused.why().told()
        : CacheListener.NotKept.RECOVERING;
  }

  /** Tells a bucket that has lost its state where the writers of a shard begin again. */
  private boolean mend(CacheKey address, String epoch, String shard) {
    Loss loss = new Loss(epoch, shard);
    Horizons horizons = settings.horizons;
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

  // ---- into L1 --------------------------------------------------------------------------------

  private boolean isYoungEnough(SharedTier.Lookup.Hit hit) {
    Duration bound = settings.changesBound;
    return bound == null || (hit.age() != null && hit.age().compareTo(bound) <= 0);
  }

  /** For how long a hit will be young enough; null for as long as it lives. */
  private @Nullable Duration stillYoungEnough(SharedTier.Lookup.Hit hit) {
    Duration bound = settings.changesBound;
    return bound == null || hit.age() == null ? null : bound.minus(hit.age());
  }

  /** The same of a value that was loaded. */
  private @Nullable Duration stillYoungEnough(Role from, SingleFlight.Flight<V> flight) {
    Duration bound = settings.changesBound;
    if (bound == null) {
      return null;
    }
    // What a replica lacks, and nobody has announced, is known when Redis is asked for the value.
    return from == Role.PRIMARY
        ? bound.minusNanos(time.nanos() - flight.beganAtNanos())
        : Duration.ZERO;
  }

  private void keepLocally(
      K key,
      @Nullable V value,
      @Nullable LogPosition position,
      @Nullable LogPosition readAt,
      SingleFlight.Flight<V> flight,
      Duration remaining,
      @Nullable Duration youngEnough) {
    boolean fenced = settings.withoutRedis != PendingWrites.WithoutRedis.NEVER_ANNOUNCE;
    // Gone from here when it is to be fetched anew there: else nobody would notice in time.
    Duration atMost =
        remaining.compareTo(settings.refreshAhead) > 0
            ? remaining.minus(settings.refreshAhead)
            : remaining;
    // The channel vouches for it as long as it lives: its time in L1 only clears what is not used.
    Duration life = fenced && hotKeys.isHot(key) ? atMost : shorter(atMost, settings.l1TimeToLive);
    if (youngEnough != null) {
      life = shorter(life, youngEnough);
    }
    local.put(
        key,
        new LocalTier.Entry<>(
            value,
            position,
            flight.stamp(),
            flight.beganAtNanos(),
            time.nanos() + life.toNanos(),
            null,
            fenced ? null : shownBy(position),
            readAt));
  }

  /** A value that no Redis vouches for: it may be as old as L1 may be, counted from its load. */
  private void keepUnvouched(
      K key, PositionedRead<@Nullable V> loaded, SingleFlight.Flight<V> flight) {
    Duration bound = settings.l1StalenessBound;
    if (bound != null && loaded.route().role() != Role.PRIMARY) {
      // It may have been as old as the replica lags when it came.
      return;
    }
    Duration life = shorter(lifeOf(loaded.value()), settings.l1TimeToLive);
    if (bound != null) {
      life = shorter(life, bound);
    }
    if (settings.changesBound != null) {
      life = shorter(life, settings.changesBound);
    }
    local.put(
        key,
        new LocalTier.Entry<>(
            loaded.value(),
            loaded.position(),
            flight.stamp(),
            flight.beganAtNanos(),
            flight.beganAtNanos() + life.toNanos(),
            loaded.mark(),
            loaded.route().role() == Role.PRIMARY ? flight.seen() : shownBy(loaded.position()),
            loaded.position()));
  }

  // ---- in the background ----------------------------------------------------------------------

  /** Once for each key at a time. False if it will not be done. */
  private boolean inBackground(K key, Runnable work) {
    Executor background = settings.background;
    if (background == null) {
      return false;
    }
    if (!beingRefreshed.add(key)) {
      return true;
    }
    try {
      background.execute(
          () -> {
            try {
              counters.refreshes.increment();
              work.run();
            } catch (RuntimeException failure) {
              // The listener has been told; the next reader tries again.
              log.debug("Cache {} could not fetch a value anew", name, failure);
            } finally {
              beingRefreshed.remove(key);
            }
          });
      return true;
    } catch (RejectedExecutionException full) {
      beingRefreshed.remove(key);
      return false;
    }
  }

  /** Before a value in Redis runs out: nobody waits, and one process does it. */
  private void refresh(K key, CacheKey address) {
    String leaseToken = UUID.randomUUID().toString();
    SingleFlight.Flight<V> alone = alone(address.hash());
    SharedTier.Lookup found = redis.read(address, leaseToken, SharedTier.Asking.READ);
    if (found instanceof SharedTier.Lookup.Hit hit
        && hit.remaining().compareTo(settings.refreshAhead) < 0) {
      found = redis.read(address, leaseToken, SharedTier.Asking.REFRESH);
    }
    // Else somebody has been quicker, or is at it.
    if (found instanceof SharedTier.Lookup.Leased) {
      loadAndKeep(key, address, leaseToken, found, SessionToken.empty(), alone);
    }
  }

  /** After a value has changed: as a reader without a session would. */
  private void fetchAnew(K key, int hash) {
    SingleFlight.Flight<V> flight = enter(key, hash);
    if (flight.isLedByThisThread()) {
      lead(key, hash, SessionToken.empty(), flight);
    }
  }

  /** How long a value may be kept anywhere; zero for not at all. */
  private Duration lifeOf(@Nullable V value) {
    return settings.lifetime.of(value, settings.random.get());
  }

  private static <V> CacheAnswer<V> answer(PositionedRead<@Nullable V> loaded) {
    return new CacheAnswer<>(
        loaded.value(), CacheAnswer.Tier.DATABASE, loaded.position(), loaded.route());
  }

  private static Duration shorter(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? one : other;
  }

  private static Duration longer(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? other : one;
  }
}
