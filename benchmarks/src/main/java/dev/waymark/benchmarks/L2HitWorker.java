package dev.waymark.benchmarks;

import com.alicp.jetcache.CacheBuilder;
import com.alicp.jetcache.SimpleCacheManager;
import com.alicp.jetcache.anno.CacheConsts;
import com.alicp.jetcache.anno.CacheType;
import com.alicp.jetcache.redis.RedisCacheBuilder;
import com.alicp.jetcache.support.JavaValueDecoder;
import com.alicp.jetcache.support.JavaValueEncoder;
import com.alicp.jetcache.template.CacheBuilderTemplate;
import com.alicp.jetcache.template.QuickConfig;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import java.io.IOException;
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
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.redisson.Redisson;
import org.redisson.api.RBucket;
import org.redisson.api.RScript;
import org.redisson.api.RedissonClient;
import org.redisson.client.codec.ByteArrayCodec;
import org.redisson.client.codec.StringCodec;
import org.redisson.codec.TypedJsonJacksonCodec;
import org.redisson.config.Config;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisPooled;

/**
 * One JVM in which those who hit in Redis take turns in slices of {@value #CALLS} calls, in an
 * order drawn anew each time: what the machine does meanwhile meets all of them alike. Told {@code
 * redis slices}; prints a line for each contender and slice, {@code contender p50 p99 cpu bytes} in
 * nanoseconds, of the calling thread.
 *
 * <p>Redis and this JVM are put on a core each, where {@code taskset} and two cores are there: else
 * the two wait for one another as the scheduler pleases, and differently for each contender.
 */
final class L2HitWorker {
  private static final int KEYS = 1_024;
  private static final int CALLS = 200;

  private final Map<String, IntFunction<@Nullable Object>> contenders = new LinkedHashMap<>();
  private final List<AutoCloseable> opened = new ArrayList<>();

  private L2HitWorker(String url) {
    RedissonClient redisson = redisson(url);
    putOnACoreEach(redisson);
    List<RBucket<byte[]>> buckets = new ArrayList<>();
    for (int i = 0; i < KEYS; i++) {
      RBucket<byte[]> bucket = redisson.getBucket("bare:" + i, ByteArrayCodec.INSTANCE);
      // As many bytes as the codec makes of a user.
      bucket.set(new byte[60]);
      buckets.add(bucket);
    }
    contenders.put("raw", i -> buckets.get(i).get());
    contenders.put("raw2", i -> buckets.get(i).get());
    Long[] keys = new Long[KEYS];
    Arrays.setAll(keys, i -> (long) i);
    TieredCache<Long, CachedUser> waymark = waymark(url, keys);
    contenders.put("waymark", i -> waymark.get(keys[i]));
    com.alicp.jetcache.Cache<Long, CachedUser> jetCache = jetCache(url);
    for (Long key : keys) {
      jetCache.put(key, StubRows.user(key));
    }
    contenders.put("jetcache", i -> jetCache.get(keys[i]));
    List<RBucket<CachedUser>> decoded = new ArrayList<>();
    for (Long key : keys) {
      RBucket<CachedUser> bucket =
          redisson.getBucket("bucket:" + key, new TypedJsonJacksonCodec(CachedUser.class));
      bucket.set(StubRows.user(key));
      decoded.add(bucket);
    }
    contenders.put("redisson-bucket", i -> decoded.get(i).get());
    opened.add(redisson::shutdown);
  }

  public static void main(String[] arguments) throws Exception {
    L2HitWorker worker = new L2HitWorker(arguments[0]);
    worker.run(Integer.parseInt(arguments[1]));
    for (AutoCloseable each : worker.opened) {
      each.close();
    }
    System.out.println("done");
    System.exit(0);
  }

  private void run(int slices) {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    Random random = new Random(7);
    List<String> order = new ArrayList<>(contenders.keySet());
    // The first ones only warm the JVM up.
    for (int slice = -slices / 3; slice < slices; slice++) {
      Collections.shuffle(order, random);
      for (String name : order) {
        IntFunction<@Nullable Object> read = Objects.requireNonNull(contenders.get(name));
        long[] nanos = new long[CALLS];
        long thread = Thread.currentThread().getId();
        long cpu = threads.getThreadCpuTime(thread);
        long bytes = threads.getThreadAllocatedBytes(thread);
        for (int call = 0; call < CALLS; call++) {
          int key = random.nextInt(KEYS);
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

  private TieredCache<Long, CachedUser> waymark(String url, Long[] keys) {
    RedisTier tier = StubRows.connect(url);
    opened.add(tier);
    StubRows rows = new StubRows();
    TieredCache<Long, CachedUser> cache = rows.cache("l2-hit", tier).withoutL1().build();
    long giveUp = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (System.nanoTime() < giveUp) {
      long before = rows.loads();
      for (Long key : keys) {
        cache.get(key);
      }
      if (rows.loads() == before) {
        return cache;
      }
    }
    throw new IllegalStateException("Not all values are held: " + cache.condition());
  }

  private com.alicp.jetcache.Cache<Long, CachedUser> jetCache(String url) {
    URI address = URI.create(url);
    JedisPooled jedis = new JedisPooled(new HostAndPort(address.getHost(), address.getPort()));
    Map<String, CacheBuilder> shared =
        Map.of(
            CacheConsts.DEFAULT_AREA,
            RedisCacheBuilder.createRedisCacheBuilder()
                .keyConvertor(Object::toString)
                .valueEncoder(JavaValueEncoder.INSTANCE)
                .valueDecoder(JavaValueDecoder.INSTANCE)
                .jedis(jedis));
    SimpleCacheManager manager = new SimpleCacheManager();
    manager.setCacheBuilderTemplate(new CacheBuilderTemplate(false, Map.of(), shared));
    opened.add(manager::close);
    opened.add(jedis);
    return manager.getOrCreateCache(
        QuickConfig.newBuilder("remote")
            .cacheType(CacheType.REMOTE)
            .expire(Duration.ofMinutes(5))
            .build());
  }

  private static void putOnACoreEach(RedissonClient redisson) {
    String about =
        redisson
            .getScript(StringCodec.INSTANCE)
            .eval(
                RScript.Mode.READ_ONLY,
                "return string.match(redis.call('INFO', 'server'), 'process_id:(%d+)')",
                RScript.ReturnType.VALUE);
    boolean apart =
        Runtime.getRuntime().availableProcessors() > 1
            && pinned("0", about)
            && pinned("1", String.valueOf(ProcessHandle.current().pid()));
    System.out.println(apart ? "apart" : "together");
  }

  private static boolean pinned(String core, String process) {
    try {
      Process taskset =
          new ProcessBuilder("taskset", "-acp", core, process)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return taskset.waitFor(5, TimeUnit.SECONDS) && taskset.exitValue() == 0;
    } catch (IOException notThere) {
      return false;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
