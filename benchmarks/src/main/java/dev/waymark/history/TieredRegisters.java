package dev.waymark.history;

import dev.waymark.Consistency;
import dev.waymark.PositionedRead;
import dev.waymark.SessionToken;
import dev.waymark.Transaction;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.CacheAnswer;
import dev.waymark.cache.Codec;
import dev.waymark.cache.Loader;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.history.Operation.Kind;
import dev.waymark.routing.Session;
import java.sql.SQLException;
import java.util.function.LongPredicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Registers behind Waymark's cache: those of one half of the keys are loaded from the primary, so
 * that everything but L1 is linearizable; those of the other half from replicas, and put by their
 * writers.
 */
final class TieredRegisters implements CachedRegisters {
  private final RedisTier redis;
  private final TieredCache<Long, Register> strict;
  private final TieredCache<Long, Register> fresh;
  private final LongPredicate isStrict;

  private TieredRegisters(
      RedisTier redis,
      TieredCache<Long, Register> strict,
      TieredCache<Long, Register> fresh,
      LongPredicate isStrict) {
    this.redis = redis;
    this.strict = strict;
    this.fresh = fresh;
    this.isStrict = isStrict;
  }

  static TieredRegisters open(CacheKind.Setting setting) {
    RedisTier redis = RedisTier.connect(WaymarkConfig.Redis.at(setting.redisUrl()));
    return new TieredRegisters(
        redis,
        cache("strict", Consistency.strong(), redis, setting).build(),
        cache("fresh", Consistency.session(), redis, setting).writeThrough().build(),
        setting.isStrict());
  }

  private static TieredCache.Builder<Long, Register> cache(
      String name, Consistency consistency, RedisTier redis, CacheKind.Setting setting) {
    Supplier<SessionToken> token =
        () -> {
          Session session = setting.session().get();
          return session == null ? SessionToken.empty() : session.seen();
        };
    return TieredCache.<Long, Register>builder(name, loader(setting, consistency))
        .redis(redis)
        .codec(Codec.json(Register.class, 1))
        .sessionToken(token)
        .l1TimeToLive(setting.bound());
  }

  private static Loader<Long, Register> loader(CacheKind.Setting setting, Consistency consistency) {
    return key -> {
      PositionedRead<@Nullable Register> loaded =
          setting
              .database()
              .<@Nullable Register, SQLException>readPositioned(
                  key, consistency, connection -> setting.rows().read(connection, key));
      setting.dawdle().dawdle();
      return loaded;
    };
  }

  @Override
  public Seen read(long key) {
    CacheAnswer<Register> answer = cacheOf(key).lookup(key);
    Kind kind =
        switch (answer.tier()) {
          case L1 -> Kind.L1_READ;
          case L2 -> Kind.L2_READ;
          case DATABASE -> isStrict.test(key) ? Kind.LOADED_READ : Kind.LOADED_FRESH_READ;
        };
    return new Seen(CachedRegisters.orAbsent(answer.value()), kind);
  }

  @Override
  public void changed(Transaction transaction, long key, Register register, Change change) {
    switch (change) {
      case INVALIDATE -> cacheOf(key).invalidate(transaction, key);
      case PUT -> cacheOf(key).put(transaction, key, register);
    }
  }

  private TieredCache<Long, Register> cacheOf(long key) {
    return isStrict.test(key) ? strict : fresh;
  }

  @Override
  public boolean isUp() {
    return redis.isAvailable();
  }

  @Override
  public void forgetOwnMemory() {
    strict.flushL1();
    fresh.flushL1();
  }

  @Override
  public void close() {
    redis.close();
  }
}
