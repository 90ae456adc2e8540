package dev.waymark.sample;

import dev.waymark.NoShardForKeyException;
import dev.waymark.Outcome;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkException;
import dev.waymark.routing.Page;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import io.javalin.http.HttpResponseException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one form of every answer: {@code {"success": true, "data": …, "meta": {"timestamp": …}}}, and
 * a problem document (RFC 9457) with {@code "success": false} where something failed.
 *
 * <p>What bears an ETag has the time of its last change as its time stamp, and not the time of the
 * answer: equal tags promise equal bytes.
 */
final class Replies {
  static final String EXPLAIN_HEADER = "Waymark-Explain";
  static final String JSON = "application/json";
  static final String PROBLEM_JSON = "application/problem+json";

  private static final Logger log = LoggerFactory.getLogger(Replies.class);
  private static final String UNDEFINED_TABLE = "42P01";

  private final InstantSource clock;
  private final Purges purges;

  /**
   * Replies.
   *
   * @param clock of the time stamps
   */
  Replies(InstantSource clock, Purges purges) {
    this.clock = clock;
    this.purges = purges;
  }

  record Envelope(boolean success, Object data, Map<String, Object> meta) {}

  /**
   * What failed.
   *
   * @param code which failure this is, for a program to read
   * @param outcome what happened to the data; null where nothing was to be written
   * @param faults what is wrong with the request, one by one; null if that is not the matter
   */
  record ProblemDocument(
      String type,
      String title,
      int status,
      String detail,
      boolean success,
      String code,
      @Nullable Outcome outcome,
      @Nullable List<Fault> faults,
      Map<String, Object> meta) {
    ProblemDocument withStatus(int other) {
      return new ProblemDocument(type, title, other, detail, success, code, outcome, faults, meta);
    }

    ProblemDocument withMeta(Map<String, Object> other) {
      return new ProblemDocument(
          type, title, status, detail, success, code, outcome, faults, other);
    }
  }

  // ---- what went well -------------------------------------------------------------------------

  void ok(Context context, Object data) {
    CachePolicy.NOBODY.say(context, purges, "");
    send(context, 200, data, meta(clock.instant()));
  }

  void user(
      Context context, Answered<? extends @Nullable User> answered, Supplier<Refusal> ifAbsent) {
    User user = found(context, answered, ifAbsent);
    ApiVersion version = ApiVersion.of(context);
    tagged(
        context,
        EntityTag.of(version, user.revision()),
        CachePolicy.CLIENT,
        "",
        () -> send(context, 200, Views.of(user, version), meta(user.updatedAt())));
  }

  void profile(
      Context context, Answered<? extends @Nullable User> answered, Supplier<Refusal> ifAbsent) {
    User user = found(context, answered, ifAbsent);
    ApiVersion version = ApiVersion.of(context);
    tagged(
        context,
        EntityTag.of(version, user.revision()),
        CachePolicy.EVERYBODY,
        Purges.keyOfUser(user.id()),
        () -> send(context, 200, Views.profileOf(user, version), meta(user.updatedAt())));
  }

  void order(
      Context context, Answered<? extends @Nullable Order> answered, Supplier<Refusal> ifAbsent) {
    Order order = found(context, answered, ifAbsent);
    ApiVersion version = ApiVersion.of(context);
    tagged(
        context,
        EntityTag.of(version, order.revision()),
        CachePolicy.CLIENT,
        "",
        () -> send(context, 200, Views.of(order, version), meta(order.updatedAt())));
  }

  void users(Context context, Answered<Page<User>> answered, int limit) {
    page(
        context,
        answered,
        limit,
        user -> new Row(user.id() + "@" + user.revision(), user.updatedAt()),
        user -> Views.of(user, ApiVersion.of(context)));
  }

  void orders(Context context, Answered<Page<Order>> answered, int limit) {
    page(
        context,
        answered,
        limit,
        order -> new Row(order.id() + "@" + order.revision(), order.updatedAt()),
        order -> Views.of(order, ApiVersion.of(context)));
  }

  private record Row(String revision, Instant updatedAt) {}

  private <T> void page(
      Context context,
      Answered<Page<T>> answered,
      int limit,
      Function<T, Row> rowOf,
      Function<T, Views> viewOf) {
    note(context, answered);
    Page<T> page = answered.value();
    List<Row> rows = page.rows().stream().map(rowOf).toList();
    Map<String, Object> meta =
        meta(
            rows.stream()
                .map(Row::updatedAt)
                .max(Comparator.naturalOrder())
                .orElseGet(clock::instant));
    meta.put("limit", limit);
    if (page.next() != null) {
      meta.put("next", page.next());
      context.addHeader("Link", "<" + nextUrl(context, page.next()) + ">; rel=\"next\"");
    }
    Runnable send = () -> send(context, 200, page.rows().stream().map(viewOf).toList(), meta);
    if (rows.isEmpty()) {
      // Nothing to be told by: a shard that has just lost its only row looks like one without any.
      CachePolicy.NOBODY.say(context, purges, "");
      send.run();
    } else {
      EntityTag tag =
          EntityTag.ofPage(
              ApiVersion.of(context), rows.stream().map(Row::revision).toList(), page.next());
      tagged(context, tag, CachePolicy.CLIENT, "", send);
    }
  }

