package dev.waymark.benchmarks;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.TransactionSnapshot;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.Codec;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/** An idle primary that answers at once, so that only the cache is measured. */
final class StubRows {
  private static final Route ROUTE =
      new Route("shard-1", "primary", Role.PRIMARY, Route.Reason.STRONG, 1);
  private static final LogPosition POSITION = new LogPosition(42, 1, 1_000);
  private static final TransactionSnapshot IDLE = TransactionSnapshot.parse("1000:1000:");
  private static final Horizon HORIZON =
      new Horizon(999, TransactionSnapshot.parse("1000:1000:"), POSITION);

  private final AtomicLong loads = new AtomicLong();

  /** With room for a busy machine: a figure of reads that went past Redis would mean nothing. */
  static RedisTier connect(String url) {
    WaymarkConfig.Redis plain = WaymarkConfig.Redis.at(url);
    RedisTier tier =
        RedisTier.connect(
            new WaymarkConfig.Redis(
                plain.url(),
                plain.credentials(),
                plain.trustStore(),
                Duration.ofSeconds(5),
                plain.namespace()));
    long giveUp = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!tier.isAvailable()) {
      if (System.nanoTime() > giveUp) {
        throw new IllegalStateException("Redis at " + url + " cannot be used");
      }
      Thread.onSpinWait();
    }
    return tier;
  }

  /** How often it was asked. */
  long loads() {
    return loads.get();
  }

  static CachedUser user(long id) {
    return new CachedUser(id, "user " + id, "user" + id + "@example.org");
  }

  TieredCache.Builder<Long, CachedUser> cache(String name, RedisTier tier) {
    return cache(name, tier, StubRows::user);
  }

  TieredCache.Builder<Long, CachedUser> cache(
      String name, RedisTier tier, LongFunction<CachedUser> rows) {
    return TieredCache.<Long, CachedUser>builder(
            name,
            key -> {
              loads.incrementAndGet();
              return new PositionedRead<@Nullable CachedUser>(
                  rows.apply(key), ROUTE, POSITION, IDLE);
            })
        .redis(tier)
        .horizons(shard -> HORIZON)
        .codec(Codec.json(CachedUser.class, 1));
  }
}
