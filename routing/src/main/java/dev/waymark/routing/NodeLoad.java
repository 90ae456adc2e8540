package dev.waymark.routing;

import dev.waymark.Node;
import dev.waymark.WaymarkConfig;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.function.IntSupplier;

/**
 * How much a node has to do for this process, and how long it takes. Safe to share; takes no lock.
 *
 * <p>The latency is a peak EWMA as in Finagle: an answer slower than the average replaces it at
 * once, a faster one lets it decay. Only one in several reads is timed, so a node that hangs is
 * told by its reads in flight, of which each counts. An update lost to another does no harm: the
 * next one comes.
 */
final class NodeLoad {
  /** So soon after it was measured, a latency has not faded: the usual case costs no division. */
  private static final long FRESH_NANOS = 20_000_000;

  /** Over which time the latency forgets. */
  private static final double DECAY_NANOS = 5e9;

  /** What a lost or overdue answer counts as. */
  private static final double FAILED_NANOS = 200e6;

  /** The least share of a node in slow start: none at all would never show that it is well. */
  private static final double LEAST_SHARE = 0.05;

  private static final VarHandle LATENCY;
  private static final VarHandle TIMED_AT;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      LATENCY = lookup.findVarHandle(NodeLoad.class, "latencyNanos", double.class);
      TIMED_AT = lookup.findVarHandle(NodeLoad.class, "timedAtNanos", long.class);
    } catch (ReflectiveOperationException impossible) {
      throw new ExceptionInInitializerError(impossible);
    }
  }

  private final int weight;
  private final boolean isNear;
  private final double perShare;
  private final double slowStartNanos;
  private final IntSupplier inFlight;

  private double latencyNanos;
  private long timedAtNanos;

  /** When slow start ends, and whether one is under way. */
  private volatile long fullAtNanos;

  private volatile boolean isStarting;

  /** Whether a node lies in the zone of this process. */
  enum Zone {
    NEAR,
    FAR
  }

  NodeLoad(int weight, Zone zone, Duration slowStart, IntSupplier inFlight) {
    this.weight = weight;
    this.perShare = 1.0 / Math.max(1, weight);
    this.isNear = zone == Zone.NEAR;
    this.slowStartNanos = slowStart.toNanos();
    this.inFlight = inFlight;
  }

  static NodeLoad of(Node node, WaymarkConfig.Reads reads, IntSupplier inFlight) {
    boolean isNear = !reads.zone().isEmpty() && reads.zone().equals(node.zone());
    return new NodeLoad(node.weight(), isNear ? Zone.NEAR : Zone.FAR, reads.slowStart(), inFlight);
  }

  int weight() {
    return weight;
  }

  boolean isNear() {
    return isNear;
  }

  /** This process' reads that the node has not answered yet. */
  int inFlight() {
    return inFlight.getAsInt();
  }

  /** The node answered a read that was begun at an instant. */
  void answered(long startedAtNanos, long nowNanos) {
    observe(nowNanos - startedAtNanos, nowNanos);
  }

  /** The node lost a read, or did not answer it in time. */
  void failed(long nowNanos) {
    observe(FAILED_NANOS, nowNanos);
  }

  private void observe(double tookNanos, long nowNanos) {
    double average = (double) LATENCY.getOpaque(this);
    if (average != 0 && tookNanos < average) {
      double kept = kept(nowNanos);
      // Also when answers come one upon the other, each one counts a little.
      kept = Math.min(kept, 0.99);
      tookNanos = average * kept + tookNanos * (1 - kept);
    }
    LATENCY.setOpaque(this, tookNanos);
    TIMED_AT.setOpaque(this, nowNanos);
  }

  /** (tau / (tau + t))² in the place of exp(-t / tau): the exponential would cost more than all. */
  private double kept(long nowNanos) {
    long since = Math.max(0, nowNanos - (long) TIMED_AT.getOpaque(this));
    double root = DECAY_NANOS / (DECAY_NANOS + since);
    return root * root;
  }

  /**
   * What a read more would cost here: the latency, faded since it was measured so that a node once
   * slow is tried again, times the reads that would then be in flight, over the node's share. A
   * node that has not been timed yet is tried by one read at a time.
   */
  double cost(long nowNanos) {
    double latency = (double) LATENCY.getOpaque(this);
    int busy = inFlight();
    if (latency == 0) {
      latency = busy == 0 ? 0 : FAILED_NANOS;
    }
    if (nowNanos - (long) TIMED_AT.getOpaque(this) > FRESH_NANOS) {
      latency *= kept(nowNanos);
    }
    latency *= busy + 1;
    return isStarting ? latency / share(nowNanos) : latency * perShare;
  }

  /** The node is up again after it was not. */
  void cameUp(long nowNanos) {
    LATENCY.setOpaque(this, 0.0);
    TIMED_AT.setOpaque(this, nowNanos);
    if (slowStartNanos > 0) {
      fullAtNanos = nowNanos + (long) slowStartNanos;
      isStarting = true;
    }
  }

  /**
   * The weight, less while the node is in slow start. A node of weight 0 counts as 1 among such.
   */
  double share(long nowNanos) {
    double full = Math.max(1, weight);
    if (!isStarting) {
      return full;
    }
    double left = fullAtNanos - nowNanos;
    if (left <= 0) {
      isStarting = false;
      return full;
    }
    return full * Math.max(LEAST_SHARE, 1 - left / slowStartNanos);
  }
}
