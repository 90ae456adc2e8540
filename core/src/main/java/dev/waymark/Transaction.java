package dev.waymark;

import java.sql.Connection;
import org.jspecify.annotations.Nullable;

/**
 * One open transaction on the primary of one shard. Belongs to the thread that runs the work; not
 * for sharing.
 */
public interface Transaction {
  /**
   * The connection that the transaction runs on. Its {@code commit}, {@code rollback} (but for
   * savepoints), {@code close} and {@code setAutoCommit} are refused.
   */
  Connection connection();

  /** The name of the shard. */
  String shard();

  /**
   * PostgreSQL's 64-bit transaction id ({@code xid8}). Asking the first time costs a round trip and
   * assigns the id if no statement has yet.
   */
  long transactionId();

  /**
   * A position of the primary's log from when the {@linkplain #transactionId() transaction id} was
   * asked for; null if it was not, or is not known. Tells the timeline that the id belongs to:
   * after a promotion ids that the old primary gave out are given out again.
   */
  default @Nullable LogPosition transactionIdPosition() {
    return null;
  }

  /**
   * How often the transaction has gone back to a savepoint so far. What was done before may then be
   * undone, while the rest goes on to be committed. Zero where nobody counts.
   */
  default int rollbacksToSavepoint() {
    return 0;
  }

  /** Adds a hook that is told how the transaction ends. */
  void join(TransactionHook hook);
}
