package dev.waymark.sample;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * What {@link Load} shall do.
 *
 * @param urls the processes of the service; requests go to those that are ready, in turn
 * @param clients how many send at the same time, each a client with a session of its own
 * @param perSecond requests per second of all clients together; 0 for as many as go
 * @param duration for how long; empty until it is ended
 * @param writePercent how many of 100 requests change a user
 * @param orderPercent how many of 100 requests read a user's orders, which are not cached
 * @param users how many users are read; those that are missing are created
 * @param skew of Zipf's law
 * @param seed the same seed gives the same choice of users
 */
record LoadPlan(
    List<URI> urls,
    int clients,
    int perSecond,
    Optional<Duration> duration,
    int writePercent,
    int orderPercent,
    int users,
    double skew,
    long seed) {
  static final String HELP =
      """
      Drives the sample service from a process of its own: users read by Zipf's law, and changed.

        --url URL        a process of the service (default http://127.0.0.1:7070); may be given
                         several times: requests go to those that are ready, in turn
        --clients N      how many clients at a time, each with a session of its own (default 16)
        --rate N         requests per second of all together; 0 for as many as go (default 0).
                         With a rate, latency counts from when a request was due
        --seconds N      for how long; 0 until Ctrl-C (default 30)
        --writes N       how many of 100 requests change a user (default 10)
        --orders N       how many of 100 requests read a user's orders, past the cache (default 0)
        --users N        how many users; those that are missing are created (default 100)
        --skew X         of Zipf's law; 0 reads all alike (default 1)
        --seed N         the same seed gives the same users in the same order (default 1)
        --help           print this

      Exit status 0: no request failed; 1: some did, or the service does not answer; 2: the
      arguments make no sense.
      """;

  /** Checks each value. */
  LoadPlan {
    urls = List.copyOf(urls);
    if (urls.isEmpty()) {
      throw new IllegalArgumentException("There must be a URL.");
    }
    between("clients", clients, 1, 1_000);
    between("rate", perSecond, 0, 1_000_000);
    between("writes", writePercent, 0, 100);
    between("orders", orderPercent, 0, 100);
    if (writePercent + orderPercent > 100) {
      throw new IllegalArgumentException("--writes and --orders are more than 100 together.");
    }
    between("users", users, 1, 1_000_000);
    if (!(skew >= 0 && skew <= 10)) {
      throw new IllegalArgumentException("--skew must be from 0 to 10, not " + skew + ".");
    }
  }

  /** 16 clients for 30 seconds, 10 % writes, 100 users. */
  static LoadPlan of(URI... urls) {
    return new LoadPlan(
        List.of(urls), 16, 0, Optional.of(Duration.ofSeconds(30)), 10, 0, 100, 1, 1);
  }

  LoadPlan withClients(int clients) {
    return new LoadPlan(
        urls, clients, perSecond, duration, writePercent, orderPercent, users, skew, seed);
  }

  LoadPlan withRate(int perSecond) {
    return new LoadPlan(
        urls, clients, perSecond, duration, writePercent, orderPercent, users, skew, seed);
  }

  LoadPlan withOrders(int orderPercent) {
    return new LoadPlan(
        urls, clients, perSecond, duration, writePercent, orderPercent, users, skew, seed);
  }

  LoadPlan withUsers(int users) {
    return new LoadPlan(
        urls, clients, perSecond, duration, writePercent, orderPercent, users, skew, seed);
  }

  LoadPlan withDuration(Duration duration) {
    return new LoadPlan(
        urls,
        clients,
        perSecond,
        Optional.of(duration),
        writePercent,
        orderPercent,
        users,
        skew,
        seed);
  }

  LoadPlan untilStopped() {
    return new LoadPlan(
        urls, clients, perSecond, Optional.empty(), writePercent, orderPercent, users, skew, seed);
  }

  /**
   * Reads a command line; empty if it asks for help.
   *
   * @throws IllegalArgumentException if it makes no sense; the message lists every reason
   */
  static Optional<LoadPlan> parse(String... arguments) {
    Deque<String> rest = new ArrayDeque<>(List.of(arguments));
    List<String> problems = new ArrayList<>();
    List<URI> urls = new ArrayList<>();
    long clients = 16;
    long perSecond = 0;
    long seconds = 30;
    long writePercent = 10;
    long orderPercent = 0;
    long users = 100;
    long seed = 1;
    double skew = 1;
    boolean help = false;
    while (!rest.isEmpty()) {
      String argument = rest.pop();
      switch (argument) {
        case "--help", "-h" -> help = true;
        case "--url" -> url(argument, rest, urls, problems);
        case "--clients" -> clients = number(argument, rest, 1, 1_000, problems);
        case "--rate" -> perSecond = number(argument, rest, 0, 1_000_000, problems);
        case "--seconds" -> seconds = number(argument, rest, 0, 1_000_000, problems);
        case "--writes" -> writePercent = number(argument, rest, 0, 100, problems);
        case "--orders" -> orderPercent = number(argument, rest, 0, 100, problems);
        case "--users" -> users = number(argument, rest, 1, 1_000_000, problems);
        case "--seed" -> seed = number(argument, rest, 0, Long.MAX_VALUE, problems);
        case "--skew" -> skew = skew(argument, rest, problems);
        default -> problems.add("There is no argument '" + argument + "'.");
      }
    }
    if (help) {
      return Optional.empty();
    }
    if (writePercent + orderPercent > 100) {
      problems.add("--writes and --orders are more than 100 together.");
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", problems));
    }
    if (urls.isEmpty()) {
      urls.add(URI.create("http://127.0.0.1:" + Arguments.USUAL_PORT));
    }
    return Optional.of(
        new LoadPlan(
            urls,
            (int) clients,
            (int) perSecond,
            seconds == 0 ? Optional.empty() : Optional.of(Duration.ofSeconds(seconds)),
            (int) writePercent,
            (int) orderPercent,
            (int) users,
            skew,
            seed));
  }

  private static void url(
      String argument, Deque<String> rest, List<URI> urls, List<String> problems) {
    String text = rest.isEmpty() ? "" : rest.pop();
    if (text.matches(
        "https?://[A-Za-z0-9.-]+(:\\d{1,5})?/?|https?://\\[[0-9A-Fa-f:.]+](:\\d{1,5})?/?")) {
      urls.add(URI.create(text.endsWith("/") ? text.substring(0, text.length() - 1) : text));
    } else {
      problems.add(argument + " must look like http://host:7070, not '" + text + "'.");
    }
  }

  private static long number(
      String argument, Deque<String> rest, long least, long most, List<String> problems) {
    String text = rest.isEmpty() ? "" : rest.pop();
    if (text.matches("\\d{1,18}")) {
      long number = Long.parseLong(text);
      if (number >= least && number <= most) {
        return number;
      }
    }
    problems.add(
        "%s must be a whole number from %d%s, not '%s'."
            .formatted(argument, least, most == Long.MAX_VALUE ? " on" : " to " + most, text));
    return least;
  }

  private static double skew(String argument, Deque<String> rest, List<String> problems) {
    String text = rest.isEmpty() ? "" : rest.pop();
    if (text.matches("\\d{1,2}(\\.\\d{1,6})?") && Double.parseDouble(text) <= 10) {
      return Double.parseDouble(text);
    }
    problems.add(argument + " must be a number from 0 to 10, not '" + text + "'.");
    return 1;
  }

  private static void between(String name, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          "--%s must be from %d to %d, not %d.".formatted(name, least, most, value));
    }
  }
}
