package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.SessionToken;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.TransactionSnapshot;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.SharedTier.Asking;
import dev.waymark.cache.SharedTier.Change;
import dev.waymark.cache.SharedTier.Fill;
import dev.waymark.cache.SharedTier.Intent;
import dev.waymark.cache.SharedTier.Lookup;
import dev.waymark.cache.SharedTier.Writer;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Each race that a cache beside a database has, step by step on a real PostgreSQL and a real Redis,
 * and the guard that closes it: with it nobody is served the old value, without it somebody is, for
 * as long as it lives.
 */
@Timeout(180)
class RacesIT {
  private static final Duration LONG = Duration.ofMinutes(5);
  private static final String SHARD = "shard-1";

  /** Both in one bucket and one cell. */
  private static final CacheKey KEY = new CacheKey("users", "7", 0x0000_0708);

  private static final CacheKey NEIGHBOUR = new CacheKey("users", "8", 0x0001_0708);

  /** Every guard of the scripts, each cut out by a test here. */
  static final Set<String> GUARDS =
      Set.of(
          "lease-token",
          "lease-copy",
          "snapshot",
          "position-floor",
          "epoch",
          "incarnation",
          "horizon",
          "recovery-token",
          "intent",
          "timeline",
          "tag",
          "stream-doubt",
          "stream-intent");

  /** One of a tag, in the bucket and the cell of {@link #KEY}. */
  private static final CacheKey PAGE = new CacheKey("users", "k7/1", KEY.hash(), "t7");

  private static final CacheKey TAG = new CacheKey("users", "t7", KEY.hash());

  private static TestCluster cluster;
  private static long systemId;

  private final AtomicReference<SessionToken> session = new AtomicReference<>(SessionToken.empty());
  private @Nullable SharedTier tier;

  @BeforeAll
  static void startServers() throws SQLException {
    cluster = TestCluster.builder().replicas(1).redis().start();
    primary().execute("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL)");
    try (Connection connection = primary().connect()) {
      systemId =
          Long.parseLong(
              one(connection, "SELECT system_identifier::text FROM pg_control_system()"));
    }
  }

  @AfterAll
  static void stopServers() {
    cluster.close();
  }

  @BeforeEach
  void fillTheTable() {
    cluster.redis().flush();
    primary().execute("TRUNCATE users; INSERT INTO users VALUES (7, 'old'), (8, 'neighbour')");
    awaitReplica();
  }

  @AfterEach
  void closeTheTier() {
    if (tier != null) {
      tier.close();
    }
  }

  // ---- a slow fill after an invalidation ------------------------------------------------------

  @Test
  void slowFillAfterAnInvalidationIsRefused() throws Exception {
    assertThat(servedAfterASlowFill()).isEqualTo("new");
  }

  @Test
  void withoutTheLeaseTokenASlowFillIsKept() throws Exception {
    assertThat(servedAfterASlowFill("lease-token")).isEqualTo("old");
  }

  private String servedAfterASlowFill(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    lease(redis, KEY, "slow");
    Load slow = fromPrimary(7);
    try (Update update = new Update("new")) {
      redis.announce(List.of(KEY), update.announced());
      update.commit();
    }
    // Nothing is in doubt any more, and somebody else has the lease.
    Horizon after = horizon();
    assertThat(redis.sweep("users", KEY.bucket(), List.of(KEY.cell()), SHARD, after)).isZero();
    lease(redis, KEY, "quick");

    fill(redis, KEY, "slow", slow);

    return served(redis);
  }

  // ---- a fill whose doubts somebody else has cleared ------------------------------------------

  @Test
  void fillAnswersForTheDoubtsOfItsOwnLease() throws Exception {
    assertThat(servedAfterTheCellWasCleared()).isEqualTo("new");
  }

  @Test
  void withoutTheLeasesCopyAnotherFillClearsItsDoubts() throws Exception {
    assertThat(servedAfterTheCellWasCleared("lease-copy")).isEqualTo("old");
  }

  private String servedAfterTheCellWasCleared(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    try (Update update = new Update("new")) {
      redis.announce(List.of(KEY), update.announced());
      lease(redis, KEY, "slow");
      Load slow = fromPrimary(7);
      update.commit();
      lease(redis, NEIGHBOUR, "neighbour");
      assertThat(fill(redis, NEIGHBOUR, "neighbour", fromPrimary(8))).isEqualTo(new Fill.Stored());

      fill(redis, KEY, "slow", slow);
    }
    return served(redis);
  }

