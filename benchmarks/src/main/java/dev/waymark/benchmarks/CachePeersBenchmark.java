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

  /** Fills the caches. */
  @Setup(Level.Trial)
  public void open() {
    CaffeineCacheManager manager = new CaffeineCacheManager("users");
    manager.setCaffeine(
        Caffeine.newBuilder()
            .maximumSize(2 * KEYS)
            .expireAfterWrite(Duration.ofMinutes(5))
            .executor(Runnable::run));
    spring = manager.getCache("users");
    for (int i = 0; i < KEYS; i++) {
      keys[i] = (long) i;
      spring.put(keys[i], StubRows.user(i));
    }
  }

  /** Spring's cache over Caffeine with a time to live: called as its interceptor calls it. */
  @Benchmark
  @BenchmarkMode(Mode.AverageTime)
  public CachedUser l1Spring(CacheReadBenchmark.Calls calls) {
    Cache.ValueWrapper found = spring.get(keys[calls.next()]);
    return (CachedUser) found.get();
  }
}
