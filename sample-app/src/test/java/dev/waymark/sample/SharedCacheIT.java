package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.SessionTokenFormat;
import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.TestCluster;
import io.opentelemetry.api.OpenTelemetry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The service behind a cache that many clients share. */
@Timeout(120)
class SharedCacheIT {
  private TestCluster cluster;
  private SharedCache cache;
  private SampleService service;
  private Client client;

  @BeforeEach
  void start() throws Exception {
    cluster = TestCluster.builder().shards(1).replicas(1).start();
    cache = new SharedCache();
    service =
        SampleService.open(
            Demo.config(cluster, 1_000)
                .withTokens(SessionTokenFormat.signedWith("a secret for the tests only")),
            ServerSettings.defaults().withPurgeUrl(cache.purgeUrl()),
            OpenTelemetry.noop());
    SampleSchema.install(service.database());
    cache.before(service.serve("127.0.0.1", 0).port());
    client = new Client(cache.port());
  }

  @AfterEach
  void stop() {
    service.close();
    cache.close();
    cluster.close();
  }

  private Reply create(String name) {
    Reply created =
        client.post("/api/v2/users", "{\"name\": \"" + name + "\", \"email\": \"c@example.org\"}");
    assertThat(created.status()).isEqualTo(201);
    // Until a replica without a token to wait for has it.
    await()
        .until(
            () -> client.get(created.header("Location") + "/profile").status(),
            status -> status == 200);
    return created;
  }

  private static boolean isHit(Reply reply) {
    return reply.header(SharedCache.HIT).equals("hit");
  }

  @Test
  void whatEverybodyMayKnowIsAnsweredByTheCache() {
    String profile = create("Public").header("Location") + "/profile";
    Reply kept = client.get(profile);

    assertThat(isHit(kept)).isTrue();
    assertThat(kept.data().path("name").asText()).isEqualTo("Public");
    assertThat(kept.data().has("email")).isFalse();
    // Nobody gets somebody else's session.
    assertThat(kept.token()).isEmpty();
    assertThat(kept.cookie()).isEmpty();
  }

  @Test
  void whatIsPrivateNeverStaysThere() {
    Reply created = create("Private");
    String path = created.header("Location");
    int before = cache.size();
    for (int i = 0; i < 3; i++) {
      assertThat(isHit(client.get(path))).isFalse();
      assertThat(isHit(client.get(path + "/orders"))).isFalse();
      assertThat(isHit(client.get("/api/v2/users"))).isFalse();
      assertThat(isHit(client.get("/api/v2/users?email=c@example.org"))).isFalse();
      assertThat(isHit(client.get(path + "/profile", "Waymark-Session", created.token())))
          .isFalse();
    }
    assertThat(cache.size()).isEqualTo(before);
  }

  @Test
  void aChangeIsPurged() {
    String path = create("Before").header("Location");
    assertThat(isHit(client.get(path + "/profile"))).isTrue();
    int purged = cache.purges();

    client.patch(path, "{\"name\": \"After\"}");

    await().until(() -> cache.purges() > purged);
    // A replica may still show the old one to who has no token; then that is kept for a minute.
    await().until(() -> service.database().nodes().stream().allMatch(node -> node.lagBytes() == 0));
    client.patch(path, "{\"name\": \"After\"}");
    await().until(() -> cache.purges() > purged + 1);
    await()
        .untilAsserted(
            () ->
                assertThat(client.get(path + "/profile").data().path("name").asText())
                    .isEqualTo("After"));
  }

  @Test
  void aDeletedUsersProfileIsPurged() {
    String path = create("Going").header("Location");
    int purged = cache.purges();

    Reply deleted = client.delete(path);

    await().until(() -> cache.purges() > purged);
    assertThat(client.get(path + "/profile", "Waymark-Session", deleted.token()).status())
        .isEqualTo(404);
  }

  @Test
  void whoHasWrittenNeverGetsTheOlderPageThoughThePurgeIsLost() {
    String path = create("Old").header("Location");
    assertThat(isHit(client.get(path + "/profile"))).isTrue();
    cache.losePurges();
    for (int i = 0; i < 20; i++) {
      Reply changed = client.patch(path, "{\"name\": \"New " + i + "\"}");

      for (String[] session :
          new String[][] {
            {"Waymark-Session", changed.token()}, {"Cookie", "waymark_session=" + changed.token()}
          }) {
        Reply read = client.get(path + "/profile", session);
        assertThat(isHit(read)).isFalse();
        assertThat(read.data().path("name").asText()).isEqualTo("New " + i);
      }
    }
    // The others do, for a minute at most: that is the bound.
    Reply others = client.get(path + "/profile");
    assertThat(isHit(others)).isTrue();
    assertThat(others.data().path("name").asText()).isEqualTo("Old");
    assertThat(others.header("CDN-Cache-Control")).isEqualTo("public, max-age=60");
  }

  @Test
  void versionsAreKeptApart() {
    String path = "/api" + create("Versions").header("Location").substring(7) + "/profile";

    for (int i = 0; i < 2; i++) {
      assertThat(client.get(path, "Api-Version", "2").data().path("id").isTextual()).isTrue();
      assertThat(client.get(path, "Api-Version", "1").data().path("id").isNumber()).isTrue();
      assertThat(client.get(path).data().path("id").isNumber()).isTrue();
    }
    assertThat(isHit(client.get(path, "Api-Version", "2"))).isTrue();
  }
}
