package dev.waymark.benchmarks;

import com.alicp.jetcache.SimpleCacheManager;
import com.alicp.jetcache.anno.CacheType;
import com.alicp.jetcache.template.QuickConfig;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.LoadingCache;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongFunction;
import org.redisson.Redisson;
import org.redisson.api.RLocalCachedMap;
import org.redisson.api.RedissonClient;
import org.redisson.api.map.MapLoader;
import org.redisson.api.options.LocalCachedMapOptions;
import org.redisson.codec.TypedJsonJacksonCodec;
import org.redisson.config.Config;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisPooled;

/**
 * One of the two JVMs of the stampede. Told {@code alone key} it reads a cold key once, told {@code
 * together key at} with 64 threads at the same moment of the machine's clock; it answers with the
 * loads and, alone, the nanoseconds it took, else the moment at which the last thread had its
 * value.
 */
final class StampedeWorker {
  /** What the database needs: long enough to be no noise. */
  static final Duration LOAD = Duration.ofMillis(100);

  private static final int THREADS = 64;

  private final AtomicLong loads = new AtomicLong();
  private final LongFunction<CachedUser> cache;

  /** Who is asked. */
  enum Contender {
    WAYMARK,
    CAFFEINE,
    JETCACHE,
    REDISSON
  }

  private StampedeWorker(Contender contender, String redis) {
    this.cache =
        switch (contender) {
          case WAYMARK -> waymark(redis);
          case CAFFEINE -> caffeine();
          case JETCACHE -> jetCache(redis);
          case REDISSON -> redisson(redis);
        };
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    StampedeWorker worker = new StampedeWorker(Contender.valueOf(arguments[0]), arguments[1]);
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.out.println("ready");
    for (String order = orders.readLine(); order != null; order = orders.readLine()) {
      String[] words = order.split(" ");
      long key = Long.parseLong(words[1]);
      worker.loads.set(0);
      long answer =
          words[0].equals("alone")
              ? worker.alone(key)
              : worker.together(key, Long.parseLong(words[2]));
      System.out.println(worker.loads.get() + " " + answer);
    }
    System.exit(0);
  }

  private long alone(long key) {
    long from = System.nanoTime();
    var unused = cache.apply(key);
    return System.nanoTime() - from;
  }

  private long together(long key, long at) throws InterruptedException {
    AtomicLong last = new AtomicLong(Long.MIN_VALUE);
    CountDownLatch done = new CountDownLatch(THREADS);
    for (int i = 0; i < THREADS; i++) {
      Thread thread =
          new Thread(
              () -> {
                while (System.nanoTime() < at) {
                  LockSupport.parkNanos(at - System.nanoTime());
                }
                CachedUser user = cache.apply(key);
                if (user != null && user.id() == key) {
                  last.accumulateAndGet(System.nanoTime(), Math::max);
                  done.countDown();
                }
              });
      thread.setDaemon(true);
      thread.start();
    }
    done.await();
    return last.get();
  }

  private CachedUser load(long key) {
    loads.incrementAndGet();
    // It stands for a query; the figures are ratios to it.
    LockSupport.parkNanos(LOAD.toNanos());
    return StubRows.user(key);
  }

  private LongFunction<CachedUser> waymark(String redis) {
    RedisTier tier = StubRows.connect(redis);
    TieredCache<Long, CachedUser> users =
        new StubRows().cache("stampede", tier, this::load).build();
    return users::get;
  }

  private LongFunction<CachedUser> caffeine() {
    LoadingCache<Long, CachedUser> users =
        Caffeine.newBuilder()
            .maximumSize(10_000)
            .expireAfterWrite(Duration.ofMinutes(5))
            .build(this::load);
    return users::get;
  }

  private LongFunction<CachedUser> jetCache(String redis) {
    URI address = URI.create(redis);
    SimpleCacheManager manager =
        JetCaches.manager(
            new JedisPooled(new HostAndPort(address.getHost(), address.getPort())), "stampede");
    com.alicp.jetcache.Cache<Long, CachedUser> users =
        manager.getOrCreateCache(
            QuickConfig.newBuilder("stampede")
                .cacheType(CacheType.BOTH)
                .syncLocal(true)
                .expire(Duration.ofMinutes(5))
                .penetrationProtect(true)
                .<Long, CachedUser>loader(this::load)
                .build());
    return users::get;
  }

  private LongFunction<CachedUser> redisson(String redis) {
    Config config = new Config();
    // Its commands wait for the lock that keeps others from loading: as long as it takes.
    config.useSingleServer().setAddress(redis).setTimeout(10_000);
    RedissonClient client = Redisson.create(config);
    RLocalCachedMap<Long, CachedUser> users =
        client.getLocalCachedMap(
            LocalCachedMapOptions.<Long, CachedUser>name("stampede")
                .codec(new TypedJsonJacksonCodec(Long.class, CachedUser.class))
                .loader(
                    new MapLoader<>() {
                      @Override
                      public CachedUser load(Long key) {
                        return StampedeWorker.this.load(key);
                      }

                      @Override
                      public Iterable<Long> loadAllKeys() {
                        return List.of();
                      }
                    }));
    return users::get;
  }
}
