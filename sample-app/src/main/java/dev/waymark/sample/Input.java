package dev.waymark.sample;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.javalin.http.Context;
import java.io.IOException;
import java.math.BigDecimal;
import java.text.Normalizer;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What a client sent, read value by value. It notes everything that is wrong and refuses all of it
 * at once in {@link #check}; until then a wrong value reads as a harmless one.
 *
 * <p>A JSON mapper straight into a record would stop at the first fault.
 */
final class Input {
  /** RFC 5321 allows no longer address on a mail's way. */
  static final int LONGEST_EMAIL = 254;

  /** So that the largest order's total fits {@code numeric(12,2)}. */
  static final BigDecimal LARGEST_AMOUNT = new BigDecimal("99999.99");

  /** Enough to catch a slip of the pen; whether the address exists only a mail can tell. */
  private static final Pattern EMAIL = Pattern.compile("[^\\s@]+@[^\\s@.]+(\\.[^\\s@.]+)+");

  private static final List<String> ITEM_FIELDS = List.of("sku", "quantity", "unit_price");
  private static final Instant EARLIEST = Instant.parse("0001-01-01T00:00:00Z");
  private static final Instant LATEST = Instant.parse("9999-12-31T23:59:59Z");
  private static final Pattern WHOLE_NUMBER = Pattern.compile("-?\\d{1,19}");

  /** RFC 7396's own type goes for a PATCH; its charset is UTF-8 by definition. */
  private static final Pattern JSON_IN_UTF_8 =
      Pattern.compile(
          "application/(merge-patch\\+)?json\\s*(;\\s*charset\\s*=\\s*\"?utf-8\"?\\s*)?",
          Pattern.CASE_INSENSITIVE);

  private static final Pattern IDEMPOTENCY_KEY = Pattern.compile("[\\x21-\\x7E]{1,255}");

  private static final ObjectReader JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          // Otherwise an error's text repeats the body, and so gets personal data into the log.
          .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
          .build()
          .reader();

  private final List<Fault> faults = new ArrayList<>();
  private final Set<String> known = new LinkedHashSet<>();
  private final Set<String> knownParameters = new LinkedHashSet<>(Set.of(ApiVersion.PARAMETER));
  private final Map<String, List<String>> parameters;
  private final @Nullable JsonNode body;

  private Input(Map<String, List<String>> parameters, @Nullable JsonNode body) {
    this.parameters = parameters;
    this.body = body;
  }

  /** Nothing but what is handed over. */
  static Input withoutBody() {
    return new Input(Map.of(), null);
  }

  /** Parameters of the URL only. */
  static Input parameters(Context context) {
    return new Input(context.queryParamMap(), null);
  }

  /** Parameters of the URL, given. */
  static Input parameters(Map<String, List<String>> parameters) {
    return new Input(parameters, null);
  }

  /**
   * The parameters and the body of a request.
   *
   * @throws Refusal if the body is not a JSON object
   */
  static Input body(Context context) {
    String type = context.contentType();
    if (type == null || !JSON_IN_UTF_8.matcher(type.trim()).matches()) {
      throw Refusal.of(
          Problem.UNSUPPORTED_MEDIA_TYPE,
          "Send the body as Content-Type: application/json, in UTF-8.");
    }
    return body(RequestBody.read(context), context.queryParamMap());
  }

  static Input body(byte[] json) {
    return body(json, Map.of());
  }

  private static Input body(byte[] json, Map<String, List<String>> parameters) {
    JsonNode body;
    try {
      body = JSON.readTree(json);
    } catch (JsonProcessingException malformed) {
      JsonLocation at = malformed.getLocation();
      throw Refusal.invalidJson(
          at == null
              ? "The body is not valid JSON."
              : "The body is not valid JSON: look at line %d, column %d."
                  .formatted(at.getLineNr(), at.getColumnNr()));
    } catch (NumberFormatException outOfBounds) {
      // An exponent that no BigDecimal can hold; the parser lets it through.
      throw Refusal.invalidJson("The body holds a number that is out of all bounds.");
    } catch (IOException notText) {
      // Bytes that begin like UTF-16 or UTF-32 and are neither: no fault of JSON for the parser.
      throw Refusal.invalidJson("The body is not text in UTF-8.");
    }
    if (!body.isObject()) {
      throw Refusal.invalidJson(
          body.isMissingNode() ? "The body is empty." : "The body must be a JSON object.");
    }
    return new Input(parameters, body);
  }

  /** Whether the body has a field; it is known from now on. */
  boolean has(String field) {
    known.add(field);
    return body != null && body.has(field);
  }

  /** Notes a fault of the body as a whole, or of what no other method reads. */
  void wrong(String field, String message) {
    faults.add(new Fault(field, message));
  }

  /** A text that is not blank and not longer than the given number of characters. */
  String text(String field, int longest) {
    return text(field, value(field), longest);
  }

  private String text(String field, @Nullable JsonNode value, int longest) {
    if (value == null) {
      return "";
    }
    return value.isTextual()
        ? text(field, value.textValue(), longest)
        : wrong(field, "must be a text", "");
  }

  private String text(String field, String text, int longest) {
    // PostgreSQL counts characters, not UTF-16 units.
    int length = text.codePointCount(0, text.length());
    if (text.isBlank()) {
      return wrong(field, "must not be blank", "");
    }
    if (length > longest) {
      return wrong(field, "must not be longer than %d characters".formatted(longest), "");
    }
    if (text.codePoints().anyMatch(Input::cannotBeStored)) {
      return wrong(field, "must not hold control characters or halves of characters", "");
    }
    return text;
  }

  /**
   * An e-mail address, in lower case: the part before the @ may tell upper from lower by the letter
   * of the standard, but two people whose addresses differ in that only are one person.
   */
  String email(String field) {
    int before = faults.size();
    return email(field, text(field, LONGEST_EMAIL), before);
  }

  private String email(String field, String text, int faultsBefore) {
    if (faults.size() > faultsBefore) {
      return "";
    }
    String email = Normalizer.normalize(text, Normalizer.Form.NFC).toLowerCase(Locale.ROOT);
    // Lower case may be longer: there are letters that become two.
    return EMAIL.matcher(email).matches()
            && email.codePointCount(0, email.length()) <= LONGEST_EMAIL
        ? email
        : wrong(field, "must look like name@example.org", "");
  }

  /** What is bought: at least one item, at most so many. */
  List<Order.Item> items(String field, int most) {
    JsonNode value = value(field);
    if (value == null) {
      return List.of();
    }
    if (!value.isArray() || value.isEmpty() || value.size() > most) {
      return wrong(field, "must be a list of 1 to " + most + " items", List.of());
    }
    List<Order.Item> items = new ArrayList<>();
    for (int i = 0; i < value.size(); i++) {
      JsonNode item = value.get(i);
      String at = field + "[" + i + "]";
      if (!item.isObject()) {
        wrong(at, "must be an object");
        continue;
      }
      item.fieldNames()
          .forEachRemaining(
              name -> {
                if (!ITEM_FIELDS.contains(name)) {
                  wrong(
                      at + "." + name,
                      "is not known here; there are " + String.join(", ", ITEM_FIELDS));
                }
              });
      items.add(
          new Order.Item(
              text(at + ".sku", value(at + ".sku", item, "sku"), Order.LONGEST_SKU),
              quantity(at + ".quantity", value(at + ".quantity", item, "quantity")),
              amount(at + ".unit_price", value(at + ".unit_price", item, "unit_price"))));
    }
    return items;
  }

  private int quantity(String field, @Nullable JsonNode value) {
    if (value == null) {
      return 1;
    }
    return value.isIntegralNumber()
            && value.canConvertToInt()
            && value.intValue() >= 1
            && value.intValue() <= Order.LARGEST_QUANTITY
        ? value.intValue()
        : wrong(field, "must be a whole number from 1 to " + Order.LARGEST_QUANTITY, 1);
  }

  /** An amount of money: not negative, at most two decimal places. */
  BigDecimal amount(String field) {
    return amount(field, value(field));
  }

  private BigDecimal amount(String field, @Nullable JsonNode value) {
    if (value == null) {
      return BigDecimal.ZERO;
    }
    if (!value.isNumber()) {
      return wrong(field, "must be a number", BigDecimal.ZERO);
    }
    BigDecimal amount = value.decimalValue();
    if (amount.signum() < 0) {
      return wrong(field, "must not be negative", BigDecimal.ZERO);
    }
    if (amount.compareTo(LARGEST_AMOUNT) > 0) {
      return wrong(field, "must not be more than " + LARGEST_AMOUNT, BigDecimal.ZERO);
    }
    // Asked last: 1e999999999 has no decimal places, and rounding it would fill the memory.
    if (amount.stripTrailingZeros().scale() > 2) {
      return wrong(field, "must not have more than 2 decimal places", BigDecimal.ZERO);
    }
    return amount.setScale(2);
  }

  /** A key in the path of the URL. */
  long key(Context context, String parameter) {
    return key(parameter, context.pathParam(parameter));
  }

  long key(String parameter, String text) {
    if (WHOLE_NUMBER.matcher(text).matches()) {
      try {
        return Long.parseLong(text);
      } catch (NumberFormatException tooLarge) {
        // Falls through: not a key either.
      }
    }
    return wrong(parameter, "must be a whole number of at most 64 bits", 0L);
  }

  /** A parameter of the URL; null if it is not there. */
  @Nullable String parameter(String name) {
    knownParameters.add(name);
    List<String> values = parameters.getOrDefault(name, List.of());
    if (values.size() > 1) {
      wrong(name, "must be given once");
    }
    return values.isEmpty() ? null : values.get(0);
  }

  /** A parameter of the URL that is a text; null if it is not there. */
  @Nullable String textParameter(String name, int longest) {
    String text = parameter(name);
    return text == null ? null : text(name, text, longest);
  }

  /** A parameter of the URL that is an e-mail address; null if it is not there. */
  @Nullable String emailParameter(String name) {
    String text = parameter(name);
    int before = faults.size();
    return text == null ? null : email(name, text(name, text, LONGEST_EMAIL), before);
  }

  /** A parameter of the URL that is a time; null if it is not there. */
  @Nullable Instant timeParameter(String name) {
    String text = parameter(name);
    if (text == null) {
      return null;
    }
    try {
      Instant time = OffsetDateTime.parse(text).toInstant();
      // What PostgreSQL knows, and a little less.
      if (!time.isBefore(EARLIEST) && !time.isAfter(LATEST)) {
        return time;
      }
      wrong(name, "must lie between the years 1 and 9999");
    } catch (DateTimeException malformed) {
      wrong(name, "must be a time like 2026-11-27T09:00:00Z");
    }
    return null;
  }

  /** A parameter of the URL that is one of a few words; null if it is not there. */
  @Nullable String wordParameter(String name, String... words) {
    String text = parameter(name);
    if (text == null || List.of(words).contains(text)) {
      return text;
    }
    wrong(name, "must be one of: " + String.join(", ", words));
    return null;
  }

  /** How many rows the client wants at most. */
  int limit(int usual, int most) {
    String text = parameter("limit");
    return text == null ? usual : limit(text, most);
  }

  /** The header that makes a POST repeatable; null if it is not there. */
  @Nullable String idempotencyKey(Context context) {
    String key = context.header("Idempotency-Key");
    return key == null ? null : idempotencyKey(key);
  }

  @Nullable String idempotencyKey(String key) {
    if (IDEMPOTENCY_KEY.matcher(key).matches()) {
      return key;
    }
    wrong("Idempotency-Key", "must be 1 to 255 visible ASCII characters");
    return null;
  }

  int limit(String text, int most) {
    return text.matches("\\d{1,9}") && Integer.parseInt(text) >= 1 && Integer.parseInt(text) <= most
        ? Integer.parseInt(text)
        : wrong("limit", "must be a whole number from 1 to " + most, 1);
  }

  /**
   * To be called when every value has been read, and before any of them is used.
   *
   * @throws Refusal if anything was wrong, fields that nobody asked for included
   */
  void check() {
    if (body != null) {
      body.fieldNames()
          .forEachRemaining(
              field -> {
                if (!known.contains(field)) {
                  faults.add(
                      new Fault(field, "is not known here; there are " + String.join(", ", known)));
                }
              });
    }
    parameters
        .keySet()
        .forEach(
            name -> {
              if (!knownParameters.contains(name)) {
                faults.add(
                    new Fault(name, "is no parameter here; there are " + sorted(knownParameters)));
              }
            });
    if (!faults.isEmpty()) {
      throw Refusal.invalidInput(faults);
    }
  }

  private static String sorted(Set<String> names) {
    return names.stream().sorted().collect(Collectors.joining(", "));
  }

  private @Nullable JsonNode value(String field) {
    known.add(field);
    return value(field, body, field);
  }

  private @Nullable JsonNode value(String field, @Nullable JsonNode object, String name) {
    JsonNode value = object == null ? null : object.get(name);
    if (value == null || value.isNull()) {
      faults.add(new Fault(field, "is missing"));
      return null;
    }
    return value;
  }

  private <T> T wrong(String field, String message, T harmless) {
    faults.add(new Fault(field, message));
    return harmless;
  }

  /** PostgreSQL refuses U+0000, and UTF-8 has no half of a surrogate pair. */
  private static boolean cannotBeStored(int codePoint) {
    return Character.isISOControl(codePoint)
        || (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE);
  }
}
