package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class BuilderTest {
  private final Rows database = new Rows();
  private final TestTime time = new TestTime();

  private TieredCache.Builder<Long, String> builder() {
    return TieredCache.builder("users", database);
  }

  private RedisTier tier() {
    return new RedisTier(
        new FakeRedis(time).process(), "redis://fake:6379", new TestBackground(), time);
  }

  @Test
  void contradictionsAreRefused() {
    refused(
        () -> builder().withoutL1().build(),
        "withoutL1() needs redis(...): nothing would be cached");
    refused(() -> builder().writeThrough().build(), "writeThrough() needs redis(...)");
    refused(
        () -> builder().redis(tier()).build(),
        "redis(...) needs codec(...), such as Codec.json(User.class, 1)");
    refused(
        () -> builder().withoutL1().l1TimeToLive(Duration.ofSeconds(1)),
        "l1TimeToLive(...) contradicts withoutL1()");
    refused(() -> builder().withoutL1().maximumSize(5), "maximumSize(...) contradicts withoutL1()");
    refused(
        () -> builder().maximumSize(5).withoutL1(),
        "withoutL1() contradicts l1TimeToLive(...), l1StalenessBound(...) and maximumSize(...)");
    refused(
        () -> builder().withoutL1().l1StalenessBound(Duration.ofSeconds(1)),
        "l1StalenessBound(...) contradicts withoutL1()");
    refused(
        () -> builder().redis(tier()).codec(Codec.json(String.class, 1)).build(),
        "redis(...) needs horizons(...), such as database::horizon, or unfenced()");
    refused(() -> builder().unfenced().writeThrough(), "writeThrough() contradicts unfenced()");
    refused(() -> builder().writeThrough().unfenced(), "unfenced() contradicts writeThrough()");
    refused(
        () -> builder().unfenced().horizons(database::horizon),
        "horizons(...) contradicts unfenced()");
    refused(
        () -> builder().horizons(database::horizon).unfenced(),
        "unfenced() contradicts horizons(...)");
    refused(
        () -> builder().unfenced().refuseWritesWithoutRedis(),
        "refuseWritesWithoutRedis() contradicts unfenced()");
    refused(
        () -> builder().refuseWritesWithoutRedis().unfenced(),
        "unfenced() contradicts refuseWritesWithoutRedis()");
  }

  @Test
  void badValuesAreRefusedWithTheValue() {
    refused(
        () -> builder().timeToLive(Duration.ZERO), "timeToLive must be at least 1 ms, not PT0S");
    refused(
        () -> builder().l1TimeToLive(Duration.ofNanos(5)),
        "l1TimeToLive must be at least 1 ms, not PT0.000000005S");
    refused(
        () -> builder().negativeTimeToLive(Duration.ofMillis(-1)),
        "negativeTimeToLive must be at least 1 ms, not PT-0.001S");
    refused(
        () -> builder().l1StalenessBound(Duration.ofMillis(199)),
        "l1StalenessBound must be at least 200 ms, not PT0.199S");
    refused(() -> builder().maximumSize(0), "maximumSize must be at least 1, not 0");
    refused(
        () -> TieredCache.builder("two words", database),
        "The name of a cache must be 1 to 64 letters, digits, dots, dashes or underscores, not 'two"
            + " words'");
  }

  private static void refused(Runnable mistake, String message) {
    assertThatThrownBy(mistake::run)
        .isInstanceOfAny(IllegalArgumentException.class, IllegalStateException.class)
        .hasMessage(message);
  }
}
