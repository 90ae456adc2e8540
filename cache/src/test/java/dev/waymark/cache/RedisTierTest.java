package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.cache.SharedTier.Asking;
import dev.waymark.cache.SharedTier.Lookup;
import dev.waymark.cache.SharedTier.Settlement;
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
    assertThat(read()).isEqualTo(new Lookup.Leased());
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
    assertThat(tier.announce(List.of(key), "w", "i")).isFalse();
    assertThat(redis.calls).isEqualTo(before);
  }

  @Test
  void pausesBetweenTwoLooksDoubleUpToTenSeconds() {
    start();
    redis.down = true;
    read();
    List<Duration> pauses = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      pauses.add(background.runNext());
    }
    assertThat(pauses)
        .containsExactly(
            Duration.ofSeconds(1),
            Duration.ofSeconds(2),
            Duration.ofSeconds(4),
            Duration.ofSeconds(8),
            Duration.ofSeconds(10),
            Duration.ofSeconds(10));
    assertThat(background.tasks).hasSize(1);
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
    tier.settle(List.of(new Settlement(key, null, null, null)));
    background.runNext();
    assertThat(log.warnings())
        .containsExactly(
            "Redis at redis://fake:6379 cannot be used (the fake is down). Caches answer from this"
                + " process and from the database until it can; no call fails for it. Look at the"
                + " Redis server, the network and the credentials");
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
    tier.settle(List.of(new Settlement(key, null, Rows.at(5), null)));
    tier.settle(List.of(new Settlement(new CacheKey("orders", "8", 88), null, null, null)));
    assertThat(heard.messages).isEmpty();
    client.cutOff = false;
    background.runNext();
    assertThat(heard.messages).containsExactly("users 77", "orders 88");
  }

  @Test
  void failureWhilePayingKeepsWhatIsOwed() {
    start();
    redis.down = true;
    tier.settle(List.of(new Settlement(key, null, Rows.at(5), null)));
    background.runNext();
    assertThat(tier.isAvailable()).isFalse();
    FakeRedis.Process other = redis.process();
    SharedTierContract.Heard heard = new SharedTierContract.Heard();
    redis.down = false;
    other.open(heard);
    background.runNext();
    assertThat(heard.messages).containsExactly("users 77");
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
                tier.settle(
                    List.of(new Settlement(new CacheKey("users", "k" + i, i), null, null, null))));
    client.cutOff = false;
    background.runNext();
    assertThat(heard.messages).containsExactly("users *");
  }

  @Test
  void twoCachesOfOneNameAreRefused() {
    tier.register("users", LocalTier.none());
    assertThatThrownBy(() -> tier.register("users", LocalTier.none()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "There is already a cache named 'users' on RedisTier[redis://fake:6379, not available];"
                + " two with one name would not hear of each other's changes");
  }

  @Test
  void closingTellsWhatWasNeverTold() {
    start();
    redis.down = true;
    tier.settle(List.of(new Settlement(key, null, null, null)));
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
    RuntimeException odd = new IllegalStateException("odd");
    boolean[] thrown = new boolean[1];
    RedisTier unlucky =
        new RedisTier(
            new Unlucky(
                () -> {
                  if (!thrown[0]) {
                    thrown[0] = true;
                    throw odd;
                  }
                }),
            "redis://fake:6379",
            background,
            time);
    unlucky.start(Duration.ofSeconds(1));
    assertThat(unlucky.isAvailable()).isFalse();
    background.runNext();
    assertThat(unlucky.isAvailable()).isTrue();
  }

  /** Does something odd when opened. */
  private record Unlucky(Runnable oddity) implements SharedTier {
    @Override
    public void open(Listener listener) {
      oddity.run();
    }

    @Override
    public Lookup read(CacheKey key, String leaseToken, Asking asking) {
      return NONE.read(key, leaseToken, asking);
    }

    @Override
    public Fill fill(
        CacheKey key,
        String leaseToken,
        byte[] value,
        Duration timeToLive,
        dev.waymark.Role role,
        dev.waymark.LogPosition position) {
      return Fill.LEASE_LOST;
    }

    @Override
    public void release(CacheKey key, String leaseToken) {}

    @Override
    public void announce(List<CacheKey> keys, String writer, String intent) {}

    @Override
    public List<Boolean> settle(List<Settlement> settlements) {
      return NONE.settle(settlements);
    }

    @Override
    public void withdraw(List<CacheKey> keys, String writer) {}

    @Override
    public void forget(String cache) {}

    @Override
    public void close() {}
  }
}