  private static String nextUrl(Context context, String next) {
    StringBuilder url = new StringBuilder(context.path());
    char separator = '?';
    for (Map.Entry<String, List<String>> parameter : context.queryParamMap().entrySet()) {
      if (!parameter.getKey().equals("page")) {
        url.append(separator)
            .append(encoded(parameter.getKey()))
            .append('=')
            .append(encoded(parameter.getValue().get(0)));
        separator = '&';
      }
    }
    return url.append(separator).append("page=").append(encoded(next)).toString();
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  void createdUser(Context context, Answered<User> created) {
    User user = created.value();
    context.header("Location", ApiVersion.base(context) + "/users/" + user.id());
    wrote(context, 201, created, user.revision(), Views.of(user, ApiVersion.of(context)));
  }

  void createdOrder(Context context, Answered<Order> created) {
    wroteOrder(context, 201, created);
  }

  /** The order is there; what becomes of it is to be seen where it is. */
  void acceptedOrder(Context context, Answered<Order> accepted) {
    wroteOrder(context, 202, accepted);
  }

  private void wroteOrder(Context context, int status, Answered<Order> created) {
    Order order = created.value();
    context.header(
        "Location",
        ApiVersion.base(context) + "/users/" + order.userId() + "/orders/" + order.id());
    wrote(context, status, created, order.revision(), Views.of(order, ApiVersion.of(context)));
  }

  void changed(Context context, Answered<User> changed) {
    User user = changed.value();
    wrote(context, 200, changed, user.revision(), Views.of(user, ApiVersion.of(context)));
  }

  void gone(Context context, Answered<User> deleted) {
    note(context, deleted);
    CachePolicy.NOBODY.say(context, purges, "");
    context.status(204);
  }

  private void wrote(
      Context context, int status, Answered<?> answered, String revision, Views view) {
    note(context, answered);
    if (answered.isAgain()) {
      context.header("Idempotent-Replayed", "true");
    }
    // For the next If-Match; the answer to a write is not to be kept.
    context.header("ETag", EntityTag.of(ApiVersion.of(context), revision).text());
    CachePolicy.NOBODY.say(context, purges, "");
    send(context, status, view, meta(clock.instant()));
  }

  /** Sends it, or 304 if the client has it. */
  private void tagged(
      Context context, EntityTag tag, CachePolicy policy, String surrogateKey, Runnable send) {
    policy.say(context, purges, surrogateKey);
    context.header("ETag", tag.text());
    if (tag.isKnownTo(context.header("If-None-Match"))) {
      context.status(304);
    } else {
      send.run();
    }
  }

  private <T> T found(
      Context context, Answered<? extends @Nullable T> answered, Supplier<Refusal> ifAbsent) {
    note(context, answered);
    T value = answered.value();
    if (value == null) {
      throw ifAbsent.get();
    }
    return value;
  }

  private void note(Context context, Answered<?> answered) {
    Observation.answeredBy(context, answered);
    if (!"true".equalsIgnoreCase(context.header(EXPLAIN_HEADER))) {
      return;
    }
    context.header("Waymark-Shard", answered.shard());
    if (answered.node() != null) {
      context.header("Waymark-Node", answered.node());
    }
    if (answered.role() != null) {
      context.header("Waymark-Role", answered.role().name().toLowerCase(Locale.ROOT));
    }
    context.header("Waymark-Tier", answered.tier());
    context.header("Waymark-Reason", answered.reason());
  }

  // ---- what did not ---------------------------------------------------------------------------

  void answerFailuresOf(RoutesConfig routes) {
    routes.exception(Refusal.class, this::refuse);
    routes.exception(NoShardForKeyException.class, this::noShard);
    routes.exception(UnavailableException.class, this::unavailable);
    routes.exception(WaymarkException.class, this::failed);
    routes.exception(HttpResponseException.class, this::refusedByServer);
    routes.exception(Exception.class, this::failed);
  }

  /** With what the service sees of its nodes, for who looks into it. */
  void notReady(Context context, Object data, String detail) {
    CachePolicy.NOBODY.say(context, purges, "");
    context.header("Retry-After", "1");
    ProblemDocument problem =
        document(Problem.NOT_READY, detail, null, List.of(), Observation.requestId(context));
    Map<String, Object> meta = new LinkedHashMap<>(problem.meta());
    meta.put("health", data);
    context.status(503).contentType(PROBLEM_JSON).result(Json.bytes(problem.withMeta(meta)));
  }

  private void refuse(Refusal refusal, Context context) {
    refusal.headers().forEach(context::header);
    send(context, refusal.problem(), refusal.detail(), null, refusal.faults());
  }

  /** No user can have such an id, so for the client this is one more user that does not exist. */
  private void noShard(NoShardForKeyException failure, Context context) {
    log.debug("{} {} gets 404: {}", context.method(), context.path(), failure.getMessage());
    send(
        context,
        Problem.NO_SHARD_OWNS_KEY,
        "No shard owns this id, so there is no such user.",
        null,
        List.of());
  }

  private void unavailable(UnavailableException failure, Context context) {
    // Node names and what the servers said are for the log only.
    log.warn("{} {} gets 503: {}", context.method(), context.path(), failure.getMessage());
    boolean isRecognised =
        context.method().equals(HandlerType.POST) && context.header("Idempotency-Key") != null;
    boolean mayBeRepeated = failure.outcome() != Outcome.UNKNOWN || isRecognised;
    if (mayBeRepeated) {
      // Where the outcome is unknown nobody must be invited to write a second time.
      context.header("Retry-After", "1");
    }
    send(
        context,
        Problem.UNAVAILABLE,
        "Shard %s cannot answer now. %s.".formatted(failure.shard(), failure.outcome().sentence()),
        failure.outcome(),
        List.of());
  }

  private void failed(Exception failure, Context context) {
    if (sqlState(failure).equals(UNDEFINED_TABLE)) {
      log.error(
          "{} {} gets 500: a table is missing. Start once with --init-schema. {}",
          context.method(),
          context.path(),
          failure.getMessage());
    } else {
      log.error("{} {} gets 500", context.method(), context.path(), failure);
    }
    Outcome outcome = failure instanceof WaymarkException known ? known.outcome() : null;
    // The client's report can be found in the log without telling the client what is there.
    send(
        context,
        Problem.INTERNAL,
        "Something went wrong here; the log knows it as " + Observation.requestId(context) + ".",
        outcome,
        List.of());
  }

  /** What Javalin itself turns down: unknown paths, other methods. */
  private void refusedByServer(HttpResponseException refused, Context context) {
    String allowed = refused.getDetails().get("availableMethods");
    if (refused.getStatus() == 405 && allowed != null) {
      context.header("Allow", allowed);
    }
    switch (refused.getStatus()) {
      case 404 ->
          send(context, Problem.NO_SUCH_PATH, "There is nothing at this path.", null, List.of());
      case 405 ->
          send(
              context,
              Problem.METHOD_NOT_ALLOWED,
              "This path takes other methods only.",
              null,
              List.of());
      default ->
          send(
              context,
              refused.getStatus(),
              document(
                      Problem.REFUSED,
                      Objects.requireNonNullElse(refused.getMessage(), "The request was refused."),
                      null,
                      List.of(),
                      Observation.requestId(context))
                  .withStatus(refused.getStatus()));
    }
  }

  private static String sqlState(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException sql && sql.getSQLState() != null) {
        return sql.getSQLState();
      }
    }
    return "";
  }

  // ---- both -----------------------------------------------------------------------------------

  private static Map<String, Object> meta(Instant timestamp) {
    Map<String, Object> meta = new LinkedHashMap<>();
    // Micros, as PostgreSQL has them: the time of a change is to be told exactly.
    meta.put("timestamp", timestamp.truncatedTo(ChronoUnit.MICROS).toString());
    return meta;
  }

  private void send(Context context, int status, Object data, Map<String, Object> meta) {
    context.status(status).contentType(JSON).result(Json.bytes(new Envelope(true, data, meta)));
  }

  void send(
      Context context,
      Problem problem,
      String detail,
      @Nullable Outcome outcome,
      List<Fault> faults) {
    send(
        context,
        problem.status(),
        document(problem, detail, outcome, faults, Observation.requestId(context)));
  }

  private void send(Context context, int status, ProblemDocument document) {
    RequestBody.discardRest(context);
    CachePolicy.NOBODY.say(context, purges, "");
    context.removeHeader("CDN-Cache-Control");
    context.removeHeader("Surrogate-Key");
    context.status(status).contentType(PROBLEM_JSON).result(Json.bytes(document));
  }

  ProblemDocument document(
      Problem problem,
      String detail,
      @Nullable Outcome outcome,
      List<Fault> faults,
      String requestId) {
    Map<String, Object> meta = meta(clock.instant());
    if (!requestId.isEmpty()) {
      meta.put("request_id", requestId);
    }
    return new ProblemDocument(
        "/problems/" + problem.code(),
        problem.title(),
        problem.status(),
        detail,
        false,
        problem.code(),
        outcome,
        faults.isEmpty() ? null : faults,
        meta);
  }

  /** A failure that comes before there is a request to speak of, such as a malformed URL. */
  byte[] refusal(int status) {
    return Json.bytes(
        document(
                status >= 500 ? Problem.INTERNAL : Problem.REFUSED,
                "The request was refused with " + status + ".",
                null,
                List.of(),
                "")
            .withStatus(status));
  }
}
