package dev.waymark.sample;

import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import dev.waymark.sample.DemoControls.NodeAction;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The page at {@code /} that shows the cluster as this process sees it, and what feeds it. In the
 * demo it also has buttons, for those who have the demo's token.
 *
 * <p>The page shows names, never addresses, and no rows; still it is for those who run the service,
 * so that it is there only if asked for.
 */
final class LivePage implements Routes, AutoCloseable {
  /** Each holds a thread of the server. */
  private static final int MOST_VIEWERS = 32;

  private static final String PAGE_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
          + " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
          + " require-trusted-types-for 'script'";

  private static final String STARTED = LivePage.class.getName();

  private final ShardedDatabase database;
  private final TieredCache<Long, User> cache;
  private final Traffic traffic;
  private final LiveFeed feed;
  private final @Nullable Demonstration demonstration;
  private final Semaphore seats = new Semaphore(MOST_VIEWERS);

  private LivePage(
      ShardedDatabase database,
      TieredCache<Long, User> cache,
      Traffic traffic,
      @Nullable Demonstration demonstration) {
    this.database = database;
    this.cache = cache;
    this.traffic = traffic;
    this.feed = LiveFeed.of(database, cache, traffic, InstantSource.system(), System::nanoTime);
    this.demonstration = demonstration;
  }

  private record Demonstration(DemoControls controls, AccessToken guard) {}

  /** A page to look at. */
  static LivePage readOnly(
      ShardedDatabase database, TieredCache<Long, User> cache, Traffic traffic) {
    return new LivePage(database, cache, traffic, null);
  }

  /**
   * A page with buttons.
   *
   * @param token what a request must have to do anything
   */
  static LivePage withControls(
      ShardedDatabase database,
      TieredCache<Long, User> cache,
      Traffic traffic,
      DemoControls controls,
      String token) {
    return new LivePage(
        database, cache, traffic, new Demonstration(controls, new AccessToken(token)));
  }

  @Override
  public void addTo(RoutesConfig routes) {
    routes.before("/api/*", context -> context.attribute(STARTED, System.nanoTime()));
    routes.after("/api/*", this::noteDuration);

    asset(routes, "/", "live.html", "text/html; charset=utf-8");
    asset(routes, "/assets/live.css", "live.css", "text/css; charset=utf-8");
    asset(routes, "/assets/live.js", "live.js", "text/javascript; charset=utf-8");
    asset(routes, "/assets/icon.svg", "icon.svg", "image/svg+xml");
    routes.get("/live/events", this::events);
    // With the visitor's session, because the route of a key depends on it; it ends as all do.
    routes.before("/live/route", new RequestSessions(database)::begin);
    routes.get("/live/route", this::routeOfKey);

    if (demonstration != null) {
      DemoControls controls = demonstration.controls();
      routes.get("/demo/state", context -> act(context, controls::state));
      routes.post("/demo/nodes/{node}/{action}", this::actOnNode);
      routes.post("/demo/cache/flush", context -> act(context, said(controls::flushCache)));
      routes.post("/demo/redis/kill", context -> act(context, said(controls::killRedis)));
      routes.post("/demo/redis/start", context -> act(context, said(controls::startRedis)));
      routes.post(
          "/demo/traffic/start",
          context ->
              act(
                  context,
                  said(
                      () ->
                          controls.startTraffic(
                              "http://127.0.0.1:" + context.req().getLocalPort()))));
      routes.post("/demo/traffic/stop", context -> act(context, said(controls::stopTraffic)));
    }
  }

  /** Begins to look at the service. */
  void start() {
    feed.start();
  }

  /** Ends the event streams, which would otherwise keep the web server from stopping. */
  @Override
  public void close() {
    feed.close();
    if (demonstration != null) {
      demonstration.controls().close();
    }
  }

  private void noteDuration(Context context) {
    Long started = context.attribute(STARTED);
    if (started != null) {
      traffic.requestTook(Duration.ofNanos(System.nanoTime() - started));
    }
  }

