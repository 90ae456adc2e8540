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

  int bucket() {
    return hash & (BUCKETS - 1);
  }

  /** Without the key: it may be personal data. */
  @Override
  public String toString() {
    return cache + "/" + Integer.toHexString(hash);
  }
}
