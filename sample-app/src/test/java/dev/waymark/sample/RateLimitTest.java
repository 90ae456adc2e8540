package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class RateLimitTest {
  private final AtomicLong clock = new AtomicLong(-5);
  private final RateLimit limit = new RateLimit(10, clock::get);

  @Test
  void twoSecondsWorthAreTakenAtOnceAndNoMore() {
    assertThat(taken("a", 30)).isEqualTo(20);
    assertThat(limit.nanosToWait("a")).isEqualTo(100_000_000);
  }

  @Test
  void thenAsManyAsTheLimitSays() {
    taken("a", 30);
    int taken = 0;
    for (int i = 0; i < 1_000; i++) {
      clock.addAndGet(10_000_000);
      taken += taken("a", 1);
    }
    assertThat(taken).isEqualTo(100);
  }

  @Test
  void clientsDoNotTakeFromEachOther() {
    taken("a", 30);
    assertThat(taken("b", 20)).isEqualTo(20);
  }

  @Test
  void silenceGivesBackNoMoreThanTwoSecondsWorth() {
    taken("a", 30);
    clock.addAndGet(3_600_000_000_000L);
    assertThat(taken("a", 30)).isEqualTo(20);
  }

  @Test
  void zeroIsNoLimit() {
    RateLimit none = new RateLimit(0, clock::get);
    for (int i = 0; i < 10_000; i++) {
      assertThat(none.nanosToWait("a")).isZero();
    }
  }

  private int taken(String client, int tries) {
    int taken = 0;
    for (int i = 0; i < tries; i++) {
      taken += limit.nanosToWait(client) == 0 ? 1 : 0;
    }
    return taken;
  }
}
