package dev.waymark.cache;

import dev.waymark.Route;
import java.time.Duration;
import java.util.Objects;

/**
 * Told what caches do beyond hits, which are only counted: see {@link TieredCache#statistics}.
 * Called on the thread that does it: be quick, do not block, and call neither cache nor database.
 * What a listener throws is logged once and otherwise ignored. Must be safe to share.
 */
public interface CacheListener {
  /** What a read waits for. */
  enum Wait {
    /** That another process, which has the lease, puts the value into Redis. */
    LEASE,
    /** That another load ends, so that this one may begin. */
    LOAD_LIMIT
  }

  /** Why a loaded value was not kept for others. */
  enum NotKept {
    /** The key was changed during the load, or the load took longer than its lease. */
    LEASE_LOST,
    /** A transaction that changes the key is not known to have ended before the load began. */
    IN_DOUBT,
    /** A replica's answer is not known to show the key's last change. */
    NOT_NEW_ENOUGH,
    /** Another process has the lease, and took too long. */
    LEASE_TAKEN,
    /** Redis has lost its memory, and is being brought up to date. */
    RECOVERING,
    /** Redis cannot be used. */
    UNAVAILABLE,
    /** The codec cannot write it. */
    UNENCODABLE,
    /** It is larger than {@code maximumValueBytes}. */
    OVERSIZED
  }

  /** A load has ended well, so many nanoseconds after it began. */
  default void loaded(String cache, Route route, long nanos) {}

  /** A load has failed, so many nanoseconds after it began. */
  default void loadFailed(String cache, Throwable failure, long nanos) {}

  /** A load did not begin: as many as may be were under way, for too long. */
  default void loadRefused(String cache) {}

  /** A read has waited; also called if it waited in vain. */
  default void waited(String cache, Wait reason, long nanos) {}

  /** A value was loaded and returned, and not kept. */
  default void notKept(String cache, NotKept reason) {}

  /** What Redis holds of a key cannot be read by this cache: a miss. */
  default void unreadable(String cache) {}

  /**
   * Redis went away. Reads go to L1 and the database from now on.
   *
   * @param redis its address, without credentials
   */
  default void redisLost(String redis, String trouble) {}

  /** Redis is in use again. */
  default void redisBack(String redis, Duration away) {}

  /** Nobody listens. */
  static CacheListener none() {
    return SilentCacheListener.INSTANCE;
  }

  /** Both, this one first. */
  default CacheListener and(CacheListener other) {
    Objects.requireNonNull(other, "other");
    if (this == none()) {
      return other;
    }
    return other == none() ? this : new TwoCacheListeners(this, other);
  }
}
