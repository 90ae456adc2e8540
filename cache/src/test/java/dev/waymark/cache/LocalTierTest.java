package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.LogPosition;
import dev.waymark.ReadMark;
import dev.waymark.SessionToken;
import dev.waymark.cache.LocalTier.Heard;
import dev.waymark.cache.SharedTier.Beat;
import dev.waymark.cache.SharedTier.Place;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LocalTierTest {
  private static final int HASH = 0x1234;
  private static final int BUCKET = 4;
  private static final SessionToken NOBODY = SessionToken.empty();

  private final TestTime time = new TestTime();
  private final LocalTier<String, String> tier =
      LocalTier.holding(100, Duration.ofSeconds(1), time);

  @BeforeEach
  void prove() {
    beat(place(10), new int[0]);
  }

  private static Place place(long seq) {
    return new Place(BUCKET, "epoch", seq);
  }

  private void beat(Place place, int @Nullable [] missed) {
    tier.beaten(new Beat(place, missed), time.nanos(), tier.seen());
  }

  private void put(int stamp) {
    put(stamp, Rows.at(100), null);
  }

  private void put(int stamp, @Nullable LogPosition position, @Nullable Seen shown) {
    tier.put(
        "key",
        new LocalTier.Entry<>(
            "value",
            position,
            stamp,
            time.nanos(),
            time.nanos() + Duration.ofSeconds(10).toNanos(),
            null,
            shown,
            position));
  }

  private boolean serves() {
    return tier.get("key", HASH, NOBODY) != null;
  }

  private boolean serves(SessionToken session) {
    return tier.get("key", HASH, session) != null;
  }

  @Test
  void entryIsServedUntilItsTimeIsOver() {
    put(tier.stamp(HASH));
    time.pass(Duration.ofSeconds(9));
    beat(place(10), new int[0]);
    assertThat(serves()).isTrue();
    time.pass(Duration.ofSeconds(2));
    beat(place(10), new int[0]);
    assertThat(serves()).isFalse();
  }

  @Test
  void entryWhoseTimeIsOverIsNotKept() {
    tier.put(
        "key",
        new LocalTier.Entry<>(
            "value",
            null,
            tier.stamp(HASH),
            time.nanos(),
            time.nanos(),
            null,
            Seen.nothing(),
            null));
    assertThat(serves()).isFalse();
  }

  @Test
  void entryFetchedBeforeAnInvalidationIsNeverServed() {
    int before = tier.stamp(HASH);
    tier.invalidate("key", HASH);
    put(before);
    assertThat(serves()).isFalse();
  }

  @Test
  void messageForTheKeysStripeEndsItsEntry() {
    put(tier.stamp(HASH));
    assertThat(tier.invalidated(place(11), new int[] {HASH + 16})).isEqualTo(Heard.IN_ORDER);
    assertThat(serves()).isTrue();
    assertThat(tier.invalidated(place(12), new int[] {7, HASH})).isEqualTo(Heard.IN_ORDER);
    assertThat(serves()).isFalse();
  }

  @Test
  void messageHeardTwiceEndsTheEntryOnce() {
    tier.invalidated(place(11), new int[] {HASH});
    put(tier.stamp(HASH));
    assertThat(tier.invalidated(place(11), new int[] {HASH})).isEqualTo(Heard.IN_ORDER);
    assertThat(serves()).isTrue();
  }

  @Test
  void invalidatingEverythingEndsEntriesStillOnTheirWayToo() {
    int before = tier.stamp(HASH);
    tier.invalidateAll();
    put(before);
    assertThat(serves()).isFalse();
    put(tier.stamp(HASH));
    assertThat(serves()).isTrue();
  }

  @Test
  void invalidatingABucketLeavesTheOthers() {
    put(tier.stamp(HASH));
    tier.beaten(
        new Beat(new Place(BUCKET + 1, "epoch", 1), new int[0]), time.nanos(), Seen.nothing());
    tier.invalidated(new Place(BUCKET + 1, "epoch", 2), null);
    assertThat(serves()).isTrue();
    tier.invalidated(place(11), null);
    assertThat(serves()).isFalse();
  }

  @Test
  void withoutAProofYoungerThanTheBoundNothingIsServed() {
    put(tier.stamp(HASH));
    time.pass(Duration.ofMillis(999));
    assertThat(serves()).isTrue();
    time.pass(Duration.ofMillis(1));
    assertThat(serves()).isFalse();
    beat(place(10), new int[0]);
    assertThat(serves()).isTrue();
  }

  @Test
  void proofCountsFromWhenTheBeatWasSent() {
    put(tier.stamp(HASH));
    long sentAt = time.nanos();
    time.pass(Duration.ofMillis(800));
    tier.beaten(new Beat(place(10), new int[0]), sentAt, Seen.nothing());
    time.pass(Duration.ofMillis(200));
    assertThat(serves()).isFalse();
  }

  @Test
  void lostMessageIsMadeUpForByTheBeat() {
    put(tier.stamp(HASH));
    beat(place(11), new int[] {HASH});
    assertThat(serves()).isFalse();
  }

  @Test
  void messageAfterAGapAsksForABeatAndCountsAtOnce() {
    put(tier.stamp(HASH));
    assertThat(tier.invalidated(place(13), new int[] {HASH})).isEqualTo(Heard.AFTER_A_GAP);
    assertThat(serves()).isFalse();
    assertThat(tier.places()).contains(place(10));
    beat(place(13), new int[] {5, 6, HASH});
    assertThat(tier.places()).contains(place(13));
  }

  @Test
  void lateBeatDoesNotTurnThePlaceBack() {
    tier.invalidated(place(11), new int[0]);
    tier.invalidated(place(12), new int[0]);
    beat(place(11), new int[0]);
    assertThat(tier.places()).contains(place(12));
  }

  @Test
  void beatThatCannotTellEndsTheWholeBucket() {
    put(tier.stamp(HASH));
    beat(place(5_000), null);
    assertThat(serves()).isFalse();
  }

  @Test
  void messageOfAnotherEpochEndsTheBucketAndItsProof() {
    put(tier.stamp(HASH));
    assertThat(tier.invalidated(new Place(BUCKET, "another", 1), new int[0]))
        .isEqualTo(Heard.AFTER_A_GAP);
    put(tier.stamp(HASH));
    assertThat(serves()).isFalse();
    beat(new Place(BUCKET, "another", 1), null);
    put(tier.stamp(HASH));
    assertThat(serves()).isTrue();
  }

  @Test
  void sessionIsServedWhatItsOwnPositionCovers() {
    put(tier.stamp(HASH));
    assertThat(serves(SessionToken.of(Rows.at(100)))).isTrue();
    assertThat(serves(SessionToken.empty().readUpTo(Rows.at(100)))).isTrue();
  }

  @Test
  void sessionThatHasSeenMoreIsServedOnceTheChannelIsProvenAnew() {
    put(tier.stamp(HASH));
    SessionToken session = SessionToken.of(Rows.at(101));
    assertThat(serves(session)).isFalse();
    // Had its row been changed before 101, the beat would have told.
    beat(place(10), new int[0]);
    assertThat(serves(session)).isTrue();
    assertThat(serves(SessionToken.empty().readUpTo(Rows.at(102)))).isFalse();
  }

  @Test
  void beatSentBeforeTheSessionCameProvesNothingForIt() {
    put(tier.stamp(HASH));
    Seen before = tier.seen();
    SessionToken session = SessionToken.of(Rows.at(101));
    assertThat(serves(session)).isFalse();
    tier.beaten(new Beat(place(10), new int[0]), time.nanos(), before);
    assertThat(serves(session)).isFalse();
  }

  @Test
  void ofWhatNobodyWasToldOnlyTheEntrysOwnPositionTells() {
    put(tier.stamp(HASH));
    SessionToken untold = SessionToken.empty().untoldUpTo(Rows.at(101));
    tier.saw(untold);
    beat(place(10), new int[0]);
    assertThat(serves(untold)).isFalse();
    // The commit may have been in the log already, and not visible yet.
    put(tier.stamp(HASH), Rows.at(101), null);
    assertThat(serves(untold)).isFalse();
    put(tier.stamp(HASH), Rows.at(102), null);
    assertThat(serves(untold)).isTrue();
    put(tier.stamp(HASH), null, null);
    assertThat(serves(untold)).isFalse();
    // Loaded from the primary when that was known.
    put(tier.stamp(HASH), Rows.at(100), tier.seen());
    assertThat(serves(untold)).isTrue();
  }

  @Test
  void whatNobodyWasToldMayLieWhereTheSessionHasReadSince() {
    SessionToken untold = SessionToken.empty().untoldUpTo(Rows.at(90)).readUpTo(Rows.at(101));
    put(tier.stamp(HASH), Rows.at(101), null);
    tier.told(Rows.at(200));
    beat(place(10), new int[0]);
    assertThat(serves(untold)).isFalse();
    put(tier.stamp(HASH), Rows.at(102), null);
    assertThat(serves(untold)).isTrue();
    assertThat(serves(untold.readUpTo(new LogPosition(9, 1, 5000)))).isTrue();
  }

  @Test
  void sessionOfAnotherShardIsServed() {
    put(tier.stamp(HASH));
    assertThat(serves(SessionToken.of(new LogPosition(9, 1, 5000)))).isTrue();
    put(tier.stamp(HASH), null, null);
    assertThat(serves(SessionToken.of(new LogPosition(9, 1, 5000)))).isFalse();
  }

  @Test
  void sessionThatReadAtAnUnknownPlaceIsNotServed() {
    put(tier.stamp(HASH));
    SessionToken session = SessionToken.empty().readFrom(new ReadMark(42, 1, 7));
    assertThat(serves(session)).isFalse();
    beat(place(10), new int[0]);
    assertThat(serves(session)).isFalse();
  }

  @Test
  void entryNobodyVouchesForNeedsNoProofAndShowsWhatItSays() {
    LocalTier<String, String> alone = LocalTier.holding(100, Duration.ofSeconds(1), time);
    SessionToken session = SessionToken.of(Rows.at(90));
    alone.saw(session);
    alone.put(
        "key",
        new LocalTier.Entry<>(
            "value",
            Rows.at(100),
            alone.stamp(HASH),
            time.nanos(),
            time.nanos() + 1_000,
            null,
            alone.seen(),
            null));
    assertThat(alone.get("key", HASH, NOBODY)).isNotNull();
    assertThat(alone.get("key", HASH, session)).isNotNull();
    // Its position covers this as well, but the commit may have become visible after the load.
    assertThat(alone.get("key", HASH, SessionToken.of(Rows.at(95)))).isNull();
  }

  @Test
  void noTierKeepsNothingAndStillTellsLoadsApart() {
    LocalTier<String, String> none = LocalTier.none(time);
    none.put(
        "key",
        new LocalTier.Entry<>(
            "value",
            null,
            none.stamp(HASH),
            time.nanos(),
            time.nanos() + 1_000,
            null,
            Seen.nothing(),
            null));
    assertThat(none.get("key", HASH, NOBODY)).isNull();
    int before = none.stamp(HASH);
    assertThat(none.invalidate("key", HASH)).isEqualTo(before + 1).isEqualTo(none.stamp(HASH));
  }
}
