package dev.waymark.cache;

import dev.waymark.Route;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * Puts what caches do into a Micrometer registry. Build a cache with it, then let it watch the
 * cache:
 *
 * <pre>{@code
 * CacheMetrics metrics = new CacheMetrics(registry);
 * TieredCache<Long, User> users = TieredCache.builder(...).listener(metrics).build();
 * metrics.watch(users);
 * }</pre>
 *
 * <p>Tags are caches, tiers, shards, roles and reasons, never keys. Needs {@code
 * io.micrometer:micrometer-core}, which this library does not bring. Safe to share.
 */
public final class CacheMetrics implements CacheListener {
  private final MeterRegistry registry;
  private final ConcurrentMap<Loaded, Timer> loads = new ConcurrentHashMap<>();

  private record Loaded(String cache, Route route) {}

  /** Counts into a registry from now on. */
  public CacheMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  /** Adds counters and gauges of a cache: what it only counts, and how it stands. */
  public void watch(TieredCache<?, ?> cache) {
    reads(cache, "l1", CacheStatistics::l1Hits);
    reads(cache, "l2", CacheStatistics::l2Hits);
    reads(cache, "database", CacheStatistics::misses);
    gauge(cache, "waymark.cache.entries", CacheCondition::l1Entries);
    gauge(cache, "waymark.cache.loads.running", CacheCondition::loadsUnderWay);
    gauge(cache, "waymark.cache.redis.available", each -> each.redisAvailable() ? 1 : 0);
    gauge(cache, "waymark.cache.owed", CacheCondition::owed);
    gauge(cache, "waymark.cache.staleness.bound.seconds", each -> seconds(each.stalenessBound()));
    gauge(cache, "waymark.cache.channel.age.seconds", each -> seconds(each.channelAge()));
  }

  private static double seconds(@Nullable Duration duration) {
    return duration == null ? Double.NaN : duration.toNanos() / 1e9;
  }

  private void reads(
      TieredCache<?, ?> cache, String tier, ToDoubleFunction<CacheStatistics> count) {
    FunctionCounter.builder(
            "waymark.cache.reads", cache, each -> count.applyAsDouble(each.statistics()))
        .tags("cache", cache.name(), "tier", tier)
        .register(registry);
  }

  private void gauge(TieredCache<?, ?> cache, String name, ToDoubleFunction<CacheCondition> value) {
    Gauge.builder(name, cache, each -> value.applyAsDouble(each.condition()))
        .tags("cache", cache.name())
        .register(registry);
  }

  @Override
  public void loaded(String cache, Route route, long nanos) {
    loads
        .computeIfAbsent(new Loaded(cache, route), this::timerOf)
        .record(nanos, TimeUnit.NANOSECONDS);
  }

  private Timer timerOf(Loaded loaded) {
    return registry.timer(
        "waymark.cache.loads",
        Tags.of(
            "cache",
            loaded.cache,
            "shard",
            loaded.route.shard(),
            "role",
            lower(loaded.route.role()),
            "outcome",
            "loaded"));
  }

  @Override
  public void loadFailed(String cache, Throwable failure, long nanos) {
    registry
        .timer(
            "waymark.cache.loads",
            Tags.of("cache", cache, "shard", "", "role", "", "outcome", "failed"))
        .record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void loadRefused(String cache) {
    registry.counter("waymark.cache.loads.refused", "cache", cache).increment();
  }

  @Override
  public void waited(String cache, Wait reason, long nanos) {
    registry
        .timer("waymark.cache.waits", "cache", cache, "for", lower(reason))
        .record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void notKept(String cache, NotKept reason) {
    registry.counter("waymark.cache.not.kept", "cache", cache, "reason", lower(reason)).increment();
  }

  @Override
  public void unreadable(String cache) {
    registry.counter("waymark.cache.unreadable", "cache", cache).increment();
  }

  @Override
  public void redisLost(String address, String trouble) {
    registry.counter("waymark.redis.lost", "redis", address).increment();
  }

  @Override
  public void redisBack(String address, Duration away) {
    registry.timer("waymark.redis.away", "redis", address).record(away);
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
