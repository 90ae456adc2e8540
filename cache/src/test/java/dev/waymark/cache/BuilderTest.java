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
        () -> builder().unfenced().commitWithoutRedis(),
        "commitWithoutRedis() contradicts unfenced()");
    refused(
        () -> builder().commitWithoutRedis().unfenced(),
        "unfenced() contradicts commitWithoutRedis()");
    refused(() -> builder().commitWithoutRedis().build(), "commitWithoutRedis() needs redis(...)");
  }

  @Test
  void bulkLoaderWithoutShardsIsRefused() {
    refused(
        () -> builder().bulkLoader(keys -> null).build(),
        "bulkLoader(...) needs shardOf(...): keys that it sought on another shard would look as if"
            + " they had no value; with one shard, shardOf(key -> \"\")");
  }

  @Test
  void contradictionsOfWhatIsKeptAndRefreshedAreRefused() {
    refused(
        () -> builder().maximumSize(5).maximumWeight(5, (key, value) -> 1),
        "maximumWeight(...) contradicts maximumSize(...)");
    refused(
        () -> builder().maximumWeight(5, (key, value) -> 1).maximumSize(5),
        "maximumSize(...) contradicts maximumWeight(...)");
    refused(
        () -> builder().withoutL1().maximumWeight(5, (key, value) -> 1),
        "maximumWeight(...) contradicts withoutL1()");
    refused(
        () -> builder().tag(key -> "all").writeThrough(),
        "writeThrough() contradicts tag(...): only a value of one row can be put");
    refused(
        () -> builder().writeThrough().tag(key -> "all"),
        "tag(...) contradicts writeThrough(): only a value of one row can be put");
    refused(
        () -> builder().withoutL1().staleWhileRevalidate(Duration.ofMillis(5), Runnable::run),
        "staleWhileRevalidate(...) contradicts withoutL1()");
    refused(
        () -> builder().refreshAhead(Duration.ofSeconds(5), Runnable::run).build(),
        "refreshAhead(...) needs redis(...)");
    refused(
        () ->
            builder()
                .timeToLive(Duration.ofSeconds(5))
                .refreshAhead(Duration.ofSeconds(5), Runnable::run)
                .build(),
        "refreshAhead(PT5S) must be shorter than timeToLive(PT5S)");
    refused(
        () ->
            builder()
                .redis(tier())
                .codec(new FakeProcesses.Text())
                .horizons(database::horizon)
                .staleWhileRevalidate(Duration.ofSeconds(2), Runnable::run)
                .build(),
        "staleWhileRevalidate(PT2S) must not be longer than l1StalenessBound(PT1S)");
    refused(
        () -> builder().staleWhileRevalidate(Duration.ofSeconds(11), Runnable::run).build(),
        "staleWhileRevalidate(PT11S) must not be longer than l1TimeToLive(PT10S)");
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
    refused(() -> builder().jitter(1), "jitter must be at least 0 and below 1, not 1.0");
    refused(() -> builder().maximumLoads(0), "maximumLoads must be at least 1, not 0");
    refused(
        () -> builder().longestLoadWait(Duration.ofMillis(-5)),
        "longestLoadWait must not be negative, as is PT-0.005S");
    refused(() -> builder().maximumValueBytes(0), "maximumValueBytes must be at least 1, not 0");
    refused(() -> builder().compressFrom(0), "compressFrom must be at least 1, not 0");
    refused(
        () -> builder().refreshAhead(Duration.ofMillis(-1), Runnable::run),
        "refreshAhead must not be negative, as is PT-0.001S");
    refused(
        () -> builder().failureTimeToLive(Duration.ofMillis(-1)),
        "failureTimeToLive must not be negative, as is PT-0.001S");
    refused(
        () -> builder().maximumWeight(0, (key, value) -> 1),
        "maximumWeight must be at least 1, not 0");
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