  // ---- a fill while a writer commits ----------------------------------------------------------

  @Test
  void fillThatDoesNotShowAnAnnouncedWriterIsRefused() throws Exception {
    assertThat(servedAfterAFillDuringTheCommit()).isEqualTo("new");
  }

  @Test
  void withoutTheSnapshotTestAFillFromBeforeTheCommitIsKept() throws Exception {
    assertThat(servedAfterAFillDuringTheCommit("snapshot")).isEqualTo("old");
  }

  /** Nothing happens after the commit: its process may as well have died right then. */
  private String servedAfterAFillDuringTheCommit(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    try (Update update = new Update("new")) {
      redis.announce(List.of(KEY), update.announced());
      lease(redis, KEY, "reader");
      fill(redis, KEY, "reader", fromPrimary(7));
      update.commit();
    }
    return served(redis);
  }

  @Test
  void writerThatDiesRightAfterItsCommitLeavesNothingOld() throws Exception {
    SharedTier redis = connect();
    lease(redis, KEY, "before");
    assertThat(fill(redis, KEY, "before", fromPrimary(7))).isEqualTo(new Fill.Stored());
    try (Update update = new Update("new")) {
      redis.announce(List.of(KEY), update.announced());
      update.commit();
    }
    lease(redis, KEY, "after");
    assertThat(fill(redis, KEY, "after", fromPrimary(7))).isEqualTo(new Fill.Stored());
    assertThat(served(redis)).isEqualTo("new");
  }

  @Test
  void writerThatDiesBeforeItsCommitCostsNobodyTheCache() throws Exception {
    SharedTier redis = connect();
    Update update = new Update("never");
    redis.announce(List.of(KEY), update.announced());
    update.close();
    awaitNobodyWrites();
    lease(redis, KEY, "after");
    assertThat(fill(redis, KEY, "after", fromPrimary(7))).isEqualTo(new Fill.Stored());
    assertThat(served(redis)).isEqualTo("old");
  }

  // ---- a replica that lags --------------------------------------------------------------------

  @Test
  void replicaThatLacksTheLastCommitDoesNotFill() throws Exception {
    assertThat(servedAfterALaggingReplica()).isEqualTo("new");
  }

  @Test
  void withoutThePositionFloorALaggingReplicaFills() throws Exception {
    assertThat(servedAfterALaggingReplica("position-floor")).isEqualTo("old");
  }

  private String servedAfterALaggingReplica(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    replica().pauseReplay();
    try {
      try (Update update = new Update("new")) {
        redis.announce(List.of(KEY), update.announced());
        update.commit();
      }
      redis.sweep("users", KEY.bucket(), List.of(KEY.cell()), SHARD, horizon());
      lease(redis, KEY, "reader");
      fill(redis, KEY, "reader", fromReplica(7));
      return served(redis);
    } finally {
      replica().resumeReplay();
    }
  }

  // ---- a change of more keys than anybody announces -------------------------------------------

  @Test
  void newEpochMakesOldValuesUnreadable() throws Exception {
    assertThat(servedAfterABulkWrite()).isEqualTo("new");
  }

  @Test
  void withoutTheEpochOldValuesOutliveIt() throws Exception {
    assertThat(servedAfterABulkWrite("epoch")).isEqualTo("old");
  }

  private String servedAfterABulkWrite(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    lease(redis, KEY, "reader");
    assertThat(fill(redis, KEY, "reader", fromPrimary(7))).isEqualTo(new Fill.Stored());
    try (Update update = new Update("new")) {
      redis.forget("users");
      update.commit();
    }
    return served(redis);
  }

  // ---- a Redis that comes back without its last moments ---------------------------------------

  @Test
  void redisThatComesBackOlderIsNotTrusted() throws Exception {
    assertThat(servedAfterRedisCameBackOlder()).isEqualTo("new");
  }

  @Test
  void withoutTheIncarnationWhatCameBackIsServed() throws Exception {
    assertThat(servedAfterRedisCameBackOlder("incarnation")).isEqualTo("old");
  }

  private String servedAfterRedisCameBackOlder(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    lease(redis, KEY, "reader");
    assertThat(fill(redis, KEY, "reader", fromPrimary(7))).isEqualTo(new Fill.Stored());
    cluster.redis().save();
    try (Update update = new Update("new")) {
      redis.announce(List.of(KEY), update.announced());
      update.commit();
    }
    cluster.redis().kill();
    cluster.redis().start();
    await().ignoreExceptions().until(() -> redis.read(NEIGHBOUR, "any", Asking.READ) != null);
    return served(redis);
  }

