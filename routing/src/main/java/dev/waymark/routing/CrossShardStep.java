package dev.waymark.routing;

/** Where a cross-shard commit stands. Between any two of them its process may die. */
enum CrossShardStep {
  /** The decision stands in the coordinating part, which is open. */
  WRITTEN,
  /** One of the other parts is prepared, not all. */
  ONE_PREPARED,
  /** All of the other parts are prepared. */
  ALL_PREPARED,
  /** The coordinating part is committed: so is the transaction. */
  DECIDED,
  /** One of the other parts is committed, not all. */
  ONE_COMMITTED,
  /** All are committed, and the decision is not forgotten yet. */
  ALL_COMMITTED;

  /** Who is told of each step: nobody, but in tests. */
  interface Observer {
    void reached(CrossShardStep step);
  }
}
