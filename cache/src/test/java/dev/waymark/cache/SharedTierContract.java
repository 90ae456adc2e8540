package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.TransactionSnapshot;
import dev.waymark.cache.SharedTier.Asking;
import dev.waymark.cache.SharedTier.Beat;
import dev.waymark.cache.SharedTier.Change;
import dev.waymark.cache.SharedTier.Doubt;
import dev.waymark.cache.SharedTier.Fill;
import dev.waymark.cache.SharedTier.Intent;
import dev.waymark.cache.SharedTier.Lookup;
import dev.waymark.cache.SharedTier.Place;
import dev.waymark.cache.SharedTier.Refusal;
import dev.waymark.cache.SharedTier.Settlement;
import dev.waymark.cache.SharedTier.Writer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What any shared tier promises: the fake of the unit tests and the scripts on Redis alike. */
abstract class SharedTierContract {
  static final Duration LONG = Duration.ofMinutes(1);
  static final String SHARD = "shard 1/a";
  // Beyond what a signed long or a double holds exactly.
  static final LogPosition EARLY = new LogPosition(-7, 2, 0xFFFF_FFFF_0000_0001L);
  static final LogPosition LATE = new LogPosition(-7, 2, 0xFFFF_FFFF_0000_0002L);
  static final byte[] OLD = "old".getBytes(StandardCharsets.UTF_8);
  static final byte[] NEW = {0, (byte) 0xFF, ':', '\n', '}', 0};
  // As above: 2^63 and a little.
  static final long BASE = 0x8000_0000_0000_0000L;

  final CacheKey key = new CacheKey("users", "a}{:b", 0x1234_5678);

  /** Of the same cell, which is what stripes have in common with each other. */
  final CacheKey neighbour = new CacheKey("users", "a}{:c", 0x7734_5678);

  SharedTier one;
  SharedTier two;
  final Heard heardByOne = new Heard();
  final Heard heardByTwo = new Heard();

  /** A client of the same store, as another process would have it. */
  abstract SharedTier process();

  /** Lets time go by, here and in the store. */
  abstract void letPass(Duration duration);

  /** Loses everything. */
  abstract void flush();

  @BeforeEach
  void connect() {
    flush();
    one = process();
    one.open(heardByOne);
    two = process();
    two.open(heardByTwo);
    heardByOne.messages.clear();
    heardByTwo.messages.clear();
    recover();
  }

  @AfterEach
  void disconnect() {
    one.close();
    two.close();
  }

  static Writer writer(int id) {
    return new Writer(SHARD, BASE + id, EARLY);
  }

  /** Everything below an id is over, except those that run. */
  static TransactionSnapshot upTo(int id, int... running) {
    String ids =
        Arrays.stream(running)
            .mapToObj(each -> Long.toUnsignedString(BASE + each))
            .reduce((some, next) -> some + "," + next)
            .orElse("");
    String xmin = Long.toUnsignedString(BASE + (running.length == 0 ? id : running[0]));
    return TransactionSnapshot.parse(xmin + ":" + Long.toUnsignedString(BASE + id) + ":" + ids);
  }

  static ReadLabel primary(TransactionSnapshot snapshot) {
    return primary(snapshot, EARLY);
  }

  static ReadLabel primary(TransactionSnapshot snapshot, LogPosition position) {
    return new ReadLabel.Primary(SHARD, snapshot, position);
  }

  static ReadLabel replica(@Nullable LogPosition position) {
    return new ReadLabel.Replica(SHARD, position);
  }

  /** Draws a line at 100, with all before it over, and an early position. */
  final void recover() {
    String epoch = one.beat("users", List.of(Place.unknown(key.bucket()))).get(0).place().epoch();
    one.recover("users", key.bucket(), epoch, SHARD, line(100, upTo(100), FIRST));
  }

  static final LogPosition FIRST = new LogPosition(-7, 2, 1);

  static Horizon line(int id, TransactionSnapshot snapshot, LogPosition position) {
    return new Horizon(BASE + id, snapshot, position);
  }

  // ---- leases and values -----------------------------------------------------------------------

