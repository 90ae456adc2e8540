package dev.waymark.history;

import dev.waymark.history.CachedRegisters.Dawdle;
import dev.waymark.history.CachedRegisters.Rows;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import java.time.Duration;
import java.util.function.LongPredicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Whose cache is held to the rules. */
enum CacheKind {
  WAYMARK {
    @Override
    CachedRegisters open(Setting setting) {
      return TieredRegisters.open(setting);
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
   * @param guards which of the protocol's guards are in force
   * @param session the session bound to the calling thread, null for none
   * @param bound how old an answer of the process' own memory may be
   * @param isStrict the keys that are loaded from the primary
   */
  record Setting(
      ShardedDatabase database,
      String redisUrl,
      String guards,
      Rows rows,
      Supplier<@Nullable Session> session,
      Duration bound,
      LongPredicate isStrict,
      Dawdle dawdle) {}

  abstract CachedRegisters open(Setting setting);
}
