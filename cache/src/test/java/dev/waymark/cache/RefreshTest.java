package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.SessionToken;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Values fetched before they run out, or after they have changed, while readers go on. */
class RefreshTest {
  private static final Duration LIFE = Duration.ofMinutes(5);

  private final FakeProcesses processes = new FakeProcesses();
  private final Deque<Runnable> tasks = new ArrayDeque<>();

  @BeforeEach
  void fill() {
    processes.database.rows.put(7L, "old");
  }

  private void warm(TieredCache<Long, String> cache) {
    cache.get(7L);
    cache.get(7L);
  }

  private int loads() {
    return processes.database.loads.get();
  }

  // Ahead of the end

  private TieredCache<Long, String> ahead() {
    return processes.cache().refreshAhead(Duration.ofMinutes(1), tasks::add).build();
  }

  @Test
  void valueNearItsEndIsServedAndFetchedAnewOnce() {
    TieredCache<Long, String> one = ahead();
    TieredCache<Long, String> two = ahead();
    warm(one);
    int before = loads();
    processes.time.pass(LIFE.minusSeconds(50));
    processes.database.rows.put(7L, "new");
    assertThat(one.get(7L)).isEqualTo("old");
    one.flushL1();
    assertThat(one.get(7L)).isEqualTo("old");
    assertThat(two.get(7L)).isEqualTo("old");
    // One for each process, and only one of them gets the lease.
    assertThat(tasks).hasSize(2);
    tasks.remove().run();
    tasks.remove().run();
    assertThat(loads() - before).isEqualTo(1);
    assertThat(one.get(7L)).isEqualTo("new");
    two.flushL1();
    assertThat(two.lookup(7L))
        .satisfies(
            answer -> {
              assertThat(answer.value()).isEqualTo("new");
              assertThat(answer.tier()).isEqualTo(CacheAnswer.Tier.L2);
            });
    assertThat(tasks).isEmpty();
    assertThat(one.statistics().refreshes()).isEqualTo(1);
  }

  @Test
  void valueThatIsYoungIsLeftAlone() {
    TieredCache<Long, String> one = ahead();
    warm(one);
    processes.time.pass(LIFE.minusSeconds(70));
    one.get(7L);
    assertThat(tasks).isEmpty();
  }

  @Test
  void changeDuringARefreshIsNotCoveredUp() {
    TieredCache<Long, String> one = ahead();
    warm(one);
    processes.time.pass(LIFE.minusSeconds(30));
    one.get(7L);
    processes.database.afterReading =
        () -> {
          processes.database.afterReading = () -> {};
          processes.change(one, 7, "changed");
        };
    tasks.remove().run();
    assertThat(one.get(7L)).isEqualTo("changed");
  }

  @Test
  void refreshThatFailsLeavesTheValueAndTheNextReaderTriesAgain() {
    TieredCache<Long, String> one = ahead();
    warm(one);
    processes.time.pass(LIFE.minusSeconds(30));
    one.get(7L);
    processes.database.afterReading =
        () -> {
          throw new IllegalStateException("database away");
        };
    tasks.remove().run();
    assertThat(one.statistics().loadFailures()).isEqualTo(1);
    processes.database.afterReading = () -> {};
    one.flushL1();
    assertThat(one.get(7L)).isEqualTo("old");
    assertThat(tasks).hasSize(1);
  }

  @Test
  void refusedBackgroundChangesNothingForReaders() {
    Executor full =
        task -> {
          throw new RejectedExecutionException("full");
        };
    TieredCache<Long, String> one =
        processes.cache().refreshAhead(Duration.ofMinutes(1), full).build();
    warm(one);
    processes.time.pass(LIFE.minusSeconds(30));
    assertThat(one.get(7L)).isEqualTo("old");
    one.flushL1();
    assertThat(one.get(7L)).isEqualTo("old");
  }

  // After a change

  private static final Duration STALE = Duration.ofMillis(500);

  private TieredCache<Long, String> staleFor(Executor background) {
    return processes.cache().staleWhileRevalidate(STALE, background).build();
  }

