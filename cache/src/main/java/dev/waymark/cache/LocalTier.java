package dev.waymark.cache;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.waymark.LogPosition;
import dev.waymark.ReadMark;
import dev.waymark.SessionToken;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;

/**
 * L1: the entries of one process, each stamped with what was known of its stripe of keys before its
 * value was fetched. Shared between threads; a hit takes no lock but Caffeine's own and allocates
 * nothing.
 *
 * <p>Invalidating a stripe moves its stamp on, and only entries with the present stamp are served.
 * So it does not matter when a slow load puts its value in: if an invalidation came in between, the
 * entry is never seen. Checking the stamp when putting would not do: the invalidation may come
 * between the check and the put.
 *
 * <p>Messages may be lost. So an entry that rests on them is served only while there is proof that
 * its bucket had heard of everything, and the proof is younger than the staleness bound: each
 * invalidation has a place in its bucket's order, and a {@linkplain #beaten beat} tells where the
 * order has come to and what was missed.
 */
final class LocalTier<K, V> {
  private final @Nullable Cache<K, Entry<V>> entries;
  private final Time time;
  private final long boundNanos;

  /** An int may wrap: four thousand million invalidations do not fit into one entry's life. */
  private final AtomicIntegerArray stamps;

  private final int mask;
  private final Bucket[] buckets = new Bucket[CacheKey.BUCKETS];

  /** What sessions of this process are known to have seen. Replaced under the stamps' lock. */
  private volatile SessionToken seen = SessionToken.empty();

  /** Whether anybody has looked since somebody asked. A lost update costs a beat at most. */
  private boolean used = true;

  /**
   * One value in L1.
   *
   * @param stamp the stripe's stamp from before the value was fetched
   * @param expiresAtNanos when it is over in any case
   * @param mark the server that a value nobody vouches for came from; null if it is not known, or
   *     the shared tier vouches for the value
   * @param shown null if the shared tier vouches for the value as long as the channel does. Else
   *     nobody does, and it is young enough until it expires; then the positions that it is known
   *     to show
   */
  record Entry<V>(
      @Nullable V value,
      @Nullable LogPosition position,
      int stamp,
      long expiresAtNanos,
      @Nullable ReadMark mark,
      @Nullable SessionToken shown) {}

  /** That a bucket had heard of everything when a beat was sent. */
  private record Proof(long sentAtNanos, SessionToken seen) {}

  /** One bucket's place in the order of its invalidations. */
  private static final class Bucket {
    /** Guarded by this bucket. */
    private SharedTier.Place heardUpTo;

    /**
     * Written under this bucket's lock, after the stamps that it speaks for; read before them. So
     * who sees a proof sees all invalidations that it covers.
     */
    private volatile @Nullable Proof proof;

    Bucket(int number) {
      heardUpTo = SharedTier.Place.unknown(number);
    }
  }

  private LocalTier(
      @Nullable Cache<K, Entry<V>> entries, long expectedEntries, Duration bound, Time time) {
    this.entries = entries;
    this.time = time;
    this.boundNanos = bound.toNanos();
    // About two stripes for each entry: a message about one key seldom takes another with it.
    int stripes = (int) Math.min(1 << 16, Math.max(1 << 8, expectedEntries * 2));
    stripes = Integer.highestOneBit(stripes - 1) << 1;
    this.stamps = new AtomicIntegerArray(stripes);
    this.mask = stripes - 1;
    for (int i = 0; i < buckets.length; i++) {
      buckets[i] = new Bucket(i);
    }
  }

  /**
   * Holds so many entries.
   *
   * @param bound how old a proof may be
   */
  static <K, V> LocalTier<K, V> holding(long maximumSize, Duration bound, Time time) {
    Cache<K, Entry<V>> entries =
        Caffeine.newBuilder()
            .maximumSize(maximumSize)
            // On the caller's thread: no thread of ours, nor a task in the common pool, outlives
            // us.
            .executor(Runnable::run)
            .build();
    return new LocalTier<>(entries, maximumSize, bound, time);
  }

  /** Holds nothing; its stamps still tell loads apart. */
  static <K, V> LocalTier<K, V> none(Time time) {
    return new LocalTier<>(null, 1 << 12, Duration.ZERO, time);
  }

  /** An entry that may be served to a session, or null. */
  @Nullable Entry<V> get(K key, int hash, SessionToken session) {
    if (entries == null) {
      return null;
    }
    if (!used) {
      used = true;
    }
    Entry<V> entry = entries.getIfPresent(key);
    if (entry == null) {
      return null;
    }
    long now = time.nanos();
    SessionToken proven = entry.shown;
    if (proven == null) {
      // Before the stamp: see there.
      Proof proof = buckets[hash & (CacheKey.BUCKETS - 1)].proof;
      if (proof == null) {
        return null;
      }
      // guard: channel-lease
      if (now - proof.sentAtNanos >= boundNanos) {
        return null;
      }
      proven = proof.seen;
    }
    if (entry.stamp != stamp(hash)) {
      return null;
    }
    if (now - entry.expiresAtNanos >= 0) {
      entries.asMap().remove(key, entry);
      return null;
    }
    if (!session.isEmpty() && !shows(entry, proven, session)) {
      saw(session);
      return null;
    }
    return entry;
  }

