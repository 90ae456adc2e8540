package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.Shard;
import dev.waymark.WaymarkConfig;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One shard at run time: its current view, who keeps it current, and its pools. Safe to share. */
final class LiveShard implements NodeMonitor.Observer, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);
  private static final int REMEMBERED_KEYS = 65_536;

  private final Shard shard;
  private final ShardState state;
  private final List<NodePools> pools;
  private final List<NodeMonitor> monitors;
  private final RecentWrites recentWrites = new RecentWrites(REMEMBERED_KEYS);
  private final AtomicInteger turn = new AtomicInteger();

  /** Guarded by {@link #state}: touched only inside its update. */
  private final FreshnessLog freshness = new FreshnessLog();

  /** Which shard a system identifier was first seen in; shared by all shards of the database. */
  private final ConcurrentMap<Long, String> systems;

  /** The first look's failures that trying again cannot mend. */
  private final List<String> misconfigured = new ArrayList<>();

  LiveShard(
      Shard shard, WaymarkConfig config, ConcurrentMap<Long, String> systems, LongSupplier clock) {
    this.shard = shard;
    this.systems = systems;
    this.state = new ShardState(ShardView.unknown(shard));
    this.pools = shard.nodes().stream().map(node -> new NodePools(node, config)).toList();
    this.monitors =
        state.view().nodes().stream()
            .map(node -> new NodeMonitor(node, config, this, clock))
            .toList();
  }

  String name() {
    return shard.name();
  }

  ShardState state() {
    return state;
  }

  ShardView view() {
    return state.view();
  }

  /** The nodes, what ails them and how busy their pools are, for the end of an error. */
  String describe() {
    return view().nodes().stream()
        .map(
            node ->
                node.trouble() == null
                    ? node.node()
                        + " is a "
                        + (node.isUp(Role.PRIMARY) ? "primary" : "replica")
                        + ", connections "
                        + pools(node).describe()
                    : node.node() + " is not up: " + node.trouble())
        .collect(Collectors.joining("; "));
  }

  NodePools pools(NodeView node) {
    return pools.get(node.index());
  }

  RecentWrites recentWrites() {
    return recentWrites;
  }

  int nextTurn() {
    return turn.getAndIncrement();
  }

  void start() {
    monitors.forEach(NodeMonitor::start);
  }

  /**
   * Waits until every node was looked at.
   *
   * @return what is wrong with the configuration, as far as the nodes' answers tell
   */
  List<String> awaitFirstLook(Deadline deadline) throws InterruptedException {
    for (NodeMonitor monitor : monitors) {
      monitor.awaitFirstLook(deadline.nanosLeft());
    }
    synchronized (misconfigured) {
      return List.copyOf(misconfigured);
    }
  }

  @Override
  public void sawUp(int index, Role role, LogPosition position, long askedAtNanos) {
    String owner = systems.putIfAbsent(position.systemId(), shard.name());
    if (owner != null && !owner.equals(shard.name())) {
      refuse(index, "it is a server of " + owner + ": both have the same system identifier");
      return;
    }
    state.update(
        view -> {
          NodeView before = view.nodes().get(index);
          LogPosition known = before.position();
          if (known != null && !known.equals(position) && known.covers(position)) {
            // A standby that crashed comes back at an earlier place. What was forgotten because
            // every replica had passed it is needed again.
            recentWrites.requireOfAll(known);
          }
          if (role == Role.PRIMARY) {
            freshness.primaryAt(position, askedAtNanos);
          }
          long freshAsOf =
              role == Role.PRIMARY
                  ? askedAtNanos
                  : freshness.freshAsOf(position, before.freshAsOfNanos());
          NodeView now = before.up(role, position, freshAsOf);
          logChange(before, now);
          return view.with(now);
        });
    recentWrites.forgetCovered(state.view());
  }

  @Override
  public void sawDown(int index, SQLException failure) {
    if (Failures.isOfConfiguration(failure)) {
      refuse(index, reason(failure));
    } else {
      markDown(index, reason(failure));
    }
  }

  /** A call found a node failing: nobody else shall try it until the monitor has seen it up. */
  void suspect(NodeView node, Throwable failure) {
    markDown(node.index(), reason(failure));
  }

  private void refuse(int index, String why) {
    synchronized (misconfigured) {
      misconfigured.add("node " + shard.nodes().get(index).name() + ": " + why);
    }
    markDown(index, why);
  }

  private void markDown(int index, String why) {
    boolean wasUp = state.view().nodes().get(index).isUp();
    state.update(
        view -> {
          NodeView before = view.nodes().get(index);
          NodeView now = before.down(why);
          logChange(before, now);
          return view.with(now);
        });
    if (wasUp) {
      pools.get(index).evict();
    }
  }

  /** One line for each change of a node, none while it stays as it is. */
  private void logChange(NodeView before, NodeView now) {
    if (before.role() == now.role() && (now.isUp() || before.position() != null)) {
      return;
    }
    if (now.isUp()) {
      log.info("{} of {} is up as {}", now.node(), shard.name(), now.role());
    } else if (before.isUp() || !String.valueOf(now.trouble()).equals(before.trouble())) {
      log.warn("{} of {} is down: {}", now.node(), shard.name(), now.trouble());
    }
  }

  private static String reason(Throwable failure) {
    SQLException sql = Failures.sqlException(failure);
    Throwable told = sql == null ? failure : sql;
    // A pool that waited in vain keeps the connection's own failure as the cause.
    while (told.getCause() instanceof SQLException deeper) {
      told = deeper;
    }
    return String.valueOf(told.getMessage()).lines().findFirst().orElse("")
        + (told instanceof SQLException state ? " (SQLSTATE " + state.getSQLState() + ")" : "");
  }

  @Override
  public void close() {
    monitors.forEach(NodeMonitor::close);
    pools.forEach(NodePools::close);
  }
}
