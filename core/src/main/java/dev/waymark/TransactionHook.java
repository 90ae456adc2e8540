package dev.waymark;

/**
 * What wants to know how a transaction ends. Hooks of one transaction are called in the order they
 * joined, on the thread that runs the transaction.
 */
public interface TransactionHook {
  /**
   * Called after the work's statements and before COMMIT is sent.
   *
   * @throws Exception to roll the transaction back; nothing is written then
   */
  default void beforeCommit(Transaction transaction) throws Exception {}

  /**
   * Called after the server has acknowledged COMMIT. What is thrown here is logged and goes no
   * further: the data is committed.
   *
   * @param position a log position at or after the commit
   */
  default void afterCommit(LogPosition position) {}

  /** Called after the transaction was rolled back: nothing was written. */
  default void afterRollback() {}

  /** Called when the answer to COMMIT was lost: the transaction may have been committed. */
  default void outcomeUnknown() {}
}
