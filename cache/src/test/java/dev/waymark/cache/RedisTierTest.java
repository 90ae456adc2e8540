package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.cache.SharedTier.Asking;
import dev.waymark.cache.SharedTier.Change;
import dev.waymark.cache.SharedTier.Lookup;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RedisTierTest {
  private final TestTime time = new TestTime();
  private final FakeRedis redis = new FakeRedis(time);
  private final FakeRedis.Process client = redis.process();
  private final TestBackground background = new TestBackground();
  private final RedisTier tier = new RedisTier(client, "redis://fake:6379", background, time);
  private final CacheKey key = new CacheKey("users", "7", 77);
  private final LogWatch log = new LogWatch();

  @AfterEach
  void stop() {
    log.close();
  }

  private void start() {
    tier.start(Duration.ofSeconds(1));
  }

  private Lookup read() {
    return tier.read(key, "t", Asking.READ);
  }

  @Test
  void startsWhileRedisIsDownAndFindsItLater() {
    redis.down = true;
    start();
    assertThat(tier.isAvailable()).isFalse();
    assertThat(read()).isEqualTo(new Lookup.Unavailable());
    redis.down = false;
    background.runNext();
    assertThat(tier.isAvailable()).isTrue();
    assertThat(read()).isEqualTo(new Lookup.Leased(SharedTier.Doubt.NONE));
  }

  @Test
  void afterTheFirstFailureNobodyWaitsForRedis() {
    start();
    redis.down = true;
    assertThat(read()).isEqualTo(new Lookup.Unavailable());
    int before = redis.calls;
    for (int i = 0; i < 100; i++) {
      assertThat(read()).isEqualTo(new Lookup.Unavailable());
    }
    assertThat(tier.announce(List.of(key), new Change.Elsewhere())).isNull();
    assertThat(tier.forget("users")).isFalse();
    assertThat(redis.calls).isEqualTo(before);
  }

  @Test
  void pausesBetweenTwoLooksDoubleUpToOneSecond() {
    start();
    redis.down = true;
    read();
    List<Duration> pauses = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      pauses.add(background.runNext());
    }
    assertThat(pauses)
        .containsExactly(
            Duration.ofMillis(100),
            Duration.ofMillis(200),
            Duration.ofMillis(400),
            Duration.ofMillis(800),
            Duration.ofSeconds(1),
            Duration.ofSeconds(1));
    assertThat(background.tasks).hasSize(1);
  }

  @Test
  void redisThatGoesAgainAtOnceIsLookedAfterLessOften() {
    start();
    List<Duration> pauses = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      redis.down = true;
      read();
      redis.down = false;
      pauses.add(background.runNext());
    }
    time.pass(Duration.ofSeconds(1));
    redis.down = true;
    read();
    pauses.add(background.runNext());
    assertThat(pauses)
        .containsExactly(
            Duration.ofMillis(100),
            Duration.ofMillis(200),
            Duration.ofMillis(400),
            Duration.ofMillis(100));
  }

  @Test
  void outageIsWarnedOfOnceAndItsEndIsTold() {
    start();
    assertThat(log.information()).isEmpty();
    redis.down = true;
    read();
    background.runNext();
    background.runNext();
    time.pass(Duration.ofMillis(2500));
    redis.down = false;
    tier.announceNowOrLater(List.of(key), new Change.Elsewhere());
    background.runNext();
    assertThat(log.warnings())
        .containsExactly(
            "Redis at redis://fake:6379 cannot be used (the fake is down). Caches answer from this"
                + " process and from the database until it can; no read fails for it, writes as the"
                + " caches are set. Look at the Redis server, the network and the credentials");
    assertThat(log.information())
        .containsExactly(
            "Redis at redis://fake:6379 is in use again after 2500 ms; it was told of 1 changes"
                + " that it had missed");
    redis.down = true;
    read();
    assertThat(log.warnings()).hasSize(2);
  }

  @Test
  void whatIsOwedIsPaidBeforeRedisIsReadAgain() {
    FakeRedis.Process other = redis.process();
    SharedTierContract.Heard heard = new SharedTierContract.Heard();
    other.open(heard);
    start();
    client.cutOff = true;
    tier.announceNowOrLater(List.of(key), new Change.Committed("shard-1", Rows.at(5)));
    tier.announceNowOrLater(List.of(new CacheKey("orders", "8", 88)), new Change.Elsewhere());
    assertThat(heard.messages).isEmpty();
    client.cutOff = false;
    background.runNext();
    assertThat(heard.messages)
        .containsExactly(
            "users 13 [77] at Place[bucket=13, epoch=epoch-1, seq=1]",
            "orders 8 [88] at Place[bucket=8, epoch=epoch-2, seq=1]");
  }

  @Test
  void failureWhilePayingKeepsWhatIsOwed() {
    start();
    redis.down = true;
    tier.announceNowOrLater(List.of(key), new Change.Committed("shard-1", Rows.at(5)));
    background.runNext();
    assertThat(tier.isAvailable()).isFalse();
    FakeRedis.Process other = redis.process();
    SharedTierContract.Heard heard = new SharedTierContract.Heard();
    redis.down = false;
    other.open(heard);
    background.runNext();
    assertThat(heard.messages)
        .containsExactly("users 13 [77] at Place[bucket=13, epoch=epoch-1, seq=1]");
  }

  @Test
  void tooManyChangesAreOwedAsTheWholeCache() {
    FakeRedis.Process other = redis.process();
    SharedTierContract.Heard heard = new SharedTierContract.Heard();
    other.open(heard);
    start();
    client.cutOff = true;
    IntStream.rangeClosed(0, 10_000)
        .forEach(
            i ->
                tier.announceNowOrLater(
                    List.of(new CacheKey("users", "k" + i, i)), new Change.Elsewhere()));
    client.cutOff = false;
    background.runNext();
    assertThat(heard.messages).hasSize(CacheKey.BUCKETS).allMatch(each -> each.contains(" * "));
  }

  @Test
  void twoCachesOfOneNameAreRefused() {
    tier.register("users", LocalTier.none(time));
    assertThatThrownBy(() -> tier.register("users", LocalTier.none(time)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "There is already a cache named 'users' on RedisTier[redis://fake:6379, not available];"
                + " two with one name would not hear of each other's changes");
  }

  @Test
  void closingTellsWhatWasNeverTold() {
    start();
    redis.down = true;
    tier.announceNowOrLater(List.of(key), new Change.Elsewhere());
    tier.close();
    tier.close();
    assertThat(background.closed).isTrue();
    assertThat(client.closed).isTrue();
    assertThat(log.warnings().get(1))
        .isEqualTo(
            "Closed before Redis at redis://fake:6379 was told of 1 changes; what it holds of them"
                + " is old until its time to live ends");
  }

  @Test
  void unexpectedFailureOfTheBackgroundIsTriedAgain() {
    boolean[] thrown = new boolean[1];
    client.whenOpened =
        () -> {
          if (!thrown[0]) {
            thrown[0] = true;
            throw new IllegalStateException("odd");
          }
        };
    start();
    assertThat(tier.isAvailable()).isFalse();
    background.runNext();
    assertThat(tier.isAvailable()).isTrue();
  }

  // ---- beats ------------------------------------------------------------------------------------

  private final LocalTier<String, String> l1 = LocalTier.holding(100, Duration.ofSeconds(1), time);

  private boolean serves() {
    return l1.get("7", key.hash(), dev.waymark.SessionToken.empty()) != null;
  }

  private void put() {
    l1.put(
        "7",
        new LocalTier.Entry<>(
            "value",
            null,
            l1.stamp(key.hash()),
            time.nanos(),
            time.nanos() + Duration.ofMinutes(1).toNanos(),
            null,
            null,
            null));
  }

  @Test
  void registeredCacheIsProvenAtOnceAndBeatenAThirdOfItsBoundApart() {
    start();
    tier.register("users", l1);
    put();
    assertThat(serves()).isTrue();
    int before = redis.calls;
    time.pass(Duration.ofMillis(300));
    background.tick();
    assertThat(redis.calls).isEqualTo(before);
    time.pass(Duration.ofMillis(50));
    background.tick();
    assertThat(redis.calls).isEqualTo(before + 1);
    time.pass(Duration.ofMillis(900));
    assertThat(serves()).isTrue();
  }

  @Test
  void cacheThatNobodyReadsIsNotBeatenUntilSomebodyDoes() {
    start();
    tier.register("users", l1);
    time.pass(Duration.ofSeconds(5));
    background.tick();
    time.pass(Duration.ofSeconds(11));
    background.tick();
    int before = redis.calls;
    time.pass(Duration.ofSeconds(1));
    background.tick();
    assertThat(redis.calls).isEqualTo(before);
    assertThat(serves()).isFalse();
    background.tick();
    assertThat(redis.calls).isEqualTo(before + 1);
  }

  @Test
  void whileRedisIsAwayL1EndsWithItsBoundAndIsProvenAgainWhenItIsBack() {
    start();
    tier.register("users", l1);
    put();
    redis.down = true;
    time.pass(Duration.ofMillis(900));
    background.tick();
    assertThat(tier.isAvailable()).isFalse();
    assertThat(serves()).isTrue();
    time.pass(Duration.ofMillis(100));
    assertThat(serves()).isFalse();
    redis.down = false;
    background.runNext();
    assertThat(serves()).isTrue();
  }

  @Test
  void messageAfterALostOneBringsABeatThatMakesUpForIt() {
    FakeRedis.Process other = redis.process();
    start();
    tier.register("users", l1);
    put();
    client.deaf = true;
    other.announce(List.of(key), new Change.Elsewhere());
    assertThat(serves()).isTrue();
    client.deaf = false;
    other.announce(
        List.of(new CacheKey("users", "other", key.hash() + CacheKey.BUCKETS)),
        new Change.Elsewhere());
    assertThat(serves()).isFalse();
  }

  @Test
  void ownAnnouncementIsHeardAtOnceAndNotAgain() {
    start();
    tier.register("users", l1);
    put();
    client.deaf = true;
    tier.announce(List.of(key), new Change.Elsewhere());
    assertThat(serves()).isFalse();
    put();
    // Its own message, when it comes, is one that was heard already.
    int before = redis.calls;
    client.loseConnection();
    assertThat(redis.calls).isEqualTo(before + 1);
    assertThat(serves()).isTrue();
  }
}
