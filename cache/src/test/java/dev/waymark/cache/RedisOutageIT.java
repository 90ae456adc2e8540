package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.Credentials;
import dev.waymark.Outcome;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What happens when a real Redis goes, hangs, comes back or does not let us in. */
@Timeout(180)
class RedisOutageIT {
  private static final Duration BACK = Duration.ofSeconds(30);
  private static TestCluster cluster;

  private final Threads threads = new Threads();
  private final Rows database = new Rows();
  private final List<RedisTier> tiers = new ArrayList<>();
  private LogWatch log;

  @BeforeAll
  static void startServers() {
    cluster = TestCluster.builder().redis().start();
  }

  @AfterAll
  static void stopServers() {
    cluster.close();
  }

  @BeforeEach
  void start() {
    log = new LogWatch();
    cluster.redis().flush();
    database.rows.put(7L, "old");
  }

  @AfterEach
  void stop() {
    tiers.forEach(RedisTier::close);
    log.close();
    threads.assertNoneLeft();
  }

  private RedisTier connect(WaymarkConfig.Redis settings) {
    RedisTier tier = RedisTier.connect(settings);
    tiers.add(tier);
    return tier;
  }

  private static WaymarkConfig.Redis settings() {
    return at(cluster.redis().port());
  }

  /** With room for a busy machine. */
  private static WaymarkConfig.Redis at(int port) {
    WaymarkConfig.Redis plain = WaymarkConfig.Redis.at("redis://127.0.0.1:" + port);
    return new WaymarkConfig.Redis(
        plain.url(),
        plain.credentials(),
        plain.trustStore(),
        Duration.ofSeconds(2),
        plain.namespace());
  }

  private RedisTier connected(WaymarkConfig.Redis settings) {
    RedisTier tier = connect(settings);
    await().atMost(BACK).until(tier::isAvailable);
    return tier;
  }

  private TieredCache<Long, String> cache(RedisTier tier) {
    return builder(tier).commitWithoutRedis().build();
  }

  private TieredCache.Builder<Long, String> builder(RedisTier tier) {
    return TieredCache.builder("users", database)
        .redis(tier)
        .codec(Codec.json(String.class, 1))
        .horizons(database::horizon)
        .l1TimeToLive(Duration.ofMinutes(1));
  }

  private void change(TieredCache<Long, String> by, String value, long lsn) {
    FakeTransaction write = new FakeTransaction();
    by.invalidate(write, 7L);
    write.beforeCommit();
    database.rows.put(7L, value);
    database.position = Rows.at(lsn);
    write.afterCommit(Rows.at(lsn));
  }

  @Test
  void startsWhileRedisIsDownAndUsesItWhenItComes() {
    cluster.redis().kill();
    try {
      RedisTier tier = connect(settings());
      TieredCache<Long, String> cache = cache(tier);
      assertThat(cache.get(7L)).isEqualTo("old");
      change(cache, "new", 200);
      assertThat(cache.get(7L)).isEqualTo("new");
      assertThat(tier.isAvailable()).isFalse();
      await().until(() -> log.warnings().size() == 1);
      cluster.redis().start();
      await().atMost(BACK).until(tier::isAvailable);
      cache.flushL1();
      assertThat(cache.get(7L)).isEqualTo("new");
      cache.flushL1();
      assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
      assertThat(log.warnings()).hasSize(1);
      await().until(() -> log.information().size() == 1);
    } finally {
      if (!cluster.redis().isRunning()) {
        cluster.redis().start();
      }
    }
  }

