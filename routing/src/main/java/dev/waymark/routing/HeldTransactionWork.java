package dev.waymark.routing;

import dev.waymark.Transaction;
import org.jspecify.annotations.Nullable;

/** Work of our own in a transaction, whose results may be read after the commit. */
interface HeldTransactionWork<T extends @Nullable Object, X extends Exception>
    extends TransactionWork<T, X> {
  /** Does the work. */
  T runHeld(OpenTransaction transaction) throws X;

  @Override
  default T run(Transaction transaction) throws X {
    return runHeld((OpenTransaction) transaction);
  }

  /** What it has written, if that was not told as the call's one key. */
  WrittenKeys written();

  /**
   * The transaction is committed, and nobody else closes the lane: whoever is told of it does,
   * once. Must not throw.
   */
  void held(Lane lane);
}
