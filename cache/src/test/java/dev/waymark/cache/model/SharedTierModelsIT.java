package dev.waymark.cache.model;

import static dev.waymark.cache.model.FenceModel.Promise.LINEARIZABLE;
import static dev.waymark.cache.model.FenceModel.Promise.NOTHING_STALE_AT_REST;

import dev.waymark.cache.model.FenceModel.Kind;
import dev.waymark.cache.model.FenceModel.Setup;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Every interleaving of the shared tier's protocol within the bounds, and of what it is not. */
class SharedTierModelsIT {
  private static final Rule[] FENCE = {
    Rule.LEASE,
    Rule.LEASE_TOKEN,
    Rule.ANNOUNCE,
    Rule.ANNOUNCE_UNDER_LOCK,
    Rule.SNAPSHOT_TEST,
    Rule.LEASE_COPY,
    Rule.REPLICA_NEEDS_NO_DOUBT,
    Rule.POSITION_FLOOR,
    Rule.PURGE_RAISES_FLOOR,
    Rule.BARRIER,
    Rule.HORIZON_ASSIGNED,
    Rule.RECOVERY_TOKEN,
    Rule.HORIZON_PER_SHARD,
    Rule.RECORD_WITHOUT_HORIZON,
    Rule.EPOCH,
    Rule.EPOCH_NEVER_RETURNS,
    Rule.PLAIN_EPOCH_GOES_WITH_THE_STATE,
    Rule.PLAIN_READ_KNOWS_THE_SERVER,
    Rule.HORIZON_RAISES_FLOOR,
    Rule.PUT_TOKEN_PER_EXECUTION,
    Rule.PUT_TOKEN_OF_EPOCH,
    Rule.TIMELINE,
    Rule.HORIZON_IS_REPLICATED,
    Rule.STREAM_WITH_XID,
    Rule.STREAM_ENDS_PUT,
    Rule.JOIN_BEFORE_SNAPSHOT
  };

  private static Setup fence(int writers, int readers) {
    return Setup.of(writers, readers).with(FENCE);
  }

  /** One writer and two readers that know leases, and nothing else. */
  private static Setup leases() {
    return Setup.of(1, 2).with(Rule.LEASE, Rule.LEASE_TOKEN);
  }

  private static void isClean(Setup small, Setup large) {
    Setup setup = Bounds.choose(small, large);
    Bounds.assertClean(new FenceModel(setup, LINEARIZABLE, NOTHING_STALE_AT_REST));
  }

  private static void isNotLinearizable(Setup setup) {
    Bounds.assertBroken(new FenceModel(setup, LINEARIZABLE));
  }

  private static void staysStale(Setup setup) {
    Bounds.assertBroken(new FenceModel(setup, NOTHING_STALE_AT_REST));
  }

  private static void endsUpRight(Setup setup) {
    Bounds.assertClean(new FenceModel(setup, NOTHING_STALE_AT_REST));
  }

  @Nested
  class AsDesigned {
    @Test
    void processesMayDieAndTransactionsMayBeRolledBackAtAnyStep() {
      isClean(
          fence(3, 2).when(Event.ROLLBACK, Event.CRASH, Event.EVICTION, Event.SWEEP),
          fence(3, 3).when(Event.ROLLBACK, Event.CRASH, Event.EVICTION, Event.SWEEP));
    }

    @Test
    void announcementsMayBeExecutedTwiceAndLate() {
      isClean(
          fence(2, 2).when(Event.DUPLICATE, Event.ROLLBACK, Event.CRASH, Event.EVICTION),
          fence(3, 2).when(Event.DUPLICATE, Event.ROLLBACK, Event.CRASH, Event.EVICTION));
    }

    @Test
    void writersMayAnnounceBeforeTheyHaveTheLockIfTheyDoNotPut() {
      isClean(
          fence(2, 2)
              .without(Rule.ANNOUNCE_UNDER_LOCK)
              .when(Event.DUPLICATE, Event.ROLLBACK, Event.CRASH, Event.EVICTION),
          fence(3, 2)
              .without(Rule.ANNOUNCE_UNDER_LOCK)
              .when(Event.DUPLICATE, Event.ROLLBACK, Event.CRASH, Event.EVICTION));
    }

    @Test
    void replicasMayFillHoweverTheyLag() {
      isClean(
          fence(2, 2).when(Event.REPLICA, Event.SWEEP, Event.ROLLBACK, Event.EVICTION),
          fence(3, 2).when(Event.REPLICA, Event.SWEEP, Event.ROLLBACK, Event.EVICTION));
    }

