package dev.waymark.sample;

import dev.waymark.sample.Operation.Parameter;
import dev.waymark.sample.Operation.Place;
import java.util.List;
import java.util.Map;

/** The parameters that operations take, and what they may be. */
final class Parameters {
  static final int USUAL_LIMIT = 20;
  static final int LARGEST_LIMIT = 100;

  static final Parameter USER_ID = key("id", "The user");
  static final Parameter ORDER_ID = key("order", "The order");
  static final Parameter LIMIT =
      new Parameter(
          Place.QUERY,
          "limit",
          false,
          Map.of("type", "integer", "minimum", 1, "maximum", LARGEST_LIMIT, "default", USUAL_LIMIT),
          "How many at most");
  static final Parameter PAGE =
      new Parameter(
          Place.QUERY, "page", false, Map.of("type", "string"), "The 'next' of the page before");
  static final Parameter IF_MATCH =
      new Parameter(
          Place.HEADER,
          "If-Match",
          true,
          Map.of("type", "string"),
          "The ETag of what is to be changed, or * for whatever is there");
  static final Parameter IF_NONE_MATCH =
      new Parameter(
          Place.HEADER, "If-None-Match", false, Map.of("type", "string"), "The ETag you have");
  static final Parameter IDEMPOTENCY_KEY =
      new Parameter(
          Place.HEADER,
          "Idempotency-Key",
          false,
          Map.of("type", "string", "minLength", 1, "maxLength", 255, "pattern", "^[!-~]+$"),
          "Any text that you use for this request and its repetitions only");

  private Parameters() {}

  private static Parameter key(String name, String description) {
    return new Parameter(
        Place.PATH, name, true, Map.of("type", "integer", "format", "int64"), description);
  }

  static Parameter text(String name, int longest, String description) {
    return new Parameter(
        Place.QUERY,
        name,
        false,
        Map.of("type", "string", "minLength", 1, "maxLength", longest),
        description);
  }

  static Parameter time(String name, String description) {
    return new Parameter(
        Place.QUERY, name, false, Map.of("type", "string", "format", "date-time"), description);
  }

  static Parameter words(String name, String description, String... words) {
    return new Parameter(
        Place.QUERY, name, false, Map.of("type", "string", "enum", List.of(words)), description);
  }
}
