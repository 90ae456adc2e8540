package dev.waymark.routing;

import org.jspecify.annotations.Nullable;

/**
 * What the application does in a transaction over several shards.
 *
 * @param <T> what the work returns
 * @param <X> what the work throws; it rolls everything back and reaches the caller as it is
 */
@FunctionalInterface
public interface CrossShardWork<T extends @Nullable Object, X extends Exception> {
  /** Does the work. */
  T run(CrossShardTransaction transaction) throws X;
}
