package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Route;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What a cache answered, and who knew it.
 *
 * @param value the value; null if there is none
 * @param tier who knew it
 * @param position a log position that the value is known to be at least as new as; null if none is
 *     known
 * @param route which node answered and why; null if no database was asked
 * @param age of an answer from Redis: it shows whatever was acknowledged longer ago, whoever wrote
 *     it and whether or not they announced it. Null for any other answer, for a cache that is not
 *     {@linkplain TieredCache.Builder#changedBy changed by} tables, and while no change stream is
 *     followed
 * @param <V> the type of the value
 */
public record CacheAnswer<V>(
    @Nullable V value,
    Tier tier,
    @Nullable LogPosition position,
    @Nullable Route route,
    @Nullable Duration age) {
  /** An answer of an age that is not known. */
  public CacheAnswer(
      @Nullable V value, Tier tier, @Nullable LogPosition position, @Nullable Route route) {
    this(value, tier, position, route, null);
  }

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
