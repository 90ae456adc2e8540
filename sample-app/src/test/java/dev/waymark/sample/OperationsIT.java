package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.JsonNode;
import dev.waymark.WaymarkConfig;
import dev.waymark.sample.Client.Reply;
import dev.waymark.sample.RawHttp.Answer;
import dev.waymark.testkit.TestCluster;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.propagation.ContextPropagators;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.LoggerFactory;

/** What whoever runs the service sees of it, and what hostile clients cannot do to it. */
@Timeout(120)
class OperationsIT {
  private static final String TOKEN = "a token for the tests only";

  private static TestCluster cluster;
  private static WaymarkConfig config;
  private static SampleService service;
  private static InMemorySpanExporter spans;
  private static int port;
  private static Client client;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().shards(2).replicas(0).start();
    config = Demo.config(cluster, 10_000);
    spans = InMemorySpanExporter.create();
    OpenTelemetry telemetry =
        OpenTelemetrySdk.builder()
            .setTracerProvider(
                SdkTracerProvider.builder()
                    .addSpanProcessor(SimpleSpanProcessor.create(spans))
                    .build())
            .setPropagators(ContextPropagators.create(W3CTraceContextPropagator.getInstance()))
            .build();
    service =
        SampleService.open(config, ServerSettings.defaults().withAdminToken(TOKEN), telemetry);
    SampleSchema.install(service.database());
    port = service.serve("127.0.0.1", 0).port();
    client = new Client(port);
  }

  @AfterAll
  static void stop() {
    service.close();
    cluster.close();
  }

  // ---- what can be seen
  // --------------------------------------------------------------------------

  @Test
  void metersTellOfRequestsNodesAndCaches() {
    client.get("/api/users?limit=1");
    client.get("/api/users/77");
    // The timer stops after the answer has gone.
    await()
        .untilAsserted(
            () ->
                assertThat(client.get("/metrics").response().body())
                    .contains(
                        "http_server_requests_seconds_count{method=\"GET\",route=\"/api/users/{id}\",status=\"404\"}",
                        "waymark_node_up{node=",
                        "waymark_reads_seconds_count{",
                        "waymark_cache_reads_total{cache=\"users\",tier=\"database\"}",
                        "jvm_memory_used_bytes{"));
    assertThat(client.get("/metrics").header("Content-Type"))
        .isEqualTo("text/plain; version=0.0.4; charset=utf-8");
  }

  @Test
  void pathsOfClientsMakeNoMetersOfTheirOwn() {
    client.get("/api/nothing/at/all");
    await()
        .untilAsserted(
            () ->
                assertThat(client.get("/metrics").response().body())
                    .contains("route=\"none\",status=\"404\"")
                    .doesNotContain("nothing"));
  }

  @Test
  void methodsOfClientsMakeNoMetersOfTheirOwn() throws Exception {
    HttpClient http = HttpClient.newHttpClient();
    for (String word : List.of("AAAQ", "AAAR")) {
      http.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/api/users/1"))
              .method(word, HttpRequest.BodyPublishers.noBody())
              .build(),
          HttpResponse.BodyHandlers.discarding());
    }
    await()
        .untilAsserted(
            () ->
                assertThat(client.get("/metrics").response().body())
                    .contains("method=\"OTHER\"")
                    .doesNotContain("AAAQ")
                    .doesNotContain("AAAR"));
  }

  @Test
  void aRequestIsASpanOfItsCallersTrace() {
    Reply created =
        client.post("/api/users", "{\"name\": \"Traced\", \"email\": \"traced@example.org\"}");
    client.get(
        created.header("Location"),
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

    await().until(() -> spanOf("0af7651916cd43dd8448eb211c80319c") != null);
    SpanData span = spanOf("0af7651916cd43dd8448eb211c80319c");
    assertThat(span.getName()).isEqualTo("GET /api/users/{id}");
    assertThat(span.getParentSpanId()).isEqualTo("b7ad6b7169203331");
    assertThat(span.getAttributes().asMap().toString())
        .contains("http.response.status_code", "200", "waymark.shard", "shard-", "waymark.tier");
  }

  private static SpanData spanOf(String trace) {
    return spans.getFinishedSpanItems().stream()
        .filter(span -> span.getTraceId().equals(trace))
        .findFirst()
        .orElse(null);
  }

  @Test
  void everyLineOfARequestBearsItsId() {
    Logger logger = (Logger) LoggerFactory.getLogger("dev.waymark.sample.requests");
    ListAppender<ILoggingEvent> lines = new ListAppender<>();
    lines.start();
    logger.addAppender(lines);
    logger.setLevel(Level.INFO);
    try {
      Reply reply = client.get("/api/users/78", "X-Request-Id", "mine-1");
      assertThat(reply.header("X-Request-Id")).isEqualTo("mine-1");
      await().until(() -> !List.copyOf(lines.list).isEmpty());
      ILoggingEvent line = lines.list.get(0);
      assertThat(line.getFormattedMessage()).startsWith("GET /api/users/{id} 404 in ");
      assertThat(line.getMDCPropertyMap()).containsEntry("request_id", "mine-1");
    } finally {
      logger.setLevel(null);
      logger.detachAppender(lines);
    }
  }

  @Test
  void anIdThatCouldForgeLinesIsReplaced() {
    for (String id : new String[] {"a b", "x".repeat(65), "a\tb", "{\"a\":1}"}) {
      Answer answer =
          RawHttp.send(
              port,
              RawHttp.request("GET", "/health/live", List.of("X-Request-Id: " + id), new byte[0]));
      assertThat(answer.header("X-Request-Id")).matches("[0-9a-f]{16}");
    }
  }

  @Test
  void theDescriptionAndItsPageComeFromThisServerAlone() {
    for (String file :
        new String[] {
          "/docs",
          "/docs/docs.js",
          "/docs/swagger-ui.css",
          "/docs/swagger-ui-bundle.js",
          "/docs/swagger-ui-standalone-preset.js"
        }) {
      Reply reply = client.get(file);
      assertThat(reply.status()).as(file).isEqualTo(200);
      assertThat(reply.header("Content-Security-Policy")).contains("script-src 'self'");
    }
    assertThat(client.get("/docs").response().body())
        .doesNotContain("http:")
        .doesNotContain("https:");
    assertThat(
            client.get("/openapi/v1.json").body().at("/paths/~1users/get/deprecated").asBoolean())
        .isTrue();
    assertThat(
            client
                .get("/openapi.json", "Api-Version", "2")
                .body()
                .at("/components/schemas/User/properties/id/type")
                .asText())
        .isEqualTo("string");
  }

  @Test
  void whatTheDescriptionOffersToTryIsAccepted() {
    JsonNode schemas = client.get("/openapi/v2.json").body().at("/components/schemas");

    Reply user = client.post("/api/v2/users", Json.text(example(schemas.path("UserDraft"))));
    assertThat(user.status()).isEqualTo(201);
    Reply order =
        client.post(
            "/api/v2/users/" + user.data().path("id").asText() + "/orders",
            Json.text(example(schemas.path("OrderDraft"))));
    assertThat(order.status()).isEqualTo(201);
  }

  private static Object example(JsonNode schema) {
    return switch (schema.path("type").asText()) {
      case "object" -> {
        Map<String, Object> object = new LinkedHashMap<>();
        schema
            .path("properties")
            .fields()
            .forEachRemaining(each -> object.put(each.getKey(), example(each.getValue())));
        yield object;
      }
      case "array" -> List.of(example(schema.path("items")));
      default -> schema.at("/examples/0");
    };
  }

  // ---- the administrator
  // -------------------------------------------------------------------------

  @Test
  void theAdministratorsRoutesNeedTheToken() {
    for (String[] wrong :
        new String[][] {{}, {"Authorization", "Bearer nonsense"}, {"Authorization", TOKEN}}) {
      Reply reply = client.get("/admin/users/1/route", wrong);
      assertThat(reply.status()).isEqualTo(401);
      assertThat(reply.header("WWW-Authenticate")).isEqualTo("Bearer");
    }
    Reply reply = client.get("/admin/users/1/route", "Authorization", "Bearer " + TOKEN);
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.data().path("route").asText()).contains("shard-1");
    assertThat(client.post("/admin/cache/flush", "", "Authorization", "Bearer " + TOKEN).status())
        .isEqualTo(200);
  }

  @Test
  void withoutATokenOfTheServiceTheyAreNotThere() {
    try (SampleService plain = SampleService.open(config)) {
      Client other = new Client(plain.serve("127.0.0.1", 0).port());
      assertThat(other.get("/admin/users/1/route", "Authorization", "Bearer ").status())
          .isEqualTo(404);
    }
  }

  // ---- limits
  // ------------------------------------------------------------------------------------

  @Test
  void whoSendsTooManyRequestsIsToldToWait() {
    try (SampleService limited =
        SampleService.open(
            config, ServerSettings.defaults().withRequestsPerSecond(1), OpenTelemetry.noop())) {
      Client other = new Client(limited.serve("127.0.0.1", 0).port());
      List<Reply> replies =
          List.of(
              other.get("/api/users/1"),
              other.get("/api/users/1"),
              other.get("/api/users/1"),
              other.get("/api/users/1"),
              other.get("/api/users/1"));

      Reply refused =
          replies.stream().filter(reply -> reply.status() == 429).findFirst().orElseThrow();
      assertThat(refused.errorCode()).isEqualTo("too_many_requests");
      assertThat(refused.header("Retry-After")).isEqualTo("1");
      // Whoever watches over the service is no client.
      assertThat(other.get("/health/live").status()).isEqualTo(200);
    }
  }

  @Test
  void aBodyThatDripsIsCutShort() throws Exception {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(60_000);
      socket
          .getOutputStream()
          .write(
              ("POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                      + "Content-Length: 1000\r\n\r\n")
                  .getBytes(StandardCharsets.US_ASCII));
      CompletableFuture<Answer> answer =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return RawHttp.read(socket);
                } catch (java.io.IOException failure) {
                  throw new java.io.UncheckedIOException(failure);
                }
              });
      await()
          .atMost(Duration.ofSeconds(60))
          .pollInterval(Duration.ofMillis(300))
          .until(
              () -> {
                try {
                  socket.getOutputStream().write(' ');
                } catch (java.io.IOException closed) {
                  // It has answered.
                }
                return answer.isDone();
              });
      assertThat(answer.join().status()).isEqualTo(408);
      assertThat(answer.join().body()).contains("\"code\":\"request_timeout\"");
    }
  }

  @Test
  void aBodyThatHidesItsLengthIsCutShortToo() {
    StringBuilder request =
        new StringBuilder(
            "POST /api/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 40; i++) {
      request.append("400\r\n").append(" ".repeat(1_024)).append("\r\n");
    }
    request.append("0\r\n\r\n");

    assertThat(RawHttp.send(port, request.toString().getBytes(StandardCharsets.US_ASCII)).status())
        .isEqualTo(413);
  }

  @Test
  void aRefusedBodyIsTakenInFullSoThatItsSenderReadsTheAnswer() throws Exception {
    byte[] body = new byte[200_000];
    String head =
        "POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            + "Content-Length: "
            + body.length
            + "\r\n\r\n";
    String next = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(30_000);
      var out = socket.getOutputStream();
      out.write(head.getBytes(StandardCharsets.US_ASCII));
      out.write(body, 0, 50_000);
      out.flush();
      // It has long read more than it takes, and must neither answer nor close before the end.
      out.write(body, 50_000, body.length - 50_000);
      out.write(next.getBytes(StandardCharsets.US_ASCII));
      out.flush();

      Answer answer = RawHttp.read(socket);

      assertThat(answer.status()).isEqualTo(413);
      assertThat(answer.body()).contains("body_too_large").contains("HTTP/1.1 200");
    }
  }

  @Test
  void headersThatAreTooLongOrMalformedAreProblemsToo() {
    Answer tooLong =
        RawHttp.send(
            port,
            RawHttp.request("GET", "/api/users", List.of("X: " + "x".repeat(20_000)), new byte[0]));
    assertThat(tooLong.status()).isEqualTo(431);
    Answer malformed =
        RawHttp.send(port, "GET / HTTP/9\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    assertThat(malformed.status()).isBetween(400, 505);
    assertThat(malformed.body()).doesNotContain("jetty").doesNotContain("<html");
  }

  // ---- the end
  // -----------------------------------------------------------------------------------

  @Test
  void requestsInFlightAreAnsweredWhileTheServiceStops() throws Exception {
    CountDownLatch inFlight = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    SampleService stopping =
        SampleService.open(
            config,
            ServerSettings.defaults().withDrain(Duration.ofSeconds(4)),
            OpenTelemetry.noop());
    int there =
        stopping
            .serve(
                "127.0.0.1",
                0,
                routes ->
                    routes.get(
                        "/slow",
                        context -> {
                          inFlight.countDown();
                          goOn.await();
                          context.result("done");
                        }))
            .port();
    Client other = new Client(there);
    CompletableFuture<Reply> slow = CompletableFuture.supplyAsync(() -> other.get("/slow"));
    inFlight.await();
    CompletableFuture<Void> closing = CompletableFuture.runAsync(stopping::close);

    // First it says so, and still answers.
    await().until(() -> other.get("/health/ready").status() == 503);
    assertThat(other.get("/health/ready").detail()).isEqualTo("The service is about to stop.");
    assertThat(other.get("/api/users?limit=1").status()).isEqualTo(200);
    assertThat(
            RawHttp.send(
                    there,
                    "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
                        .getBytes(StandardCharsets.US_ASCII))
                .header("Connection"))
        .isEqualTo("close");
    // Then it takes no more, and waits for what it has.
    await().until(() -> isRefused(there));
    assertThat(closing).isNotDone();
    goOn.countDown();
    assertThat(slow.join().response().body()).isEqualTo("done");
    closing.join();
  }

  private static boolean isRefused(int port) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(1_000);
      socket
          .getOutputStream()
          .write(
              "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      return socket.getInputStream().read() < 0;
    } catch (java.io.IOException refused) {
      return true;
    }
  }
}
