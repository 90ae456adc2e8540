package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Outcome;
import dev.waymark.sample.Replies.Problem;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.Test;

class RepliesTest {
  private final Replies replies =
      new Replies(InstantSource.fixed(Instant.parse("2026-11-23T10:00:00.123456Z")));

  @Test
  void dataTravelsInTheEnvelope() {
    Order order =
        new Order(2, 1, new BigDecimal("1E+3"), Instant.parse("2026-11-23T09:00:00.000001Z"));

    assertThat(text(replies.json(List.of(order), null)))
        .isEqualTo(
            "{\"success\":true,\"data\":[{\"id\":2,\"user_id\":1,\"total_amount\":1000,"
                + "\"created_at\":\"2026-11-23T09:00:00.000001Z\"}],"
                + "\"meta\":{\"timestamp\":\"2026-11-23T10:00:00.123Z\"}}");
  }

  @Test
  void failuresTravelInTheSameEnvelope() {
    Problem problem =
        new Problem("code", "Message.", Outcome.NOT_SENT, List.of(new Fault("name", "is missing")));

    assertThat(text(replies.json(null, problem)))
        .isEqualTo(
            "{\"success\":false,\"error\":{\"code\":\"code\",\"message\":\"Message.\","
                + "\"outcome\":\"NOT_SENT\","
                + "\"faults\":[{\"field\":\"name\",\"message\":\"is missing\"}]},"
                + "\"meta\":{\"timestamp\":\"2026-11-23T10:00:00.123Z\"}}");
  }

  private static String text(byte[] json) {
    return new String(json, StandardCharsets.UTF_8);
  }
}
