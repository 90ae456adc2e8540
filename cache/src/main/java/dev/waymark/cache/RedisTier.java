package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.WaymarkConfig;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Redis that several caches of a process share: connections, the channel of invalidations, and
 * what happens while Redis cannot be reached. Safe to share between threads.
 *
 * <p>Redis being down is never an error of a cache. After the first failure nobody waits for it any
 * more; a background thread looks after 1 second, then after 2, 4, 8 and every 10 seconds more,
 * whether it is back. Changes committed meanwhile are remembered, and Redis is told of them before
 * this process uses it again. Going down is logged once as a warning, coming back once as
 * information.
 */
public final class RedisTier implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(RedisTier.class);

  /** How long connecting may delay the start of the service. */
  private static final Duration PATIENCE_AT_START = Duration.ofSeconds(1);

  private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);

  /** About 2 MB when full. More than this at once is better dropped as a whole. */
  private static final int MAXIMUM_OWED = 10_000;

  private final SharedTier shared;
  private final String name;
  private final Background background;
  private final Time time;
  private final Map<String, InvalidationListener> caches = new ConcurrentHashMap<>();
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

  private boolean warned;
  private boolean closed;
  private long lostAt;
  private Duration pause = FIRST_PAUSE;

  RedisTier(SharedTier shared, String name, Background background, Time time) {
    this.shared = shared;
    this.name = name;
    this.background = background;
    this.time = time;
    this.lostAt = time.nanos();
  }

  /**
   * Connects to Redis; returns after 1 second at most, whether or not it could be reached.
   *
   * @throws IllegalArgumentException if the trust store cannot be read
   */
  public static RedisTier connect(WaymarkConfig.Redis settings) {
    RedisTier tier =
        new RedisTier(
            new RedissonTier(settings),
            settings.url(),
            Background.thread("waymark-cache-redis"),
            Time.system());
    tier.start(PATIENCE_AT_START);
    return tier;
  }

  /** For a cache that has only L1. */
  static RedisTier none() {
    RedisTier tier = new RedisTier(SharedTier.NONE, "none", Background.NONE, Time.system());
    tier.available = true;
    return tier;
  }

  /** Whether Redis is in use at this moment. */
  public boolean isAvailable() {
    return available;
  }

  /**
   * Ends all connections and threads. Caches that still use this tier go on with L1 and the
   * database.
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

  void register(String cache, InvalidationListener tier) {
    if (caches.putIfAbsent(cache, tier) != null) {
      throw new IllegalArgumentException(
          "There is already a cache named '"
              + cache
              + "' on "
              + this
              + "; two with one name would not hear of each other's changes");
    }
  }

  SharedTier.Lookup read(CacheKey key, String leaseToken, SharedTier.Asking asking) {
    int outage = outages;
    if (!available) {
      return new SharedTier.Lookup.Unavailable();
    }
    try {
      return shared.read(key, leaseToken, asking);
    } catch (SharedTierException failure) {
      lost(failure, outage);
      return new SharedTier.Lookup.Unavailable();
    }
  }

  /** Whether the value is now in Redis. */
  boolean fill(
      CacheKey key,
      String leaseToken,
      byte[] value,
      Duration timeToLive,
      Role role,
      @Nullable LogPosition position) {
    int outage = outages;
    if (!available) {
      return false;
    }
    try {
      return shared.fill(key, leaseToken, value, timeToLive, role, position)
          == SharedTier.Fill.STORED;
    } catch (SharedTierException failure) {
      lost(failure, outage);
      return false;
    }
  }

  void release(CacheKey key, String leaseToken) {
    attempt(() -> shared.release(key, leaseToken));
  }

  void withdraw(List<CacheKey> keys, String writer) {
    attempt(() -> shared.withdraw(keys, writer));
  }

  /** Whether Redis knows of the announcement. If not, the change is made all the same. */
  boolean announce(List<CacheKey> keys, String writer, String intent) {
    return attempt(() -> shared.announce(keys, writer, intent));
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

  /**
   * Tells Redis of changes, now or, while it cannot be reached, before it is used again.
   *
   * @return for each settlement whether its new value was put
   */
  List<Boolean> settle(List<SharedTier.Settlement> settlements) {
    synchronized (lock) {
      if (!available) {
        owe(settlements);
        return settlements.stream().map(settlement -> false).toList();
      }
    }
    try {
      return shared.settle(settlements);
    } catch (SharedTierException failure) {
      synchronized (lock) {
        owe(settlements);
      }
      // Whatever else has happened in the meantime: what is owed is paid before the next read.
      lost(failure, outages);
      return settlements.stream().map(settlement -> false).toList();
    }
  }

  private void owe(List<SharedTier.Settlement> settlements) {
    for (SharedTier.Settlement settlement : settlements) {
      owed.add(settlement.key(), settlement.position());
    }
  }

  private void lost(SharedTierException failure, int outage) {
    synchronized (lock) {
      if (outage != outages || !available || closed) {
        return;
      }
      available = false;
      outages++;
      lostAt = time.nanos();
      pause = FIRST_PAUSE.multipliedBy(2);
    }
    warn(failure);
    // What other processes change from here on may not be heard of.
    forgetL1();
    background.after(FIRST_PAUSE, this::recover);
  }

  /** On the background thread, one at a time. */
  private void recover() {
    try {
      shared.open(listener);
      // What was missed while the channel was cut goes before anything new is kept.
      forgetL1();
      int told = 0;
      while (true) {
        Owed.Due due;
        synchronized (lock) {
          if (closed) {
            return;
          }
          if (owed.isEmpty()) {
            available = true;
            break;
          }
          due = owed.due();
        }
        due.wholeCaches().forEach(shared::forget);
        shared.settle(due.settlements());
        told += due.settlements().size() + due.wholeCaches().size();
        synchronized (lock) {
          owed.done(due);
        }
      }
      reportBack(told);
    } catch (RuntimeException failure) {
      // Any: whatever it was, giving up here would mean never to come back.
      warn(failure);
      Duration next;
      synchronized (lock) {
        next = pause;
        pause =
            pause.multipliedBy(2).compareTo(LONGEST_PAUSE) < 0
                ? pause.multipliedBy(2)
                : LONGEST_PAUSE;
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
    log.warn(
        "Redis at {} cannot be used ({}). Caches answer from this process and from the database until"
            + " it can; no call fails for it. Look at the Redis server, the network and the"
            + " credentials",
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
    log.info(
        "Redis at {} is in use again after {} ms; it was told of {} changes that it had missed",
        name,
        away.toMillis(),
        told);
  }

  private void forgetL1() {
    caches.values().forEach(InvalidationListener::everythingInvalidated);
  }

  /** From the channel to the cache that is meant; caches of other services are not ours. */
  private final class Dispatch implements SharedTier.Listener {
    @Override
    public void invalidated(String cache, int hash) {
      InvalidationListener tier = caches.get(cache);
      if (tier != null) {
        tier.invalidated(hash);
      }
    }

    @Override
    public void everythingInvalidated(String cache) {
      InvalidationListener tier = caches.get(cache);
      if (tier != null) {
        tier.everythingInvalidated();
      }
    }

    @Override
    public void messagesMayBeLost() {
      forgetL1();
    }
  }
}
