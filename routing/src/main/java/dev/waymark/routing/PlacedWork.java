package dev.waymark.routing;

import java.sql.Connection;
import org.jspecify.annotations.Nullable;

/** Work that wants to know on which node it runs. */
interface PlacedWork<T extends @Nullable Object, X extends Exception> extends Work<T, X> {
  /** Does the work on a connection to a node. */
  T run(Connection connection, NodeView node) throws X;

  @Override
  default T run(Connection connection) {
    throw new IllegalStateException("Placed work is told its node");
  }
}
