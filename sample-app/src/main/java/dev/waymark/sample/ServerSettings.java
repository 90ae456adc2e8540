package dev.waymark.sample;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How the service behaves towards its clients and its operator. What is secret, or differs between
 * two places that run the same image, comes from the environment.
 *
 * @param requestsPerSecond how many of one client are answered, in the long run; 0 for no limit
 * @param drain how long the service goes on to answer after it has said that it is not ready any
 *     more, so that load balancers can notice; zero for not at all
 * @param adminToken who bears it may use the administrator's routes; empty for nobody
 * @param purgeUrl where a shared cache takes purges; null if there is none
 * @param purgeToken what it asks for; empty for nothing
 * @param emailGrace how long a reserved e-mail address is left alone
 * @param work how it does what no request waits for
 */
record ServerSettings(
    int requestsPerSecond,
    Duration drain,
    String adminToken,
    @Nullable URI purgeUrl,
    String purgeToken,
    Duration emailGrace,
    WorkSettings work) {
  static final String RATE_LIMIT = "WAYMARK_RATE_LIMIT";
  static final String DRAIN_SECONDS = "WAYMARK_DRAIN_SECONDS";
  static final String ADMIN_TOKEN = "WAYMARK_ADMIN_TOKEN";
  static final String PURGE_URL = "WAYMARK_PURGE_URL";
  static final String PURGE_TOKEN = "WAYMARK_PURGE_TOKEN";

  private static final int SHORTEST_TOKEN = 16;

  static ServerSettings defaults() {
    return new ServerSettings(
        0, Duration.ZERO, "", null, "", Duration.ofSeconds(30), WorkSettings.defaults());
  }

  ServerSettings withRequestsPerSecond(int most) {
    return new ServerSettings(most, drain, adminToken, purgeUrl, purgeToken, emailGrace, work);
  }

  ServerSettings withDrain(Duration other) {
    return new ServerSettings(
        requestsPerSecond, other, adminToken, purgeUrl, purgeToken, emailGrace, work);
  }

  ServerSettings withAdminToken(String token) {
    return new ServerSettings(
        requestsPerSecond, drain, token, purgeUrl, purgeToken, emailGrace, work);
  }

  ServerSettings withPurgeUrl(URI url) {
    return new ServerSettings(
        requestsPerSecond, drain, adminToken, url, purgeToken, emailGrace, work);
  }

  ServerSettings withWork(WorkSettings other) {
    return new ServerSettings(
        requestsPerSecond, drain, adminToken, purgeUrl, purgeToken, emailGrace, other);
  }

  ServerSettings withEmailGrace(Duration other) {
    return new ServerSettings(
        requestsPerSecond, drain, adminToken, purgeUrl, purgeToken, other, work);
  }

  /**
   * Reads the environment.
   *
   * @throws IllegalArgumentException if a variable makes no sense; the message lists every reason,
   *     and no secret
   */
  static ServerSettings from(Map<String, String> environment) {
    List<String> problems = new ArrayList<>();
    int rate = number(environment, RATE_LIMIT, problems);
    int drain = number(environment, DRAIN_SECONDS, problems);
    String token = environment.getOrDefault(ADMIN_TOKEN, "");
    if (!token.isEmpty() && token.length() < SHORTEST_TOKEN) {
      problems.add(ADMIN_TOKEN + " must have at least " + SHORTEST_TOKEN + " characters.");
    }
    URI purgeUrl = null;
    String purge = environment.getOrDefault(PURGE_URL, "");
    if (!purge.isEmpty()) {
      if (purge.matches("https?://[^\\s/]+(/\\S*)?")) {
        purgeUrl = URI.create(purge);
      } else {
        problems.add(PURGE_URL + " must be an http or https URL, not '" + purge + "'.");
      }
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", problems));
    }
    ServerSettings usual = defaults();
    return new ServerSettings(
        rate,
        Duration.ofSeconds(drain),
        token,
        purgeUrl,
        environment.getOrDefault(PURGE_TOKEN, ""),
        usual.emailGrace(),
        usual.work());
  }

  private static int number(
      Map<String, String> environment, String variable, List<String> problems) {
    String text = environment.getOrDefault(variable, "0");
    if (text.matches("\\d{1,6}")) {
      return Integer.parseInt(text);
    }
    problems.add(variable + " must be a whole number from 0 to 999999, not '" + text + "'.");
    return 0;
  }

  /** Without the secrets. */
  @Override
  public String toString() {
    return "ServerSettings[requestsPerSecond="
        + requestsPerSecond
        + ", drain="
        + drain
        + ", purgeUrl="
        + purgeUrl
        + "]";
  }
}
