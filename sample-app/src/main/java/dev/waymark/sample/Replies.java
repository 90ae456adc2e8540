package dev.waymark.sample;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import dev.waymark.NoShardForKeyException;
import dev.waymark.Outcome;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkException;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import java.security.SecureRandom;
import java.sql.SQLException;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one form of every response: {@code {"success": …, "data": …, "meta": {"timestamp": …}}}, with
 * {@code "error"} in place of data where something failed.
 */
final class Replies {
  static final String EXPLAIN_HEADER = "Waymark-Explain";

  private static final Logger log = LoggerFactory.getLogger(Replies.class);
  private static final String UNDEFINED_TABLE = "42P01";

  private static final ObjectWriter JSON =
      JsonMapper.builder()
          .addModule(new JavaTimeModule())
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          .enable(StreamWriteFeature.WRITE_BIGDECIMAL_AS_PLAIN)
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .defaultPropertyInclusion(
              JsonInclude.Value.construct(
                  JsonInclude.Include.NON_NULL, JsonInclude.Include.NON_NULL))
          .build()
          .writer();

  private final InstantSource clock;
  private final SecureRandom random = new SecureRandom();

  /**
   * Replies.
   *
   * @param clock of the time stamps
   */
  Replies(InstantSource clock) {
    this.clock = clock;
  }

  record Envelope(
      boolean success, @Nullable Object data, @Nullable Problem error, Map<String, String> meta) {}

  /**
   * What failed.
   *
   * @param code which failure this is, for a program to read
   * @param outcome what happened to the data; null where nothing was to be written
   * @param faults what is wrong with the request, one by one; null if that is not the matter
   */
  record Problem(
      String code, String message, @Nullable Outcome outcome, @Nullable List<Fault> faults) {}

  // ---- what went well -------------------------------------------------------------------------

  void ok(Context context, Answered<? extends Object> answered) {
    note(context, answered);
    send(context, 200, answered.value(), null);
  }

  /** The answer, or the refusal where the answer is that there is nothing. */
  void found(Context context, Answered<? extends @Nullable Object> answered, Refusal ifAbsent) {
    note(context, answered);
    if (answered.value() == null) {
      refuse(ifAbsent, context);
    } else {
      send(context, 200, answered.value(), null);
    }
  }

  void created(Context context, String location, Answered<? extends Object> answered) {
    note(context, answered);
    context.header("Location", location);
    send(context, 201, answered.value(), null);
  }

  void ok(Context context, Object data) {
    send(context, 200, data, null);
  }

  private void note(Context context, Answered<?> answered) {
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

  void notReady(Context context, Object data) {
    context.header("Retry-After", "1");
    send(
        context,
        503,
        data,
        new Problem("not_ready", "A shard has no node that may answer reads.", null, null));
  }

  private void refuse(Refusal refusal, Context context) {
    send(
        context,
        refusal.status(),
        null,
        new Problem(
            refusal.code(),
            Objects.requireNonNull(refusal.getMessage()),
            null,
            refusal.faults().isEmpty() ? null : refusal.faults()));
  }

  /** No user can have such an id, so for the client this is one more user that does not exist. */
  private void noShard(NoShardForKeyException failure, Context context) {
    log.debug("{} {} gets 404: {}", context.method(), context.path(), failure.getMessage());
    send(
        context,
        404,
        null,
        new Problem(
            "no_shard_owns_key", "No shard owns this id, so there is no such user.", null, null));
  }

  private void unavailable(UnavailableException failure, Context context) {
    // Node names and what the servers said are for the log only.
    log.warn("{} {} gets 503: {}", context.method(), context.path(), failure.getMessage());
    if (failure.outcome() != Outcome.UNKNOWN) {
      // Where the outcome is unknown nobody must be invited to write a second time.
      context.header("Retry-After", "1");
    }
    send(
        context,
        503,
        null,
        new Problem(
            "unavailable",
            "Shard %s cannot answer now. %s."
                .formatted(failure.shard(), failure.outcome().sentence()),
            failure.outcome(),
            null));
  }

  private void failed(Exception failure, Context context) {
    // So that the client's report can be found in the log without telling the client what is there.
    String reference = HexFormat.of().toHexDigits(random.nextInt());
    if (sqlState(failure).equals(UNDEFINED_TABLE)) {
      log.error(
          "{} {} gets 500 (reference {}): a table is missing. Start once with --init-schema. {}",
          context.method(),
          context.path(),
          reference,
          failure.getMessage());
    } else {
      log.error(
          "{} {} gets 500 (reference {})", context.method(), context.path(), reference, failure);
    }
    Outcome outcome = failure instanceof WaymarkException known ? known.outcome() : null;
    send(
        context,
        500,
        null,
        new Problem(
            "internal",
            "Something went wrong here; the log knows it as " + reference + ".",
            outcome,
            null));
  }

  /** What Javalin itself turns down: unknown paths, other methods, bodies that are too large. */
  private void refusedByServer(HttpResponseException refused, Context context) {
    String allowed = refused.getDetails().get("availableMethods");
    if (refused.getStatus() == 405 && allowed != null) {
      context.header("Allow", allowed);
    }
    Problem problem =
        switch (refused.getStatus()) {
          case 404 -> new Problem("no_such_path", "There is nothing at this path.", null, null);
          case 405 ->
              new Problem("method_not_allowed", "This path takes other methods only.", null, null);
          case 413 ->
              new Problem(
                  "body_too_large",
                  "The body is larger than " + WebServer.LARGEST_BODY_BYTES + " bytes.",
                  null,
                  null);
          default ->
              new Problem(
                  "refused", Objects.requireNonNullElse(refused.getMessage(), ""), null, null);
        };
    send(context, refused.getStatus(), null, problem);
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

  /** A failure that comes before there is a request to speak of, such as a malformed URL. */
  byte[] refusal(int status) {
    return json(
        null, new Problem("refused", "The request was refused with " + status + ".", null, null));
  }

  private void send(Context context, int status, @Nullable Object data, @Nullable Problem problem) {
    context
        .status(status)
        .contentType("application/json")
        // An answer depends on who asks: caches on the way must not keep it.
        .header("Cache-Control", "no-store")
        .result(json(data, problem));
  }

  byte[] json(@Nullable Object data, @Nullable Problem problem) {
    try {
      return JSON.writeValueAsBytes(
          new Envelope(
              problem == null,
              data,
              problem,
              Map.of("timestamp", clock.instant().truncatedTo(ChronoUnit.MILLIS).toString())));
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException("A reply cannot be written as JSON", impossible);
    }
  }
}
