package dev.waymark.routing;

import static dev.waymark.routing.Views.at;
import static dev.waymark.routing.Views.down;
import static dev.waymark.routing.Views.primaryAndReplicas;
import static dev.waymark.routing.Views.up;
import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.Route.Reason;
import dev.waymark.SessionToken;
import dev.waymark.routing.Router.Choice;
import dev.waymark.routing.Router.Need;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class RouterTest {
  private static final long NOW = Duration.ofSeconds(100).toNanos();

  @Test
  void strongReadGoesToThePrimary() {
    Choice choice = choose(primaryAndReplicas(100, 100), need(Consistency.strong()), 0);

    assertThat(choice.node().node().name()).isEqualTo("a");
    assertThat(choice.reason()).isEqualTo(Reason.STRONG);
  }

  @Test
  void replicasTakeTurns() {
    ShardView view = primaryAndReplicas(100, 100);

    List<String> chosen = new ArrayList<>();
    for (int turn = -2; turn < 2; turn++) {
      chosen.add(choose(view, need(Consistency.session()), turn).node().node().name());
    }

    assertThat(chosen).containsExactly("b", "c", "b", "c");
  }

  @Test
  void readOfAWrittenKeySkipsTheReplicaThatLacksIt() {
    ShardView view = primaryAndReplicas(89, 90);

    for (int turn = 0; turn < 4; turn++) {
      Need need = new Need(Consistency.session(), SessionToken.empty(), at(1, 90), 0);
      assertThat(choose(view, need, turn).node().node().name()).isEqualTo("c");
    }
  }

  @Test
  void readGoesToThePrimaryWhereNoReplicaHasWhatTheSessionSaw() {
    Need need = need(Consistency.session(), SessionToken.of(at(1, 95)));

    Choice choice = choose(primaryAndReplicas(90, 94), need, 0);

    assertThat(choice.node().node().name()).isEqualTo("a");
    assertThat(choice.reason()).isEqualTo(Reason.NO_REPLICA_IS_FRESH);
  }

  @Test
  void readGoesToThePrimaryWhereNoReplicaIsUp() {
    ShardView view = down(down(primaryAndReplicas(100, 100), 1), 2);

    assertThat(choose(view, need(Consistency.session()), 0).reason())
        .isEqualTo(Reason.NO_REPLICA_IS_UP);
  }

  @Test
  void nodeThatFailedThisReadIsAvoided() {
    ShardView view = primaryAndReplicas(100, 100);
    Need need =
        new Need(Consistency.session(), SessionToken.empty(), null, Need.bit(view.nodes().get(1)));

    for (int turn = 0; turn < 4; turn++) {
      assertThat(choose(view, need, turn).node().node().name()).isEqualTo("c");
    }
  }

  @Test
  void eventualReadTakesAnyReplica() {
    Need need = need(Consistency.eventual(), SessionToken.of(at(1, 95)));

    assertThat(choose(primaryAndReplicas(10, 10), need, 0).node().isUp(Role.REPLICA)).isTrue();
  }

  @Test
  void boundedReadTakesAReplicaThatIsYoungEnoughAndNoOther() {
    ShardView view = up(primaryAndReplicas(10, 10), 1, Role.REPLICA, at(1, 10), NOW - 3_000_000);

    assertThat(choose(view, need(Consistency.boundedStaleness(Duration.ofMillis(3))), 0).node())
        .isEqualTo(view.nodes().get(1));
    assertThat(choose(view, need(Consistency.boundedStaleness(Duration.ofMillis(2))), 0).reason())
        .isEqualTo(Reason.NO_REPLICA_IS_FRESH);
  }

  @Test
  void positionOfAnotherShardIsNoHindrance() {
    Need need = need(Consistency.session(), SessionToken.of(new LogPosition(7, 3, 1_000_000)));

    assertThat(choose(primaryAndReplicas(10, 10), need, 0).reason())
        .isEqualTo(Reason.REPLICA_IS_FRESH);
  }

  @Test
  void sessionThatKnowsOfAPromotionIsNotServedByTheOldPrimary() {
    Need need = need(Consistency.session(), SessionToken.of(at(2, 50)));

    assertThat(Router.choose(primaryAndReplicas(100, 100), need, NOW, 0)).isNull();
  }

  @Test
  void afterAPromotionAReplicaServesOldTokensOnceItHasReachedTheNewTimeline() {
    ShardView view = up(primaryAndReplicas(100, 100), 1, Role.PRIMARY, at(2, 110));
    Need need = need(Consistency.session(), SessionToken.of(at(1, 100)));

    ShardView behind = up(view, 2, Role.REPLICA, at(2, 109));
    assertThat(choose(behind, need, 0).node().node().name()).isEqualTo("b");

    ShardView caughtUp = up(view, 2, Role.REPLICA, at(2, 110));
    assertThat(choose(caughtUp, need, 0).node().node().name()).isEqualTo("c");
  }

  @Test
  void ofTwoPrimariesTheLaterTimelineWins() {
    ShardView view = up(primaryAndReplicas(100, 100), 2, Role.PRIMARY, at(2, 90));

    assertThat(choose(view, need(Consistency.strong()), 0).node().node().name()).isEqualTo("c");
  }

  @Test
  void aPrimaryThatWasOvertakenServesNothingWhileTheLaterOneIsDown() {
    ShardView promoted = up(primaryAndReplicas(100, 100), 2, Role.PRIMARY, at(2, 90));
    ShardView view = down(promoted, 2);

    assertThat(view.primary()).isNull();
    assertThat(Router.choose(view, need(Consistency.strong()), NOW, 0)).isNull();
    assertThat(view.hasOvertaken(at(1, 100))).isTrue();
    assertThat(view.hasOvertaken(at(2, 90))).isFalse();
  }

  @Test
  void aFreshReplicaServesASessionWhileNoPrimaryHasEverBeenSeen() {
    ShardView view = up(Views.unseen(3), 1, Role.REPLICA, at(1, 100));

    assertThat(choose(view, need(Consistency.session(), SessionToken.of(at(1, 90))), 0).node())
        .isEqualTo(view.nodes().get(1));
  }

  @Test
  void aReplicaOfUnknownAgeIsNotYoungEnoughForAnyBound() {
    Consistency years = Consistency.boundedStaleness(Duration.ofDays(1_000));

    assertThat(choose(primaryAndReplicas(100, 100), need(years), 0).reason())
        .isEqualTo(Reason.NO_REPLICA_IS_FRESH);
  }

  @Test
  void replicasThatAreBusyAreNotCalledDown() {
    ShardView view = primaryAndReplicas(100, 100);
    long both = Need.bit(view.nodes().get(1)) | Need.bit(view.nodes().get(2));

    assertThat(
            choose(view, new Need(Consistency.session(), SessionToken.empty(), null, both), 0)
                .reason())
        .isEqualTo(Reason.NO_REPLICA_IS_FRESH);
  }

  @Test
  void nothingServesWhereNothingIsUp() {
    assertThat(Router.choose(Views.unseen(3), need(Consistency.eventual()), NOW, 0)).isNull();
  }

  @Property
  void aSessionReadNeverGoesToANodeThatLacksWhatWasSeen(
      @ForAll @LongRange(min = 0, max = 120) long b,
      @ForAll @LongRange(min = 0, max = 120) long c,
      @ForAll @LongRange(min = 0, max = 120) long seen,
      @ForAll @LongRange(min = 0, max = 120) long written,
      @ForAll @IntRange(min = 0, max = 7) int downNodes,
      @ForAll int turn) {
    ShardView view = primaryAndReplicas(b, c);
    for (int i = 0; i < 3; i++) {
      view = (downNodes & 1 << i) == 0 ? view : down(view, i);
    }
    Need need = new Need(Consistency.session(), SessionToken.of(at(1, seen)), at(1, written), 0);

    Choice choice = Router.choose(view, need, NOW, turn);

    assertThat(choice).isEqualTo(Router.choose(view, need, NOW, turn));
    if (choice == null) {
      assertThat(view.nodes().get(0).isUp()).isFalse();
    } else if (choice.node().isUp(Role.REPLICA)) {
      assertThat(choice.node().position().lsn()).isGreaterThanOrEqualTo(Math.max(seen, written));
    } else {
      assertThat(choice.node().isUp(Role.PRIMARY)).isTrue();
    }
  }

  @Test
  void answerIsProvenAsNewAsWhatItHadToSee() {
    ShardView view = primaryAndReplicas(50, 60);
    Need need = new Need(Consistency.session(), SessionToken.of(at(1, 55)), at(1, 70), 0);

    assertThat(need.provenBy(view.nodes().get(1))).isEqualTo(at(1, 70));
    assertThat(need.provenBy(view.nodes().get(0))).isEqualTo(at(1, 100));
  }

  @Test
  void eventualAnswerProvesOnlyWhatTheNodeHasReplayed() {
    Need need = new Need(Consistency.eventual(), SessionToken.of(at(1, 55)), at(1, 70), 0);

    assertThat(need.provenBy(primaryAndReplicas(50, 60).nodes().get(1))).isEqualTo(at(1, 50));
  }

  private static Choice choose(ShardView view, Need need, int turn) {
    Choice choice = Router.choose(view, need, NOW, turn);
    assertThat(choice).isNotNull();
    return choice;
  }

  private static Need need(Consistency consistency) {
    return need(consistency, SessionToken.empty());
  }

  private static Need need(Consistency consistency, SessionToken seen) {
    return new Need(consistency, seen, null, 0);
  }
}
