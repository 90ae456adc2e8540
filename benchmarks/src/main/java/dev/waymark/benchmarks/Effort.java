package dev.waymark.benchmarks;

/** How much is done: enough for figures, or only enough to prove that everything runs. */
enum Effort {
  FULL,
  QUICK;

  int of(int full, int quick) {
    return this == FULL ? full : quick;
  }
}
