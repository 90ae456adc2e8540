package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Outcome;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class LoadLimitTest {
  private static LoadLimit<Long> limit(int maximum, Duration longestWait) {
    return new LoadLimit<>("users", maximum, longestWait, key -> key < 100 ? "shard-1" : "shard-2");
  }

  private static LoadLimit<Long>.Place enter(LoadLimit<Long> limit, long key) {
    return limit.enter(key, each -> "#" + each);
  }

  @Test
  void loadBeyondTheLimitIsRefusedAndSaysSo() {
    LoadLimit<Long> limit = limit(2, Duration.ZERO);
    enter(limit, 1);
    LoadLimit<Long>.Place second = enter(limit, 2);
    assertThat(limit.underWay()).isEqualTo(2);
    assertThatThrownBy(() -> enter(limit, 3))
        .isInstanceOfSatisfying(
            WaymarkException.class,
            refused -> assertThat(refused.outcome()).isEqualTo(Outcome.NOT_SENT))
        .hasMessage(
            "Cache users has 2 loads under way on shard-1 and none of them ended within 0 ms for key"
                + " #3. Nothing was sent, so the call may be repeated; if it happens often, the"
                + " database is slower than the misses come: see maximumLoads(...).");
    second.leave();
    assertThat(enter(limit, 3).waited()).isZero();
  }

  @Test
  void shardsDoNotTakeEachOthersPlaces() {
    LoadLimit<Long> limit = limit(1, Duration.ZERO);
    enter(limit, 1);
    LoadLimit<Long>.Place other = enter(limit, 100);
    assertThat(limit.underWay()).isEqualTo(2);
    other.leave();
    assertThat(limit.underWay()).isEqualTo(1);
  }

  @Test
  void loadThatWaitsGetsThePlaceThatIsLeft() throws Exception {
    LoadLimit<Long> limit = limit(1, Duration.ofSeconds(30));
    LoadLimit<Long>.Place first = enter(limit, 1);
    Thread[] waiting = new Thread[1];
    CompletableFuture<Long> waited = new CompletableFuture<>();
    waiting[0] = new Thread(() -> waited.complete(enter(limit, 2).waited()));
    waiting[0].start();
    while (waiting[0].getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    assertThat(waited).isNotDone();
    first.leave();
    assertThat(waited.get(30, TimeUnit.SECONDS)).isPositive();
  }

  @Test
  void interruptEndsTheWait() {
    LoadLimit<Long> limit = limit(1, Duration.ofSeconds(30));
    enter(limit, 1);
    Thread.currentThread().interrupt();
    assertThatThrownBy(() -> enter(limit, 2))
        .isInstanceOfSatisfying(
            WaymarkException.class,
            refused -> assertThat(refused.outcome()).isEqualTo(Outcome.NOT_SENT))
        .hasMessageStartingWith("Interrupted while a load of cache users waited for its turn");
    assertThat(Thread.interrupted()).isTrue();
    assertThat(limit.underWay()).isEqualTo(1);
  }
}
