package dev.waymark.sample;

import dev.waymark.Outcome;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Describes the API in OpenAPI 3.1: the paths from the operations that the routes are made of, the
 * schemas of answers from the records that are written as JSON, the schemas of bodies from the
 * limits that are checked.
 */
final class OpenApi {
  /** What every operation of the API can answer besides its own. */
  private static final List<Problem> EVERYWHERE =
      List.of(
          Problem.VERSION_CONFLICT,
          Problem.UNKNOWN_VERSION,
          Problem.REQUEST_TIMEOUT,
          Problem.TOO_MANY_REQUESTS,
          Problem.INTERNAL,
          Problem.UNAVAILABLE);

  private OpenApi() {}

  /** The description of one version, as a tree for JSON. */
  static Map<String, Object> describe(ApiVersion version, List<Operation> operations) {
    Map<String, Object> paths = new LinkedHashMap<>();
    for (Operation operation : operations) {
      @SuppressWarnings("unchecked") // Put there in the line itself.
      Map<String, Object> path =
          (Map<String, Object>)
              paths.computeIfAbsent(operation.path(), name -> new LinkedHashMap<String, Object>());
      path.put(operation.method().name().toLowerCase(Locale.ROOT), describe(version, operation));
    }
    return map(
        "openapi",
        "3.1.0",
        "info",
        map(
            "title",
            "Waymark sample service",
            "version",
            version.number() + ".0.0",
            "summary",
            "Users and orders, sharded over PostgreSQL",
            "description",
            "The version may also be asked for by the header Api-Version or the parameter version,"
                + " at /api. Send the header Waymark-Session (or the cookie) that an answer bore, and"
                + " you read what you have written.",
            "license",
            map("name", "Apache-2.0", "identifier", "Apache-2.0")),
        "servers",
        List.of(map("url", version.prefix())),
        "paths",
        paths,
        "components",
        map("schemas", schemas(version)));
  }

  private static Map<String, Object> describe(ApiVersion version, Operation operation) {
    Map<String, Object> described = map("operationId", operation.id());
    described.put("summary", operation.summary());
    described.put(
        "tags",
        List.of(operation.path().matches(".*/(orders|checkout)\\b.*") ? "orders" : "users"));
    if (version.isDeprecated()) {
      described.put("deprecated", true);
    }
    described.put("parameters", operation.parameters().stream().map(OpenApi::describe).toList());
    Operation.Body body = operation.body();
    if (body != null) {
      Map<String, Object> content = new LinkedHashMap<>();
      body.mediaTypes().forEach(type -> content.put(type, map("schema", reference(body.schema()))));
      described.put(
          "requestBody",
          map("required", true, "description", body.description(), "content", content));
    }
    described.put("responses", responses(operation));
    return described;
  }

  private static Map<String, Object> describe(Operation.Parameter parameter) {
    return map(
        "name",
        parameter.name(),
        "in",
        parameter.place().name().toLowerCase(Locale.ROOT),
        "required",
        parameter.isRequired(),
        "description",
        parameter.description(),
        "schema",
        parameter.schema());
  }

  private static Map<String, Object> responses(Operation operation) {
    Map<String, Object> responses = new TreeMap<>();
    Map<Integer, List<Problem>> problems = new TreeMap<>();
    for (Operation.Answer answer : operation.answers()) {
      if (answer instanceof Operation.Answer.Failure failure) {
        problems
            .computeIfAbsent(failure.problem().status(), status -> new ArrayList<>())
            .add(failure.problem());
      } else if (answer instanceof Operation.Answer.Success success) {
        responses.put("" + success.status(), describe(success));
      }
    }
    for (Problem problem : EVERYWHERE) {
      problems.computeIfAbsent(problem.status(), status -> new ArrayList<>()).add(problem);
    }
    problems.forEach(
        (status, same) ->
            responses.put(
                "" + status,
                map(
                    "description",
                    same.stream()
                        .map(problem -> problem.code() + ": " + problem.title())
                        .collect(Collectors.joining("; ")),
                    "content",
                    map(Replies.PROBLEM_JSON, map("schema", reference("Problem"))))));
    return responses;
  }

  private static Map<String, Object> describe(Operation.Answer.Success success) {
    Map<String, Object> response = map("description", success.description());
    if (success.schema() != null) {
      Map<String, Object> item = reference(success.schema());
      response.put(
          "content",
          map(
              Replies.JSON,
              map(
                  "schema",
                  object(
                      map(
                          "success",
                          map("const", true),
                          "data",
                          success.isList() ? map("type", "array", "items", item) : item,
                          "meta",
                          reference("Meta"))))));
    }
    return response;
  }

  // ---- schemas ---------------------------------------------------------------------------------

