package dev.waymark.routing;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * How long most recent reads took, for one percentile: an estimate that each answer moves a little,
 * up if it was slower and down if it was faster, in the proportion of the percentile (stochastic
 * approximation after Robbins and Monro, 1951). Safe to share; an update lost to another does no
 * harm.
 */
final class Latencies {
  private static final VarHandle ESTIMATE;

  static {
    try {
      ESTIMATE =
          MethodHandles.lookup().findVarHandle(Latencies.class, "estimateNanos", double.class);
    } catch (ReflectiveOperationException impossible) {
      throw new ExceptionInInitializerError(impossible);
    }
  }

  private final double share;
  private double estimateNanos = 1e6;

  /** An estimate of a percentile from 1 to 99. */
  Latencies(int percentile) {
    this.share = percentile / 100.0;
  }

  /** A read took so long. */
  void took(long nanos) {
    double estimate = (double) ESTIMATE.getOpaque(this);
    double step = estimate * 0.05 + 100;
    double moved = nanos > estimate ? estimate + step * share : estimate - step * (1 - share);
    ESTIMATE.setOpaque(this, Math.max(1_000, moved));
  }

  /** The time that so many reads took at most. */
  long nanos() {
    return (long) (double) ESTIMATE.getOpaque(this);
  }
}
