package dev.waymark.cache;

import java.util.concurrent.atomic.LongAdder;

/** What one cache has done. Shared between threads. */
final class Counters {
  final LongAdder l1Hits = new LongAdder();
  final LongAdder l2Hits = new LongAdder();
  final LongAdder misses = new LongAdder();
  final LongAdder loads = new LongAdder();
  final LongAdder loadFailures = new LongAdder();
  final LongAdder unshared = new LongAdder();
  final LongAdder degraded = new LongAdder();
  final LongAdder oversized = new LongAdder();
  final LongAdder loadsRefused = new LongAdder();
  final LongAdder staleHits = new LongAdder();
  final LongAdder refreshes = new LongAdder();

  CacheStatistics read() {
    return new CacheStatistics(
        l1Hits.sum(),
        l2Hits.sum(),
        misses.sum(),
        loads.sum(),
        loadFailures.sum(),
        unshared.sum(),
        degraded.sum(),
        oversized.sum(),
        loadsRefused.sum(),
        staleHits.sum(),
        refreshes.sum());
  }
}
