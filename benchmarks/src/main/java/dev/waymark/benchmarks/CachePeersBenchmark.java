package dev.waymark.benchmarks;

import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.NullUnmarked;
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
import org.redisson.api.RBucket;
import org.redisson.api.RedissonClient;
import org.redisson.codec.TypedJsonJacksonCodec;
import org.redisson.config.Config;
import org.springframework.cache.Cache;
import org.springframework.cache.caffeine.CaffeineCacheManager;

/** More peers of {@link CacheReadBenchmark}, with the same keys and values. */
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
@NullUnmarked // JMH fills the fields before it calls a benchmark.
public class CachePeersBenchmark {
  private static final int KEYS = 8_192;

  private final Long[] keys = new Long[KEYS];

  private Cache spring;
  private RedissonClient redisson;
  private RBucket<CachedUser>[] buckets;

  /** Fills the caches. */
  @Setup(Level.Trial)
  @SuppressWarnings("unchecked")
  public void open() {
    CaffeineCacheManager manager = new CaffeineCacheManager("users");
    manager.setCaffeine(
        Caffeine.newBuilder()
            .maximumSize(2 * KEYS)
            .expireAfterWrite(Duration.ofMinutes(5))
            .executor(Runnable::run));
    spring = manager.getCache("users");
    Config config = new Config();
    config
        .useSingleServer()
        .setAddress(System.getProperty("bench.redis"))
        .setTimeout(250)
        .setRetryAttempts(0)
        .setConnectionMinimumIdleSize(1)
        .setConnectionPoolSize(16);
    config.setThreads(2);
    config.setNettyThreads(2);
    redisson = Redisson.create(config);
    buckets = new RBucket[KEYS];
    TypedJsonJacksonCodec codec = new TypedJsonJacksonCodec(CachedUser.class);
    for (int i = 0; i < KEYS; i++) {
      keys[i] = (long) i;
      spring.put(keys[i], StubRows.user(i));
      buckets[i] = redisson.getBucket("bucket:" + i, codec);
      buckets[i].set(StubRows.user(i));
    }
  }

  /** Closes everything. */
  @TearDown(Level.Trial)
  public void close() {
    redisson.shutdown();
  }

  /** Spring's cache over Caffeine with a time to live: called as its interceptor calls it. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public CachedUser l1Spring(CacheReadBenchmark.Calls calls) {
    Cache.ValueWrapper found = spring.get(keys[calls.next()]);
    return (CachedUser) found.get();
  }

  /** Redisson's bucket, which decodes the value as well. */
  @Benchmark
  @BenchmarkMode(Mode.SampleTime)
  public CachedUser l2RedissonBucket(CacheReadBenchmark.Calls calls) {
    return buckets[calls.next()].get();
  }
}
