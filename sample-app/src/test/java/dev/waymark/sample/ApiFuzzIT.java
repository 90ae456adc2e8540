package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.Error;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import dev.waymark.SessionTokenFormat;
import dev.waymark.sample.RawHttp.Answer;
import dev.waymark.testkit.TestCluster;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Asks for everything that the description offers, in ways that it allows and in ways that it does
 * not. Whatever is sent, the answer is one that the description knows, in the form that it says;
 * never a failure of the service.
 */
@Timeout(300)
class ApiFuzzIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int REQUESTS_PER_OPERATION = 120;

  /** As text of a path or parameter, header, or field. */
  private static final List<String> JUNK =
      List.of(
          "",
          " ",
          "'",
          "' OR '1'='1",
          "1; DROP TABLE users; --",
          "1 UNION SELECT * FROM users",
          "\\",
          "%",
          "_",
          "../../etc/passwd",
          "<script>alert(1)</script>",
          "🦉",
          "\ud83e",
          "a\u0000b",
          "a\r\nX-Injected: yes",
          "\u202e",
          "٣",
          "-1",
          "0",
          "9223372036854775807",
          "9223372036854775808",
          "-9223372036854775808",
          "1e309",
          "NaN",
          "null",
          "true",
          "{}",
          "[]",
          "0001-01-01T00:00:00Z",
          "+999999999-12-31T23:59:59Z",
          "2026-02-30T00:00:00Z",
          "x".repeat(300),
          "x".repeat(5_000));

  /** As they stand, in a URL: not even well-formed. */
  private static final List<String> RAW_JUNK =
      List.of(
          "%00",
          "%zz",
          "%",
          "%ff%fe",
          "%0d%0aX-Injected:%20yes",
          "%2e%2e%2f",
          ";a=b",
          "%c0%ae",
          "%u0041",
          "|",
          "^");

  private static TestCluster cluster;
  private static SampleService service;
  private static int port;

  private final Random random = new Random(20261127);
  private final List<String> userIds = new ArrayList<>(List.of("1"));
  private final List<String[]> orders = new ArrayList<>(List.<String[]>of(new String[] {"1", "1"}));
  private final List<String> tags = new ArrayList<>(List.of("*"));
  private final Map<String, Schema> schemas = new HashMap<>();
  private JsonNode description;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().shards(2).replicas(0).start();
    service =
        SampleService.open(
            Demo.config(cluster, 100_000)
                .withTokens(SessionTokenFormat.signedWith("a secret for the tests only")));
    SampleSchema.install(service.database());
    port = service.serve("127.0.0.1", 0).port();
  }

  @AfterAll
  static void stop() {
    service.close();
    cluster.close();
  }

  @ParameterizedTest
  @EnumSource(ApiVersion.class)
  void noRequestMakesTheServiceFail(ApiVersion version) throws Exception {
    description =
        JSON.readTree(
            RawHttp.send(
                    port,
                    RawHttp.request(
                        "GET", "/openapi/v" + version.number() + ".json", List.of(), new byte[0]))
                .body());
    String server = description.at("/servers/0/url").asText();
    Map<String, Set<Integer>> seen = new TreeMap<>();
    for (int round = 0; round < REQUESTS_PER_OPERATION; round++) {
      description
          .path("paths")
          .fields()
          .forEachRemaining(
              path ->
                  path.getValue()
                      .fields()
                      .forEachRemaining(
                          operation ->
                              ask(
                                  server,
                                  path.getKey(),
                                  operation.getKey(),
                                  operation.getValue(),
                                  seen)));
    }
    // Not vacuous: every operation has done its work, and refused.
    seen.forEach(
        (operation, statuses) -> {
          assertThat(statuses).as(operation).anyMatch(status -> status / 100 == 2);
          assertThat(statuses).as(operation).anyMatch(status -> status / 100 == 4);
        });
    assertThat(seen).hasSize(11);
  }

  private void ask(
      String server,
      String path,
      String method,
      JsonNode operation,
      Map<String, Set<Integer>> seen) {
    // Half of them are as they should be, or else nothing would ever get as far as the database.
    boolean isFair = random.nextInt(2) == 0;
    // An order is found with its own user only.
    String[] pair = any(orders);
    String user = path.contains("{order}") ? pair[0] : any(userIds);
    StringBuilder target = new StringBuilder(server);
    String filled = path;
    List<String> query = new ArrayList<>();
    List<String> headers = new ArrayList<>();
    boolean mayMissThePath = false;
    for (JsonNode parameter : operation.path("parameters")) {
      String name = parameter.path("name").asText();
      boolean isJunk = !isFair && random.nextInt(3) == 0;
      switch (parameter.path("in").asText()) {
        case "path" -> {
          String value = isJunk ? junkInUrl() : name.equals("id") ? user : pair[1];
          mayMissThePath |= isJunk;
          filled = filled.replace("{" + name + "}", value);
        }
        case "query" -> {
          if (random.nextInt(isFair ? 6 : 2) == 0) {
            query.add(
                name
                    + "="
                    + (isJunk ? junkInUrl() : encoded(fair(name, parameter.path("schema")))));
          }
        }
        default -> {
          if (isJunk) {
            headers.add(name + ": " + any(JUNK).replace("\u0000", ""));
          } else if (parameter.path("required").asBoolean() || random.nextInt(4) == 0) {
            headers.add(
                name + ": " + (name.startsWith("If-") ? anyTag() : "k" + random.nextInt(50)));
          }
        }
      }
    }
    if (!isFair && random.nextInt(4) == 0) {
      query.add(any(List.of("version", "nobody", "limit", "'")) + "=" + junkInUrl());
    }
    if (!isFair && random.nextInt(4) == 0) {
      headers.add(
          any(
                  List.of(
                      "Api-Version",
                      "Waymark-Session",
                      "Cookie",
                      "X-Request-Id",
                      "Accept",
                      "Waymark-Explain",
                      "traceparent"))
              + ": "
              + any(JUNK).replace("\u0000", ""));
    }
    target.append(filled);
    if (!query.isEmpty()) {
      target.append('?').append(String.join("&", query));
    }
    byte[] body = new byte[0];
    JsonNode content = operation.at("/requestBody/content");
    if (content.size() > 0) {
      JsonNode schema = content.elements().next().path("schema");
      body = isFair ? bytes(fair(schema)) : foul(schema);
      headers.add(
          "Content-Type: "
              + (isFair || random.nextInt(4) > 0
                  ? content.fieldNames().next()
                  : any(
                      List.of(
                          "text/plain",
                          "application/xml",
                          "application/json; charset=utf-16",
                          "",
                          "x"))));
    }
    byte[] request =
        RawHttp.request(
            method.toUpperCase(java.util.Locale.ROOT), target.toString(), headers, body);
    Answer answer = RawHttp.send(port, request);
    check(operation, answer, new String(request, StandardCharsets.UTF_8), mayMissThePath);
    seen.computeIfAbsent(operation.path("operationId").asText(), id -> new HashSet<>())
        .add(answer.status());
    remember(answer);
  }

  private void check(JsonNode operation, Answer answer, String request, boolean mayMissThePath) {
    assertThat(answer.status()).as(request).isBetween(200, 499);
    assertThat(answer.header("X-Injected")).as(request).isEmpty();
    JsonNode response = operation.at("/responses/" + answer.status());
    if (response.isMissingNode()) {
      // What the server itself turns down before the operation is known.
      assertThat(answer.status()).as(request + "\n" + answer.body()).isIn(400, 404, 405, 414, 431);
      assertThat(mayMissThePath || answer.status() != 404).as(request).isTrue();
      return;
    }
    JsonNode content = response.path("content");
    if (content.isMissingNode()) {
      assertThat(answer.body()).as(request).isEmpty();
      return;
    }
    if (answer.header("Content-Type").isEmpty()) {
      // The server's own refusal of a request that it could not read.
      assertThat(answer.status()).as(request).isEqualTo(400);
      return;
    }
    String type = answer.header("Content-Type");
    assertThat(content.has(type)).as(request + "\n" + type).isTrue();
    List<Error> errors = schema(content.path(type).path("schema")).validate(read(answer.body()));
    assertThat(errors).as(request + "\n" + answer.body()).isEmpty();
  }

  private Schema schema(JsonNode schema) {
    return schemas.computeIfAbsent(
        schema.toString(),
        text -> {
          ObjectNode root = JsonNodeFactory.instance.objectNode();
          root.set("components", description.path("components"));
          root.set("allOf", JsonNodeFactory.instance.arrayNode().add(schema));
          return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
              .getSchema(root);
        });
  }

  private void remember(Answer answer) {
    String location = answer.header("Location");
    String[] parts = location.split("/");
    if (answer.status() / 100 == 2 && location.contains("/orders/")) {
      orders.add(new String[] {parts[parts.length - 3], parts[parts.length - 1]});
    } else if (answer.status() == 201) {
      userIds.add(parts[parts.length - 1]);
    }
    if (!answer.header("ETag").isEmpty()) {
      tags.add(answer.header("ETag"));
    }
  }

  // ---- values
  // ------------------------------------------------------------------------------------

  private String fair(String name, JsonNode schema) {
    if (name.equals("email")) {
      return "fuzz" + random.nextInt(200) + "@example.org";
    }
    return fair(schema).asText();
  }

  private JsonNode resolved(JsonNode schema) {
    return schema.has("$ref") ? description.at(schema.path("$ref").asText().substring(1)) : schema;
  }

  private JsonNode fair(JsonNode asked) {
    JsonNodeFactory nodes = JsonNodeFactory.instance;
    JsonNode schema = resolved(asked);
    if (schema.has("enum")) {
      return schema.path("enum").get(random.nextInt(schema.path("enum").size()));
    }
    switch (schema.path("type").asText()) {
      case "object" -> {
        ObjectNode object = nodes.objectNode();
        schema
            .path("properties")
            .fields()
            .forEachRemaining(property -> object.set(property.getKey(), fair(property.getValue())));
        return object;
      }
      case "array" -> {
        ArrayNode array = nodes.arrayNode();
        for (int i = 0; i <= random.nextInt(3); i++) {
          array.add(fair(schema.path("items")));
        }
        return array;
      }
      case "integer" -> {
        int least = schema.path("minimum").asInt(1);
        return nodes.numberNode(
            least + random.nextInt(schema.path("maximum").asInt(100) - least + 1));
      }
      case "number" -> {
        return nodes.numberNode(java.math.BigDecimal.valueOf(random.nextInt(9_999_999), 2));
      }
      default -> {
        return nodes.textNode(
            switch (schema.path("format").asText()) {
              case "email" -> "fuzz" + random.nextInt(200) + "@example.org";
              case "date-time" -> "2026-11-27T0" + random.nextInt(10) + ":00:00Z";
              default -> "text " + random.nextInt(1_000);
            });
      }
    }
  }

  /** Something that is wrong in one place or altogether. */
  private byte[] foul(JsonNode schema) {
    JsonNode value = fair(schema);
    switch (random.nextInt(10)) {
      case 0 -> {
        return any(JUNK).getBytes(StandardCharsets.UTF_8);
      }
      case 1 -> {
        return ("[".repeat(8_000)).getBytes(StandardCharsets.UTF_8);
      }
      case 2 -> {
        return "x".repeat(20_000).getBytes(StandardCharsets.UTF_8);
      }
      case 3 -> {
        byte[] bytes = new byte[1 + random.nextInt(100)];
        random.nextBytes(bytes);
        return bytes;
      }
      case 4 -> {
        byte[] cut = bytes(value);
        return java.util.Arrays.copyOf(cut, random.nextInt(cut.length));
      }
      default -> {
        spoil(value);
        return bytes(value);
      }
    }
  }

  private void spoil(JsonNode value) {
    if (value instanceof ObjectNode object) {
      List<String> names = new ArrayList<>();
      object.fieldNames().forEachRemaining(names::add);
      String name = any(names);
      JsonNode inner = object.get(name);
      if (inner.isContainerNode() && random.nextBoolean()) {
        spoil(inner);
        return;
      }
      switch (random.nextInt(4)) {
        case 0 -> object.remove(name);
        case 1 -> object.set(any(List.of("extra", "id", "__proto__", "email ")), junkValue());
        default -> object.set(name, junkValue());
      }
    } else if (value instanceof ArrayNode array && !array.isEmpty()) {
      if (random.nextBoolean()) {
        spoil(array.get(random.nextInt(array.size())));
      } else {
        array.add(junkValue());
      }
    }
  }

  private JsonNode junkValue() {
    JsonNodeFactory nodes = JsonNodeFactory.instance;
    return switch (random.nextInt(9)) {
      case 0 -> nodes.nullNode();
      case 1 -> nodes.booleanNode(true);
      case 2 -> nodes.numberNode(-1);
      case 3 -> nodes.numberNode(Long.MAX_VALUE);
      case 4 -> nodes.numberNode(new java.math.BigDecimal("1E+400"));
      case 5 -> nodes.numberNode(new java.math.BigDecimal("0.00000000001"));
      case 6 -> nodes.arrayNode();
      case 7 -> nodes.objectNode().put("a", 1);
      default -> nodes.textNode(any(JUNK));
    };
  }

  private String junkInUrl() {
    return random.nextInt(3) == 0 ? any(RAW_JUNK) : encoded(any(JUNK));
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  private <T> T any(List<T> some) {
    return some.get(random.nextInt(some.size()));
  }

  /** Most tags are of orders by and by, and change no user. */
  private String anyTag() {
    return random.nextInt(4) == 0 ? "*" : any(tags);
  }

  private static byte[] bytes(JsonNode value) {
    return value.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static JsonNode read(String json) {
    try {
      return JSON.readTree(json);
    } catch (com.fasterxml.jackson.core.JsonProcessingException malformed) {
      throw new AssertionError(json, malformed);
    }
  }
}
