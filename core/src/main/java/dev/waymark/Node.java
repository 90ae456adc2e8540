package dev.waymark;

import java.util.Objects;

/**
 * One PostgreSQL server of a shard, as configured. A node carries no role: whether it is the
 * primary or a replica is observed while the service runs, never assumed.
 *
 * @param name what logs, errors and routes call the node; by default its host and port
 * @param url a {@code jdbc:postgresql:} URL without user and password; its parameters (TLS among
 *     them) reach the driver as they are
 */
public record Node(String name, String url) {
  private static final String PREFIX = "jdbc:postgresql:";

  /** Checks that the URL is one of PostgreSQL's and holds no password. */
  public Node {
    Objects.requireNonNull(name, "name");
    if (!url.startsWith(PREFIX)) {
      throw new IllegalArgumentException(
          "The URL of node " + name + " must start with " + PREFIX + "//");
    }
    if (url.matches("(?i).*[?&](user|password)=.*") || url.matches("jdbc:postgresql://[^/?]*@.*")) {
      // The URL is not repeated here: it would carry the password into the log.
      throw new IllegalArgumentException(
          "The URL of node " + name + " holds credentials; write them under 'credentials'");
    }
  }

  /** A node named after the host and port of its URL. */
  public static Node at(String url) {
    return new Node(address(url), url);
  }

  /** Host and port of a {@code jdbc:postgresql:} URL, with PostgreSQL's own defaults filled in. */
  public static String address(String url) {
    String rest = url.startsWith(PREFIX) ? url.substring(PREFIX.length()) : url;
    if (!rest.startsWith("//")) {
      return "localhost:5432";
    }
    String authority = rest.substring(2).split("[/?]", 2)[0];
    if (authority.isEmpty()) {
      return "localhost:5432";
    }
    boolean hasPort = authority.lastIndexOf(':') > authority.lastIndexOf(']');
    return hasPort ? authority : authority + ":5432";
  }

  @Override
  public String toString() {
    return name;
  }
}
