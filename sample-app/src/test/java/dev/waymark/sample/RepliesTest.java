package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Outcome;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RepliesTest {
  private static final Order ORDER =
      new Order(
          2,
          1,
          List.of(new Order.Item("A-1", 4, new BigDecimal("2.5E+2"))),
          new BigDecimal("1E+3"),
          Order.Status.CANCELLED,
          "declined",
          Instant.parse("2026-11-23T09:00:00.000001Z"),
          Instant.parse("2026-11-23T09:30:00Z"),
          "1.0.16B374D8");

  private final Replies replies =
      new Replies(
          InstantSource.fixed(Instant.parse("2026-11-23T10:00:00.123456Z")), new Purges(null));

  @Test
  void dataTravelsInTheEnvelope() {
    assertThat(
            Json.text(
                new Replies.Envelope(
                    true,
                    Views.of(ORDER, ApiVersion.V1),
                    Map.of("timestamp", "2026-11-23T09:30:00Z"))))
        .isEqualTo(
            "{\"success\":true,\"data\":{\"id\":2,\"user_id\":1,"
                + "\"items\":[{\"sku\":\"A-1\",\"quantity\":4,\"unit_price\":250}],"
                + "\"total_amount\":1000,\"status\":\"cancelled\",\"cancel_reason\":\"declined\","
                + "\"created_at\":\"2026-11-23T09:00:00.000001Z\","
                + "\"updated_at\":\"2026-11-23T09:30:00Z\"},"
                + "\"meta\":{\"timestamp\":\"2026-11-23T09:30:00Z\"}}");
  }

  @Test
  void version2GivesIdsAsTexts() {
    assertThat(Json.text(Views.of(ORDER, ApiVersion.V2)))
        .startsWith("{\"id\":\"2\",\"user_id\":\"1\",");
  }

  @Test
  void failuresAreProblemDocuments() {
    assertThat(
            Json.text(
                replies.document(
                    Problem.INVALID_INPUT,
                    "Message.",
                    Outcome.NOT_SENT,
                    List.of(new Fault("name", "is missing")),
                    "r1")))
        .isEqualTo(
            "{\"type\":\"/problems/invalid_input\",\"title\":\"Values are wrong, missing or unknown\","
                + "\"status\":400,\"detail\":\"Message.\",\"success\":false,"
                + "\"code\":\"invalid_input\",\"outcome\":\"NOT_SENT\","
                + "\"faults\":[{\"field\":\"name\",\"message\":\"is missing\"}],"
                + "\"meta\":{\"timestamp\":\"2026-11-23T10:00:00.123456Z\",\"request_id\":\"r1\"}}");
  }

  @Test
  void whatTheServerItselfRefusesIsAProblemDocumentWithItsStatus() {
    assertThat(new String(replies.refusal(431), StandardCharsets.UTF_8))
        .contains("\"status\":431", "\"code\":\"refused\"");
  }
}
