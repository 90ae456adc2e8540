package dev.waymark;

import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * One PostgreSQL server of a shard, as configured. A node carries no role: whether it is the
 * primary or a replica is observed while the service runs, never assumed.
 *
 * @param name what logs, errors and routes call the node; by default its host and port
 * @param url a {@code jdbc:postgresql:} URL without user and password; its parameters (TLS among
 *     them) reach the driver as they are
 * @param zone where the node runs; empty if that does not matter
 * @param weight its share of the reads beside the other replicas': 0 to 1,000; 0 for a node that
 *     serves reads only while no other replica can
 */
public record Node(String name, String url, String zone, int weight) {
  private static final String PREFIX = "jdbc:postgresql:";
  private static final Pattern CREDENTIALS =
      Pattern.compile("(?i)[?&](user|password|sslpassword)=");

  /** Checks that the URL is one of PostgreSQL's and holds no password. */
  public Node {
    Objects.requireNonNull(name, "name");
    faultOf(url)
        .ifPresent(
            fault -> {
              throw new IllegalArgumentException("The URL of node " + name + " " + fault);
            });
    Objects.requireNonNull(zone, "zone");
    if (weight < 0 || weight > 1_000) {
      throw new IllegalArgumentException("weight must be from 0 to 1000, not " + weight);
    }
  }

  /** A node in no zone, with weight 1. */
  public Node(String name, String url) {
    this(name, url, "", 1);
  }

  /** This node in a zone. */
  public Node withZone(String zone) {
    return new Node(name, url, zone, weight);
  }

  /** This node with another share of the reads. */
  public Node withWeight(int weight) {
    return new Node(name, url, zone, weight);
  }

  /**
   * What is wrong with a URL, to follow the words "The URL"; empty if nothing is. The URL is not
   * repeated: a wrong one may well hold the password.
   */
  static Optional<String> faultOf(String url) {
    if (!url.startsWith(PREFIX)) {
      return Optional.of("must start with " + PREFIX + "//");
    }
    String target = url.substring(PREFIX.length()).split("\\?", 2)[0];
    if (target.contains("@") || CREDENTIALS.matcher(url).find()) {
      return Optional.of("holds credentials; write them under 'credentials'");
    }
    String authority = authority(url);
    if (authority.contains(",")) {
      return Optional.of("names several servers; write one node for each");
    }
    String port = authority.substring(authority.lastIndexOf(']') + 1);
    if (!port.matches("[^:]*(:[0-9]{1,5})?")) {
      return Optional.of(
          "has a port that is not a number; write host:5432, and an IPv6 address as [::1]:5432");
    }
    return Optional.empty();
  }

  /** A node named after the host and port of its URL. */
  public static Node at(String url) {
    // Before the name is taken from the URL: the message would show what stands in the host's
    // place.
    faultOf(url)
        .ifPresent(
            fault -> {
              throw new IllegalArgumentException("The URL of a node " + fault);
            });
    return new Node(address(url), url);
  }

  /** Host and port of a {@code jdbc:postgresql:} URL, with PostgreSQL's own defaults filled in. */
  public static String address(String url) {
    String authority = authority(url);
    if (authority.isEmpty()) {
      return "localhost:5432";
    }
    boolean hasPort = authority.lastIndexOf(':') > authority.lastIndexOf(']');
    return hasPort ? authority : authority + ":5432";
  }

  private static String authority(String url) {
    String rest = url.startsWith(PREFIX) ? url.substring(PREFIX.length()) : url;
    return rest.startsWith("//") ? rest.substring(2).split("[/?]", 2)[0] : "";
  }

  @Override
  public String toString() {
    return name;
  }
}
