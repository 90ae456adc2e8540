package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.Route.Reason;
import dev.waymark.SessionToken;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkConfig.WhenAllLag;
import dev.waymark.routing.NodeView.Choice;
import org.jspecify.annotations.Nullable;

/**
 * Decides which node of one shard answers a read: the same view, positions, loads and random bits
 * always give the same choice, nothing is touched on the way, and no object is made. Safe to share.
 */
final class Router {
  /** Stands for a read that is not of one key; the shard map never holds this key. */
  static final long NO_KEY = Long.MAX_VALUE;

  private final RecentWrites writes;
  private final Balancer balancer;
  private final boolean isByClient;
  private final NodeLoad[] loads;
  private final Balancer.Preference preference;
  private final WaymarkConfig.Lag lag;
  private final long preferredNanos;
  private final long toleratedNanos;
  private final boolean hasLimitsInBytes;

  /** A router for one shard, with one load for each of its nodes. */
  Router(RecentWrites writes, Balancer balancer, NodeLoad[] loads, WaymarkConfig.Lag lag) {
    this.writes = writes;
    this.balancer = balancer;
    this.isByClient = balancer.affinity() == Balancer.Affinity.CLIENT;
    this.loads = loads.clone();
    this.preference = Balancer.Preference.of(loads);
    this.lag = lag;
    this.preferredNanos = lag.preferred().toNanos();
    this.toleratedNanos = lag.tolerated().toNanos();
    this.hasLimitsInBytes = lag.preferredBytes() != 0 || lag.toleratedBytes() != 0;
  }

  /**
   * The node to read from with no more ado, or null if there is none: then a replica can be asked,
   * waited for, or passed over for the primary.
   *
   * @param session null for reads that belong to no session of their own
   * @param avoided bit i is set if node i has already failed this read
   * @param random 64 random bits
   */
  @Nullable Choice choose(
      ShardView view,
      Consistency consistency,
      @Nullable Session session,
      long key,
      long avoided,
      long nowNanos,
      long random) {
    if (consistency instanceof Consistency.Strong) {
      return primary(view, session, avoided, Reason.STRONG);
    }
    long replicas = serving(view, consistency, nowNanos) & ~avoided;
    return pick(
        view,
        fresh(view, consistency, session, key, replicas, nowNanos),
        affinity(session, key),
        nowNanos,
        random,
        Reason.REPLICA_IS_FRESH);
  }

  /**
   * A replica that is not known to be fresh enough and worth asking, or null if there is none: one
   * within the limits of lag, where no earlier read of the session stands in the way.
   */
  @Nullable Choice toAsk(
      ShardView view,
      Consistency consistency,
      @Nullable Session session,
      long key,
      long avoided,
      long nowNanos,
      long random) {
    if (!(consistency instanceof Consistency.Session
        || consistency instanceof Consistency.BoundedStaleness)) {
      return null;
    }
    long asked = 0;
    long left = serving(view, consistency, nowNanos) & ~avoided;
    for (; left != 0; left &= left - 1) {
      NodeView node = view.node(Long.numberOfTrailingZeros(left));
      if (session == null || session.leadsTo(view, node)) {
        asked |= node.bit();
      }
    }
    return pick(view, asked, affinity(session, key), nowNanos, random, Reason.REPLICA_WAS_ASKED);
  }

  /** The primary in a replica's stead, or by the settings a replica that lags; null if neither. */
  @Nullable Choice instead(
      ShardView view,
      Consistency consistency,
      @Nullable Session session,
      long key,
      long avoided,
      long nowNanos,
      long random) {
    long replicas = view.replicas() & ~avoided;
    boolean allLag = serving(view, consistency, nowNanos) == 0;
    Choice lagging =
        allLag
            ? pick(
                view,
                fresh(view, consistency, session, key, replicas, nowNanos),
                affinity(session, key),
                nowNanos,
                random,
                Reason.REPLICA_LAGS)
            : null;
    if (lagging != null && lag.whenAllLag() == WhenAllLag.STALE) {
      return lagging;
    }
    Reason reason = Reason.NO_REPLICA_IS_FRESH;
    if (view.replicas() == 0) {
      reason = Reason.NO_REPLICA_IS_UP;
    } else if (allLag) {
      reason = Reason.REPLICAS_LAG;
    }
    Choice primary = primary(view, session, avoided, reason);
    // With the primary gone, an old answer that the consistency allows is better than none.
    return primary == null ? lagging : primary;
  }

  private long affinity(@Nullable Session session, long key) {
    return isByClient && session != null ? session.affinity(key) : key;
  }

