package dev.waymark.sample;

import dev.waymark.routing.ShardedDatabase;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import java.util.List;
import java.util.Map;

/** For whoever watches the process: whether it lives, and whether to send it requests. */
final class HealthRoutes implements Routes {
  private final ShardedDatabase database;
  private final Replies replies;
  private volatile boolean isDraining;

  HealthRoutes(ShardedDatabase database, Replies replies) {
    this.database = database;
    this.replies = replies;
  }

  @Override
  public void addTo(RoutesConfig routes) {
    routes.get("/health/live", context -> replies.ok(context, Map.of("live", true)));
    routes.get("/health/ready", this::ready);
  }

  /** From now on it is not ready, though it answers. */
  void drain() {
    isDraining = true;
  }

  /** Sends clients away from their connections, so that they find another instance in time. */
  void sendAway(Context context) {
    if (isDraining) {
      context.header("Connection", "close");
    }
  }

  private void ready(Context context) {
    List<Nodes.ShardHealth> shards = Nodes.health(database);
    boolean ready = !isDraining && shards.stream().allMatch(Nodes.ShardHealth::ready);
    if (ready) {
      replies.ok(context, Map.of("ready", true, "shards", shards));
    } else {
      replies.notReady(
          context,
          Map.of("ready", false, "draining", isDraining, "shards", shards),
          isDraining
              ? "The service is about to stop."
              : "A shard has no node that may answer reads.");
    }
  }
}
