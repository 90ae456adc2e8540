package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.SessionToken;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@link TieredCache#explain}, {@link TieredCache#condition} and {@link TieredCache#hotKeys}. */
class ExplainTest {
  private final FakeProcesses processes = new FakeProcesses();
  private final TestBackground background = new TestBackground();
  private final RedisTier tier = processes.tier(background);
  private final TieredCache<Long, String> cache =
      processes.cache(tier).keyRendering(dev.waymark.KeyRendering.FULL).build();

  @BeforeEach
  void fill() {
    processes.database.rows.put(7L, "seven");
  }

  @Test
  void nothingIsLoadedOrChangedByAsking() {
    cache.explain(7L);
    assertThat(processes.database.loads).hasValue(0);
    assertThat(cache.explain(7L).leased()).isZero();
    CacheExplanation nothing = cache.explain(7L);
    assertThat(nothing.memory()).isEqualTo("absent");
    assertThat(nothing.redis()).isEqualTo("no value");
  }

  @Test
  void whatBothTiersHoldIsTold() {
    cache.get(7L);
    cache.get(7L);
    CacheExplanation held = cache.explain(7L);
    assertThat(held.key()).isEqualTo("7");
    assertThat(held.memory()).isEqualTo("served");
    assertThat(held.memoryPosition()).isEqualTo(Rows.at(100));
    assertThat(held.redis()).isEqualTo("value");
    assertThat(held.redisPosition()).isEqualTo(Rows.at(100));
    assertThat(held.redisRemaining()).isEqualTo(Duration.ofMinutes(5));
    assertThat(held.toString())
        .startsWith(
            "key 7\n  L1: served, at or after 42@1:0/64\n  L2: value, for 300000 ms, at or after"
                + " 42@1:0/64\n  epoch ");
  }

  @Test
  void changeDoubtAndLeaseAreTold() {
    cache.get(7L);
    cache.get(7L);
    TieredCache<Long, String> other = processes.cache().build();
    FakeTransaction write = new FakeTransaction();
    other.invalidate(write, 7L);
    write.beforeCommit();
    CacheExplanation doubtful = cache.explain(7L);
    assertThat(doubtful.memory()).isEqualTo("changed");
    assertThat(doubtful.redis()).isEqualTo("no value");
    assertThat(doubtful.doubt()).containsExactly("shard-1/" + write.transactionId());
    processes.database.afterReading =
        () -> assertThat(cache.explain(7L).leased()).isEqualTo(SharedTier.LEASE);
    other.get(7L);
  }

  @Test
  void entryThatIsNotServedTellsWhy() {
    cache.get(7L);
    cache.get(7L);
    processes.session.set(SessionToken.of(Rows.at(900)));
    assertThat(cache.explain(7L).memory()).isEqualTo("behind session");
    processes.session.set(SessionToken.empty());
    processes.time.pass(Duration.ofSeconds(2));
    assertThat(cache.explain(7L).memory()).isEqualTo("unproven");
    processes.time.pass(Duration.ofSeconds(20));
    assertThat(cache.explain(7L).memory()).isEqualTo("run out");
  }

  @Test
  void bytesThatCannotBeReadAreTold() {
    cache.get(7L);
    processes.redis.poison(
        new CacheKey("users", "7", new KeyForm.Known<Long>().hash(7L)), bytes -> new byte[] {1});
    assertThat(cache.explain(7L).redis()).isEqualTo("unreadable value");
  }

  @Test
  void redisThatIsAwayOrWasNeverThereIsTold() {
    TieredCache<Long, String> alone =
        TieredCache.builder("alone", processes.database).time(processes.time).build();
    assertThat(alone.explain(7L).redis()).isEqualTo("none");
    processes.redis.down = true;
    assertThat(cache.explain(7L).redis()).isEqualTo("unavailable");
  }

  @Test
  void conditionTellsOfRedisChannelAndDebts() {
    cache.get(7L);
    CacheCondition well = cache.condition();
    assertThat(well.redisAvailable()).isTrue();
    assertThat(well.stalenessBound()).isEqualTo(Duration.ofSeconds(1));
    assertThat(well.channelAge()).isEqualTo(Duration.ZERO);
    assertThat(well.owed()).isZero();
    processes.time.pass(Duration.ofMillis(300));
    assertThat(cache.condition().channelAge()).isEqualTo(Duration.ofMillis(300));

    processes.redis.down = true;
    cache.invalidate(7L);
    CacheCondition ill = cache.condition();
    assertThat(ill.redisAvailable()).isFalse();
    assertThat(ill.owed()).isEqualTo(1);
  }

  @Test
  void boundInForceFollowsTheSettings() {
    assertThat(processes.cache().withoutL1().build().condition().stalenessBound()).isZero();
    assertThat(
            TieredCache.builder("ttl", processes.database)
                .redis(tier)
                .codec(new FakeProcesses.Text())
                .unfenced()
                .timeToLive(Duration.ofSeconds(30))
                .build()
                .condition()
                .stalenessBound())
        .isEqualTo(Duration.ofSeconds(30));
  }

  // Hot keys

  private void heat(TieredCache<Long, String> cache, int reads) {
    for (int i = 0; i < reads; i++) {
      cache.get(7L);
    }
  }

  @Test
  void hotKeysAreNamedAndStayInMemoryAsLongAsInRedis() {
    processes.database.rows.put(8L, "eight");
    heat(cache, 4 * HotKeys.WINDOW * HotKeys.ONE_IN);
    assertThat(cache.hotKeys()).containsExactly(7L);
    assertThat(cache.explain(7L).hotShare()).isGreaterThan(0.9);
    // Fetched while it is known to be hot.
    cache.flushL1();
    cache.get(7L);
    cache.get(8L);
    cache.get(8L);
    int calls = processes.redis.calls;
    for (int i = 0; i < 100; i++) {
      // The beats go on; an entry's ordinary life of ten seconds is long over.
      processes.time.pass(Duration.ofMillis(200));
      background.tick();
      cache.get(7L);
    }
    int beats = processes.redis.calls - calls;
    assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1);
    assertThat(cache.lookup(8L).tier()).isEqualTo(CacheAnswer.Tier.L2);
    assertThat(beats).isPositive();
    // And a change reaches it as any other.
    processes.change(processes.cache().build(), 7, "changed");
    assertThat(cache.get(7L)).isEqualTo("changed");
  }
}
