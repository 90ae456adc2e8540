package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.TestCluster;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the live page's routes let through, and what not; without a browser. */
class LivePageRoutesIT {
  private static final String TOKEN = "the token of this test";
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private static TestCluster cluster;
  private static WaymarkConfig config;
  private static SampleService demo;
  private static SampleService watched;
  private static SampleService bare;
  private static String demoUrl;
  private static String watchedUrl;
  private static String bareUrl;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().redis().start();
    config = Demo.config(cluster, 1_000).withRedis(WaymarkConfig.Redis.at(cluster.redis().url()));
    demo = SampleService.open(config);
    SampleSchema.install(demo.database());
    demoUrl = url(demo.serve("127.0.0.1", 0, pageWithControls(demo)));
    watched = SampleService.open(config);
    watchedUrl = url(watched.serve("127.0.0.1", 0, watched.page()));
    bare = SampleService.open(config);
    bareUrl = url(bare.serve("127.0.0.1", 0));
  }

  @AfterAll
  static void stop() {
    demo.close();
    watched.close();
    bare.close();
    cluster.close();
  }

  @Test
  void thePageAllowsNothingButItself() throws Exception {
    for (String path :
        new String[] {"/", "/assets/live.css", "/assets/live.js", "/assets/icon.svg"}) {
      HttpResponse<String> answer = get(watchedUrl + path);

      assertThat(answer.statusCode()).as(path).isEqualTo(200);
      assertThat(answer.headers().firstValue("Content-Security-Policy").orElseThrow())
          .startsWith("default-src 'none'; script-src 'self'; style-src 'self';")
          .contains("frame-ancestors 'none'", "require-trusted-types-for 'script'")
          .doesNotContain("unsafe");
      assertThat(answer.headers().firstValue("X-Content-Type-Options")).contains("nosniff");
      assertThat(answer.body()).doesNotContain("style=\"", "onclick", "innerHTML");
    }
  }

  @Test
  void withoutTheRequestThereIsNoPage() throws Exception {
    for (String path : new String[] {"/", "/live/events", "/live/route?key=1", "/demo/state"}) {
      assertThat(get(bareUrl + path).statusCode()).as(path).isEqualTo(404);
    }
  }

  @Test
  void outsideTheDemoThereAreNoControls() throws Exception {
    assertThat(get(watchedUrl + "/demo/state", "Authorization", "Bearer " + TOKEN).statusCode())
        .isEqualTo(404);
    assertThat(post(watchedUrl + "/demo/cache/flush", TOKEN).statusCode()).isEqualTo(404);
  }

  @Test
  void nothingIsDoneWithoutTheToken() throws Exception {
    for (String path :
        new String[] {
          "nodes/shard-1-a/kill",
          "cache/flush",
          "redis/kill",
          "redis/start",
          "traffic/start",
          "traffic/stop"
        }) {
      HttpResponse<String> wrong = post(demoUrl + "/demo/" + path, TOKEN + "x");

      assertThat(wrong.statusCode()).as(path).isEqualTo(401);
      assertThat(wrong.headers().firstValue("WWW-Authenticate")).contains("Bearer");
      assertThat(
              HTTP.send(
                      HttpRequest.newBuilder(URI.create(demoUrl + "/demo/" + path))
                          .POST(BodyPublishers.noBody())
                          .build(),
                      BodyHandlers.ofString())
                  .statusCode())
          .isEqualTo(401);
    }
    assertThat(get(demoUrl + "/demo/state").statusCode()).isEqualTo(401);
    assertThat(cluster.servers().get(0).isRunning()).isTrue();
    assertThat(cluster.redis().isRunning()).isTrue();
  }

  @Test
  void whatCannotBeDoneIsAConflictWithAReason() throws Exception {
    assertThat(post(demoUrl + "/demo/nodes/shard-1-a/pause", TOKEN).body())
        .contains("\"status\":409", "shard-1-a is the primary: only a replica replays.");
    assertThat(post(demoUrl + "/demo/nodes/nobody/kill", TOKEN).statusCode()).isEqualTo(409);
    assertThat(post(demoUrl + "/demo/nodes/shard-1-a/explode", TOKEN).statusCode()).isEqualTo(409);
    assertThat(post(demoUrl + "/demo/redis/start", TOKEN).body()).contains("Redis runs.");
  }

  @Test
  void aRouteIsExplainedForAnyKeyAndRefusedForWhatIsNone() throws Exception {
    assertThat(get(watchedUrl + "/live/route?key=-5").body()).contains("No shard owns key -5");
    for (String key :
        new String[] {"", "abc", "1%27", "9223372036854775807", "99999999999999999999"}) {
      HttpResponse<String> answer = get(watchedUrl + "/live/route?key=" + key);
      assertThat(answer.statusCode()).as(key).isEqualTo(400);
      assertThat(answer.headers().firstValue("Content-Type").orElseThrow())
          .startsWith("application/problem+json");
    }
  }

  @Test
  void theVisitorsSessionComesBackOnce() throws Exception {
    HttpResponse<String> written =
        HTTP.send(
            HttpRequest.newBuilder(URI.create(watchedUrl + "/api/users"))
                .header("Content-Type", "application/json")
                .POST(
                    BodyPublishers.ofString(
                        "{\"name\": \"Ada\", \"email\": \"visitor@example.org\"}"))
                .build(),
            BodyHandlers.ofString());
    String token = written.headers().firstValue(RequestSessions.HEADER).orElseThrow();

    HttpResponse<String> route =
        get(watchedUrl + "/live/route?key=1", RequestSessions.HEADER, token);

    assertThat(route.statusCode()).isEqualTo(200);
    assertThat(route.headers().allValues("Set-Cookie")).hasSize(1);
  }

  @Test
  void theEventsTellStateAndEndWithTheService() throws Exception {
    SampleService own = SampleService.open(config);
    CompletableFuture<Integer> rest;
    try {
      String ownUrl = url(own.serve("127.0.0.1", 0, own.page()));
      HttpResponse<InputStream> events =
          HTTP.send(
              HttpRequest.newBuilder(URI.create(ownUrl + "/live/events")).build(),
              BodyHandlers.ofInputStream());
      assertThat(events.headers().firstValue("Content-Type").orElseThrow())
          .startsWith("text/event-stream");
      BufferedReader lines =
          new BufferedReader(new InputStreamReader(events.body(), StandardCharsets.UTF_8));
      assertThat(lines.readLine()).isEqualTo("event: history");
      List<String> some = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        some.add(lines.readLine());
      }
      assertThat(some).contains("event: state");
      assertThat(String.join("\n", some))
          .contains("\"node\":\"shard-1-a\"")
          .doesNotContain("jdbc:");
      rest = CompletableFuture.supplyAsync(() -> (int) lines.lines().count());
    } finally {
      own.close();
    }

    // The stream's end, not a time-out: the server did not have to wait for its viewers.
    assertThat(rest.get(10, TimeUnit.SECONDS)).isNotNegative();
  }

  @Test
  void viewersBeyondTheSeatsAreTurnedAwayAndASeatIsFreedByLeaving() throws Exception {
    List<InputStream> viewers = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      viewers.add(view());
    }
    assertThat(get(demoUrl + "/live/events").statusCode()).isEqualTo(503);

    for (InputStream viewer : viewers) {
      viewer.close();
    }
    await()
        .atMost(Duration.ofSeconds(20))
        .untilAsserted(
            () -> {
              HttpResponse<InputStream> again = open();
              again.body().close();
              assertThat(again.statusCode()).isEqualTo(200);
            });
  }

  private static InputStream view() throws Exception {
    HttpResponse<InputStream> events = open();
    assertThat(events.statusCode()).isEqualTo(200);
    return events.body();
  }

  private static HttpResponse<InputStream> open() throws Exception {
    return HTTP.send(
        HttpRequest.newBuilder(URI.create(demoUrl + "/live/events")).build(),
        BodyHandlers.ofInputStream());
  }

  private static LivePage pageWithControls(SampleService service) {
    return service.page(
        new DemoControls(cluster, service.userCache()::invalidateAll, new DemoTraffic()), TOKEN);
  }

  private static String url(WebServer server) {
    return "http://127.0.0.1:" + server.port();
  }

  private static HttpResponse<String> get(String url, String... headers) throws Exception {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url));
    return HTTP.send(
        (headers.length == 0 ? request : request.headers(headers)).build(),
        BodyHandlers.ofString());
  }

  private static HttpResponse<String> post(String url, String token) throws Exception {
    return HTTP.send(
        HttpRequest.newBuilder(URI.create(url))
            .header("Authorization", "Bearer " + token)
            .POST(BodyPublishers.noBody())
            .build(),
        BodyHandlers.ofString());
  }
}
