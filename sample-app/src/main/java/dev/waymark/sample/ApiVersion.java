package dev.waymark.sample;

import io.javalin.http.Context;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A version of the API. Version 2 gives ids as texts: they have 64 bits, and a JavaScript client
 * reads numbers beyond 2^53 as another user's.
 *
 * <p>One rule resolves all three ways of asking for a version: the path ({@code /api/v2/users}),
 * the header {@code Api-Version: 2}, the parameter {@code ?version=2}. Whatever is said must agree;
 * if nothing is said, it is version 1, which the oldest clients expect.
 */
enum ApiVersion {
  V1(1),
  V2(2);

  static final String HEADER = "Api-Version";
  static final String PARAMETER = "version";

  /** Since when nobody should begin to use version 1 (RFC 9745). */
  static final Instant V1_DEPRECATED = Instant.parse("2026-11-01T00:00:00Z");

  /** When version 1 may cease to answer (RFC 8594). */
  static final Instant V1_SUNSET = Instant.parse("2027-11-01T00:00:00Z");

  private static final String ATTRIBUTE = ApiVersion.class.getName();
  private static final DateTimeFormatter HTTP_DATE =
      DateTimeFormatter.RFC_1123_DATE_TIME.withLocale(Locale.ROOT).withZone(ZoneOffset.UTC);
  private static final String DEPRECATED_TEXT = "@" + V1_DEPRECATED.getEpochSecond();
  private static final String SUNSET_TEXT = HTTP_DATE.format(V1_SUNSET);
  private static final String BEFORE_VERSION = "/api/v";

  private final int number;
  private final String text;

  ApiVersion(int number) {
    this.number = number;
    this.text = Integer.toString(number);
  }

  int number() {
    return number;
  }

  boolean isDeprecated() {
    return this == V1;
  }

  /** Where the paths of this version begin that say it. */
  String prefix() {
    return BEFORE_VERSION + text;
  }

  /** Where paths of the API begin: without a version, and with each. */
  static List<String> prefixes() {
    List<String> prefixes = new ArrayList<>(List.of("/api"));
    for (ApiVersion version : values()) {
      prefixes.add(version.prefix());
    }
    return prefixes;
  }

  /** Resolves a request's version, keeps it for {@link #of}, and says it in the answer. */
  static void resolve(Context context) {
    ApiVersion version =
        resolve(
            context.path(),
            Collections.list(context.req().getHeaders(HEADER)),
            context.queryParams(PARAMETER));
    context.attribute(ATTRIBUTE, version);
    context.header(HEADER, version.text);
    if (version.isDeprecated()) {
      context.header("Deprecation", DEPRECATED_TEXT);
      context.header("Sunset", SUNSET_TEXT);
      context.addHeader("Link", "</openapi/v2.json>; rel=\"successor-version\"");
    }
  }

  /** The version that a request is for; the first one where it was not resolved. */
  static ApiVersion of(Context context) {
    ApiVersion version = context.attribute(ATTRIBUTE);
    return version == null ? V1 : version;
  }

  /**
   * Where other resources are, seen from a request: with the version in the path if that has it, so
   * that a client who asks that way stays with it.
   */
  static String base(Context context) {
    String inPath = inPath(context.path());
    return inPath == null ? "/api" : BEFORE_VERSION + inPath;
  }

  /**
   * Which version a request is for.
   *
   * @param headers each value of the header
   * @param parameters each value of the parameter
   * @throws Refusal if there is no such version, or two places disagree
   */
  static ApiVersion resolve(String path, List<String> headers, List<String> parameters) {
    String said = inPath(path);
    for (String header : headers) {
      said = agreed(said, header.trim());
    }
    for (String parameter : parameters) {
      said = agreed(said, parameter);
    }
    if (said == null) {
      return V1;
    }
    for (ApiVersion each : values()) {
      if (said.equals(each.text)) {
        return each;
      }
    }
    throw Refusal.of(
        Problem.UNKNOWN_VERSION, "This service knows the versions 1 and 2, and no other.");
  }

  private static String agreed(@Nullable String before, String said) {
    if (before != null && !before.equals(said)) {
      throw Refusal.of(
          Problem.VERSION_CONFLICT,
          "The request asks for more than one version: its path, header and parameters must agree.");
    }
    return said;
  }

  /** The segment after {@code /api/v} if it begins with a digit; every request asks for it. */
  private static @Nullable String inPath(String path) {
    int start = BEFORE_VERSION.length();
    if (!path.startsWith(BEFORE_VERSION)
        || path.length() == start
        || path.charAt(start) < '0'
        || path.charAt(start) > '9') {
      return null;
    }
    int end = path.indexOf('/', start);
    return end < 0 ? path.substring(start) : path.substring(start, end);
  }
}
