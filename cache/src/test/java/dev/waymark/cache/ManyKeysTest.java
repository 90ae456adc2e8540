package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@link TieredCache#getAll}. */
@Timeout(60)
class ManyKeysTest {
  private final FakeProcesses processes = new FakeProcesses();
  private final List<List<Long>> bulks = new ArrayList<>();
  private volatile Role role = Role.PRIMARY;

  @BeforeEach
  void fill() {
    for (long key = 1; key <= 20; key++) {
      processes.database.rows.put(key, "user " + key);
    }
  }

  /** Odd and even keys live on different shards. */
  private PositionedRead<Map<Long, String>> bulk(List<Long> keys) {
    bulks.add(keys);
    Map<Long, String> found = new HashMap<>();
    keys.forEach(
        key -> {
          String value = processes.database.rows.get(key);
          if (value != null) {
            found.put(key, value);
          }
        });
    return new PositionedRead<>(
        found,
        new Route("shard-1", "a", role, Route.Reason.STRONG, 1),
        Rows.at(100),
        role == Role.PRIMARY ? FakeTransaction.snapshot() : null);
  }

  private TieredCache.Builder<Long, String> grouped() {
    return processes.cache().bulkLoader(this::bulk).shardOf(key -> key % 2 == 0 ? "even" : "odd");
  }

  private static List<Long> keys(long from, long to) {
    return LongStream.rangeClosed(from, to).boxed().toList();
  }

  /** So that Redis knows where the shard's writers begin. */
  private void recover(TieredCache<Long, String> cache) {
    cache.getAll(keys(1, 20));
    keys(1, 20).forEach(cache::invalidate);
    bulks.clear();
  }

  @Test
  void missesCostOneRoundTripAndOneLoadForEachShard() {
    TieredCache<Long, String> cache = grouped().build();
    recover(cache);
    int calls = processes.redis.calls;
    Map<Long, String> values = cache.getAll(keys(1, 10));
    assertThat(new ArrayList<>(values.keySet())).isEqualTo(keys(1, 10));
    assertThat(values).containsEntry(3L, "user 3");
    assertThat(bulks)
        .containsExactlyInAnyOrder(List.of(1L, 3L, 5L, 7L, 9L), List.of(2L, 4L, 6L, 8L, 10L));
    // One to read; the ten that fill are sent at once and not waited for.
    assertThat(processes.redis.calls - calls).isEqualTo(1 + 10);
  }

  @Test
  void memoryAnswersFirstThenRedisThenTheLoader() {
    TieredCache<Long, String> one = grouped().build();
    TieredCache<Long, String> two = grouped().build();
    recover(one);
    one.getAll(keys(1, 4));
    two.get(1L);
    bulks.clear();
    int calls = processes.redis.calls;
    assertThat(two.getAll(keys(1, 5))).hasSize(5);
    assertThat(bulks).containsExactly(List.of(5L));
    assertThat(processes.redis.calls - calls).isEqualTo(2);
    CacheStatistics statistics = two.statistics();
    assertThat(statistics.l1Hits()).isEqualTo(1);
    assertThat(statistics.l2Hits()).isEqualTo(4);
    assertThat(statistics.misses()).isEqualTo(1);
    bulks.clear();
    assertThat(two.getAll(keys(1, 5))).hasSize(5);
    assertThat(processes.redis.calls - calls).isEqualTo(2);
    assertThat(bulks).isEmpty();
  }

  @Test
  void keysWithoutAValueAreLeftOutAndRememberedWhereAskedFor() {
    TieredCache<Long, String> cache = grouped().negativeTimeToLive(Duration.ofMinutes(1)).build();
    recover(cache);
    assertThat(cache.getAll(List.of(1L, 99L, 2L))).containsOnlyKeys(1L, 2L);
    bulks.clear();
    assertThat(cache.getAll(List.of(1L, 99L, 2L))).containsOnlyKeys(1L, 2L);
    assertThat(bulks).isEmpty();
  }

  @Test
  void keyNamedTwiceIsLoadedOnceAndNoKeysCostNothing() {
    TieredCache<Long, String> cache = grouped().build();
    recover(cache);
    assertThat(cache.getAll(List.of(3L, 3L, 3L))).containsOnlyKeys(3L);
    assertThat(bulks).containsExactly(List.of(3L));
    int calls = processes.redis.calls;
    assertThat(cache.getAll(List.of())).isEmpty();
    assertThat(processes.redis.calls).isEqualTo(calls);
  }

  @Test
  void withoutABulkLoaderKeysAreLoadedOneByOne() {
    TieredCache<Long, String> cache = processes.cache().build();
    recover(cache);
    int before = processes.database.loads.get();
    assertThat(cache.getAll(keys(1, 5))).hasSize(5);
    assertThat(processes.database.loads.get() - before).isEqualTo(5);
  }

