package dev.waymark.history;

import com.alicp.jetcache.Cache;
import com.alicp.jetcache.MultiLevelCache;
import com.alicp.jetcache.ProxyCache;
import com.alicp.jetcache.SimpleCacheManager;
import com.alicp.jetcache.anno.CacheType;
import com.alicp.jetcache.template.QuickConfig;
import dev.waymark.benchmarks.JetCaches;
import java.net.URI;
import java.time.Duration;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisPooled;

/**
 * Registers behind a two-level cache of JetCache, at its most careful: local entries live as long
 * as L1's bound, other processes are told, and one load per process is under way at a time.
 */
final class JetCacheRegisters extends PlainCache {
  private final JedisPooled redis;
  private final SimpleCacheManager manager;
  private final Cache<String, String> cache;

  JetCacheRegisters(CacheKind.Setting setting) {
    super(setting);
    URI address = URI.create(setting.redisUrl());
    redis =
        new JedisPooled(
            new HostAndPort(address.getHost(), address.getPort()),
            DefaultJedisClientConfig.builder()
                .connectionTimeoutMillis(250)
                .socketTimeoutMillis(250)
                .build());
    manager = JetCaches.manager(redis, "registers");
    cache =
        manager.getOrCreateCache(
            QuickConfig.newBuilder("registers")
                .cacheType(CacheType.BOTH)
                .syncLocal(true)
                .expire(Duration.ofMinutes(5))
                .localExpire(setting.bound())
                .penetrationProtect(true)
                .<String, String>loader(key -> load(Long.parseLong(key)))
                .build());
  }

  @Override
  String get(long key) {
    return cache.get(String.valueOf(key));
  }

  @Override
  void remove(long key) {
    cache.remove(String.valueOf(key));
  }

  @Override
  void put(long key, String value) {
    cache.put(String.valueOf(key), value);
  }

  /** It tells nobody: what Redis does not answer is loaded. */
  @Override
  boolean isOfRedis(RuntimeException failure) {
    return false;
  }

  @Override
  public void forgetOwnMemory() {
    Cache<?, ?> tiers = cache;
    while (tiers instanceof ProxyCache<?, ?> wrapped) {
      tiers = wrapped.getTargetCache();
    }
    Cache<?, ?> memory = ((MultiLevelCache<?, ?>) tiers).caches()[0];
    memory.unwrap(com.github.benmanes.caffeine.cache.Cache.class).invalidateAll();
  }

  @Override
  public void close() {
    manager.close();
    redis.close();
  }
}