  private void routeOfKey(Context context) {
    String text = Objects.requireNonNullElse(context.queryParam("key"), "").trim();
    long key;
    try {
      key = Long.parseLong(text);
    } catch (NumberFormatException notANumber) {
      problem(context, 400, "A key is a whole number of at most 64 bits.");
      return;
    }
    if (key == Long.MAX_VALUE) {
      problem(context, 400, "This number is never a key.");
      return;
    }
    json(context, 200, KeyRoute.of(database, cache, key));
  }

  /**
   * Server-sent events, written by the request's own thread: a viewer who reads slowly holds up
   * nobody else, and misses seconds instead of getting them late.
   */
  private void events(Context context) throws InterruptedException {
    if (!seats.tryAcquire()) {
      problem(context, 503, "As many pages are open as may be.");
      return;
    }
    try {
      var response = context.res();
      response.setStatus(200);
      response.setContentType("text/event-stream; charset=utf-8");
      response.setHeader("Cache-Control", "no-store");
      response.setHeader("X-Content-Type-Options", "nosniff");
      // Proxies that would collect before they pass on.
      response.setHeader("X-Accel-Buffering", "no");
      OutputStream out = response.getOutputStream();
      out.write(feed.history());
      out.flush();
      LiveFeed.Frame frame = feed.after(0);
      while (frame != null) {
        out.write(frame.bytes());
        out.flush();
        frame = feed.after(frame.number());
      }
    } catch (IOException gone) {
      // The page was closed.
    } finally {
      seats.release();
    }
  }

  private void actOnNode(Context context) {
    DemoControls controls = Objects.requireNonNull(demonstration).controls();
    String node = context.pathParam("node");
    NodeAction action = NodeAction.named(context.pathParam("action")).orElse(null);
    act(
        context,
        () -> {
          if (action == null) {
            throw new DemoControls.Impossible("There is no such action.");
          }
          String done = controls.toNode(node, action);
          traffic.note("demo", done);
          return Map.of("done", done);
        });
  }

  private Supplier<Map<String, ?>> said(Supplier<String> action) {
    return () -> {
      String done = action.get();
      traffic.note("demo", done);
      return Map.of("done", done);
    };
  }

  /** A header that no other site's page can send; a cookie would go along by itself. */
  private void act(Context context, Supplier<? extends Map<String, ?>> action) {
    Objects.requireNonNull(demonstration).guard().require(context);
    try {
      json(context, 200, action.get());
    } catch (DemoControls.Impossible impossible) {
      problem(context, 409, Objects.requireNonNull(impossible.getMessage()));
    }
  }

  private static void json(Context context, int status, Object data) {
    context
        .status(status)
        .contentType("application/json")
        .header("Cache-Control", "no-store")
        .result(Json.text(data));
  }

  private static void problem(Context context, int status, String detail) {
    Map<String, Object> problem = new LinkedHashMap<>();
    problem.put("status", status);
    problem.put("detail", detail);
    json(context, status, problem);
    context.contentType("application/problem+json");
  }

  private static void asset(RoutesConfig routes, String path, String resource, String type) {
    byte[] bytes = resource(resource);
    routes.get(
        path,
        context ->
            context
                .contentType(type)
                .header("Content-Security-Policy", PAGE_POLICY)
                .header("X-Content-Type-Options", "nosniff")
                .header("Referrer-Policy", "no-referrer")
                .header("Cross-Origin-Opener-Policy", "same-origin")
                // Asked for again each time: a few kilobytes, and never those of an older version.
                .header("Cache-Control", "no-cache")
                .result(bytes));
  }

  private static byte[] resource(String name) {
    try (InputStream in = LivePage.class.getResourceAsStream("page/" + name)) {
      return Objects.requireNonNull(in, name).readAllBytes();
    } catch (IOException unreadable) {
      throw new UncheckedIOException(name + " cannot be read from the jar", unreadable);
    }
  }
}
