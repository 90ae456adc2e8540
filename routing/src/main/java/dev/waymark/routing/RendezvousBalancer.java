package dev.waymark.routing;

/**
 * The same node for the same key or client: the one with the highest score of that and node. When a
 * node goes, only its own keys move (Thaler and Ravishankar, "Using Name-Based Mappings to Increase
 * Hit Rates", 1998); weights by the logarithmic method (Schindelhauer and Schomaker, 2005).
 *
 * <p>Slow start makes a node's score smaller, so its keys come back to it one after the other.
 */
record RendezvousBalancer(Affinity affinity) implements Balancer {
  @Override
  public int choose(long candidates, NodeLoad[] loads, long affinity, long random, long nowNanos) {
    int best = -1;
    double highest = 0;
    for (long left = candidates; left != 0; left &= left - 1) {
      int node = Long.numberOfTrailingZeros(left);
      double uniform = ((mixed(affinity ^ mixed(node + 1L)) >>> 11) + 0.5) * 0x1.0p-53;
      double score = -loads[node].share(nowNanos) / Math.log(uniform);
      if (best < 0 || score > highest) {
        best = node;
        highest = score;
      }
    }
    return best;
  }

  /** The finaliser of SplitMix64. */
  private static long mixed(long bits) {
    long z = bits * 0x9E3779B97F4A7C15L;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }
}
