package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class ZipfTest {
  @Test
  void ranksComeAsOftenAsTheLawSays() {
    int[] counts = new int[4];
    Zipf zipf = new Zipf(4, 1);
    RandomGenerator random = new SplittableRandom(1);
    for (int i = 0; i < 250_000; i++) {
      counts[zipf.next(random)]++;
    }

    // 1 + 1/2 + 1/3 + 1/4 = 25/12.
    assertThat(counts[0] / 250_000.0).isCloseTo(12 / 25.0, within(0.01));
    assertThat(counts[1] / 250_000.0).isCloseTo(6 / 25.0, within(0.01));
    assertThat(counts[2] / 250_000.0).isCloseTo(4 / 25.0, within(0.01));
    assertThat(counts[3] / 250_000.0).isCloseTo(3 / 25.0, within(0.01));
  }

  @Test
  void withoutSkewAllAreAlike() {
    Zipf zipf = new Zipf(4, 0);

    assertThat(zipf.next(always(0.0))).isEqualTo(0);
    assertThat(zipf.next(always(0.26))).isEqualTo(1);
    assertThat(zipf.next(always(0.99))).isEqualTo(3);
  }

  @Test
  void theEdgesAreRanksToo() {
    Zipf zipf = new Zipf(3, 2);

    assertThat(zipf.next(always(0.0))).isEqualTo(0);
    assertThat(zipf.next(always(Math.nextDown(1.0)))).isEqualTo(2);
  }

  @Test
  void refusesWhatIsNoLaw() {
    assertThatThrownBy(() -> new Zipf(0, 1)).hasMessage("There must be a rank, not 0");
    assertThatThrownBy(() -> new Zipf(1, -1)).hasMessage("The skew must be from 0 to 10, not -1.0");
  }

  private static RandomGenerator always(double value) {
    return new RandomGenerator() {
      @Override
      public long nextLong() {
        throw new UnsupportedOperationException();
      }

      @Override
      public double nextDouble() {
        return value;
      }
    };
  }
}
