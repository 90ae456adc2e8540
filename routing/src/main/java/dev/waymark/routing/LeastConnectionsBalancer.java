package dev.waymark.routing;

/** The node with the fewest reads in flight for its share; of equals a random one. */
final class LeastConnectionsBalancer implements Balancer {
  @Override
  public int choose(long candidates, NodeLoad[] loads, long affinity, long random, long nowNanos) {
    int best = -1;
    double least = 0;
    int equals = 0;
    long bits = random;
    for (long left = candidates; left != 0; left &= left - 1) {
      int node = Long.numberOfTrailingZeros(left);
      double load = (loads[node].inFlight() + 1) / loads[node].share(nowNanos);
      if (best < 0 || load < least) {
        best = node;
        least = load;
        equals = 1;
      } else if (load == least) {
        equals++;
        // One of the equals met so far, each with the same chance.
        bits = bits * 6364136223846793005L + 1442695040888963407L;
        if (Balancer.below(equals, (int) (bits >>> 32)) == 0) {
          best = node;
        }
      }
    }
    return best;
  }
}
