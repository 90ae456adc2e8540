package dev.waymark.routing;

import java.sql.Connection;
import org.jspecify.annotations.Nullable;

/**
 * What the application does with a connection. It must not keep the connection: the library takes
 * it back when the work returns.
 *
 * @param <T> what the work returns
 * @param <X> what the work throws; it reaches the caller as it is
 */
@FunctionalInterface
public interface Work<T extends @Nullable Object, X extends Exception> {
  /** Does the work. */
  T run(Connection connection) throws X;
}
