package dev.waymark.cache;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The keys that take a large share of the reads of one cache. Shared between threads; most reads
 * cost a random number and nothing else.
 *
 * <p>One read in {@value #ONE_IN} is looked at. Over {@value #WINDOW} of these the counters of
 * Misra and Gries ("Finding repeated elements", 1982) keep every key that has more than one {@value
 * #COUNTERS}th of them, whatever the others are, in memory for {@value #COUNTERS} keys. A key is
 * hot if it had one {@value #SHARE}th of a window; so there are never more than {@value #SHARE} of
 * them, and a cache that is seldom read has none.
 */
final class HotKeys<K> {
  static final int ONE_IN = 64;
  static final int WINDOW = 1_024;
  static final int SHARE = 64;
  static final int COUNTERS = 256;

  private static final int MASK = ONE_IN - 1;

  private final ReentrantLock lock = new ReentrantLock();

  /** Guarded by the lock. */
  private final Map<K, Count> counts = new HashMap<>(COUNTERS * 2);

  /** Guarded by the lock. */
  private int seen;

  /** Of the last whole window, by how often they were read; replaced as a whole. */
  private volatile Map<K, Integer> hot = Map.of();

  private static final class Count {
    int reads = 1;
  }

  /** A key was read. */
  void read(K key) {
    // Per thread: a counter they share would cost more than the read itself.
    if ((ThreadLocalRandom.current().nextInt() & MASK) == 0) {
      sample(key);
    }
  }

  /** Looks at a read. */
  void sample(K key) {
    // One that finds another at work is passed over: losing some at random changes no share.
    if (!lock.tryLock()) {
      return;
    }
    try {
      Count count = counts.get(key);
      if (count != null) {
        count.reads++;
      } else if (counts.size() < COUNTERS) {
        counts.put(key, new Count());
      } else {
        forgetOneOfEach();
      }
      if (++seen == WINDOW) {
        endWindow();
      }
    } finally {
      lock.unlock();
    }
  }

  private void forgetOneOfEach() {
    Iterator<Count> each = counts.values().iterator();
    while (each.hasNext()) {
      if (--each.next().reads == 0) {
        each.remove();
      }
    }
  }

  private void endWindow() {
    List<Map.Entry<K, Count>> found = new ArrayList<>();
    for (Map.Entry<K, Count> each : counts.entrySet()) {
      if (each.getValue().reads * SHARE >= WINDOW) {
        found.add(each);
      }
    }
    found.sort(Comparator.comparingInt(each -> -each.getValue().reads));
    Map<K, Integer> hottestFirst = new LinkedHashMap<>();
    for (Map.Entry<K, Count> each : found) {
      hottestFirst.put(each.getKey(), each.getValue().reads);
    }
    hot = hottestFirst;
    counts.clear();
    seen = 0;
  }

  /** How many keys are counted at this moment. */
  int counters() {
    lock.lock();
    try {
      return counts.size();
    } finally {
      lock.unlock();
    }
  }

  boolean isHot(K key) {
    return hot.containsKey(key);
  }

  /** The hottest first. */
  Set<K> hottest() {
    return Collections.unmodifiableSet(hot.keySet());
  }

  /** What share of the reads a key had, at least; zero if it is not hot. */
  double share(K key) {
    return hot.getOrDefault(key, 0) / (double) WINDOW;
  }
}
