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
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.ToIntBiFunction;
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

  /**
   * When this process itself has last changed keys of a stripe; null where nothing is ever
   * {@linkplain #lately served late}. Its entries are removed as well, but a load from before may
   * put one back.
   */
  private final @Nullable AtomicLongArray ownChanges;

  private final int mask;
  private final Bucket[] buckets = new Bucket[CacheKey.BUCKETS];

  /** What is known to be past. Replaced under the stamps' lock. */
  private volatile Seen seen = Seen.nothing();

  /** Whether anybody has looked since somebody asked. A lost update costs a beat at most. */
  private boolean used = true;

  /**
   * One value in L1.
   *
   * @param stamp the stripe's stamp from before the value was fetched
   * @param sinceNanos when its fetch began: the value was the newest at some moment after that
   * @param expiresAtNanos when it is over in any case
   * @param mark the server that a value nobody vouches for came from; null if it is not known, or
   *     the shared tier vouches for the value
   * @param shown null if the shared tier vouches for the value as long as the channel does. Else
   *     nobody does, and it is young enough until it expires; then what it is known to show
   * @param readAt where the log ended before the value was read; null if that is not known, or it
   *     was not read but put by its writer
   */
  record Entry<V>(
      @Nullable V value,
      @Nullable LogPosition position,
      int stamp,
      long sinceNanos,
      long expiresAtNanos,
      @Nullable ReadMark mark,
      @Nullable Seen shown,
      @Nullable LogPosition readAt) {}

  /** How an entry stands towards a reader. */
  enum Standing {
    /** There is none. */
    ABSENT,
    /** It is served. */
    SERVED,
    /** A change of its key, or of another one of its stripe, has been heard of. */
    CHANGED,
    /** It is not certain that every change has been heard of. */
    UNPROVEN,
    /** Its life is over. */
    RUN_OUT,
    /** The session has seen more than it is known to show. */
    BEHIND_SESSION
  }

  /**
   * How much memory may be taken.
   *
   * @param maximum of all entries' weights
   * @param weigher of a key and its value; null to count entries
   */
  record Capacity<K, V>(long maximum, @Nullable ToIntBiFunction<? super K, ? super V> weigher) {
    static <K, V> Capacity<K, V> entries(long maximum) {
      return new Capacity<>(maximum, null);
    }
  }

  /** That a bucket had heard of everything when a beat was sent. */
  private record Proof(long sentAtNanos, Seen seen) {}

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

  /** Whether entries that are not the newest any more are ever served. */
  enum Lateness {
    NEVER,
    FOR_A_TIME
  }

  private LocalTier(
      @Nullable Cache<K, Entry<V>> entries,
      long expectedEntries,
      Duration bound,
      Lateness lateness,
      Time time) {
    this.entries = entries;
    this.time = time;
    this.boundNanos = bound.toNanos();
    // About two stripes for each entry: a message about one key seldom takes another with it.
    int stripes = (int) Math.min(1 << 16, Math.max(1 << 8, expectedEntries * 2));
    stripes = Integer.highestOneBit(stripes - 1) << 1;
    this.stamps = new AtomicIntegerArray(stripes);
    this.mask = stripes - 1;
    this.ownChanges = lateness == Lateness.NEVER ? null : new AtomicLongArray(stripes);
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
    return holding(Capacity.entries(maximumSize), bound, Lateness.NEVER, time);
  }

  /** Holds so much. */
  static <K, V> LocalTier<K, V> holding(
      Capacity<K, V> capacity, Duration bound, Lateness lateness, Time time) {
    // On the caller's thread: no thread of ours, nor a task in the common pool, outlives us.
    Caffeine<Object, Object> plain = Caffeine.newBuilder().executor(Runnable::run);
    ToIntBiFunction<? super K, ? super V> weigher = capacity.weigher;
    Cache<K, Entry<V>> entries =
        weigher == null
            ? plain.maximumSize(capacity.maximum).build()
            : plain
                .maximumWeight(capacity.maximum)
                .<K, Entry<V>>weigher((key, entry) -> weightOf(weigher, key, entry.value))
                .build();
    return new LocalTier<>(entries, capacity.maximum, bound, lateness, time);
  }

  private static <K, V> int weightOf(
      ToIntBiFunction<? super K, ? super V> weigher, K key, @Nullable V value) {
    return value == null ? 1 : Math.max(0, weigher.applyAsInt(key, value));
  }

  /** Holds nothing; its stamps still tell loads apart. */
  static <K, V> LocalTier<K, V> none(Time time) {
    return new LocalTier<>(null, 1 << 12, Duration.ZERO, Lateness.NEVER, time);
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
    Seen proven = entry.shown;
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
   * An entry that is not the newest any more, but began to be fetched less than so long ago: so it
   * is not further behind than that. Null if there is none, or the session may have seen more.
   */
  @Nullable Entry<V> lately(K key, int hash, SessionToken session, long nanos) {
    Entry<V> entry = entries == null ? null : entries.getIfPresent(key);
    if (entry == null || time.nanos() - entry.sinceNanos >= nanos) {
      return null;
    }
    AtomicLongArray changes = ownChanges;
    long changedAt = changes == null ? 0 : changes.get(hash & mask);
    if (changedAt != 0 && entry.sinceNanos - changedAt <= 0) {
      return null;
    }
    return session.isEmpty() || showsAlone(entry, session) ? entry : null;
  }

  /** Whether an entry shows all that a session has seen, whatever has come over the channel. */
  private static boolean showsAlone(Entry<?> entry, SessionToken session) {
    if (entry.shown != null) {
      return entry.shown.reaches(session);
    }
    LogPosition own = entry.position;
    return own != null
        && Seen.upTo(own).reaches(session)
        && (session.untold().isEmpty()
            || (entry.readAt != null && session.isUntoldShownFrom(entry.readAt)));
  }

  /** How the entry of a key stands, for a person. */
  Standing look(K key, int hash, SessionToken session) {
    Entry<V> entry = peek(key);
    if (entry == null) {
      return Standing.ABSENT;
    }
    Proof proof = buckets[hash & (CacheKey.BUCKETS - 1)].proof;
    boolean proven = proof != null && time.nanos() - proof.sentAtNanos < boundNanos;
    if (entry.stamp != stamp(hash)) {
      return Standing.CHANGED;
    }
    if (time.nanos() - entry.expiresAtNanos >= 0) {
      return Standing.RUN_OUT;
    }
    if (entry.shown == null && !proven) {
      return Standing.UNPROVEN;
    }
    return get(key, hash, session) == null ? Standing.BEHIND_SESSION : Standing.SERVED;
  }

  /** Whatever entry there is, for a person: reading it does not make it more likely to be kept. */
  @Nullable Entry<V> peek(K key) {
    return entries == null ? null : entries.policy().getIfPresentQuietly(key);
  }

  /**
   * Whether an entry shows all that a session has seen of its shard. Either its own position says
   * so, or what was known when the channel was last proven: whoever changed the row before that has
   * been heard of, and the entry would not be here.
   */
  private static boolean shows(Entry<?> entry, Seen proven, SessionToken session) {
    return session.marks().isEmpty()
        && allShown(session.positions(), entry, proven)
        && allShown(session.reads(), entry, proven)
        && untoldIsShown(entry, proven, session);
  }

  /** What nobody was told of does not come over the channel. */
  private static boolean untoldIsShown(Entry<?> entry, Seen proven, SessionToken session) {
    if (session.untold().isEmpty()) {
      return true;
    }
    if (entry.shown != null) {
      return allShown(session.untold(), entry, proven);
    }
    return entry.readAt != null && session.isUntoldShownFrom(entry.readAt);
  }

  private static boolean allShown(List<LogPosition> positions, Entry<?> entry, Seen proven) {
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
    // Not reaches(): no session with marks is ever reached, and each of its reads would come here.
    if (!seen.hasHeardOf(session)) {
      synchronized (stamps) {
        seen = seen.heardOf(session);
      }
    }
  }

  /** Notes where a server has said that its log has come to. */
  void told(LogPosition position) {
    if (!seen.isToldOf(position)) {
      synchronized (stamps) {
        seen = seen.toldOf(position);
      }
    }
  }

  /** What is known to be past: a value fetched from the primary from now on shows it. */
  Seen seen() {
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
    changedByUs(hash);
    if (entries != null) {
      entries.invalidate(key);
    }
    return stamp;
  }

  /** Forgets all keys that share a hash; others may go with them. */
  void invalidateHash(int hash) {
    stamps.incrementAndGet(hash & mask);
    changedByUs(hash);
  }

  private void changedByUs(int hash) {
    if (ownChanges != null) {
      ownChanges.set(hash & mask, time.nanos());
    }
  }

  /** Forgets everything. */
  void invalidateAll() {
    for (int i = 0; i < stamps.length(); i++) {
      stamps.incrementAndGet(i);
      changedByUs(i);
    }
    if (entries != null) {
      entries.invalidateAll();
    }
  }

  // ---- the channel --------------------------------------------------------------------------

  /** About how many entries there are. */
  long size() {
    return entries == null ? 0 : entries.estimatedSize();
  }

  /** How old the oldest of the buckets' proofs is; null if one has none. */
  @Nullable Duration proofAge() {
    long oldest = 0;
    long now = time.nanos();
    for (Bucket bucket : buckets) {
      Proof proof = bucket.proof;
      if (proof == null) {
        return null;
      }
      oldest = Math.max(oldest, now - proof.sentAtNanos);
    }
    return Duration.ofNanos(oldest);
  }

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
   * @param seenBefore what was known to be past before that
   */
  void beaten(SharedTier.Beat beat, long sentAtNanos, Seen seenBefore) {
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