    @Test
    void streamMayRunAheadOfWhatThePrimaryShows() {
      isClean(
          fence(2, 2).when(Event.STREAM, Event.REPLICA, Event.CRASH, Event.EVICTION),
          fence(3, 2).when(Event.STREAM, Event.REPLICA, Event.CRASH, Event.EVICTION));
    }

    @Test
    void listsWhoseWritersDoNotWaitForEachOtherAreFenced() {
      isClean(
          fence(2, 2).of(Kind.LIST).when(Event.REPLICA, Event.CRASH, Event.EVICTION, Event.SWEEP),
          fence(3, 2).of(Kind.LIST).when(Event.REPLICA, Event.CRASH, Event.EVICTION, Event.SWEEP));
    }

    @Test
    void keysMayShareACell() {
      isClean(
          fence(2, 2).keysOn(0, 0).writersOf(0, 0).readersOf(0, 0, 1).when(Event.ROLLBACK),
          fence(2, 3)
              .keysOn(0, 0)
              .writersOf(0, 0, 1)
              .readersOf(0, 0, 1)
              .when(Event.ROLLBACK, Event.EVICTION, Event.SWEEP));
    }

    @Test
    void keysMayShareACellWithReplicas() {
      isClean(
          fence(1, 3).keysOn(0, 0).readersOf(0, 0, 1).when(Event.REPLICA, Event.EVICTION),
          fence(2, 3)
              .keysOn(0, 0)
              .writersOf(0, 1)
              .readersOf(0, 0, 1)
              .when(Event.REPLICA, Event.EVICTION, Event.SWEEP));
    }

    @Test
    void writersMayPutTheirRowAfterCommitHoweverLate() {
      isClean(
          fence(2, 2).when(Event.PUT, Event.DUPLICATE, Event.CRASH, Event.EVICTION, Event.SWEEP),
          fence(3, 2).when(Event.PUT, Event.DUPLICATE, Event.CRASH, Event.EVICTION, Event.SWEEP));
    }

    @Test
    void putsGoTogetherWithReplicasAndTheStream() {
      isClean(
          fence(2, 1).when(Event.PUT, Event.REPLICA, Event.STREAM, Event.DUPLICATE, Event.EVICTION),
          fence(3, 1)
              .when(Event.PUT, Event.REPLICA, Event.STREAM, Event.DUPLICATE, Event.EVICTION));
    }

    @Test
    void redisMayLoseEverything() {
      isClean(
          fence(2, 1).losing(2).when(Event.COLD_START, Event.FLUSH, Event.ROLLBACK),
          fence(2, 2).losing(3).when(Event.COLD_START, Event.FLUSH, Event.ROLLBACK));
    }

    @Test
    void redisMayLoseTheStateOfABucketAndKeepItsValues() {
      isClean(
          fence(2, 1).losing(2).when(Event.COLD_START, Event.STATE_EVICTION),
          fence(2, 2).losing(3).when(Event.COLD_START, Event.STATE_EVICTION));
    }

    @Test
    void redisMayFailOverToAnOlderState() {
      isClean(
          fence(2, 1).losing(1).when(Event.FAILOVER, Event.ROLLBACK, Event.DUPLICATE),
          fence(3, 2).losing(1).when(Event.FAILOVER, Event.ROLLBACK, Event.DUPLICATE));
    }

    @Test
    void valuesMayBeReadPlainlyBeforeAnybodyHasFoundOutThatTheStateIsLost() {
      isClean(
          fence(2, 1)
              .losing(2)
              .when(Event.PLAIN_READ, Event.FLUSH, Event.STATE_EVICTION, Event.EVICTION),
          fence(2, 2)
              .losing(2)
              .when(Event.PLAIN_READ, Event.FLUSH, Event.STATE_EVICTION, Event.CRASH));
    }

    @Test
    void valuesMayBeReadPlainlyFromAServerThatTookOver() {
      isClean(
          fence(2, 1).losing(1).when(Event.PLAIN_READ, Event.FAILOVER, Event.PUT),
          fence(2, 2).losing(1).when(Event.PLAIN_READ, Event.FAILOVER, Event.PUT, Event.DUPLICATE));
    }

