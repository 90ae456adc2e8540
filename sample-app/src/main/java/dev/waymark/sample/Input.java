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
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a client sent, read value by value. It notes everything that is wrong and refuses all of it
 * at once in {@link #check}; until then a wrong value reads as a harmless one.
 *
 * <p>A JSON mapper straight into a record would stop at the first fault.
 */
final class Input {
  /** RFC 5321 allows no longer address on a mail's way. */
  private static final int LONGEST_EMAIL = 254;

  /** What {@code numeric(10,2)} holds. */
  private static final BigDecimal LARGEST_AMOUNT = new BigDecimal("99999999.99");

  /** Enough to catch a slip of the pen; whether the address exists only a mail can tell. */
  private static final Pattern EMAIL = Pattern.compile("[^\\s@]+@[^\\s@.]+(\\.[^\\s@.]+)+");

  private static final Pattern WHOLE_NUMBER = Pattern.compile("-?\\d{1,19}");
  private static final Pattern JSON_IN_UTF_8 =
      Pattern.compile(
          "application/json\\s*(;\\s*charset\\s*=\\s*\"?utf-8\"?\\s*)?", Pattern.CASE_INSENSITIVE);

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
  private final @Nullable JsonNode body;

  private Input(@Nullable JsonNode body) {
    this.body = body;
  }

  /** Parameters of the URL only. */
  static Input withoutBody() {
    return new Input(null);
  }

  /**
   * The body of a request.
   *
   * @throws Refusal if it is not a JSON object
   */
  static Input body(Context context) {
    String type = context.contentType();
    if (type == null || !JSON_IN_UTF_8.matcher(type.trim()).matches()) {
      throw Refusal.notJson();
    }
    return body(context.bodyAsBytes());
  }

  static Input body(byte[] json) {
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
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    if (!body.isObject()) {
      throw Refusal.invalidJson(
          body.isMissingNode() ? "The body is empty." : "The body must be a JSON object.");
    }
    return new Input(body);
  }

  /** A text that is not blank and not longer than the given number of characters. */
  String text(String field, int longest) {
    JsonNode value = value(field);
    if (value == null) {
      return "";
    }
    if (!value.isTextual()) {
      return wrong(field, "must be a text", "");
    }
    String text = value.textValue();
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

  String email(String field) {
    int before = faults.size();
    String email = text(field, LONGEST_EMAIL);
    return faults.size() > before || EMAIL.matcher(email).matches()
        ? email
        : wrong(field, "must look like name@example.org", "");
  }

  /** An amount of money: not negative, at most two decimal places. */
  BigDecimal amount(String field) {
    JsonNode value = value(field);
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

  /** How many rows the client wants at most. */
  int limit(Context context, int usual, int most) {
    String text = context.queryParam("limit");
    return text == null ? usual : limit(text, most);
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
    if (!faults.isEmpty()) {
      throw Refusal.invalidInput(faults);
    }
  }

  private @Nullable JsonNode value(String field) {
    known.add(field);
    JsonNode value = body == null ? null : body.get(field);
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