  // ---- a Redis that loses an announcement -----------------------------------------------------

  @Test
  void afterALossNothingIsKeptThatMayLackAForgottenWriter() throws Exception {
    assertThat(servedAfterALostAnnouncement(Line.ASSIGNED)).isEqualTo("new");
  }

  @Test
  void withoutTheHorizonAForgottenWriterIsMissed() throws Exception {
    assertThat(servedAfterALostAnnouncement(Line.ASSIGNED, "horizon")).isEqualTo("old");
  }

  @Test
  void withTheEndOfASnapshotForAHorizonAForgottenWriterIsMissed() throws Exception {
    assertThat(servedAfterALostAnnouncement(Line.END_OF_SNAPSHOT)).isEqualTo("old");
  }

  /** How the horizon is drawn. */
  private enum Line {
    /** By an id that is given out for it. */
    ASSIGNED,
    /** By a snapshot's {@code xmax}: running transactions may lie beyond it. */
    END_OF_SNAPSHOT
  }

  private String servedAfterALostAnnouncement(Line line, String... missing) throws Exception {
    SharedTier redis = connect(missing);
    awaitNobodyWrites();
    try (Update update = new Update("new")) {
      redis.announce(List.of(KEY), update.announced());
      cluster.redis().flush();
      lease(redis, KEY, "reader");
      Load load = fromPrimary(7);
      if (fill(redis, KEY, "reader", load) instanceof Fill.Unrecovered lost) {
        Horizon drawn = horizon();
        redis.recover(
            "users",
            KEY.bucket(),
            lost.epoch(),
            SHARD,
            line == Line.ASSIGNED
                ? drawn
                : new Horizon(drawn.snapshot().xmax(), drawn.snapshot(), drawn.position()));
        fill(redis, KEY, "reader", load);
      }
      update.commit();
    }
    return served(redis);
  }

  // ---- a Redis that loses its data twice ------------------------------------------------------

  @Test
  void horizonFromBeforeAnotherLossIsNotTaken() throws Exception {
    assertThat(servedAfterTwoLosses()).isEqualTo("new");
  }

  @Test
  void withoutTheRecoveryTokenAnOldHorizonIsTaken() throws Exception {
    assertThat(servedAfterTwoLosses("recovery-token")).isEqualTo("old");
  }

  private String servedAfterTwoLosses(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    cluster.redis().flush();
    lease(redis, KEY, "first");
    Fill lost = fill(redis, KEY, "first", fromPrimary(7));
    // A slow process draws its line for the first loss, and has yet to say so.
    Horizon drawn = horizon();
    try (Update update = new Update("new")) {
      redis.announce(List.of(KEY), update.announced());
      cluster.redis().flush();
      lease(redis, KEY, "reader");
      redis.recover("users", KEY.bucket(), ((Fill.Unrecovered) lost).epoch(), SHARD, drawn);
      fill(redis, KEY, "reader", fromPrimary(7));
      update.commit();
    }
    return served(redis);
  }

  // ---- an announcement that comes twice -------------------------------------------------------

  @Test
  void repeatedAnnouncementGivesNoRightToPut() throws Exception {
    assertThat(servedAfterARepeatedAnnouncement()).isEqualTo("newer");
  }

  @Test
  void withTheTransactionForATokenARepeatedAnnouncementGivesTheRightBack() throws Exception {
    assertThat(servedAfterARepeatedAnnouncement("intent")).isEqualTo("new");
  }

  private String servedAfterARepeatedAnnouncement(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    Writer first;
    Change.Open open;
    Intent intent;
    LogPosition position;
    try (Update update = new Update("new")) {
      open = update.announced();
      first = open.writer();
      intent = redis.announce(List.of(KEY), open).get(0);
      position = update.commit();
    }
    try (Update update = new Update("newer")) {
      redis.announce(List.of(KEY), update.announced());
      update.commit();
    }
    // The network had it twice, or a client repeated it, and it was late.
    redis.announce(List.of(KEY), open);
    put(redis, intent, "new", first, position);
    return served(redis);
  }

