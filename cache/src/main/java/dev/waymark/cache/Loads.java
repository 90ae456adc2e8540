package dev.waymark.cache;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.waymark.KeyRendering;
import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.PositionedRead;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Asks the database: within limits, counted, timed. Shared between threads. */
final class Loads<K, V> {
  private static final int STRIPES = 256;

  private final String cache;
  private final KeyForm<K> keys;
  private final KeyRendering rendering;
  private final LoadLimit<K> limit;
  private final Counters counters;
  private final CacheListener listener;
  private final Time time;

  /** What a loader has thrown lately; null where that is not remembered. */
  private final @Nullable Cache<K, RuntimeException> failures;

  /**
   * Counts the changes of each stripe of keys: what a load threw is not remembered if its key may
   * have changed since it began.
   */
  private final AtomicIntegerArray changes = new AtomicIntegerArray(STRIPES);

  private final Consumer<LogPosition> told;

  /** Moves an eighth of the way with each load. A lost update costs nothing. */
  private volatile long typicalNanos;

  Loads(
      String cache,
      KeyForm<K> keys,
      KeyRendering rendering,
      LoadLimit<K> limit,
      Duration failureTimeToLive,
      Counters counters,
      CacheListener listener,
      Consumer<LogPosition> told,
      Time time) {
    this.told = told;
    this.cache = cache;
    this.keys = keys;
    this.rendering = rendering;
    this.limit = limit;
    this.counters = counters;
    this.listener = listener;
    this.time = time;
    this.failures =
        failureTimeToLive.isZero()
            ? null
            : Caffeine.newBuilder()
                .maximumSize(1_000)
                .expireAfterWrite(failureTimeToLive)
                .ticker(time::nanos)
                .executor(Runnable::run)
                .build();
  }

  private interface Work<R extends PositionedRead<?>> {
    R run() throws Exception;
  }

  /** One key. */
  PositionedRead<@Nullable V> load(Loader<K, V> from, K key) {
    if (failures != null) {
      RuntimeException before = failures.getIfPresent(key);
      if (before != null) {
        throw before;
      }
    }
    Work<PositionedRead<@Nullable V>> work = () -> from.load(key);
    int before = changes.get(stripe(key));
    try {
      return within(key, "key " + render(key), work);
    } catch (RuntimeException failure) {
      // Whoever got no turn has not asked anybody.
      if (failures != null && !isOfTheLimit(failure)) {
        failures.put(key, failure);
        if (changes.get(stripe(key)) != before) {
          failures.invalidate(key);
        }
      }
      throw failure;
    }
  }

  private static int stripe(Object key) {
    int hash = key.hashCode();
    return (hash ^ hash >>> 16) & (STRIPES - 1);
  }

  private static boolean isOfTheLimit(RuntimeException failure) {
    return failure instanceof WaymarkException ours && ours.outcome() == Outcome.NOT_SENT;
  }

  /** Many keys of one shard. */
  Map<K, PositionedRead<@Nullable V>> loadAll(BulkLoader<K, V> from, List<K> wanted) {
    PositionedRead<Map<K, V>> read =
        within(wanted.get(0), wanted.size() + " keys", () -> from.loadAll(wanted));
    Objects.requireNonNull(read.value(), "A bulk loader returns a map, empty for no values");
    Map<K, PositionedRead<@Nullable V>> each = new HashMap<>();
    for (K key : wanted) {
      each.put(key, partOf(read, read.value().get(key)));
    }
    return each;
  }

  // Only NullAway's JSpecify mode knows that the value of a PositionedRead may be null.
  @SuppressWarnings("NullAway")
  private static <V> PositionedRead<@Nullable V> partOf(
      PositionedRead<?> whole, @Nullable V value) {
    return new PositionedRead<>(
        value, whole.route(), whole.position(), whole.snapshot(), whole.mark());
  }

  private <R extends PositionedRead<?>> R within(K key, String what, Work<R> work) {
    LoadLimit<K>.Place place;
    try {
      place = limit.enter(key, this::render);
    } catch (WaymarkException refused) {
      counters.loadsRefused.increment();
      listener.loadRefused(cache);
      throw refused;
    }
    try {
      if (place.waited() > 0) {
        listener.waited(cache, CacheListener.Wait.LOAD_LIMIT, place.waited());
      }
      return timed(what, work);
    } finally {
      place.leave();
    }
  }

  private <R extends PositionedRead<?>> R timed(String what, Work<R> work) {
    counters.loads.increment();
    long began = time.nanos();
    try {
      R loaded = work.run();
      Objects.requireNonNull(
          loaded, "A loader returns a PositionedRead, with null inside for no value");
      long nanos = time.nanos() - began;
      long typical = typicalNanos;
      typicalNanos = typical + (nanos - typical) / 8;
      LogPosition position = loaded.position();
      if (position != null) {
        told.accept(position);
      }
      listener.loaded(cache, loaded.route(), nanos);
      return loaded;
    } catch (RuntimeException | Error failure) {
      failed(failure, began);
      throw failure;
    } catch (Exception failure) {
      failed(failure, began);
      if (failure instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      throw new WaymarkException(
          "Cache "
              + cache
              + " could not load "
              + what
              + ": "
              + failure
              + ". Nothing was cached; see the cause, then the call may be repeated.",
          Outcome.REJECTED,
          failure);
    }
  }

  private void failed(Throwable failure, long began) {
    counters.loadFailures.increment();
    listener.loadFailed(cache, failure, time.nanos() - began);
  }

  private String render(K key) {
    return keys.render(key, rendering);
  }

  /** A key has changed: what its load threw before may be over. */
  void forgetFailure(K key) {
    if (failures != null) {
      changes.incrementAndGet(stripe(key));
      failures.invalidate(key);
    }
  }

  void forgetFailures() {
    if (failures != null) {
      for (int i = 0; i < STRIPES; i++) {
        changes.incrementAndGet(i);
      }
      failures.invalidateAll();
    }
  }

  /** How long a load takes, about; zero before the first. */
  Duration typical() {
    return Duration.ofNanos(typicalNanos);
  }

  int underWay() {
    return limit.underWay();
  }
}
