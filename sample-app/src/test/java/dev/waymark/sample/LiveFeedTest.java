package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.NodeState;
import dev.waymark.OwnedRange;
import dev.waymark.Role;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.cache.CacheCondition;
import dev.waymark.cache.CacheStatistics;
import dev.waymark.routing.NodeStatus;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LiveFeedTest {
  private static final Instant NOON = Instant.parse("2026-11-27T12:00:00Z");
  private static final ShardMap MAP =
      ShardMap.of(
          7,
          List.of(
              new Shard(
                  "shard-1",
                  List.of(
                      new Node("a", "jdbc:postgresql://a/app"),
                      new Node("b", "jdbc:postgresql://b/app")))),
          List.of(new OwnedRange(new KeyRange(1, 100), "shard-1")),
          List.copyOf(SampleSchema.tables()));

  private int looks;
  private final LiveFeed feed = new LiveFeed(() -> reading(looks++));

  @AfterEach
  void close() {
    feed.close();
  }

  @Test
  void ratesAreOfTheTimeBetweenTwoLooks() throws Exception {
    feed.tick();

    JsonNode state = data(feed.after(0).bytes());

    assertThat(state.path("map_version").asLong()).isEqualTo(7);
    JsonNode shard = state.path("shards").get(0);
    assertThat(shard.path("ranges").get(0).asText()).isEqualTo("[1, 100)");
    JsonNode primary = shard.path("nodes").get(0);
    assertThat(primary.path("role").asText()).isEqualTo("primary");
    // 10 writes in the 2 seconds between the looks.
    assertThat(primary.path("writes_per_second").asDouble()).isEqualTo(5);
    assertThat(primary.path("writes").asLong()).isEqualTo(10);
    JsonNode replica = shard.path("nodes").get(1);
    assertThat(replica.path("state").asText()).isEqualTo("lagging");
    assertThat(replica.path("lag_bytes").asLong()).isEqualTo(4_096);
    assertThat(replica.path("lag_millis").asLong()).isEqualTo(1_500);
    assertThat(replica.path("reads_per_second").asDouble()).isEqualTo(50);
    JsonNode cache = state.path("cache");
    assertThat(cache.path("l1_hits_per_second").asDouble()).isEqualTo(30);
    assertThat(cache.path("l2_hits_per_second").asDouble()).isEqualTo(2.5);
    assertThat(cache.path("misses").asLong()).isEqualTo(8);
    assertThat(state.path("requests").path("per_second").asDouble()).isEqualTo(1);
    assertThat(state.path("requests").path("p50_millis").asDouble()).isEqualTo(2);
  }

  @Test
  void addressesAndWhatServersSayStayInside() throws Exception {
    feed.tick();

    assertThat(new String(feed.after(0).bytes(), StandardCharsets.UTF_8))
        .doesNotContain("jdbc:", "password authentication failed");
  }

  @Test
  void aFrameIsOneEventOfOneLine() throws Exception {
    feed.tick();

    assertThat(new String(feed.after(0).bytes(), StandardCharsets.UTF_8))
        .matches("event: state\ndata: [^\n]*\n\n");
  }

  @Test
  void whoComesLateGetsTheHistoryAndNoMoreOfItThanTheChartShows() throws Exception {
    for (int i = 0; i < LiveFeed.HISTORY + 5; i++) {
      feed.tick();
    }

    assertThat(data(feed.history())).hasSize(LiveFeed.HISTORY);
  }

  @Test
  void whoWaitsGetsTheNewestAndMissesWhatLiesBetween() throws Exception {
    feed.tick();
    feed.tick();
    feed.tick();

    assertThat(feed.after(1).number()).isEqualTo(3);
  }

  @Test
  void closingLetsThoseGoWhoWait() throws Exception {
    CompletableFuture<Boolean> ended = new CompletableFuture<>();
    Thread waiting =
        new Thread(
            () -> {
              try {
                ended.complete(feed.after(0) == null);
              } catch (InterruptedException wrong) {
                ended.complete(false);
              }
            });
    waiting.start();
    await().until(() -> waiting.getState() == Thread.State.WAITING);

    feed.close();

    assertThat(ended.get(10, TimeUnit.SECONDS)).isTrue();
    assertThat(feed.after(0)).isNull();
  }

  private static JsonNode data(byte[] event) throws Exception {
    String text = new String(event, StandardCharsets.UTF_8);
    return new ObjectMapper().readTree(text.substring(text.indexOf("data: ") + 6));
  }

  /** Two seconds apart. */
  private static LiveState.Reading reading(int number) {
    NodeStatus.Pool pool = new NodeStatus.Pool(0, 1, 0, 10);
    NodeStatus.Pools pools = new NodeStatus.Pools(pool, pool);
    Histogram micros = new Histogram(60_000_000, 3);
    micros.recordValueWithCount(2_000, 2);
    return new LiveState.Reading(
        NOON.plusSeconds(2L * number),
        2_000_000_000L * number,
        MAP,
        List.of(
            new NodeStatus(
                "shard-1", "a", NodeState.UP, Role.PRIMARY, null, 0, Duration.ZERO, pools, null),
            new NodeStatus(
                "shard-1",
                "b",
                NodeState.LAGGING,
                Role.REPLICA,
                null,
                4_096,
                Duration.ofMillis(1_500),
                pools,
                "password authentication failed for user app")),
        Map.of(
            "a",
            new Traffic.Answered(0, 10L * number),
            "b",
            new Traffic.Answered(100L * number, 0)),
        "users",
        new CacheStatistics(60L * number, 5L * number, 8L * number, 0, 0, 0, 0, 0, 0, 0, 0),
        new CacheCondition(3, 0, true, 0, Duration.ofSeconds(1), null),
        micros,
        List.of());
  }
}