  private static void put(
      SharedTier redis, Intent intent, String name, Writer writer, LogPosition position) {
    byte[] value = name.getBytes(StandardCharsets.UTF_8);
    redis.settle(
        List.of(new SharedTier.Settlement(KEY, new SharedTier.Put(intent, value, LONG))),
        writer,
        position);
    // Nobody waits for a settlement; what it takes out of doubt tells that it was carried out.
    String state = "{waymark:users:" + KEY.bucket() + "}3:state";
    await()
        .until(
            () ->
                !redis("HGET " + state + " x" + KEY.cell())
                    .contains(Long.toUnsignedString(writer.transactionId())));
  }

  // ---- a result of a query whose rows change --------------------------------------------------

  @Test
  void pageOfATagGoesWithTheTag() throws Exception {
    assertThat(servedAfterATagsRowChanged()).isEqualTo("new");
  }

  @Test
  void withoutTheTagsGenerationAPageOutlivesItsRows() throws Exception {
    assertThat(servedAfterATagsRowChanged("tag")).isEqualTo("old");
  }

  /** Whoever writes a row of the page knows its tag and not the page. */
  private String servedAfterATagsRowChanged(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    lease(redis, PAGE, "reader");
    assertThat(fill(redis, PAGE, "reader", fromPrimary(7))).isEqualTo(new Fill.Stored());
    try (Update update = new Update("new")) {
      redis.announce(List.of(TAG), update.announced());
      update.commit();
    }
    return served(redis, PAGE);
  }

  // ---- a change that only the log tells of ----------------------------------------------------

  @Test
  void changeThatTheLogTellsBeforeItIsVisibleKeepsReadersFromFilling() throws Exception {
    assertThat(servedAfterTheLogRanAhead()).isEqualTo("new");
  }

  @Test
  void withoutTheStreamsDoubtAFillFromBeforeTheCommitIsKept() throws Exception {
    assertThat(servedAfterTheLogRanAhead("stream-doubt")).isEqualTo("old");
  }

  private String servedAfterTheLogRanAhead(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    try (Update stranger = new Update("new")) {
      told(redis, stranger);
      lease(redis, KEY, "reader");
      fill(redis, KEY, "reader", fromPrimary(7));
      stranger.commit();
    }
    return served(redis);
  }

  @Test
  void strangersChangeEndsTheRightToPut() throws Exception {
    assertThat(servedAfterAStrangerCameBetween()).isEqualTo("newer");
  }

  @Test
  void withoutTheStreamsWordOnIntentsASlowWriterPutsOverAStranger() throws Exception {
    assertThat(servedAfterAStrangerCameBetween("stream-intent")).isEqualTo("new");
  }

  private String servedAfterAStrangerCameBetween(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    Writer first;
    Intent intent;
    LogPosition position;
    try (Update update = new Update("new")) {
      Change.Open open = update.announced();
      first = open.writer();
      intent = redis.announce(List.of(KEY), open).get(0);
      position = update.commit();
    }
    try (Update stranger = new Update("newer")) {
      told(redis, stranger);
      stranger.commit();
    }
    put(redis, intent, "new", first, position);
    return served(redis);
  }

  private static void told(SharedTier redis, Update stranger) {
    redis.changed(
        "users",
        SHARD,
        stranger.end(),
        List.of(new SharedTier.Told(KEY, List.of(stranger.transactionId()))));
  }

  // ---- a change that is committed and owed ----------------------------------------------------

  @Test
  void sessionSeesItsOwedWritesOnAnotherProcess() throws Exception {
    AtomicInteger beats = new AtomicInteger();
    try (TcpProxy wire = TcpProxy.to(cluster.redis().host(), cluster.redis().port());
        RedisTier here = RedisTier.connect(settings(wire.port()));
        RedisTier there = countingBeats(beats)) {
      await().until(() -> here.isAvailable() && there.isAvailable());
      TieredCache<Long, String> writer = owing(here);
      TieredCache<Long, String> reader = owing(there);
      for (long id : new long[] {7, 8}) {
        await()
            .untilAsserted(
                () -> assertThat(reader.lookup(id).tier()).isEqualTo(CacheAnswer.Tier.L1));
      }
      wire.refuse();
      wire.cut();
      LogPosition position;
      try (Update update = new Update("new")) {
        update.rename(8, "new as well");
        writer.invalidate(update, 7L);
        writer.invalidate(update, 8L);
        position = update.commitWithHooks();
      }
      assertThat(here.isAvailable()).isFalse();

      // Not in the place of what the cache has told the session: that nobody was told of this.
      session.updateAndGet(seen -> seen.advancedTo(position));
      assertThat(reader.get(7L)).isEqualTo("new");
      // One may have been under way; the one after that proves what the session has seen.
      int before = beats.get();
      await().until(() -> beats.get() >= before + 2);
      assertThat(reader.get(8L)).isEqualTo("new as well");
    }
  }

