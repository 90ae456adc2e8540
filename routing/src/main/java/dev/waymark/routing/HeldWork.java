package dev.waymark.routing;

import org.jspecify.annotations.Nullable;

/**
 * Work of our own that goes on using its connection after it has returned: rows that are read as
 * they are wanted. Not for reads that may be hedged.
 */
interface HeldWork<T extends @Nullable Object, X extends Exception> extends Work<T, X> {
  /**
   * The work has returned, and nobody else closes the lane: whoever is told of it does, once. Must
   * not throw.
   */
  void held(Lane lane);
}
