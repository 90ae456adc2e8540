package dev.waymark.benchmarks;

import com.alicp.jetcache.SimpleCacheManager;
import com.alicp.jetcache.anno.CacheType;
import com.alicp.jetcache.template.QuickConfig;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.NullUnmarked;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.redisson.Redisson;
import org.redisson.api.RLocalCachedMap;
import org.redisson.api.RedissonClient;
import org.redisson.api.options.LocalCachedMapOptions;
import org.redisson.codec.TypedJsonJacksonCodec;
import org.redisson.config.Config;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisPooled;

/**
 * What a hit in L1 costs. All contenders hold the same {@value #KEYS} small values; all but the
 * bare Caffeine keep them in one Redis as well.
 */
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
@NullUnmarked // JMH fills the fields before it calls a benchmark.
public class CacheReadBenchmark {
  private static final int KEYS = 8_192;

  private final Long[] keys = new Long[KEYS];

  private Cache<Long, CachedUser> caffeine;
  private RedisTier tier;
  private TieredCache<Long, CachedUser> twoTiers;
  private RedissonClient redisson;
  private RLocalCachedMap<Long, CachedUser> localCached;
  private JedisPooled jedis;
  private SimpleCacheManager jetCaches;
  private com.alicp.jetcache.Cache<Long, CachedUser> jetBoth;

  /** The key of each operation, and what the thread has used of the processor. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.EVENTS)
  public static class Calls {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** Nanoseconds of the processor in this iteration. */
    public long cpuNanos;

    /** Operations in this iteration. */
    public long operations;

    private long cpuBefore;
    private int next;

    /** Starts the iteration's clock. */
    @Setup(Level.Iteration)
    public void begin() {
      operations = 0;
      cpuBefore = THREADS.getCurrentThreadCpuTime();
    }

    /** Reads the iteration's clock. */
    @TearDown(Level.Iteration)
    public void end() {
      cpuNanos = THREADS.getCurrentThreadCpuTime() - cpuBefore;
    }

    int next() {
      operations++;
      // Through all keys in an order that no prefetcher guesses.
      next = (next * 1_664_525 + 1_013_904_223) & (KEYS - 1);
      return next;
    }
  }

  /** Fills the caches. */
  @Setup(Level.Trial)
  public void open() {
    String url = System.getProperty("bench.redis");
    caffeine =
        Caffeine.newBuilder()
            .maximumSize(2 * KEYS)
            .expireAfterWrite(Duration.ofMinutes(5))
            .executor(Runnable::run)
            .build();
    StubRows rows = new StubRows();
    tier = StubRows.connect(url);
    twoTiers =
        rows.cache("two-tiers", tier)
            .maximumSize(2 * KEYS)
            .l1TimeToLive(Duration.ofMinutes(5))
            .build();
    Config config = new Config();
    config
        .useSingleServer()
        .setAddress(url)
        .setTimeout(250)
        .setRetryAttempts(0)
        .setConnectionMinimumIdleSize(1)
        .setConnectionPoolSize(16);
    config.setThreads(2);
    config.setNettyThreads(2);
    redisson = Redisson.create(config);
    localCached =
        redisson.getLocalCachedMap(
            LocalCachedMapOptions.<Long, CachedUser>name("local-cached")
                .codec(new TypedJsonJacksonCodec(Long.class, CachedUser.class))
                .cacheSize(2 * KEYS)
                .timeToLive(Duration.ofMinutes(5)));
    openJetCache(url);
    for (int i = 0; i < KEYS; i++) {
      Long key = (long) i;
      keys[i] = key;
      CachedUser user = StubRows.user(key);
      caffeine.put(key, user);
      localCached.fastPut(key, user);
      jetBoth.put(key, user);
    }
    warm(rows, twoTiers);
  }

  /** Until a whole round needs no load: values are sent to Redis and not waited for. */
  private void warm(StubRows rows, TieredCache<Long, CachedUser> cache) {
    for (int round = 0; round < 50; round++) {
      long before = rows.loads();
      for (Long key : keys) {
        cache.get(key);
      }
      if (rows.loads() == before) {
        return;
      }
    }
    throw new IllegalStateException(
        "Not all values are held, so the figures would be of misses: " + cache.condition());
  }

  private void openJetCache(String url) {
    URI address = URI.create(url);
    jedis =
        new JedisPooled(
            new HostAndPort(address.getHost(), address.getPort()),
            DefaultJedisClientConfig.builder().socketTimeoutMillis(250).build());
    jetCaches = JetCaches.manager(jedis, "bench");
    jetBoth =
        jetCaches.getOrCreateCache(
            QuickConfig.newBuilder("both")
                .cacheType(CacheType.BOTH)
                .syncLocal(true)
                .localLimit(2 * KEYS)
                .expire(Duration.ofMinutes(5))
                .build());
  }

  /** Closes everything. */
  @TearDown(Level.Trial)
  public void close() {
    jetCaches.close();
    jedis.close();
    redisson.shutdown();
    tier.close();
  }

  // ---- L1: thread CPU time and bytes ---------------------------------------------------------

  /** The baseline: Caffeine with a time to live. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public @Nullable CachedUser l1Caffeine(Calls calls) {
    return caffeine.getIfPresent(keys[calls.next()]);
  }

  /** The null control. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public @Nullable CachedUser l1Caffeine2(Calls calls) {
    return caffeine.getIfPresent(keys[calls.next()]);
  }

  /** Waymark's L1 over Redis: each hit checks stamp, proof and life. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public @Nullable CachedUser l1Waymark(Calls calls) {
    return twoTiers.get(keys[calls.next()]);
  }

  /** Redisson's local cached map. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public CachedUser l1Redisson(Calls calls) {
    return localCached.get(keys[calls.next()]);
  }

  /** JetCache with two levels. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public CachedUser l1JetCache(Calls calls) {
    return jetBoth.get(keys[calls.next()]);
  }
}
