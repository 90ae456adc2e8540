package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.TransactionSnapshot;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.SharedTier.Asking;
import dev.waymark.cache.SharedTier.Change;
import dev.waymark.cache.SharedTier.Fill;
import dev.waymark.cache.SharedTier.Intent;
import dev.waymark.cache.SharedTier.Lookup;
import dev.waymark.cache.SharedTier.Place;
import dev.waymark.cache.SharedTier.Put;
import dev.waymark.cache.SharedTier.Settlement;
import dev.waymark.cache.SharedTier.Writer;
import dev.waymark.testkit.TestCluster;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * For each guard of the scripts the order of events in which it is all that stands between a reader
 * and an old value: with it the old value is not kept, without it it is.
 */
@Timeout(120)
class GuardsIT {
  private static final String BUCKET = "{waymark:users:8}3:";
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final LogPosition EARLY = new LogPosition(42, 1, 1_000);
  private static final LogPosition LATE = new LogPosition(42, 1, 2_000);
  private static final LogPosition PROMOTED = new LogPosition(42, 2, 2_000);
  private static final byte[] OLD = "old".getBytes(StandardCharsets.UTF_8);
  private static final byte[] NEW = "new".getBytes(StandardCharsets.UTF_8);
  private static TestCluster cluster;

  private final CacheKey key = new CacheKey("users", "7", 0x1234_5678);
  private final CacheKey neighbour = new CacheKey("users", "8", 0x7734_5678);
  private final CacheKey tag = new CacheKey("users", "t7", key.hash());
  private final CacheKey page = new CacheKey("users", "k7/1", key.hash(), "t7");
  private CacheKey looked = key;
  private SharedTier redis;

  @BeforeAll
  static void startServers() {
    cluster = TestCluster.builder().redis().start();
  }

  @AfterAll
  static void stopServers() {
    cluster.close();
  }

  @AfterEach
  void disconnect() {
    redis.close();
  }

  @ParameterizedTest
  @EnumSource
  void guardIsAllThatStandsBetweenAReaderAndTheOldValue(Guard guard) {
    begin(Scripts.plain());
    events(guard);
    assertThat(isOldValueServed()).as("with the guard").isFalse();
    redis.close();
    begin(guard.cutOut());
    events(guard);
    assertThat(isOldValueServed()).as("without the guard").isTrue();
  }

  private void events(Guard guard) {
    switch (guard) {
      case LEASE_TOKEN -> slowReaderAfterAWholeWrite();
      case LEASE_COPY -> slowReaderOfACellThatAnotherOneHasCleaned();
      case SNAPSHOT -> readerBetweenTheAnnouncementAndTheCommit();
      case POSITION_FLOOR -> replicaThatLags();
      case EPOCH -> valueThatOutlivesItsBucketsState();
      case INCARNATION -> stateThatIsOlderThanWhatWasPromised();
      case HORIZON -> announcementThatIsLostBeforeTheCommit();
      case RECOVERY_TOKEN -> horizonOfALossBeforeTheLast();
      case INTENT -> announcementThatIsCarriedOutASecondTimeMuchLater();
      case TIMELINE -> readerOfAPrimaryThatHasBeenReplaced();
      case TAG -> pageWhoseRowsChange();
      case STREAM_DOUBT -> changeThatTheLogTellsBeforeItIsVisible();
      case STREAM_INTENT -> strangerAfterAWriterThatIsSlowToPut();
    }
  }

  private void begin(Scripts scripts) {
    cluster.redis().flush();
    WaymarkConfig.Redis plain = WaymarkConfig.Redis.at(cluster.redis().url());
    redis =
        new RedissonTier(
            new WaymarkConfig.Redis(
                plain.url(),
                plain.credentials(),
                plain.trustStore(),
                Duration.ofSeconds(5),
                plain.namespace()),
            scripts);
    redis.open(new SharedTierContract.Heard());
    redis.recover("users", key.bucket(), epoch(), "s", line(100, upTo(100)));
  }

