package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.TestCluster;
import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The scripts on a real Redis keep the contract that the fake keeps. */
class RedissonTierIT extends SharedTierContract {
  private static final String BUCKET = "{waymark:users:8}3:";
  private static TestCluster cluster;

  @BeforeAll
  static void startServers() {
    cluster = TestCluster.builder().redis().start();
  }

  @AfterAll
  static void stopServers() {
    cluster.close();
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
            plain.namespace()),
        Scripts.plain());
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
  void everyKeyHasItsTimeExceptTheStateAndTheStream() {
    one.read(plain, "t1", SharedTier.Asking.READ);
    assertThat(redis("PTTL " + BUCKET + "lease:7")).matches(":(2[0-9]{3}|3000)");
    one.fill(plain, "t1", new byte[1], LONG, primary(upTo(200)));
    assertThat(redis("PTTL " + BUCKET + "value:7")).matches(":(5[0-9]{4}|60000)");
    one.announce(List.of(plain), new SharedTier.Change.Open(writer(150)));
    assertThat(redis("PTTL " + BUCKET + "intent:7")).matches(":(2[0-9]{4}|30000)");
    assertThat(redis("PTTL " + BUCKET + "state")).isEqualTo(":-1");
    assertThat(redis("PTTL " + BUCKET + "stream")).isEqualTo(":-1");
    assertThat(redis("PTTL " + BUCKET + "epoch")).isEqualTo(":-1");
  }

  @Test
  void hitTakesOnePlainCommandAndNoScript() {
    fillPlain();
    warmUp();
    // Not each time: ten times a second it is asked who the server is.
    await()
        .pollInterval(Duration.ofMillis(5))
        .until(
            () -> {
              redis("CONFIG RESETSTAT");
              assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
                  .isInstanceOf(SharedTier.Lookup.Hit.class);
              return calls("mget") == 1 && calls("evalsha") == 0;
            });
  }

  @Test
  void whoeverWaitsForAnothersValueAsksTheScriptAtOnce() {
    fillPlain();
    warmUp();
    redis("DEL " + BUCKET + "value:7");
    two.read(plain, "t3", SharedTier.Asking.READ);
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Awaited(SharedTier.Doubt.NONE));
    long before = calls("mget");
    for (int i = 0; i < 20; i++) {
      assertThat(one.read(plain, "t2", SharedTier.Asking.READ_AGAIN))
          .isEqualTo(new SharedTier.Lookup.Awaited(SharedTier.Doubt.NONE));
    }
    assertThat(calls("mget")).isEqualTo(before);
  }

  @Test
  void plainReadTellsHowMuchLongerAValueLives() {
    fillPlain();
    warmUp();
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isInstanceOfSatisfying(
            SharedTier.Lookup.Hit.class,
            hit ->
                assertThat(hit.remaining().toMillis())
                    .isBetween(
                        LONG.toMillis() - 10_000,
                        Long.parseLong(redis("PTTL " + BUCKET + "value:7").substring(1)) + 50));
  }

  @Test
  void plainReadDoesNotBelieveAnEpochOfAnotherServer() {
    fillPlain();
    warmUp();
    String epoch = bulk("GET " + BUCKET + "epoch");
    String other = "0".repeat(epoch.indexOf(' ')) + epoch.substring(epoch.indexOf(' '));
    // As after a promotion: values, state and epoch are there as the other server has left them.
    redis("HSET " + BUCKET + "state server " + "0".repeat(epoch.indexOf(' ')));
    redis("SET " + BUCKET + "epoch '" + other + "'");
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
    assertThat(bulk("GET " + BUCKET + "epoch")).isNotEqualTo(other).isNotEqualTo(epoch);
  }

  @Test
  void epochThatWasEvictedAloneIsSetAgain() {
    fillPlain();
    warmUp();
    String epoch = bulk("GET " + BUCKET + "epoch");
    redis("DEL " + BUCKET + "epoch");
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isInstanceOf(SharedTier.Lookup.Hit.class);
    assertThat(bulk("GET " + BUCKET + "epoch")).isEqualTo(epoch);
  }

  @Test
  void everyNewEpochIsThePlainReadersToo() {
    fillPlain();
    warmUp();
    one.forget("users");
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
    assertThat(bulk("GET " + BUCKET + "epoch"))
        .endsWith(" " + bulk("HGET " + BUCKET + "state epoch"));
  }

  @Test
  void replicaCarriesOutNoScriptThoughConnectionsStay() {
    fillPlain();
    warmUp();
    // One that may be written to, so that it is not the writing that fails.
    redis("CONFIG SET replica-read-only no", "REPLICAOF 127.0.0.1 1");
    try {
      // A plain read believes what it knew, until the server is asked again.
      await()
          .until(
              () -> {
                try {
                  one.read(plain, "t2", SharedTier.Asking.READ);
                  return false;
                } catch (SharedTierException refused) {
                  return true;
                }
              });
      assertRefused(() -> one.read(plain, "t2", SharedTier.Asking.READ));
      assertRefused(() -> two.read(plain, "t3", SharedTier.Asking.READ_WITH_AGE));
      assertRefused(() -> one.readAll(List.of(plain), "t4", SharedTier.Asking.READ));
      assertRefused(() -> one.peek(plain));
      assertRefused(() -> one.fill(plain, "t1", new byte[1], LONG, primary(upTo(200))));
      assertRefused(() -> one.announce(List.of(plain), new SharedTier.Change.Open(writer(150))));
      assertRefused(() -> one.forget("users"));
      assertRefused(() -> one.beat("users", List.of(place(plain))));
      // What looks after an outage finds it out, too, and lets the connections go.
      assertRefused(() -> one.open(heardByOne));
      assertThatThrownBy(() -> one.read(plain, "t2", SharedTier.Asking.READ))
          .isInstanceOf(SharedTierException.class)
          .hasMessageContaining("not connected");
    } finally {
      redis("REPLICAOF NO ONE", "CONFIG SET replica-read-only yes");
    }
    one.open(heardByOne);
    // A master of another identity, under which nothing holds that it had before.
    assertThat(one.read(plain, "t5", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
  }

  private static void assertRefused(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOf(SharedTierException.class)
        .hasMessageContaining("it is a replica, and may lag behind its master");
  }

  private void fillPlain() {
    one.read(plain, "t1", SharedTier.Asking.READ);
    assertThat(one.fill(plain, "t1", new byte[] {1}, LONG, primary(upTo(200))))
        .isEqualTo(new SharedTier.Fill.Stored());
  }

  /** Until its reads are plain ones. */
  private void warmUp() {
    await()
        .until(
            () -> {
              long before = calls("mget");
              one.read(plain, "t2", SharedTier.Asking.READ);
              return calls("mget") > before;
            });
  }

  private static long calls(String command) {
    return RedisCommands.lines(cluster.redis().host(), cluster.redis().port(), "INFO commandstats")
        .stream()
        .filter(line -> line.startsWith("cmdstat_" + command + ":"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("^[^=]*=([0-9]+),.*", "$1")))
        .sum();
  }

  private static String bulk(String command) {
    return RedisCommands.bulk(cluster.redis().host(), cluster.redis().port(), command);
  }

  @Test
  void cellThatNobodyReadsDoesNotGrowForEver() {
    fillAnew(OLD, primary(upTo(140)));
    List<Long> many = LongStream.range(0, 2_000).mapToObj(id -> BASE + 150 + id).toList();
    one.changed("users", SHARD, LATE, List.of(new SharedTier.Told(neighbour, many)));
    assertThat(redis("HEXISTS " + BUCKET + "state x" + neighbour.cell())).isEqualTo(":0");
    // In exchange nothing is kept until a horizon is drawn that is later than all of them.
    assertThat(fillAnew(OLD, primary(upTo(10_000))))
        .isInstanceOf(SharedTier.Fill.Unrecovered.class);
  }

  @Test
  void keyOfAnotherTypeIsAMiss() {
    redis("RPUSH " + BUCKET + "value:7 poison");
    assertThat(one.read(plain, "t1", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
    assertThat(one.fill(plain, "t1", new byte[1], LONG, primary(upTo(200))))
        .isEqualTo(new SharedTier.Fill.Stored());
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isInstanceOf(SharedTier.Lookup.Hit.class);
  }

  @Test
  void stateOfAnotherTypeCountsAsLost() {
    fillAnew(OLD, primary(upTo(140)));
    redis("DEL " + BUCKET + "state", "SET " + BUCKET + "state poison");
    assertThat(one.read(plain, "t1", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
    assertThat(one.fill(plain, "t1", new byte[1], LONG, primary(upTo(200))))
        .isInstanceOf(SharedTier.Fill.Unrecovered.class);
  }

  @Test
  void streamAndIntentOfAnotherTypeAreReplaced() {
    SharedTier.Place before = one.beat("users", List.of(place(plain))).get(0).place();
    redis(
        "DEL " + BUCKET + "stream " + BUCKET + "intent:7",
        "SET " + BUCKET + "stream poison",
        "RPUSH " + BUCKET + "intent:7 poison");
    one.changed("users", SHARD, LATE, List.of(new SharedTier.Told(plain, List.of(BASE + 150L))));
    assertThat(one.announce(List.of(plain), new SharedTier.Change.Open(writer(151)))).hasSize(1);
    // What was in the stream is gone: nobody can tell, and the bucket is forgotten.
    redis("DEL " + BUCKET + "stream", "SET " + BUCKET + "stream poison");
    assertThat(one.beat("users", List.of(before)).get(0).missed()).isNull();
  }

  private static SharedTier.Place place(CacheKey key) {
    return SharedTier.Place.unknown(key.bucket());
  }

  @Test
  void lostStateMakesValuesAndLeasesUnreadable() {
    fillAnew(OLD, primary(upTo(200)));
    one.read(neighbour, "t2", SharedTier.Asking.READ);
    redis("DEL " + BUCKET + "state");
    // Whoever announces, fills or beats finds it out. Until then no value has become old.
    one.beat("users", List.of(SharedTier.Place.unknown(key.bucket())));
    assertThat(read(one, "t3")).isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
    assertThat(one.fill(neighbour, "t2", OLD, LONG, primary(upTo(200))))
        .isEqualTo(refused(SharedTier.Refusal.LEASE_LOST));
    // Its stream went on without it; the order begins anew.
    assertThat(announce(one, 150).place().seq()).isEqualTo(1);
  }

  @Test
  void stateOfAnotherServerIsNotTrusted() {
    fillAnew(OLD, primary(upTo(200)));
    long seq = announce(one, 150).place().seq();
    // As after a promotion: the state is there, but may lack what was promised last.
    redis("HSET " + BUCKET + "state server 0123456789abcdef");
    assertThat(fillAnew(OLD, primary(upTo(200)))).isInstanceOf(SharedTier.Fill.Unrecovered.class);
    assertThat(announce(one, 151).place().seq()).isEqualTo(seq + 1);
  }

  @Test
  void scriptsAreLoadedAgainWhereRedisHasForgottenThem() {
    one.read(plain, "t1", SharedTier.Asking.READ);
    redis("SCRIPT FLUSH");
    assertThat(one.read(plain, "t2", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Awaited(SharedTier.Doubt.NONE));
  }

  @Test
  void messagesOfOthersMakeAreTakenForALoss() {
    int before = heardByOne.losses;
    redis("PUBLISH waymark:invalidations:3 gibberish");
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
              two.announce(List.of(plain), new SharedTier.Change.Elsewhere());
              assertThat(heardByOne.has("users 8 [" + plain.hash() + "]")).isTrue();
            });
  }

  @Test
  void interruptDoesNotCutAnOperationShort() {
    Thread.currentThread().interrupt();
    assertThat(one.read(plain, "t1", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
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
    assertThatThrownBy(() -> new RedissonTier(settings, Scripts.plain()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("redis.trustStore cannot be read: " + missing);
  }
}
