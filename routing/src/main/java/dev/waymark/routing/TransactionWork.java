package dev.waymark.routing;

import dev.waymark.Transaction;
import org.jspecify.annotations.Nullable;

/**
 * What the application does inside a transaction when it also wants its hooks or its id.
 *
 * @param <T> what the work returns
 * @param <X> what the work throws; it rolls the transaction back and reaches the caller as it is
 */
@FunctionalInterface
public interface TransactionWork<T extends @Nullable Object, X extends Exception> {
  /** Does the work. */
  T run(Transaction transaction) throws X;
}
