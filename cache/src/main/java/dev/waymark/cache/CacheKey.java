package dev.waymark.cache;

import org.jspecify.annotations.Nullable;

/**
 * One key of one cache, as the shared tier knows it.
 *
 * @param cache the name of the cache
 * @param text the key in the cache, as text
 * @param hash the key's hash, see {@link KeyForm}; of its tag, if it has one
 * @param tag the text under which the tag is known that the key carries, if any. Keys of one tag
 *     share hash and bucket, so that a tag can be dropped where they are
 */
record CacheKey(String cache, String text, int hash, @Nullable String tag) {
  /** Without a tag. */
  CacheKey(String cache, String text, int hash) {
    this(cache, text, hash, null);
  }

  /**
   * Keys of one bucket live in one slot of a Redis Cluster and share an epoch. A power of two;
   * changing it loses what is cached.
   */
  static final int BUCKETS = 16;

  /**
   * Keys of one cell share a fate: while one's writer is in doubt, none is kept that is not proven
   * to show it. Many, because of that; not one for each key, because cells have no time to live.
   */
  static final int CELLS = 256;

  int bucket() {
    return hash & (BUCKETS - 1);
  }

  /** Within the bucket; of other bits than the bucket. */
  int cell() {
    return (hash >>> 8) & (CELLS - 1);
  }

  /** Without the key: it may be personal data. */
  @Override
  public String toString() {
    return cache + "/" + Integer.toHexString(hash);
  }
}