    @Test
    void valuesMayBeReadPlainlyWhileWritersBeginNewEpochs() {
      isClean(
          fence(2, 2).when(Event.PLAIN_READ, Event.BULK, Event.CRASH),
          fence(2, 2).losing(1).when(Event.PLAIN_READ, Event.BULK, Event.STATE_EVICTION));
    }

    @Test
    void replicasMayFillAgainAfterARecovery() {
      isClean(
          fence(2, 1).losing(1).when(Event.COLD_START, Event.FLUSH, Event.REPLICA, Event.EVICTION),
          fence(2, 2)
              .losing(2)
              .when(Event.COLD_START, Event.FLUSH, Event.REPLICA, Event.EVICTION, Event.SWEEP));
    }

    @Test
    void putsGoTogetherWithLossAndFailover() {
      isClean(
          fence(2, 1).losing(1).when(Event.FAILOVER, Event.FLUSH, Event.PUT, Event.DUPLICATE),
          fence(3, 1).losing(2).when(Event.FAILOVER, Event.FLUSH, Event.PUT, Event.DUPLICATE));
    }

    @Test
    void twoShardsOfABucketRecoverOnTheirOwn() {
      isClean(
          fence(0, 0).keysOn(0, 1).writersOf(0, 1).readersOf(0, 1).losing(1).when(Event.FLUSH),
          fence(0, 0)
              .keysOn(0, 1)
              .writersOf(0, 0, 1)
              .readersOf(0, 1)
              .losing(2)
              .when(Event.COLD_START, Event.FLUSH, Event.ROLLBACK));
    }

    @Test
    void writersThatAreOverMayTakeThemselvesOutOfDoubt() {
      isClean(
          fence(2, 2).when(Event.SETTLE, Event.REPLICA, Event.ROLLBACK, Event.EVICTION),
          fence(2, 2)
              .when(
                  Event.SETTLE,
                  Event.PUT,
                  Event.REPLICA,
                  Event.ROLLBACK,
                  Event.DUPLICATE,
                  Event.EVICTION));
    }

    @Test
    void valuesMayBeLoadedAnewWhileTheyAreThere() {
      isClean(
          fence(2, 2).when(Event.REFRESH, Event.SETTLE, Event.REPLICA, Event.EVICTION),
          fence(3, 2).when(Event.REFRESH, Event.SETTLE, Event.PUT, Event.REPLICA, Event.EVICTION));
    }

    @Test
    void writersOfAllKeysMayBeginANewEpochInstead() {
      isClean(
          fence(2, 2).when(Event.BULK, Event.DUPLICATE, Event.ROLLBACK),
          fence(2, 2).losing(1).when(Event.BULK, Event.DUPLICATE, Event.ROLLBACK, Event.FLUSH));
    }

    @Test
    void replicaMayBePromotedWhileSomeStillReadTheOldPrimary() {
      isClean(
          fence(2, 1).when(Event.PROMOTION, Event.ROLLBACK, Event.SETTLE, Event.PUT, Event.SWEEP),
          fence(3, 1)
              .when(
                  Event.PROMOTION,
                  Event.ROLLBACK,
                  Event.SETTLE,
                  Event.PUT,
                  Event.SWEEP,
                  Event.DUPLICATE));
    }

    @Test
    void replicaMayBePromotedAndRedisLoseEverything() {
      isClean(
          fence(2, 1).losing(1).when(Event.PROMOTION, Event.ROLLBACK, Event.FLUSH),
          fence(3, 1).losing(2).when(Event.PROMOTION, Event.ROLLBACK, Event.FLUSH, Event.PUT));
    }

    @Test
    void strangersLeaveNothingStaleForEverIfThereIsAStream() {
      endsUpRight(
          Bounds.choose(fence(2, 1), fence(2, 2))
              .when(Event.STRANGER, Event.STREAM, Event.REPLICA, Event.PUT, Event.EVICTION));
    }
  }

  @Nested
  class OtherProtocols {
    @Test
    void cacheAsideServesOldValuesAndKeepsThem() {
      isNotLinearizable(Setup.of(1, 2).with(Rule.DELETE_AFTER_COMMIT));
      staysStale(Setup.of(1, 2).with(Rule.DELETE_AFTER_COMMIT));
    }

    @Test
    void leasesWithDeleteAfterCommitServeOldValuesForAWhile() {
      isNotLinearizable(leases().with(Rule.DELETE_AFTER_COMMIT));
      endsUpRight(leases().with(Rule.DELETE_AFTER_COMMIT));
    }