  @Test
  void killAndRestartInUseIsNoErrorAndWarnedOfOnce() throws Exception {
    RedisTier tier = connected(settings());
    RedisTier other = connected(settings());
    TieredCache<Long, String> cache = cache(tier);
    TieredCache<Long, String> elsewhere = cache(other);
    AtomicBoolean goOn = new AtomicBoolean(true);
    ExecutorService readers = Executors.newFixedThreadPool(4);
    List<Future<Integer>> counts = new ArrayList<>();
    try {
      for (int i = 0; i < 4; i++) {
        counts.add(
            readers.submit(
                () -> {
                  int reads = 0;
                  while (goOn.get()) {
                    assertThat(cache.get(7L)).isIn("old", "new");
                    cache.get((long) reads % 50);
                    reads++;
                  }
                  return reads;
                }));
      }
      await().until(() -> cache.statistics().l1Hits() > 100);
      cluster.redis().kill();
      // Who does not ask does not notice: each process asks for a key that no L1 has.
      assertThat(elsewhere.get(8L)).isNull();
      await().until(() -> !tier.isAvailable() && !other.isAvailable());
      change(cache, "new", 200);
      assertThat(cache.get(7L)).isEqualTo("new");
      cluster.redis().start();
      await().atMost(BACK).until(() -> tier.isAvailable() && other.isAvailable());
      assertThat(elsewhere.get(7L)).isEqualTo("new");
    } finally {
      goOn.set(false);
      readers.shutdown();
      assertThat(readers.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
      if (!cluster.redis().isRunning()) {
        cluster.redis().start();
      }
    }
    for (Future<Integer> count : counts) {
      assertThat(count.get()).isPositive();
    }
    // One for each of the two tiers.
    await().until(() -> log.information().size() == 2);
    assertThat(log.warnings()).hasSize(2);
    change(elsewhere, "newer", 300);
    await().untilAsserted(() -> assertThat(cache.get(7L)).isEqualTo("newer"));
  }

  @Test
  void frozenRedisCostsAboutOneTimeoutAndThenNothing() {
    // The defaults: 250 ms.
    RedisTier tier = connected(WaymarkConfig.Redis.at(cluster.redis().url()));
    TieredCache<Long, String> cache = cache(tier);
    cache.get(7L);
    cluster.redis().freeze();
    try {
      cache.flushL1();
      long start = System.nanoTime();
      assertThat(cache.get(7L)).isEqualTo("old");
      for (long key = 1000; key < 1200; key++) {
        cache.get(key);
      }
      change(cache, "new", 200);
      assertThat(cache.get(7L)).isEqualTo("new");
      // 250 ms are waited once; the rest is room for a busy machine. Each read would wait else.
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
      assertThat(tier.isAvailable()).isFalse();
    } finally {
      cluster.redis().thaw();
    }
    await().atMost(BACK).until(tier::isAvailable);
    cache.flushL1();
    assertThat(cache.get(7L)).isEqualTo("new");
    assertThat(log.warnings()).hasSize(1);
    assertThat(log.warnings().get(0)).contains("no answer within 250 ms");
  }

  @Test
  void writesAreRefusedWhileRedisIsAwayAndReadsGoOn() {
    RedisTier tier = connected(settings());
    TieredCache<Long, String> cache = builder(tier).build();
    TieredCache<Long, String> elsewhere = builder(connected(settings())).build();
    cache.get(7L);
    cluster.redis().kill();
    try {
      for (int i = 0; i < 3; i++) {
        assertThatThrownBy(() -> change(cache, "never", 200))
            .isInstanceOfSatisfying(
                WaymarkException.class,
                refused -> assertThat(refused.outcome()).isEqualTo(Outcome.REJECTED));
        assertThat(cache.get(7L)).isEqualTo("old");
        assertThat(elsewhere.get(7L)).isEqualTo("old");
      }
      cluster.redis().start();
      await().atMost(BACK).until(tier::isAvailable);
      assertThat(cache.condition().owed()).isZero();
      change(cache, "new", 300);
      assertThat(cache.get(7L)).isEqualTo("new");
      await().untilAsserted(() -> assertThat(elsewhere.get(7L)).isEqualTo("new"));
    } finally {
      if (!cluster.redis().isRunning()) {
        cluster.redis().start();
      }
    }
  }

  @Test
  void writesToAFrozenRedisAreRefusedAndOnlyTheFirstOneWaits() {
    RedisTier tier = connected(WaymarkConfig.Redis.at(cluster.redis().url()));
    TieredCache<Long, String> cache = builder(tier).build();
    cluster.redis().freeze();
    try {
      for (int i = 0; i < 50; i++) {
        assertThatThrownBy(() -> change(cache, "never", 200)).isInstanceOf(WaymarkException.class);
        // So the next one does not even ask.
        assertThat(tier.isAvailable()).isFalse();
      }
    } finally {
      cluster.redis().thaw();
    }
    await().atMost(BACK).until(tier::isAvailable);
    change(cache, "new", 300);
    assertThat(cache.get(7L)).isEqualTo("new");
  }

  @Test
  void changeMadeBehindACutWireIsToldWhenTheWireIsBack() {
    try (TcpProxy wire = TcpProxy.to(cluster.redis().host(), cluster.redis().port())) {
      RedisTier tier = connected(at(wire.port()));
      TieredCache<Long, String> cutOff = cache(tier);
      TieredCache<Long, String> connected = cache(connected(settings()));
      cutOff.get(7L);
      assertThat(connected.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);

      wire.refuse();
      wire.cut();
      change(cutOff, "new", 200);
      assertThat(cutOff.get(7L)).isEqualTo("new");
      // The others cannot know yet: what they have is bounded by its time to live alone.
      assertThat(connected.get(7L)).isEqualTo("old");

      wire.heal();
      await().atMost(BACK).until(tier::isAvailable);
      await().untilAsserted(() -> assertThat(connected.get(7L)).isEqualTo("new"));
    }
  }

  @Test
  void processCutOffFromTheChannelForgetsWhatItMayHaveMissed() {
    try (TcpProxy wire = TcpProxy.to(cluster.redis().host(), cluster.redis().port())) {
      RedisTier tier = connected(at(wire.port()));
      TieredCache<Long, String> cutOff = cache(tier);
      TieredCache<Long, String> connected = cache(connected(settings()));
      cutOff.get(7L);
      await().until(() -> cutOff.lookup(7L).tier() == CacheAnswer.Tier.L1);
      wire.refuse();
      wire.cut();
      change(connected, "new", 200);
      // At the latest when the connection has been mended, and long before l1TimeToLive.
      wire.heal();
      await().atMost(BACK).untilAsserted(() -> assertThat(cutOff.get(7L)).isEqualTo("new"));
    }
  }

  @Test
  void masterThatBecomesALaggingReplicaWhileConnectionsStayIsNotReadAnyMore() {
    try (TestCluster other = TestCluster.builder().redis().start();
        TcpProxy replication = TcpProxy.to(other.redis().host(), other.redis().port())) {
      int old = cluster.redis().port();
      int promoted = other.redis().port();
      RedisTier tier = connected(settings());
      TieredCache<Long, String> cache = sharedOnly(tier);
      TieredCache<Long, String> elsewhere = sharedOnly(connected(at(promoted)));
      cache.get(7L);
      await().until(() -> cache.lookup(7L).tier() == CacheAnswer.Tier.L2);

      // Orderly: first the new master has it all, then the old one follows it.
      follow(promoted, "127.0.0.1 " + old);
      RedisCommands.send("127.0.0.1", promoted, "REPLICAOF NO ONE");
      try {
        follow(old, "127.0.0.1 " + replication.port());
        replication.blackHole();
        await().atMost(BACK).until(() -> isAvailable(elsewhere));
        change(elsewhere, "new", 200);
        // Half a second at most, and from then on at every moment.
        await().untilAsserted(() -> assertThat(cache.get(7L)).isEqualTo("new"));
        assertThat(tier.isAvailable()).isFalse();
        int looks = scriptsOf(old);
        await()
            .atMost(BACK)
            .until(
                () -> {
                  assertThat(cache.get(7L)).isEqualTo("new");
                  // While it is not in use, only looks at whether it could be.
                  return scriptsOf(old) > looks + 3;
                });
        assertThat(tier.isAvailable()).isFalse();
      } finally {
        RedisCommands.send("127.0.0.1", old, "REPLICAOF NO ONE");
      }
      await().atMost(BACK).until(tier::isAvailable);
      assertThat(cache.lookup(7L).value()).isEqualTo("new");
      assertThat(log.warnings())
          .filteredOn(warning -> warning.contains(":" + old + " "))
          .singleElement()
          .asString()
          // Whichever failed first: a script, or a plain read that had no answer in time.
          .containsAnyOf("it is a replica, and may lag behind its master", "no answer within");
    }
  }

  private TieredCache<Long, String> sharedOnly(RedisTier tier) {
    return TieredCache.builder("users", database)
        .redis(tier)
        .codec(Codec.json(String.class, 1))
        .horizons(database::horizon)
        .withoutL1()
        .build();
  }

  private static boolean isAvailable(TieredCache<?, ?> cache) {
    return cache.condition().redisAvailable();
  }

  /** Until it has all that its master has. */
  private static void follow(int replica, String master) {
    RedisCommands.send("127.0.0.1", replica, "REPLICAOF " + master);
    await()
        .atMost(BACK)
        .until(() -> information(replica, "replication").contains("master_link_status:up"));
  }

  private static int scriptsOf(int port) {
    return information(port, "commandstats").stream()
        .filter(line -> line.startsWith("cmdstat_eval"))
        .mapToInt(line -> Integer.parseInt(line.replaceAll("^[^=]*=([0-9]+),.*", "$1")))
        .sum();
  }

  private static List<String> information(int port, String section) {
    return RedisCommands.lines("127.0.0.1", port, "INFO " + section);
  }

  @Test
  void emptiedRedisIsFilledAgain() {
    TieredCache<Long, String> cache = cache(connected(settings()));
    cache.get(7L);
    cluster.redis().flush();
    cache.flushL1();
    assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    cache.flushL1();
    assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
    assertThat(log.warnings()).isEmpty();
  }

  @Test
  void evictionThatMayDropWhatIsKnownOfWritersIsWarnedOf() {
    int port = cluster.redis().port();
    RedisCommands.send("127.0.0.1", port, "CONFIG SET maxmemory-policy allkeys-lru");
    try {
      RedisTier tier = connect(settings());
      await().atMost(BACK).until(tier::isAvailable);
      assertThat(log.warnings())
          .singleElement()
          .asString()
          .startsWith("Redis at redis://127.0.0.1:" + port + " evicts by allkeys-lru: it may drop")
          .endsWith("Set maxmemory-policy to noeviction or one of volatile-*");
    } finally {
      RedisCommands.send("127.0.0.1", port, "CONFIG SET maxmemory-policy noeviction");
    }
  }

  @Test
  void passwordIsGivenAndAWrongOneIsWarnedOfWithoutShowingIt() {
    String host = cluster.redis().host();
    int port = cluster.redis().port();
    RedisCommands.send(host, port, "CONFIG SET requirepass right-secret");
    try {
      RedisTier wrong = connect(withPassword("wrong-secret"));
      TieredCache<Long, String> cache = cache(wrong);
      assertThat(cache.get(7L)).isEqualTo("old");
      await().until(() -> !log.warnings().isEmpty());
      assertThat(log.warnings()).hasSize(1);
      assertThat(log.warnings().get(0)).contains("WRONGPASS").doesNotContain("secret");
      assertThat(wrong.isAvailable()).isFalse();

      RedisTier right = connect(withPassword("right-secret"));
      await().until(right::isAvailable);
      TieredCache<Long, String> working = cache(right);
      working.get(7L);
      working.flushL1();
      assertThat(working.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);

      RedisTier none = connect(settings());
      assertThat(cache(none).get(7L)).isEqualTo("old");
      await().until(() -> log.warnings().size() == 2);
      assertThat(log.warnings().get(1)).contains("NOAUTH");
    } finally {
      RedisCommands.send(host, port, "AUTH right-secret", "CONFIG SET requirepass \"\"");
    }
  }

  private static WaymarkConfig.Redis withPassword(String password) {
    WaymarkConfig.Redis plain = settings();
    return new WaymarkConfig.Redis(
        plain.url(),
        Optional.of(new Credentials("", password)),
        Optional.empty(),
        plain.timeout(),
        plain.namespace());
  }
}
