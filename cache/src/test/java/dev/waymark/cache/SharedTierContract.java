package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.cache.SharedTier.Asking;
import dev.waymark.cache.SharedTier.Fill;
import dev.waymark.cache.SharedTier.Lookup;
import dev.waymark.cache.SharedTier.Settlement;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What any shared tier promises: the fake of the unit tests and the scripts on Redis alike. */
abstract class SharedTierContract {
  static final Duration LONG = Duration.ofMinutes(1);
  // Beyond what a signed long or a double holds exactly.
  private static final LogPosition EARLY = new LogPosition(-7, 2, 0xFFFF_FFFF_0000_0001L);
  private static final LogPosition LATE = new LogPosition(-7, 2, 0xFFFF_FFFF_0000_0002L);
  private static final byte[] OLD = "old".getBytes(StandardCharsets.UTF_8);
  private static final byte[] NEW = {0, (byte) 0xFF, ':', '\n', '}', 0};

  final CacheKey key = new CacheKey("users", "a}{:b", 0x1234_5678);
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
    one = process();
    one.open(heardByOne);
    two = process();
    two.open(heardByTwo);
    heardByOne.messages.clear();
    heardByTwo.messages.clear();
  }

  @AfterEach
  void disconnect() {
    one.close();
    two.close();
  }

  @Test
  void firstReaderOfAMissingValueHoldsTheLease() {
    assertThat(read(one, "t1")).isEqualTo(new Lookup.Leased());
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Awaited());
  }

  @Test
  void filledValueIsReadByAll() {
    read(one, "t1");
    assertThat(fill(one, "t1", NEW, Role.PRIMARY, null)).isEqualTo(Fill.STORED);

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
    read(one, "t1");
    fill(one, "t1", OLD, Role.PRIMARY, null);
    CacheKey neighbour = new CacheKey("users", "a}{:c", key.hash());
    assertThat(one.read(neighbour, "t2", Asking.READ)).isEqualTo(new Lookup.Leased());
    CacheKey namesake = new CacheKey("orders", key.text(), key.hash());
    assertThat(one.read(namesake, "t2", Asking.READ)).isEqualTo(new Lookup.Leased());
  }

  @Test
  void valueEndsWithItsTimeToLive() {
    read(one, "t1");
    one.fill(key, "t1", OLD, Duration.ofMillis(50), Role.PRIMARY, null);
    letPass(Duration.ofMillis(80));
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Leased());
  }

  @Test
  void fillWithoutTheLeaseIsRefused() {
    read(one, "t1");
    assertThat(fill(two, "t2", OLD, Role.PRIMARY, null)).isEqualTo(Fill.LEASE_LOST);
    assertThat(fill(one, "t1", OLD, Role.PRIMARY, null)).isEqualTo(Fill.STORED);
    assertThat(fill(one, "t1", OLD, Role.PRIMARY, null)).isEqualTo(Fill.LEASE_LOST);
  }

  @Test
  void leaseGivenBackIsFreeForTheNextReader() {
    read(one, "t1");
    two.release(key, "t2");
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Awaited());
    one.release(key, "t1");
    assertThat(read(two, "t2")).isEqualTo(new Lookup.Leased());
  }

  @Test
  void refreshPassesOverTheValueAndLeavesItForOthers() {
    read(one, "t1");
    fill(one, "t1", OLD, Role.PRIMARY, null);
    assertThat(one.read(key, "t2", Asking.REFRESH)).isEqualTo(new Lookup.Leased());
    assertThat(read(two, "t3")).isInstanceOf(Lookup.Hit.class);
    assertThat(fill(one, "t2", NEW, Role.PRIMARY, null)).isEqualTo(Fill.STORED);
    assertThat(read(two, "t3"))
        .isInstanceOfSatisfying(Lookup.Hit.class, hit -> assertThat(hit.value()).isEqualTo(NEW));
  }

  @Test
  void announcementDropsTheValueAndHoldsOffReaders() {
    read(one, "t1");
    fill(one, "t1", OLD, Role.PRIMARY, null);
    two.announce(List.of(key), "shard-1/700", "i1");
    assertThat(read(one, "t2")).isEqualTo(new Lookup.InDoubt());
    assertThat(one.read(key, "t2", Asking.REFRESH)).isEqualTo(new Lookup.InDoubt());
  }

  @Test
  void fillOfALoadFromBeforeTheAnnouncementIsRefused() {
    read(one, "t1");
    two.announce(List.of(key), "shard-1/700", "i1");
    assertThat(fill(one, "t1", OLD, Role.PRIMARY, null)).isEqualTo(Fill.LEASE_LOST);
    two.settle(List.of(new Settlement(key, "shard-1/700", EARLY, null)));
    assertThat(fill(one, "t1", OLD, Role.PRIMARY, null)).isEqualTo(Fill.LEASE_LOST);
    assertThat(read(one, "t2")).isEqualTo(new Lookup.Leased());
  }

  @Test
  void fillOfALoadFromBeforeAnUnannouncedChangeIsRefused() {
    read(one, "t1");
    two.settle(List.of(new Settlement(key, null, null, null)));
    assertThat(fill(one, "t1", OLD, Role.PRIMARY, null)).isEqualTo(Fill.LEASE_LOST);
  }

  @Test
  void oneWritersEndLeavesTheOtherInDoubt() {
    one.announce(List.of(key), "shard-1/700", "i1");
    two.announce(List.of(key), "shard-1/701", "i2");
    one.settle(List.of(new Settlement(key, "shard-1/700", EARLY, null)));
    assertThat(read(one, "t1")).isEqualTo(new Lookup.InDoubt());
    two.withdraw(List.of(key), "shard-1/701");
    assertThat(read(one, "t1")).isEqualTo(new Lookup.Leased());
  }

  @Test
  void changeWithoutAWriterLeavesMarksStanding() {
    one.announce(List.of(key), "shard-1/700", "i1");
    one.settle(List.of(new Settlement(key, null, null, null)));
    assertThat(read(two, "t1")).isEqualTo(new Lookup.InDoubt());
  }

  @Test
  void withdrawalTellsNobody() {
    one.announce(List.of(key), "shard-1/700", "i1");
    one.withdraw(List.of(key), "shard-1/700");
    // A message that does come, behind which an earlier one would have come too.
    one.forget("orders");
    await().until(() -> !heardByTwo.messages.isEmpty());
    assertThat(heardByTwo.messages).containsOnly("orders *");
  }

  @Test
  void changeIsToldToOthersAndNotToOneself() {
    one.settle(List.of(new Settlement(key, null, null, null)));
    await().until(() -> !heardByTwo.messages.isEmpty());
    assertThat(heardByTwo.messages).containsExactly("users " + key.hash());
    two.settle(List.of(new Settlement(new CacheKey("users", "-", -1), null, null, null)));
    await().until(() -> !heardByOne.messages.isEmpty());
    assertThat(heardByOne.messages).containsExactly("users -1");
  }

  @Test
  void replicaMustCoverTheLastCommit() {
    one.settle(List.of(new Settlement(key, null, LATE, null)));
    assertThat(fillAnew(OLD, Role.REPLICA, EARLY)).isEqualTo(Fill.NOT_NEW_ENOUGH);
    assertThat(fillAnew(OLD, Role.REPLICA, null)).isEqualTo(Fill.NOT_NEW_ENOUGH);
    assertThat(fillAnew(OLD, Role.REPLICA, new LogPosition(-7, 1, LATE.lsn() + 5)))
        .isEqualTo(Fill.NOT_NEW_ENOUGH);
    assertThat(fillAnew(OLD, Role.REPLICA, new LogPosition(-8, 2, LATE.lsn() + 5)))
        .isEqualTo(Fill.NOT_NEW_ENOUGH);
    assertThat(fillAnew(NEW, Role.REPLICA, LATE)).isEqualTo(Fill.STORED);
  }

  @Test
  void floorIsTheGreatestOfTheCommitsInAnyOrder() {
    one.settle(List.of(new Settlement(key, null, LATE, null)));
    two.settle(List.of(new Settlement(key, null, EARLY, null)));
    assertThat(fillAnew(OLD, Role.REPLICA, EARLY)).isEqualTo(Fill.NOT_NEW_ENOUGH);
    // A difference in the upper half alone, and unsigned.
    LogPosition small = new LogPosition(-7, 2, 0x0000_0001_FFFF_FFFFL);
    two.settle(List.of(new Settlement(key, null, small, null)));
    assertThat(fillAnew(OLD, Role.REPLICA, EARLY)).isEqualTo(Fill.NOT_NEW_ENOUGH);
    assertThat(fillAnew(OLD, Role.REPLICA, LATE)).isEqualTo(Fill.STORED);
  }

  @Test
  void promotionRaisesTheFloor() {
    one.settle(List.of(new Settlement(key, null, LATE, null)));
    LogPosition promoted = new LogPosition(-7, 3, EARLY.lsn());
    one.settle(List.of(new Settlement(key, null, promoted, null)));
    assertThat(fillAnew(OLD, Role.REPLICA, LATE)).isEqualTo(Fill.NOT_NEW_ENOUGH);
    assertThat(fillAnew(OLD, Role.REPLICA, promoted)).isEqualTo(Fill.STORED);
  }

  @Test
  void floorOfAnotherSystemIsReplaced() {
    one.settle(List.of(new Settlement(key, null, LATE, null)));
    LogPosition moved = new LogPosition(9, 1, 5);
    one.settle(List.of(new Settlement(key, null, moved, null)));
    assertThat(fillAnew(OLD, Role.REPLICA, LATE)).isEqualTo(Fill.NOT_NEW_ENOUGH);
    assertThat(fillAnew(OLD, Role.REPLICA, moved)).isEqualTo(Fill.STORED);
  }

  @Test
  void primaryNeedsNoPosition() {
    one.settle(List.of(new Settlement(key, null, LATE, null)));
    assertThat(fillAnew(NEW, Role.PRIMARY, null)).isEqualTo(Fill.STORED);
  }

  @Test
  void replicaFillsWhereNoCommitIsKnown() {
    assertThat(fillAnew(OLD, Role.REPLICA, EARLY)).isEqualTo(Fill.STORED);
  }

  @Test
  void writerPutsItsValue() {
    one.announce(List.of(key), "shard-1/700", "i1");
    assertThat(one.settle(List.of(put("shard-1/700", "i1", NEW)))).containsExactly(true);
    assertThat(read(two, "t1"))
        .isInstanceOfSatisfying(Lookup.Hit.class, hit -> assertThat(hit.value()).isEqualTo(NEW));
  }

  @Test
  void writerWhoseSuccessorHasAnnouncedPutsNothing() {
    one.announce(List.of(key), "shard-1/700", "i1");
    two.announce(List.of(key), "shard-1/701", "i2");
    assertThat(one.settle(List.of(put("shard-1/700", "i1", OLD)))).containsExactly(false);
    assertThat(two.settle(List.of(put("shard-1/701", "i2", NEW)))).containsExactly(true);
  }

  @Test
  void writerWhoseSuccessorHasAlreadyEndedPutsNothing() {
    one.announce(List.of(key), "shard-1/700", "i1");
    two.announce(List.of(key), "shard-1/701", "i2");
    assertThat(two.settle(List.of(put("shard-1/701", "i2", NEW)))).containsExactly(false);
    // Its own mark is the only one left, and its value is old all the same.
    assertThat(one.settle(List.of(put("shard-1/700", "i1", OLD)))).containsExactly(false);
    assertThat(read(one, "t1")).isEqualTo(new Lookup.Leased());
  }

  @Test
  void unannouncedWriterPutsNothing() {
    assertThat(one.settle(List.of(put("shard-1/700", "i1", NEW)))).containsExactly(false);
  }

  @Test
  void lossOfEverythingLosesAnnouncementsAndLeases() {
    one.announce(List.of(key), "shard-1/700", "i1");
    flush();
    assertThat(one.settle(List.of(put("shard-1/700", "i1", NEW)))).containsExactly(false);
    read(two, "t1");
    flush();
    assertThat(fill(two, "t1", OLD, Role.PRIMARY, null)).isEqualTo(Fill.LEASE_LOST);
  }

  @Test
  void forgettingACacheDropsItsValuesAndLeases() {
    read(one, "t1");
    fill(one, "t1", OLD, Role.PRIMARY, null);
    CacheKey other = new CacheKey("users", "b", 3);
    one.read(other, "t2", Asking.READ);
    CacheKey elsewhere = new CacheKey("orders", "b", 3);
    one.read(elsewhere, "t3", Asking.READ);
    one.fill(elsewhere, "t3", OLD, LONG, Role.PRIMARY, null);

    two.forget("users");

    await().until(() -> heardByOne.messages.contains("users *"));
    assertThat(read(one, "t4")).isEqualTo(new Lookup.Leased());
    assertThat(one.fill(other, "t2", OLD, LONG, Role.PRIMARY, null)).isEqualTo(Fill.LEASE_LOST);
    assertThat(one.read(elsewhere, "t5", Asking.READ)).isInstanceOf(Lookup.Hit.class);
  }

  @Test
  void manyKeysEndInOneCall() {
    List<CacheKey> keys =
        IntStream.range(0, 600).mapToObj(i -> new CacheKey("users", "k" + i, i * 31)).toList();
    one.announce(keys, "shard-1/700", "i1");
    assertThat(keys)
        .allSatisfy(
            each -> assertThat(two.read(each, "t1", Asking.READ)).isEqualTo(new Lookup.InDoubt()));
    List<Settlement> settlements = new ArrayList<>();
    keys.forEach(each -> settlements.add(new Settlement(each, "shard-1/700", EARLY, null)));
    assertThat(one.settle(settlements)).hasSize(600).containsOnly(false);
    await().until(() -> heardByTwo.messages.size() == 600);
    assertThat(two.read(keys.get(599), "t1", Asking.READ)).isEqualTo(new Lookup.Leased());
  }

  private Lookup read(SharedTier tier, String token) {
    return tier.read(key, token, Asking.READ);
  }

  private Fill fill(SharedTier tier, String token, byte[] value, Role role, LogPosition position) {
    return tier.fill(key, token, value, LONG, role, position);
  }

  private Fill fillAnew(byte[] value, Role role, LogPosition position) {
    assertThat(read(one, "anew")).isEqualTo(new Lookup.Leased());
    return fill(one, "anew", value, role, position);
  }

  private Settlement put(String writer, String intent, byte[] value) {
    return new Settlement(key, writer, EARLY, new SharedTier.Put(intent, value, LONG));
  }

  /** What came over the channel. */
  static final class Heard implements SharedTier.Listener {
    final ConcurrentLinkedQueue<String> messages = new ConcurrentLinkedQueue<>();
    volatile int losses;

    @Override
    public void invalidated(String cache, int hash) {
      messages.add(cache + " " + hash);
    }

    @Override
    public void everythingInvalidated(String cache) {
      messages.add(cache + " *");
    }

    @Override
    public void messagesMayBeLost() {
      losses++;
    }
  }
}
