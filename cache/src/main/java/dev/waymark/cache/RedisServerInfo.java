package dev.waymark.cache;

import java.util.HashMap;
import java.util.Map;

/**
 * What a Redis server says of itself.
 *
 * @param version such as 7.0.15; empty if it does not say
 * @param evictionPolicy what it does when its memory is full; empty if it does not say
 * @param role master or slave; empty if it does not say
 */
record RedisServerInfo(String version, String evictionPolicy, String role) {
  /** The first whose scripts are replicated by what they do, whose streams and SETs have it all. */
  private static final int[] OLDEST = {6, 2};

  /** From the answer to INFO. */
  static RedisServerInfo parse(String info) {
    Map<String, String> lines = new HashMap<>();
    for (String line : info.split("\\r?\\n", -1)) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        lines.put(line.substring(0, colon), line.substring(colon + 1).strip());
      }
    }
    return new RedisServerInfo(
        lines.getOrDefault("redis_version", ""),
        lines.getOrDefault("maxmemory_policy", ""),
        lines.getOrDefault("role", ""));
  }

  /** Whether its data are another's, and may lag behind. */
  boolean isReplica() {
    return role.equals("slave");
  }

  /**
   * Refuses a server that the scripts would fail on, some of them half of the way.
   *
   * @throws IllegalStateException if it is a replica, or older than 6.2; one that does not say is
   *     given a chance
   */
  void refuseIfUnfit() {
    if (isReplica()) {
      throw new IllegalStateException("it is a replica, and may lag behind its master");
    }
    String[] parts = version.split("\\.", -1);
    for (int i = 0; i < OLDEST.length && i < parts.length; i++) {
      if (!parts[i].matches("\\d{1,9}")) {
        return;
      }
      int difference = Integer.compare(Integer.parseInt(parts[i]), OLDEST[i]);
      if (difference > 0) {
        return;
      }
      if (difference < 0) {
        throw new IllegalStateException(
            "its version is " + version + ", and 6.2 is the oldest that will do");
      }
    }
  }

  /** Whether it may drop what has no time to live: safe, but each time a bucket recovers anew. */
  boolean mayEvictState() {
    return evictionPolicy.startsWith("allkeys");
  }
}
