package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class OddsTest {
  private final Odds odds = new Odds();

  @Test
  void oneMissAmongManyHitsChangesNothing() {
    for (int i = 0; i < 100; i++) {
      odds.missed();
      assertThat(odds.favourAHit()).isTrue();
      for (int hit = 0; hit < 3; hit++) {
        odds.hit();
      }
    }
  }

  @Test
  void twoMissesAtOnceSpeakAgainstAHit() {
    odds.missed();
    odds.missed();
    assertThat(odds.favourAHit()).isFalse();
    odds.hit();
    assertThat(odds.favourAHit()).isTrue();
  }

  @Test
  void cacheThatHasBeenColdIsForgivenSoon() {
    for (int i = 0; i < 1_000; i++) {
      odds.missed();
    }
    for (int i = 0; i < 7; i++) {
      assertThat(odds.favourAHit()).isFalse();
      odds.hit();
    }
    assertThat(odds.favourAHit()).isTrue();
  }
}
