package dev.waymark.sample;

import dev.waymark.routing.ShardedDatabase;
import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import io.javalin.util.JavalinBindException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.handler.GracefulHandler;

/** The routes, and the HTTP server that serves them. */
final class WebServer implements AutoCloseable {
  /** Silence on a connection; a body has a limit of its own on top ({@link RequestBody}). */
  private static final Duration LONGEST_SILENCE = Duration.ofSeconds(15);

  private static final Duration LONGEST_WAIT_FOR_REQUESTS = Duration.ofSeconds(10);

  /**
   * By how much at a time Javalin copies an answer into Jetty's buffer, which keeps its own size.
   * Left alone it makes an array of 32 KiB for each request, and zeroes it.
   */
  private static final int COPIED_BYTES = 2_048;

  private static final Pattern LONE_PERCENT_SIGN = Pattern.compile("%(?![0-9A-Fa-f]{2})");

  private final Parts parts;
  private final Javalin javalin;

  /**
   * What the server is made of.
   *
   * @param api what is served under {@code /api}, in each version
   * @param others what is served besides
   */
  record Parts(
      ShardedDatabase database,
      Replies replies,
      Observation observation,
      RateLimit rateLimit,
      HealthRoutes health,
      List<Operation> api,
      List<Routes> others,
      Duration drain) {
    Parts {
      api = List.copyOf(api);
      others = List.copyOf(others);
    }
  }

  private WebServer(Parts parts) {
    this.parts = parts;
    this.javalin = Javalin.create(this::configure);
  }

  /**
   * Starts serving.
   *
   * @param port 0 for any that is free
   * @throws JavalinBindException if the port is taken
   */
  static WebServer start(Parts parts, String host, int port) {
    WebServer server = new WebServer(parts);
    try {
      server.javalin.start(host, port);
      return server;
    } catch (RuntimeException failure) {
      server.javalin.stop();
      throw failure;
    }
  }

  int port() {
    return javalin.port();
  }

  /**
   * Says that it is not ready any more, waits until others have noticed, then takes no new requests
   * and waits for those in flight.
   */
  @Override
  public void close() {
    parts.health().drain();
    boolean interrupted = Thread.interrupted();
    try {
      TimeUnit.NANOSECONDS.sleep(parts.drain().toNanos());
    } catch (InterruptedException hurry) {
      interrupted = true;
    }
    javalin.stop();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void configure(JavalinConfig config) {
    config.startup.showJavalinBanner = false;
    config.startup.startupWatcherEnabled = false;
    config.http.prefer405over404 = true;
    // Strong entity tags promise equal bytes; whoever compresses on the way makes them weak.
    config.http.compressionStrategy = CompressionStrategy.NONE;
    config.http.responseBufferSize = COPIED_BYTES;
    config.concurrency.useVirtualThreads = Runtime.version().feature() >= 21;
    config.jetty.modifyServer(this::configure);
    config.jetty.modifyHttpConfiguration(WebServer::configure);
    config.requestLogger.http(parts.observation()::end);
    route(config.routes);
  }

  private static void configure(HttpConfiguration http) {
    http.setSendServerVersion(false);
    http.setIdleTimeout(LONGEST_SILENCE.toMillis());
  }

  private void configure(Server server) {
    server.setStopTimeout(LONGEST_WAIT_FOR_REQUESTS.toMillis());
    // Without it the time-out is there and nobody waits.
    server.insertHandler(new GracefulHandler());
    server.setErrorHandler(
        (request, response, callback) -> {
          response.getHeaders().put(HttpHeader.CONTENT_TYPE, Replies.PROBLEM_JSON);
          response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
          response.write(
              true, ByteBuffer.wrap(parts.replies().refusal(response.getStatus())), callback);
          return true;
        });
  }

  private void route(RoutesConfig routes) {
    // One handler before and one after, and not one each: every handler's path is matched with a
    // pattern for every request.
    RequestSessions sessions = new RequestSessions(parts.database());
    routes.before(
        context -> {
          parts.observation().begin(context);
          secure(context);
          parts.health().sendAway(context);
          refuseMalformedUrl(context);
          if (isOfApi(context)) {
            parts.rateLimit().check(context);
            vary(context);
            ApiVersion.resolve(context);
            sessions.begin(context);
          }
        });
    routes.after(sessions::end);
    for (String prefix : ApiVersion.prefixes()) {
      for (Operation operation : parts.api()) {
        routes.addHttpHandler(operation.method(), prefix + operation.path(), operation.handler());
        if (operation.method().equals(HandlerType.GET)) {
          // Left alone, Javalin answers 200 to a HEAD of any path that it knows.
          routes.addHttpHandler(HandlerType.HEAD, prefix + operation.path(), operation.handler());
        }
      }
    }

    parts.health().addTo(routes);
    parts.others().forEach(other -> other.addTo(routes));
    parts.replies().answerFailuresOf(routes);
  }

  private static boolean isOfApi(Context context) {
    return context.path().startsWith("/api/");
  }

  /** Before anybody decodes the URL: that would fail, and look like a fault of ours. */
  private static void refuseMalformedUrl(Context context) {
    String query = context.queryString();
    if (isMalformed(context.path()) || (query != null && isMalformed(query))) {
      throw Refusal.of(Problem.REFUSED, "A percent sign in the URL stands for no byte.");
    }
  }

  private static boolean isMalformed(String encoded) {
    return encoded.indexOf('%') >= 0 && LONE_PERCENT_SIGN.matcher(encoded).find();
  }

  private static void vary(Context context) {
    context.header("Vary", CachePolicy.VARY);
  }

  private static void secure(Context context) {
    context.header("X-Content-Type-Options", "nosniff");
    context.header("Referrer-Policy", "no-referrer");
  }
}
