package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.NodeState;
import dev.waymark.Outcome;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.Route.Reason;
import dev.waymark.RoutingListener;
import dev.waymark.RoutingListener.Freshness;
import dev.waymark.RoutingListener.StreamChange;
import dev.waymark.RoutingListener.StreamState;
import dev.waymark.RoutingListener.Wait;
import dev.waymark.ShardChange.StartedAnew.Cause;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class RoutingMetricsTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final RoutingMetrics metrics = new RoutingMetrics(registry);

  @Test
  void readsAreCountedByShardRoleAndReason() {
    metrics.read(route(Role.REPLICA, Reason.REPLICA_IS_FRESH), 2_000_000);
    metrics.read(route(Role.REPLICA, Reason.REPLICA_IS_FRESH), 4_000_000);
    metrics.read(route(Role.PRIMARY, Reason.NO_REPLICA_IS_FRESH), 1_000_000);

    var replica =
        registry.get("waymark.reads").tags("role", "replica", "reason", "replica_is_fresh").timer();
    assertThat(replica.count()).isEqualTo(2);
    assertThat(replica.totalTime(TimeUnit.MILLISECONDS)).isEqualTo(6);
    assertThat(registry.get("waymark.reads").tags("role", "primary").timer().count()).isEqualTo(1);
  }

  @Test
  void whatGoesWrongIsCounted() {
    metrics.failed("shard-1", Outcome.UNKNOWN);
    metrics.waited("shard-1", Wait.PRIMARY, 5_000_000);
    metrics.freshnessChecked("shard-1", "b", Freshness.BEHIND, 1);
    metrics.primaryChanged("shard-1", null, "a", 0);
    metrics.primaryChanged("shard-1", "a", "b", 7_000_000);

    assertThat(registry.get("waymark.calls.failed").tag("outcome", "unknown").counter().count())
        .isEqualTo(1);
    assertThat(registry.get("waymark.waits").tag("for", "primary").timer().count()).isEqualTo(1);
    assertThat(registry.get("waymark.freshness.checks").tag("found", "behind").timer().count())
        .isEqualTo(1);
    // The first primary that is seen is no failover.
    assertThat(registry.get("waymark.failovers").timer().count()).isEqualTo(1);
  }

  @Test
  void changeStreamsAreCountedAndHoldNoLogOnceAnotherProcessFollows() {
    metrics.streamChanged(
        new StreamChange("shard-1", StreamState.CONNECTING, StreamState.FOLLOWING, null));
    metrics.streamStartedAnew("shard-1", Cause.PROMOTION);
    metrics.streamReached("shard-1", 3_000_000, 4_096);

    assertThat(registry.get("waymark.changes.states").tag("state", "following").counter().count())
        .isEqualTo(1);
    assertThat(
            registry
                .get("waymark.changes.started.anew")
                .tag("cause", "promotion")
                .counter()
                .count())
        .isEqualTo(1);
    assertThat(registry.get("waymark.changes.reached").timer().totalTime(TimeUnit.MILLISECONDS))
        .isEqualTo(3);
    assertThat(registry.get("waymark.changes.held.bytes").gauge().value()).isEqualTo(4_096);

    metrics.streamChanged(
        new StreamChange("shard-1", StreamState.FOLLOWING, StreamState.STANDING_BY, null));

    assertThat(registry.get("waymark.changes.held.bytes").gauge().value()).isZero();
  }

  @Test
  void gaugesShowTheNodesAsTheyAre() {
    AtomicReference<List<NodeStatus>> nodes =
        new AtomicReference<>(List.of(status(NodeState.LAGGING, Role.REPLICA)));
    metrics.watch(nodes::get);

    assertThat(gauge("waymark.node.up")).isEqualTo(1);
    assertThat(gauge("waymark.node.lagging")).isEqualTo(1);
    assertThat(gauge("waymark.node.lag.seconds")).isEqualTo(1.5);
    assertThat(gauge("waymark.node.lag.bytes")).isEqualTo(300);
    assertThat(gauge("waymark.pool.reads.active")).isEqualTo(3);

    nodes.set(List.of(status(NodeState.DOWN, null)));
    assertThat(gauge("waymark.node.up")).isZero();
  }

  @Test
  void twoListenersAreBothToldAndNoneCostsNothing() {
    AtomicInteger told = new AtomicInteger();
    RoutingListener counting =
        new RoutingListener() {
          @Override
          public void read(Route route, long nanos) {
            told.incrementAndGet();
          }
        };

    RoutingListener.none()
        .and(counting)
        .and(metrics)
        .and(RoutingListener.none())
        .read(route(Role.REPLICA, Reason.REPLICA_IS_FRESH), 1);

    assertThat(told).hasValue(1);
    assertThat(registry.get("waymark.reads").timer().count()).isEqualTo(1);
    assertThat(RoutingListener.none().and(counting)).isSameAs(counting);
  }

  @Test
  void aListenerThatFailsDisturbsNobody() {
    RoutingListener broken =
        new RoutingListener() {
          @Override
          public void read(Route route, long nanos) {
            throw new IllegalStateException("broken on purpose");
          }

          @Override
          public void failed(String shard, Outcome outcome) {
            throw new IllegalStateException("broken on purpose");
          }
        };
    RoutingListener careful = CarefulListener.around(broken);

    careful.read(route(Role.REPLICA, Reason.REPLICA_IS_FRESH), 1);
    careful.failed("shard-1", Outcome.NOT_SENT);

    assertThat(CarefulListener.around(RoutingListener.none())).isSameAs(RoutingListener.none());
  }

  private double gauge(String name) {
    return registry.get(name).tags("shard", "shard-1", "node", "b").gauge().value();
  }

  private static NodeStatus status(NodeState state, Role role) {
    NodeStatus.Pool pool = new NodeStatus.Pool(3, 1, 0, 10);
    return new NodeStatus(
        "shard-1",
        "b",
        state,
        role,
        null,
        300,
        Duration.ofMillis(1_500),
        new NodeStatus.Pools(pool, pool),
        role == null ? "gone" : null);
  }

  private static Route route(Role role, Reason reason) {
    return new Route("shard-1", "b", role, reason, 1);
  }
}
