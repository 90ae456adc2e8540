package dev.waymark.cache;

import dev.waymark.SessionToken;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;

/** Processes on one fake Redis and one fake database, for tests of what a cache offers. */
final class FakeProcesses {
  final TestTime time = new TestTime();
  final FakeRedis redis = new FakeRedis(time);
  final Rows database = new Rows();
  final AtomicReference<SessionToken> session = new AtomicReference<>(SessionToken.empty());

  FakeProcesses() {
    FakeTransaction.endAll();
  }

  /** A process' connection to Redis. */
  RedisTier tier() {
    return tier(new TestBackground());
  }

  RedisTier tier(TestBackground background) {
    RedisTier tier = new RedisTier(redis.process(), "redis://fake:6379", background, time);
    tier.start(Duration.ofSeconds(1));
    return tier;
  }

  TieredCache.Builder<Long, String> cache(RedisTier tier) {
    return TieredCache.builder("users", database)
        .redis(tier)
        .codec(new Text())
        .horizons(database::horizon)
        .sessionToken(session::get)
        .jitter(0)
        .time(time);
  }

  /** A cache in a process of its own. */
  TieredCache.Builder<Long, String> cache() {
    return cache(tier());
  }

  /** A change of a row by a transaction that says so to a cache. */
  void change(TieredCache<Long, String> cache, long key, String value) {
    FakeTransaction write = new FakeTransaction();
    cache.invalidate(write, key);
    write.beforeCommit();
    database.rows.put(key, value);
    write.end();
    write.afterCommit(Rows.at(200));
  }

  static final class Text implements Codec<String> {
    @Override
    public byte[] encode(String value) {
      if (value.startsWith("unencodable")) {
        throw new IllegalArgumentException("no bytes for this");
      }
      return value.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String decode(byte[] bytes) {
      return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public String fingerprint() {
      return "text 1";
    }
  }
}
