package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class HotKeysTest {
  private final HotKeys<Long> keys = new HotKeys<>();

  @Test
  void keyWithALargeShareOfAWindowIsHot() {
    Random random = new Random(1);
    for (int i = 0; i < HotKeys.WINDOW; i++) {
      keys.sample(i % 4 == 0 ? 7L : 1_000 + random.nextInt(1_000_000));
    }
    assertThat(keys.isHot(7L)).isTrue();
    assertThat(keys.hottest()).containsExactly(7L);
    // What the counters lose to the crowd is at most one in COUNTERS.
    assertThat(keys.share(7L)).isBetween(0.24, 0.25);
  }

  @Test
  void hottestComesFirst() {
    for (int i = 0; i < HotKeys.WINDOW; i++) {
      keys.sample(i % 10 < 6 ? 1L : i % 10 < 9 ? 2L : 3L);
    }
    assertThat(keys.hottest()).containsExactly(1L, 2L, 3L);
  }

  @Test
  void nobodyIsHotBeforeTheFirstWindowEndsOrAmongEquals() {
    for (int i = 0; i < HotKeys.WINDOW - 1; i++) {
      keys.sample(7L);
    }
    assertThat(keys.isHot(7L)).isFalse();
    keys.sample(7L);
    assertThat(keys.isHot(7L)).isTrue();
    for (long i = 0; i < HotKeys.WINDOW; i++) {
      keys.sample(i);
    }
    assertThat(keys.hottest()).isEmpty();
    assertThat(keys.share(7L)).isZero();
  }

  /**
   * Misra and Gries' promise, with the rest of the reads as adverse as they can be: all different.
   */
  @Property(tries = 50)
  void noHotKeyIsMissedAndThereAreNeverMoreThanTheirShareAllows(
      @ForAll @IntRange(min = 1, max = HotKeys.SHARE / 2) int hot, @ForAll long seed) {
    HotKeys<Long> keys = new HotKeys<>();
    Random random = new Random(seed);
    // Twice the share, so that the error of the counters cannot hide it.
    int each = HotKeys.WINDOW / HotKeys.SHARE * 2;
    Long[] reads = new Long[HotKeys.WINDOW];
    for (int i = 0; i < reads.length; i++) {
      reads[i] = i < hot * each ? i / each : 1_000L + i;
    }
    java.util.Collections.shuffle(java.util.Arrays.asList(reads), random);
    for (Long read : reads) {
      keys.sample(read);
    }
    assertThat(keys.hottest()).hasSizeBetween(hot, HotKeys.SHARE);
    for (long key = 0; key < hot; key++) {
      assertThat(keys.isHot(key)).isTrue();
    }
  }

  @Test
  void memoryIsBoundedHoweverManyKeysAreRead() {
    for (long i = 0; i < 100 * HotKeys.WINDOW; i++) {
      keys.sample(i);
      assertThat(keys.counters()).isLessThanOrEqualTo(HotKeys.COUNTERS);
    }
  }
}