  @Test
  void valueChangedElsewhereIsServedForItsTimeWhileTheNewOneIsFetched() {
    TieredCache<Long, String> one = staleFor(tasks::add);
    TieredCache<Long, String> other = processes.cache().build();
    warm(one);
    processes.time.pass(STALE.dividedBy(2));
    processes.change(other, 7, "new");
    assertThat(one.get(7L)).isEqualTo("old");
    assertThat(one.get(7L)).isEqualTo("old");
    assertThat(tasks).hasSize(1);
    assertThat(one.statistics().staleHits()).isEqualTo(2);
    tasks.remove().run();
    assertThat(one.lookup(7L))
        .satisfies(
            answer -> {
              assertThat(answer.value()).isEqualTo("new");
              assertThat(answer.tier()).isEqualTo(CacheAnswer.Tier.L1);
            });
  }

  @Test
  void nothingOlderThanTheTimeIsServedEvenIfTheFetchNeverComes() {
    TieredCache<Long, String> one = staleFor(task -> {});
    TieredCache<Long, String> other = processes.cache().build();
    warm(one);
    processes.time.pass(Duration.ofMillis(400));
    processes.change(other, 7, "new");
    assertThat(one.get(7L)).isEqualTo("old");
    // Counted from the fetch, so no series of changes can make it longer.
    processes.time.pass(Duration.ofMillis(100));
    assertThat(one.get(7L)).isEqualTo("new");
  }

  @Test
  void ownChangesAreNeverServedStale() {
    TieredCache<Long, String> one = staleFor(tasks::add);
    warm(one);
    processes.change(one, 7, "mine");
    assertThat(one.get(7L)).isEqualTo("mine");
    assertThat(tasks).isEmpty();
  }

  @Test
  void ownChangesOfATagAreNeverServedStale() {
    TieredCache<Long, String> one =
        processes.cache().tag(key -> "all").staleWhileRevalidate(STALE, tasks::add).build();
    warm(one);
    processes.time.pass(Duration.ofMillis(10));
    FakeTransaction write = new FakeTransaction();
    one.invalidateTag(write, "all");
    write.beforeCommit();
    processes.database.rows.put(7L, "mine");
    write.afterCommit(Rows.at(200));
    assertThat(one.get(7L)).isEqualTo("mine");
    assertThat(tasks).isEmpty();
  }

  @Test
  void slowLoadFromBeforeAnOwnChangeIsNotServedStale() {
    // It is put into L1 whatever its stamp, which only serving looks at.
    TieredCache<Long, String> alone =
        TieredCache.builder("alone", processes.database)
            .staleWhileRevalidate(STALE, tasks::add)
            .time(processes.time)
            .build();
    processes.database.afterReading =
        () -> {
          processes.database.afterReading = () -> {};
          processes.time.pass(Duration.ofMillis(1));
          processes.change(alone, 7, "mine");
        };
    assertThat(alone.get(7L)).isEqualTo("old");
    assertThat(alone.get(7L)).isEqualTo("mine");
    assertThat(tasks).isEmpty();
  }

  @Test
  void sessionThatHasSeenTheChangeIsNotServedTheOldValue() {
    TieredCache<Long, String> one = staleFor(tasks::add);
    TieredCache<Long, String> other = processes.cache().build();
    warm(one);
    processes.database.position = Rows.at(200);
    processes.change(other, 7, "new");
    processes.session.set(SessionToken.of(Rows.at(200)));
    assertThat(one.get(7L)).isEqualTo("new");
  }

  /** A key that is changed a thousand times a second, and read eight times between two changes. */
  @Test
  void stormOfChangesCostsTwoFetchesInEachTimeAndNotOneForEachChange() {
    TieredCache<Long, String> plain = processes.cache().build();
    TieredCache<Long, String> calm = staleFor(Runnable::run);
    TieredCache<Long, String> writer = processes.cache().withoutL1().build();
    warm(plain);
    warm(calm);
    long plainBefore = asked(plain);
    long calmBefore = asked(calm);
    for (int i = 0; i < 1_000; i++) {
      processes.change(writer, 7, "value " + i);
      for (int reader = 0; reader < 8; reader++) {
        plain.get(7L);
        String seen = calm.get(7L);
        assertThat(i - number(seen)).isLessThan((int) STALE.toMillis());
      }
      processes.time.pass(Duration.ofMillis(1));
    }
    assertThat(asked(plain) - plainBefore).isGreaterThanOrEqualTo(1_000);
    assertThat(asked(calm) - calmBefore).isBetween(3L, 5L);
  }

  private static int number(String value) {
    return value.equals("old") ? 0 : Integer.parseInt(value.substring("value ".length()));
  }

  private static long asked(TieredCache<Long, String> cache) {
    return cache.statistics().l2Hits() + cache.statistics().misses();
  }
}