  /** A tier that counts the answered beats. */
  private static RedisTier countingBeats(AtomicInteger beats) {
    SharedTier real = new RedissonTier(settings(cluster.redis().port()), Scripts.plain());
    SharedTier counting =
        (SharedTier)
            Proxy.newProxyInstance(
                SharedTier.class.getClassLoader(),
                new Class<?>[] {SharedTier.class},
                (proxy, method, arguments) -> {
                  try {
                    Object answer = method.invoke(real, arguments);
                    if (method.getName().equals("beat")) {
                      beats.incrementAndGet();
                    }
                    return answer;
                  } catch (InvocationTargetException failure) {
                    throw failure.getTargetException();
                  }
                });
    RedisTier tier =
        new RedisTier(counting, "counted", Background.thread("waymark-cache-redis"), Time.system());
    tier.start(Duration.ofSeconds(1));
    return tier;
  }

  @Test
  void sessionThatHasReadWhatIsOwedDoesNotGoBackOnAnotherProcess() throws Exception {
    try (TcpProxy wire = TcpProxy.to(cluster.redis().host(), cluster.redis().port());
        RedisTier here = RedisTier.connect(settings(wire.port()));
        RedisTier there = RedisTier.connect(settings(cluster.redis().port()))) {
      await().until(() -> here.isAvailable() && there.isAvailable());
      TieredCache<Long, String> writer = owing(here);
      TieredCache<Long, String> reader = owing(there);
      await()
          .untilAsserted(() -> assertThat(reader.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1));
      wire.refuse();
      wire.cut();
      try (Update update = new Update("new")) {
        writer.invalidate(update, 7L);
        update.commitWithHooks();
      }
      assertThat(writer.get(7L)).isEqualTo("new");

      // What it has seen on the one goes to the other.
      assertThat(session.get().isEmpty()).isFalse();
      reader.flushL1();
      assertThat(reader.get(7L)).isEqualTo("new");
    }
  }

  /**
   * The position of a put is read after its COMMIT: it is no earlier than what the value shows, as
   * sessions need that read it, and it may be later than what the value lacks. So it says nothing
   * about changes that nobody was told of.
   */
  @Test
  void putDoesNotHideALaterOwedWriteFromItsSession() throws Exception {
    try (TcpProxy wire = TcpProxy.to(cluster.redis().host(), cluster.redis().port());
        RedisTier here = RedisTier.connect(settings(cluster.redis().port()));
        RedisTier away = RedisTier.connect(settings(wire.port()))) {
      await().until(() -> here.isAvailable() && away.isAvailable());
      TieredCache<Long, String> puts = putNames(here);
      TieredCache<Long, String> owes = putNames(away);
      // So that the bucket has its horizon.
      await()
          .untilAsserted(() -> assertThat(puts.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2));
      wire.refuse();
      wire.cut();
      LogPosition later;
      try (Update first = new Update("new")) {
        puts.put(first, 7L, "new");
        first.announce();
        first.connection.commit();
        // Before the server tells where its log ended after that commit.
        try (Update second = new Update("newer")) {
          owes.put(second, 7L, "newer");
          later = second.commitWithHooks();
        }
        LogPosition told = first.end();
        first.hooks.forEach(hook -> hook.afterCommit(told));
      }
      SessionToken writer = session.getAndSet(SessionToken.empty()).advancedTo(later);
      await()
          .untilAsserted(() -> assertThat(puts.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2));
      assertThat(puts.get(7L)).isEqualTo("new");

      session.set(writer);
      assertThat(puts.get(7L)).isEqualTo("newer");
    }
  }

  private TieredCache<Long, String> putNames(RedisTier tier) {
    return namesBuilder("users", tier).withoutL1().writeThrough().commitWithoutRedis().build();
  }

  // ---- a primary that does not know that it is none any more ------------------------------------

  @Test
  void oldPrimaryProvesNothingAboutTheNewOnesWriters() throws Exception {
    assertThat(servedAfterAPromotion()).isEqualTo("new");
  }

  @Test
  void withoutTheTimelineAnOldPrimaryCallsANewWriterOver() throws Exception {
    assertThat(servedAfterAPromotion("timeline")).isEqualTo("old");
  }