  private static Map<String, Object> schemas(ApiVersion version) {
    boolean isFirst = version == ApiVersion.V1;
    Map<String, Object> schemas = new LinkedHashMap<>();
    schemas.put("User", ofRecord(isFirst ? Views.UserV1.class : Views.UserV2.class));
    schemas.put("Profile", ofRecord(isFirst ? Views.ProfileV1.class : Views.ProfileV2.class));
    Map<String, Object> order =
        ofRecord(isFirst ? Views.OrderV1.class : Views.OrderV2.class, "cancel_reason");
    put(order, "status", words(Order.Status.values(), Order.Status::word));
    put(order, "cancel_reason", words(Checkouts.Reason.values(), Checkouts.Reason::word));
    schemas.put("Order", order);
    schemas.put("Item", ofRecord(Order.Item.class));
    Map<String, Object> name = text(Users.LONGEST_NAME, "Ada Lovelace");
    Map<String, Object> email =
        like(
            "ada@example.org",
            "type",
            "string",
            "format",
            "email",
            "maxLength",
            Input.LONGEST_EMAIL);
    schemas.put("UserDraft", object(map("name", name, "email", email)));
    Map<String, Object> change = object(map("name", name, "email", email));
    change.remove("required");
    change.put("minProperties", 1);
    schemas.put("UserChange", change);
    schemas.put("OrderDraft", object(map("items", items())));
    schemas.put("Fault", ofRecord(Fault.class));
    schemas.put("Problem", ofRecord(Replies.ProblemDocument.class, "outcome", "faults"));
    Map<String, Object> meta =
        object(
            map(
                "timestamp",
                map("type", "string", "format", "date-time"),
                "limit",
                map("type", "integer"),
                "next",
                map("type", "string"),
                "request_id",
                map("type", "string")));
    meta.put("required", List.of("timestamp"));
    schemas.put("Meta", meta);
    return schemas;
  }

  private static Map<String, Object> items() {
    return map(
        "type",
        "array",
        "minItems",
        1,
        "maxItems",
        Order.MOST_ITEMS,
        "items",
        object(
            map(
                "sku",
                text(Order.LONGEST_SKU, "LAMP-1"),
                "quantity",
                like(2, "type", "integer", "minimum", 1, "maximum", Order.LARGEST_QUANTITY),
                "unit_price",
                like(
                    new BigDecimal("19.99"),
                    "type",
                    "number",
                    "minimum",
                    0,
                    "maximum",
                    Input.LARGEST_AMOUNT,
                    "multipleOf",
                    new BigDecimal("0.01")))));
  }

  /** Says more of a property than its type does. */
  private static void put(Map<String, Object> object, String property, Map<String, Object> schema) {
    @SuppressWarnings("unchecked") // Every object is made by object(…).
    Map<String, Object> properties =
        (Map<String, Object>) Objects.requireNonNull(object.get("properties"));
    properties.put(property, schema);
  }

  private static <E extends Enum<E>> Map<String, Object> words(
      E[] values, Function<E, String> word) {
    return map("type", "string", "enum", Arrays.stream(values).map(word).toList());
  }

  private static Map<String, Object> text(int longest, String example) {
    return like(example, "type", "string", "minLength", 1, "maxLength", longest, "pattern", "\\S");
  }

  /**
   * A schema with a value that fits it. Left alone, the page to try the API makes values up, such
   * as one letter for a name.
   */
  private static Map<String, Object> like(Object example, Object... schema) {
    Map<String, Object> described = map(schema);
    described.put("examples", List.of(example));
    return described;
  }

  /** The schema of a record as JSON writes it; components that may be absent are named. */
  private static Map<String, Object> ofRecord(Class<? extends Record> type, String... optional) {
    Map<String, Object> properties = new LinkedHashMap<>();
    for (RecordComponent component : type.getRecordComponents()) {
      properties.put(snakeCase(component.getName()), of(component.getGenericType()));
    }
    Map<String, Object> schema = object(properties);
    List<String> required = new ArrayList<>(properties.keySet());
    required.removeAll(Arrays.asList(optional));
    schema.put("required", required);
    return schema;
  }

  private static Map<String, Object> of(Type type) {
    if (type == long.class) {
      return map("type", "integer", "format", "int64");
    } else if (type == int.class) {
      return map("type", "integer", "format", "int32");
    } else if (type == boolean.class) {
      return map("type", "boolean");
    } else if (type == String.class) {
      return map("type", "string");
    } else if (type == BigDecimal.class) {
      return map("type", "number");
    } else if (type == Instant.class) {
      return map("type", "string", "format", "date-time");
    } else if (type == Order.Item.class) {
      return reference("Item");
    } else if (type == Fault.class) {
      return reference("Fault");
    } else if (type == Outcome.class) {
      return map(
          "type", "string", "enum", Arrays.stream(Outcome.values()).map(Enum::name).toList());
    } else if (type instanceof ParameterizedType list && list.getRawType() == List.class) {
      return map("type", "array", "items", of(list.getActualTypeArguments()[0]));
    } else if (type instanceof ParameterizedType map && map.getRawType() == Map.class) {
      // The one map that answers have.
      return reference("Meta");
    }
    throw new IllegalArgumentException("No schema is known for " + type);
  }

  private static String snakeCase(String name) {
    return name.replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
  }

  private static Map<String, Object> reference(String schema) {
    return map("$ref", "#/components/schemas/" + schema);
  }

  /** All properties are required, and there are no others. */
  private static Map<String, Object> object(Map<String, Object> properties) {
    return map(
        "type",
        "object",
        "required",
        List.copyOf(properties.keySet()),
        "properties",
        properties,
        "additionalProperties",
        false);
  }

  /** Names and values in turn. */
  private static Map<String, Object> map(Object... namesAndValues) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      map.put((String) namesAndValues[i], namesAndValues[i + 1]);
    }
    return map;
  }
}
