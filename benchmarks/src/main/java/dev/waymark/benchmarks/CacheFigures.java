package dev.waymark.benchmarks;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.waymark.Consistency;
import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.Codec;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Figures of the cache that are no CPU time: a stampede, hit ratios, how fast changes are seen. */
final class CacheFigures {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Bench bench;
  private final boolean quick;

  private CacheFigures(Bench bench) {
    this.bench = bench;
    this.quick = bench.effort() == Effort.QUICK;
  }

  static void run(Bench bench) throws IOException {
    CacheFigures figures = new CacheFigures(bench);
    try {
      if (bench.wants("stampede")) {
        for (StampedeWorker.Contender contender : StampedeWorker.Contender.values()) {
          figures.stampede(contender);
        }
      }
      if (bench.wants("hit-ratio")) {
        figures.hitRatio();
      }
      if (bench.wants("invalidation")) {
        figures.invalidation();
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    } finally {
      bench.cores().release();
    }
  }

  private void row(String group, String contender, Metric metric, double... samples) {
    bench.summary().add(group, contender, metric, samples);
  }

  // ---- stampede -------------------------------------------------------------------------------

  /** Two JVMs, 64 threads each, one cold key, a load of {@link StampedeWorker#LOAD}. */
  private void stampede(StampedeWorker.Contender contender) {
    int rounds = quick ? 3 : 25;
    double[] alone = new double[rounds];
    double[] together = new double[rounds];
    double[] loads = new double[rounds];
    try (TestCluster cluster = bench.cores().start(TestCluster.builder().redis());
        ForkedJvm one =
            ForkedJvm.start(StampedeWorker.class, contender.name(), cluster.redis().url());
        ForkedJvm two =
            ForkedJvm.start(StampedeWorker.class, contender.name(), cluster.redis().url())) {
      expect(one, "ready");
      expect(two, "ready");
      // Both JVMs run warm first, and Redis has heard of every bucket.
      for (int round = -10; round < rounds; round++) {
        one.send("alone " + (1_000_000 + round));
        String[] single = one.readLine(PATIENCE).split(" ");
        long at = System.nanoTime() + Duration.ofMillis(150).toNanos();
        String order = "together " + (2_000_000 + round) + " " + at;
        one.send(order);
        two.send(order);
        String[] first = one.readLine(PATIENCE).split(" ");
        String[] second = two.readLine(PATIENCE).split(" ");
        if (round >= 0) {
          alone[round] = Long.parseLong(single[1]) / 1e6;
          together[round] =
              (Math.max(Long.parseLong(first[1]), Long.parseLong(second[1])) - at) / 1e6;
          loads[round] = Long.parseLong(first[0]) + Long.parseLong(second[0]);
        }
      }
    }
    // The baseline is a cache of one's own in each JVM.
    String name =
        contender == StampedeWorker.Contender.CAFFEINE
            ? Summary.RAW
            : contender.name().toLowerCase(Locale.ROOT);
    double[] shares = new double[rounds];
    Arrays.setAll(shares, round -> together[round] / alone[round]);
    row("stampede", name, Metric.LOADS, loads);
    row("stampede", name, Metric.wall("one_load_ms", "ms"), alone);
    row("stampede", name, Metric.wall("last_of_128_ms", "ms"), together);
    row("stampede", name, Metric.counted("last_over_one", "x"), shares);
  }

  private static void expect(ForkedJvm jvm, String line) {
    String said = jvm.readLine(PATIENCE);
    if (!line.equals(said)) {
      throw new IllegalStateException(jvm + " said " + said + " instead of " + line);
    }
  }

  // ---- hit ratio ------------------------------------------------------------------------------

  private void hitRatio() {
    int keys = 100_000;
    int reads = quick ? 200_000 : 3_000_000;
    for (int size : new int[] {1_000, 10_000}) {
      for (double skew : new double[] {0.8, 0.99}) {
        int[] trace = zipf(keys, skew, reads);
        Cache<Long, String> caffeine =
            Caffeine.newBuilder()
                .maximumSize(size)
                .expireAfterWrite(Duration.ofMinutes(5))
                .executor(Runnable::run)
                .build();
        long caffeineHits = 0;
        Route route = new Route("shard-1", "primary", Role.PRIMARY, Route.Reason.STRONG, 1);
        TieredCache<Long, String> ours =
            TieredCache.<Long, String>builder(
                    "trace", key -> new PositionedRead<@Nullable String>("value", route, null))
                .maximumSize(size)
                .l1TimeToLive(Duration.ofMinutes(5))
                .build();
        for (int each : trace) {
          Long key = (long) each;
          if (caffeine.getIfPresent(key) != null) {
            caffeineHits++;
          } else {
            caffeine.put(key, "value");
          }
          ours.get(key);
        }
        Metric hits = Metric.counted("hits_" + size + "_skew_" + Math.round(skew * 100), "share");
        row("hit-ratio", Summary.RAW, hits, caffeineHits / (double) reads);
        row("hit-ratio", "waymark", hits, ours.statistics().l1Hits() / (double) reads);
      }
    }
  }

  /** Keys by their rank: the i-th comes with a likelihood of 1 / i^skew. */
  private static int[] zipf(int keys, double skew, int reads) {
    double[] upTo = new double[keys];
    double sum = 0;
    for (int i = 0; i < keys; i++) {
      sum += 1 / Math.pow(i + 1, skew);
      upTo[i] = sum;
    }
    SplittableRandom random = new SplittableRandom(7);
    int[] trace = new int[reads];
    for (int i = 0; i < reads; i++) {
      int place = Arrays.binarySearch(upTo, random.nextDouble() * sum);
      trace[i] = place < 0 ? Math.min(keys - 1, -place - 1) : place;
    }
    return trace;
  }

  // ---- invalidation ---------------------------------------------------------------------------

  /**
   * How long after a commit has returned the other cache's reader gets the new value. Both live in
   * this JVM, each with a Redis client of its own, and share nothing but the servers.
   */
  private void invalidation() throws InterruptedException {
    int writes = quick ? 200 : 20_000;
    try (TestCluster cluster =
        bench.cores().start(TestCluster.builder().shards(1).replicas(1).redis())) {
      cluster
          .shard(0)
          .primary()
          .execute(
              "CREATE TABLE users (id bigint PRIMARY KEY, version bigint NOT NULL); INSERT INTO"
                  + " users SELECT id, 0 FROM generate_series(1, 100) AS id");
      try (ShardedDatabase database = ShardedDatabase.open(config(cluster.shard(0)));
          RedisTier one = StubRows.connect(cluster.redis().url());
          RedisTier two = StubRows.connect(cluster.redis().url())) {
        TieredCache<Long, Long> writing = versions(database, one);
        TieredCache<Long, Long> reading = versions(database, two);
        long[] seenAt = new long[writes + 1];
        AtomicLong awaited = new AtomicLong();
        AtomicBoolean done = new AtomicBoolean();
        Thread reader =
            new Thread(
                () -> {
                  while (!done.get()) {
                    long version = awaited.get();
                    Long seen = reading.get(7L);
                    if (seen != null
                        && version > 0
                        && seen >= version
                        && seenAt[(int) version] == 0) {
                      seenAt[(int) version] = System.nanoTime();
                    }
                  }
                });
        reader.start();
        double[] delays = new double[writes];
        for (int version = 1; version <= writes; version++) {
          long each = version;
          database.<Integer, SQLException>transaction(
              7,
              transaction -> {
                int saved = save(transaction.connection(), 7, each);
                writing.invalidate(transaction, 7L);
                return saved;
              });
          long committedAt = System.nanoTime();
          awaited.set(version);
          long giveUp = committedAt + Duration.ofSeconds(5).toNanos();
          while (seenAt[version] == 0 && System.nanoTime() < giveUp) {
            Thread.sleep(0, 100_000);
          }
          delays[version - 1] =
              seenAt[version] == 0 ? 5_000 : Math.max(0, seenAt[version] - committedAt) / 1e6;
        }
        done.set(true);
        reader.join();
        Arrays.sort(delays);
        row("invalidation", "waymark", Metric.wall("seen_p50_ms", "ms"), at(delays, 0.5));
        row("invalidation", "waymark", Metric.wall("seen_p99_ms", "ms"), at(delays, 0.99));
        row("invalidation", "waymark", Metric.wall("seen_p999_ms", "ms"), at(delays, 0.999));
        row("invalidation", "waymark", Metric.wall("seen_longest_ms", "ms"), at(delays, 1));
        row(
            "invalidation",
            "waymark",
            Metric.counted("seen_within_10_ms", "share"),
            Arrays.stream(delays).filter(delay -> delay <= 10).count() / (double) writes);
      } catch (SQLException failed) {
        throw new IllegalStateException(failed);
      }
    }
  }

  private static TieredCache<Long, Long> versions(ShardedDatabase database, RedisTier tier) {
    return TieredCache.<Long, Long>builder(
            "versions",
            key ->
                database.<@Nullable Long, SQLException>readPositioned(
                    key, Consistency.strong(), connection -> find(connection, key)))
        .redis(tier)
        .horizons(database::horizon)
        .codec(Codec.json(Long.class, 1))
        .build();
  }

  private static WaymarkConfig config(ShardServers shard) {
    ShardMap map =
        ShardMap.of(
            1,
            List.of(
                new Shard(
                    shard.name(),
                    shard.servers().stream()
                        .map(server -> new Node(server.name(), server.url()))
                        .toList())),
            List.of(new OwnedRange(new KeyRange(1, 101), shard.name())),
            List.of(new Table.Sharded("users", "id")));
    return WaymarkConfig.of(
        map, new Credentials(shard.primary().user(), shard.primary().password()));
  }

  private static int save(Connection connection, long key, long version) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE users SET version = ? WHERE id = ?")) {
      update.setLong(1, version);
      update.setLong(2, key);
      return update.executeUpdate();
    }
  }

  private static long find(Connection connection, long key) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT version FROM users WHERE id = ?")) {
      select.setLong(1, key);
      try (ResultSet answer = select.executeQuery()) {
        answer.next();
        return answer.getLong(1);
      }
    }
  }

  private static double at(double[] sorted, double share) {
    return sorted[Math.min(sorted.length - 1, (int) (sorted.length * share))];
  }
}
