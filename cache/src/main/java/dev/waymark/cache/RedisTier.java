package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.WaymarkConfig;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Redis that several caches of a process share: connections, the channel of invalidations, and
 * what happens while Redis cannot be reached. Safe to share between threads.
 *
 * <p>Redis being down is never an error of a read; writes are refused or not as each cache says.
 * After the first failure nobody waits for it any more; a background thread looks whether it is
 * back after 100 ms, then after 200, 400, 800 and every 1,000 more. Changes that were committed
 * meanwhile are remembered, and Redis is told of them before this process uses it again. Going down
 * is logged once as a warning, coming back once as information.
 */
public final class RedisTier implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(RedisTier.class);

  /** How long connecting may delay the start of the service. */
  private static final Duration PATIENCE_AT_START = Duration.ofSeconds(1);

  /** Short: writes may be refused until then, and one late answer is enough to get here. */
  private static final Duration FIRST_PAUSE = Duration.ofMillis(100);

  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);

  /** How often it is looked after which caches are due for a beat. */
  private static final Duration TICK = Duration.ofMillis(50);

  /** A cache that nobody reads is not beaten; its first reader asks Redis and wakes it. */
  private static final Duration IDLE = Duration.ofSeconds(10);

  /** About 2 MB when full. More than this at once is better dropped as a whole. */
  private static final int MAXIMUM_OWED = 10_000;

  private final SharedTier shared;
  private final String name;
  private final Background background;
  private final Background upkeep;
  private final Time time;
  private final Steps steps;
  private final Map<String, Member> caches = new ConcurrentHashMap<>();
  private final Map<String, ChangeMapping> mappings = new ConcurrentHashMap<>();
  private final SharedTier.Listener listener = new Dispatch();

  /** Guards what follows; never held over I/O. */
  private final Object lock = new Object();

  /**
   * Empty while {@link #available}: reads of this process never see what it has itself made old.
   */
  private final Owed owed = new Owed(MAXIMUM_OWED);

  private volatile boolean available;

  /** Counts the times Redis was lost, so that a late failure is not taken for a new one. */
  private volatile int outages;

  /** Told when Redis goes and comes. Set before the first attempt to connect. */
  private volatile CacheListener watcher = CacheListener.none();

  private boolean warned;
  private boolean closed;
  private long lostAt;

  /** When it was last found again. */
  private long backAt;

  /** Before the next look. */
  private Duration pause = FIRST_PAUSE;

  RedisTier(SharedTier shared, String name, Background background, Time time) {
    this(shared, name, background, background, time, Steps.UNWATCHED);
  }

  /**
   * A tier that is not started yet.
   *
   * @param background for what keeps up with Redis, and must not wait for a database
   * @param upkeep for what asks the database
   */
  RedisTier(
      SharedTier shared,
      String name,
      Background background,
      Background upkeep,
      Time time,
      Steps steps) {
    this.upkeep = upkeep;
    this.shared = shared;
    this.steps = steps;
    this.name = name;
    this.background = background;
    this.time = time;
    this.lostAt = time.nanos();
    this.backAt = lostAt - LONGEST_PAUSE.toNanos();
  }

  /**
   * Connects to Redis; returns after 1 second at most, whether or not it could be reached.
   *
   * @throws IllegalArgumentException if the trust store cannot be read
   */
  public static RedisTier connect(WaymarkConfig.Redis settings) {
    return connect(settings, CacheListener.none());
  }

  /**
   * As {@link #connect(WaymarkConfig.Redis)}.
   *
   * @param listener told when Redis goes and comes; what one cache does, its own listener is told
   */
  public static RedisTier connect(WaymarkConfig.Redis settings, CacheListener listener) {
    return connect(settings, Scripts.plain(), Steps.UNWATCHED, listener);
  }

  /** For tests: with scripts that lack something, or to be stopped between two steps. */
  static RedisTier connect(WaymarkConfig.Redis settings, Scripts scripts, Steps steps) {
    return connect(settings, scripts, steps, CacheListener.none());
  }

  private static RedisTier connect(
      WaymarkConfig.Redis settings, Scripts scripts, Steps steps, CacheListener listener) {
    RedisTier tier =
        new RedisTier(
            new RedissonTier(settings, scripts),
            settings.url(),
            Background.thread("waymark-cache-redis"),
            Background.thread("waymark-cache-upkeep"),
            Time.system(),
            steps);
    tier.watcher = CarefulCacheListener.around(listener);
    tier.start(PATIENCE_AT_START);
    return tier;
  }

  /** For a cache that has only L1. */
  static RedisTier none() {
    RedisTier tier =
        new RedisTier(
            SharedTier.NONE,
            "none",
            Background.NONE,
            Background.NONE,
            Time.system(),
            Steps.UNWATCHED);
    tier.available = true;
    return tier;
  }

  /**
   * What takes a database's change stream over for all caches of this tier that are {@linkplain
   * TieredCache.Builder#changedBy changed by} tables: {@code database.changes(redis.changes())}
   * with the routing module. Build the caches first.
   */
  public CacheChanges changes() {
    return new CacheChanges(this);
  }

  /** Whether Redis is in use at this moment. */
  public boolean isAvailable() {
    return available;
  }

  /**
   * Ends all connections and threads. Caches that still use this tier go on reading with L1 and the
   * database; they refuse what is to be written, unless they are built with {@link
   * TieredCache.Builder#commitWithoutRedis}.
   */
  @Override
  public void close() {
    int untold;
    synchronized (lock) {
      if (closed) {
        return;
      }
      closed = true;
      available = false;
      untold = owed.size();
    }
    background.close();
    upkeep.close();
    shared.close();
    if (untold > 0) {
      log.warn(
          "Closed before Redis at {} was told of {} changes; what it holds of them is old until its"
              + " time to live ends",
          name,
          untold);
    }
  }

  @Override
  public String toString() {
    return "RedisTier[" + name + (available ? "]" : ", not available]");
  }

  void start(Duration patience) {
    background.every(TICK, () -> beatWhereDue(null));
    CountDownLatch tried = new CountDownLatch(1);
    background.after(
        Duration.ZERO,
        () -> {
          try {
            recover();
          } finally {
            tried.countDown();
          }
        });
    try {
      if (!tried.await(patience.toNanos(), TimeUnit.NANOSECONDS)) {
        log.info("Redis at {} has not answered yet; caches begin without it", name);
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether there is anybody to announce a change to. */
  boolean takesAnnouncements() {
    return available && shared != SharedTier.NONE;
  }

  /** Whether there is no Redis at all, nor ever was. */
  boolean isAlone() {
    return shared == SharedTier.NONE;
  }

  Steps steps() {
    return steps;
  }

  /** Changes that Redis has not been told of, a whole cache counting as one. */
  int owed() {
    synchronized (lock) {
      return owed.size();
    }
  }

  void register(String cache, LocalTier<?, ?> tier) {
    if (caches.putIfAbsent(cache, new Member(tier)) != null) {
      throw new IllegalArgumentException(
          "There is already a cache named '"
              + cache
              + "' on "
              + this
              + "; two with one name would not hear of each other's changes");
    }
    beatSoon(cache);
  }

  /** Of a registered cache: the change stream is to tell it of changes. */
  void follow(String cache, ChangeMapping mapping) {
    mappings.put(cache, mapping);
  }

  Map<String, ChangeMapping> mappings() {
    return Map.copyOf(mappings);
  }

  /**
   * For the change stream, which tells again what could not be told. A failure is not taken for an
   * outage: its commands are many, and late under a load under which a read is in time.
   */
  <T> T askOrThrow(Function<SharedTier, T> operation) {
    if (!available) {
      throw new SharedTierException(
          "Redis at " + name + " is not in use at the moment",
          new IllegalStateException("not available"));
    }
    return operation.apply(shared);
  }

  SharedTier.Lookup read(CacheKey key, String leaseToken, SharedTier.Asking asking) {
    SharedTier.Lookup found = ask(() -> shared.read(key, leaseToken, asking));
    return found == null ? new SharedTier.Lookup.Unavailable() : found;
  }

  List<SharedTier.Lookup> readAll(
      List<CacheKey> keys, String leaseToken, SharedTier.Asking asking) {
    List<SharedTier.Lookup> found = ask(() -> shared.readAll(keys, leaseToken, asking));
    return found == null
        ? keys.stream().<SharedTier.Lookup>map(key -> new SharedTier.Lookup.Unavailable()).toList()
        : found;
  }

  List<SharedTier.Fill> fillAll(List<SharedTier.Filling> fillings) {
    if (fillings.isEmpty()) {
      return List.of();
    }
    List<SharedTier.Fill> fills = ask(() -> shared.fillAll(fillings));
    return fills == null
        ? fillings.stream()
            .<SharedTier.Fill>map(
                filling -> new SharedTier.Fill.Refused(SharedTier.Refusal.UNAVAILABLE))
            .toList()
        : fills;
  }

  /** Null if Redis cannot be asked, or there is none. */
  SharedTier.@Nullable Glimpse peek(CacheKey key) {
    return isAlone() ? null : ask(() -> shared.peek(key));
  }

  SharedTier.Fill fill(
      CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {
    SharedTier.Fill fill = ask(() -> shared.fill(key, leaseToken, value, timeToLive, label));
    return fill == null ? new SharedTier.Fill.Refused(SharedTier.Refusal.UNAVAILABLE) : fill;
  }

  /** The same, not waited for. The verdict is told on any thread, which must not be kept. */
  void fillLater(
      CacheKey key,
      String leaseToken,
      byte[] value,
      Duration timeToLive,
      ReadLabel label,
      Consumer<SharedTier.Fill> verdict) {
    int outage = outages;
    if (!available) {
      verdict.accept(new SharedTier.Fill.Refused(SharedTier.Refusal.UNAVAILABLE));
      return;
    }
    CompletableFuture<SharedTier.Fill> later;
    try {
      later = shared.fillLater(key, leaseToken, value, timeToLive, label);
    } catch (SharedTierException failure) {
      later = CompletableFuture.failedFuture(failure);
    }
    var unused =
        later.whenComplete(
            (fill, failure) -> {
              if (failure instanceof SharedTierException lost) {
                lost(lost, outage);
              }
              verdict.accept(
                  failure == null
                      ? fill
                      : new SharedTier.Fill.Refused(SharedTier.Refusal.UNAVAILABLE));
            });
  }

  /** Where work goes that asks the database and that nobody waits for. */
  Background upkeep() {
    return upkeep;
  }

  void release(CacheKey key, String leaseToken) {
    attempt(() -> shared.release(key, leaseToken));
  }

  void releaseLater(CacheKey key, String leaseToken) {
    attempt(() -> shared.releaseLater(key, leaseToken));
  }

  /** Whether Redis was told where a shard's writers begin again. */
  boolean recover(String cache, int bucket, String epoch, String shard, Horizon horizon) {
    return attempt(() -> shared.recover(cache, bucket, epoch, shard, horizon));
  }

  /** How many of the cells are still in doubt; null if Redis cannot be asked. */
  @Nullable Integer sweep(
      String cache, int bucket, List<Integer> cells, String shard, Horizon horizon) {
    return ask(() -> shared.sweep(cache, bucket, cells, shard, horizon));
  }

  /** The announcements, or null if Redis may not know of them. */
  @Nullable List<SharedTier.Intent> announce(List<CacheKey> keys, SharedTier.Change change) {
    List<SharedTier.Intent> intents = ask(() -> shared.announce(keys, change));
    if (intents != null) {
      heardOwn(keys, intents);
    }
    return intents;
  }

  /** What this process itself has told is taken note of at once, and not when it comes back. */
  private void heardOwn(List<CacheKey> keys, List<SharedTier.Intent> intents) {
    Map<SharedTier.Place, List<CacheKey>> places = new LinkedHashMap<>();
    for (int i = 0; i < intents.size(); i++) {
      places.computeIfAbsent(intents.get(i).place(), unused -> new ArrayList<>()).add(keys.get(i));
    }
    places.forEach(
        (place, told) ->
            listener.invalidated(
                told.get(0).cache(), place, told.stream().mapToInt(CacheKey::hash).toArray()));
  }

  void settle(
      List<SharedTier.Settlement> settlements,
      SharedTier.Writer writer,
      @Nullable LogPosition position) {
    attempt(() -> shared.settle(settlements, writer, position));
  }

  /** Begins a new epoch of a cache; false if Redis may not have done so everywhere. */
  boolean forget(String cache) {
    return attempt(() -> shared.forget(cache));
  }

  /** Null if there was no answer. */
  private <T> @Nullable T ask(Supplier<T> operation) {
    int outage = outages;
    if (!available) {
      return null;
    }
    try {
      return operation.get();
    } catch (SharedTierException failure) {
      lost(failure, outage);
      return null;
    }
  }

  /** For operations whose loss costs no more than a load. */
  private boolean attempt(Runnable operation) {
    int outage = outages;
    if (!available) {
      return false;
    }
    try {
      operation.run();
      return true;
    } catch (SharedTierException failure) {
      lost(failure, outage);
      return false;
    }
  }

  /** Tells Redis of changes, now or, while it cannot be reached, before it is used again. */
  void announceNowOrLater(List<CacheKey> keys, SharedTier.Change change) {
    nowOrLater(
        () -> heardOwn(keys, shared.announce(keys, change)),
        () -> keys.forEach(key -> owed.add(key, change)));
  }

  /** Begins a new epoch of a cache, now or before Redis is used again. */
  void forgetNowOrLater(String cache) {
    nowOrLater(() -> shared.forget(cache), () -> owed.addAllOf(cache));
  }

  private void nowOrLater(Runnable now, Runnable later) {
    if (isAlone()) {
      return;
    }
    synchronized (lock) {
      if (!available) {
        later.run();
        return;
      }
    }
    try {
      now.run();
    } catch (SharedTierException failure) {
      synchronized (lock) {
        later.run();
      }
      // Whatever else has happened in the meantime: what is owed is paid before the next read.
      lost(failure, outages);
    }
  }

  private void lost(SharedTierException failure, int outage) {
    Duration first;
    synchronized (lock) {
      if (outage != outages || !available || closed) {
        return;
      }
      available = false;
      outages++;
      lostAt = time.nanos();
      // One that answers a look and nothing else would go and come ten times a second.
      if (lostAt - backAt >= LONGEST_PAUSE.toNanos()) {
        pause = FIRST_PAUSE;
      }
      first = nextPause();
    }
    warn(failure);
    background.after(first, this::recover);
  }

  /** The caller holds the lock. */
  private Duration nextPause() {
    Duration next = pause;
    Duration twice = next.multipliedBy(2);
    pause = twice.compareTo(LONGEST_PAUSE) < 0 ? twice : LONGEST_PAUSE;
    return next;
  }

  /** On the background thread, one at a time. */
  private void recover() {
    try {
      shared.open(listener);
      int told = 0;
      while (true) {
        Owed.Due due;
        synchronized (lock) {
          if (closed) {
            return;
          }
          if (owed.isEmpty()) {
            available = true;
            backAt = time.nanos();
            break;
          }
          due = owed.take();
        }
        try {
          due.wholeCaches().forEach(shared::forget);
          pay(due.changes());
        } catch (RuntimeException | Error unpaid) {
          synchronized (lock) {
            owed.putBack(due);
          }
          throw unpaid;
        }
        told += due.changes().size() + due.wholeCaches().size();
      }
      reportBack(told);
      // L1 is in use again as soon as it knows what it has missed.
      beatWhereDue(Duration.ZERO);
    } catch (RuntimeException failure) {
      // Any: whatever it was, giving up here would mean never to come back.
      warn(failure);
      Duration next;
      synchronized (lock) {
        next = nextPause();
      }
      background.after(next, this::recover);
    }
  }

  private void warn(RuntimeException failure) {
    synchronized (lock) {
      if (warned || closed) {
        return;
      }
      warned = true;
    }
    watcher.redisLost(name, Objects.requireNonNullElse(failure.getMessage(), failure.toString()));
    log.warn(
        "Redis at {} cannot be used ({}). Caches answer from this process and from the database until"
            + " it can; no read fails for it, writes as the caches are set. Look at the Redis server,"
            + " the network and the credentials",
        name,
        failure.getMessage());
  }

  private void reportBack(int told) {
    Duration away;
    synchronized (lock) {
      if (!warned) {
        return;
      }
      warned = false;
      away = Duration.ofNanos(time.nanos() - lostAt);
    }
    watcher.redisBack(name, away);
    log.info(
        "Redis at {} is in use again after {} ms; it was told of {} changes that it had missed",
        name,
        away.toMillis(),
        told);
  }

  private void pay(List<Owed.DueChange> changes) {
    Map<String, Map<SharedTier.Change, List<CacheKey>>> due = new LinkedHashMap<>();
    for (Owed.DueChange change : changes) {
      due.computeIfAbsent(change.key().cache(), unused -> new LinkedHashMap<>())
          .computeIfAbsent(change.change(), unused -> new ArrayList<>())
          .add(change.key());
    }
    due.values()
        .forEach(
            each -> each.forEach((change, keys) -> heardOwn(keys, shared.announce(keys, change))));
  }

  // ---- beats --------------------------------------------------------------------------------

  /** A cache that lives off this tier, and when it was last asked about. */
  private static final class Member {
    private final LocalTier<?, ?> tier;
    private final AtomicBoolean beatIsComing = new AtomicBoolean();

    /** Of the background thread. */
    private long beatenAt;

    private long usedAt;
    private boolean everBeaten;

    Member(LocalTier<?, ?> tier) {
      this.tier = tier;
    }
  }

  private void beatSoon(String cache) {
    Member member = caches.get(cache);
    if (member != null
        && available
        && member.tier.holdsEntries()
        && member.beatIsComing.compareAndSet(false, true)) {
      background.after(
          Duration.ZERO,
          () -> {
            member.beatIsComing.set(false);
            attempt(() -> beat(cache, member));
          });
    }
  }

  /**
   * Beats all caches whose last beat is older than a third of their bound: two may be late before
   * L1 is not served.
   */
  private void beatWhereDue(@Nullable Duration pause) {
    caches.forEach(
        (cache, member) -> {
          long now = time.nanos();
          if (member.tier.wasUsed() || !member.everBeaten) {
            member.usedAt = now;
          }
          boolean idle = now - member.usedAt > IDLE.toNanos();
          long due = pause == null ? member.tier.boundNanos() / 3 : pause.toNanos();
          if (member.tier.holdsEntries()
              && !idle
              && (!member.everBeaten || now - member.beatenAt >= due)) {
            attempt(() -> beat(cache, member));
          }
        });
  }

  /** On the background thread. */
  private void beat(String cache, Member member) {
    Seen seenBefore = member.tier.seen();
    long sentAt = time.nanos();
    List<SharedTier.Beat> beats = shared.beat(cache, member.tier.places());
    beats.forEach(beat -> member.tier.beaten(beat, sentAt, seenBefore));
    member.beatenAt = sentAt;
    member.everBeaten = true;
  }

  /** From the channel to the cache that is meant; caches of other services are not ours. */
  private final class Dispatch implements SharedTier.Listener {
    @Override
    public void invalidated(String cache, SharedTier.Place place, int @Nullable [] hashes) {
      Member member = caches.get(cache);
      if (member != null && member.tier.invalidated(place, hashes) == LocalTier.Heard.AFTER_A_GAP) {
        beatSoon(cache);
      }
    }

    @Override
    public void messagesMayBeLost() {
      caches.keySet().forEach(RedisTier.this::beatSoon);
    }
  }
}
