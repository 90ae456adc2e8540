package dev.waymark.routing;

import dev.waymark.LogPosition;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Where this process last wrote each key of one shard, until every replica has passed that place. A
 * keyed read needs only the position of its own key: were it the shard's latest, each writer of a
 * busy process would send everybody's reads to the primary. Safe to share.
 *
 * <p>Bounded: when full, all positions fold into one floor that every key of the shard then needs,
 * which is more than necessary and never less.
 */
final class RecentWrites {
  private final int maximumKeys;
  private final ConcurrentHashMap<Long, LogPosition> positions = new ConcurrentHashMap<>();
  private final ReentrantLock folding = new ReentrantLock();

  /** Covers every position that is not in the map any more and that some replica may lack. */
  private volatile @Nullable LogPosition floor;

  RecentWrites(int maximumKeys) {
    this.maximumKeys = maximumKeys;
  }

  /** Remembers a write. Called before the write is reported to the caller. */
  void wrote(long key, LogPosition position) {
    if (positions.size() >= maximumKeys) {
      fold();
    }
    positions.merge(key, position, RecentWrites::later);
  }

  /**
   * What a read of the key must see, or null if every replica is known to show it.
   *
   * @param key null for a read that is not of one key
   */
  @Nullable LogPosition neededFor(@Nullable Long key) {
    if (key == null) {
      return neededForAll();
    }
    // The map first: folding raises the floor before it empties the map.
    LogPosition written = positions.isEmpty() ? null : positions.get(key);
    LogPosition least = floor;
    if (written == null) {
      return least;
    }
    return least == null ? written : later(written, least);
  }

  private @Nullable LogPosition neededForAll() {
    LogPosition needed = null;
    for (LogPosition position : positions.values()) {
      needed = needed == null ? position : later(needed, position);
    }
    LogPosition least = floor;
    if (needed == null || least == null) {
      return needed == null ? least : needed;
    }
    return later(needed, least);
  }

  /** Forgets what every replica of the view has passed; nodes that are down count as well. */
  void forgetCovered(ShardView view) {
    if (positions.isEmpty() && floor == null) {
      return;
    }
    positions.values().removeIf(position -> coveredEverywhere(view, position));
    LogPosition least = floor;
    if (least != null && coveredEverywhere(view, least)) {
      folding.lock();
      try {
        if (least.equals(floor)) {
          floor = null;
        }
      } finally {
        folding.unlock();
      }
    }
  }

  /** From now on every read of the shard must see this position, until every replica shows it. */
  void requireOfAll(LogPosition position) {
    folding.lock();
    try {
      LogPosition least = floor;
      floor = least == null ? position : later(least, position);
    } finally {
      folding.unlock();
    }
  }

  private void fold() {
    folding.lock();
    try {
      floor = neededForAll();
      LogPosition folded = floor;
      if (folded != null) {
        // Only what the floor covers: a write may have come in since it was computed.
        positions.values().removeIf(position -> later(folded, position).equals(folded));
      }
    } finally {
      folding.unlock();
    }
  }

  private static boolean coveredEverywhere(ShardView view, LogPosition position) {
    for (NodeView node : view.nodes()) {
      if (!view.covers(node, position)) {
        return false;
      }
    }
    return true;
  }

  /** The later position; of two systems (a shard restored from elsewhere) the newcomer. */
  private static LogPosition later(LogPosition known, LogPosition other) {
    if (known.systemId() != other.systemId() || known.timeline() != other.timeline()) {
      return known.systemId() == other.systemId() && known.timeline() > other.timeline()
          ? known
          : other;
    }
    return known.covers(other) ? known : other;
  }
}