  /** Whoever writes a row of the page knows its tag and not the page. */
  private void pageWhoseRowsChange() {
    looked = page;
    redis.read(page, "slow", Asking.READ);
    assertThat(redis.fill(page, "slow", OLD, LONG, new ReadLabel.Primary("s", upTo(140), EARLY)))
        .isEqualTo(new Fill.Stored());
    redis.announce(List.of(tag), new Change.Open(writer(150)));
  }

  private boolean isOldValueServed() {
    return redis.read(looked, "looks", Asking.READ) instanceof Lookup.Hit hit
        && Arrays.equals(hit.value(), OLD);
  }

  private String epoch() {
    return redis.beat("users", List.of(Place.unknown(key.bucket()))).get(0).place().epoch();
  }

  private static TransactionSnapshot upTo(int id, int... running) {
    StringBuilder text = new StringBuilder();
    text.append(running.length == 0 ? id : running[0]).append(':').append(id).append(':');
    for (int i = 0; i < running.length; i++) {
      text.append(i == 0 ? "" : ",").append(running[i]);
    }
    return TransactionSnapshot.parse(text.toString());
  }

  private static Horizon line(int id, TransactionSnapshot snapshot) {
    return new Horizon(id, snapshot, EARLY);
  }

  private static Writer writer(int id) {
    return new Writer("s", id, EARLY);
  }

  private Intent announce(int id) {
    return redis.announce(List.of(key), new Change.Open(writer(id))).get(0);
  }

  private void lease(String token) {
    redis.read(key, token, Asking.READ);
  }

  private Fill fill(String token, byte[] value, TransactionSnapshot snapshot) {
    return redis.fill(key, token, value, LONG, new ReadLabel.Primary("s", snapshot, EARLY));
  }

  private void over(int id, LogPosition position) {
    redis.settle(List.of(new Settlement(key, null)), writer(id), position);
    waitForSettlement();
  }

  /** It is not waited for; what is sent after it on a connection of its own may overtake it. */
  private void waitForSettlement() {
    for (int i = 0; i < 50; i++) {
      redis.beat("users", List.of(Place.unknown(key.bucket())));
    }
  }

  private static String redisSays(String command) {
    return RedisCommands.send(cluster.redis().host(), cluster.redis().port(), command);
  }

  private void slowReaderAfterAWholeWrite() {
    lease("slow"); // and reads the old value
    announce(150);
    over(150, LATE);
    lease("next");
    fill("slow", OLD, upTo(151, 150));
  }

  private void slowReaderOfACellThatAnotherOneHasCleaned() {
    announce(150);
    lease("slow"); // and reads the old value: 150 is not visible yet
    redis.read(neighbour, "quick", Asking.READ);
    redis.fill(neighbour, "quick", NEW, LONG, new ReadLabel.Primary("s", upTo(151), EARLY));
    fill("slow", OLD, upTo(151, 150));
  }

  private void readerBetweenTheAnnouncementAndTheCommit() {
    announce(150);
    lease("reader");
    fill("reader", OLD, upTo(151, 150));
    // 150 commits, and its process dies.
  }

  private void replicaThatLags() {
    announce(150);
    over(150, LATE);
    lease("reader");
    redis.fill(key, "reader", OLD, LONG, new ReadLabel.Replica("s", EARLY));
  }

  private void valueThatOutlivesItsBucketsState() {
    lease("reader");
    fill("reader", OLD, upTo(120));
    // Memory is short, and Redis evicts the state; then a writer announces, commits and dies
    // with Redis' next loss.
    redisSays("DEL " + BUCKET + "state");
    epoch(); // as the writer's announcement would
  }

  private void stateThatIsOlderThanWhatWasPromised() {
    lease("reader");
    fill("reader", OLD, upTo(120));
    // A writer announces, commits and dies. Then a replica of Redis is promoted that had not
    // got the announcement.
    redisSays("HSET " + BUCKET + "state server 0000000000000000000000000000000000000000");
    String plain =
        RedisCommands.bulk(
            cluster.redis().host(), cluster.redis().port(), "GET " + BUCKET + "epoch");
    redisSays(
        "SET "
            + BUCKET
            + "epoch '0000000000000000000000000000000000000000"
            + plain.substring(plain.indexOf(' '))
            + "'");
  }

