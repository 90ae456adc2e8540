package dev.waymark.routing;

import dev.waymark.LogPosition;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * Where this process last wrote each key of one shard. A keyed read needs only the position of its
 * own key: were it the shard's latest, each writer of a busy process would send everybody's reads
 * to the primary. Safe to share.
 *
 * <p>A fixed table of positions, into which keys are hashed: keys that meet in one place share the
 * later position, which asks for more than necessary and never for less. So nothing has to be
 * forgotten, counted or evicted, and a look-up is one read of an array.
 */
final class RecentWrites {
  /** 8,192 places: 64 KiB for each shard that is written to. */
  private static final int PLACES_LOG = 13;

  /** The writes of one timeline, and those of the timelines before it. */
  private static final class Era {
    private final int timeline;
    private final @Nullable Era before;

    /** The latest write of all keys; raised before the key's own place is. */
    private final AtomicLong latest = new AtomicLong();

    /** The latest write whose keys are not told: it may be of any key. */
    private final AtomicLong others = new AtomicLong();

    /** Null once folded: every key then needs the latest of all. */
    private volatile @Nullable AtomicLongArray places = new AtomicLongArray(1 << PLACES_LOG);

    Era(int timeline, @Nullable Era before) {
      this.timeline = timeline;
      this.before = before;
    }

    void wrote(long key, long lsn) {
      latest.accumulateAndGet(lsn, RecentWrites::later);
      AtomicLongArray own = places;
      if (own != null) {
        own.accumulateAndGet(place(key), lsn, RecentWrites::later);
      }
    }

    void wroteOthers(long lsn) {
      latest.accumulateAndGet(lsn, RecentWrites::later);
      others.accumulateAndGet(lsn, RecentWrites::later);
    }

    long lastWrite(long key) {
      AtomicLongArray own = places;
      return own == null || key == Router.NO_KEY
          ? latest.get()
          : later(own.get(place(key)), others.get());
    }
  }

  /** Of the latest timeline written on; null before the first write. */
  private volatile @Nullable Era newest;

  /** Remembers a write. Called before the write is reported to the caller. */
  void wrote(long key, LogPosition position) {
    eraOf(position).wrote(key, position.lsn());
  }

  /** Remembers a write whose keys are not told: every later read of the shard waits for it. */
  void wroteOthers(LogPosition position) {
    eraOf(position).wroteOthers(position.lsn());
  }

  private Era eraOf(LogPosition position) {
    Era era = newest;
    if (era == null || era.timeline < position.timeline()) {
      era = begin(position.timeline());
    }
    // An answer to COMMIT may come from before the promotion that another write has already seen.
    while (era.timeline > position.timeline() && era.before != null) {
      era = era.before;
    }
    return era;
  }

  private synchronized Era begin(int timeline) {
    Era era = newest;
    if (era == null || era.timeline < timeline) {
      if (era != null && era.before != null) {
        // Two promotions ago: the table is not worth its memory any more.
        era.before.places = null;
      }
      newest = era = new Era(timeline, era);
    }
    return era;
  }

  /** Whether this process has not written to the shard. */
  boolean isEmpty() {
    return newest == null;
  }

  /**
   * Whether a node is known to show this process' last write to a key.
   *
   * @param key {@link Router#NO_KEY} for the last write to any key
   */
  boolean areShownBy(ShardView view, NodeView node, long key) {
    for (Era era = newest; era != null; era = era.before) {
      long lsn = era.lastWrite(key);
      if (lsn != 0 && !view.covers(node, era.timeline, lsn)) {
        return false;
      }
    }
    return true;
  }

  /** The place of the last write to a key on the latest timeline written on; null if none. */
  @Nullable LogPosition lastWrite(long key, long systemId) {
    Era era = newest;
    long lsn = era == null ? 0 : era.lastWrite(key);
    return era == null || lsn == 0 ? null : new LogPosition(systemId, era.timeline, lsn);
  }

  private static int place(long key) {
    // Fibonacci hashing: neighbouring keys lie far apart.
    return (int) (key * 0x9E3779B97F4A7C15L >>> (Long.SIZE - PLACES_LOG));
  }

  private static long later(long lsn, long other) {
    return Long.compareUnsigned(lsn, other) >= 0 ? lsn : other;
  }
}
