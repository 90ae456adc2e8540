package dev.waymark.cache;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The keys that take a large share of the reads of one cache. Shared between threads; most reads
 * cost a random number and nothing else; none allocates, but for the one that ends a window.
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

  /** A power of two, and half of them free, so that a key is found within a few steps. */
  private static final int SLOTS = 2 * COUNTERS;

  private final ReentrantLock lock = new ReentrantLock();

  /**
   * The counters, each at the first free place from its key's on. Arrays and no map: looking at a
   * read allocates nothing. Guarded by the lock.
   */
  private @Nullable Object[] keys = new @Nullable Object[SLOTS];

  /** Guarded by the lock. */
  private int[] reads = new int[SLOTS];

  /** What the next ones are made in. Guarded by the lock. */
  private @Nullable Object[] spareKeys = new @Nullable Object[SLOTS];

  /** Guarded by the lock. */
  private int[] spareReads = new int[SLOTS];

  /** How many keys are counted. Guarded by the lock. */
  private int counted;

  /** Guarded by the lock. */
  private int seen;

  /** Of the last whole window, by how often they were read; replaced as a whole. */
  private volatile Map<K, Integer> hot = Map.of();

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
      int slot = slotOf(keys, key);
      if (keys[slot] != null) {
        reads[slot]++;
      } else if (counted < COUNTERS) {
        keys[slot] = key;
        reads[slot] = 1;
        counted++;
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

  /** Where a key is, or would be. */
  private static int slotOf(@Nullable Object[] keys, Object key) {
    int hash = key.hashCode() * 0x9E3779B9;
    int slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    while (keys[slot] != null && !key.equals(keys[slot])) {
      slot = (slot + 1) & (SLOTS - 1);
    }
    return slot;
  }

  private void forgetOneOfEach() {
    @Nullable Object[] fewer = spareKeys;
    int[] left = spareReads;
    counted = 0;
    for (int i = 0; i < SLOTS; i++) {
      Object key = keys[i];
      if (key != null && reads[i] > 1) {
        int slot = slotOf(fewer, key);
        fewer[slot] = key;
        left[slot] = reads[i] - 1;
        counted++;
      }
    }
    Arrays.fill(keys, null);
    spareKeys = keys;
    spareReads = reads;
    keys = fewer;
    reads = left;
  }

  private void endWindow() {
    List<Integer> found = new ArrayList<>();
    for (int i = 0; i < SLOTS; i++) {
      if (keys[i] != null && reads[i] * SHARE >= WINDOW) {
        found.add(i);
      }
    }
    found.sort(Comparator.comparingInt(slot -> -reads[slot]));
    Map<K, Integer> hottestFirst = new LinkedHashMap<>();
    for (int slot : found) {
      @SuppressWarnings("unchecked") // Only keys are put there.
      K key = (K) Objects.requireNonNull(keys[slot]);
      hottestFirst.put(key, reads[slot]);
    }
    hot = hottestFirst;
    Arrays.fill(keys, null);
    counted = 0;
    seen = 0;
  }

  /** How many keys are counted at this moment. */
  int counters() {
    lock.lock();
    try {
      return counted;
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
