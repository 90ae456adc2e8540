package dev.waymark.routing;

import dev.waymark.Balancing;

/**
 * Chooses among the nodes of a shard that may answer a read. Safe to share, and makes no objects.
 *
 * <p>Nodes of weight 0 are chosen only among themselves, and nodes of this process' own zone before
 * others: {@link Preference} narrows the candidates down before a balancer is asked.
 */
interface Balancer {
  /**
   * One of the candidates.
   *
   * @param candidates bit i is set if node i may answer; never 0
   * @param loads one for each node of the shard, in the order of the shard map
   * @param affinity what is kept together where that is wanted: the key, or the client's hash
   * @param random 64 random bits
   * @return the number of a set bit of {@code candidates}
   */
  int choose(long candidates, NodeLoad[] loads, long affinity, long random, long nowNanos);

  /** What a balancer keeps on one node, if it keeps anything together. */
  enum Affinity {
    KEY,
    CLIENT
  }

  /** What {@link #choose} is to be given. */
  default Affinity affinity() {
    return Affinity.KEY;
  }

  /** The balancer for a setting; each shard has its own. */
  static Balancer of(Balancing balancing) {
    return switch (balancing) {
      case PEAK_EWMA -> new PeakEwmaBalancer();
      case LEAST_CONNECTIONS -> new LeastConnectionsBalancer();
      case ROUND_ROBIN -> new RoundRobinBalancer();
      case RENDEZVOUS -> new RendezvousBalancer(Affinity.KEY);
      case RENDEZVOUS_BY_CLIENT -> new RendezvousBalancer(Affinity.CLIENT);
    };
  }

  /**
   * Which nodes are passed over as long as there are others.
   *
   * @param weighty the nodes of a weight greater than 0, one bit each
   * @param near the nodes of this process' own zone, one bit each
   */
  record Preference(long weighty, long near) {
    static Preference of(NodeLoad[] loads) {
      long weighty = 0;
      long near = 0;
      for (int i = 0; i < loads.length; i++) {
        weighty |= loads[i].weight() > 0 ? 1L << i : 0;
        near |= loads[i].isNear() ? 1L << i : 0;
      }
      return new Preference(weighty, near);
    }

    long narrow(long candidates) {
      long some = (candidates & weighty) == 0 ? candidates : candidates & weighty;
      return (some & near) == 0 ? some : some & near;
    }
  }

  /** The number of the n-th set bit, counted from 0. */
  static int nth(long bits, int n) {
    long left = bits;
    for (int i = 0; i < n; i++) {
      left &= left - 1;
    }
    return Long.numberOfTrailingZeros(left);
  }

  /** A number from 0 on and below a bound, from 32 random bits. */
  static int below(int bound, int random) {
    return (int) ((random & 0xFFFF_FFFFL) * bound >>> 32);
  }
}