    @Test
    void leasesWithDeleteAfterCommitKeepOldValuesWhenAWriterDies() {
      staysStale(leases().with(Rule.DELETE_AFTER_COMMIT).when(Event.CRASH));
    }

    @Test
    void leasesWithDeleteBeforeCommitKeepOldValues() {
      isNotLinearizable(leases().with(Rule.DELETE_BEFORE_COMMIT));
      staysStale(leases().with(Rule.DELETE_BEFORE_COMMIT));
    }

    @Test
    void leasesWithDeleteBeforeAndAfterCommitServeOldValuesForAWhile() {
      Setup setup = leases().with(Rule.DELETE_BEFORE_COMMIT, Rule.DELETE_AFTER_COMMIT);
      isNotLinearizable(setup);
      endsUpRight(setup);
    }

    @Test
    void leasesWithDeleteBeforeAndAfterCommitKeepOldValuesWhenAWriterDies() {
      staysStale(
          leases().with(Rule.DELETE_BEFORE_COMMIT, Rule.DELETE_AFTER_COMMIT).when(Event.CRASH));
    }

    @Test
    void leasesFilledFromReplicasKeepOldValues() {
      Setup setup =
          leases().with(Rule.DELETE_BEFORE_COMMIT, Rule.DELETE_AFTER_COMMIT).when(Event.REPLICA);
      isNotLinearizable(setup);
      staysStale(setup);
      staysStale(setup.when(Event.STREAM));
    }

    @Test
    void leasesWithDeletesFromTheStreamKeepOldValuesWhenAWriterDies() {
      Setup setup = leases().with(Rule.DELETE_AFTER_COMMIT).when(Event.STREAM, Event.CRASH);
      isNotLinearizable(setup);
      staysStale(setup);
    }
  }

  /** The protocol with one rule taken away. */
  @Nested
  class WithoutOneRule {
    private void isCaught(Rule rule, Setup setup) {
      isNotLinearizable(setup.without(rule));
      staysStale(setup.without(rule));
    }

    @Test
    void fillUnderSomebodyElsesLeaseIsCaught() {
      isCaught(Rule.LEASE_TOKEN, fence(2, 2).when(Event.SWEEP));
    }

    @Test
    void fillThatDoesNotLookAtSnapshotsIsCaught() {
      isCaught(Rule.SNAPSHOT_TEST, fence(2, 2));
    }

    @Test
    void fillThatLooksAtTheCellOnlyIsCaughtWhenAnotherKeyClearsTheCell() {
      isCaught(Rule.LEASE_COPY, fence(1, 2).keysOn(0, 0).readersOf(0, 1));
    }

    @Test
    void fillThatLooksAtTheCellOnlyIsCaughtWhenTheCellIsSwept() {
      isCaught(Rule.LEASE_COPY, fence(2, 2).when(Event.SWEEP));
    }

    @Test
    void replicaThatFillsBelowTheFloorIsCaught() {
      isCaught(Rule.POSITION_FLOOR, fence(2, 2).when(Event.REPLICA, Event.SWEEP));
    }

    @Test
    void replicaThatFillsWhileAWriterIsInDoubtIsCaught() {
      isCaught(Rule.REPLICA_NEEDS_NO_DOUBT, fence(2, 2).when(Event.REPLICA));
    }

    @Test
    void endOfDoubtThatLeavesTheFloorIsCaught() {
      isCaught(Rule.PURGE_RAISES_FLOOR, fence(2, 2).when(Event.REPLICA, Event.SWEEP));
    }

    @Test
    void writerThatEndsItsDoubtAndLeavesTheFloorIsCaught() {
      isCaught(Rule.PURGE_RAISES_FLOOR, fence(2, 1).when(Event.REPLICA, Event.SETTLE));
    }

    @Test
    void lossOfRedisWithoutABarrierIsCaught() {
      isCaught(Rule.BARRIER, fence(2, 1).losing(1).when(Event.FLUSH));
    }

    @Test
    void failoverOfRedisWithoutABarrierIsCaught() {
      isCaught(Rule.BARRIER, fence(2, 1).losing(1).when(Event.FAILOVER));
    }

    @Test
    void xmaxOfASnapshotAsHorizonIsCaught() {
      isCaught(Rule.HORIZON_ASSIGNED, fence(2, 1).losing(1).when(Event.FLUSH));
    }

