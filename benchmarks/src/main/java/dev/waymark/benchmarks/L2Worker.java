package dev.waymark.benchmarks;

import com.alicp.jetcache.SimpleCacheManager;
import com.alicp.jetcache.anno.CacheType;
import com.alicp.jetcache.template.QuickConfig;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.redisson.Redisson;
import org.redisson.api.RBucket;
import org.redisson.api.RedissonClient;
import org.redisson.client.codec.ByteArrayCodec;
import org.redisson.codec.TypedJsonJacksonCodec;
import org.redisson.config.Config;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisPooled;

/**
 * One JVM in which those who hit or miss in Redis take turns in slices of {@value #CALLS} calls, in
 * an order drawn anew each time: what the machine does meanwhile meets all of them alike. Told
 * {@code redis question slices}; prints a line for each contender and slice, {@code contender p50
 * p99 cpu bytes} in nanoseconds, of the calling thread.
 */
final class L2Worker {
  private static final int KEYS = 1_024;
  private static final int CALLS = 200;
  private static final Duration LIFE = Duration.ofMinutes(5);

  /** As many bytes as the codec makes of a user. */
  private static final byte[] BYTES = new byte[60];

  private final Map<String, LongFunction<@Nullable Object>> contenders = new LinkedHashMap<>();
  private final List<AutoCloseable> opened = new ArrayList<>();

  /** What every contender is asked for. */
  enum Question {
    /** A value that Redis holds. */
    HIT {
      @Override
      long key(Random random, long number) {
        return random.nextInt(KEYS);
      }
    },
    /** A value that it does not: it is loaded from rows that cost nothing, and put there. */
    MISS {
      @Override
      long key(Random random, long number) {
        return number;
      }
    };

    /**
     * The next key.
     *
     * @param number of the call, never the same twice in one Redis
     */
    abstract long key(Random random, long number);
  }

  private L2Worker(String url, Question question) {
    RedissonClient redisson = redisson(url);
    opened.add(redisson::shutdown);
    TypedJsonJacksonCodec json = new TypedJsonJacksonCodec(CachedUser.class);
    LongFunction<RBucket<byte[]>> bytes =
        kept(key -> redisson.getBucket("bare:" + key, ByteArrayCodec.INSTANCE));
    LongFunction<RBucket<CachedUser>> users =
        kept(key -> redisson.getBucket("bucket:" + key, json));
    LongFunction<@Nullable Object> bare = key -> throughBucket(bytes.apply(key), BYTES);
    LongFunction<@Nullable Object> bucket =
        key -> throughBucket(users.apply(key), StubRows.user(key));
    StubRows rows = new StubRows();
    RedisTier tier = StubRows.connect(url);
    opened.add(tier);
    TieredCache<Long, CachedUser> waymark = rows.cache("l2", tier).withoutL1().build();
    com.alicp.jetcache.Cache<Long, CachedUser> jetCache = jetCache(url);
    contenders.put("raw", bare);
    contenders.put("raw2", bare);
    contenders.put("waymark", waymark::get);
    contenders.put("jetcache", jetCache::get);
    contenders.put("redisson-bucket", bucket);
    if (question == Question.HIT) {
      for (long key = 0; key < KEYS; key++) {
        for (LongFunction<@Nullable Object> each : contenders.values()) {
          if (each.apply(key) == null) {
            throw new IllegalStateException("There is no user " + key);
          }
        }
      }
      awaitHeld(waymark, rows);
    }
  }

  /** The buckets of the keys that are hit are made once: raw shall be as cheap as can be. */
  private static <T> LongFunction<RBucket<T>> kept(LongFunction<RBucket<T>> buckets) {
    List<RBucket<T>> kept = new ArrayList<>();
    for (long key = 0; key < KEYS; key++) {
      kept.add(buckets.apply(key));
    }
    return key -> key < KEYS ? kept.get((int) key) : buckets.apply(key);
  }

  /** What one would write: ask, and put there what was not. */
  private static <T> T throughBucket(RBucket<T> bucket, T row) {
    T found = bucket.get();
    if (found != null) {
      return found;
    }
    bucket.set(row, LIFE);
    return row;
  }

  public static void main(String[] arguments) throws Exception {
    Question question = Question.valueOf(arguments[1]);
    L2Worker worker = new L2Worker(arguments[0], question);
    worker.run(question, Integer.parseInt(arguments[2]));
    for (AutoCloseable each : worker.opened) {
      each.close();
    }
    System.out.println("done");
    System.exit(0);
  }

  private void run(Question question, int slices) {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    Random random = new Random(7);
    List<String> order = new ArrayList<>(contenders.keySet());
    // Another JVM has asked the same Redis before.
    long number = ProcessHandle.current().pid() * 1_000_000_000L;
    // The first ones only warm the JVM up.
    for (int slice = -slices / 3; slice < slices; slice++) {
      Collections.shuffle(order, random);
      for (String name : order) {
        LongFunction<@Nullable Object> read = Objects.requireNonNull(contenders.get(name));
        long[] nanos = new long[CALLS];
        long thread = Thread.currentThread().getId();
        long cpu = threads.getThreadCpuTime(thread);
        long bytes = threads.getThreadAllocatedBytes(thread);
        for (int call = 0; call < CALLS; call++) {
          long key = question.key(random, number++);
          long from = System.nanoTime();
          if (read.apply(key) == null) {
            throw new IllegalStateException(name + " has no value for " + key);
          }
          nanos[call] = System.nanoTime() - from;
        }
        bytes = threads.getThreadAllocatedBytes(thread) - bytes;
        cpu = threads.getThreadCpuTime(thread) - cpu;
        Arrays.sort(nanos);
        if (slice >= 0) {
          System.out.printf(
              Locale.ROOT,
              "%s %d %d %d %d%n",
              name,
              nanos[CALLS / 2],
              nanos[CALLS * 99 / 100],
              cpu / CALLS,
              bytes / CALLS);
        }
      }
    }
  }

  private static RedissonClient redisson(String url) {
    Config config = new Config();
    // As Waymark's own client.
    config
        .useSingleServer()
        .setAddress(url)
        .setTimeout(5_000)
        .setRetryAttempts(0)
        .setPingConnectionInterval(1_000)
        .setConnectionMinimumIdleSize(1)
        .setConnectionPoolSize(16);
    config.setThreads(2);
    config.setNettyThreads(2);
    return Redisson.create(config);
  }

  /** Until a whole round needs no load: values are sent to Redis and not waited for. */
  private static void awaitHeld(TieredCache<Long, CachedUser> cache, StubRows rows) {
    long giveUp = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (System.nanoTime() < giveUp) {
      long before = rows.loads();
      for (long key = 0; key < KEYS; key++) {
        cache.get(key);
      }
      if (rows.loads() == before) {
        return;
      }
    }
    throw new IllegalStateException("Not all values are held: " + cache.condition());
  }

  private com.alicp.jetcache.Cache<Long, CachedUser> jetCache(String url) {
    URI address = URI.create(url);
    JedisPooled jedis = new JedisPooled(new HostAndPort(address.getHost(), address.getPort()));
    SimpleCacheManager manager = JetCaches.manager(jedis, "l2");
    opened.add(manager::close);
    opened.add(jedis);
    return manager.getOrCreateCache(
        QuickConfig.newBuilder("remote")
            .cacheType(CacheType.REMOTE)
            .expire(LIFE)
            .<Long, CachedUser>loader(StubRows::user)
            .build());
  }
}
