package dev.waymark.sample;

import dev.waymark.Consistency;
import dev.waymark.KeyRange;
import dev.waymark.OwnedRange;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.UnavailableException;
import dev.waymark.cache.CacheExplanation;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a read of a user would go now, step by step; nothing is read.
 *
 * @param shard the owner of the key; null if no shard owns it
 * @param node the node that a read which the cache cannot answer would go to; null if there is none
 * @param role what that node is
 * @param steps for a person to read, in order
 */
record KeyRoute(
    long key,
    @Nullable String shard,
    @Nullable String node,
    @Nullable String role,
    List<Step> steps) {

  /**
   * One step.
   *
   * @param stage {@code map}, {@code session}, {@code l1}, {@code l2}, {@code read} or {@code
   *     write}
   */
  record Step(String stage, String text) {}

  /** The route as the current session would take it. */
  static KeyRoute of(ShardedDatabase database, TieredCache<Long, User> cache, long key) {
    List<Step> steps = new ArrayList<>();
    OwnedRange owner =
        database.map().ranges().stream()
            .filter(owned -> owned.range().contains(key))
            .findFirst()
            .orElse(null);
    if (owner == null) {
      steps.add(
          new Step(
              "map",
              "No shard owns key %d: the ranges of shard map version %d are %s."
                  .formatted(
                      key,
                      database.map().version(),
                      database.map().ranges().stream()
                          .map(OwnedRange::range)
                          .map(KeyRange::toString)
                          .toList())));
      return new KeyRoute(key, null, null, null, steps);
    }
    steps.add(
        new Step(
            "map",
            "Key %d lies in %s, which %s owns (shard map version %d)."
                .formatted(key, owner.range(), owner.shard(), database.map().version())));
    steps.add(new Step("session", session(database.currentSession().consistency(), database)));
    CacheExplanation cached = cache.explain(key);
    steps.add(new Step("l1", memory(cached)));
    steps.add(new Step("l2", redis(cached)));
    Route route = null;
    try {
      route = database.explain(key);
      steps.add(
          new Step(
              "read",
              "If the cache has no answer, a read goes to %s (%s): %s."
                  .formatted(
                      route.node(),
                      route.role() == Role.PRIMARY ? "primary" : "replica",
                      route.reason().sentence())));
    } catch (UnavailableException none) {
      steps.add(new Step("read", "No node of " + owner.shard() + " may answer a read now."));
    }
    String primary = Nodes.primaryOf(database, owner.shard());
    steps.add(
        new Step(
            "write",
            primary == null
                ? "A write waits: " + owner.shard() + " has no primary now."
                : "A write goes to " + primary + ", the primary."));
    return new KeyRoute(
        key,
        owner.shard(),
        route == null ? null : route.node(),
        route == null ? null : route.role() == Role.PRIMARY ? "primary" : "replica",
        steps);
  }

  private static String session(Consistency consistency, ShardedDatabase database) {
    if (consistency instanceof Consistency.Strong) {
      // Whether the session began so or the service's default is so, a session does not tell.
      return "You read with strong consistency: the configuration says so for everybody, or your"
          + " session token was refused.";
    }
    return database.seen().isEmpty()
        ? "Your session has seen nothing yet, so that any fresh replica will do."
        : "Your session has read or written before; no answer may be older than that.";
  }

  private static String memory(CacheExplanation cached) {
    return switch (cached.memory()) {
      case "served" -> "L1, this process' memory, has it and would answer.";
      case "absent" -> "L1, this process' memory, does not have it.";
      default ->
          "L1, this process' memory, has it but would not serve it: " + cached.memory() + ".";
    };
  }

  private static String redis(CacheExplanation cached) {
    if (cached.recovering()) {
      return "L2, Redis, has lost its memory of this key's bucket; the next load repairs it.";
    }
    String doubt =
        cached.doubt().isEmpty()
            ? ""
            : " Transactions in doubt: " + String.join(", ", cached.doubt()) + ".";
    return switch (cached.redis()) {
          case "value" ->
              "L2, Redis, has it for another %d ms.".formatted(cached.redisRemaining().toMillis());
          case "no value" -> "L2, Redis, does not have it.";
          case "none" -> "There is no Redis.";
          default -> "L2, Redis: " + cached.redis() + ".";
        }
        + doubt;
  }
}
