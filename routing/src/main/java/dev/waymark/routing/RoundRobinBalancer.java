package dev.waymark.routing;

import java.util.concurrent.atomic.AtomicInteger;

/** Each node in turn, as often as its share says. Its turn is the one thing it remembers. */
final class RoundRobinBalancer implements Balancer {
  /** Turns for a whole share; slow start gives a part of them. */
  private static final int FINE = 20;

  private final AtomicInteger turn = new AtomicInteger();

  @Override
  public int choose(long candidates, NodeLoad[] loads, long affinity, long random, long nowNanos) {
    int all = 0;
    int common = 0;
    for (long left = candidates; left != 0; left &= left - 1) {
      int turns = turns(loads[Long.numberOfTrailingZeros(left)], nowNanos);
      all += turns;
      common = gcd(turns, common);
    }
    // Equal nodes: one turn each.
    all /= common;
    // Steps that share no factor with the number of turns meet each of them, well mixed.
    int at = (int) ((turn.getAndIncrement() & 0xFFFF_FFFFL) * step(all) % all);
    for (long left = candidates; left != 0; left &= left - 1) {
      int node = Long.numberOfTrailingZeros(left);
      at -= turns(loads[node], nowNanos) / common;
      if (at < 0) {
        return node;
      }
    }
    throw new AssertionError("the turns of all nodes were counted just before");
  }

  private static int turns(NodeLoad load, long nowNanos) {
    return Math.max(1, (int) Math.round(FINE * load.share(nowNanos)));
  }

  private static int step(int all) {
    int step = Math.max(1, (int) (all * 0.6180339887));
    while (gcd(step, all) != 1) {
      step++;
    }
    return step;
  }

  private static int gcd(int a, int b) {
    return b == 0 ? a : gcd(b, a % b);
  }
}
