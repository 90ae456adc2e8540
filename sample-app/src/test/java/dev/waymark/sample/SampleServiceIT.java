package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.waymark.LogPosition;
import dev.waymark.SessionToken;
import dev.waymark.SessionTokenFormat;
import dev.waymark.WaymarkConfig;
import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The service over real servers: two processes' worth of it, {@code a} and {@code b}. */
class SampleServiceIT {
  private static final String SECRET = "a secret for the tests only";
  private static final AtomicInteger NUMBERS = new AtomicInteger();

  private static TestCluster cluster;
  private static SampleService serviceA;
  private static SampleService serviceB;
  private static Client a;
  private static Client b;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().shards(2).replicas(1).redis().start();
    WaymarkConfig config =
        Demo.config(cluster, 1_000)
            .withTokens(SessionTokenFormat.signedWith(SECRET))
            .withRedis(WaymarkConfig.Redis.at(cluster.redis().url()));
    serviceA = SampleService.open(config);
    SampleSchema.install(serviceA.database());
    serviceB = SampleService.open(config);
    a = new Client(serviceA.serve("127.0.0.1", 0).port());
    b = new Client(serviceB.serve("127.0.0.1", 0).port());
  }

  @AfterAll
  static void stop() {
    serviceA.close();
    serviceB.close();
    cluster.close();
  }

  // ---- the routes -----------------------------------------------------------------------------

  @Test
  void createsAndReadsAUser() {
    String email = newEmail();
    Reply created = a.post("/api/users", user("Ada Lovelace", email));

    assertThat(created.status()).isEqualTo(201);
    assertThat(created.body().path("success").asBoolean()).isTrue();
    assertThat(created.body().path("meta").path("timestamp").asText()).endsWith("Z");
    assertThat(created.data().path("name").asText()).isEqualTo("Ada Lovelace");
    assertThat(created.data().path("email").asText()).isEqualTo(email);
    assertThat(created.data().path("created_at").asText()).endsWith("Z");

    Reply read = a.get(created.header("Location"), "Waymark-Session", created.token());

    assertThat(read.status()).isEqualTo(200);
    assertThat(read.data()).isEqualTo(created.data());
  }

  @Test
  void updatesAUser() {
    Reply created = newUser(a);
    String email = newEmail();
    Reply updated = a.put(created.header("Location"), user("Grace Hopper", email));

    assertThat(updated.status()).isEqualTo(200);
    assertThat(updated.data().path("id")).isEqualTo(created.data().path("id"));
    assertThat(updated.data().path("created_at")).isEqualTo(created.data().path("created_at"));
    Reply read = a.get(created.header("Location"), "Waymark-Session", updated.token());
    assertThat(read.data().path("name").asText()).isEqualTo("Grace Hopper");
    assertThat(read.data().path("email").asText()).isEqualTo(email);
  }

  @Test
  void listsTheNewestUsersOfAllShards() {
    String token = "";
    long[] ids = new long[4];
    for (int i = 0; i < ids.length; i++) {
      Reply created = token.isEmpty() ? newUser(a) : newUser(a, "Waymark-Session", token);
      token = created.token();
      ids[i] = created.data().path("id").asLong();
    }

    Reply newest = a.get("/api/users?limit=4", "Waymark-Session", token);

    assertThat(newest.data().findValuesAsText("id"))
        .containsExactly("" + ids[3], "" + ids[2], "" + ids[1], "" + ids[0]);
    assertThat(newest.header("Waymark-Shard")).isEqualTo("shard-1,shard-2");
  }

  @Test
  void createsAndListsAUsersOrders() {
    Reply user = newUser(a);
    String path = user.header("Location") + "/orders";
    Reply first = a.post(path, order("12.5"));
    Reply second = a.post(path, order("0"), "Waymark-Session", first.token());

    assertThat(first.status()).isEqualTo(201);
    assertThat(first.data().path("user_id")).isEqualTo(user.data().path("id"));
    assertThat(first.data().path("total_amount").asText()).isEqualTo("12.5");
    Reply orders = a.get(path, "Waymark-Session", second.token());
    assertThat(orders.data()).containsExactly(second.data(), first.data());
    assertThat(a.get(path + "?limit=1", "Waymark-Session", second.token()).data())
        .containsExactly(second.data());
    assertThat(a.get(first.header("Location"), "Waymark-Session", second.token()).data())
        .isEqualTo(first.data());
  }

  @Test
  void aUserWithoutOrdersHasAnEmptyList() {
    Reply user = newUser(a);
    Reply orders = a.get(user.header("Location") + "/orders", "Waymark-Session", user.token());

    assertThat(orders.status()).isEqualTo(200);
    assertThat(orders.data().isArray()).isTrue();
    assertThat(orders.data()).isEmpty();
  }

  @Test
  void tellsItsHealthAndItsNodes() {
    assertThat(a.get("/health/live").status()).isEqualTo(200);
    // A replica may be seen a moment after the primary.
    await()
        .untilAsserted(
            () -> {
              Reply ready = a.get("/health/ready");
              assertThat(ready.status()).isEqualTo(200);
              assertThat(ready.data().findValuesAsText("role"))
                  .containsExactly("primary", "replica", "primary", "replica");
            });
  }

  // ---- bad input ------------------------------------------------------------------------------

  @Test
  void invalidJsonIsRefused() {
    Reply reply = a.post("/api/users", "{\"name\": ");

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.errorCode()).isEqualTo("invalid_json");
    assertThat(reply.body().path("success").asBoolean()).isFalse();
    assertThat(reply.body().path("meta").path("timestamp").asText()).endsWith("Z");
  }

  @Test
  void unknownFieldsOverLongNamesAndMalformedAddressesAreReportedTogether() {
    Reply reply =
        a.post(
            "/api/users",
            "{\"name\": \"" + "x".repeat(101) + "\", \"email\": \"ada\", \"admin\": true}");

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.faults())
        .isEqualTo(
            """
            name must not be longer than 100 characters
            email must look like name@example.org
            admin is not known here; there are name, email""");
  }

  @Test
  void anUnknownUserIsNotFound() {
    for (Reply reply :
        new Reply[] {
          a.get("/api/users/999"),
          a.get("/api/users/999/orders"),
          a.put("/api/users/999", user("Nobody", newEmail())),
          a.post("/api/users/999/orders", order("1"))
        }) {
      assertThat(reply.status()).isEqualTo(404);
      assertThat(reply.errorCode()).isEqualTo("no_such_user");
    }
  }

  @Test
  void anUnknownOrderIsNotFound() {
    Reply reply = a.get(newUser(a).header("Location") + "/orders/999999");

    assertThat(reply.status()).isEqualTo(404);
    assertThat(reply.errorCode()).isEqualTo("no_such_order");
  }

  @Test
  void anAddressThatAnotherUserHasIsAConflictOnWhateverShard() {
    // New users take turns over two shards.
    String email = newEmail();
    Reply first = a.post("/api/users", user("First", email));
    for (int i = 0; i < 2; i++) {
      Reply other = b.post("/api/users", user("Other", email.toUpperCase(Locale.ROOT)));

      assertThat(other.status()).isEqualTo(409);
      assertThat(other.errorCode()).isEqualTo("email_taken");
      assertThat(other.faults()).isEqualTo("email is taken");
    }
    assertThat(first.data().path("email").asText()).isEqualTo(email);
  }

  @Test
  void changingToATakenAddressIsAConflict() {
    Reply first = newUser(a);
    Reply second = newUser(a);
    Reply reply =
        a.put(second.header("Location"), user("Second", first.data().path("email").asText()));

    assertThat(reply.status()).isEqualTo(409);
    assertThat(reply.errorCode()).isEqualTo("email_taken");
  }

  @Test
  void negativeAmountsAreRefused() {
    Reply reply = a.post(newUser(a).header("Location") + "/orders", order("-0.01"));

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.faults()).isEqualTo("items[0].unit_price must not be negative");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "2000", "9223372036854775807"})
  void aKeyThatNoShardOwnsIsNotFound(String key) {
    for (Reply reply :
        new Reply[] {
          a.get("/api/users/" + key),
          a.get("/api/users/" + key + "/orders"),
          a.put("/api/users/" + key, user("Nobody", newEmail())),
          a.post("/api/users/" + key + "/orders", order("1"))
        }) {
      assertThat(reply.status()).isEqualTo(404);
      assertThat(reply.errorCode()).isEqualTo("no_shard_owns_key");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc", "1.5", "9223372036854775808", "1%20OR%201=1"})
  void anIdThatIsNoNumberIsRefused(String id) {
    Reply reply = a.get("/api/users/" + id);

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.faults()).isEqualTo("id must be a whole number of at most 64 bits");
  }

  @Test
  void aWrongLimitIsRefused() {
    assertThat(a.get("/api/users?limit=101").faults())
        .isEqualTo("limit must be a whole number from 1 to 100");
  }

  @Test
  void aBodyThatIsTooLargeIsRefused() {
    Reply reply = a.post("/api/users", user("x".repeat(20_000), newEmail()));

    assertThat(reply.status()).isEqualTo(413);
    assertThat(reply.errorCode()).isEqualTo("body_too_large");
  }

  @Test
  void aBodyThatIsNotJsonIsRefused() {
    Reply reply =
        a.send(
            a.request("/api/users", "Content-Type", "text/plain")
                .POST(BodyPublishers.ofString(user("Ada", newEmail()))));

    assertThat(reply.status()).isEqualTo(415);
    assertThat(reply.errorCode()).isEqualTo("unsupported_media_type");
  }

  @Test
  void unknownPathsAndOtherMethodsAreRefusedInTheEnvelope() {
    Reply unknown = a.get("/api/customers");
    Reply delete = a.delete("/api/users");

    assertThat(unknown.status()).isEqualTo(404);
    assertThat(unknown.errorCode()).isEqualTo("no_such_path");
    assertThat(delete.status()).isEqualTo(405);
    assertThat(delete.errorCode()).isEqualTo("method_not_allowed");
    assertThat(delete.header("Allow")).contains("GET").contains("POST");
  }

  @Test
  void aNameIsDataAndNotSql() {
    String name = "Robert'); DROP TABLE users; --";
    Reply created = a.post("/api/users", user(name, newEmail()));

    assertThat(created.data().path("name").asText()).isEqualTo(name);
    assertThat(a.get("/api/users").status()).isEqualTo(200);
  }

  // ---- sessions -------------------------------------------------------------------------------

  @Test
  void aWriteOnOneServiceIsReadOnTheOtherWithTheToken() {
    Reply user = newUser(a);
    String path = user.header("Location");
    for (int i = 0; i < 50; i++) {
      Client writer = i % 2 == 0 ? a : b;
      Client reader = i % 2 == 0 ? b : a;
      Reply written = writer.put(path, user("Name " + i, newEmail()));
      Reply order = writer.post(path + "/orders", order("1"));

      Reply read = reader.get(path, "Waymark-Session", written.token());
      Reply orders = reader.get(path + "/orders", "Waymark-Session", order.token());

      assertThat(read.data()).isEqualTo(written.data());
      assertThat(orders.data().get(0)).isEqualTo(order.data());
    }
  }

  @Test
  void theTokenComesBackFromTheCookieToo() {
    Reply written = a.put(newUser(a).header("Location"), user("By cookie", newEmail()));
    String cookie = written.cookie().orElseThrow();

    assertThat(cookie)
        .startsWith("waymark_session=" + written.token() + ";")
        .contains("Path=/")
        .contains("HttpOnly")
        .contains("SameSite=Lax");
    Reply read =
        b.get(
            "/api/users/" + written.data().path("id").asText(),
            "Cookie",
            "theme=dark; waymark_session=" + written.token());
    assertThat(read.header("Waymark-Session-Refused")).isEmpty();
    assertThat(read.data()).isEqualTo(written.data());
    assertThat(covers(read.token(), written.token())).isTrue();
  }

  @Test
  void theHeaderWinsOverTheCookie() {
    Reply written = newUser(a);
    Reply read =
        b.get(
            written.header("Location"),
            "Waymark-Session",
            written.token(),
            "Cookie",
            "waymark_session=nonsense");

    assertThat(read.header("Waymark-Session-Refused")).isEmpty();
  }

  @Test
  void anOldTokenIsStillGood() {
    Reply old = newUser(a);
    for (int i = 0; i < 5; i++) {
      newUser(a);
    }
    Reply read = b.get(old.header("Location"), "Waymark-Session", old.token());

    assertThat(read.header("Waymark-Session-Refused")).isEmpty();
    assertThat(read.data()).isEqualTo(old.data());
    assertThat(covers(read.token(), old.token())).isTrue();
  }

  @Test
  void aForgedTokenIsNotTrustedAndThePrimaryAnswers() {
    Reply user = newUser(a);
    String forged = user.token().substring(0, user.token().length() - 4) + "AAAA";

    Reply read = a.get(user.header("Location"), "Waymark-Session", forged);

    assertThat(read.status()).isEqualTo(200);
    assertThat(read.header("Waymark-Session-Refused"))
        .isEqualTo("The session token was refused: its signature is wrong.");
    assertThat(read.header("Waymark-Role")).isEqualTo("primary");
    assertThat(read.tier()).isEqualTo("DATABASE");
    assertThat(read.data()).isEqualTo(user.data());
    assertThat(read.token()).isNotEqualTo(forged);
  }

  @Test
  void aTokenOfAnotherDatabaseIsNotTrusted() {
    String foreign =
        SessionTokenFormat.signedWith(SECRET).print(SessionToken.of(new LogPosition(42, 1, 99)));

    Reply read = a.get(newUser(a).header("Location"), "Waymark-Session", foreign);

    assertThat(read.status()).isEqualTo(200);
    assertThat(read.header("Waymark-Session-Refused"))
        .isEqualTo("The session token was refused: it belongs to another database.");
    assertThat(read.header("Waymark-Role")).isEqualTo("primary");
  }

  @Test
  void aRefusedCookieDoesNotStay() {
    Reply reply = a.get("/api/users/0", "Cookie", "waymark_session=nonsense");

    assertThat(reply.header("Waymark-Session-Refused")).isNotEmpty();
    assertThat(reply.cookie().orElseThrow())
        .startsWith("waymark_session=;")
        .contains("Expires=Thu, 01 Jan 1970");
  }

  // ---- where answers come from ----------------------------------------------------------------

  @Test
  void explanationsAreOnlyForThoseWhoAsk() {
    Reply reply = a.send(a.request("/api/users").setHeader("Waymark-Explain", "no").GET());

    assertThat(reply.response().headers().map())
        .doesNotContainKeys("waymark-shard", "waymark-tier", "waymark-reason");
  }

  @Test
  void theTiersShow() throws Exception {
    // A row that no cache was told of.
    PostgresServer primary = cluster.shard("shard-1").primary();
    primary.execute(
        "INSERT INTO users (id, name, email) VALUES (990, 'Direct', '" + newEmail() + "')");
    await().untilAsserted(() -> assertThat(a.get("/api/users/990").status()).isEqualTo(200));
    serviceA.userCache().invalidate(990L);

    Reply first = a.get("/api/users/990");
    assertThat(first.tier()).isEqualTo("DATABASE");
    assertThat(first.header("Waymark-Shard")).isEqualTo("shard-1");
    assertThat(first.header("Waymark-Node")).startsWith("shard-1-");
    assertThat(first.header("Waymark-Role")).isIn("primary", "replica");
    assertThat(first.header("Waymark-Reason")).isNotEmpty();

    // A replica that is not known to be past the invalidation does not fill the cache.
    await().until(() -> a.get("/api/users/990").tier(), "L1"::equals);
    assertThat(b.get("/api/users/990").tier()).isEqualTo("L2");
    assertThat(b.get("/api/users/990").tier()).isEqualTo("L1");
    serviceA.userCache().flushL1();
    Reply shared = a.get("/api/users/990");
    assertThat(shared.tier()).isEqualTo("L2");
    assertThat(shared.header("Waymark-Shard")).isEqualTo("shard-1");
    assertThat(shared.header("Waymark-Node")).isEmpty();
    assertThat(shared.data()).isEqualTo(first.data());
  }

  @Test
  void writesGoToThePrimary() {
    Reply created = newUser(a);

    assertThat(created.header("Waymark-Role")).isEqualTo("primary");
    assertThat(created.header("Waymark-Node"))
        .isEqualTo(cluster.shard(created.header("Waymark-Shard")).primary().name());
  }

  @Test
  void newUsersSpreadOverTheShards() {
    Map<String, Integer> counts = new HashMap<>();
    for (int i = 0; i < 10; i++) {
      Reply created = newUser(a);
      counts.merge(created.header("Waymark-Shard"), 1, Integer::sum);
      long id = created.data().path("id").asLong();
      assertThat(id < 1_000 ? "shard-1" : "shard-2").isEqualTo(created.header("Waymark-Shard"));
    }

    assertThat(counts).containsEntry("shard-1", 5).containsEntry("shard-2", 5);
  }

  @Test
  void theDatabaseItselfRefusesAMisplacedRow() throws Exception {
    try (var connection = cluster.shard("shard-2").primary().connect();
        var statement = connection.createStatement()) {
      assertThatThrownBy(
              () ->
                  statement.execute(
                      "INSERT INTO users (id, name, email) VALUES (1, 'Lost', 'l@example.org')"))
          .hasMessageContaining("waymark_users_key_range");
    }
  }

  @Test
  void theSchemaMayBeInstalledAgain() throws Exception {
    SampleSchema.install(serviceB.database());
  }

  // ---- the rest -------------------------------------------------------------------------------

  private static boolean covers(String token, String earlier) {
    SessionTokenFormat format = SessionTokenFormat.signedWith(SECRET);
    return format.parse(token).covers(format.parse(earlier));
  }

  private static Reply newUser(Client client, String... headers) {
    Reply created = client.post("/api/users", user("Somebody", newEmail()), headers);
    assertThat(created.status()).isEqualTo(201);
    return created;
  }

  private static String newEmail() {
    return "user" + NUMBERS.incrementAndGet() + "@example.org";
  }

  private static String order(String price) {
    return "{\"items\": [{\"sku\": \"A-1\", \"quantity\": 1, \"unit_price\": " + price + "}]}";
  }

  private static String user(String name, String email) {
    JsonNode node =
        new com.fasterxml.jackson.databind.ObjectMapper()
            .createObjectNode()
            .put("name", name)
            .put("email", email);
    return node.toString();
  }
}
