package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/**
 * Results of queries, dropped by the tag of the rows they are made of. Keys are user * 10 + page.
 */
class TagsTest {
  private final FakeProcesses processes = new FakeProcesses();
  private final TieredCache<Long, String> one = tagged().build();
  private final TieredCache<Long, String> two = tagged().build();

  private TieredCache.Builder<Long, String> tagged() {
    return processes.cache().tag(page -> "orders of " + page / 10);
  }

  private void warm(TieredCache<Long, String> cache) {
    for (int round = 0; round < 2; round++) {
      for (long page : new long[] {70, 71, 80}) {
        processes.database.rows.putIfAbsent(page, "page " + page);
        cache.get(page);
      }
    }
  }

  private CacheAnswer.Tier tier(TieredCache<Long, String> cache, long page) {
    return cache.lookup(page).tier();
  }

  private void order(TieredCache<Long, String> cache, long user) {
    FakeTransaction write = new FakeTransaction();
    cache.invalidateTag(write, "orders of " + user);
    write.beforeCommit();
    for (long page = user * 10; page < user * 10 + 10; page++) {
      processes.database.rows.computeIfPresent(page, (same, old) -> old + "'");
    }
    write.afterCommit(Rows.at(200));
  }

  @Test
  void changeOfOneUserDropsAllHisPagesEverywhereAndNobodyElses() {
    warm(one);
    warm(two);
    assertThat(tier(two, 71)).isEqualTo(CacheAnswer.Tier.L1);
    order(one, 7);
    assertThat(two.get(70L)).isEqualTo("page 70'");
    assertThat(two.get(71L)).isEqualTo("page 71'");
    assertThat(one.get(71L)).isEqualTo("page 71'");
    assertThat(tier(two, 80)).isEqualTo(CacheAnswer.Tier.L1);
    assertThat(tier(one, 80)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void pageLoadedDuringTheChangeIsNotKept() {
    warm(one);
    processes.database.rows.put(72L, "page 72");
    processes.database.afterReading =
        () -> {
          processes.database.afterReading = () -> {};
          order(one, 7);
        };
    assertThat(two.get(72L)).isEqualTo("page 72");
    assertThat(two.get(72L)).isEqualTo("page 72'");
    assertThat(tier(two, 72)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void rollbackCostsALoadAndTellsNothingWrong() {
    warm(one);
    warm(two);
    FakeTransaction write = new FakeTransaction();
    one.invalidateTag(write, "orders of 7");
    write.beforeCommit();
    write.rollBack();
    assertThat(two.get(70L)).isEqualTo("page 70");
    assertThat(tier(two, 70)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void tagThatChangedElsewhereIsDroppedByItsName() {
    warm(one);
    warm(two);
    processes.database.rows.put(70L, "psql was here");
    one.invalidateTag("orders of 7");
    assertThat(one.get(70L)).isEqualTo("psql was here");
    assertThat(two.get(70L)).isEqualTo("psql was here");
  }

  @Test
  void changeMadeWhileRedisIsAwayIsToldWhenItIsBack() {
    TestBackground background = new TestBackground();
    RedisTier tier =
        new RedisTier(processes.redis.process(), "redis://fake:6379", background, processes.time);
    tier.start(Duration.ofSeconds(1));
    TieredCache<Long, String> cut =
        processes.cache(tier).tag(page -> "orders of " + page / 10).commitWithoutRedis().build();
    warm(cut);
    warm(two);
    processes.redis.down = true;
    order(cut, 7);
    processes.redis.down = false;
    background.runNext();
    assertThat(cut.get(70L)).isEqualTo("page 70'");
    assertThat(two.get(70L)).isEqualTo("page 70'");
  }

  @Test
  void onePageCanBeDroppedByItself() {
    warm(one);
    processes.change(two, 70, "one page");
    assertThat(one.get(70L)).isEqualTo("one page");
  }

  @Test
  void manyPagesAreReadInOneRoundTrip() {
    warm(one);
    int calls = processes.redis.calls;
    assertThat(two.getAll(java.util.List.of(70L, 71L, 80L))).hasSize(3);
    assertThat(processes.redis.calls - calls).isEqualTo(1);
  }

  @Test
  void tagsMustHaveBeenNamed() {
    TieredCache<Long, String> plain = processes.cache().build();
    assertThatThrownBy(() -> plain.invalidateTag("orders of 7"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("Cache users has no tags; give its builder tag(...), which names them");
    assertThatThrownBy(() -> plain.invalidateTag(new FakeTransaction(), "orders of 7"))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void keysAndTagsOfTheSameTextAreNotMixedUp() {
    TieredCache<String, String> texts =
        TieredCache.<String, String>builder(
                "texts",
                key ->
                    new dev.waymark.PositionedRead<>(
                        key,
                        new dev.waymark.Route(
                            "shard-1",
                            "a",
                            dev.waymark.Role.PRIMARY,
                            dev.waymark.Route.Reason.STRONG,
                            1),
                        Rows.at(100),
                        FakeTransaction.snapshot()))
            .redis(processes.tier())
            .codec(new FakeProcesses.Text())
            .horizons(processes.database::horizon)
            .tag(key -> key)
            .time(processes.time)
            .build();
    for (String odd : new String[] {"t", "k", "", " ", "a b/c", "}{:", "\n", "ключ", "t\u0000x"}) {
      assertThat(texts.get(odd)).isEqualTo(odd);
      texts.flushL1();
      texts.get(odd);
      texts.flushL1();
      assertThat(texts.lookup(odd).tier()).isEqualTo(CacheAnswer.Tier.L2);
      texts.invalidateTag(odd);
      assertThat(texts.lookup(odd).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    }
  }
}
