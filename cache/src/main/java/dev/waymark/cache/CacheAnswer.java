package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Route;
import org.jspecify.annotations.Nullable;

/**
 * What a cache answered, and who knew it.
 *
 * @param value the value; null if there is none
 * @param tier who knew it
 * @param position a log position that the value is known to be at least as new as; null if none is
 *     known
 * @param route which node answered and why; null if no database was asked
 * @param <V> the type of the value
 */
public record CacheAnswer<V>(
    @Nullable V value, Tier tier, @Nullable LogPosition position, @Nullable Route route) {

  /** Where an answer came from. */
  public enum Tier {
    /** This process' own memory. */
    L1,
    /** Redis. */
    L2,
    /** The database, through the loader. */
    DATABASE
  }
}
