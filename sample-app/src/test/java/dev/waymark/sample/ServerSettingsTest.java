package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ServerSettingsTest {
  @Test
  void defaults() {
    assertThat(ServerSettings.from(Map.of()))
        .isEqualTo(ServerSettings.defaults())
        .isEqualTo(
            new ServerSettings(
                0,
                Duration.ZERO,
                "",
                null,
                "",
                Duration.ofSeconds(30),
                new WorkSettings(
                    Duration.ofSeconds(1),
                    Duration.ofSeconds(5),
                    Duration.ofMinutes(15),
                    Duration.ofSeconds(30),
                    new BigDecimal("1000.00"))));
  }

  @Test
  void everythingCanBeSaid() {
    assertThat(
            ServerSettings.from(
                Map.of(
                    "WAYMARK_RATE_LIMIT", "50",
                    "WAYMARK_DRAIN_SECONDS", "5",
                    "WAYMARK_ADMIN_TOKEN", "a token long enough",
                    "WAYMARK_PURGE_URL", "https://cdn.example/purge",
                    "WAYMARK_PURGE_TOKEN", "p")))
        .isEqualTo(
            new ServerSettings(
                50,
                Duration.ofSeconds(5),
                "a token long enough",
                URI.create("https://cdn.example/purge"),
                "p",
                Duration.ofSeconds(30),
                WorkSettings.defaults()));
  }

  @Test
  void everyProblemIsReportedAndNoSecret() {
    assertThatThrownBy(
            () ->
                ServerSettings.from(
                    Map.of(
                        "WAYMARK_RATE_LIMIT", "-1",
                        "WAYMARK_DRAIN_SECONDS", "soon",
                        "WAYMARK_ADMIN_TOKEN", "short",
                        "WAYMARK_PURGE_URL", "file:///etc/passwd")))
        .hasMessage(
            """
            WAYMARK_RATE_LIMIT must be a whole number from 0 to 999999, not '-1'.
            WAYMARK_DRAIN_SECONDS must be a whole number from 0 to 999999, not 'soon'.
            WAYMARK_ADMIN_TOKEN must have at least 16 characters.
            WAYMARK_PURGE_URL must be an http or https URL, not 'file:///etc/passwd'.""");
  }

  @Test
  void secretsAreNotPrinted() {
    assertThat(ServerSettings.defaults().withAdminToken("a secret that is long"))
        .asString()
        .doesNotContain("secret");
  }
}