    @Test
    void horizonInstalledAfterAnotherLossIsCaught() {
      isCaught(Rule.RECOVERY_TOKEN, fence(2, 1).losing(1).when(Event.COLD_START, Event.FLUSH));
    }

    @Test
    void writerNotRecordedDuringARecoveryIsCaught() {
      isCaught(Rule.RECORD_WITHOUT_HORIZON, fence(2, 1).when(Event.COLD_START));
    }

    @Test
    void horizonOfOneShardForAllShardsIsCaught() {
      isCaught(
          Rule.HORIZON_PER_SHARD,
          fence(0, 0).keysOn(0, 1).writersOf(1).readersOf(1).losing(1).when(Event.FLUSH));
    }

    @Test
    void valuesOfAnEarlierStateAreCaught() {
      isCaught(Rule.EPOCH, fence(2, 1).losing(1).when(Event.FAILOVER));
    }

    @Test
    void plainReadOfAServerThatTookOverIsCaughtIfItIsNotKnownWhoAnswers() {
      isCaught(
          Rule.PLAIN_READ_KNOWS_THE_SERVER,
          fence(2, 1).losing(1).when(Event.PLAIN_READ, Event.FAILOVER));
    }

    @Test
    void plainReadOfAnEpochThatIsNotTheStatesIsCaught() {
      isCaught(
          Rule.PLAIN_EPOCH_GOES_WITH_THE_STATE, fence(2, 1).when(Event.PLAIN_READ, Event.BULK));
    }

    @Test
    void epochThatComesBackIsCaught() {
      isCaught(
          Rule.EPOCH_NEVER_RETURNS,
          fence(2, 1).losing(1).when(Event.COLD_START, Event.STATE_EVICTION));
    }

    @Test
    void newEpochThatIsBegunAgainIsCaught() {
      isCaught(Rule.EPOCH_NEVER_RETURNS, fence(2, 1).when(Event.BULK, Event.DUPLICATE));
    }

    @Test
    void replicaThatFillsFromBelowTheHorizonIsCaught() {
      isCaught(
          Rule.HORIZON_RAISES_FLOOR,
          fence(2, 1).losing(1).when(Event.FLUSH, Event.REPLICA, Event.EVICTION));
    }

    @Test
    void labelOfAnOldPrimaryIsCaught() {
      isCaught(Rule.TIMELINE, fence(2, 1).when(Event.PROMOTION));
    }

    @Test
    void horizonOfAnOldPrimaryIsCaughtWhenRedisForgotTheNewOne() {
      isCaught(
          Rule.HORIZON_IS_REPLICATED, fence(2, 1).losing(1).when(Event.PROMOTION, Event.FLUSH));
    }

    @Test
    void putGuardedByTheXidIsCaughtWhenAnAnnouncementIsExecutedAgain() {
      isCaught(Rule.PUT_TOKEN_PER_EXECUTION, fence(2, 1).when(Event.PUT, Event.DUPLICATE));
    }

    @Test
    void putWhoseMarkComesBackByAFailoverIsCaught() {
      isCaught(Rule.PUT_TOKEN_OF_EPOCH, fence(2, 1).losing(1).when(Event.FAILOVER, Event.PUT));
    }

    @Test
    void putOfAListIsCaught() {
      isNotLinearizable(fence(2, 1).of(Kind.LIST).when(Event.PUT));
      staysStale(fence(2, 1).of(Kind.LIST).when(Event.PUT));
    }

    @Test
    void putAfterAnnouncingWithoutTheLockIsCaught() {
      isCaught(Rule.ANNOUNCE_UNDER_LOCK, fence(2, 1).when(Event.PUT));
    }

    @Test
    void putAfterTheStreamDeliveredAStrangersChangeIsCaught() {
      staysStale(
          fence(2, 1).without(Rule.STREAM_ENDS_PUT).when(Event.STRANGER, Event.STREAM, Event.PUT));
    }

    @Test
    void streamThatOnlyDeletesIsCaughtWhenItRunsAhead() {
      staysStale(fence(2, 1).without(Rule.STREAM_WITH_XID).when(Event.STRANGER, Event.STREAM));
    }

    @Test
    void joiningALoadThatHasItsSnapshotIsCaught() {
      isNotLinearizable(fence(1, 1).without(Rule.JOIN_BEFORE_SNAPSHOT).when(Event.JOIN));
    }
  }
}