  private void announcementThatIsLostBeforeTheCommit() {
    announce(150);
    cluster.redis().flush();
    lease("reader");
    fill("reader", OLD, upTo(151, 150));
    // 150 commits, and its process dies.
  }

  private void horizonOfALossBeforeTheLast() {
    cluster.redis().flush();
    String before = epoch();
    Horizon drawn = line(140, upTo(140));
    announce(150);
    cluster.redis().flush();
    epoch();
    redis.recover("users", key.bucket(), before, "s", drawn);
    lease("reader");
    fill("reader", OLD, upTo(151, 150));
    // 150 commits, and its process dies.
  }

  private void announcementThatIsCarriedOutASecondTimeMuchLater() {
    Intent first = announce(150); // commits
    announce(151); // commits and dies
    announce(150); // the first one's command, sent twice
    redis.settle(List.of(new Settlement(key, new Put(first, OLD, LONG))), writer(150), LATE);
    waitForSettlement();
  }

  private void readerOfAPrimaryThatHasBeenReplaced() {
    // The new primary gives out a number that the old one has given out before.
    redis.announce(List.of(key), new Change.Open(new Writer("s", 150, PROMOTED)));
    redis.recover("users", key.bucket(), epoch(), "s", new Horizon(140, upTo(140), PROMOTED));
    lease("reader"); // whose process has not noticed
    fill("reader", OLD, upTo(200));
  }

  private void changeThatTheLogTellsBeforeItIsVisible() {
    told(150);
    lease("reader");
    fill("reader", OLD, upTo(151, 150));
  }

  private void strangerAfterAWriterThatIsSlowToPut() {
    Intent first = announce(150); // commits
    told(151); // a stranger's change, after it
    redis.settle(List.of(new Settlement(key, new Put(first, OLD, LONG))), writer(150), LATE);
    waitForSettlement();
  }

  private void told(long id) {
    redis.changed("users", "s", EARLY, List.of(new SharedTier.Told(key, List.of(id))));
  }

  /** The one that the scripts cannot see: what stands in the horizon. */
  @Test
  void horizonMustBeAnIdGivenOutAndNotTheSnapshotsXmax() {
    for (boolean assigned : new boolean[] {true, false}) {
      begin(Scripts.plain());
      announce(150);
      cluster.redis().flush();
      // 150 runs, and nothing later is over: it is not below xmax.
      TransactionSnapshot snapshot = TransactionSnapshot.parse("150:150:");
      redis.recover(
          "users",
          key.bucket(),
          epoch(),
          "s",
          new Horizon(assigned ? 151 : snapshot.xmax(), snapshot, EARLY));
      lease("reader");
      fill("reader", OLD, snapshot);
      assertThat(isOldValueServed()).isEqualTo(!assigned);
      if (assigned) {
        redis.close();
      }
    }
  }

  /** The one in this process: how long L1 is served without a proof that nothing was missed. */
  @Test
  void l1MustNotOutliveItsProof() {
    begin(Scripts.plain());
    TestTime time = new TestTime();
    for (Duration bound : List.of(Duration.ofSeconds(1), Duration.ofDays(1))) {
      LocalTier<String, String> l1 = LocalTier.holding(10, bound, time);
      redis.beat("users", l1.places()).forEach(beat -> l1.beaten(beat, time.nanos(), l1.seen()));
      l1.put(
          "7",
          new LocalTier.Entry<>(
              "old",
              null,
              l1.stamp(key.hash()),
              time.nanos(),
              time.nanos() + Duration.ofDays(1).toNanos(),
              null,
              null,
              null));
      announce(150); // and the message is lost
      time.pass(Duration.ofSeconds(1));
      boolean served = l1.get("7", key.hash(), dev.waymark.SessionToken.empty()) != null;
      assertThat(served).isEqualTo(bound.equals(Duration.ofDays(1)));
      redis.beat("users", l1.places()).forEach(beat -> l1.beaten(beat, time.nanos(), l1.seen()));
      assertThat(l1.get("7", key.hash(), dev.waymark.SessionToken.empty())).isNull();
    }
  }
}
