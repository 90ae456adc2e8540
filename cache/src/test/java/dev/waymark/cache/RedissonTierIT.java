package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.Role;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.TestCluster;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The scripts on a real Redis keep the contract that the fake keeps. */
class RedissonTierIT extends SharedTierContract {
  private static final String BUCKET = "{waymark:users:8}1:";
  private static TestCluster cluster;

  @BeforeAll
  static void startServers() {
    cluster = TestCluster.builder().redis().start();
  }

  @AfterAll
  static void stopServers() {
    cluster.close();
  }

  @BeforeEach
  void empty() {
    flush();
  }

  @Override
  SharedTier process() {
    // Room for a busy machine: nothing here is about Redis being slow.
    WaymarkConfig.Redis plain = WaymarkConfig.Redis.at(cluster.redis().url());
    return new RedissonTier(
        new WaymarkConfig.Redis(
            plain.url(),
            plain.credentials(),
            plain.trustStore(),
            Duration.ofSeconds(5),
            plain.namespace()));
  }

  @Override
  void letPass(Duration duration) {
    long end = System.nanoTime() + duration.toNanos();
    await().pollInterval(Duration.ofMillis(5)).until(() -> System.nanoTime() > end);
  }

  @Override
  void flush() {
    cluster.redis().flush();
  }

  private static String redis(String... commands) {
    return RedisCommands.send(cluster.redis().host(), cluster.redis().port(), commands);
  }

  /** As far as it has no blank in it. */
  private final CacheKey plain = new CacheKey("users", "7", 0x1234_5678);

  @Test
  void everyKeyHasItsTimeExceptTheEpoch() {
    one.read(plain, "t1", SharedTier.Asking.READ);
    assertThat(redis("PTTL " + BUCKET + "lease:7")).matches(":(2[0-9]{3}|3000)");
    one.fill(plain, "t1", new byte[1], LONG, Role.PRIMARY, null);
    assertThat(redis("PTTL " + BUCKET + "value:7")).matches(":(5[0-9]{4}|60000)");
    one.announce(List.of(plain), "shard-1/700", "i1");
    assertThat(redis("PTTL " + BUCKET + "mark:7")).matches(":(2[0-9]{4}|30000)");
    assertThat(redis("PTTL " + BUCKET + "intent:7")).matches(":(2[0-9]{4}|30000)");
    one.settle(List.of(new SharedTier.Settlement(plain, "shard-1/700", Rows.at(1), null)));
    assertThat(redis("PTTL " + BUCKET + "floor:7")).matches(":(29[0-9]{4}|300000)");
    assertThat(redis("PTTL " + BUCKET + "epoch")).isEqualTo(":-1");
  }

  @Test
  void markWhoseTimeIsOverIsPassedOver() {
    one.announce(List.of(plain), "shard-1/700", "i1");
    one.announce(List.of(plain), "shard-1/701", "i2");
    // As if both had been announced half a minute ago, but for the key's own end of life.
    redis("ZADD " + BUCKET + "mark:7 1 shard-1/700");
    assertThat(two.read(plain, "t1", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.InDoubt());
    redis("ZADD " + BUCKET + "mark:7 1 shard-1/701");
    assertThat(two.read(plain, "t1", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased());
  }

  @Test
  void keyOfAnotherTypeIsAMiss() {
    redis("RPUSH " + BUCKET + "value:7 poison");
    assertThat(one.read(plain, "t1", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased());
    assertThat(one.fill(plain, "t1", new byte[1], LONG, Role.PRIMARY, null))
        .isEqualTo(SharedTier.Fill.STORED);
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isInstanceOf(SharedTier.Lookup.Hit.class);
  }

  @Test
  void lostEpochMakesValuesUnreadable() {
    one.read(plain, "t1", SharedTier.Asking.READ);
    one.fill(plain, "t1", new byte[1], LONG, Role.PRIMARY, null);
    one.read(new CacheKey("users", "8", plain.hash()), "t2", SharedTier.Asking.READ);
    redis("DEL " + BUCKET + "epoch");
    assertThat(one.read(plain, "t3", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased());
    assertThat(
            one.fill(
                new CacheKey("users", "8", plain.hash()),
                "t2",
                new byte[1],
                LONG,
                Role.PRIMARY,
                null))
        .isEqualTo(SharedTier.Fill.LEASE_LOST);
  }

  @Test
  void scriptsAreLoadedAgainWhereRedisHasForgottenThem() {
    one.read(plain, "t1", SharedTier.Asking.READ);
    redis("SCRIPT FLUSH");
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Awaited());
  }

  @Test
  void messagesOfOthersMakeAreTakenForALoss() {
    int before = heardByOne.losses;
    redis("PUBLISH waymark:invalidations:1 gibberish");
    await().until(() -> heardByOne.losses > before);
  }

  @Test
  void cutChannelIsMendedAndToldOf() {
    int before = heardByOne.losses;
    redis("CLIENT KILL TYPE pubsub");
    await().until(() -> heardByOne.losses > before);
    await()
        .untilAsserted(
            () -> {
              two.settle(List.of(new SharedTier.Settlement(plain, null, null, null)));
              assertThat(heardByOne.messages).contains("users " + plain.hash());
            });
  }

  @Test
  void interruptDoesNotCutAnOperationShort() {
    Thread.currentThread().interrupt();
    assertThat(one.read(plain, "t1", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased());
    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void missingTrustStoreIsToldAtOnce(@org.junit.jupiter.api.io.TempDir java.nio.file.Path folder) {
    java.nio.file.Path missing = folder.resolve("trust.p12");
    WaymarkConfig.Redis settings =
        new WaymarkConfig.Redis(
            "rediss://localhost:6379",
            java.util.Optional.empty(),
            java.util.Optional.of(missing),
            Duration.ofMillis(250),
            "waymark");
    assertThatThrownBy(() -> new RedissonTier(settings))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("redis.trustStore cannot be read: " + missing);
  }
}
