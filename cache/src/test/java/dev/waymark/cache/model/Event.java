package dev.waymark.cache.model;

/** What may happen in a model beside plain reads and writes. */
enum Event {
  /** A writer's transaction is rolled back, by itself or because its process died. */
  ROLLBACK,
  /** A writer's process dies after COMMIT was sent. */
  CRASH,
  /** A command that announces a writer is executed a second time, at any later moment. */
  DUPLICATE,
  /** Redis evicts a value or a lease. */
  EVICTION,
  /** Readers may read a replica, which lags as it likes, and may be ahead of the primary. */
  REPLICA,
  /** Changes arrive by logical decoding as soon as they are in the log, seen or not. */
  STREAM,
  /** Finished xids are taken out of doubt in the background. */
  SWEEP,
  /** Who has ended a transaction takes its xid out of doubt, at any moment or never. */
  SETTLE,
  /** A value may be loaded anew while it is still there. */
  REFRESH,
  /**
   * A value may be read past the scripts, with the copy of the epoch that stands beside the state.
   */
  PLAIN_READ,
  /** A replica becomes primary while some readers still ask the old one. */
  PROMOTION,
  /** Writers may put their row after COMMIT, at any moment. */
  PUT,
  /** Writers announce all keys at once, by a new epoch instead of their xid. */
  BULK,
  /** The first writer knows nothing of the cache. */
  STRANGER,
  /** A thread may join a load of another one. */
  JOIN,
  /** Redis starts without state. */
  COLD_START,
  /** Redis loses everything. */
  FLUSH,
  /** Redis loses the state of its buckets, but neither values nor leases. */
  STATE_EVICTION,
  /** Redis falls back to what it was at some earlier moment. */
  FAILOVER
}
