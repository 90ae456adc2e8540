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
import org.jspecify.annotations.Nullable;
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

  /** What the first look found that trying again cannot mend; null once that was asked for. */
  private @Nullable List<String> misconfigured = new ArrayList<>();

  /** The system identifier of whichever node answered first; guarded by this object's lock. */
  private @Nullable Long systemId;

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
    synchronized (this) {
      List<String> found = misconfigured == null ? List.of() : List.copyOf(misconfigured);
      misconfigured = null;
      return found;
    }
  }

  @Override
  public void sawUp(int index, Role role, LogPosition position, long askedAtNanos) {
    String foreign = foreign(position.systemId());
    if (foreign != null) {
      refuse(index, foreign);
      return;
    }
    state.update(
        view -> {
          NodeView before = view.nodes().get(index);
          LogPosition known = before.position();
          boolean isForward =
              known == null || position.timeline() > known.timeline() || position.covers(known);
          if (known != null && !isForward) {
            // A standby that crashed comes back at an earlier place. What was forgotten because
            // every replica had passed it is needed again.
            recentWrites.requireOfAll(known);
          }
          Long freshAsOf =
              role == Role.PRIMARY ? Long.valueOf(askedAtNanos) : freshness.freshAsOf(position);
          if (freshAsOf == null && isForward) {
            freshAsOf = before.freshAsOfNanos();
          }
          NodeView now = before.up(role, position, freshAsOf);
          ShardView after = view.with(now);
          if (now.equals(after.primary())) {
            // Not of a primary that another has overtaken: it knows nothing of what is committed.
            freshness.primaryAt(position, askedAtNanos);
          }
          logChange(before, now);
          // Within the update: by an older view, what is required now might look covered.
          recentWrites.forgetCovered(after);
          return after;
        });
  }

  /** Why a server with this system identifier cannot be a node of this shard; null if it can. */
  private synchronized @Nullable String foreign(long answered) {
    if (systemId == null) {
      String owner = systems.putIfAbsent(answered, shard.name());
      if (owner != null && !owner.equals(shard.name())) {
        return "it is a server of " + owner + ": both have the same system identifier";
      }
      systemId = answered;
    }
    return systemId == answered
        ? null
        : "it is no replica of the other nodes of "
            + shard.name()
            + ": its system identifier is another one. Correct its URL; after an upgrade that gave the"
            + " whole shard a new one, restart";
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
    synchronized (this) {
      if (misconfigured != null) {
        misconfigured.add("node " + shard.nodes().get(index).name() + ": " + why);
      }
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
    state.close();
    monitors.forEach(NodeMonitor::close);
    pools.forEach(NodePools::close);
  }
}
