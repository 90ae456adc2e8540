package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.Consistency;
import dev.waymark.WaymarkConfig;
import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.TestCluster;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The service while its servers are down. */
class SampleServiceFailuresIT {
  private TestCluster cluster;
  private WaymarkConfig config;
  private SampleService service;
  private Client client;

  @BeforeEach
  void start() throws Exception {
    cluster = TestCluster.builder().redis().start();
    config =
        Demo.config(cluster, 1_000)
            .withRedis(WaymarkConfig.Redis.at(cluster.redis().url()))
            .withCalls(new WaymarkConfig.Calls(Duration.ofSeconds(2), Consistency.session()));
    service = SampleService.open(config);
    SampleSchema.install(service.database());
    client = new Client(service.serve("127.0.0.1", 0).port());
  }

  @AfterEach
  void stop() {
    service.close();
    cluster.close();
  }

  @Test
  void redisBeingDownFailsNoRequest() {
    cluster.redis().kill();

    Reply created = create("down@example.org");
    Reply read = client.get(created.header("Location"), "Waymark-Session", created.token());
    Reply updated =
        client.put(
            created.header("Location"), "{\"name\": \"New\", \"email\": \"down@example.org\"}");
    Reply readAgain = client.get(created.header("Location"), "Waymark-Session", updated.token());

    assertThat(created.status()).isEqualTo(201);
    assertThat(read.data()).isEqualTo(created.data());
    assertThat(updated.status()).isEqualTo(200);
    assertThat(readAgain.data()).isEqualTo(updated.data());
    assertThat(client.get("/health/ready").status()).isEqualTo(200);
  }

  @Test
  void startsWhileRedisIsDown() {
    cluster.redis().kill();
    try (SampleService other = SampleService.open(config)) {
      Client there = new Client(other.serve("127.0.0.1", 0).port());
      assertThat(there.get("/api/users").status()).isEqualTo(200);
    }
  }

  @Test
  void aShardThatIsDownIs503AndComesBack() {
    Reply created = create("first@example.org");
    cluster.shard(0).primary().kill();

    Reply read = client.get("/api/users/999");
    Reply write =
        client.put(created.header("Location"), "{\"name\": \"N\", \"email\": \"n@a.bc\"}");

    for (Reply reply : new Reply[] {read, write}) {
      assertThat(reply.status()).isEqualTo(503);
      assertThat(reply.errorCode()).isEqualTo("unavailable");
      assertThat(reply.header("Retry-After")).isEqualTo("1");
      assertThat(reply.detail()).startsWith("Shard shard-1 cannot answer now. Nothing was ");
    }
    // A connection that was there before may have been asked, and broken.
    assertThat(read.body().path("outcome").asText()).isIn("NOT_SENT", "REJECTED");
    assertThat(write.body().path("outcome").asText()).isEqualTo("NOT_SENT");
    await().untilAsserted(() -> assertThat(client.get("/health/ready").status()).isEqualTo(503));
    Reply ready = client.get("/health/ready");
    assertThat(ready.body().at("/meta/health/ready").asBoolean()).isFalse();
    assertThat(ready.body().findValuesAsText("role")).containsExactly("down");
    assertThat(client.get("/health/live").status()).isEqualTo(200);

    cluster.shard(0).servers().get(0).start();

    await().untilAsserted(() -> assertThat(client.get("/health/ready").status()).isEqualTo(200));
    assertThat(client.get(created.header("Location")).data()).isEqualTo(created.data());
  }

  @Test
  void whatWentWrongInsideIsForTheLogOnly() {
    cluster.shard(0).primary().execute("DROP TABLE orders");
    Reply created = create("inside@example.org");

    Reply orders = client.get(created.header("Location") + "/orders");

    assertThat(orders.status()).isEqualTo(500);
    assertThat(orders.errorCode()).isEqualTo("internal");
    assertThat(orders.detail())
        .matches("Something went wrong here; the log knows it as [0-9a-f]{16}\\.");
  }

  private Reply create(String email) {
    return client.post("/api/users", "{\"name\": \"Ada\", \"email\": \"" + email + "\"}");
  }
}
