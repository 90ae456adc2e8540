package dev.waymark.routing;

import static dev.waymark.routing.Views.at;
import static dev.waymark.routing.Views.down;
import static dev.waymark.routing.Views.primaryAndReplicas;
import static dev.waymark.routing.Views.up;
import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Balancing;
import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.Route.Reason;
import dev.waymark.SessionToken;
import dev.waymark.SessionTokenFormat;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkConfig.WhenAllLag;
import dev.waymark.routing.NodeView.Choice;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RouterTest {
  private static final long NOW = Duration.ofSeconds(100).toNanos();

  @Test
  void strongReadGoesToThePrimary() {
    Choice choice = choose(primaryAndReplicas(100, 100), need(Consistency.strong()), 0);

    assertThat(choice.node().node().name()).isEqualTo("a");
    assertThat(choice.route().reason()).isEqualTo(Reason.STRONG);
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
    assertThat(choice.route().reason()).isEqualTo(Reason.NO_REPLICA_IS_FRESH);
  }

  @Test
  void readGoesToThePrimaryWhereNoReplicaIsUp() {
    ShardView view = down(down(primaryAndReplicas(100, 100), 1), 2);

    assertThat(choose(view, need(Consistency.session()), 0).route().reason())
        .isEqualTo(Reason.NO_REPLICA_IS_UP);
  }

  @Test
  void nodeThatFailedThisReadIsAvoided() {
    ShardView view = primaryAndReplicas(100, 100);
    Need need = new Need(Consistency.session(), SessionToken.empty(), null, view.node(1).bit());

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
        .isEqualTo(view.node(1));
    assertThat(
            choose(view, need(Consistency.boundedStaleness(Duration.ofMillis(2))), 0)
                .route()
                .reason())
        .isEqualTo(Reason.NO_REPLICA_IS_FRESH);
  }

  @Test
  void positionOfAnotherShardIsNoHindrance() {
    Need need = need(Consistency.session(), SessionToken.of(new LogPosition(7, 3, 1_000_000)));

    assertThat(choose(primaryAndReplicas(10, 10), need, 0).route().reason())
        .isEqualTo(Reason.REPLICA_IS_FRESH);
  }

  @Test
  void sessionThatKnowsOfAPromotionIsNotServedByTheOldPrimary() {
    Need need = need(Consistency.session(), SessionToken.of(at(2, 50)));

    assertThat(decide(primaryAndReplicas(100, 100), need, 0)).isNull();
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
    assertThat(decide(view, need(Consistency.strong()), 0)).isNull();
    assertThat(view.hasOvertaken(at(1, 100))).isTrue();
    assertThat(view.hasOvertaken(at(2, 90))).isFalse();
  }

  @Test
  void aFreshReplicaServesASessionWhileNoPrimaryHasEverBeenSeen() {
    ShardView view = up(Views.unseen(3), 1, Role.REPLICA, at(1, 100));

    assertThat(choose(view, need(Consistency.session(), SessionToken.of(at(1, 90))), 0).node())
        .isEqualTo(view.node(1));
  }

  @Test
  void aReplicaOfUnknownAgeIsNotYoungEnoughForAnyBound() {
    Consistency years = Consistency.boundedStaleness(Duration.ofDays(1_000));

    assertThat(choose(primaryAndReplicas(100, 100), need(years), 0).route().reason())
        .isEqualTo(Reason.NO_REPLICA_IS_FRESH);
  }

  @Test
  void replicasThatAreBusyAreNotCalledDown() {
    ShardView view = primaryAndReplicas(100, 100);
    long both = view.node(1).bit() | view.node(2).bit();

    assertThat(
            choose(view, new Need(Consistency.session(), SessionToken.empty(), null, both), 0)
                .route()
                .reason())
        .isEqualTo(Reason.NO_REPLICA_IS_FRESH);
  }

  @Test
  void nothingServesWhereNothingIsUp() {
    assertThat(decide(Views.unseen(3), need(Consistency.eventual()), 0)).isNull();
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

    Choice choice = decide(view, need, turn);

    assertThat(choice).isEqualTo(decide(view, need, turn));
    if (choice == null) {
      assertThat(view.node(0).isUp()).isFalse();
    } else if (choice.node().isUp(Role.REPLICA)) {
      assertThat(choice.node().position().lsn()).isGreaterThanOrEqualTo(Math.max(seen, written));
    } else {
      assertThat(choice.node().isUp(Role.PRIMARY)).isTrue();
    }
  }

  @Test
  void aSessionStaysWithTheNodeItReadFromUntilThatOneWasLookedAtAgain() {
    ShardView view = primaryAndReplicas(100, 100);
    Session session = need(Consistency.session()).session();
    session.read(view.node(1), NOW);

    session.settle(view);
    assertThat(chosenBy(view, session)).containsOnly("b");

    // The look was begun before the answer came: the node may have gone on in between.
    ShardView early = up(view, 1, Role.REPLICA, at(1, 110), null, NOW - 1);
    session.settle(early);
    assertThat(chosenBy(early, session)).containsOnly("b");

    ShardView later = up(view, 1, Role.REPLICA, at(1, 120), null, NOW + 1);
    session.settle(later);
    assertThat(session.seen().reads()).containsExactly(at(1, 120));
    assertThat(chosenBy(later, session)).containsOnly("b");
    assertThat(chosenBy(up(later, 2, Role.REPLICA, at(1, 120)), session)).containsOnly("b", "c");
  }

  @Test
  void whatWasReadFromANodeThatIsGoneIsShownByThePrimary() {
    ShardView view = primaryAndReplicas(100, 100);
    Session session = need(Consistency.session()).session();
    session.read(view.node(1), NOW);

    ShardView without = down(view, 1);
    session.settle(without);
    assertThat(chosenBy(without, session)).containsOnly("a");

    // No replica is ahead of its primary, so a look at that one tells enough.
    ShardView later = up(without, 0, Role.PRIMARY, at(1, 130), null, NOW + 1);
    session.settle(later);
    assertThat(chosenBy(up(later, 2, Role.REPLICA, at(1, 129)), session)).containsOnly("a");
    assertThat(chosenBy(up(later, 2, Role.REPLICA, at(1, 130)), session)).containsOnly("c");
  }

  @Test
  void aServerThatWasStartedAnewIsNotTheOneThatWasReadFrom() {
    ShardView view = primaryAndReplicas(100, 100);
    Session session = need(Consistency.session()).session();
    session.read(view.node(1), NOW);

    ShardView restarted =
        view.with(
            view.node(1)
                .with(
                    new NodeView.Observed(
                        Role.REPLICA,
                        at(1, 90),
                        99,
                        NOW + 1,
                        NOW + 1,
                        null,
                        true,
                        1,
                        null,
                        false)));
    session.settle(restarted);

    assertThat(chosenBy(restarted, session)).containsOnly("a");
  }

  @Test
  void replicasBeyondThePreferredLagServeOnlyWhereTooFewAreLeft() {
    ShardView view = up(primaryAndReplicas(10, 10), 1, Role.REPLICA, at(1, 10), ago(1));
    view = up(view, 2, Role.REPLICA, at(1, 5), ago(60));

    assertThat(chosenWith(lag(1, WhenAllLag.PRIMARY), view)).containsOnly("b");
    assertThat(chosenWith(lag(2, WhenAllLag.PRIMARY), view)).containsOnly("b", "c");
  }

  @Test
  void whereAllReplicasLagBeyondMeasureTheSettingsSayWhoAnswers() {
    ShardView view = up(primaryAndReplicas(10, 10), 1, Role.REPLICA, at(1, 10), ago(99));
    view = up(view, 2, Role.REPLICA, at(1, 5), ago(98));

    assertThat(chosenWith(lag(1, WhenAllLag.PRIMARY), view)).containsOnly("a");
    assertThat(chosenWith(lag(1, WhenAllLag.STALE), view)).containsOnly("b", "c");
    assertThat(chosenWith(lag(1, WhenAllLag.PRIMARY), down(view, 0))).containsOnly("b", "c");
  }

  @Test
  void aReplicaThatHasAllThatIsKnownOfAnIdlePrimaryDoesNotLag() {
    assertThat(chosenWith(lag(1, WhenAllLag.PRIMARY), primaryAndReplicas(100, 100)))
        .containsOnly("b", "c");
  }

  @Test
  void replicasCountAsLaggingByBytesAsWell() {
    WaymarkConfig.Lag bytes =
        new WaymarkConfig.Lag(
            Duration.ofSeconds(10), Duration.ofSeconds(90), 20, 50, 1, WhenAllLag.PRIMARY, 0);

    assertThat(chosenWith(bytes, primaryAndReplicas(80, 79))).containsOnly("b");
    assertThat(chosenWith(bytes, primaryAndReplicas(79, 49))).containsOnly("b");
    assertThat(chosenWith(bytes, primaryAndReplicas(49, 49))).containsOnly("a");
  }

  private static WaymarkConfig.Lag lag(int minimumServing, WhenAllLag whenAllLag) {
    return new WaymarkConfig.Lag(
        Duration.ofSeconds(10), Duration.ofSeconds(90), 0, 0, minimumServing, whenAllLag, 0);
  }

  private static long ago(long seconds) {
    return NOW - Duration.ofSeconds(seconds).toNanos();
  }

  /** Which nodes eight eventual reads go to. */
  private static List<String> chosenWith(WaymarkConfig.Lag lag, ShardView view) {
    List<String> chosen = new ArrayList<>();
    Router router = need(Consistency.eventual()).router(lag);
    for (int turn = 0; turn < 8; turn++) {
      Choice choice = router.choose(view, Consistency.eventual(), null, 1, 0, NOW, turn);
      if (choice == null) {
        choice = router.instead(view, Consistency.eventual(), null, 1, 0, NOW, turn);
      }
      chosen.add(String.valueOf(choice == null ? null : choice.node().node()));
    }
    return chosen;
  }

  /** Which nodes eight reads of a session go to. */
  private static List<String> chosenBy(ShardView view, Session session) {
    List<String> chosen = new ArrayList<>();
    Router router = need(Consistency.session()).router(WaymarkConfig.Lag.defaults());
    for (int turn = 0; turn < 8; turn++) {
      Choice choice = router.choose(view, Consistency.session(), session, 1, 0, NOW, turn);
      if (choice == null) {
        choice = router.instead(view, Consistency.session(), session, 1, 0, NOW, turn);
      }
      chosen.add(String.valueOf(choice == null ? null : choice.node().node()));
    }
    return chosen;
  }

  @Test
  void answerIsProvenAsNewAsWhatItHadToSee() {
    ShardView view = primaryAndReplicas(50, 60);
    Need need = new Need(Consistency.session(), SessionToken.of(at(1, 55)), at(1, 70), 0);

    assertThat(need.provenBy(view, 1)).isEqualTo(at(1, 70));
    assertThat(need.provenBy(view, 0)).isEqualTo(at(1, 100));
  }

  @Test
  void answerProvesNothingOfAWriteThatCameAfterItHadBegun() {
    ShardView view = primaryAndReplicas(50, 60);
    RecentWrites writes = new RecentWrites();
    Router router =
        new Router(
            writes,
            Balancer.of(Balancing.ROUND_ROBIN),
            new NodeLoad[0],
            WaymarkConfig.Lag.defaults());
    Router.Needed needed = router.needed(view, Consistency.session(), null, 1);
    writes.wrote(1, at(1, 90));

    assertThat(Router.provenBy(view.node(1), needed)).isEqualTo(at(1, 50));
  }

  @Test
  void aPlaceBeyondThatOfAReplicaIsNotCoveredByItsLaterTimeline() {
    // The place was told by a replica that had followed to timeline 2 without knowing.
    ShardView view = up(primaryAndReplicas(100, 100), 1, Role.PRIMARY, at(2, 110));
    Need need = need(Consistency.session(), SessionToken.of(at(1, 150)));

    assertThat(choose(up(view, 2, Role.REPLICA, at(2, 149)), need, 0).node().node().name())
        .isEqualTo("b");
    assertThat(choose(up(view, 2, Role.REPLICA, at(2, 150)), need, 0).node().node().name())
        .isEqualTo("c");
  }

  @Test
  void eventualAnswerProvesOnlyWhatTheNodeHasReplayed() {
    Need need = new Need(Consistency.eventual(), SessionToken.of(at(1, 55)), at(1, 70), 0);

    assertThat(need.provenBy(primaryAndReplicas(50, 60), 1)).isEqualTo(at(1, 50));
  }

  private static Choice choose(ShardView view, Need need, int turn) {
    Choice choice = decide(view, need, turn);
    assertThat(choice).isNotNull();
    return choice;
  }

  private static @Nullable Choice decide(ShardView view, Need need, int turn) {
    Router router = need.router(WaymarkConfig.Lag.defaults());
    Choice choice =
        router.choose(view, need.consistency(), need.session(), 1, need.avoided(), NOW, turn);
    return choice != null
        ? choice
        : router.instead(view, need.consistency(), need.session(), 1, need.avoided(), NOW, turn);
  }

  private static Need need(Consistency consistency) {
    return need(consistency, SessionToken.empty());
  }

  private static Need need(Consistency consistency, SessionToken seen) {
    return new Need(consistency, seen, null, 0);
  }

  /** What a read must see, of key 1 on a shard of three nodes, and where it must not go. */
  private record Need(
      Consistency consistency, SessionToken seen, @Nullable LogPosition written, long avoided) {
    Router router(WaymarkConfig.Lag lag) {
      RecentWrites writes = new RecentWrites();
      if (written != null) {
        writes.wrote(1, written);
      }
      NodeLoad[] loads = new NodeLoad[3];
      Arrays.setAll(loads, i -> new NodeLoad(1, NodeLoad.Zone.FAR, Duration.ZERO, () -> 0));
      Balancer inTurn =
          (candidates, all, affinity, random, now) ->
              Balancer.nth(candidates, Math.floorMod((int) random, Long.bitCount(candidates)));
      return new Router(writes, inTurn, loads, lag);
    }

    Session session() {
      return new Session(
          new ThreadLocal<>(), SessionTokenFormat.unsigned(), consistency, seen, () -> NOW);
    }

    @Nullable LogPosition provenBy(ShardView view, int node) {
      Router router = router(WaymarkConfig.Lag.defaults());
      return Router.provenBy(view.node(node), router.needed(view, consistency, session(), 1));
    }
  }
}
