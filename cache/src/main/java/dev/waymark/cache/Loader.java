package dev.waymark.cache;

import dev.waymark.PositionedRead;
import org.jspecify.annotations.Nullable;

/**
 * Fetches the value of one key from the database, when neither tier of a cache has it.
 *
 * <p>It must start a read of its own, at READ COMMITTED: what an already open transaction or an old
 * snapshot shows may be older than an invalidation that has come in since.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values
 */
@FunctionalInterface
public interface Loader<K, V> {
  /**
   * The value as the database has it, null inside the answer if there is none.
   *
   * @throws Exception passed on to everyone who waits for this load, and not cached: as it is where
   *     unchecked, else as the cause of a {@link dev.waymark.WaymarkException}
   */
  PositionedRead<@Nullable V> load(K key) throws Exception;
}
