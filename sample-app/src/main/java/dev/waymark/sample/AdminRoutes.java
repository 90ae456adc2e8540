package dev.waymark.sample;

import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import java.util.Map;

/** For the operator; not there unless the service has a token, which each request must bear. */
final class AdminRoutes implements Routes {
  private final AccessToken token;
  private final ShardedDatabase database;
  private final TieredCache<Long, User> cache;
  private final Reaper reaper;
  private final Replies replies;

  AdminRoutes(
      AccessToken token,
      ShardedDatabase database,
      TieredCache<Long, User> cache,
      Reaper reaper,
      Replies replies) {
    this.token = token;
    this.database = database;
    this.cache = cache;
    this.reaper = reaper;
    this.replies = replies;
  }

  @Override
  public void addTo(RoutesConfig routes) {
    if (!token.isSet()) {
      return;
    }
    routes.before("/admin/*", token::require);
    routes.get("/admin/users/{id}/route", this::route);
    routes.post("/admin/cache/flush", this::flush);
    routes.post("/admin/reaper/run", this::reap);
  }

  /** Where a read of a user would go now, and why. */
  private void route(Context context) {
    Input input = Input.parameters(context);
    long id = input.key(context, "id");
    input.check();
    replies.ok(
        context,
        Map.of("route", database.explain(id).toString(), "cache", cache.explain(id).toString()));
  }

  /** Forgets what this process and Redis know of users. */
  private void flush(Context context) {
    cache.invalidateAll();
    replies.ok(context, Map.of("flushed", cache.name()));
  }

  private void reap(Context context) {
    reaper.runOnce();
    replies.ok(context, Map.of("reaped", true));
  }
}
