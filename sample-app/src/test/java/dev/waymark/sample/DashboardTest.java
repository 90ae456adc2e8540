package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.Outcome;
import dev.waymark.OwnedRange;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.CacheMetrics;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.RoutingMetrics;
import dev.waymark.routing.ShardedDatabase;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** That the dashboard asks for metrics which exist. */
class DashboardTest {
  private static final Route ROUTE =
      new Route("shard-1", "a", Role.REPLICA, Route.Reason.REPLICA_IS_FRESH, 1);

  @Test
  void everyMetricOfTheLibraryThatIsShownIsToldWithTheLabelsAskedFor() throws Exception {
    PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    RoutingMetrics routing = new RoutingMetrics(registry);
    CacheMetrics caching = new CacheMetrics(registry);
    // Nobody answers there; the nodes are known all the same.
    try (ShardedDatabase database = ShardedDatabase.open(nowhere(), routing)) {
      routing.watch(database);
      TieredCache<Long, User> cache =
          TieredCache.<Long, User>builder("users", id -> Users.load(database, id))
              .listener(caching)
              .build();
      caching.watch(cache);
      routing.read(ROUTE, 1);
      routing.written(ROUTE, 1);
      routing.failed("shard-1", Outcome.UNKNOWN);
      routing.primaryChanged("shard-1", "a", "b", 1);
      routing.streamReached("shard-1", 1, 1);
      caching.loaded("users", ROUTE, 1);

      String told = registry.scrape();
      for (String expression : expressions()) {
        Matcher metric =
            Pattern.compile("\\b(waymark_[a-z0-9_]+)(\\{[^}]*\\})?").matcher(expression);
        while (metric.find()) {
          assertThat(told).as(expression).containsPattern("(?m)^" + metric.group(1) + "[ {]");
          Matcher label = Pattern.compile("by \\(([^)]*)\\)").matcher(expression);
          while (label.find()) {
            for (String name : label.group(1).split(", *")) {
              // Added by whoever collects.
              if (!Set.of("instance", "job").contains(name)) {
                assertThat(told)
                    .as(expression)
                    .containsPattern("(?m)^" + metric.group(1) + "\\{.*" + name + "=");
              }
            }
          }
        }
      }
    }
  }

  private static Set<String> expressions() throws Exception {
    JsonNode dashboard =
        new ObjectMapper().readTree(DeployFiles.text("grafana/waymark-sample.json"));
    Set<String> expressions = new TreeSet<>();
    dashboard.findValuesAsText("expr").forEach(expressions::add);
    expressions.removeIf(expression -> !expression.contains("waymark_"));
    assertThat(expressions).hasSizeGreaterThan(15);
    return expressions;
  }

  private static WaymarkConfig nowhere() {
    return WaymarkConfig.of(
        ShardMap.of(
            1,
            List.of(
                new Shard(
                    "shard-1",
                    List.of(
                        new Node("a", "jdbc:postgresql://127.0.0.1:1/app"),
                        new Node("b", "jdbc:postgresql://127.0.0.1:2/app")))),
            List.of(new OwnedRange(new KeyRange(1, 100), "shard-1")),
            List.copyOf(SampleSchema.tables())),
        new Credentials("app", "none"));
  }
}
