package dev.waymark.benchmarks;

import java.util.Arrays;
import java.util.SplittableRandom;

/** Ranks from 0, the i-th with a likelihood of 1 / (i + 1)^skew. Safe to share. */
final class Zipf {
  private final double[] upTo;

  Zipf(int ranks, double skew) {
    upTo = new double[ranks];
    double sum = 0;
    for (int i = 0; i < ranks; i++) {
      sum += 1 / Math.pow(i + 1, skew);
      upTo[i] = sum;
    }
  }

  int next(SplittableRandom random) {
    int place = Arrays.binarySearch(upTo, random.nextDouble() * upTo[upTo.length - 1]);
    return place < 0 ? Math.min(upTo.length - 1, -place - 1) : place;
  }
}
