package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class WaymarkConfigTest {
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration SHORT = Duration.ofMillis(249);

  private final ShardMap map =
      ShardMap.of(
          7,
          List.of(ShardMapTest.shard("shard-1", "pg1")),
          List.of(ShardMapTest.range(1, 2, "shard-1")),
          List.of());

  @Test
  void defaultsArePinned() {
    WaymarkConfig config = WaymarkConfig.of(map, new Credentials("app", ""));

    assertThat(config.pool()).isEqualTo(new WaymarkConfig.Pool(10, SECOND, SECOND));
    assertThat(config.calls())
        .isEqualTo(new WaymarkConfig.Calls(Duration.ofSeconds(10), Consistency.session()));
    assertThat(config.monitor())
        .isEqualTo(new WaymarkConfig.Monitor(Duration.ofMillis(50), SECOND, SECOND, 200));
    assertThat(config.reads())
        .isEqualTo(
            new WaymarkConfig.Reads(
                Balancing.PEAK_EWMA, "", Duration.ofSeconds(10), Duration.ZERO));
    assertThat(config.hedging()).isEqualTo(new WaymarkConfig.Hedging(0, 95, Duration.ofMillis(5)));
    assertThat(config.lag())
        .isEqualTo(
            new WaymarkConfig.Lag(
                Duration.ofSeconds(10),
                Duration.ofMinutes(5),
                0,
                0,
                1,
                WaymarkConfig.WhenAllLag.PRIMARY,
                0));
    assertThat(config.tokens()).hasToString("SessionTokenFormat[unsigned]");
    assertThat(config.keys()).isEqualTo(KeyRendering.FINGERPRINT);
    assertThat(config.redis()).isEmpty();
    assertThat(config.changes())
        .isEqualTo(
            new WaymarkConfig.Changes(
                false,
                "waymark",
                "waymark",
                WaymarkConfig.ChangedTables.MAP,
                SECOND,
                Duration.ofSeconds(10),
                1L << 30,
                10_000));
    assertThat(WaymarkConfig.Changes.on().enabled()).isTrue();
    assertThat(WaymarkConfig.Redis.at("redis://cache:6379"))
        .isEqualTo(
            new WaymarkConfig.Redis(
                "redis://cache:6379",
                Optional.empty(),
                Optional.empty(),
                Duration.ofMillis(250),
                "waymark"));
  }

  @Test
  void printingNeverShowsASecret() {
    WaymarkConfig config =
        WaymarkConfig.of(map, new Credentials("app", "hunter2"))
            .withTokens(SessionTokenFormat.signedWith("hunter2hunter2hunter2"))
            .withRedis(
                new WaymarkConfig.Redis(
                    "rediss://cache:6379",
                    Optional.of(new Credentials("", "hunter2")),
                    Optional.of(Path.of("trust.p12")),
                    SECOND,
                    "waymark"));

    assertThat(config.toString()).doesNotContain("hunter2");
    assertThat(config.credentials()).hasToString("Credentials[user=app, password=(hidden)]");
    assertThat(config.redis().orElseThrow())
        .hasToString(
            "Redis[url=rediss://cache:6379, credentials=Optional[Credentials[user=,"
                + " password=(hidden)]], trustStore=Optional[trust.p12], timeout=PT1S,"
                + " namespace=waymark]");
  }

  @Test
  void eachWithChangesOnePart() {
    WaymarkConfig plain = WaymarkConfig.of(map, new Credentials("app", ""));
    WaymarkConfig.Pool pool = new WaymarkConfig.Pool(1, SECOND, SECOND);
    WaymarkConfig.Calls calls = new WaymarkConfig.Calls(SECOND, Consistency.strong());
    WaymarkConfig.Monitor monitor = new WaymarkConfig.Monitor(SECOND, SECOND, SECOND, 10);

    assertThat(plain.withPool(pool).pool()).isEqualTo(pool);
    assertThat(plain.withPool(pool).withPool(plain.pool())).isEqualTo(plain);
    assertThat(plain.withCalls(calls).calls()).isEqualTo(calls);
    assertThat(plain.withCalls(calls).withCalls(plain.calls())).isEqualTo(plain);
    assertThat(plain.withMonitor(monitor).monitor()).isEqualTo(monitor);
    assertThat(plain.withMonitor(monitor).withMonitor(plain.monitor())).isEqualTo(plain);
  }

  @Test
  void valuesThatCannotWorkAreRefusedWithTheSettingAndTheValue() {
    assertRefused(
        () -> new WaymarkConfig.Pool(0, SECOND, SECOND), "pool.size must be at least 1, not 0");
    assertRefused(
        () -> new WaymarkConfig.Pool(1, SHORT, SECOND),
        "pool.connectTimeout must be at least 250 ms, not 249 ms");
    assertRefused(
        () -> new WaymarkConfig.Pool(1, SECOND, SHORT),
        "pool.acquireTimeout must be at least 250 ms, not 249 ms");
    assertRefused(
        () -> new WaymarkConfig.Calls(Duration.ZERO, Consistency.session()),
        "calls.deadline must be at least 1 ms, not 0 ms");
    assertRefused(
        () -> new WaymarkConfig.Monitor(Duration.ZERO, SECOND, SECOND, 10),
        "monitor.interval must be at least 1 ms, not 0 ms");
    assertRefused(
        () -> new WaymarkConfig.Monitor(SECOND, Duration.ofMillis(9), SECOND, 10),
        "monitor.timeout must be at least 10 ms, not 9 ms");
    assertRefused(
        () -> redis("redis://cache", "a b"),
        "redis.namespace must be 1 to 64 letters, digits, dots, dashes or underscores, not 'a b'");
  }

  @Test
  void redisUrlWithCredentialsIsRefusedAndNotRepeated() {
    for (String url :
        List.of("redis://:hunter2@cache", "http://cache", "redis://", "redis:cache")) {
      assertRefused(
          () -> redis(url, "waymark"),
          "redis.url must look like redis://host:6379 (rediss:// for TLS;"
              + " redis+cluster://host:6379,host:6379 for a cluster), without user and password");
    }
  }

  @Test
  void redisUrlTellsTheServersAndWhetherTheyAreACluster() {
    for (String single : List.of("redis://cache:6379", "rediss://cache:6379/")) {
      assertThat(redis(single, "waymark").isCluster()).isFalse();
      assertThat(redis(single, "waymark").hosts()).containsExactly("cache:6379");
    }
    assertThat(redis("redis://cache", "waymark").hosts()).containsExactly("cache");
    for (String scheme : List.of("redis", "rediss")) {
      WaymarkConfig.Redis cluster = redis(scheme + "+cluster://a:6379,b,c:6380/", "waymark");
      assertThat(cluster.isCluster()).isTrue();
      assertThat(cluster.hosts()).containsExactly("a:6379", "b", "c:6380");
    }
    WaymarkConfig.Redis ofOne = redis("redis+cluster://a:6379", "waymark");
    assertThat(ofOne.isCluster()).isTrue();
    assertThat(ofOne.hosts()).containsExactly("a:6379");
  }

  @Test
  void severalServersWithoutAClusterAreRefused() {
    for (String url : List.of("redis://a,b", "redis+cluster://a,,b", "redis+cluster://")) {
      assertThatThrownBy(() -> redis(url, "waymark"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("redis.url must look like redis://host:6379");
    }
  }

  private static WaymarkConfig.Redis redis(String url, String namespace) {
    return new WaymarkConfig.Redis(url, Optional.empty(), Optional.empty(), SECOND, namespace);
  }

  private static void assertRefused(ThrowingCallable call, String message) {
    assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }
}
