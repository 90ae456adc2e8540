package dev.waymark.sample;

import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import io.javalin.router.Endpoint;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.propagation.TextMapGetter;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * What an operator sees of each request: its id in every line of the log, a line for itself, a
 * timer, a span. Thread-safe.
 */
final class Observation {
  static final String REQUEST_ID = "X-Request-Id";

  /** Its own name, so that requests can be logged while everything else is quiet. */
  private static final Logger requests = LoggerFactory.getLogger("dev.waymark.sample.requests");

  /** Anything else could write lines of its own into the log, or headers into the answer. */
  private static final Pattern ACCEPTABLE_ID = Pattern.compile("[A-Za-z0-9._-]{1,64}");

  private static final String ATTRIBUTE = Observation.class.getName();
  private static final AttributeKey<String> METHOD = AttributeKey.stringKey("http.request.method");
  private static final AttributeKey<String> ROUTE = AttributeKey.stringKey("http.route");
  private static final AttributeKey<String> PATH = AttributeKey.stringKey("url.path");
  private static final AttributeKey<Long> STATUS =
      AttributeKey.longKey("http.response.status_code");
  private static final AttributeKey<String> SHARD = AttributeKey.stringKey("waymark.shard");
  private static final AttributeKey<String> NODE = AttributeKey.stringKey("waymark.node");
  private static final AttributeKey<String> TIER = AttributeKey.stringKey("waymark.tier");

  private static final TextMapGetter<Context> HEADERS =
      new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(Context context) {
          return context.headerMap().keySet();
        }

        @Override
        public @Nullable String get(@Nullable Context context, String key) {
          return context == null ? null : context.header(key);
        }
      };

  private final MeterRegistry registry;
  private final OpenTelemetry telemetry;
  private final Tracer tracer;

  /**
   * Few: routes and methods are ours. The registry's own look-up builds a list of tags each time.
   */
  private final Map<Kind, Timer> timers = new ConcurrentHashMap<>();

  Observation(MeterRegistry registry, OpenTelemetry telemetry) {
    this.registry = registry;
    this.telemetry = telemetry;
    this.tracer = telemetry.getTracer("dev.waymark.sample");
  }

  private record Observed(String id, Span span) {}

  /** What requests have in common that are timed together. */
  private record Kind(String method, String route, int status) {}

  /** Before anything else that a request meets. */
  void begin(Context context) {
    String sent = context.header(REQUEST_ID);
    String id =
        sent != null && ACCEPTABLE_ID.matcher(sent).matches()
            ? sent
            : HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    context.header(REQUEST_ID, id);
    MDC.put("request_id", id);
    io.opentelemetry.context.Context parent =
        telemetry
            .getPropagators()
            .getTextMapPropagator()
            .extract(io.opentelemetry.context.Context.root(), context, HEADERS);
    Span span =
        tracer
            .spanBuilder(method(context))
            .setParent(parent)
            .setSpanKind(SpanKind.SERVER)
            .setAttribute(METHOD, method(context))
            .setAttribute(PATH, context.path())
            .startSpan();
    if (span.getSpanContext().isValid()) {
      MDC.put("trace_id", span.getSpanContext().getTraceId());
    }
    context.attribute(ATTRIBUTE, new Observed(id, span));
  }

  /** The id of a request; empty if it has none yet. */
  static String requestId(Context context) {
    Observed observed = context.attribute(ATTRIBUTE);
    return observed == null ? "" : observed.id();
  }

  /** Where the answer comes from, for the span. */
  static void answeredBy(Context context, Answered<?> answered) {
    Observed observed = context.attribute(ATTRIBUTE);
    if (observed != null && observed.span().isRecording()) {
      observed.span().setAttribute(SHARD, answered.shard()).setAttribute(TIER, answered.tier());
      if (answered.node() != null) {
        observed.span().setAttribute(NODE, answered.node());
      }
    }
  }

  /** After everything else, on the same thread. */
  void end(Context context, float millis) {
    Observed observed = context.attribute(ATTRIBUTE);
    if (observed == null) {
      return;
    }
    String method = method(context);
    String route = route(context);
    int status = context.statusCode();
    timers
        .computeIfAbsent(new Kind(method, route, status), this::timer)
        .record((long) (millis * 1e6), TimeUnit.NANOSECONDS);
    if (requests.isInfoEnabled()) {
      requests
          .atInfo()
          .addKeyValue("method", method)
          .addKeyValue("route", route)
          .addKeyValue("status", status)
          .addKeyValue("millis", Math.round(millis))
          .log("{} {} {} in {} ms", method, route, status, Math.round(millis));
    }
    Span span = observed.span();
    if (span.isRecording()) {
      span.updateName(method + " " + route);
      span.setAttribute(ROUTE, route).setAttribute(STATUS, (long) status);
      if (status >= 500) {
        span.setStatus(StatusCode.ERROR);
      }
    }
    span.end();
    MDC.remove("request_id");
    MDC.remove("trace_id");
  }

  private Timer timer(Kind kind) {
    return Timer.builder("http.server.requests")
        .tags("method", kind.method(), "route", kind.route(), "status", "" + kind.status())
        .publishPercentileHistogram()
        .minimumExpectedValue(Duration.ofMillis(1))
        .maximumExpectedValue(Duration.ofSeconds(10))
        .register(registry);
  }

  /** A client may send any word: not each is worth a meter. */
  private static String method(Context context) {
    HandlerType method = context.method();
    return HandlerType.commonHttp().contains(method) ? method.name() : "OTHER";
  }

  /** The pattern and not the path: a path names a user, and there are too many of them. */
  private static String route(Context context) {
    Endpoint matched = context.endpoints().matchedHttpEndpoint();
    return matched == null ? "none" : matched.path;
  }
}
