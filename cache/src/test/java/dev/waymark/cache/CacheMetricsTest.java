package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Role;
import dev.waymark.Route;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class CacheMetricsTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final CacheMetrics metrics = new CacheMetrics(registry);
  private final TestTime time = new TestTime();
  private final Rows database = new Rows();

  @Test
  void readsAreCountedByTier() {
    TieredCache<Long, String> cache = cache();
    cache.get(7L);
    cache.get(7L);
    cache.get(7L);
    assertThat(reads("l1")).isEqualTo(2);
    assertThat(reads("l2")).isZero();
    assertThat(reads("database")).isEqualTo(1);
  }

  @Test
  void loadsAreTimedByShardRoleAndOutcome() {
    Route route = new Route("shard-1", "a", Role.REPLICA, Route.Reason.REPLICA_IS_FRESH, 1);
    metrics.loaded("users", route, 3_000_000);
    metrics.loaded("users", route, 5_000_000);
    metrics.loadFailed("users", new IllegalStateException(), 1_000_000);
    var loaded = registry.get("waymark.cache.loads").tags("shard", "shard-1", "role", "replica");
    assertThat(loaded.timer().count()).isEqualTo(2);
    assertThat(loaded.timer().totalTime(TimeUnit.MILLISECONDS)).isEqualTo(8);
    assertThat(registry.get("waymark.cache.loads").tag("outcome", "failed").timer().count())
        .isEqualTo(1);
  }

  @Test
  void whatGoesWrongIsCountedWithItsReason() {
    metrics.loadRefused("users");
    metrics.waited("users", CacheListener.Wait.LEASE, 5_000_000);
    metrics.notKept("users", CacheListener.NotKept.IN_DOUBT);
    metrics.unreadable("users");
    metrics.redisLost("redis://a:6379", "no answer");
    metrics.redisBack("redis://a:6379", Duration.ofSeconds(3));
    assertThat(registry.get("waymark.cache.loads.refused").counter().count()).isEqualTo(1);
    assertThat(registry.get("waymark.cache.waits").tag("for", "lease").timer().count())
        .isEqualTo(1);
    assertThat(registry.get("waymark.cache.not.kept").tag("reason", "in_doubt").counter().count())
        .isEqualTo(1);
    assertThat(registry.get("waymark.cache.unreadable").counter().count()).isEqualTo(1);
    assertThat(registry.get("waymark.redis.lost").counter().count()).isEqualTo(1);
    assertThat(registry.get("waymark.redis.away").timer().totalTime(TimeUnit.SECONDS)).isEqualTo(3);
  }

  @Test
  void gaugesShowTheCacheAsItStands() {
    TieredCache<Long, String> cache = cache();
    cache.get(7L);
    assertThat(gauge("waymark.cache.entries")).isEqualTo(1);
    assertThat(gauge("waymark.cache.loads.running")).isZero();
    assertThat(gauge("waymark.cache.redis.available")).isZero();
    assertThat(gauge("waymark.cache.staleness.bound.seconds")).isEqualTo(4);
    // There is no channel without Redis.
    assertThat(gauge("waymark.cache.channel.age.seconds")).isNaN();
  }

  private TieredCache<Long, String> cache() {
    database.rows.put(7L, "seven");
    TieredCache<Long, String> cache =
        TieredCache.builder("users", database)
            .l1TimeToLive(Duration.ofSeconds(4))
            .listener(metrics)
            .time(time)
            .build();
    metrics.watch(cache);
    return cache;
  }

  private double reads(String tier) {
    return registry.get("waymark.cache.reads").tag("tier", tier).functionCounter().count();
  }

  private double gauge(String name) {
    return registry.get(name).tag("cache", "users").gauge().value();
  }
}
