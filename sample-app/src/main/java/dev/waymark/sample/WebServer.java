package dev.waymark.sample;

import dev.waymark.routing.ShardedDatabase;
import io.javalin.Javalin;
import io.javalin.config.JavalinConfig;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.util.JavalinBindException;
import java.nio.ByteBuffer;
import java.sql.SQLException;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Server;

/** The routes, and the HTTP server that serves them. */
final class WebServer implements AutoCloseable {
  static final int LARGEST_BODY_BYTES = 16_384;

  private static final int USUAL_LIMIT = 20;
  private static final int LARGEST_LIMIT = 100;

  private final ShardedDatabase database;
  private final Users users;
  private final Orders orders;
  private final Replies replies;
  private final Javalin javalin;

  private WebServer(ShardedDatabase database, Users users, Orders orders) {
    this.database = database;
    this.users = users;
    this.orders = orders;
    this.replies = new Replies(InstantSource.system());
    this.javalin = Javalin.create(this::configure);
  }

  /**
   * Starts serving.
   *
   * @param port 0 for any that is free
   * @throws JavalinBindException if the port is taken
   */
  static WebServer start(
      ShardedDatabase database, Users users, Orders orders, String host, int port) {
    WebServer server = new WebServer(database, users, orders);
    try {
      server.javalin.start(host, port);
      return server;
    } catch (RuntimeException failure) {
      server.close();
      throw failure;
    }
  }

  int port() {
    return javalin.port();
  }

  /** Waits for requests in flight, a few seconds at most. */
  @Override
  public void close() {
    javalin.stop();
  }

  private void configure(JavalinConfig config) {
    config.startup.showJavalinBanner = false;
    config.startup.startupWatcherEnabled = false;
    config.http.maxRequestSize = LARGEST_BODY_BYTES;
    config.http.prefer405over404 = true;
    config.concurrency.useVirtualThreads = Runtime.version().feature() >= 21;
    config.jetty.modifyServer(this::configure);
    route(config.routes);
  }

  private void configure(Server server) {
    server.setStopTimeout(3_000);
    server.setErrorHandler(
        (request, response, callback) -> {
          response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
          response.write(true, ByteBuffer.wrap(replies.refusal(response.getStatus())), callback);
          return true;
        });
  }

  private void route(RoutesConfig routes) {
    RequestSessions sessions = new RequestSessions(database);
    routes.before("/api/*", sessions::begin);
    routes.after("/api/*", sessions::end);

    routes.get("/api/users", this::newestUsers);
    routes.post("/api/users", this::createUser);
    routes.get("/api/users/{id}", this::user);
    routes.put("/api/users/{id}", this::updateUser);
    routes.get("/api/users/{id}/orders", this::ordersOfUser);
    routes.post("/api/users/{id}/orders", this::createOrder);
    routes.get("/api/users/{id}/orders/{order}", this::order);
    routes.get("/health/live", context -> replies.ok(context, Map.of("live", true)));
    routes.get("/health/ready", this::ready);

    replies.answerFailuresOf(routes);
  }

  private void newestUsers(Context context) throws SQLException {
    Input input = Input.withoutBody();
    int limit = input.limit(context, USUAL_LIMIT, LARGEST_LIMIT);
    input.check();
    replies.ok(context, users.newest(limit));
  }

  private void createUser(Context context) throws SQLException {
    Answered<User> created = users.create(draft(Input.body(context)));
    replies.created(context, "/api/users/" + created.value().id(), created);
  }

  private void user(Context context) throws SQLException {
    Input input = Input.withoutBody();
    long id = input.key(context, "id");
    input.check();
    replies.found(context, users.find(id), Refusal.noSuchUser(id));
  }

  private void updateUser(Context context) throws SQLException {
    Input input = Input.body(context);
    long id = input.key(context, "id");
    replies.ok(context, users.update(id, draft(input)));
  }

  private void ordersOfUser(Context context) throws SQLException {
    Input input = Input.withoutBody();
    long userId = input.key(context, "id");
    int limit = input.limit(context, USUAL_LIMIT, LARGEST_LIMIT);
    input.check();
    replies.found(context, orders.newestOf(userId, limit), Refusal.noSuchUser(userId));
  }

  private void createOrder(Context context) throws SQLException {
    Input input = Input.body(context);
    long userId = input.key(context, "id");
    var totalAmount = input.amount("total_amount");
    input.check();
    Answered<Order> created = orders.create(userId, totalAmount);
    replies.created(context, "/api/users/" + userId + "/orders/" + created.value().id(), created);
  }

  private void order(Context context) throws SQLException {
    Input input = Input.withoutBody();
    long userId = input.key(context, "id");
    long id = input.key(context, "order");
    input.check();
    replies.found(context, orders.find(userId, id), Refusal.noSuchOrder(userId, id));
  }

  private void ready(Context context) {
    List<Nodes.ShardHealth> shards = Nodes.health(database);
    boolean ready = shards.stream().allMatch(Nodes.ShardHealth::ready);
    Map<String, Object> data = Map.of("ready", ready, "shards", shards);
    if (ready) {
      replies.ok(context, data);
    } else {
      replies.notReady(context, data);
    }
  }

  private static Users.Draft draft(Input input) {
    Users.Draft draft =
        new Users.Draft(input.text("name", Users.LONGEST_NAME), input.email("email"));
    input.check();
    return draft;
  }
}
