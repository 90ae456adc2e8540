package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.waymark.SessionTokenFormat;
import dev.waymark.WaymarkConfig;
import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.TestCluster;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What REST clients rely on: pages, conditions, repetitions, versions, caching. */
class RestIT {
  private static final AtomicInteger NUMBERS = new AtomicInteger();

  private static TestCluster cluster;
  private static WaymarkConfig config;
  private static SampleService service;
  private static SampleService other;
  private static Client client;
  private static Client elsewhere;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().shards(3).replicas(1).redis().start();
    config =
        Demo.config(cluster, 10_000)
            .withTokens(SessionTokenFormat.signedWith("a secret for the tests only"))
            .withRedis(WaymarkConfig.Redis.at(cluster.redis().url()));
    service = SampleService.open(config);
    SampleSchema.install(service.database());
    other = SampleService.open(config);
    client = new Client(service.serve("127.0.0.1", 0).port());
    elsewhere = new Client(other.serve("127.0.0.1", 0).port());
  }

  @AfterAll
  static void stop() {
    service.close();
    other.close();
    cluster.close();
  }

  // ---- pages -----------------------------------------------------------------------------------

  @ParameterizedTest
  @ValueSource(strings = {"newest", "id"})
  void pagesShowEveryUserOnceWhileOthersComeAndGo(String sort) {
    String name = "Paged" + sort;
    Set<String> there = new HashSet<>();
    String token = "";
    for (int i = 0; i < 25; i++) {
      Reply created = create(name + " " + i, token);
      token = created.token();
      there.add(created.data().path("id").asText());
    }
    List<JsonNode> shown = new ArrayList<>();
    String next = "/api/users?sort=" + sort + "&limit=4&name=" + name;
    while (next != null) {
      Reply page = client.get(next, "Waymark-Session", token);
      assertThat(page.status()).isEqualTo(200);
      assertThat(page.data().size()).isLessThanOrEqualTo(4);
      page.data().forEach(shown::add);
      // Neither belongs to what was there all the time.
      Reply passing = create(name + " passing", token);
      token = client.delete(passing.header("Location")).token();
      next = nextOf(page);
    }

    List<String> ids = shown.stream().map(user -> user.path("id").asText()).toList();
    assertThat(ids).doesNotHaveDuplicates().containsAll(there);
    if (sort.equals("id")) {
      assertThat(ids.stream().map(Long::valueOf)).isSorted();
    } else {
      assertThat(shown.stream().map(user -> user.path("created_at").asText()).toList())
          .isSortedAccordingTo(
              (left, right) ->
                  java.time.Instant.parse(right).compareTo(java.time.Instant.parse(left)));
    }
  }

  private static String nextOf(Reply page) {
    String link =
        page.response().headers().allValues("Link").stream()
            .filter(each -> each.endsWith("rel=\"next\""))
            .findFirst()
            .orElse(null);
    assertThat(link == null).isEqualTo(page.body().at("/meta/next").isMissingNode());
    return link == null ? null : link.substring(1, link.indexOf('>'));
  }

  @Test
  void filtersGoTogether() {
    Reply first = create("Filter_1% one", "");
    Reply second = create("filter_1% two", first.token());
    create("Filterx1% three", second.token());
    String path = "/api/users?name=FILTER_1%25";

    assertThat(names(client.get(path, "Waymark-Session", second.token())))
        .containsExactly("filter_1% two", "Filter_1% one");
    assertThat(
            names(
                client.get(
                    path + "&created_from=" + second.data().path("created_at").asText(),
                    "Waymark-Session",
                    second.token())))
        .containsExactly("filter_1% two");
    assertThat(
            names(
                client.get(
                    path + "&created_before=" + second.data().path("created_at").asText(),
                    "Waymark-Session",
                    second.token())))
        .containsExactly("Filter_1% one");
  }

  @Test
  void aPageOfAnotherListIsRefused() {
    for (int i = 0; i < 3; i++) {
      create("Token", "");
    }
    String next = client.get("/api/users?limit=1").body().at("/meta/next").asText();

    assertThat(client.get("/api/users?limit=1&page=" + next).status()).isEqualTo(200);
    for (String wrong : new String[] {"&sort=id&page=" + next, "&name=T&page=" + next, "&page=x"}) {
      Reply reply = client.get("/api/users?limit=1" + wrong);
      assertThat(reply.status()).isEqualTo(400);
      assertThat(reply.faults()).isEqualTo("page must be the 'next' of a page of this same list");
    }
  }

  @Test
  void everyWrongParameterIsReportedAtOnce() {
    Reply reply =
        client.get(
            "/api/users?limit=0&sort=age&created_from=yesterday&nmae=x&name=%00&page=a&page=b");

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.faults().lines())
        .containsExactlyInAnyOrder(
            "limit must be a whole number from 1 to 100",
            "page must be given once",
            "sort must be one of: id, newest",
            "name must not hold control characters or halves of characters",
            "created_from must be a time like 2026-11-27T09:00:00Z",
            "nmae is no parameter here; there are created_before, created_from, email, limit, name,"
                + " page, sort, version");
  }

  @Test
  void ordersComeInPagesToo() {
    Reply user = create("Orders", "");
    String path = user.header("Location") + "/orders";
    String token = user.token();
    for (int i = 0; i < 5; i++) {
      token = client.post(path, order(1, "1.00"), "Waymark-Session", token).token();
    }
    List<Long> ids = new ArrayList<>();
    String next = path + "?limit=2";
    while (next != null) {
      Reply page = client.get(next, "Waymark-Session", token);
      page.data().forEach(each -> ids.add(each.path("id").asLong()));
      next = nextOf(page);
    }
    assertThat(ids).hasSize(5).isSortedAccordingTo((left, right) -> Long.compare(right, left));
  }

  @Test
  void anOrderKeepsItsItemsAndTheirSum() {
    Reply user = create("Items", "");
    Reply created =
        client.post(
            user.header("Location") + "/orders",
            """
            {"items": [{"sku": "LAMP-1", "quantity": 3, "unit_price": 19.99},
                       {"sku": "Ž \\" owl 🦉", "quantity": 1, "unit_price": 0.03}]}
            """);
    Reply read = client.get(created.header("Location"), "Waymark-Session", created.token());

    assertThat(created.data().path("total_amount").asText()).isEqualTo("60.0");
    assertThat(read.data()).isEqualTo(created.data());
    assertThat(read.data().at("/items/1/sku").asText()).isEqualTo("Ž \" owl 🦉");
  }

  @Test
  void everyFaultOfEveryItemIsReported() {
    Reply reply =
        client.post(
            create("Faults", "").header("Location") + "/orders",
            """
            {"items": [{"sku": "", "quantity": 0, "unit_price": "1"}, 7, {"sku": "a", "price": 1}],
             "total_amount": 1}
            """);

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.faults())
        .isEqualTo(
            """
            items[0].sku must not be blank
            items[0].quantity must be a whole number from 1 to 1000
            items[0].unit_price must be a number
            items[1] must be an object
            items[2].price is not known here; there are sku, quantity, unit_price
            items[2].quantity is missing
            items[2].unit_price is missing
            total_amount is not known here; there are items""");
  }

  // ---- changes ---------------------------------------------------------------------------------

  @Test
  void aPatchChangesWhatItNamesOnly() {
    Reply created = create("Before", "");
    Reply patched = client.patch(created.header("Location"), "{\"name\": \"After\"}");

    assertThat(patched.status()).isEqualTo(200);
    assertThat(patched.data().path("name").asText()).isEqualTo("After");
    assertThat(patched.data().path("email")).isEqualTo(created.data().path("email"));
    assertThat(client.patch(created.header("Location"), "{}").faults())
        .isEqualTo("must change something: name, email, or both");
    assertThat(client.patch(created.header("Location"), "{\"name\": null}").faults())
        .isEqualTo("name is missing");
  }

  @Test
  void whatIsDeletedIsGoneWithItsOrdersAndItsAddressIsFree() {
    Reply created = create("Going", "");
    String path = created.header("Location");
    Reply order = client.post(path + "/orders", order(1, "1"));
    Reply deleted = client.delete(path);

    assertThat(deleted.status()).isEqualTo(204);
    assertThat(deleted.response().body()).isEmpty();
    for (String gone :
        new String[] {path, path + "/orders", path + "/profile", order.header("Location")}) {
      assertThat(elsewhere.get(gone, "Waymark-Session", deleted.token()).status()).isEqualTo(404);
    }
    assertThat(client.delete(path).errorCode()).isEqualTo("no_such_user");
    assertThat(
            client.post("/api/users", user("Next", created.data().path("email").asText())).status())
        .isEqualTo(201);
  }

  @Test
  void aChangeMustSayWhatItIsFor() {
    String path = create("Condition", "").header("Location");
    Reply reply =
        client.send(
            client
                .request(path, "Content-Type", "application/json")
                .method(
                    "PUT", java.net.http.HttpRequest.BodyPublishers.ofString(user("x", email()))));

    assertThat(reply.status()).isEqualTo(428);
    assertThat(reply.errorCode()).isEqualTo("precondition_required");
  }

  @Test
  void twoWhoChangeWhatTheyBothReadDoNotUndoEachOther() {
    Reply created = create("Shared", "");
    String path = created.header("Location");
    String tag = created.etag();
    Reply first = client.patch(path, "{\"name\": \"First\"}", "If-Match", tag);
    Reply second = elsewhere.patch(path, "{\"name\": \"Second\"}", "If-Match", tag);
    Reply deletion = elsewhere.delete(path, "If-Match", tag);

    assertThat(first.status()).isEqualTo(200);
    assertThat(second.status()).isEqualTo(412);
    assertThat(second.etag()).isEqualTo(first.etag());
    assertThat(deletion.status()).isEqualTo(412);
    assertThat(elsewhere.patch(path, "{\"name\": \"Third\"}", "If-Match", second.etag()).status())
        .isEqualTo(200);
  }

  @Test
  void ofManyWhoChangeAtOnceExactlyOneWins() {
    Reply created = create("Race", "");
    List<CompletableFuture<Reply>> replies =
        IntStream.range(0, 8)
            .mapToObj(
                i ->
                    CompletableFuture.supplyAsync(
                        () ->
                            (i % 2 == 0 ? client : elsewhere)
                                .patch(
                                    created.header("Location"),
                                    "{\"name\": \"Racer " + i + "\"}",
                                    "If-Match",
                                    created.etag())))
            .toList();

    assertThat(replies.stream().map(CompletableFuture::join).map(Reply::status))
        .containsOnlyOnce(200)
        .containsOnly(200, 412);
  }

  @Test
  void aChangeWithPsqlChangesTheTag() {
    Reply created = create("Stranger", "");
    long id = created.data().path("id").asLong();
    cluster
        .shard(created.header("Waymark-Shard"))
        .primary()
        .execute("UPDATE users SET name = 'Changed elsewhere' WHERE id = " + id);

    assertThat(
            client
                .patch(created.header("Location"), "{\"name\": \"x\"}", "If-Match", created.etag())
                .status())
        .isEqualTo(412);
  }

  // ---- the look-up by address
  // --------------------------------------------------------------------

  @Test
  void aUserIsFoundByAddressWhateverItsShard() {
    for (int i = 0; i < 3; i++) {
      Reply created = create("Found", "");
      String email = created.data().path("email").asText();
      Reply found =
          elsewhere.get(
              "/api/users?email=" + email.toUpperCase(java.util.Locale.ROOT),
              "Waymark-Session",
              created.token());

      assertThat(found.status()).isEqualTo(200);
      assertThat(found.data()).containsExactly(created.data());
    }
    assertThat(client.get("/api/users?email=nobody@example.org").status()).isEqualTo(404);
    assertThat(client.get("/api/users?email=nobody").faults())
        .isEqualTo("email must look like name@example.org");
    assertThat(client.get("/api/users?email=a@b.cd&sort=id").faults())
        .isEqualTo("email goes with no page, sort or filter: one user at most has it");
  }

  @Test
  void anAddressThatIsGivenUpFindsNobodyAndIsFree() {
    Reply created = create("Mover", "");
    String old = created.data().path("email").asText();
    String newer = email();
    Reply moved = client.patch(created.header("Location"), "{\"email\": \"" + newer + "\"}");

    assertThat(client.get("/api/users?email=" + old, "Waymark-Session", moved.token()).status())
        .isEqualTo(404);
    assertThat(client.get("/api/users?email=" + newer, "Waymark-Session", moved.token()).status())
        .isEqualTo(200);
    assertThat(elsewhere.post("/api/users", user("Heir", old)).status()).isEqualTo(201);
    // And back, where it is taken now.
    assertThat(client.patch(created.header("Location"), "{\"email\": \"" + old + "\"}").status())
        .isEqualTo(409);
    assertThat(client.get("/api/users?email=" + newer, "Waymark-Session", moved.token()).status())
        .isEqualTo(200);
  }

  // ---- repetitions -----------------------------------------------------------------------------

  @Test
  void aRepeatedPostGetsTheSameAnswerAndCreatesNothing() {
    String draft = user("Once", email());
    Reply first = client.post("/api/users", draft, "Idempotency-Key", "key-1");
    // Even when the user has moved on.
    client.patch(first.header("Location"), user("Meanwhile", email()));
    Reply again = elsewhere.post("/api/users", draft, "Idempotency-Key", "key-1");

    assertThat(first.status()).isEqualTo(201);
    assertThat(first.header("Idempotent-Replayed")).isEmpty();
    assertThat(again.status()).isEqualTo(201);
    assertThat(again.header("Idempotent-Replayed")).isEqualTo("true");
    assertThat(again.data()).isEqualTo(first.data());
    assertThat(again.header("Location")).isEqualTo(first.header("Location"));
    assertThat(again.etag()).isEqualTo(first.etag());
  }

  @Test
  void aRepeatedOrderIsOneOrder() {
    String path = create("Buyer", "").header("Location") + "/orders";
    Reply first = client.post(path, order(2, "3.00"), "Idempotency-Key", "order-1");
    Reply again = elsewhere.post(path, order(2, "3.00"), "Idempotency-Key", "order-1");

    assertThat(again.data()).isEqualTo(first.data());
    assertThat(client.get(path, "Waymark-Session", again.token()).data()).hasSize(1);
  }

  @Test
  void theSameKeyWithAnotherRequestIsRefused() {
    client.post("/api/users", user("Mine", email()), "Idempotency-Key", "key-2");
    String path = create("Buyer", "").header("Location") + "/orders";
    client.post(path, order(1, "3.00"), "Idempotency-Key", "key-2");

    assertThat(
            client.post("/api/users", user("Other", email()), "Idempotency-Key", "key-2").status())
        .isEqualTo(422);
    assertThat(client.post(path, order(2, "3.00"), "Idempotency-Key", "key-2").errorCode())
        .isEqualTo("idempotency_key_reused");
    assertThat(client.post(path, order(2, "3.00"), "Idempotency-Key", "not one word").faults())
        .isEqualTo("Idempotency-Key must be 1 to 255 visible ASCII characters");
  }

  @Test
  void ofManyRepetitionsAtOnceOneCreates() {
    String draft = user("Impatient", email());
    List<CompletableFuture<Reply>> replies =
        IntStream.range(0, 8)
            .mapToObj(
                i ->
                    CompletableFuture.supplyAsync(
                        () ->
                            (i % 2 == 0 ? client : elsewhere)
                                .post("/api/users", draft, "Idempotency-Key", "key-3")))
            .toList();
    List<Reply> all = replies.stream().map(CompletableFuture::join).toList();

    assertThat(all).extracting(Reply::status).containsOnly(201);
    assertThat(all.stream().map(Reply::data).distinct()).hasSize(1);
    assertThat(all.stream().filter(each -> each.header("Idempotent-Replayed").isEmpty()))
        .hasSize(1);
  }

  @Test
  void anAnswerSurvivesTheServiceAndIsForgottenAfterADay() {
    String draft = user("Survivor", email());
    Reply first;
    try (SampleService shortLived = SampleService.open(config)) {
      first =
          new Client(shortLived.serve("127.0.0.1", 0).port())
              .post("/api/users", draft, "Idempotency-Key", "key-4");
    }
    assertThat(client.post("/api/users", draft, "Idempotency-Key", "key-4").data())
        .isEqualTo(first.data());

    cluster
        .shards()
        .forEach(
            shard ->
                shard
                    .primary()
                    .execute(
                        "UPDATE idempotency_keys SET created_at = now() - interval '25 hours'"
                            + " WHERE key LIKE '%key-4'"));
    service.reaper().runOnce();
    // Now it is a request like any other, for an address that is taken.
    assertThat(client.post("/api/users", draft, "Idempotency-Key", "key-4").status())
        .isEqualTo(409);
  }

  @Test
  void aRefusedPostMayBeTriedAgainWithItsKey() {
    Reply holder = create("Holder", "");
    String draft = user("Patient", holder.data().path("email").asText());

    assertThat(client.post("/api/users", draft, "Idempotency-Key", "key-5").status())
        .isEqualTo(409);
    client.delete(holder.header("Location"));
    assertThat(client.post("/api/users", draft, "Idempotency-Key", "key-5").status())
        .isEqualTo(201);
  }

  // ---- versions --------------------------------------------------------------------------------

  @Test
  void version2GivesIdsAsTextsHoweverItIsAskedFor() {
    Reply created = client.post("/api/v2/users", user("Second", email()));
    String id = created.data().path("id").textValue();

    assertThat(created.header("Location")).isEqualTo("/api/v2/users/" + id);
    for (Reply reply :
        new Reply[] {
          client.get("/api/v2/users/" + id, "Waymark-Session", created.token()),
          client.get("/api/users/" + id, "Waymark-Session", created.token(), "Api-Version", "2"),
          client.get("/api/users/" + id + "?version=2", "Waymark-Session", created.token())
        }) {
      assertThat(reply.data()).isEqualTo(created.data());
      assertThat(reply.header("Api-Version")).isEqualTo("2");
      assertThat(reply.header("Deprecation")).isEmpty();
    }
    Reply order = client.post("/api/v2/users/" + id + "/orders", order(1, "1"));
    assertThat(order.data().path("id").isTextual()).isTrue();
    assertThat(order.data().path("user_id").textValue()).isEqualTo(id);
  }

  @Test
  void version1SaysThatItIsDeprecatedAndWhatSucceedsIt() {
    Reply reply = client.get("/api/v1/users?limit=1");

    assertThat(reply.header("Api-Version")).isEqualTo("1");
    assertThat(reply.header("Deprecation")).matches("@\\d+");
    assertThat(reply.header("Sunset")).isEqualTo("Mon, 1 Nov 2027 00:00:00 GMT");
    assertThat(reply.response().headers().allValues("Link"))
        .contains("</openapi/v2.json>; rel=\"successor-version\"");
  }

  @Test
  void versionsThatDisagreeOrDoNotExistAreRefused() {
    assertThat(client.get("/api/v1/users", "Api-Version", "2").errorCode())
        .isEqualTo("version_conflict");
    assertThat(client.get("/api/v1/users?version=2").errorCode()).isEqualTo("version_conflict");
    assertThat(client.get("/api/users?version=1", "Api-Version", "2").status()).isEqualTo(400);
    assertThat(client.get("/api/v3/users").errorCode()).isEqualTo("unknown_version");
    assertThat(client.get("/api/users", "Api-Version", "latest").errorCode())
        .isEqualTo("unknown_version");
  }

  // ---- caching ---------------------------------------------------------------------------------

  @Test
  void equalTagsMeanEqualBytesFromEveryNodeAndTier() {
    Reply created = create("Bytes", "");
    String path = created.header("Location");
    Set<String> bodies = new HashSet<>();
    Set<String> tags = new HashSet<>();
    for (int i = 0; i < 10; i++) {
      for (Client each : List.of(client, elsewhere)) {
        Reply reply =
            i % 3 == 0 ? each.get(path, "Waymark-Session", created.token()) : each.get(path);
        if (reply.status() == 200) {
          bodies.add(reply.response().body());
          tags.add(reply.etag());
        }
      }
    }
    assertThat(tags).containsExactly(created.etag());
    assertThat(bodies).hasSize(1);
  }

  @Test
  void whatTheClientHasIsNotSentAgain() {
    Reply created = create("Known", "");
    String path = created.header("Location");
    String token = created.token();
    Reply list = client.get("/api/users?limit=3&name=Known", "Waymark-Session", token);

    for (String each : new String[] {path, path + "/profile"}) {
      Reply known = client.get(each, "Waymark-Session", token, "If-None-Match", created.etag());
      assertThat(known.status()).isEqualTo(304);
      assertThat(known.response().body()).isEmpty();
      assertThat(known.etag()).isEqualTo(created.etag());
      assertThat(known.header("Vary")).isEqualTo("Api-Version, Waymark-Session, Cookie");
    }
    assertThat(
            client
                .get(
                    "/api/users?limit=3&name=Known",
                    "Waymark-Session",
                    token,
                    "If-None-Match",
                    list.etag())
                .status())
        .isEqualTo(304);
    assertThat(
            client
                .get(
                    "/api/v2" + path.substring(4),
                    "Waymark-Session",
                    token,
                    "If-None-Match",
                    created.etag())
                .status())
        .isEqualTo(200);

    Reply changed = client.patch(path, "{\"name\": \"Known better\"}");
    // Whoever wrote is never told that the old one still stands.
    assertThat(
            elsewhere
                .get(path, "Waymark-Session", changed.token(), "If-None-Match", created.etag())
                .data())
        .isEqualTo(changed.data());
    assertThat(
            client
                .get(
                    "/api/users?limit=3&name=Known",
                    "Waymark-Session",
                    changed.token(),
                    "If-None-Match",
                    list.etag())
                .status())
        .isEqualTo(200);
  }

  @Test
  void everyAnswerSaysWhoMayKeepIt() {
    Reply created = create("Kept", "");
    String path = created.header("Location");

    assertThat(created.header("Cache-Control")).isEqualTo("no-store");
    assertThat(client.get("/api/users/9999").header("Cache-Control")).isEqualTo("no-store");
    assertThat(client.get(path).header("Cache-Control")).isEqualTo("private, no-cache");
    assertThat(client.get(path).header("CDN-Cache-Control")).isEqualTo("no-store");
    assertThat(client.get(path + "/orders").header("Cache-Control")).isEqualTo("no-store");
    await().untilAsserted(() -> assertThat(client.get(path + "/profile").status()).isEqualTo(200));
    Reply profile = client.get(path + "/profile");
    assertThat(profile.header("Cache-Control")).isEqualTo("public, no-cache");
    assertThat(profile.header("Surrogate-Key"))
        .isEqualTo("user-" + created.data().path("id").asText());
    assertThat(profile.token()).isEmpty();
    assertThat(profile.cookie()).isEmpty();
    Reply ownProfile = client.get(path + "/profile", "Waymark-Session", created.token());
    assertThat(ownProfile.header("Cache-Control")).isEqualTo("private, no-cache");
    assertThat(ownProfile.header("Surrogate-Key")).isEmpty();
  }

  @Test
  void headAnswersLikeGetWithoutABody() {
    Reply created = create("Head", "");
    Reply head =
        client.send(
            client
                .request(created.header("Location"), "Waymark-Session", created.token())
                .method("HEAD", java.net.http.HttpRequest.BodyPublishers.noBody()));

    assertThat(head.status()).isEqualTo(200);
    assertThat(head.etag()).isEqualTo(created.etag());
    assertThat(head.response().body()).isEmpty();
  }

  // ---- problems
  // ----------------------------------------------------------------------------------

  @Test
  void problemsAreDocumentsWithATypeThatExplainsThem() {
    Reply reply = client.get("/api/users/9999");

    assertThat(reply.header("Content-Type")).isEqualTo("application/problem+json");
    assertThat(reply.body().path("status").asInt()).isEqualTo(404);
    assertThat(reply.body().path("success").asBoolean(true)).isFalse();
    assertThat(reply.body().at("/meta/request_id").asText())
        .isEqualTo(reply.header("X-Request-Id"));
    Reply type = client.get(reply.body().path("type").asText());
    assertThat(type.status()).isEqualTo(200);
    assertThat(type.data().path("code").asText()).isEqualTo("no_such_user");
    assertThat(client.get("/problems").data()).hasSize(Problem.values().length);
  }

  // ---- the rest
  // ----------------------------------------------------------------------------------

  private static List<String> names(Reply page) {
    return page.data().findValuesAsText("name");
  }

  private static Reply create(String name, String token) {
    Reply created =
        token.isEmpty()
            ? client.post("/api/users", user(name, email()))
            : client.post("/api/users", user(name, email()), "Waymark-Session", token);
    assertThat(created.status()).as(created.response().body()).isEqualTo(201);
    return created;
  }

  private static String email() {
    return "rest" + NUMBERS.incrementAndGet() + "@example.org";
  }

  private static String user(String name, String email) {
    return Json.text(new Users.Draft(name, email));
  }

  private static String order(int quantity, String price) {
    return "{\"items\": [{\"sku\": \"A-1\", \"quantity\": "
        + quantity
        + ", \"unit_price\": "
        + price
        + "}]}";
  }
}