  private String servedAfterAPromotion(String... missing) throws Exception {
    SharedTier redis = connect(missing);
    try (TestCluster other = TestCluster.builder().replicas(1).start()) {
      PostgresServer oldPrimary = other.shard(0).primary();
      PostgresServer heir = other.shard(0).replicas().get(0);
      oldPrimary.execute(
          "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);"
              + " INSERT INTO users VALUES (7, 'old')");
      awaitReplay(oldPrimary, heir);
      cutOff(heir);
      cluster.redis().flush();
      lease(redis, KEY, "before");
      Fill lost = fill(redis, KEY, "before", fromPrimary(oldPrimary, 1, 7));
      redis.recover(
          "users", KEY.bucket(), ((Fill.Unrecovered) lost).epoch(), SHARD, horizon(oldPrimary, 1));
      redis.release(KEY, "before");
      // Ids that the replica never hears of.
      for (int i = 0; i < 20; i++) {
        oldPrimary.execute("SELECT pg_current_xact_id()");
      }
      heir.promote();
      try (Update update = new Update(heir, 2, "new")) {
        redis.announce(List.of(KEY), update.announced());
        update.commit();
      }
      // A process that has not noticed yet.
      lease(redis, KEY, "reader");
      fill(redis, KEY, "reader", fromPrimary(oldPrimary, 1, 7));
      return redis.read(KEY, "last", Asking.READ) instanceof Lookup.Hit hit
          ? new String(hit.value(), StandardCharsets.UTF_8)
          : fromPrimary(heir, 2, 7).name();
    }
  }

  // ---- a message that is lost -----------------------------------------------------------------

