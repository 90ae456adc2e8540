package dev.waymark.routing;

import dev.waymark.NodeState;
import dev.waymark.Outcome;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.RoutingListener;
import dev.waymark.ShardChange;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * Puts what routing does into a Micrometer registry. Open the database with it, then let it watch
 * the nodes:
 *
 * <pre>{@code
 * RoutingMetrics metrics = new RoutingMetrics(registry);
 * ShardedDatabase database = ShardedDatabase.open(config, metrics);
 * metrics.watch(database);
 * }</pre>
 *
 * <p>Tags are shards, nodes, roles, reasons and outcomes, never keys. Needs {@code
 * io.micrometer:micrometer-core}, which this library does not bring. Safe to share.
 */
public final class RoutingMetrics implements RoutingListener {
  private final MeterRegistry registry;

  /** By route: there are few, and a look-up makes nothing. */
  private final ConcurrentMap<Route, Timer> reads = new ConcurrentHashMap<>();

  private final ConcurrentMap<String, Timer> writes = new ConcurrentHashMap<>();

  /** How much log each shard's server keeps for the stream, where this process follows it. */
  private final ConcurrentMap<String, AtomicLong> heldBytes = new ConcurrentHashMap<>();

  /** Counts into a registry from now on. */
  public RoutingMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  /** Adds gauges for every node of a database: state, lag and pools. */
  public void watch(ShardedDatabase database) {
    watch(database::nodes);
  }

  void watch(Supplier<List<NodeStatus>> nodes) {
    for (NodeStatus node : nodes.get()) {
      gauge("waymark.node.up", nodes, node, each -> each.isUp() ? 1 : 0);
      gauge("waymark.node.primary", nodes, node, each -> each.role() == Role.PRIMARY ? 1 : 0);
      gauge("waymark.node.lagging", nodes, node, each -> each.state() == NodeState.LAGGING ? 1 : 0);
      gauge("waymark.node.lag.bytes", nodes, node, NodeStatus::lagBytes);
      gauge("waymark.node.lag.seconds", nodes, node, each -> each.lag().toNanos() / 1e9);
      pool("reads", nodes, node, each -> each.pools().reads());
      pool("writes", nodes, node, each -> each.pools().writes());
    }
  }

  private interface PoolOf {
    NodeStatus.Pool of(NodeStatus node);
  }

  private void pool(String use, Supplier<List<NodeStatus>> nodes, NodeStatus node, PoolOf pool) {
    String name = "waymark.pool." + use;
    gauge(name + ".active", nodes, node, each -> pool.of(each).active());
    gauge(name + ".idle", nodes, node, each -> pool.of(each).idle());
    gauge(name + ".waiting", nodes, node, each -> pool.of(each).waiting());
    gauge(name + ".max", nodes, node, each -> pool.of(each).maximum());
  }

  private void gauge(
      String name,
      Supplier<List<NodeStatus>> nodes,
      NodeStatus node,
      ToDoubleFunction<NodeStatus> value) {
    Gauge.builder(name, nodes, all -> valueOf(all.get(), node, value))
        .tags("shard", node.shard(), "node", node.node())
        .strongReference(true)
        .register(registry);
  }

  private static double valueOf(
      List<NodeStatus> all, NodeStatus node, ToDoubleFunction<NodeStatus> value) {
    for (NodeStatus each : all) {
      if (each.shard().equals(node.shard()) && each.node().equals(node.node())) {
        return value.applyAsDouble(each);
      }
    }
    return Double.NaN;
  }

  @Override
  public void read(Route route, long nanos) {
    Timer timer = reads.get(route);
    if (timer == null) {
      timer = reads.computeIfAbsent(route, this::timerOf);
    }
    timer.record(nanos, TimeUnit.NANOSECONDS);
  }

  private Timer timerOf(Route route) {
    return registry.timer(
        "waymark.reads",
        Tags.of(
            "shard", route.shard(),
            "role", lower(route.role()),
            "reason", lower(route.reason()),
            "tier", "database"));
  }

  @Override
  public void written(Route route, long nanos) {
    writes
        .computeIfAbsent(route.shard(), shard -> registry.timer("waymark.writes", "shard", shard))
        .record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void readLost(Route route, Throwable failure) {
    count("waymark.reads.lost", "shard", route.shard(), "node", route.node());
  }

  @Override
  public void failed(String shard, Outcome outcome) {
    count("waymark.calls.failed", "shard", shard, "outcome", lower(outcome));
  }

  @Override
  public void waited(String shard, Wait reason, long nanos) {
    registry
        .timer("waymark.waits", "shard", shard, "for", lower(reason))
        .record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void freshnessChecked(String shard, String node, Freshness found, long nanos) {
    registry
        .timer("waymark.freshness.checks", "shard", shard, "found", lower(found))
        .record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void hedged(String shard, Hedge result) {
    count("waymark.hedges", "shard", shard, "result", lower(result));
  }

  @Override
  public void nodeChanged(NodeChange change) {
    count(
        "waymark.node.changes",
        "shard",
        change.shard(),
        "node",
        change.node(),
        "state",
        lower(change.after()));
  }

  @Override
  public void primaryChanged(
      String shard, @Nullable String before, String after, long nanosWithout) {
    if (before != null) {
      registry
          .timer("waymark.failovers", "shard", shard)
          .record(nanosWithout, TimeUnit.NANOSECONDS);
    }
  }

  @Override
  public void streamChanged(StreamChange change) {
    count("waymark.changes.states", "shard", change.shard(), "state", lower(change.after()));
    if (change.after() != StreamState.FOLLOWING) {
      // Whoever follows it knows; an old figure would look like a new one.
      heldBytes(change.shard()).set(0);
    }
  }

  @Override
  public void streamStartedAnew(String shard, ShardChange.StartedAnew.Cause cause) {
    count("waymark.changes.started.anew", "shard", shard, "cause", lower(cause));
  }

  @Override
  public void streamReached(String shard, long nanos, long heldBytes) {
    registry.timer("waymark.changes.reached", "shard", shard).record(nanos, TimeUnit.NANOSECONDS);
    heldBytes(shard).set(heldBytes);
  }

  private AtomicLong heldBytes(String shard) {
    return heldBytes.computeIfAbsent(
        shard,
        name -> {
          AtomicLong bytes = new AtomicLong();
          Gauge.builder("waymark.changes.held.bytes", bytes, AtomicLong::get)
              .tags("shard", name)
              .strongReference(true)
              .register(registry);
          return bytes;
        });
  }

  private void count(String name, String... tags) {
    Counter counter = registry.counter(name, tags);
    counter.increment();
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
