package dev.waymark.cache;

/** What a cache hears from other processes. Called on threads that must not be kept. */
interface InvalidationListener {
  /** A key with this hash has changed. */
  void invalidated(int hash);

  /** Any key may have changed. */
  void everythingInvalidated();
}
