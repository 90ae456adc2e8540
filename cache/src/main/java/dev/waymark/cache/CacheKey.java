package dev.waymark.cache;

/**
 * One key of one cache, as the shared tier knows it.
 *
 * @param cache the name of the cache
 * @param text the key in the cache, as text
 * @param hash the key's hash, see {@link KeyForm}
 */
record CacheKey(String cache, String text, int hash) {
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
