package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.NodeState;
import dev.waymark.Role;
import dev.waymark.RoutingListener;
import dev.waymark.RoutingListener.NodeChange;
import dev.waymark.Shard;
import dev.waymark.WaymarkConfig;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One shard at run time: its current view, who keeps it current, and its pools. Safe to share. */
final class LiveShard implements NodeMonitor.Observer, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  /** After this long without a call a shard is idle. */
  private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** A call tells that it uses the shard no more often than this: the field is shared by all. */
  private static final long USE_TOLD_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final Shard shard;
  private final ShardState state;
  private final NodePools[] pools;
  private final NodeLoad[] loads;
  private final List<NodeMonitor> monitors;
  private final RecentWrites recentWrites = new RecentWrites();
  private final Router router;
  private final Latencies latencies;

  /** How many reads may go to the primary in the replicas' stead; null for any number. */
  private final @Nullable Semaphore primaryReads;

  private final RoutingListener listener;
  private final LongSupplier nanoClock;

  /** Guarded by {@link #state}: touched only inside its update. */
  private final FreshnessLog freshness = new FreshnessLog();

  /** When the last primary was lost, and its name; guarded by {@link #state}. */
  private long withoutPrimarySince;

  private @Nullable String lastPrimary;

  /** Which shard a system identifier was first seen in; shared by all shards of the database. */
  private final ConcurrentMap<Long, String> systems;

  private volatile long usedAtNanos;

  /** What the first look found that trying again cannot mend; null once that was asked for. */
  private @Nullable List<String> misconfigured = new ArrayList<>();

  /** The system identifier of whichever node answered first; guarded by this object's lock. */
  private @Nullable Long systemId;

  LiveShard(
      Shard shard,
      WaymarkConfig config,
      ConcurrentMap<Long, String> systems,
      LongSupplier nanoClock,
      RoutingListener listener) {
    this.shard = shard;
    this.systems = systems;
    this.nanoClock = nanoClock;
    this.listener = listener;
    this.usedAtNanos = nanoClock.getAsLong();
    this.withoutPrimarySince = usedAtNanos;
    this.state = new ShardState(ShardView.unknown(shard, config.map().version()));
    int size = shard.nodes().size();
    this.pools = new NodePools[size];
    this.loads = new NodeLoad[size];
    for (int i = 0; i < size; i++) {
      int index = i;
      NodePools own =
          new NodePools(
              shard.nodes().get(i),
              config,
              nanoClock,
              look -> connected(index, look),
              () -> view().node(index).isUp());
      pools[i] = own;
      loads[i] = NodeLoad.of(shard.nodes().get(i), config.reads(), own::readsInFlight);
    }
    this.router =
        new Router(recentWrites, Balancer.of(config.reads().balancing()), loads, config.lag());
    this.latencies = new Latencies(config.hedging().percentile());
    int most = config.lag().primaryReads();
    this.primaryReads = most == 0 ? null : new Semaphore(most);
    this.monitors =
        state.view().nodes().stream()
            .map(node -> new NodeMonitor(node, config, this, nanoClock))
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

  Router router() {
    return router;
  }

  Latencies latencies() {
    return latencies;
  }

  @Nullable Semaphore primaryReads() {
    return primaryReads;
  }

  NodeLoad load(NodeView node) {
    return loads[node.index()];
  }

  NodePools pools(NodeView node) {
    return pools[node.index()];
  }

  List<NodePools> pools() {
    return List.of(pools);
  }

  RecentWrites recentWrites() {
    return recentWrites;
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

  List<NodeStatus> status() {
    ShardView view = view();
    long now = nanoClock.getAsLong();
    return view.nodes().stream()
        .map(
            node ->
                new NodeStatus(
                    shard.name(),
                    node.node().name(),
                    stateOf(view, node, now),
                    node.role(),
                    node.position(),
                    view.lagBytes(node),
                    node.isUp(Role.REPLICA)
                        ? Duration.ofNanos(Math.max(0, node.lagNanos(now)))
                        : Duration.ZERO,
                    pools(node).status(),
                    node.trouble()))
        .toList();
  }

  private NodeState stateOf(ShardView view, NodeView node, long now) {
    if (!node.isUp()) {
      return node.seen().suspect() ? NodeState.SUSPECT : NodeState.DOWN;
    }
    return node.isUp(Role.REPLICA) && router.lags(view, node, now)
        ? NodeState.LAGGING
        : NodeState.UP;
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

  /** A call is about to use the shard. */
  void used(long nowNanos) {
    long before = usedAtNanos;
    if (nowNanos - before > USE_TOLD_NANOS) {
      usedAtNanos = nowNanos;
      if (nowNanos - before > IDLE_NANOS) {
        monitors.forEach(NodeMonitor::lookSoon);
      }
    }
  }

  @Override
  public LookPace.Demand demand() {
    if (state.isWaitedFor()) {
      return LookPace.Demand.URGENT;
    }
    return nanoClock.getAsLong() - usedAtNanos > IDLE_NANOS
        ? LookPace.Demand.NONE
        : LookPace.Demand.SOME;
  }

  /** Waits for another view; the monitors are told that somebody waits. */
  boolean awaitOther(ShardView seen, long nanos) throws InterruptedException {
    monitors.forEach(NodeMonitor::lookSoon);
    return state.awaitOther(seen, nanos);
  }

  @Override
  public void sawUp(int index, Look look) {
    String foreign = foreign(look.position().systemId());
    if (foreign != null) {
      refuse(index, foreign);
      return;
    }
    state.update(view -> updated(view, index, look));
  }

  /**
   * Learns from a new connection's look.
   *
   * @throws SQLException if the server is no node of this shard: nothing may be done there
   */
  private void connected(int index, Look look) throws SQLException {
    sawUp(index, look);
    String foreign = foreign(look.position().systemId());
    if (foreign != null) {
      throw new SQLException(shard.nodes().get(index) + " must not be used: " + foreign, "08004");
    }
  }

  private ShardView updated(ShardView view, int index, Look look) {
    NodeView before = view.node(index);
    NodeView.Observed known = before.seen();
    LogPosition was = known.position();
    boolean isSameStart = was != null && look.server() == known.server();
    LogPosition position = onKnownTimeline(look, isSameStart ? was : null);
    boolean overlaps = was != null && look.askedAtNanos() - known.answeredAtNanos() < 0;
    boolean isForward = was == null || position.timeline() > was.timeline() || position.covers(was);
    if (overlaps && before.isUp() && (!isForward || look.role() != before.role())) {
      // Asked before the answer that is known already, and told of an earlier moment.
      return view;
    }
    if (overlaps && look.server() < known.server()) {
      // Told by a server that has been started anew since.
      return view;
    }
    // A standby that crashed comes back at an earlier place.
    int rewinds = isForward ? known.rewinds() : known.rewinds() + 1;
    Long freshAsOf;
    boolean reachedNewest;
    if (look.role() == Role.PRIMARY) {
      freshAsOf = look.askedAtNanos();
      reachedNewest = true;
    } else {
      freshAsOf = freshness.freshAsOf(position);
      reachedNewest = freshness.isNewest(position);
      if (freshAsOf == null && isForward) {
        freshAsOf = known.freshAsOfNanos();
      }
    }
    NodeView now =
        before.with(
            new NodeView.Observed(
                look.role(),
                position,
                look.server(),
                // The later of two: what was an upper bound for earlier answers still is one.
                overlaps ? known.askedAtNanos() : look.askedAtNanos(),
                overlaps ? known.answeredAtNanos() : look.answeredAtNanos(),
                freshAsOf,
                reachedNewest,
                rewinds,
                null,
                false));
    ShardView after = view.with(now);
    if (now.equals(after.primary())) {
      // Not of a primary that another has overtaken: it knows nothing of what is committed.
      freshness.primaryAt(position, look.askedAtNanos());
    }
    if (!before.isUp() && was != null) {
      loads[index].cameUp(look.answeredAtNanos());
    }
    tellChange(view, before, after, now);
    return after;
  }

  /**
   * A look's position. A replica whose stream has ended may know only the timeline of its last
   * checkpoint; but while it has not been started anew, it has not gone back to that.
   */
  private static LogPosition onKnownTimeline(Look look, @Nullable LogPosition was) {
    LogPosition position = look.position();
    return was != null
            && look.role() == Role.REPLICA
            && position.systemId() == was.systemId()
            && position.timeline() < was.timeline()
            && Long.compareUnsigned(position.lsn(), was.lsn()) >= 0
        ? new LogPosition(position.systemId(), was.timeline(), position.lsn())
        : position;
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
      markDown(index, reason(failure), false);
    }
    // Whoever reads there waits in vain, and can still read elsewhere.
    pools[index].cutOffReads();
  }

  /** A call found a node failing: nobody else shall try it until the monitor has seen it up. */
  void suspect(NodeView node, Throwable failure) {
    loads[node.index()].failed(nanoClock.getAsLong());
    markDown(node.index(), reason(failure), true);
    monitors.get(node.index()).lookSoon();
  }

  private void refuse(int index, String why) {
    synchronized (this) {
      if (misconfigured != null) {
        misconfigured.add("node " + shard.nodes().get(index).name() + ": " + why);
      }
    }
    markDown(index, why, false);
  }

  private void markDown(int index, String why, boolean suspect) {
    boolean wasUp = state.view().node(index).isUp();
    state.update(
        view -> {
          NodeView before = view.node(index);
          if (suspect && !before.isUp()) {
            // Known already, and better.
            return view;
          }
          NodeView now = before.down(why, suspect);
          ShardView after = view.with(now);
          tellChange(view, before, after, now);
          return after;
        });
    if (wasUp) {
      pools[index].evict();
    }
  }

  /** One line and one call of the listener for each change, none while all stays as it is. */
  private void tellChange(ShardView view, NodeView before, ShardView after, NodeView now) {
    if (before.role() != now.role() || (!now.isUp() && before.position() == null)) {
      if (now.isUp()) {
        log.info("{} of {} is up as {}", now.node(), shard.name(), now.role());
      } else if (before.isUp() || !String.valueOf(now.trouble()).equals(before.trouble())) {
        log.warn("{} of {} is down: {}", now.node(), shard.name(), now.trouble());
      }
    }
    long nanos = nanoClock.getAsLong();
    NodeState was = stateOf(view, before, nanos);
    NodeState is = stateOf(after, now, nanos);
    if (was != is) {
      if (was == NodeState.LAGGING || is == NodeState.LAGGING) {
        log.info("{} of {} was {} and is {}", now.node(), shard.name(), was, is);
      }
      listener.nodeChanged(new NodeChange(shard.name(), now.node().name(), was, is, now.trouble()));
    }
    NodeView chief = after.primary();
    if (chief == null) {
      if (view.primary() != null) {
        withoutPrimarySince = nanos;
      }
    } else {
      String name = chief.node().name();
      if (!name.equals(lastPrimary)) {
        long gap = view.primary() == null ? nanos - withoutPrimarySince : 0;
        if (lastPrimary != null) {
          log.info("{} is the primary of {}, after {}", name, shard.name(), lastPrimary);
        }
        listener.primaryChanged(shard.name(), lastPrimary, name, gap);
        lastPrimary = name;
      }
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
    for (NodePools each : pools) {
      each.close();
    }
  }
}
