package dev.waymark.cache;

/** The listener that does nothing. */
enum SilentCacheListener implements CacheListener {
  INSTANCE
}
