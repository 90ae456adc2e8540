package dev.waymark.cache.model;

import static dev.waymark.cache.model.LocalModel.Promise.BOUNDED;
import static dev.waymark.cache.model.LocalModel.Promise.NOTHING_STALE_AT_REST;
import static dev.waymark.cache.model.LocalModel.Promise.SESSION;

import dev.waymark.cache.model.LocalModel.LocalEvent;
import dev.waymark.cache.model.LocalModel.Promise;
import dev.waymark.cache.model.LocalModel.Setup;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/**
 * Every interleaving of L1, its channel and a session within the bounds, and of what they are not.
 */
class LocalTierModelsIT {
  private static final LocalRule[] CHANNEL = {
    LocalRule.STAMP,
    LocalRule.OWN_COUNT,
    LocalRule.GAPS_STAY_OPEN,
    LocalRule.CHANNEL_LEASE,
    LocalRule.LEASE_FROM_QUESTION,
    LocalRule.ANSWER_BRINGS_MISSED,
    LocalRule.EPOCH
  };

  /** One process, whose messages may be lost. */
  private static Setup channel(int... writers) {
    return Setup.of(1, writers).with(CHANNEL).when(LocalEvent.LOST_MESSAGE);
  }

  private static Setup session(int processes, int... writers) {
    return Setup.of(processes, writers)
        .with(LocalRule.STAMP, LocalRule.EPOCH)
        .when(LocalEvent.SESSION);
  }

  private static Setup renewed(int... writers) {
    return Setup.of(1, writers)
        .with(CHANNEL)
        .with(LocalRule.RENEWED_AFTER_POSITION, LocalRule.JOIN_AFTER_POSITION)
        .when(LocalEvent.SESSION);
  }

  private static void isClean(Promise promise, Setup small, Setup large) {
    Bounds.assertClean(new LocalModel(Bounds.choose(small, large), promise));
  }

  private static void isCaught(Promise promise, Setup setup) {
    Bounds.assertBroken(new LocalModel(setup, promise));
  }

  @Nested
  class AsDesigned {
    @Test
    void nothingIsServedThatIsOlderThanTheLeaseAllows() {
      isClean(
          BOUNDED,
          channel(1, 1).when(LocalEvent.ROLLBACK),
          channel(1, 1, 1).when(LocalEvent.ROLLBACK));
    }

    @Test
    void stampsMayBePlacesInTheOrder() {
      isClean(
          BOUNDED,
          channel(1, 1).without(LocalRule.OWN_COUNT).when(LocalEvent.ROLLBACK),
          channel(1, 1, 1).without(LocalRule.OWN_COUNT).when(LocalEvent.ROLLBACK));
    }

    @Test
    void keysMayShareABucket() {
      isClean(BOUNDED, channel(1, 2).keysIn(0, 0), channel(1, 2).keysIn(0, 0).flushing(1));
    }

    @Test
    void streamMayBeTrimmed() {
      isClean(
          BOUNDED,
          channel(1, 2).keysIn(0, 0).when(LocalEvent.TRIMMED),
          channel(1, 2).keysIn(0, 0).flushing(1).when(LocalEvent.TRIMMED));
    }

    @Test
    void redisMayLoseEverything() {
      isClean(BOUNDED, channel(1, 1).flushing(1), channel(1, 1).flushing(2));
    }

    @Test
    void sessionNeverGoesBackUnderLeasesRenewedAfterItsPosition() {
      isClean(
          SESSION,
          renewed(1).flushing(1).when(LocalEvent.JOIN, LocalEvent.LOST_MESSAGE),
          renewed(1, 1).when(LocalEvent.JOIN, LocalEvent.LOST_MESSAGE));
    }

    @Test
    void sessionNeverGoesBackFromOneBucketToAnother() {
      isClean(
          SESSION, renewed(3).keysIn(0, 1), renewed(3).keysIn(0, 1).when(LocalEvent.LOST_MESSAGE));
    }

    @Test
    void sessionOfOneKeyNeverGoesBackWithATokenTakenAfterTheRead() {
      Setup tokens = session(2, 1).with(LocalRule.SESSION_TOKEN, LocalRule.TOKEN_AFTER_READ);
      isClean(SESSION, tokens.flushing(1), tokens.flushing(2));
    }
  }

  @Nested
  class OtherProtocols {
    @Test
    void plainL1KeepsWhatASlowReaderPutsAfterTheMessage() {
      isCaught(NOTHING_STALE_AT_REST, Setup.of(1, 1));
    }

    @Test
    void l1ThatIsClearedOnReconnectKeepsWhatASlowReaderPuts() {
      Setup setup = Setup.of(1, 1).with(LocalRule.CLEAR_ON_RECONNECT).when(LocalEvent.LOST_MESSAGE);
      isCaught(NOTHING_STALE_AT_REST, setup);
      isCaught(NOTHING_STALE_AT_REST, setup.with(LocalRule.STAMP));
    }

    @Test
    void stampsWithoutALeaseKeepWhatALostMessageWasAbout() {
      isCaught(
          NOTHING_STALE_AT_REST,
          Setup.of(1, 1).with(LocalRule.STAMP).when(LocalEvent.LOST_MESSAGE));
    }

    @Test
    void l1WithoutTokensTakesSessionsBack() {
      isCaught(SESSION, session(1, 1));
    }

    @Test
    void tokensFromBeforeTheReadTakeSessionsBack() {
      isCaught(SESSION, session(2, 1).with(LocalRule.SESSION_TOKEN));
    }

    @Test
    void tokensPerBucketTakeSessionsBackFromOneBucketToAnother() {
      isCaught(
          SESSION,
          session(1, 3).keysIn(0, 1).with(LocalRule.SESSION_TOKEN, LocalRule.TOKEN_AFTER_READ));
    }
  }

  /** The protocol with one rule taken away. */
  @Nested
  class WithoutOneRule {
    @Test
    void entryWithoutAStampIsCaught() {
      isCaught(BOUNDED, channel(1, 1).without(LocalRule.STAMP));
    }

    @Test
    void gapThatIsSkippedIsCaught() {
      isCaught(BOUNDED, channel(1, 2).keysIn(0, 0).without(LocalRule.GAPS_STAY_OPEN));
    }

    @Test
    void leaseCountedFromTheAnswerIsCaught() {
      isCaught(BOUNDED, channel(1).without(LocalRule.LEASE_FROM_QUESTION));
    }

    @Test
    void leaseRenewedWithoutWhatWasMissedIsCaught() {
      isCaught(BOUNDED, channel(1).without(LocalRule.ANSWER_BRINGS_MISSED));
    }

    @Test
    void entryOfAnEarlierStateIsCaught() {
      isCaught(BOUNDED, channel(1).flushing(1).without(LocalRule.EPOCH));
    }

    @Test
    void leaseRenewedBeforeThePositionWasKnownIsCaught() {
      isCaught(SESSION, renewed(1).without(LocalRule.RENEWED_AFTER_POSITION));
    }

    @Test
    void joiningALoadFromBeforeThePositionWasKnownIsCaught() {
      isCaught(SESSION, renewed(1).without(LocalRule.JOIN_AFTER_POSITION).when(LocalEvent.JOIN));
    }
  }
}