  private @Nullable Choice pick(
      ShardView view, long candidates, long affinity, long nowNanos, long random, Reason reason) {
    if (candidates == 0) {
      return null;
    }
    long narrowed = preference.narrow(candidates);
    return view.node(balancer.choose(narrowed, loads, affinity, random, nowNanos)).choice(reason);
  }

  /** The replicas that the limits of lag let serve. A bounded read brings a limit of its own. */
  private long serving(ShardView view, Consistency consistency, long nowNanos) {
    if (consistency instanceof Consistency.BoundedStaleness) {
      return view.replicas();
    }
    if (!hasLimitsInBytes && (view.replicas() & ~view.current()) == 0) {
      // Nearly always: none of them lags, whatever the time.
      return view.replicas();
    }
    long preferred = 0;
    long tolerated = 0;
    for (long left = view.replicas(); left != 0; left &= left - 1) {
      NodeView node = view.node(Long.numberOfTrailingZeros(left));
      long behind = node.lagNanos(nowNanos);
      if (behind <= toleratedNanos && isWithin(view, node, lag.toleratedBytes())) {
        tolerated |= node.bit();
        if (behind <= preferredNanos && isWithin(view, node, lag.preferredBytes())) {
          preferred |= node.bit();
        }
      }
    }
    return Long.bitCount(preferred) >= lag.minimumServing() ? preferred : tolerated;
  }

  /** Bytes are unknown between timelines, and without a primary: of these the latter is no lag. */
  private static boolean isWithin(ShardView view, NodeView node, long bytes) {
    if (bytes == 0) {
      return true;
    }
    long behind = view.lagBytes(node);
    return behind < 0 ? view.primary() == null : behind <= bytes;
  }

  /** Whether a node lags more than the settings prefer. */
  boolean lags(ShardView view, NodeView node, long nowNanos) {
    return node.lagNanos(nowNanos) > preferredNanos || !isWithin(view, node, lag.preferredBytes());
  }

  private long fresh(
      ShardView view,
      Consistency consistency,
      @Nullable Session session,
      long key,
      long replicas,
      long nowNanos) {
    if (session == null && consistency instanceof Consistency.Session && writes.isEmpty()) {
      return replicas;
    }
    long fresh = 0;
    for (long left = replicas; left != 0; left &= left - 1) {
      NodeView node = view.node(Long.numberOfTrailingZeros(left));
      if (isFresh(view, node, consistency, session, key, nowNanos)) {
        fresh |= node.bit();
      }
    }
    return fresh;
  }

  /** Whether a node is known to show what a read must see. */
  boolean isFresh(
      ShardView view,
      NodeView node,
      Consistency consistency,
      @Nullable Session session,
      long key,
      long nowNanos) {
    if (consistency instanceof Consistency.Session) {
      return writes.areShownBy(view, node, key) && (session == null || session.allows(view, node));
    }
    if (consistency instanceof Consistency.BoundedStaleness bounded) {
      Long freshAsOf = node.seen().freshAsOfNanos();
      return freshAsOf != null && nowNanos - freshAsOf <= bounded.age().toNanos();
    }
    return true;
  }

  /**
   * What a read that begins now will have to show.
   *
   * @param written this process' last write to the key; null if none is known
   * @param seen what the read's session has seen
   */
  record Needed(@Nullable LogPosition written, SessionToken seen) {
    static final Needed NOTHING = new Needed(null, SessionToken.empty());
  }

  /** To be taken before the read: what is written meanwhile, its answer need not show. */
  Needed needed(ShardView view, Consistency consistency, @Nullable Session session, long key) {
    Long systemId = view.systemId();
    if (systemId == null || !(consistency instanceof Consistency.Session)) {
      return Needed.NOTHING;
    }
    return new Needed(
        writes.lastWrite(key, systemId), session == null ? SessionToken.empty() : session.seen());
  }

  /**
   * A position that an answer of the node is known to be at least as new as: the node's own when it
   * was chosen, or what the read had to show if that is further.
   */
  static @Nullable LogPosition provenBy(NodeView node, Needed needed) {
    LogPosition proven = node.position();
    if (proven == null) {
      return null;
    }
    if (needed.written() != null && needed.written().covers(proven)) {
      proven = needed.written();
    }
    for (LogPosition position : needed.seen().positions()) {
      if (position.covers(proven)) {
        proven = position;
      }
    }
    return proven;
  }

  private static @Nullable Choice primary(
      ShardView view, @Nullable Session session, long avoided, Reason reason) {
    NodeView primary = view.primary();
    if (primary == null || (avoided & primary.bit()) != 0) {
      return null;
    }
    // A session that has seen a later timeline knows of a promotion that this process does not know
    // of yet: this primary is the old one.
    return session == null || session.allows(view, primary) ? primary.choice(reason) : null;
  }
}