  @Test
  void withoutRedisOneLoadForEachShardDoes() {
    TieredCache<Long, String> cache =
        TieredCache.builder("users", processes.database)
            .bulkLoader(this::bulk)
            .shardOf(key -> "")
            .time(processes.time)
            .build();
    assertThat(cache.getAll(keys(1, 5))).hasSize(5);
    assertThat(cache.getAll(keys(1, 6))).hasSize(6);
    assertThat(bulks).containsExactly(keys(1, 5), List.of(6L));
  }

  @Test
  void whileRedisIsDownTheDatabaseAnswers() {
    TieredCache<Long, String> cache = grouped().build();
    recover(cache);
    processes.redis.down = true;
    assertThat(cache.getAll(keys(1, 5))).hasSize(5);
    assertThat(cache.statistics().degraded()).isEqualTo(5);
  }

  @Test
  void loadThatFailsFailsTheCallLeavesNoLeaseAndKeepsWhatWasLoadedBefore() {
    IllegalStateException broken = new IllegalStateException("no even ones");
    TieredCache<Long, String> cache =
        processes
            .cache()
            .bulkLoader(
                keys -> {
                  if (keys.get(0) % 2 == 0) {
                    throw broken;
                  }
                  return bulk(keys);
                })
            .shardOf(key -> key % 2 == 0 ? "even" : "odd")
            .build();
    keys(1, 20).forEach(cache::get);
    keys(1, 20).forEach(cache::invalidate);
    assertThatThrownBy(() -> cache.getAll(keys(1, 4))).isSameAs(broken);
    assertThat(cache.lookup(1L).tier()).isEqualTo(CacheAnswer.Tier.L1);
    // A lease that was left behind would make this reader wait.
    long before = processes.time.nanos();
    assertThat(cache.get(2L)).isEqualTo("user 2");
    assertThat(processes.time.nanos()).isEqualTo(before);
  }

  @Test
  void changeDuringALoadOfManyIsNotCoveredUp() {
    TieredCache<Long, String> one = grouped().build();
    TieredCache<Long, String> two =
        processes
            .cache()
            .bulkLoader(
                keys -> {
                  PositionedRead<Map<Long, String>> read = bulk(keys);
                  processes.change(one, 3, "changed");
                  return read;
                })
            .shardOf(key -> "")
            .build();
    recover(one);
    two.getAll(keys(1, 5));
    assertThat(two.get(3L)).isEqualTo("changed");
    assertThat(two.lookup(2L).tier()).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void unreadableValuesAreLoadedAnew() {
    TieredCache<Long, String> one = grouped().build();
    TieredCache<Long, String> two = grouped().build();
    recover(one);
    one.getAll(keys(1, 5));
    processes.redis.poison(
        new CacheKey("users", "3", new KeyForm.Known<Long>().hash(3L)), bytes -> new byte[] {1});
    bulks.clear();
    assertThat(two.getAll(keys(1, 5))).containsEntry(3L, "user 3");
    assertThat(bulks).containsExactly(List.of(3L));
    assertThat(one.getAll(keys(1, 5))).hasSize(5);
  }

  @Test
  void replicaAnswerThatIsNotNewEnoughIsAskedOfThePrimary() {
    TieredCache<Long, String> cache =
        processes
            .cache()
            .bulkLoader(this::bulk)
            .shardOf(key -> "")
            .primaryLoader(processes.database)
            .build();
    recover(cache);
    processes.change(cache, 3, "changed");
    role = Role.REPLICA;
    int before = processes.database.loads.get();
    // The replica is at 100, and key 3 was changed at 200.
    assertThat(cache.getAll(List.of(3L))).containsEntry(3L, "changed");
    assertThat(processes.database.loads.get() - before).isEqualTo(1);
    assertThat(cache.lookup(3L).tier()).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void twoCallersWithTheSameKeysInOppositeOrderDoNotWaitForEachOther() throws Exception {
    CountDownLatch bothLoad = new CountDownLatch(2);
    TieredCache<Long, String> cache =
        processes
            .cache()
            .bulkLoader(
                keys -> {
                  bothLoad.countDown();
                  assertThat(bothLoad.await(30, TimeUnit.SECONDS)).isTrue();
                  return bulk(keys);
                })
            .shardOf(key -> "")
            .build();
    keys(1, 20).forEach(cache::get);
    keys(1, 20).forEach(cache::invalidate);
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      // Each leads one key and wants the other's: the first is led before the second is asked for.
      CompletableFuture<Void> go = new CompletableFuture<>();
      Future<Map<Long, String>> there =
          threads.submit(
              () -> {
                go.join();
                return cache.getAll(List.of(1L, 2L));
              });
      Future<Map<Long, String>> back =
          threads.submit(
              () -> {
                go.join();
                return cache.getAll(List.of(2L, 1L, 3L));
              });
      go.complete(null);
      // Whoever leads nothing does not load: the other's latch must not wait for it.
      bothLoad.countDown();
      assertThat(there.get(30, TimeUnit.SECONDS)).containsOnlyKeys(1L, 2L);
      assertThat(back.get(30, TimeUnit.SECONDS)).containsOnlyKeys(1L, 2L, 3L);
    } finally {
      threads.shutdownNow();
    }
  }
}
