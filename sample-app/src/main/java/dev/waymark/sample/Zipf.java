package dev.waymark.sample;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * Ranks by Zipf's law: rank {@code k} of {@code 0…n-1} comes with a probability in proportion to
 * {@code 1 / (k + 1)^skew}, as pages are read and users are looked at. Immutable.
 */
final class Zipf {
  private final double[] upTo;

  /**
   * A law.
   *
   * @param ranks how many there are, at least 1
   * @param skew 0 for all alike; 1 is the law of words and web pages
   */
  Zipf(int ranks, double skew) {
    if (ranks < 1) {
      throw new IllegalArgumentException("There must be a rank, not " + ranks);
    }
    if (!(skew >= 0 && skew <= 10)) {
      throw new IllegalArgumentException("The skew must be from 0 to 10, not " + skew);
    }
    upTo = new double[ranks];
    double sum = 0;
    for (int rank = 0; rank < ranks; rank++) {
      sum += Math.pow(rank + 1, -skew);
      upTo[rank] = sum;
    }
  }

  /** The next rank. */
  int next(RandomGenerator random) {
    int at = Arrays.binarySearch(upTo, random.nextDouble() * upTo[upTo.length - 1]);
    return Math.min(upTo.length - 1, at < 0 ? -at - 1 : at + 1);
  }
}
