package dev.waymark.sample;

import io.javalin.config.RoutesConfig;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.util.Map;

/** The meters of this process, where Prometheus gets them, and where spans go. */
final class Telemetry implements Routes, AutoCloseable {
  /** OpenTelemetry's own variables: one of them set means that somebody wants spans. */
  private static final String ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT";

  private static final String TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final JvmGcMetrics garbageCollection = new JvmGcMetrics();
  private final OpenTelemetry openTelemetry;
  private final Observation observation;

  /** Takes over what is given: {@link #close} closes it. */
  Telemetry(OpenTelemetry openTelemetry) {
    this.openTelemetry = openTelemetry;
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
    garbageCollection.bindTo(registry);
    this.observation = new Observation(registry, openTelemetry);
  }

  /**
   * OpenTelemetry as its standard variables configure it, spans only; nothing where none says where
   * to send them. It belongs to whoever closes {@link Telemetry}: not to a hook of its own, which
   * would end it at the signal, while requests are still answered.
   */
  static OpenTelemetry from(Map<String, String> environment) {
    if (!environment.containsKey(ENDPOINT) && !environment.containsKey(TRACES_ENDPOINT)) {
      return OpenTelemetry.noop();
    }
    return AutoConfiguredOpenTelemetrySdk.builder()
        .disableShutdownHook()
        .addPropertiesSupplier(
            () ->
                Map.of(
                    "otel.service.name", "waymark-sample",
                    "otel.metrics.exporter", "none",
                    "otel.logs.exporter", "none"))
        .build()
        .getOpenTelemetrySdk();
  }

  MeterRegistry registry() {
    return registry;
  }

  Observation observation() {
    return observation;
  }

  @Override
  public void addTo(RoutesConfig routes) {
    routes.get(
        "/metrics",
        context ->
            context
                .contentType("text/plain; version=0.0.4; charset=utf-8")
                .header("Cache-Control", "no-store")
                .result(registry.scrape()));
  }

  /** Sends the spans that are left. */
  @Override
  public void close() throws Exception {
    garbageCollection.close();
    registry.close();
    if (openTelemetry instanceof AutoCloseable sdk) {
      sdk.close();
    }
  }
}
