package dev.waymark.routing;

/**
 * The cheaper of two random nodes, by peak-EWMA latency and reads in flight. Two choices suffice to
 * keep loads even (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001),
 * and no herd runs to the one best node; the cost is that of Finagle's peak EWMA balancer.
 */
final class PeakEwmaBalancer implements Balancer {
  @Override
  public int choose(long candidates, NodeLoad[] loads, long affinity, long random, long nowNanos) {
    if ((candidates & candidates - 1) == 0) {
      return Long.numberOfTrailingZeros(candidates);
    }
    int count = Long.bitCount(candidates);
    if (count == 2) {
      // Two replicas are the usual case, and then there is nothing to draw but who is asked first.
      int low = Long.numberOfTrailingZeros(candidates);
      int high = Long.SIZE - 1 - Long.numberOfLeadingZeros(candidates);
      return random < 0 ? cheaper(loads, low, high, nowNanos) : cheaper(loads, high, low, nowNanos);
    }
    int one = Balancer.below(count, (int) random);
    int other = Balancer.below(count - 1, (int) (random >>> 32));
    int first = Balancer.nth(candidates, one);
    int second = Balancer.nth(candidates, other < one ? other : other + 1);
    return cheaper(loads, first, second, nowNanos);
  }

  private static int cheaper(NodeLoad[] loads, int first, int second, long nowNanos) {
    return loads[first].cost(nowNanos) <= loads[second].cost(nowNanos) ? first : second;
  }
}