  @Test
  void lostMessageLeavesL1BehindForItsBoundAndNotLonger() throws Exception {
    try (TcpProxy wire = TcpProxy.to(cluster.redis().host(), cluster.redis().port());
        RedisTier here = RedisTier.connect(settings(cluster.redis().port()));
        RedisTier there = RedisTier.connect(settings(wire.port()))) {
      await().until(() -> here.isAvailable() && there.isAvailable());
      TieredCache<Long, String> proven = names("proven", there, Duration.ofSeconds(1));
      // A proof that holds for an hour is none.
      TieredCache<Long, String> trusting = names("trusting", there, Duration.ofHours(1));
      List<TieredCache<Long, String>> writers =
          List.of(
              names("proven", here, Duration.ofSeconds(1)),
              names("trusting", here, Duration.ofSeconds(1)));
      for (TieredCache<Long, String> cache : List.of(proven, trusting)) {
        await()
            .untilAsserted(
                () -> assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1));
      }

      wire.loseAnswersContaining("message\r\n");
      try (Update update = new Update("new")) {
        for (TieredCache<Long, String> writer : writers) {
          writer.invalidate(update, 7L);
        }
        update.commitWithHooks();
      }

      await().untilAsserted(() -> assertThat(proven.get(7L)).isEqualTo("new"));
      assertThat(trusting.lookup(7L))
          .extracting(CacheAnswer::value, CacheAnswer::tier)
          .containsExactly("old", CacheAnswer.Tier.L1);
    }
  }

  @Test
  void processThatHasNeverHeardAMessageIsNotBehindForLongerEither() throws Exception {
    try (TcpProxy wire = TcpProxy.to(cluster.redis().host(), cluster.redis().port());
        RedisTier here = RedisTier.connect(settings(cluster.redis().port()))) {
      // Whatever is published between its first read and its subscription passes it by.
      wire.loseAnswersContaining("message\r\n");
      try (RedisTier there = RedisTier.connect(settings(wire.port()))) {
        await().until(() -> here.isAvailable() && there.isAvailable());
        TieredCache<Long, String> reader = names("users", there, Duration.ofSeconds(1));
        TieredCache<Long, String> writer = names("users", here, Duration.ofSeconds(1));
        await()
            .untilAsserted(
                () -> assertThat(reader.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1));
        try (Update update = new Update("new")) {
          writer.invalidate(update, 7L);
          update.commitWithHooks();
        }

        await().untilAsserted(() -> assertThat(reader.get(7L)).isEqualTo("new"));
      }
    }
  }

  private TieredCache<Long, String> owing(RedisTier tier) {
    return namesBuilder("users", tier)
        .l1TimeToLive(Duration.ofMinutes(5))
        .commitWithoutRedis()
        .build();
  }

  private TieredCache<Long, String> names(String name, RedisTier tier, Duration bound) {
    return namesBuilder(name, tier)
        .l1TimeToLive(Duration.ofMinutes(5))
        .l1StalenessBound(bound)
        .build();
  }

  private TieredCache.Builder<Long, String> namesBuilder(String name, RedisTier tier) {
    return TieredCache.<Long, String>builder(
            name,
            id -> {
              Load load = fromPrimary(id);
              ReadLabel.Primary label = (ReadLabel.Primary) load.label();
              return new PositionedRead<>(
                  load.name(),
                  new Route(SHARD, "pg1a", Role.PRIMARY, Route.Reason.STRONG, 1),
                  label.position(),
                  label.snapshot());
            })
        .redis(tier)
        .codec(Codec.json(String.class, 1))
        .horizons(shard -> horizon())
        .sessionToken(session::get)
        .sessionSaw(seen -> session.updateAndGet(seen::join));
  }

  // ---- how it is done -------------------------------------------------------------------------

  /** A tier whose bucket has its horizon, as after the first fill. */
  private SharedTier connect(String... missing) throws Exception {
    assertThat(GUARDS).containsAll(List.of(missing));
    SharedTier redis =
        new RedissonTier(
            settings(cluster.redis().port()),
            missing.length == 0 ? Scripts.plain() : Scripts.without(List.of(missing)));
    tier = redis;
    redis.open(
        new SharedTier.Listener() {
          @Override
          public void invalidated(String cache, SharedTier.Place place, int @Nullable [] hashes) {}

          @Override
          public void messagesMayBeLost() {}
        });
    lease(redis, NEIGHBOUR, "first");
    if (fill(redis, NEIGHBOUR, "first", fromPrimary(8)) instanceof Fill.Unrecovered lost) {
      redis.recover("users", KEY.bucket(), lost.epoch(), SHARD, horizon());
    }
    redis.release(NEIGHBOUR, "first");
    return redis;
  }

  private static WaymarkConfig.Redis settings(int port) {
    // Room for a busy machine: nothing here is about Redis being slow.
    WaymarkConfig.Redis plain = WaymarkConfig.Redis.at("redis://127.0.0.1:" + port);
    return new WaymarkConfig.Redis(
        plain.url(),
        plain.credentials(),
        plain.trustStore(),
        Duration.ofSeconds(5),
        plain.namespace());
  }

  private static void lease(SharedTier redis, CacheKey key, String token) {
    assertThat(redis.read(key, token, Asking.READ)).isInstanceOf(Lookup.Leased.class);
  }

  private static Fill fill(SharedTier redis, CacheKey key, String token, Load load) {
    return redis.fill(key, token, load.name().getBytes(StandardCharsets.UTF_8), LONG, load.label());
  }

  /** What a reader is served now: Redis' value, or else the primary's. */
  private static String served(SharedTier redis) throws SQLException {
    return served(redis, KEY);
  }

  private static String served(SharedTier redis, CacheKey key) throws SQLException {
    return redis.read(key, "last", Asking.READ) instanceof Lookup.Hit hit
        ? new String(hit.value(), StandardCharsets.UTF_8)
        : fromPrimary(7).name();
  }

  /** An answer of the database, as the routing module labels it. */
  private record Load(String name, ReadLabel label) {}

  private static Load fromPrimary(long id) throws SQLException {
    return fromPrimary(primary(), 1, id);
  }

  private static Load fromPrimary(PostgresServer server, int timeline, long id)
      throws SQLException {
    try (Connection connection = server.connect()) {
      TransactionSnapshot snapshot =
          TransactionSnapshot.parse(one(connection, "SELECT pg_current_snapshot()::text"));
      LogPosition position = position(connection, timeline, "pg_current_wal_insert_lsn()");
      return new Load(
          one(connection, "SELECT name FROM users WHERE id = " + id),
          new ReadLabel.Primary(SHARD, snapshot, position));
    }
  }

  private static Load fromReplica(long id) throws SQLException {
    try (Connection connection = replica().connect()) {
      LogPosition position = position(connection, 1, "pg_last_wal_replay_lsn()");
      return new Load(
          one(connection, "SELECT name FROM users WHERE id = " + id),
          new ReadLabel.Replica(SHARD, position));
    }
  }

  private static Horizon horizon() throws SQLException {
    return horizon(primary(), 1);
  }

  private static Horizon horizon(PostgresServer server, int timeline) throws SQLException {
    try (Connection connection = server.connect()) {
      connection.setAutoCommit(false);
      long id = Long.parseUnsignedLong(one(connection, "SELECT pg_current_xact_id()::text"));
      Horizon horizon =
          new Horizon(
              id,
              TransactionSnapshot.parse(one(connection, "SELECT pg_current_snapshot()::text")),
              position(connection, timeline, "pg_current_wal_insert_lsn()"));
      connection.commit();
      return horizon;
    }
  }

  /** A transaction that has changed the row and is yet to commit. */
  private static final class Update implements Transaction, AutoCloseable {
    private final Connection connection;
    private final int timeline;
    private final List<TransactionHook> hooks = new ArrayList<>();

    Update(String name) throws SQLException {
      this(primary(), 1, name);
    }

    Update(PostgresServer server, int timeline, String name) throws SQLException {
      this.timeline = timeline;
      connection = server.connect();
      connection.setAutoCommit(false);
      rename(7, name);
    }

    Change.Open announced() {
      return new Change.Open(new Writer(SHARD, transactionId(), end()));
    }

    private LogPosition end() {
      try {
        return RacesIT.position(connection, timeline, "pg_current_wal_insert_lsn()");
      } catch (SQLException failure) {
        throw new AssertionError(failure);
      }
    }

    LogPosition commit() throws SQLException {
      connection.commit();
      return end();
    }

    /** As the routing module does before COMMIT. */
    void announce() throws Exception {
      for (TransactionHook hook : hooks) {
        hook.beforeCommit(this);
      }
    }

    /** As the routing module commits. */
    LogPosition commitWithHooks() throws Exception {
      announce();
      LogPosition position = commit();
      hooks.forEach(hook -> hook.afterCommit(position));
      return position;
    }

    void rename(long id, String name) throws SQLException {
      try (Statement statement = connection.createStatement()) {
        statement.execute("UPDATE users SET name = '" + name + "' WHERE id = " + id);
      }
    }

    @Override
    public Connection connection() {
      return connection;
    }

    @Override
    public String shard() {
      return SHARD;
    }

    @Override
    public long transactionId() {
      try {
        return Long.parseUnsignedLong(one(connection, "SELECT pg_current_xact_id()::text"));
      } catch (SQLException failure) {
        throw new AssertionError(failure);
      }
    }

    @Override
    public void join(TransactionHook hook) {
      hooks.add(hook);
    }

    /** Rolls back what was not committed. */
    @Override
    public void close() throws SQLException {
      connection.close();
    }
  }

  private static LogPosition position(Connection connection, int timeline, String function)
      throws SQLException {
    return new LogPosition(
        systemId, timeline, LogPosition.parseLsn(one(connection, "SELECT " + function + "::text")));
  }

  private static String one(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return Objects.requireNonNull(row.getString(1));
    }
  }

  private static void awaitReplica() {
    awaitReplay(primary(), replica());
  }

  /** From here on a replica hears nothing of its primary. */
  private static void cutOff(PostgresServer replica) {
    replica.execute("ALTER SYSTEM SET primary_conninfo = ''");
    replica.execute("SELECT pg_reload_conf()");
    await()
        .until(
            () -> {
              try (Connection connection = replica.connect()) {
                return one(connection, "SELECT count(*)::text FROM pg_stat_wal_receiver")
                    .equals("0");
              }
            });
  }

  private static void awaitReplay(PostgresServer ahead, PostgresServer behind) {
    await()
        .until(
            () -> {
              try (Connection source = ahead.connect();
                  Connection target = behind.connect()) {
                long end = LogPosition.parseLsn(one(source, "SELECT pg_current_wal_lsn()::text"));
                return Long.compareUnsigned(
                        LogPosition.parseLsn(one(target, "SELECT pg_last_wal_replay_lsn()::text")),
                        end)
                    >= 0;
              }
            });
  }

  /** A connection that was closed may still be rolling back, and autovacuum comes and goes. */
  private static void awaitNobodyWrites() {
    await()
        .until(
            () -> {
              try (Connection connection = primary().connect()) {
                TransactionSnapshot snapshot =
                    TransactionSnapshot.parse(
                        one(connection, "SELECT pg_current_snapshot()::text"));
                return snapshot.xmin() == snapshot.xmax();
              }
            });
  }

  private static String redis(String command) {
    return RedisCommands.bulk(cluster.redis().host(), cluster.redis().port(), command);
  }

  private static PostgresServer primary() {
    return cluster.shard(0).primary();
  }

  private static PostgresServer replica() {
    return cluster.shard(0).replicas().get(0);
  }
}
