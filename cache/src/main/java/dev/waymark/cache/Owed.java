package dev.waymark.cache;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The changes that Redis has not been told of, because it could not be reached. Bounded: when there
 * are too many keys of a cache, what is owed is the cache as a whole. Not for sharing: its owner
 * guards it.
 */
final class Owed {
  private final int maximumKeys;
  private final Map<CacheKey, SharedTier.Change> keys = new LinkedHashMap<>();
  private final Set<String> wholeCaches = new TreeSet<>();

  Owed(int maximumKeys) {
    this.maximumKeys = maximumKeys;
  }

  boolean isEmpty() {
    return keys.isEmpty() && wholeCaches.isEmpty();
  }

  /** Keys, a whole cache counting as one. */
  int size() {
    return keys.size() + wholeCaches.size();
  }

  void add(CacheKey key, SharedTier.Change change) {
    if (wholeCaches.contains(key.cache())) {
      return;
    }
    keys.merge(key, change, Owed::both);
    if (keys.size() > maximumKeys) {
      addAllOf(key.cache());
    }
  }

  void addAllOf(String cache) {
    wholeCaches.add(cache);
    keys.keySet().removeIf(key -> key.cache().equals(cache));
  }

  /**
   * Takes out what is due, to be paid now. What becomes due meanwhile is a debt of its own, even of
   * the same key or cache: the payment under way may have been made before its change.
   */
  Due take() {
    List<DueChange> changes = new ArrayList<>();
    keys.forEach((key, change) -> changes.add(new DueChange(key, change)));
    Due due = new Due(changes, List.copyOf(wholeCaches));
    keys.clear();
    wholeCaches.clear();
    return due;
  }

  /** Could not be paid, or not all of it. */
  void putBack(Due due) {
    due.wholeCaches.forEach(this::addAllOf);
    for (DueChange unpaid : due.changes) {
      SharedTier.Change since = keys.get(unpaid.key);
      add(unpaid.key, unpaid.change);
      if (since != null && keys.containsKey(unpaid.key)) {
        keys.put(unpaid.key, both(unpaid.change, since));
      }
    }
  }

  record Due(List<DueChange> changes, List<String> wholeCaches) {}

  record DueChange(CacheKey key, SharedTier.Change change) {}

  /** Of two commits on one shard the later one; else the one that says more, or came last. */
  private static SharedTier.Change both(SharedTier.Change old, SharedTier.Change now) {
    if (now instanceof SharedTier.Change.Elsewhere) {
      return old;
    }
    return old instanceof SharedTier.Change.Committed before
            && now instanceof SharedTier.Change.Committed after
            && before.position().covers(after.position())
        ? old
        : now;
  }
}
