package dev.waymark.history;

import dev.waymark.history.CachedRegisters.Dawdle;
import dev.waymark.history.CachedRegisters.Rows;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import java.time.Duration;
import java.util.function.LongToIntFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Whose cache is held to the rules. */
enum CacheKind {
  WAYMARK {
    @Override
    CachedRegisters open(Setting setting) {
      return new TieredRegisters(setting);
    }
  },
  REDISSON {
    @Override
    CachedRegisters open(Setting setting) {
      return new RedissonRegisters(setting);
    }
  },
  JETCACHE {
    @Override
    CachedRegisters open(Setting setting) {
      return new JetCacheRegisters(setting);
    }
  };

  /**
   * What a cache is made from.
   *
   * @param guards which of the protocol's guards are left out, see {@link CacheGuard#leftOutBy}
   * @param withoutRedis what becomes of writes that Redis cannot be told of
   * @param session the session bound to the calling thread, null for none
   * @param bound how old an answer of the process' own memory may be
   * @param groups the group of a key, from 0 on; one way of caching may be used for each
   */
  record Setting(
      ShardedDatabase database,
      String redisUrl,
      String guards,
      WithoutRedis withoutRedis,
      Rows rows,
      Supplier<@Nullable Session> session,
      Duration bound,
      LongToIntFunction groups,
      Dawdle dawdle) {}

  abstract CachedRegisters open(Setting setting);
}
