package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LifetimeTest {
  private static final Duration SECOND = Duration.ofSeconds(1);

  @Test
  void livesAreShorterByUpToTheJitterAndNeverLonger() {
    Lifetime lifetime = new Lifetime(Duration.ofSeconds(100), SECOND, 0.1);
    Random random = new Random(7);
    var lives =
        IntStream.range(0, 10_000)
            .mapToLong(i -> lifetime.of("value", random).toMillis())
            .summaryStatistics();
    assertThat(lives.getMin()).isBetween(90_000L, 90_100L);
    assertThat(lives.getMax()).isBetween(99_900L, 100_000L);
    assertThat(lives.getAverage()).isBetween(94_500.0, 95_500.0);
  }

  @Test
  void withoutJitterEveryLifeIsTheSame() {
    Lifetime lifetime = new Lifetime(SECOND, Duration.ZERO, 0);
    assertThat(lifetime.of("value", new Random(7))).isEqualTo(SECOND);
  }

  @Test
  void absenceHasALifeOfItsOwnOrNone() {
    Random random = new Random(7);
    assertThat(new Lifetime(SECOND, Duration.ZERO, 0.1).of(null, random)).isZero();
    assertThat(new Lifetime(SECOND, Duration.ofMillis(1), 0.9).of(null, random))
        .isGreaterThanOrEqualTo(Duration.ofMillis(1));
  }

  @Test
  void jitterOfAllOrMoreIsRefused() {
    for (double jitter : new double[] {-0.1, 1, Double.NaN}) {
      assertThatThrownBy(() -> new Lifetime(SECOND, SECOND, jitter))
          .hasMessage("jitter must be at least 0 and below 1, not " + jitter);
    }
  }
}
