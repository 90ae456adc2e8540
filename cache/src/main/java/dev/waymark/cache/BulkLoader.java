package dev.waymark.cache;

import dev.waymark.PositionedRead;
import java.util.List;
import java.util.Map;

/**
 * Fetches the values of many keys at once, as {@link Loader} does of one, and under the same rule:
 * a read of its own, at READ COMMITTED.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values
 */
@FunctionalInterface
public interface BulkLoader<K, V> {
  /**
   * The values as the database has them.
   *
   * @param keys different from each other, all of one shard where {@code shardOf} tells them apart
   * @return of all keys that have a value; others are left out
   * @throws Exception as in {@link Loader#load}
   */
  PositionedRead<Map<K, V>> loadAll(List<K> keys) throws Exception;
}
