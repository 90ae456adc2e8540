package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.LogPosition;
import dev.waymark.PositionedRead;
import dev.waymark.ReadMark;
import dev.waymark.Role;
import dev.waymark.SessionToken;
import dev.waymark.WaymarkException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two processes on one fake Redis and one fake database. */
@Timeout(60)
class TieredCacheTest {
  private static final CacheKey SEVEN =
      new CacheKey("users", "7", new KeyForm.Known<Long>().hash(7L));

  private final TestTime time = new TestTime();
  private final FakeRedis redis = new FakeRedis(time);
  private final Rows database = new Rows();
  private final AtomicReference<SessionToken> session = new AtomicReference<>(SessionToken.empty());
  private final LogWatch log = new LogWatch();
  private ExecutorService threads;

  @BeforeEach
  void start() {
    FakeTransaction.endAll();
    threads = Executors.newCachedThreadPool();
    database.rows.put(7L, "old");
  }

  @AfterEach
  void stop() throws InterruptedException {
    threads.shutdownNow();
    assertThat(threads.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
    log.close();
  }

  /** A cache in a process of its own. */
  private final class Process {
    final FakeRedis.Process client = redis.process();
    final TestBackground background = new TestBackground();
    final RedisTier tier = new RedisTier(client, "redis://fake:6379", background, time);
    final TieredCache<Long, String> cache;

    Process() {
      this(plain -> plain);
    }

    Process(UnaryOperator<TieredCache.Builder<Long, String>> setting) {
      tier.start(Duration.ofSeconds(1));
      TieredCache.Builder<Long, String> builder =
          TieredCache.builder("users", database)
              .redis(tier)
              .codec(new Text())
              .horizons(database::horizon)
              .sessionToken(session::get)
              .jitter(0)
              .time(time);
      cache = setting.apply(builder).build();
    }
  }

  private static final class Text implements Codec<String> {
    @Override
    public byte[] encode(String value) {
      if (value.startsWith("unencodable")) {
        throw new IllegalArgumentException("no bytes for this");
      }
      return value.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String decode(byte[] bytes) {
      return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public String fingerprint() {
      return "text 1";
    }
  }

  private TieredCache.Builder<Long, String> localOnly() {
    return TieredCache.builder("users", database).sessionToken(session::get).jitter(0).time(time);
  }

  private static CacheAnswer.Tier tier(TieredCache<Long, String> cache) {
    return cache.lookup(7L).tier();
  }

  // Reading

  @Test
  void firstReadComesFromTheDatabaseThenFromL1ThenFromTheOthersL2() {
    Process one = new Process();
    CacheAnswer<String> first = one.cache.lookup(7L);
    assertThat(first.value()).isEqualTo("old");
    assertThat(first.tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(first.position()).isEqualTo(Rows.at(100));
    assertThat(first.route()).isNotNull();

    CacheAnswer<String> second = one.cache.lookup(7L);
    assertThat(second).isEqualTo(new CacheAnswer<>("old", CacheAnswer.Tier.L1, Rows.at(100), null));

    CacheAnswer<String> elsewhere = new Process().cache.lookup(7L);
    assertThat(elsewhere)
        .isEqualTo(new CacheAnswer<>("old", CacheAnswer.Tier.L2, Rows.at(100), null));
    assertThat(database.loads).hasValue(1);
    assertThat(one.cache.statistics())
        .isEqualTo(new CacheStatistics(1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0));
  }

  @Test
  void hitInL1AsksNobodyAndHitInL2AsksOnce() {
    Process one = new Process();
    Process two = new Process();
    one.cache.get(7L);
    int before = redis.calls;
    two.cache.get(7L);
    assertThat(redis.calls - before).isEqualTo(1);
    two.cache.get(7L);
    assertThat(redis.calls - before).isEqualTo(1);
  }

  @Test
  void l1ForgetsAfterItsTimeToLiveAndL2AfterItsOwn() {
    Process one = new Process();
    one.cache.get(7L);
    time.pass(Duration.ofSeconds(11));
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L2);
    time.pass(Duration.ofMinutes(5));
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
  }

  @Test
  void valueTakenFromL2DiesInL1WithIt() {
    Process one = new Process();
    Process two = new Process();
    one.cache.get(7L);
    time.pass(Duration.ofMinutes(5).minusSeconds(3));
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.L2);
    time.pass(Duration.ofSeconds(4));
    two.background.tick();
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
  }

  @Test
  void withoutL1EachReadAsksRedis() {
    Process one = new Process();
    TieredCache<Long, String> cache =
        TieredCache.builder("plain", database)
            .redis(one.tier)
            .codec(new Text())
            .horizons(database::horizon)
            .withoutL1()
            .time(time)
            .build();
    assertThat(cache.get(7L)).isEqualTo("old");
    assertThat(tier(cache)).isEqualTo(CacheAnswer.Tier.L2);
    assertThat(tier(cache)).isEqualTo(CacheAnswer.Tier.L2);
  }

  @Test
  void withoutRedisL1AndTheLoaderDo() {
    TieredCache<Long, String> cache = localOnly().build();
    assertThat(tier(cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(cache)).isEqualTo(CacheAnswer.Tier.L1);
    FakeTransaction write = new FakeTransaction();
    cache.invalidate(write, 7L);
    write.commit(Rows.at(200));
    assertThat(write.idsAsked).isZero();
    assertThat(tier(cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(cache.statistics().degraded()).isZero();
  }

  @Test
  void absentValueIsNotRememberedByDefault() {
    Process one = new Process();
    assertThat(one.cache.get(8L)).isNull();
    assertThat(one.cache.get(8L)).isNull();
    assertThat(database.loads).hasValue(2);
    database.rows.put(8L, "born");
    assertThat(new Process().cache.get(8L)).isEqualTo("born");
  }

  @Test
  void absentValueIsRememberedWhereAskedFor() {
    Process one = new Process();
    TieredCache<Long, String> cache =
        TieredCache.builder("negative", database)
            .redis(one.tier)
            .codec(new Text())
            .horizons(database::horizon)
            .negativeTimeToLive(Duration.ofSeconds(2))
            .time(time)
            .build();
    assertThat(cache.lookup(8L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(cache.lookup(8L))
        .isEqualTo(new CacheAnswer<>(null, CacheAnswer.Tier.L1, Rows.at(100), null));
    cache.flushL1();
    assertThat(cache.lookup(8L))
        .isEqualTo(new CacheAnswer<>(null, CacheAnswer.Tier.L2, Rows.at(100), null));
    time.pass(Duration.ofSeconds(3));
    database.rows.put(8L, "born");
    assertThat(cache.get(8L)).isEqualTo("born");
  }

  /** What a hit costs beyond Caffeine's own must not grow unseen. */
  @Test
  void hitInL1AllocatesNothing() {
    com.sun.management.ThreadMXBean meter =
        (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
    TieredCache<Long, String> cache = localOnly().build();
    session.set(SessionToken.of(Rows.at(50)));
    Long key = 7L;
    cache.get(key);
    long self = Thread.currentThread().getId();
    int hits = 20_000;
    long least = Long.MAX_VALUE;
    // Caffeine notes reads in a buffer that it drains now and then, and the first rounds run before
    // the compiler has seen the path: the best round counts.
    for (int round = 0; round < 20; round++) {
      long before = meter.getThreadAllocatedBytes(self);
      for (int i = 0; i < hits; i++) {
        cache.get(key);
      }
      least = Math.min(least, meter.getThreadAllocatedBytes(self) - before);
    }
    assertThat(least / hits).isZero();
  }

  // Changing

  @Test
  void changeReachesTheOtherProcessL1() {
    Process one = new Process();
    Process two = new Process();
    one.cache.get(7L);
    two.cache.get(7L);

    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));

    assertThat(one.cache.get(7L)).isEqualTo("new");
    assertThat(two.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void transactionIsJoinedOnceForManyKeys() {
    Process one = new Process();
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    one.cache.invalidate(write, 8L);
    one.cache.put(write, 7L, "new");
    assertThat(write.hooks).hasSize(1);
    int before = redis.calls;
    write.commit(Rows.at(200));
    assertThat(redis.calls - before).isEqualTo(2);
  }

  @Test
  void keyAddedAfterTheEndIsRefused() {
    Process one = new Process();
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.commit(Rows.at(200));
    assertThatThrownBy(() -> one.cache.invalidate(write, 7L))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("The transaction has ended; what changes now belongs to another one");
  }

  @Test
  void readDuringTheCommitIsNotKept() {
    Process one = new Process();
    Process two = new Process();
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.beforeCommit();

    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(two.cache.statistics().unshared()).isEqualTo(2);

    database.rows.put(7L, "new");
    write.afterCommit(Rows.at(200));
    assertThat(two.cache.get(7L)).isEqualTo("new");
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void slowLoadFromBeforeTheCommitIsKeptByNobody() {
    Process one = new Process();
    Process two = new Process();
    database.afterReading =
        () -> {
          database.afterReading = () -> {};
          FakeTransaction write = new FakeTransaction();
          one.cache.invalidate(write, 7L);
          database.rows.put(7L, "new");
          write.commit(Rows.at(200));
        };
    assertThat(two.cache.get(7L)).isEqualTo("old");
    assertThat(two.cache.get(7L)).isEqualTo("new");
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void slowLoadFromBeforeTheCommitIsNotKeptWithoutRedisEither() {
    TieredCache<Long, String> cache = localOnly().build();
    database.afterReading =
        () -> {
          database.afterReading = () -> {};
          FakeTransaction write = new FakeTransaction();
          cache.invalidate(write, 7L);
          database.rows.put(7L, "new");
          write.commit(Rows.at(200));
        };
    assertThat(cache.get(7L)).isEqualTo("old");
    assertThat(cache.get(7L)).isEqualTo("new");
  }

  @Test
  void rollbackBeforeTheAnnouncementTellsNobody() {
    Process one = new Process();
    Process two = new Process();
    two.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    int before = redis.calls;
    write.rollBack();
    assertThat(redis.calls).isEqualTo(before);
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void rollbackAfterTheAnnouncementCostsALoad() {
    Process one = new Process();
    Process two = new Process();
    two.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.beforeCommit();
    write.rollBack();
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L2);
  }

  @Test
  void unknownOutcomeKeepsTheKeyOutUntilTheTransactionIsOver() {
    Process one = new Process();
    Process two = new Process();
    two.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.loseTheAnswer();
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    // However long that takes.
    time.pass(Duration.ofHours(1));
    assertThat(two.cache.get(7L)).isEqualTo("old");
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    database.rows.put(7L, "new");
    write.end();
    assertThat(two.cache.get(7L)).isEqualTo("new");
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L2);
  }

  @Test
  void writerThatDiesAfterItsCommitLeavesNothingOld() {
    Process one = new Process();
    Process two = new Process();
    two.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.beforeCommit();
    assertThat(two.cache.get(7L)).isEqualTo("old");
    database.rows.put(7L, "new");
    write.end();
    assertThat(two.cache.get(7L)).isEqualTo("new");
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void changeOfEverythingIsFencedByAHorizonBeyondItsOwnId() {
    Process one = new Process();
    Process two = new Process();
    two.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidateAll(write);
    write.beforeCommit();
    assertThat(two.cache.get(7L)).isEqualTo("old");
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    database.rows.put(7L, "new");
    write.afterCommit(Rows.at(200));
    assertThat(two.cache.get(7L)).isEqualTo("new");
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L2);
  }

  @Test
  void lostRedisDataBringsNothingOldBack() {
    Process one = new Process();
    Process two = new Process();
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.beforeCommit();
    redis.flush();
    assertThat(two.cache.get(7L)).isEqualTo("old");
    assertThat(tier(two.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    database.rows.put(7L, "new");
    write.end();
    assertThat(two.cache.get(7L)).isEqualTo("new");
    assertThat(tier(new Process().cache)).isEqualTo(CacheAnswer.Tier.L2);
  }

  @Test
  void changeMadeElsewhereIsDroppedEverywhere() {
    Process one = new Process();
    Process two = new Process();
    one.cache.get(7L);
    two.cache.get(7L);
    database.rows.put(7L, "new");
    one.cache.invalidate(7L);
    assertThat(one.cache.get(7L)).isEqualTo("new");
    assertThat(two.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void laggingReplicaDoesNotBringTheOldValueBack() {
    Process one = new Process();
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.commit(Rows.at(200));
    database.role = Role.REPLICA;
    database.position = Rows.at(199);
    assertThat(one.cache.get(7L)).isEqualTo("old");
    database.rows.put(7L, "new");
    database.position = Rows.at(200);
    assertThat(one.cache.get(7L)).isEqualTo("new");
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
  }

  // Writing through

  @Test
  void writtenValueIsReadWithoutALoad() {
    Process one = new Process(TieredCache.Builder::writeThrough);
    Process two = new Process();
    two.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.put(write, 7L, "new");
    write.commit(Rows.at(200));
    int before = database.loads.get();
    assertThat(one.cache.lookup(7L))
        .isEqualTo(new CacheAnswer<>("new", CacheAnswer.Tier.L2, Rows.at(200), null));
    assertThat(two.cache.lookup(7L))
        .isEqualTo(new CacheAnswer<>("new", CacheAnswer.Tier.L2, Rows.at(200), null));
    assertThat(database.loads).hasValue(before);
  }

  @Test
  void withoutWriteThroughPutOnlyDrops() {
    Process one = new Process();
    FakeTransaction write = new FakeTransaction();
    one.cache.put(write, 7L, "new");
    database.rows.put(7L, "newer");
    write.commit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("newer");
  }

  @Test
  void lastWordOnAKeyCounts() {
    Process one = new Process(TieredCache.Builder::writeThrough);
    FakeTransaction write = new FakeTransaction();
    one.cache.put(write, 7L, "first");
    one.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void valuePutBeforeTheTransactionWentBackToASavepointIsDroppedOnly() {
    Process one = new Process(TieredCache.Builder::writeThrough);
    one.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.put(write, 7L, "never");
    write.rollbacksToSavepoint++;
    one.cache.put(write, 8L, "after");
    write.commit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("old");
    assertThat(one.cache.lookup(8L))
        .isEqualTo(new CacheAnswer<>("after", CacheAnswer.Tier.L2, Rows.at(200), null));
  }

  @Test
  void slowFirstWriterDoesNotCoverTheSecond() {
    Process one = new Process(TieredCache.Builder::writeThrough);
    Process two = new Process(TieredCache.Builder::writeThrough);
    FakeTransaction first = new FakeTransaction();
    one.cache.put(first, 7L, "first");
    first.beforeCommit();
    // The first has committed and sleeps before it can say so.
    FakeTransaction second = new FakeTransaction();
    two.cache.put(second, 7L, "second");
    database.rows.put(7L, "second");
    second.commit(Rows.at(300));
    first.afterCommit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("second");
    assertThat(two.cache.get(7L)).isEqualTo("second");
    assertThat(new Process().cache.get(7L)).isEqualTo("second");
  }

  @Test
  void deletedRowIsNotPutUnlessAbsenceIsRemembered() {
    Process one = new Process(TieredCache.Builder::writeThrough);
    FakeTransaction write = new FakeTransaction();
    one.cache.put(write, 7L, null);
    database.rows.remove(7L);
    write.commit(Rows.at(200));
    assertThat(one.cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
  }

  @Test
  void unencodableNewValueIsDroppedInstead() {
    Process one = new Process(TieredCache.Builder::writeThrough);
    FakeTransaction write = new FakeTransaction();
    one.cache.put(write, 7L, "unencodable");
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("new");
    assertThat(log.warnings()).hasSize(1);
  }

  // Sessions

  @Test
  void sessionThatHasSeenMoreThanL1IsServedByRedisUntilTheChannelIsProvenAnew() {
    Process one = new Process();
    one.cache.get(7L);
    session.set(SessionToken.of(Rows.at(101)));
    // Had the row been changed before 101, Redis would not have the value.
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L2);
    time.pass(Duration.ofMillis(400));
    one.background.tick();
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
    assertThat(database.loads).hasValue(1);
  }

  @Test
  void sessionThatWroteWithoutRedisIsNotShownLessElsewhere() {
    cutOffSessionIsNotShownLessElsewhere(
        (cutOff, moving) -> {
          TieredCache<Long, String> cache = telling(cutOff, moving, "users-2");
          FakeTransaction write = new FakeTransaction();
          cache.invalidate(write, 7L);
          cache.invalidate(write, 8L);
          write.commit(Rows.at(200));
        });
  }

  @Test
  void sessionThatReadWithoutRedisIsNotShownLessElsewhere() {
    cutOffSessionIsNotShownLessElsewhere(
        (cutOff, moving) -> telling(cutOff, moving, "users-2").get(7L));
  }

  @Test
  void changeThatALoadShowsBeyondItsPositionIsNotTakenBackElsewhere() {
    sessionIsNotShownLessThanALoadHasShownIt(Rows.at(90));
  }

  @Test
  void changeThatALoadOfUnknownPositionShowsIsNotTakenBackElsewhere() {
    sessionIsNotShownLessThanALoadHasShownIt(null);
  }

  /**
   * @param position of the load: asked for before the change was committed, which it shows
   */
  private void sessionIsNotShownLessThanALoadHasShownIt(@Nullable LogPosition position) {
    Process one = new Process(TieredCache.Builder::commitWithoutRedis);
    Process two = new Process();
    two.cache.get(7L); // read at 100
    two.cache.get(8L);
    one.client.cutOff = true;
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    one.cache.invalidate(write, 8L);
    write.beforeCommit();
    database.rows.put(7L, "new");
    database.rows.put(8L, "new");
    write.afterCommit(Rows.at(200));
    AtomicReference<SessionToken> moving = new AtomicReference<>(SessionToken.empty());
    ReadMark primary = new ReadMark(Rows.at(0).systemId(), 1, 1_234);
    telling(
            one,
            moving,
            "users-2",
            key -> {
              PositionedRead<@Nullable String> read = database.load(key);
              return new PositionedRead<>(
                  read.value(), read.route(), position, read.snapshot(), primary);
            })
        .get(7L);

    session.set(moving.get());
    assertThat(session.get().marks()).containsExactly(primary);
    assertThat(two.cache.get(7L)).isEqualTo("new");
    // When the place has been looked up: the log had come to this after the read.
    session.set(
        moving.get().untold().stream()
            .reduce(
                SessionToken.empty().readUpTo(Rows.at(200)),
                SessionToken::untoldUpTo,
                SessionToken::join));
    assertThat(two.cache.get(8L)).isEqualTo("new");
  }

  private void cutOffSessionIsNotShownLessElsewhere(
      BiConsumer<Process, AtomicReference<SessionToken>> sees) {
    Process one = new Process(TieredCache.Builder::commitWithoutRedis);
    Process two = new Process();
    two.cache.get(7L);
    two.cache.get(8L);
    one.client.cutOff = true;
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    one.cache.invalidate(write, 8L);
    write.beforeCommit();
    database.rows.put(7L, "new");
    database.rows.put(8L, "new");
    database.position = Rows.at(200);
    write.afterCommit(Rows.at(200));
    AtomicReference<SessionToken> moving = new AtomicReference<>(SessionToken.empty());
    sees.accept(one, moving);
    session.set(moving.get());
    assertThat(two.cache.get(7L)).isEqualTo("new");
    time.pass(Duration.ofMillis(400));
    two.background.tick();
    assertThat(two.cache.get(8L)).isEqualTo("new");
  }

  private TieredCache<Long, String> telling(
      Process process, AtomicReference<SessionToken> session, String name) {
    return telling(process, session, name, database);
  }

  private TieredCache<Long, String> telling(
      Process process,
      AtomicReference<SessionToken> session,
      String name,
      Loader<Long, String> loader) {
    return TieredCache.builder(name, loader)
        .redis(process.tier)
        .codec(new Text())
        .horizons(database::horizon)
        .commitWithoutRedis()
        .sessionSaw(shown -> session.set(session.get().join(shown)))
        .time(time)
        .build();
  }

  @Test
  void putIsNotShownToASessionThatHasSeenWhatNobodyWasTold() {
    Process one = new Process(TieredCache.Builder::writeThrough);
    FakeTransaction write = new FakeTransaction();
    one.cache.put(write, 7L, "put");
    write.beforeCommit();
    write.end();
    // A writer without Redis commits here; only then the first one's server tells its position.
    database.rows.put(7L, "owed");
    write.hooks.forEach(hook -> hook.afterCommit(Rows.at(210)));
    database.position = Rows.at(220);
    one.cache.get(7L); // from Redis, and from there into L1
    SessionToken untold = SessionToken.empty().untoldUpTo(Rows.at(205));
    session.set(untold);
    assertThat(one.cache.get(7L)).isEqualTo("owed");
    one.cache.flushL1();
    assertThat(one.cache.get(7L)).isEqualTo("owed");
  }

  @Test
  void withoutRedisASessionIsNotMarkedWhereNobodyCommitsWithoutIt() {
    Process one = new Process();
    AtomicReference<SessionToken> told = new AtomicReference<>(SessionToken.empty());
    TieredCache<Long, String> cache =
        TieredCache.builder("strict", database)
            .redis(one.tier)
            .codec(new Text())
            .horizons(database::horizon)
            .sessionSaw(shown -> told.set(told.get().join(shown)))
            .time(time)
            .build();
    redis.down = true;
    cache.get(7L);
    cache.get(7L);
    assertThat(one.tier.isAvailable()).isFalse();
    assertThat(told.get().untold()).isEmpty();
    assertThat(told.get().reads()).containsExactly(Rows.at(100));
  }

  @Test
  void replicasAnswerIsNotKeptWithoutRedis() {
    Process one = new Process();
    redis.down = true;
    database.role = Role.REPLICA;
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    database.role = Role.PRIMARY;
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void loadThatBeganLongerAgoThanL1MayBeBehindIsNotShared() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    database.afterReading =
        () -> {
          database.afterReading = () -> {};
          loading.countDown();
          awaitQuietly(goOn);
        };
    TieredCache<Long, String> cache = localOnly().build();
    Future<String> slow = threads.submit(() -> cache.get(7L));
    loading.await();
    time.pass(Duration.ofSeconds(10));
    database.rows.put(7L, "new"); // by another process
    AtomicReference<Thread> reader = new AtomicReference<>();
    Future<String> late =
        threads.submit(
            () -> {
              reader.set(Thread.currentThread());
              return cache.get(7L);
            });
    await().until(() -> reader.get() != null && reader.get().getState() == Thread.State.WAITING);
    goOn.countDown();
    assertThat(slow.get(10, TimeUnit.SECONDS)).isEqualTo("old");
    assertThat(late.get(10, TimeUnit.SECONDS)).isEqualTo("new");
  }

  @Test
  void sessionReadsItsOwnWriteInAProcessThatHasNotHeardOfIt() {
    Process one = new Process();
    Process two = new Process();
    two.cache.get(7L);
    two.client.deaf = true;
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    database.position = Rows.at(200);

    assertThat(two.cache.get(7L)).isEqualTo("old");
    session.set(SessionToken.of(Rows.at(200)));
    assertThat(two.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void sessionOfAnotherShardIsServed() {
    Process one = new Process();
    one.cache.get(7L);
    session.set(SessionToken.of(new dev.waymark.LogPosition(9, 1, 5000)));
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void valueOfUnknownAgeIsLoadedAnewForWhoHasSeenWhatNobodyWasTold() {
    Process one = new Process();
    database.position = null;
    one.cache.get(7L);
    session.set(SessionToken.of(Rows.at(1)));
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L2);
    session.set(SessionToken.empty().untoldUpTo(Rows.at(1)));
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
  }

  @Test
  void unfencedValueServesOnlySessionsWhoseWritesItsPositionCovers() {
    Process one = new Process();
    TieredCache<Long, String> cache =
        TieredCache.builder("plain", database)
            .redis(one.tier)
            .codec(new Text())
            .unfenced()
            .sessionToken(session::get)
            .time(time)
            .build();
    cache.get(7L);
    session.set(SessionToken.of(Rows.at(100)));
    assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1);
    session.set(SessionToken.of(Rows.at(101)));
    assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
  }

  @Test
  void forgedTokenDoesNotLetOtherSessionsMissTheirWrites() {
    Process one = new Process();
    Process two = new Process();
    two.cache.get(7L);
    session.set(SessionToken.of(Rows.at(Long.MAX_VALUE)));
    two.cache.get(7L);
    two.background.tick();
    time.pass(Duration.ofMillis(400));
    two.background.tick();

    two.client.deaf = true;
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    database.position = Rows.at(200);
    session.set(SessionToken.of(Rows.at(200)));
    assertThat(two.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void sessionThatHasReadAheadOnAReplicaDoesNotJoinALoadForSomebodyElse() throws Exception {
    ThreadLocal<SessionToken> sessions = ThreadLocal.withInitial(SessionToken::empty);
    SessionToken ahead = SessionToken.empty().readUpTo(Rows.at(90));
    Process one = new Process(builder -> builder.sessionToken(sessions::get));
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    // Committed, and shown by a replica; the primary waits for that one's word.
    write.beforeCommit();
    sessions.set(ahead);
    one.cache.get(8L); // so that the position is known to be past
    sessions.remove();
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    database.afterReading =
        () -> {
          database.afterReading = () -> {};
          loading.countDown();
          awaitQuietly(goOn);
        };
    Future<String> forNobody = threads.submit(() -> one.cache.get(7L));
    loading.await();
    // A load for the session waits for this.
    database.rows.put(7L, "new");
    AtomicReference<Thread> reader = new AtomicReference<>();
    Future<String> reading =
        threads.submit(
            () -> {
              sessions.set(ahead);
              reader.set(Thread.currentThread());
              return one.cache.get(7L);
            });
    await().until(() -> reader.get() != null && reader.get().getState() == Thread.State.WAITING);
    goOn.countDown();
    assertThat(forNobody.get(10, TimeUnit.SECONDS)).isEqualTo("old");
    assertThat(reading.get(10, TimeUnit.SECONDS)).isEqualTo("new");
  }

  // Loading

  @Test
  void loadersThatReadEachOthersKeysDoNotWaitForEachOther() throws Exception {
    Process one = new Process();
    CyclicBarrier bothLead = new CyclicBarrier(2);
    ThreadLocal<Boolean> nested = ThreadLocal.withInitial(() -> false);
    AtomicReference<TieredCache<Long, String>> other = new AtomicReference<>();
    TieredCache<Long, String> first = crossing("first", one, other, bothLead, nested);
    AtomicReference<TieredCache<Long, String>> here = new AtomicReference<>(first);
    other.set(crossing("second", one, here, bothLead, nested));
    // One leads the key in the one cache and wants it of the other, and the other way round.
    Future<String> there = threads.submit(() -> first.get(7L));
    Future<String> back = threads.submit(() -> other.get().get(7L));
    assertThat(there.get(10, TimeUnit.SECONDS)).isEqualTo("old");
    assertThat(back.get(10, TimeUnit.SECONDS)).isEqualTo("old");
  }

  private TieredCache<Long, String> crossing(
      String name,
      Process process,
      AtomicReference<TieredCache<Long, String>> other,
      CyclicBarrier bothLead,
      ThreadLocal<Boolean> nested) {
    return TieredCache.<Long, String>builder(
            name,
            key -> {
              if (!nested.get()) {
                nested.set(true);
                bothLead.await(10, TimeUnit.SECONDS);
                other.get().get(key);
              }
              return database.load(key);
            })
        .redis(process.tier)
        .codec(new Text())
        .horizons(database::horizon)
        .time(time)
        .build();
  }

  @Test
  void threadsShareOneLoad() throws Exception {
    Process one = new Process();
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    database.afterReading =
        () -> {
          loading.countDown();
          awaitQuietly(goOn);
        };
    List<Future<String>> answers = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      answers.add(threads.submit(() -> one.cache.get(7L)));
    }
    loading.await();
    goOn.countDown();
    for (Future<String> answer : answers) {
      assertThat(answer.get(10, TimeUnit.SECONDS)).isEqualTo("old");
    }
    assertThat(database.loads).hasValue(1);
  }

  @Test
  void readerAfterTheCommitDoesNotJoinALoadFromBeforeIt() throws Exception {
    Process one = new Process();
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    database.afterReading =
        () -> {
          database.afterReading = () -> {};
          loading.countDown();
          awaitQuietly(goOn);
        };
    Future<String> slow = threads.submit(() -> one.cache.get(7L));
    loading.await();
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("new");
    goOn.countDown();
    assertThat(slow.get(10, TimeUnit.SECONDS)).isEqualTo("old");
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void sessionThatASharedLoadDoesNotCoverLoadsForItself() throws Exception {
    ThreadLocal<SessionToken> sessions = ThreadLocal.withInitial(SessionToken::empty);
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    database.afterReading =
        () -> {
          database.afterReading = () -> {};
          loading.countDown();
          awaitQuietly(goOn);
        };
    TieredCache<Long, String> cache = localOnly().sessionToken(sessions::get).build();
    Future<String> slow = threads.submit(() -> cache.get(7L));
    loading.await();
    database.rows.put(7L, "new");
    database.position = Rows.at(200);
    AtomicReference<Thread> reader = new AtomicReference<>();
    Future<String> fresh =
        threads.submit(
            () -> {
              sessions.set(SessionToken.of(Rows.at(200)));
              reader.set(Thread.currentThread());
              return cache.get(7L);
            });
    await().until(() -> reader.get() != null && reader.get().getState() == Thread.State.WAITING);
    goOn.countDown();
    assertThat(slow.get(10, TimeUnit.SECONDS)).isEqualTo("old");
    assertThat(fresh.get(10, TimeUnit.SECONDS)).isEqualTo("new");
  }

  @Test
  void loaderThatAsksItsOwnKeyIsToldSo() {
    AtomicReference<TieredCache<Long, String>> self = new AtomicReference<>();
    TieredCache<Long, String> cache =
        TieredCache.<Long, String>builder(
                "circle",
                key -> {
                  self.get().get(key);
                  return database.load(key);
                })
            .time(time)
            .build();
    self.set(cache);
    assertThatThrownBy(() -> cache.get(7L))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("The loader of a cache asked the same cache for the key that it is loading");
  }

  @Test
  void uncheckedFailureComesAsItIsAndIsNotCached() {
    Process one = new Process();
    IllegalStateException failure = new IllegalStateException("no database");
    database.afterReading =
        () -> {
          throw failure;
        };
    assertThatThrownBy(() -> one.cache.get(7L)).isSameAs(failure);
    database.afterReading = () -> {};
    // At once: the lease was given back.
    long before = time.millis();
    assertThat(one.cache.get(7L)).isEqualTo("old");
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
    assertThat(time.millis()).isEqualTo(before);
    assertThat(one.cache.statistics().loadFailures()).isEqualTo(1);
  }

  @Test
  void checkedFailureIsWrappedWithoutTheKey() {
    IOException failure = new IOException("cut off");
    TieredCache<Long, String> cache =
        TieredCache.<Long, String>builder(
                "users",
                key -> {
                  throw failure;
                })
            .time(time)
            .build();
    assertThatThrownBy(() -> cache.get(7L))
        .isInstanceOf(WaymarkException.class)
        .hasCause(failure)
        .hasMessage(
            "Cache users could not load key "
                + dev.waymark.KeyRendering.FINGERPRINT.render(7)
                + ": java.io.IOException: cut off. Nothing was cached; see the cause, then the call"
                + " may be repeated.");
  }

  @Test
  void waitersGetTheLeadersFailure() throws Exception {
    Process one = new Process();
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    IllegalStateException failure = new IllegalStateException("no database");
    database.afterReading =
        () -> {
          loading.countDown();
          awaitQuietly(goOn);
          throw failure;
        };
    Future<String> leader = threads.submit(() -> one.cache.get(7L));
    loading.await();
    AtomicReference<Thread> joiner = new AtomicReference<>();
    Future<String> joined =
        threads.submit(
            () -> {
              joiner.set(Thread.currentThread());
              return one.cache.get(7L);
            });
    await().until(() -> joiner.get() != null && joiner.get().getState() == Thread.State.WAITING);
    goOn.countDown();
    assertThatThrownBy(() -> leader.get(10, TimeUnit.SECONDS)).hasCause(failure);
    assertThatThrownBy(() -> joined.get(10, TimeUnit.SECONDS)).hasCause(failure);
    assertThat(database.loads).hasValue(1);
  }

  @Test
  void interruptedWaiterGivesUpAndStaysInterrupted() throws Exception {
    Process one = new Process();
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    database.afterReading =
        () -> {
          loading.countDown();
          awaitQuietly(goOn);
        };
    Future<String> leader = threads.submit(() -> one.cache.get(7L));
    loading.await();
    Future<Boolean> waiter =
        threads.submit(
            () -> {
              Thread.currentThread().interrupt();
              assertThatThrownBy(() -> one.cache.get(7L)).isInstanceOf(WaymarkException.class);
              return Thread.currentThread().isInterrupted();
            });
    assertThat(waiter.get(10, TimeUnit.SECONDS)).isTrue();
    goOn.countDown();
    assertThat(leader.get(10, TimeUnit.SECONDS)).isEqualTo("old");
  }

  @Test
  void otherProcessWaitsForTheLeaseHoldersValue() {
    Process one = new Process();
    Process two = new Process();
    String lease = "lease of another";
    two.client.read(SEVEN, lease, SharedTier.Asking.READ);
    time.duringPause =
        () ->
            two.client.fill(
                SEVEN,
                lease,
                new ValueFormat<>(new Text()).encode("theirs", Rows.at(100)).bytes(),
                Duration.ofMinutes(1),
                new ReadLabel.Unfenced("shard-1"));
    assertThat(one.cache.lookup(7L))
        .isEqualTo(new CacheAnswer<>("theirs", CacheAnswer.Tier.L2, Rows.at(100), null));
    assertThat(database.loads).hasValue(0);
  }

  @Test
  void otherProcessLoadsItselfWhenTheLeaseHolderTakesTooLong() {
    Process one = new Process();
    Process two = new Process();
    two.client.read(SEVEN, "lease of another", SharedTier.Asking.READ);
    long before = time.millis();
    assertThat(one.cache.get(7L)).isEqualTo("old");
    assertThat(time.millis() - before).isBetween(200L, 250L);
    // Not kept: the lease holder's answer is the one that Redis vouches for.
    assertThat(one.cache.statistics().unshared()).isEqualTo(1);
    time.pass(Duration.ofSeconds(3));
    one.background.tick();
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
  }

  // What stands in Redis

  @Test
  void poisonedBytesAreAMissAndAreReplaced() {
    Process one = new Process();
    one.cache.get(7L);
    redis.poison(
        SEVEN,
        bytes -> {
          bytes[bytes.length - 1] ^= 1;
          return bytes;
        });
    one.cache.flushL1();
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    one.cache.flushL1();
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L2);
    redis.poison(SEVEN, bytes -> new byte[0]);
    one.cache.flushL1();
    assertThat(one.cache.get(7L)).isEqualTo("old");
  }

  @Test
  void valueThatCannotBeEncodedIsReturnedAndToldOfOnce() {
    Process one = new Process();
    database.rows.put(7L, "unencodable");
    assertThat(one.cache.get(7L)).isEqualTo("unencodable");
    assertThat(one.cache.get(7L)).isEqualTo("unencodable");
    assertThat(database.loads).hasValue(2);
    assertThat(log.warnings())
        .containsExactly(
            "Cache users cannot encode a value for Redis; such values are loaded each time. Give"
                + " its codec a type that it can write");
  }

  // Redis away

  @Test
  void redisOutageFallsThroughToTheDatabase() {
    Process one = new Process();
    redis.down = true;
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
    int before = redis.calls;
    time.pass(Duration.ofMillis(999));
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
    time.pass(Duration.ofMillis(1));
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(redis.calls).isEqualTo(before);
    assertThat(one.cache.statistics().degraded()).isEqualTo(2);
    assertThat(log.warnings()).hasSize(1);
  }

  @Test
  void changeDuringAnOutageReachesTheOthersBeforeRedisIsReadAgain() {
    Process one = new Process(TieredCache.Builder::commitWithoutRedis);
    Process two = new Process();
    one.cache.get(7L);
    two.cache.get(7L);
    one.client.cutOff = true;

    FakeTransaction write = new FakeTransaction();
    one.cache.put(write, 7L, "new");
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("new");
    assertThat(two.cache.get(7L)).isEqualTo("old"); // within l1TimeToLive

    one.client.cutOff = false;
    one.background.runNext();
    assertThat(one.tier.isAvailable()).isTrue();
    assertThat(two.cache.get(7L)).isEqualTo("new");
    assertThat(one.cache.get(7L)).isEqualTo("new");
    // The floor came along as well.
    assertThat(two.client.read(SEVEN, "t", SharedTier.Asking.REFRESH))
        .isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
    assertThat(
            two.client.fill(
                SEVEN,
                "t",
                new byte[1],
                Duration.ofSeconds(1),
                new ReadLabel.Replica("shard-1", Rows.at(199))))
        .isEqualTo(new SharedTier.Fill.Refused(SharedTier.Refusal.NOT_NEW_ENOUGH));
  }

  @Test
  void valueKeptDuringAnOutageIsForgottenWhenRedisIsBack() {
    Process one = new Process();
    Process two = new Process();
    one.client.cutOff = true;
    one.client.deaf = true;
    one.cache.get(7L);
    one.cache.get(7L);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
    FakeTransaction write = new FakeTransaction();
    two.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    one.client.cutOff = false;
    one.client.deaf = false;
    one.background.runNext();
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void oldValueReadWhileAnUnannouncedChangeIsBeingToldIsDroppedAgain() {
    Process one = new Process(TieredCache.Builder::commitWithoutRedis);
    Process two = new Process();
    two.cache.get(7L);
    redis.down = true;
    one.cache.get(8L);
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.beforeCommit();
    redis.down = false;
    one.background.runNext();
    one.client.beforeAnnouncing = () -> assertThat(one.cache.get(7L)).isEqualTo("old");
    database.rows.put(7L, "new");
    write.afterCommit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void oldValueReadWhileAChangeMadeElsewhereIsBeingToldIsDroppedAgain() {
    Process one = new Process();
    one.cache.get(7L);
    database.rows.put(7L, "new");
    one.client.beforeAnnouncing = () -> assertThat(one.cache.get(7L)).isEqualTo("old");
    one.cache.invalidate(7L);
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void transactionIdIsNotAskedForWhileRedisIsAway() {
    Process one = new Process(TieredCache.Builder::commitWithoutRedis);
    redis.down = true;
    one.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.commit(Rows.at(200));
    assertThat(write.idsAsked).isZero();
  }

  @Test
  void whatALostMessageToldIsMadeUpForWhenTheConnectionIsBack() {
    Process one = new Process();
    Process two = new Process();
    one.cache.get(7L);
    one.cache.get(8L);
    one.client.deaf = true;
    FakeTransaction write = new FakeTransaction();
    two.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("old");
    one.client.loseConnection();
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void lostMessageKeepsL1BehindForItsBoundAndNoLonger() {
    Process one = new Process();
    Process two = new Process();
    one.cache.get(7L);
    one.client.deaf = true;
    FakeTransaction write = new FakeTransaction();
    two.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    time.pass(Duration.ofMillis(999));
    assertThat(one.cache.get(7L)).isEqualTo("old");
    time.pass(Duration.ofMillis(1));
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  @Test
  void transactionThatCannotBeAnnouncedIsRefusedBeforeItsCommit() {
    Process one = new Process();
    TieredCache<Long, String> cache =
        TieredCache.builder("strict", database)
            .redis(one.tier)
            .codec(new Text())
            .horizons(database::horizon)
            .time(time)
            .build();
    cache.get(7L);
    one.client.cutOff = true;
    FakeTransaction write = new FakeTransaction();
    cache.invalidate(write, 7L);
    assertThatThrownBy(write::beforeCommit)
        .isInstanceOf(WaymarkException.class)
        .hasMessage(
            "Cache strict could not announce the change of 1 keys to Redis before COMMIT; committed"
                + " all the same, others could be served the old value. Nothing was written; the"
                + " transaction is rolled back. Repeat it when Redis can be reached, or build the"
                + " cache with commitWithoutRedis().");
    // Nobody waits for a Redis that is known to be away.
    int before = redis.calls;
    FakeTransaction another = new FakeTransaction();
    cache.invalidate(another, 7L);
    assertThatThrownBy(another::beforeCommit).isInstanceOf(WaymarkException.class);
    assertThat(redis.calls).isEqualTo(before);
    assertThat(another.idsAsked).isZero();
    assertThat(cache.get(7L)).isEqualTo("old");
    one.client.cutOff = false;
    one.background.runNext();
    FakeTransaction again = new FakeTransaction();
    cache.invalidate(again, 7L);
    again.commit(Rows.at(200));
  }

  @Test
  void unfencedCacheAnnouncesNothingAndDropsAfterTheCommit() {
    Process one = new Process();
    Process two = new Process();
    TieredCache<Long, String> here =
        TieredCache.builder("plain", database)
            .redis(one.tier)
            .codec(new Text())
            .unfenced()
            .time(time)
            .build();
    TieredCache<Long, String> there =
        TieredCache.builder("plain", database)
            .redis(two.tier)
            .codec(new Text())
            .unfenced()
            .time(time)
            .build();
    there.get(7L);
    assertThat(here.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
    FakeTransaction write = new FakeTransaction();
    here.invalidate(write, 7L);
    write.beforeCommit();
    assertThat(write.idsAsked).isZero();
    database.rows.put(7L, "new");
    assertThat(there.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1);
    write.afterCommit(Rows.at(200));
    assertThat(there.get(7L)).isEqualTo("new");
  }

  @Test
  void replicaThatMayLackAChangeIsNotBelievedWhereThePrimaryCanBeAsked() {
    Process one = new Process();
    Rows primary = new Rows();
    primary.rows.put(7L, "new");
    primary.position = Rows.at(200);
    TieredCache<Long, String> cache =
        TieredCache.builder("users-2", database)
            .redis(one.tier)
            .codec(new Text())
            .horizons(database::horizon)
            .primaryLoader(primary)
            .time(time)
            .build();
    FakeTransaction write = new FakeTransaction();
    cache.invalidate(write, 7L);
    write.commit(Rows.at(200));
    database.role = Role.REPLICA;
    database.position = Rows.at(199);
    assertThat(cache.get(7L)).isEqualTo("new");
    assertThat(primary.loads).hasValue(1);
    assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void writerThatDiedIsSweptOutSoThatReplicasMayFillAgain() {
    Process one = new Process();
    one.cache.get(7L);
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    write.beforeCommit();
    database.rows.put(7L, "new");
    write.end();
    database.role = Role.REPLICA;
    database.position = Rows.at(300);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(one.background.tasks).hasSize(1);
    one.background.runNext();
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void sessionIsToldWhatItHasReadUnlessItKnows() {
    List<SessionToken> told = new ArrayList<>();
    Process one = new Process();
    TieredCache<Long, String> cache =
        TieredCache.builder("users-2", database)
            .redis(one.tier)
            .codec(new Text())
            .horizons(database::horizon)
            .sessionToken(session::get)
            .sessionSaw(told::add)
            .time(time)
            .build();
    cache.get(7L);
    assertThat(told).isEmpty(); // the loader's own read tells the session
    cache.get(7L);
    assertThat(told).containsExactly(SessionToken.empty().readUpTo(Rows.at(100)));
    session.set(SessionToken.empty().readUpTo(Rows.at(100)));
    cache.get(7L);
    assertThat(told).hasSize(1);
  }

  @Test
  void cacheGoesOnAfterItsTierIsClosed() {
    Process one = new Process(TieredCache.Builder::commitWithoutRedis);
    one.cache.get(7L);
    one.tier.close();
    assertThat(tier(one.cache)).isEqualTo(CacheAnswer.Tier.L1);
    assertThat(one.cache.get(8L)).isNull();
    FakeTransaction write = new FakeTransaction();
    one.cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    assertThat(one.cache.get(7L)).isEqualTo("new");
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
