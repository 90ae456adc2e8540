package dev.waymark.routing;

import static dev.waymark.routing.Views.at;
import static dev.waymark.routing.Views.primaryAndReplicas;
import static dev.waymark.routing.Views.up;
import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Role;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class RecentWritesTest {
  private final RecentWrites writes = new RecentWrites();

  @Test
  void aKeyNeedsItsOwnLastWriteAndNoOther() {
    ShardView view = primaryAndReplicas(50, 60);
    writes.wrote(1, at(1, 50));
    writes.wrote(2, at(1, 60));
    writes.wrote(1, at(1, 40));

    assertThat(writes.areShownBy(view, view.node(1), 1)).isTrue();
    assertThat(writes.areShownBy(view, view.node(1), 2)).isFalse();
    assertThat(writes.areShownBy(view, view.node(2), 2)).isTrue();
    assertThat(writes.areShownBy(view, view.node(1), 3)).isTrue();
  }

  @Test
  void aReadOfNoKeyNeedsTheLastWriteOfAll() {
    ShardView view = primaryAndReplicas(50, 60);
    writes.wrote(1, at(1, 50));
    writes.wrote(2, at(1, 60));

    assertThat(writes.areShownBy(view, view.node(1), Router.NO_KEY)).isFalse();
    assertThat(writes.areShownBy(view, view.node(2), Router.NO_KEY)).isTrue();
  }

  @Test
  void aPromotionForgetsNoWriteOfTheTimelinesBefore() {
    ShardView view = up(primaryAndReplicas(90, 90), 0, Role.PRIMARY, at(4, 200));
    ShardView behind = up(view, 1, Role.REPLICA, at(1, 49));
    for (int timeline = 1; timeline <= 4; timeline++) {
      writes.wrote(timeline, at(timeline, 50L * timeline));
    }

    assertThat(writes.areShownBy(behind, behind.node(1), 1)).isFalse();
    assertThat(writes.areShownBy(behind, behind.node(0), 1)).isTrue();
    ShardView caughtUp = up(behind, 1, Role.REPLICA, at(4, 200));
    for (int timeline = 1; timeline <= 4; timeline++) {
      assertThat(writes.areShownBy(caughtUp, caughtUp.node(1), timeline)).isTrue();
    }
  }

  @Test
  void aLateAnswerFromBeforeAPromotionIsKept() {
    writes.wrote(1, at(2, 50));
    writes.wrote(1, at(1, 90));
    ShardView view = up(primaryAndReplicas(90, 90), 1, Role.REPLICA, at(2, 50));

    // The first place seen on the new timeline is not known here, so nobody is known to have it.
    assertThat(writes.areShownBy(view, view.node(2), 1)).isFalse();
  }

  @Property(tries = 100)
  void whoeverMeetsInOnePlaceNoKeyNeedsLessThanItsLastWrite(
      @ForAll @Size(max = 200) List<@IntRange(max = 50_000) Integer> keys,
      @ForAll @LongRange(min = 1, max = 300) long replayed) {
    RecentWrites table = new RecentWrites();
    Map<Integer, Long> last = new HashMap<>();
    long lsn = 0;
    for (int key : keys) {
      table.wrote(key, at(1, ++lsn));
      last.put(key, lsn);
    }
    ShardView view = primaryAndReplicas(replayed, replayed);

    last.forEach(
        (key, position) -> {
          if (table.areShownBy(view, view.node(1), key)) {
            assertThat(position).isLessThanOrEqualTo(replayed);
          }
        });
  }
}