  /**
   * Whether an entry shows all that a session has seen of its shard. Either its own position says
   * so, or what was known when the channel was last proven: whoever changed the row before that has
   * been heard of, and the entry would not be here.
   */
  private static boolean shows(Entry<?> entry, SessionToken proven, SessionToken session) {
    return session.marks().isEmpty()
        && allShown(session.positions(), entry, proven)
        && allShown(session.reads(), entry, proven)
        && untoldIsShown(entry, proven, session);
  }

  /** What nobody was told of does not come over the channel. */
  private static boolean untoldIsShown(Entry<?> entry, SessionToken proven, SessionToken session) {
    if (session.untold().isEmpty()) {
      return true;
    }
    if (entry.shown != null) {
      return allShown(session.untold(), entry, proven);
    }
    return entry.position != null && session.isUntoldCoveredBy(entry.position);
  }

  private static boolean allShown(
      List<LogPosition> positions, Entry<?> entry, SessionToken proven) {
    LogPosition own = entry.position;
    for (int i = 0; i < positions.size(); i++) {
      LogPosition position = positions.get(i);
      boolean elsewhere = own != null && own.systemId() != position.systemId();
      // A value that nobody vouches for may have been read before a commit that its log position
      // already covers was visible.
      boolean covered = entry.shown == null && own != null && own.covers(position);
      if (!elsewhere && !covered && !proven.reaches(position)) {
        return false;
      }
    }
    return true;
  }

  /** Notes what a session has seen: whatever is fetched or proven from now on shows it. */
  void saw(SessionToken session) {
    if (!seen.reaches(session)) {
      synchronized (stamps) {
        seen = seen.join(session);
      }
    }
  }

  /**
   * What sessions of this process are known to have seen: a value fetched from the primary from now
   * on shows it.
   */
  SessionToken seen() {
    return seen;
  }

  void put(K key, Entry<V> entry) {
    if (entries != null && time.nanos() - entry.expiresAtNanos < 0) {
      entries.put(key, entry);
    }
  }

  int stamp(int hash) {
    return stamps.get(hash & mask);
  }

  /** Forgets a key; returns the stamp that a value fetched from now on carries. */
  int invalidate(K key, int hash) {
    int stamp = stamps.incrementAndGet(hash & mask);
    if (entries != null) {
      entries.invalidate(key);
    }
    return stamp;
  }

  /** Forgets everything. */
  void invalidateAll() {
    for (int i = 0; i < stamps.length(); i++) {
      stamps.incrementAndGet(i);
    }
    if (entries != null) {
      entries.invalidateAll();
    }
  }

  // ---- the channel --------------------------------------------------------------------------

  /** Whether there is anything to be kept up to date. */
  boolean holdsEntries() {
    return entries != null;
  }

  /** Whether anybody has looked since this was last asked. */
  boolean wasUsed() {
    boolean was = used;
    used = false;
    return was;
  }

  long boundNanos() {
    return boundNanos;
  }

  /** Whether messages were missed before one. */
  enum Heard {
    IN_ORDER,
    AFTER_A_GAP
  }

  /**
   * Keys have changed.
   *
   * @param hashes null for all of the bucket
   */
  Heard invalidated(SharedTier.Place place, int @Nullable [] hashes) {
    Bucket bucket = buckets[place.bucket()];
    synchronized (bucket) {
      SharedTier.Place before = bucket.heardUpTo;
      if (!place.epoch().equals(before.epoch())) {
        // The order has begun anew, or this is a late message of an old one: a beat tells.
        bucket.proof = null;
        forget(place.bucket());
        return Heard.AFTER_A_GAP;
      }
      if (place.seq() <= before.seq()) {
        return Heard.IN_ORDER;
      }
      invalidate(place.bucket(), hashes);
      if (place.seq() != before.seq() + 1) {
        return Heard.AFTER_A_GAP;
      }
      bucket.heardUpTo = place;
      return Heard.IN_ORDER;
    }
  }

  /** Up to where each bucket has heard of everything. */
  List<SharedTier.Place> places() {
    List<SharedTier.Place> places = new ArrayList<>(buckets.length);
    for (Bucket bucket : buckets) {
      synchronized (bucket) {
        places.add(bucket.heardUpTo);
      }
    }
    return places;
  }

  /**
   * A beat's answer.
   *
   * @param sentAtNanos when it was sent
   * @param seenBefore what sessions were known to have seen before that
   */
  void beaten(SharedTier.Beat beat, long sentAtNanos, SessionToken seenBefore) {
    SharedTier.Place place = beat.place();
    Bucket bucket = buckets[place.bucket()];
    synchronized (bucket) {
      SharedTier.Place before = bucket.heardUpTo;
      boolean same = place.epoch().equals(before.epoch());
      invalidate(place.bucket(), same ? beat.missed() : null);
      if (!same || place.seq() > before.seq()) {
        bucket.heardUpTo = place;
      }
      bucket.proof = new Proof(sentAtNanos, seenBefore);
    }
  }

  private void invalidate(int bucket, int @Nullable [] hashes) {
    if (hashes == null) {
      forget(bucket);
    } else {
      for (int hash : hashes) {
        stamps.incrementAndGet(hash & mask);
      }
    }
  }

  /** All stripes of a bucket: the stripe's lowest bits are the bucket's. */
  private void forget(int bucket) {
    for (int i = bucket; i < stamps.length(); i += CacheKey.BUCKETS) {
      stamps.incrementAndGet(i);
    }
  }
}