  @Test
  void firstReaderOfAMissingValueHoldsTheLease() {
    assertThat(read(one, "t1")).isEqualTo(new Lookup.Leased(Doubt.NONE));
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Awaited(Doubt.NONE));
  }

  @Test
  void filledValueIsReadByAll() {
    read(one, "t1");
    assertThat(fill(one, "t1", NEW, primary(upTo(200)))).isEqualTo(new Fill.Stored());

    assertThat(read(two, "t2"))
        .isInstanceOfSatisfying(
            Lookup.Hit.class,
            hit -> {
              assertThat(hit.value()).isEqualTo(NEW);
              assertThat(hit.remaining()).isBetween(LONG.minusSeconds(10), LONG);
            });
  }

  @Test
  void valueOfAnotherKeyIsNotSeen() {
    fillAnew(OLD, primary(upTo(200)));
    assertThat(one.read(neighbour, "t2", Asking.READ)).isEqualTo(new Lookup.Leased(Doubt.NONE));
    CacheKey namesake = new CacheKey("orders", key.text(), key.hash());
    assertThat(one.read(namesake, "t2", Asking.READ)).isEqualTo(new Lookup.Leased(Doubt.NONE));
  }

  @Test
  void valueEndsWithItsTimeToLive() {
    read(one, "t1");
    one.fill(key, "t1", OLD, Duration.ofMillis(50), primary(upTo(200)));
    letPass(Duration.ofMillis(80));
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Leased(Doubt.NONE));
  }

  @Test
  void fillWithoutTheLeaseIsRefused() {
    read(one, "t1");
    assertThat(fill(two, "t2", OLD, primary(upTo(200)))).isEqualTo(refused(Refusal.LEASE_LOST));
    assertThat(fill(one, "t1", OLD, primary(upTo(200)))).isEqualTo(new Fill.Stored());
    assertThat(fill(one, "t1", OLD, primary(upTo(200)))).isEqualTo(refused(Refusal.LEASE_LOST));
  }

  @Test
  void leaseGivenBackIsFreeForTheNextReader() {
    read(one, "t1");
    two.release(key, "t2");
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Awaited(Doubt.NONE));
    one.release(key, "t1");
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Leased(Doubt.NONE));
  }

  @Test
  void refreshPassesOverTheValueAndLeavesItForOthers() {
    fillAnew(OLD, primary(upTo(200)));
    assertThat(one.read(key, "t2", Asking.REFRESH)).isEqualTo(new Lookup.Leased(Doubt.NONE));
    assertThat(read(two, "t3")).isInstanceOf(Lookup.Hit.class);
    assertThat(fill(one, "t2", NEW, primary(upTo(200)))).isEqualTo(new Fill.Stored());
    assertHit(two, NEW);
  }

  @Test
  void unfencedValueNeedsTheLeaseAlone() {
    one.announce(List.of(key), new Change.Open(writer(150)));
    read(one, "t1");
    assertThat(fill(one, "t1", OLD, new ReadLabel.Unfenced("anywhere")))
        .isEqualTo(new Fill.Stored());
    assertHit(two, OLD);
    assertThat(fill(one, "t1", OLD, new ReadLabel.Unfenced("anywhere")))
        .isEqualTo(refused(Refusal.LEASE_LOST));
  }

  // ---- the fence -------------------------------------------------------------------------------

  @Test
  void announcementDropsTheValueAndPutsTheCellInDoubt() {
    fillAnew(OLD, primary(upTo(200)));
    two.announce(List.of(key), new Change.Open(writer(150)));
    assertThat(read(one, "t2")).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
    assertThat(read(two, "t3")).isEqualTo(new Lookup.Awaited(Doubt.IN_DOUBT));
    assertThat(one.read(neighbour, "t4", Asking.READ)).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
  }

  @Test
  void fillOfALoadFromBeforeTheAnnouncementIsRefused() {
    read(one, "t1");
    two.announce(List.of(key), new Change.Open(writer(150)));
    // Whatever its snapshot says: the lease is gone.
    assertThat(fill(one, "t1", OLD, primary(upTo(200)))).isEqualTo(refused(Refusal.LEASE_LOST));
    two.settle(List.of(new Settlement(key, null)), writer(150), EARLY);
    assertThat(fill(one, "t1", OLD, primary(upTo(200)))).isEqualTo(refused(Refusal.LEASE_LOST));
  }

  @Test
  void fillThatDoesNotProveTheWriterOverIsRefused() {
    two.announce(List.of(key), new Change.Open(writer(150)));
    assertThat(fillAnew(OLD, primary(upTo(200, 150)))).isEqualTo(refused(Refusal.IN_DOUBT));
    // Beyond xmax: began, and did not end, before the snapshot.
    assertThat(fillAnew(OLD, primary(upTo(150)))).isEqualTo(refused(Refusal.IN_DOUBT));
    assertThat(fillAnew(NEW, primary(upTo(151)))).isEqualTo(new Fill.Stored());
    assertHit(two, NEW);
  }

  @Test
  void idsAreComparedAsNumbersAndNotAsText() {
    two.announce(List.of(key), new Change.Open(new Writer(SHARD, 99, null)));
    recoverAt(5);
    ReadLabel before = primary(TransactionSnapshot.parse("50:101:50"));
    assertThat(fillAnew(NEW, before)).isEqualTo(new Fill.Stored());
    two.announce(List.of(key), new Change.Open(new Writer(SHARD, 1000, null)));
    assertThat(fillAnew(NEW, primary(TransactionSnapshot.parse("200:200:"))))
        .isEqualTo(refused(Refusal.IN_DOUBT));
    two.announce(List.of(key), new Change.Open(new Writer(SHARD, 5, null)));
    // 5 does not run because 50, 15 and 51 do.
    assertThat(fillAnew(NEW, primary(TransactionSnapshot.parse("10:2000:15,50,51"))))
        .isEqualTo(new Fill.Stored());
  }

  private void recoverAt(long id) {
    flush();
    two.announce(List.of(key), new Change.Open(new Writer(SHARD, 99, null)));
    String epoch = one.beat("users", List.of(Place.unknown(key.bucket()))).get(0).place().epoch();
    one.recover(
        "users",
        key.bucket(),
        epoch,
        SHARD,
        new Horizon(id, TransactionSnapshot.parse("3:3:"), FIRST));
  }

  @Test
  void leaseRemembersWhoWasInDoubtThoughAnotherFillHasCleanedTheCell() {
    two.announce(List.of(key), new Change.Open(writer(150)));
    read(one, "slow");
    // A reader of another key of the cell sees the writer's end.
    two.read(neighbour, "quick", Asking.READ);
    assertThat(two.fill(neighbour, "quick", NEW, LONG, primary(upTo(200))))
        .isEqualTo(new Fill.Stored());
    // The slow one has read before.
    assertThat(fill(one, "slow", OLD, primary(upTo(200, 150))))
        .isEqualTo(refused(Refusal.IN_DOUBT));
  }

  @Test
  void eachWriterOfACellMustBeProvenOver() {
    one.announce(List.of(key), new Change.Open(writer(150)));
    two.announce(List.of(neighbour), new Change.Open(writer(151)));
    assertThat(fillAnew(OLD, primary(upTo(200, 151)))).isEqualTo(refused(Refusal.IN_DOUBT));
    assertThat(fillAnew(OLD, primary(upTo(200, 150)))).isEqualTo(refused(Refusal.IN_DOUBT));
    assertThat(fillAnew(NEW, primary(upTo(200)))).isEqualTo(new Fill.Stored());
  }

  @Test
  void writerOfAnotherShardDoesNotMatter() {
    one.announce(List.of(key), new Change.Open(new Writer("shard-2", BASE + 150, null)));
    assertThat(fillAnew(OLD, primary(upTo(120)))).isEqualTo(new Fill.Stored());
    two.announce(List.of(key), new Change.Open(writer(130)));
    // Proof on one shard leaves the other's writer where it is.
    assertThat(fillAnew(OLD, primary(upTo(140)))).isEqualTo(new Fill.Stored());
    one.announce(List.of(key), new Change.Elsewhere());
    assertThat(read(two, "t9")).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
  }

  @Test
  void lateAnnouncementOfAWriterThatIsOverCostsALoad() {
    fillAnew(NEW, primary(upTo(200)));
    two.announce(List.of(key), new Change.Open(writer(150)));
    assertThat(fillAnew(NEW, primary(upTo(200)))).isEqualTo(new Fill.Stored());
  }

  @Test
  void primaryThatDidNotSayWhoIsOverFillsNothing() {
    assertThat(fillAnew(OLD, new ReadLabel.Primary(SHARD, null, EARLY)))
        .isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Leased(Doubt.NONE));
  }

  @Test
  void settledWriterIsNotInDoubt() {
    one.announce(List.of(key), new Change.Open(writer(150)));
    one.announce(List.of(key), new Change.Open(writer(151)));
    one.settle(List.of(new Settlement(key, null)), writer(150), EARLY);
    await().untilAsserted(() -> assertThat(doubtOf(key)).isEqualTo(Doubt.IN_DOUBT));
    one.settle(List.of(new Settlement(key, null)), writer(151), null);
    await().untilAsserted(() -> assertThat(doubtOf(key)).isEqualTo(Doubt.NONE));
  }

  @Test
  void sweepTakesOutWhoIsProvenOver() {
    one.announce(List.of(key), new Change.Open(writer(150)));
    two.announce(List.of(key), new Change.Open(writer(151)));
    List<Integer> cells = List.of(key.cell(), key.cell() + 1);
    assertThat(sweep(cells, upTo(200, 151))).isEqualTo(1);
    assertThat(sweep(cells, upTo(200))).isZero();
    assertThat(doubtOf(key)).isEqualTo(Doubt.NONE);
    // Whoever was taken out had committed before the sweep's position.
    assertThat(fillAnew(OLD, replica(EARLY))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    one.release(key, "anew");
    assertThat(fillAnew(NEW, replica(LATE))).isEqualTo(new Fill.Stored());
  }

  private int sweep(List<Integer> cells, TransactionSnapshot snapshot) {
    return one.sweep("users", key.bucket(), cells, SHARD, line(300, snapshot, LATE));
  }

  // ---- replicas --------------------------------------------------------------------------------

  @Test
  void replicaBehindTheLastCommitFillsNothingAndKeepsTheLease() {
    one.announce(List.of(key), new Change.Committed(SHARD, LATE));
    assertThat(fillAnew(OLD, replica(EARLY))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    assertThat(fill(one, "anew", NEW, primary(upTo(200), LATE))).isEqualTo(new Fill.Stored());
  }

  @Test
  void replicaThatHasTheLastCommitFills() {
    one.announce(List.of(key), new Change.Committed(SHARD, LATE));
    assertThat(fillAnew(NEW, replica(LATE))).isEqualTo(new Fill.Stored());
  }

  @Test
  void replicaFillsNothingWhileAWriterIsInDoubt() {
    one.announce(List.of(key), new Change.Open(writer(150)));
    assertThat(fillAnew(OLD, replica(LATE))).isEqualTo(refused(Refusal.IN_DOUBT));
    assertThat(fill(one, "anew", NEW, primary(upTo(200), LATE))).isEqualTo(new Fill.Stored());
  }

  @Test
  void replicaOfUnknownPositionFillsNothing() {
    assertThat(fillAnew(OLD, replica(null))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
  }

  @Test
  void proofByThePrimaryRaisesTheFloor() {
    one.announce(List.of(key), new Change.Open(writer(150)));
    fillAnew(NEW, primary(upTo(200), LATE));
    one.announce(List.of(neighbour), new Change.Elsewhere());
    two.read(neighbour, "t5", Asking.READ);
    assertThat(two.fill(neighbour, "t5", OLD, LONG, replica(EARLY)))
        .isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
  }

  @Test
  void floorNeverSinks() {
    one.announce(List.of(key), new Change.Committed(SHARD, LATE));
    two.announce(List.of(key), new Change.Committed(SHARD, EARLY));
    assertThat(fillAnew(OLD, replica(EARLY))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    one.release(key, "anew");
    // Unsigned, and by number.
    two.announce(
        List.of(key), new Change.Committed(SHARD, new LogPosition(-7, 2, 0x7FFF_FFFF_FFFFL)));
    assertThat(fillAnew(OLD, replica(EARLY))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    one.release(key, "anew");
    assertThat(fillAnew(NEW, replica(LATE))).isEqualTo(new Fill.Stored());
  }

  @Test
  void replicaOfAnOldTimelineFillsNothing() {
    assertThat(fillAnew(OLD, replica(new LogPosition(-7, 1, LATE.lsn()))))
        .isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
  }

  // ---- promotions ------------------------------------------------------------------------------

  private static final LogPosition PROMOTED = new LogPosition(-7, 3, EARLY.lsn());

  @Test
  void firstWordOfANewPrimaryEndsWhatRestsOnTheOldOne() {
    fillAnew(OLD, primary(upTo(200)));
    Intent old = announce(two, 150);
    one.announce(List.of(neighbour), new Change.Open(new Writer(SHARD, BASE + 120, PROMOTED)));
    assertThat(old.place().epoch()).isNotEqualTo(place().epoch());
    assertThat(read(one, "t1")).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
    // Its horizon is to be drawn on the new primary.
    Fill fill = fill(one, "t1", OLD, primary(upTo(200, 120), PROMOTED));
    assertThat(fill).isInstanceOf(Fill.Unrecovered.class);
    one.settle(List.of(put(old, OLD)), writer(150), PROMOTED);
    one.release(key, "t1");
    await()
        .untilAsserted(
            () -> assertThat(read(two, "t2")).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT)));
  }

  @Test
  void snapshotOfAnOldPrimaryProvesNothingAboutTheNewOnesWriters() {
    two.announce(List.of(key), new Change.Open(new Writer(SHARD, BASE + 150, PROMOTED)));
    String epoch = place().epoch();
    one.recover("users", key.bucket(), epoch, SHARD, line(140, upTo(140), PROMOTED));
    // The old primary has given out this number as well.
    assertThat(fillAnew(OLD, primary(upTo(200)))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    assertThat(doubtOf(key)).isEqualTo(Doubt.IN_DOUBT);
    assertThat(fillAnew(NEW, primary(upTo(151), PROMOTED))).isEqualTo(new Fill.Stored());
  }

  @Test
  void horizonDrawnOnAnOldPrimaryIsNotTaken() {
    two.announce(List.of(key), new Change.Committed(SHARD, PROMOTED));
    one.recover("users", key.bucket(), place().epoch(), SHARD, line(140, upTo(140), EARLY));
    assertThat(fillAnew(OLD, primary(upTo(200), PROMOTED))).isInstanceOf(Fill.Unrecovered.class);
  }

  @Test
  void announcementOnAnOldPrimaryDropsTheValueAndIsNotRecorded() {
    two.announce(List.of(key), new Change.Committed(SHARD, PROMOTED));
    one.recover("users", key.bucket(), place().epoch(), SHARD, line(100, upTo(100), PROMOTED));
    fillAnew(NEW, primary(upTo(200), PROMOTED));
    Intent intent = announce(two, 150);
    two.settle(List.of(put(intent, OLD)), writer(150), EARLY);
    await()
        .untilAsserted(() -> assertThat(read(one, "t1")).isEqualTo(new Lookup.Leased(Doubt.NONE)));
    assertThat(fill(one, "t1", NEW, primary(upTo(150), PROMOTED))).isEqualTo(new Fill.Stored());
  }

  @Test
  void writersOfAnOldPrimaryAreForgottenWithIt() {
    announce(two, 150);
    two.announce(List.of(key), new Change.Open(new Writer("shard-2", 7, EARLY)));
    two.settle(List.of(new Settlement(neighbour, null)), writer(149), PROMOTED);
    await().until(() -> !doubtful(SHARD));
    assertThat(doubtOf(key)).isEqualTo(Doubt.IN_DOUBT);
  }

  private boolean doubtful(String shard) {
    String epoch = place().epoch();
    one.recover("users", key.bucket(), epoch, shard, line(100, upTo(100), PROMOTED));
    Fill fill = fillAnew(OLD, primary(upTo(101), PROMOTED));
    return !(fill instanceof Fill.Stored);
  }

  @Test
  void purgeWithoutAPositionIsNone() {
    one.announce(List.of(key), new Change.Open(writer(150)));
    two.read(neighbour, "t1", Asking.READ);
    assertThat(two.fill(neighbour, "t1", NEW, LONG, new ReadLabel.Primary(SHARD, upTo(200), null)))
        .isEqualTo(new Fill.Stored());
    assertThat(doubtOf(key)).isEqualTo(Doubt.IN_DOUBT);
  }

  // ---- putting ---------------------------------------------------------------------------------

  @Test
  void writerPutsItsValue() {
    Intent intent = announce(one, 150);
    one.settle(List.of(put(intent, NEW)), writer(150), EARLY);
    await().untilAsserted(() -> assertHit(two, NEW));
  }

  @Test
  void writerWhoseSuccessorHasAnnouncedPutsNothing() {
    Intent first = announce(one, 150);
    Intent second = announce(two, 151);
    one.settle(List.of(put(first, OLD)), writer(150), EARLY);
    two.settle(List.of(put(second, NEW)), writer(151), EARLY);
    await().untilAsserted(() -> assertHit(two, NEW));
  }

  @Test
  void writerWhoseSuccessorHasAlreadyEndedPutsNothing() {
    Intent first = announce(one, 150);
    Intent second = announce(two, 151);
    two.settle(List.of(put(second, NEW)), writer(151), EARLY);
    await().untilAsserted(() -> assertHit(two, NEW));
    one.settle(List.of(put(first, OLD)), writer(150), EARLY);
    await().untilAsserted(() -> assertThat(doubtOf(neighbour)).isEqualTo(Doubt.NONE));
    assertHit(two, NEW);
  }

  @Test
  void announcementRepeatedLateGivesAnOldWriterNoRightToPut() {
    Intent first = announce(one, 150);
    announce(two, 151);
    // The first one's command, which was sent twice, arrives again.
    announce(one, 150);
    one.settle(List.of(put(first, OLD)), writer(150), EARLY);
    await().untilAsserted(() -> assertThat(doubtOf(neighbour)).isEqualTo(Doubt.IN_DOUBT));
    two.settle(List.of(new Settlement(key, null)), writer(151), EARLY);
    await().untilAsserted(() -> assertThat(doubtOf(neighbour)).isEqualTo(Doubt.NONE));
    assertThat(read(two, "t1")).isEqualTo(new Lookup.Leased(Doubt.NONE));
  }

  @Test
  void putEndsTheLoadThatWasUnderWay() {
    Intent intent = announce(one, 150);
    read(two, "t1");
    one.settle(List.of(put(intent, NEW)), writer(150), EARLY);
    await().untilAsserted(() -> assertHit(two, NEW));
    assertThat(fill(two, "t1", OLD, primary(upTo(200)))).isEqualTo(refused(Refusal.LEASE_LOST));
  }

  // ---- losing everything -----------------------------------------------------------------------

  @Test
  void lossOfEverythingLosesRightsToPutAndLeases() {
    Intent intent = announce(one, 150);
    flush();
    one.settle(List.of(put(intent, OLD)), writer(150), EARLY);
    assertThat(read(two, "t1")).isEqualTo(new Lookup.Leased(Doubt.NONE));
    flush();
    assertThat(fill(two, "t1", OLD, primary(upTo(200)))).isEqualTo(refused(Refusal.LEASE_LOST));
  }

  @Test
  void afterALossNothingIsKeptUntilTheHorizonIsKnown() {
    announce(one, 150);
    flush();
    Fill first = fillAnew(OLD, primary(upTo(200, 150)));
    assertThat(first).isInstanceOf(Fill.Unrecovered.class);
    // The announcement was lost. The horizon is an id given out later, so it covers the writer.
    recover(((Fill.Unrecovered) first).epoch(), 250, upTo(200, 150));
    assertThat(fill(one, "anew", OLD, primary(upTo(200, 150))))
        .isEqualTo(refused(Refusal.BEFORE_HORIZON));
    // All of those before it, and not only who is over by chance.
    assertThat(fillAnew(OLD, primary(upTo(200)))).isEqualTo(refused(Refusal.BEFORE_HORIZON));
    assertThat(fillAnew(NEW, primary(upTo(260)))).isEqualTo(new Fill.Stored());
  }

  @Test
  void horizonFetchedBeforeASecondLossIsNotTaken() {
    flush();
    Fill.Unrecovered first = (Fill.Unrecovered) fillAnew(OLD, primary(upTo(200)));
    flush();
    recover(first.epoch(), 210, upTo(200));
    assertThat(fillAnew(OLD, primary(upTo(260)))).isInstanceOf(Fill.Unrecovered.class);
  }

  @Test
  void firstHorizonStands() {
    flush();
    Fill.Unrecovered lost = (Fill.Unrecovered) fillAnew(OLD, primary(upTo(200)));
    recover(lost.epoch(), 250, upTo(200));
    recover(lost.epoch(), 230, upTo(200));
    assertThat(fill(one, "anew", OLD, primary(upTo(240))))
        .isEqualTo(refused(Refusal.BEFORE_HORIZON));
  }

  @Test
  void eachShardHasAHorizonOfItsOwn() {
    flush();
    Fill.Unrecovered lost = (Fill.Unrecovered) fillAnew(OLD, primary(upTo(200)));
    recover(lost.epoch(), 200, upTo(200));
    assertThat(fill(one, "anew", NEW, primary(upTo(200)))).isEqualTo(new Fill.Stored());
    two.read(neighbour, "t1", Asking.READ);
    assertThat(
            two.fill(
                neighbour, "t1", OLD, LONG, new ReadLabel.Primary("shard-2", upTo(300), EARLY)))
        .isEqualTo(lost);
  }

  @Test
  void replicaFillsAfterALossOnlyFromWhereThePrimaryWasProven() {
    flush();
    Fill lost = fillAnew(OLD, replica(LATE));
    assertThat(lost).isInstanceOf(Fill.Unrecovered.class);
    recover(((Fill.Unrecovered) lost).epoch(), 250, upTo(200, 150));
    // 150 may have been forgotten, and be committed anywhere.
    assertThat(fill(one, "anew", OLD, replica(LATE))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    LogPosition later = new LogPosition(-7, 2, LATE.lsn() + 5);
    one.sweep("users", key.bucket(), List.of(), SHARD, line(300, upTo(300), later));
    assertThat(fill(one, "anew", OLD, replica(LATE))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    assertThat(fill(one, "anew", NEW, replica(later))).isEqualTo(new Fill.Stored());
  }

  private void recover(String epoch, int id, TransactionSnapshot snapshot) {
    one.recover("users", key.bucket(), epoch, SHARD, line(id, snapshot, EARLY));
  }

  @Test
  void leaseOfAnEarlierEpochIsNotWaitedFor() {
    one.read(key, "dead", Asking.READ);
    one.forget("users");
    assertThat(two.read(key, "next", Asking.READ)).isInstanceOf(Lookup.Leased.class);
    assertThat(one.fill(key, "dead", OLD, LONG, primary(upTo(200))))
        .isEqualTo(new Fill.Refused(Refusal.LEASE_LOST));
    assertThat(two.readAll(List.of(key), "third", Asking.READ).get(0))
        .isInstanceOf(Lookup.Awaited.class);
  }

  @Test
  void forgettingACacheDropsItsValuesAndLeases() {
    fillAnew(OLD, primary(upTo(200)));
    one.read(neighbour, "t2", Asking.READ);

    two.forget("users");

    await().until(() -> heardByOne.has("users " + key.bucket() + " *"));
    assertThat(read(one, "t4")).isEqualTo(new Lookup.Leased(Doubt.NONE));
    assertThat(one.fill(neighbour, "t2", OLD, LONG, primary(upTo(200))))
        .isEqualTo(refused(Refusal.LEASE_LOST));
    assertThat(fill(one, "t4", OLD, primary(upTo(200)))).isInstanceOf(Fill.Unrecovered.class);
  }

  // ---- telling ---------------------------------------------------------------------------------

  @Test
  void announcementsAreToldInAnOrder() {
    Intent first = announce(one, 150);
    Intent second = announce(two, 151);
    assertThat(second.place().epoch()).isEqualTo(first.place().epoch());
    assertThat(second.place().seq()).isEqualTo(first.place().seq() + 1);
    String told = "users " + key.bucket() + " [" + key.hash() + "] at ";
    await().until(() -> heardByOne.has(told + second.place()));
    assertThat(heardByOne.messages).contains(told + first.place());
    await().until(() -> heardByTwo.has(told + first.place()));
  }

  @Test
  void beatTellsWhatWasMissed() {
    Place before = place();
    one.announce(List.of(key, neighbour), new Change.Open(writer(150)));
    one.announce(List.of(key), new Change.Open(writer(151)));
    Beat beat = two.beat("users", List.of(before)).get(0);
    assertThat(beat.place().seq()).isEqualTo(before.seq() + 2);
    assertThat(beat.missed()).containsExactly(key.hash(), neighbour.hash(), key.hash());
    assertThat(two.beat("users", List.of(beat.place())).get(0).missed()).isEmpty();
  }

  @Test
  void beatAfterALossTellsThatNobodyKnows() {
    Place before = place();
    flush();
    Beat beat = two.beat("users", List.of(before)).get(0);
    assertThat(beat.place().epoch()).isNotEqualTo(before.epoch());
    assertThat(beat.missed()).isNull();
  }

  @Test
  void beatAfterForgettingTellsThatNobodyKnows() {
    Place before = place();
    one.forget("users");
    assertThat(two.beat("users", List.of(before)).get(0).missed()).isNull();
  }

  @Test
  void beatThatComesTooLateTellsThatNobodyKnows() {
    Place before = place();
    for (int i = 0; i < 1_300; i++) {
      one.announce(List.of(key), new Change.Elsewhere());
    }
    assertThat(two.beat("users", List.of(before)).get(0).missed()).isNull();
  }

  @Test
  void manyKeysEndInOneCall() {
    List<CacheKey> keys =
        IntStream.range(0, 5_000).mapToObj(i -> new CacheKey("users", "k" + i, i * 31)).toList();
    List<Intent> intents = one.announce(keys, new Change.Open(writer(150)));
    assertThat(intents).hasSize(5_000);
    assertThat(two.read(keys.get(4_999), "t1", Asking.READ))
        .isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
    List<Settlement> settlements = keys.stream().map(each -> new Settlement(each, null)).toList();
    one.settle(settlements, writer(150), EARLY);
    await().untilAsserted(() -> assertThat(doubtOf(keys.get(4_998))).isEqualTo(Doubt.NONE));
    await().untilAsserted(() -> assertThat(doubtOf(keys.get(17))).isEqualTo(Doubt.NONE));
  }

  // ---- what the database's log tells -----------------------------------------------------------

  private int changed(int... ids) {
    List<Long> each = IntStream.of(ids).mapToObj(id -> BASE + id).toList();
    return two.changed("users", SHARD, LATE, List.of(new SharedTier.Told(key, each)));
  }

  @Test
  void changeThatNobodyAnnouncedDropsTheValueAndIsToldToAll() {
    fillAnew(OLD, primary(upTo(140)));
    assertThat(changed(150)).isEqualTo(1);
    assertThat(read(one, "t2")).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
    await()
        .untilAsserted(() -> assertThat(heardByOne.has("users 8 [" + key.hash() + "]")).isTrue());
  }

  @Test
  void changeThatIsToldBeforeItIsVisibleDoesNotLetTheOldValueBack() {
    changed(150);
    assertThat(fillAnew(OLD, primary(upTo(151, 150)))).isEqualTo(refused(Refusal.IN_DOUBT));
    assertThat(fillAnew(OLD, primary(upTo(150)))).isEqualTo(refused(Refusal.IN_DOUBT));
    assertThat(fillAnew(NEW, primary(upTo(151)))).isEqualTo(new Fill.Stored());
  }

  @Test
  void eachOfSeveralTransactionsThatAreToldTogetherMustBeShown() {
    changed(150, 160);
    // Visible in another order than committed.
    assertThat(fillAnew(OLD, primary(upTo(161, 150)))).isEqualTo(refused(Refusal.IN_DOUBT));
    assertThat(fillAnew(OLD, primary(upTo(161, 160)))).isEqualTo(refused(Refusal.IN_DOUBT));
    assertThat(fillAnew(NEW, primary(upTo(161)))).isEqualTo(new Fill.Stored());
  }

  @Test
  void replicaThatHasNotReplayedAToldCommitDoesNotFill() {
    changed(150);
    assertThat(sweep(List.of(key.cell()), upTo(200))).isZero();
    assertThat(fillAnew(OLD, replica(EARLY))).isEqualTo(refused(Refusal.NOT_NEW_ENOUGH));
    assertThat(fill(one, "anew", NEW, replica(LATE))).isEqualTo(new Fill.Stored());
  }

  @Test
  void changeThatItsWriterAnnouncedLeavesWhatWasStoredSince() {
    Intent intent = announce(one, 150);
    fillAnew(OLD, primary(upTo(151)));
    assertThat(changed(150)).isZero();
    assertHit(two, OLD);
    one.settle(List.of(put(intent, NEW)), writer(150), LATE);
    await().untilAsserted(() -> assertHit(two, NEW));
    assertThat(changed(150)).isZero();
    assertHit(one, NEW);
  }

  @Test
  void changeByAnotherThanTheLastToAnnounceDropsTheValue() {
    announce(one, 150);
    announce(one, 151);
    fillAnew(OLD, primary(upTo(152)));
    assertThat(changed(150)).isEqualTo(1);
    assertThat(read(one, "t2")).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
  }

  @Test
  void changeThatWasAnnouncedInAnEarlierEpochDropsTheValue() {
    announce(one, 150);
    one.forget("users");
    recover();
    fillAnew(OLD, primary(upTo(140)));
    assertThat(changed(150)).isEqualTo(1);
    assertThat(read(one, "t2")).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
  }

  @Test
  void changeByAStrangerEndsTheRightToPut() {
    Intent intent = announce(one, 150);
    changed(151);
    one.settle(List.of(put(intent, OLD)), writer(150), EARLY);
    // It was carried out if the writer is over: then 151 alone is in doubt.
    await()
        .untilAsserted(
            () -> assertThat(fillAnew(NEW, primary(upTo(152, 150)))).isEqualTo(new Fill.Stored()));
    assertHit(two, NEW);
  }

  @Test
  void leaseFromBeforeAToldChangeIsGone() {
    read(one, "t1");
    changed(150);
    assertThat(fill(one, "t1", OLD, primary(upTo(151)))).isEqualTo(refused(Refusal.LEASE_LOST));
  }

  @Test
  void changeOfAnOldPrimaryPutsNothingInDoubt() {
    two.changed("users", SHARD, PROMOTED, List.of(new SharedTier.Told(key, List.of(BASE + 140))));
    recover();
    assertThat(changed(150)).isEqualTo(1);
    one.sweep("users", key.bucket(), List.of(key.cell()), SHARD, line(400, upTo(145), PROMOTED));
    assertThat(doubtOf(key)).isEqualTo(Doubt.NONE);
  }

  @Test
  void changeWithoutTransactionsDropsAndPutsNothingInDoubt() {
    fillAnew(OLD, primary(upTo(200)));
    assertThat(changed()).isEqualTo(1);
    assertThat(read(one, "t2")).isEqualTo(new Lookup.Leased(Doubt.NONE));
  }

  @Test
  void changeThatIsToldTwiceCostsALoadAtMost() {
    changed(150);
    fillAnew(NEW, primary(upTo(151)));
    assertThat(changed(150)).isEqualTo(1);
    assertThat(fillAnew(NEW, primary(upTo(151)))).isEqualTo(new Fill.Stored());
  }

  // ---- how old it may be -----------------------------------------------------------------------

  private @Nullable Duration age() {
    return ((Lookup.Hit) two.read(key, "age", Asking.READ_WITH_AGE)).age();
  }

  @Test
  void ageIsNotKnownUntilTheStreamHasToldIt() {
    fillAnew(OLD, primary(upTo(200)));
    assertThat(age()).isNull();
    two.reached("users", "another shard", EARLY, two.time());
    assertThat(age()).isNull();
  }

  @Test
  void ageIsTheTimeSinceAllThatWasAcknowledgedHadBeenTold() {
    fillAnew(OLD, primary(upTo(200)));
    long before = two.time();
    letPass(Duration.ofMillis(30));
    two.reached("users", SHARD, EARLY, before);
    letPass(Duration.ofMillis(30));
    assertThat(age()).isBetween(Duration.ofMillis(60), Duration.ofSeconds(30));
    assertThat(((Lookup.Hit) two.read(key, "plain", Asking.READ)).age()).isNull();
  }

  @Test
  void ageDoesNotGrowByAnOlderWordThatComesLate() {
    fillAnew(OLD, primary(upTo(200)));
    long now = two.time();
    two.reached("users", SHARD, EARLY, now);
    two.reached("users", SHARD, LATE, now - 3_600_000_000L);
    assertThat(age()).isLessThan(Duration.ofMinutes(10));
  }

  @Test
  void oldPrimaryVouchesForNothing() {
    long now = two.time();
    two.reached("users", SHARD, PROMOTED, now - 3_600_000_000L);
    one.recover("users", key.bucket(), place().epoch(), SHARD, line(100, upTo(100), PROMOTED));
    fillAnew(OLD, primary(upTo(200), PROMOTED));
    two.reached("users", SHARD, LATE, now);
    assertThat(age()).isGreaterThan(Duration.ofMinutes(50));
  }

  @Test
  void ageIsForgottenWithTheEpoch() {
    two.reached("users", SHARD, EARLY, two.time());
    one.forget("users");
    recover();
    fillAnew(OLD, primary(upTo(200)));
    assertThat(age()).isNull();
  }

  // ---- who takes the changes over
  // ----------------------------------------------------------------

  @Test
  void followerIsNotedUnlessAnotherOneHasBeenMeanwhile() {
    assertThat(one.follower(SHARD)).isEmpty();
    assertThat(one.follow(SHARD, "", "a users")).isTrue();
    assertThat(two.follow(SHARD, "", "b users")).isFalse();
    assertThat(two.follower(SHARD)).isEqualTo("a users");
    assertThat(two.follow(SHARD, "a users", "b users,orders")).isTrue();
    assertThat(one.follower(SHARD)).isEqualTo("b users,orders");
    assertThat(one.follower("another shard")).isEmpty();
  }

  // ---- words -----------------------------------------------------------------------------------

  private Place place() {
    return one.beat("users", List.of(Place.unknown(key.bucket()))).get(0).place();
  }

  private Doubt doubtOf(CacheKey of) {
    Lookup found = one.read(of, "doubt", Asking.REFRESH);
    one.release(of, "doubt");
    return found instanceof Lookup.Leased leased
        ? leased.doubt()
        : ((Lookup.Awaited) found).doubt();
  }

  final Lookup read(SharedTier tier, String token) {
    return tier.read(key, token, Asking.READ);
  }

  final Fill fill(SharedTier tier, String token, byte[] value, ReadLabel label) {
    return tier.fill(key, token, value, LONG, label);
  }

  final Fill fillAnew(byte[] value, ReadLabel label) {
    assertThat(read(one, "anew")).isInstanceOf(Lookup.Leased.class);
    return fill(one, "anew", value, label);
  }

  final void assertHit(SharedTier tier, byte[] value) {
    Lookup found = read(tier, "hit");
    if (!(found instanceof Lookup.Hit)) {
      tier.release(key, "hit");
    }
    assertThat(found)
        .isInstanceOfSatisfying(Lookup.Hit.class, hit -> assertThat(hit.value()).isEqualTo(value));
  }

  final Intent announce(SharedTier tier, int id) {
    return tier.announce(List.of(key), new Change.Open(writer(id))).get(0);
  }

  final Settlement put(Intent intent, byte[] value) {
    return new Settlement(key, new SharedTier.Put(intent, value, LONG));
  }

  static Fill refused(Refusal why) {
    return new Fill.Refused(why);
  }

  /** What came over the channel. */
  static final class Heard implements SharedTier.Listener {
    final ConcurrentLinkedQueue<String> messages = new ConcurrentLinkedQueue<>();
    volatile int losses;

    boolean has(String start) {
      return messages.stream().anyMatch(message -> message.startsWith(start));
    }

    @Override
    public void invalidated(String cache, Place place, int @Nullable [] hashes) {
      messages.add(
          cache
              + " "
              + place.bucket()
              + " "
              + (hashes == null ? "*" : Arrays.toString(hashes))
              + " at "
              + place);
    }

    @Override
    public void messagesMayBeLost() {
      losses++;
    }
  }

  // ---- many at once ----------------------------------------------------------------------------

  private final List<CacheKey> many =
      IntStream.range(0, 40)
          .mapToObj(i -> new CacheKey("users", "many " + i, key.hash() + (i << 8)))
          .toList();

  @Test
  void manyAreReadAndFilledInOrder() {
    List<Lookup> leased = one.readAll(many, "t1", Asking.READ);
    assertThat(leased).hasSize(40).containsOnly(new Lookup.Leased(Doubt.NONE));
    List<Fill> filled =
        one.fillAll(
            IntStream.range(0, 39)
                .mapToObj(
                    i ->
                        new SharedTier.Filling(
                            many.get(i),
                            i == 7 ? "other" : "t1",
                            new byte[] {(byte) i},
                            LONG,
                            primary(upTo(200))))
                .toList());
    assertThat(filled).hasSize(39);
    assertThat(filled.get(7)).isEqualTo(new Fill.Refused(Refusal.LEASE_LOST));
    List<Lookup> found = two.readAll(many, "t2", Asking.READ);
    for (int i = 0; i < 39; i++) {
      if (i == 7) {
        assertThat(found.get(i)).isEqualTo(new Lookup.Awaited(Doubt.NONE));
      } else {
        assertThat(((Lookup.Hit) found.get(i)).value()).containsExactly(i);
      }
    }
    assertThat(found.get(39)).isEqualTo(new Lookup.Awaited(Doubt.NONE));
    assertThat(two.readAll(List.of(many.get(3)), "t3", Asking.REFRESH))
        .containsExactly(new Lookup.Leased(Doubt.NONE));
    assertThat(two.readAll(List.of(), "t4", Asking.READ)).isEmpty();
    assertThat(two.fillAll(List.of())).isEmpty();
  }

  // ---- tags ------------------------------------------------------------------------------------

  private final CacheKey tag = new CacheKey("users", "t7", key.hash());
  private final CacheKey first = new CacheKey("users", "k7/first", key.hash(), "t7");
  private final CacheKey second = new CacheKey("users", "k7/second", key.hash(), "t7");
  private final CacheKey elsewhere = new CacheKey("users", "k8", key.hash(), "t8");

  private void fillTagged(CacheKey each) {
    assertThat(one.read(each, "t", Asking.READ)).isInstanceOf(Lookup.Leased.class);
    assertThat(one.fill(each, "t", OLD, LONG, primary(upTo(200)))).isEqualTo(new Fill.Stored());
    assertThat(two.read(each, "u", Asking.READ)).isInstanceOf(Lookup.Hit.class);
  }

  @Test
  void announcedTagDropsAllThatCarryItAndNothingElse() {
    fillTagged(first);
    fillTagged(second);
    fillTagged(elsewhere);
    two.announce(List.of(tag), new Change.Open(writer(150)));
    assertThat(one.readAll(List.of(first, second), "v", Asking.READ))
        .containsOnly(new Lookup.Leased(Doubt.IN_DOUBT));
    assertThat(one.read(elsewhere, "v", Asking.READ)).isInstanceOf(Lookup.Hit.class);
  }

  @Test
  void tagAnnouncedDuringALoadRefusesItsFill() {
    one.read(first, "t", Asking.READ);
    two.announce(List.of(tag), new Change.Open(writer(150)));
    // Not even with a label that shows the writer: who knows what else came in between.
    assertThat(one.fill(first, "t", OLD, LONG, primary(upTo(200))))
        .isEqualTo(new Fill.Refused(Refusal.LEASE_LOST));
    assertThat(one.read(first, "v", Asking.READ)).isEqualTo(new Lookup.Leased(Doubt.IN_DOUBT));
    assertThat(one.fill(first, "v", OLD, LONG, primary(upTo(200, 150))))
        .isEqualTo(new Fill.Refused(Refusal.IN_DOUBT));
    one.read(first, "w", Asking.READ);
    assertThat(one.fill(first, "w", NEW, LONG, primary(upTo(200)))).isEqualTo(new Fill.Stored());
  }

  @Test
  void tagAnnouncedTwiceDuringALoadRefusesItsFillToo() {
    one.read(first, "t", Asking.READ);
    two.announce(List.of(tag), new Change.Open(writer(150)));
    // A reader of another key gives the tag a new generation.
    two.read(second, "u", Asking.READ);
    assertThat(one.fill(first, "t", OLD, LONG, primary(upTo(200))))
        .isEqualTo(new Fill.Refused(Refusal.LEASE_LOST));
  }

  @Test
  void oneKeyOfATagCanBeAnnouncedByItself() {
    fillTagged(first);
    fillTagged(second);
    two.announce(List.of(first), new Change.Open(writer(150)));
    assertThat(one.read(first, "v", Asking.READ)).isInstanceOf(Lookup.Leased.class);
    assertThat(one.read(second, "v", Asking.READ)).isInstanceOf(Lookup.Hit.class);
  }

  // ---- looking -------------------------------------------------------------------------------

  @Test
  void glimpseTellsOfValueLeaseAndDoubtAndChangesNothing() {
    SharedTier.Glimpse nothing = one.peek(key);
    assertThat(nothing.value()).isNull();
    assertThat(nothing.leased()).isZero();
    assertThat(nothing.doubt()).isEmpty();
    assertThat(one.read(key, "t", Asking.READ)).isEqualTo(new Lookup.Leased(Doubt.NONE));

    SharedTier.Glimpse leased = two.peek(key);
    assertThat(leased.leased()).isBetween(Duration.ofMillis(1), SharedTier.LEASE);
    assertThat(one.fill(key, "t", OLD, LONG, primary(upTo(200)))).isEqualTo(new Fill.Stored());

    SharedTier.Glimpse filled = two.peek(key);
    assertThat(filled.memory()).isEqualTo(SharedTier.Memory.WHOLE);
    assertThat(filled.value()).isEqualTo(OLD);
    assertThat(filled.remaining()).isBetween(Duration.ofMillis(1), LONG);
    assertThat(filled.leased()).isZero();

    two.announce(List.of(key), new Change.Open(writer(150)));
    SharedTier.Glimpse doubtful = one.peek(key);
    assertThat(doubtful.value()).isNull();
    assertThat(doubtful.doubt()).hasSize(1).first().asString().endsWith("/" + idOf(150));
    assertThat(doubtful.place().seq()).isGreaterThan(filled.place().seq());
  }

  private static String idOf(int writer) {
    return Long.toUnsignedString(BASE + writer);
  }
}
