package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class InputTest {
  @Test
  void everyFaultIsReportedAtOnce() {
    Refusal refusal =
        refusal(
            "{\"name\": \"\", \"email\": \"ada\", \"nmae\": 1}",
            input -> {
              input.text("name", 100);
              input.email("email");
              input.amount("total_amount");
            });

    assertThat(refusal.status()).isEqualTo(400);
    assertThat(refusal.problem()).isEqualTo(Problem.INVALID_INPUT);
    assertThat(refusal.faults())
        .containsExactly(
            new Fault("name", "must not be blank"),
            new Fault("email", "must look like name@example.org"),
            new Fault("total_amount", "is missing"),
            new Fault("nmae", "is not known here; there are name, email, total_amount"));
  }

  @Test
  void goodInputComesAsItIs() {
    Input input =
        Input.body(
            bytes("{\"name\": \"Žofie 🦉\", \"email\": \"z@b.cz\", \"total_amount\": 12.5}"));

    assertThat(input.text("name", 7)).isEqualTo("Žofie 🦉");
    assertThat(input.email("email")).isEqualTo("z@b.cz");
    assertThat(input.amount("total_amount")).isEqualTo(new BigDecimal("12.50"));
    input.check();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{",
        "[]",
        "1",
        "null",
        "\"text\"",
        "{} {}",
        "{'name': 'x'}",
        "{\"name\": \"a\", \"name\": \"b\"}",
        "{\"total_amount\": NaN}",
        "{\"total_amount\": 1e99999999999}"
      })
  void whatIsNotOneJsonObjectIsRefused(String body) {
    Refusal refusal = catchThrowableOfType(Refusal.class, () -> Input.body(bytes(body)));

    assertThat(refusal.status()).isEqualTo(400);
    assertThat(refusal.problem()).isEqualTo(Problem.INVALID_JSON);
  }

  @Test
  void bytesThatAreNoTextAreRefused() {
    // It begins like UTF-32.
    byte[] bytes = {0, 0, 0, '{', 0x7F, 0x7F, 0x7F, 0x7F, 1};

    assertThat(catchThrowableOfType(Refusal.class, () -> Input.body(bytes)).problem())
        .isEqualTo(Problem.INVALID_JSON);
  }

  @Test
  void deepNestingIsRefusedWithoutHarm() {
    String body = "{\"name\": " + "[".repeat(100_000);

    Refusal refusal = catchThrowableOfType(Refusal.class, () -> Input.body(bytes(body)));

    assertThat(refusal.problem()).isEqualTo(Problem.INVALID_JSON);
  }

  @Test
  void aBrokenBodyIsNotRepeatedInTheRefusal() {
    Refusal refusal =
        catchThrowableOfType(
            Refusal.class, () -> Input.body(bytes("{\"email\": \"ada@example.org\",,}")));

    assertThat(refusal).hasMessage("The body is not valid JSON: look at line 1, column 29.");
  }

  @ParameterizedTest
  @CsvSource({
    "1, must be a text",
    "null, is missing",
    "'\"\\t\"', must not be blank",
    "'\"abcd\"', must not be longer than 3 characters",
    "'\"a\\u0000\"', must not hold control characters or halves of characters",
    "'\"a\\ud83e\"', must not hold control characters or halves of characters"
  })
  void wrongTextsAreRefused(String value, String message) {
    Refusal refusal = refusal("{\"name\": " + value + "}", input -> input.text("name", 3));

    assertThat(refusal.faults()).containsExactly(new Fault("name", message));
  }

  @Test
  void lengthIsCountedTheWayPostgresCounts() {
    Input input = Input.body(bytes("{\"name\": \"🦉🦉🦉\"}"));

    assertThat(input.text("name", 3)).isEqualTo("🦉🦉🦉");
    input.check();
  }

  @ParameterizedTest
  @ValueSource(strings = {"a@b.c", "first.last+tag@mail.example.org", "ü@bücher.example"})
  void ordinaryAddressesAreTaken(String email) {
    Input input = Input.body(bytes("{\"email\": \"" + email + "\"}"));

    assertThat(input.email("email")).isEqualTo(email);
    input.check();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ada",
        "@example.org",
        "ada@",
        "ada@example",
        "a b@c.d",
        "a@b@c.d",
        "a@.d",
        "a@b."
      })
  void malformedAddressesAreRefused(String email) {
    Refusal refusal = refusal("{\"email\": \"" + email + "\"}", input -> input.email("email"));

    assertThat(refusal.faults())
        .containsExactly(new Fault("email", "must look like name@example.org"));
  }

  @ParameterizedTest
  @CsvSource({
    "-0.01, must not be negative",
    "-1e999999999, must not be negative",
    "100000, must not be more than 99999.99",
    "1e999999999, must not be more than 99999.99",
    "0.001, must not have more than 2 decimal places",
    "1e-999999999, must not have more than 2 decimal places",
    "'\"1\"', must be a number",
    "true, must be a number"
  })
  void wrongAmountsAreRefused(String value, String message) {
    Refusal refusal =
        refusal("{\"total_amount\": " + value + "}", input -> input.amount("total_amount"));

    assertThat(refusal.faults()).containsExactly(new Fault("total_amount", message));
  }

  @ParameterizedTest
  @CsvSource({"0, 0.00", "0e-999999999, 0.00", "12.500, 12.50", "99999.99, 99999.99"})
  void amountsHaveTwoDecimalPlaces(String value, BigDecimal amount) {
    Input input = Input.body(bytes("{\"total_amount\": " + value + "}"));

    assertThat(input.amount("total_amount")).isEqualTo(amount);
    input.check();
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc", "", "1.5", "+1", "0x10", "9223372036854775808", "1 ", "１"})
  void aKeyIsAWholeNumber(String text) {
    Input input = Input.withoutBody();
    input.key("id", text);

    assertThat(catchThrowableOfType(Refusal.class, input::check).faults())
        .containsExactly(new Fault("id", "must be a whole number of at most 64 bits"));
  }

  @Test
  void everyLongIsAKey() {
    Input input = Input.withoutBody();

    for (long key : List.of(1L, 0L, -1L, Long.MAX_VALUE, Long.MIN_VALUE)) {
      assertThat(input.key("id", Long.toString(key))).isEqualTo(key);
    }
    input.check();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "101", "-1", "x", "", "99999999999"})
  void aLimitStaysWithinItsBounds(String text) {
    Input input = Input.withoutBody();
    input.limit(text, 100);

    assertThat(catchThrowableOfType(Refusal.class, input::check).faults())
        .containsExactly(new Fault("limit", "must be a whole number from 1 to 100"));
  }

  private static Refusal refusal(String body, Consumer<Input> reading) {
    Input input = Input.body(bytes(body));
    reading.accept(input);
    return catchThrowableOfType(Refusal.class, input::check);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
