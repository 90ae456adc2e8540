package dev.waymark.cache.model;

/** One rule of the shared tier's protocol. Taking one away gives a variant that must be caught. */
enum Rule {
  /** A reader that missed takes a lease, and its fill needs a lease to be there. */
  LEASE,
  /** A fill needs the reader's own lease, not just anybody's. */
  LEASE_TOKEN,
  /** A writer drops value and lease before COMMIT. */
  DELETE_BEFORE_COMMIT,
  /** A writer drops value and lease when COMMIT has returned, before it says that it is done. */
  DELETE_AFTER_COMMIT,
  /** What is dropped before COMMIT also leaves the writer's xid in doubt. */
  ANNOUNCE,
  /** The writer announces after its statement has the row's lock, not before. */
  ANNOUNCE_UNDER_LOCK,
  /** A fill from the primary needs a snapshot that has seen the end of every xid in doubt. */
  SNAPSHOT_TEST,
  /** In doubt is what was so when the lease was taken, not what is so at the fill. */
  LEASE_COPY,
  /** A fill from a replica needs a lease with nothing in doubt. */
  REPLICA_NEEDS_NO_DOUBT,
  /** A fill from a replica needs a replay position at or past the cell's floor. */
  POSITION_FLOOR,
  /** Whoever takes a finished xid out of doubt raises the floor to a position that covers it. */
  PURGE_RAISES_FLOOR,
  /** Loss of Redis' data is noticed, and a fill then needs a horizon. */
  BARRIER,
  /** The horizon is an xid assigned for it, not the xmax of a snapshot. */
  HORIZON_ASSIGNED,
  /** A horizon is installed only into the state that it was taken for. */
  RECOVERY_TOKEN,
  /** Each shard of a bucket needs a horizon of its own. */
  HORIZON_PER_SHARD,
  /** Writers are recorded also while no horizon is there. */
  RECORD_WITHOUT_HORIZON,
  /** Values and leases of an earlier state of Redis are dead. */
  EPOCH,
  /** An epoch never comes back, not even if the counter before it was lost. */
  EPOCH_NEVER_RETURNS,
  /** The copy of the epoch that plain reads look at is written by whatever begins an epoch. */
  PLAIN_EPOCH_GOES_WITH_THE_STATE,
  /** A plain read counts only under the server whose epoch it has found. */
  PLAIN_READ_KNOWS_THE_SERVER,
  /** Replicas may fill again when a snapshot passed the horizon, and only from its position on. */
  HORIZON_RAISES_FLOOR,
  /** The put after COMMIT needs what this very execution of the announcement returned. */
  PUT_TOKEN_PER_EXECUTION,
  /** The put after COMMIT belongs to one state of Redis. */
  PUT_TOKEN_OF_EPOCH,
  /**
   * Announcements, labels and horizons of an older timeline count for nothing; a newer one is the
   * end of what was known of the shard.
   */
  TIMELINE,
  /** A horizon counts only if its transaction got to the replica, as an old primary's cannot. */
  HORIZON_IS_REPLICATED,
  /** A change from the stream leaves its xid in doubt, instead of only dropping value and lease. */
  STREAM_WITH_XID,
  /** A change from the stream ends the right to put after COMMIT. */
  STREAM_ENDS_PUT,
  /** Who joins a load of another thread joins one that has not taken its snapshot yet. */
  JOIN_BEFORE_SNAPSHOT
}
