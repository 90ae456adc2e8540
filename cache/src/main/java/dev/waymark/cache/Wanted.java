package dev.waymark.cache;

/** One of many keys, on its way. Belongs to the thread that reads them. */
final class Wanted<K, V> {
  final K key;
  final CacheKey address;
  final SingleFlight.Flight<V> flight;

  /** What Redis has said of it last. */
  SharedTier.Lookup found = new SharedTier.Lookup.Unavailable();

  Wanted(K key, CacheKey address, SingleFlight.Flight<V> flight) {
    this.key = key;
    this.address = address;
    this.flight = flight;
  }
}
