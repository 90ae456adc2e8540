package dev.waymark.routing;

import static dev.waymark.routing.Views.at;
import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class FreshnessLogTest {
  @Test
  void aReplicaIsAsFreshAsTheLastSampleItHasReplayed() {
    FreshnessLog log = new FreshnessLog();
    log.primaryAt(at(1, 10), 1_000);
    log.primaryAt(at(1, 20), 2_000);

    assertThat(log.freshAsOf(at(1, 20))).isEqualTo(2_000);
    assertThat(log.freshAsOf(at(1, 19))).isEqualTo(1_000);
    assertThat(log.freshAsOf(at(1, 9))).isNull();
  }

  @Test
  void anIdlePrimaryIsNoLag() {
    FreshnessLog log = new FreshnessLog();
    for (long now = 0; now < 1_000; now++) {
      log.primaryAt(at(1, 10), now);
    }

    assertThat(log.freshAsOf(at(1, 10))).isEqualTo(999);
  }

  @Test
  void positionsOfAnotherTimelineProveNothing() {
    FreshnessLog log = new FreshnessLog();
    log.primaryAt(at(2, 10), 1_000);

    assertThat(log.freshAsOf(at(1, 50))).isNull();
  }

  @Property
  void howeverManySamplesAreDroppedAReplicaIsNeverCalledFresherThanItIs(
      @ForAll @IntRange(min = 1, max = 2_000) int samples,
      @ForAll @IntRange(min = 0, max = 2_000) int replayed) {
    FreshnessLog log = new FreshnessLog();
    for (int i = 1; i <= samples; i++) {
      log.primaryAt(at(1, i), i);
    }

    Long fresh = log.freshAsOf(at(1, replayed));

    if (fresh != null) {
      assertThat(fresh).isLessThanOrEqualTo(replayed);
    }
    if (replayed >= samples) {
      assertThat(fresh).isEqualTo(samples);
    }
  }
}
