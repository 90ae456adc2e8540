package dev.waymark.history;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.redisson.Redisson;
import org.redisson.api.RLocalCachedMap;
import org.redisson.api.RedissonClient;
import org.redisson.api.map.MapLoader;
import org.redisson.api.options.LocalCachedMapOptions;
import org.redisson.client.RedisException;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;

/**
 * Registers behind Redisson's local cached map, at its most careful: entries live as long as L1's
 * bound, the other processes' entries are invalidated, the local ones dropped after a reconnection,
 * and its loader sees to one load at a time.
 */
final class RedissonRegisters extends PlainCache {
  private final RedissonClient client;
  private final RLocalCachedMap<String, String> map;

  RedissonRegisters(CacheKind.Setting setting) {
    super(setting);
    Config config = new Config();
    // As our own cache has it: otherwise a hung Redis would hold each read for many seconds.
    config.useSingleServer().setAddress(setting.redisUrl()).setTimeout(250).setRetryAttempts(0);
    client = Redisson.create(config);
    map =
        client.getLocalCachedMap(
            LocalCachedMapOptions.<String, String>name("registers")
                .codec(StringCodec.INSTANCE)
                .timeToLive(setting.bound())
                .syncStrategy(LocalCachedMapOptions.SyncStrategy.INVALIDATE)
                .reconnectionStrategy(LocalCachedMapOptions.ReconnectionStrategy.CLEAR)
                .loader(
                    new MapLoader<>() {
                      @Override
                      public String load(String key) {
                        return RedissonRegisters.this.load(Long.parseLong(key));
                      }

                      @Override
                      public Iterable<String> loadAllKeys() {
                        return List.of();
                      }
                    }));
  }

  @Override
  String get(long key) {
    String value = map.get(String.valueOf(key));
    return value == null ? load(key) : value;
  }

  @Override
  void remove(long key) {
    map.fastRemove(String.valueOf(key));
  }

  @Override
  void put(long key, String value) {
    map.fastPut(String.valueOf(key), value);
  }

  @Override
  boolean isOfRedis(RuntimeException failure) {
    return failure instanceof RedisException;
  }

  @Override
  public void forgetOwnMemory() {
    map.clearLocalCache();
  }

  @Override
  public void close() {
    client.shutdown(0, 2, TimeUnit.SECONDS);
  }
}
