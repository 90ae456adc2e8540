package dev.waymark;

import java.sql.Connection;

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

  /** Adds a hook that is told how the transaction ends. */
  void join(TransactionHook hook);
}
