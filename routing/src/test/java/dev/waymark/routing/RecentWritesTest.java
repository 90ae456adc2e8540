package dev.waymark.routing;

import static dev.waymark.routing.Views.at;
import static dev.waymark.routing.Views.down;
import static dev.waymark.routing.Views.primaryAndReplicas;
import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.LogPosition;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class RecentWritesTest {
  @Test
  void aKeyNeedsItsOwnLastWriteAndNoOther() {
    RecentWrites writes = new RecentWrites(10);
    writes.wrote(1, at(1, 50));
    writes.wrote(2, at(1, 60));
    writes.wrote(1, at(1, 40));

    assertThat(writes.neededFor(1L)).isEqualTo(at(1, 50));
    assertThat(writes.neededFor(2L)).isEqualTo(at(1, 60));
    assertThat(writes.neededFor(3L)).isNull();
    assertThat(writes.neededFor(null)).isEqualTo(at(1, 60));
  }

  @Test
  void aWriteIsForgottenOnceEveryReplicaHasIt() {
    RecentWrites writes = new RecentWrites(10);
    writes.wrote(1, at(1, 50));

    writes.forgetCovered(primaryAndReplicas(49, 50));
    assertThat(writes.neededFor(1L)).isEqualTo(at(1, 50));

    writes.forgetCovered(primaryAndReplicas(50, 50));
    assertThat(writes.neededFor(1L)).isNull();
  }

  @Test
  void aReplicaThatIsDownKeepsWhatItLacksRemembered() {
    RecentWrites writes = new RecentWrites(10);
    writes.wrote(1, at(1, 50));

    writes.forgetCovered(down(primaryAndReplicas(49, 50), 1));

    assertThat(writes.neededFor(1L)).isEqualTo(at(1, 50));
  }

  @Test
  void requiringAPositionOfAllHoldsForEveryKeyUntilEveryReplicaHasIt() {
    RecentWrites writes = new RecentWrites(10);
    writes.requireOfAll(at(1, 70));

    assertThat(writes.neededFor(9L)).isEqualTo(at(1, 70));

    writes.forgetCovered(primaryAndReplicas(70, 71));
    assertThat(writes.neededFor(9L)).isNull();
  }

  @Test
  void positionOfALaterTimelineIsTheLaterOne() {
    RecentWrites writes = new RecentWrites(10);
    writes.wrote(1, at(2, 50));
    writes.wrote(1, at(1, 90));

    assertThat(writes.neededFor(1L)).isEqualTo(at(2, 50));
  }

  @Property
  void whateverIsFoldedNoKeyNeedsLessThanItsLastWrite(
      @ForAll @Size(max = 60) List<@IntRange(min = 0, max = 20) Integer> keys,
      @ForAll @IntRange(min = 1, max = 5) int maximumKeys) {
    RecentWrites writes = new RecentWrites(maximumKeys);
    Map<Integer, LogPosition> last = new HashMap<>();
    long lsn = 0;
    for (int key : keys) {
      LogPosition position = at(1, ++lsn);
      writes.wrote(key, position);
      last.put(key, position);
    }

    last.forEach(
        (key, position) -> assertThat(writes.neededFor((long) key).covers(position)).isTrue());
  }
}
