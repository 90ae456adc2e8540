package dev.waymark.cache;

import dev.waymark.LogPosition;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The changes that Redis has not been told of, because it could not be reached. Bounded: when there
 * are too many keys of a cache, what is owed is the cache as a whole. Not for sharing: its owner
 * guards it.
 */
final class Owed {
  private final int maximumKeys;
  private final Map<CacheKey, Settlement> keys = new LinkedHashMap<>();
  private final Set<String> wholeCaches = new TreeSet<>();

  /** What is due for one key; the marks of its writers run out by themselves. */
  private record Settlement(@Nullable LogPosition position) {}

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

  void add(CacheKey key, @Nullable LogPosition position) {
    if (wholeCaches.contains(key.cache())) {
      return;
    }
    keys.merge(
        key, new Settlement(position), (old, now) -> new Settlement(later(old.position, position)));
    if (keys.size() > maximumKeys) {
      addAllOf(key.cache());
    }
  }

  void addAllOf(String cache) {
    wholeCaches.add(cache);
    keys.keySet().removeIf(key -> key.cache().equals(cache));
  }

  /** What is due, without forgetting it: that comes after it was done. */
  Due due() {
    List<SharedTier.Settlement> settlements = new ArrayList<>();
    keys.forEach(
        (key, owed) -> settlements.add(new SharedTier.Settlement(key, null, owed.position, null)));
    return new Due(settlements, List.copyOf(wholeCaches));
  }

  /** Forgets what was done, unless it has become due again in the meantime. */
  void done(Due due) {
    for (SharedTier.Settlement settlement : due.settlements) {
      keys.remove(settlement.key(), new Settlement(settlement.position()));
    }
    due.wholeCaches.forEach(wholeCaches::remove);
  }

  record Due(List<SharedTier.Settlement> settlements, List<String> wholeCaches) {}

  /** For one shard's positions the later one; else the last to come. */
  private static @Nullable LogPosition later(@Nullable LogPosition old, @Nullable LogPosition now) {
    return now == null || (old != null && old.covers(now)) ? old : now;
  }
}
