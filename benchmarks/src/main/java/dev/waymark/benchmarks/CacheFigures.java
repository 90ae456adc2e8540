package dev.waymark.benchmarks;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.SplittableRandom;
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
      bench.measure("stampede", figures::stampede);
      bench.measure("hit-ratio", figures::hitRatio);
      bench.measure("invalidation", figures::invalidation);
    } finally {
      bench.cores().release();
    }
  }

  private void row(String group, String contender, Metric metric, double... samples) {
    bench.summary().add(group, contender, metric, samples);
  }

  // ---- stampede -------------------------------------------------------------------------------

  /** The baseline is a cache of one's own in each JVM, and once more as the null control. */
  private void stampede() {
    stampede(Summary.RAW, StampedeWorker.Contender.CAFFEINE);
    stampede(Summary.NULL_CONTROL, StampedeWorker.Contender.CAFFEINE);
    stampede("waymark", StampedeWorker.Contender.WAYMARK);
    stampede("jetcache", StampedeWorker.Contender.JETCACHE);
    stampede("redisson", StampedeWorker.Contender.REDISSON);
  }

  /** Two JVMs, 64 threads each, one cold key, a load of {@link StampedeWorker#LOAD}. */
  private void stampede(String name, StampedeWorker.Contender contender) {
    int rounds = quick ? 3 : 10;
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
    double[] shares = new double[rounds];
    Arrays.setAll(shares, round -> together[round] / alone[round]);
    row("stampede", name, Metric.LOADS, loads);
    row("stampede", name, Metric.wall("one_load_ms", "ms"), alone);
    row("stampede", name, Metric.wall("last_of_128_ms", "ms"), together);
    row("stampede", name, Metric.wall("last_over_one", "x"), shares);
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
        Zipf zipf = new Zipf(keys, skew);
        SplittableRandom random = new SplittableRandom(7);
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
        for (int i = 0; i < reads; i++) {
          Long key = (long) zipf.next(random);
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

  // ---- invalidation ---------------------------------------------------------------------------

  /**
   * How long after a commit has returned another process' reader gets the new value, which L1 had
   * answered with the old one before.
   */
  private void invalidation() throws InterruptedException {
    int writes = quick ? 200 : 10_000;
    try (TestCluster cluster =
        bench.cores().start(TestCluster.builder().shards(1).replicas(0).redis())) {
      PostgresServer primary = cluster.shard(0).primary();
      primary.execute(
          "CREATE TABLE users (id bigint PRIMARY KEY, version bigint NOT NULL); INSERT INTO"
              + " users SELECT id, 0 FROM generate_series(1, 100) AS id");
      String shard = cluster.shard(0).name();
      try (ForkedJvm other =
              ForkedJvm.start(
                  InvalidationWorker.class,
                  cluster.redis().url(),
                  shard,
                  primary.url(),
                  primary.user(),
                  primary.password());
          ShardedDatabase database =
              ShardedDatabase.open(
                  InvalidationWorker.config(
                      shard, primary.url(), primary.user(), primary.password()));
          RedisTier tier = StubRows.connect(cluster.redis().url())) {
        TieredCache<Long, Long> versions = InvalidationWorker.versions(database, tier);
        expect(other, "ready");
        awaitHeld(other, 0);
        // Both JVMs run warm first.
        double[] delays = new double[writes];
        for (int version = 1 - Math.min(2_000, writes); version <= writes; version++) {
          long each = version + 2_000L;
          database.<Integer, SQLException>transaction(
              InvalidationWorker.KEY,
              transaction -> {
                int saved = save(transaction.connection(), InvalidationWorker.KEY, each);
                versions.invalidate(transaction, InvalidationWorker.KEY);
                return saved;
              });
          long committedAt = System.nanoTime();
          long seenAt = awaitHeld(other, each);
          if (version > 0) {
            delays[version - 1] = Math.max(0, seenAt - committedAt) / 1e6;
          }
        }
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

  /** When a version was first seen; returns once L1 holds it. */
  private static long awaitHeld(ForkedJvm other, long version) {
    long seenAt = 0;
    while (true) {
      String[] words = other.readLine(PATIENCE).split(" ");
      if (Long.parseLong(words[1]) == version) {
        if (words[0].equals("held")) {
          return seenAt;
        }
        seenAt = Long.parseLong(words[2]);
      }
    }
  }

  private static int save(Connection connection, long key, long version) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE users SET version = ? WHERE id = ?")) {
      update.setLong(1, version);
      update.setLong(2, key);
      return update.executeUpdate();
    }
  }

  private static double at(double[] sorted, double share) {
    return sorted[Math.min(sorted.length - 1, (int) (sorted.length * share))];
  }
}
