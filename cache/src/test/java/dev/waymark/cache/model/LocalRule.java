package dev.waymark.cache.model;

/** One rule of the protocol of L1 and sessions. */
enum LocalRule {
  /**
   * An entry is served only if nothing was heard of its key since the position it was fetched at.
   */
  STAMP,
  /** The stamp is this process' own count of what it heard of the key, not a place in the order. */
  OWN_COUNT,
  /** A message after a gap does not move the place up to which all was heard. */
  GAPS_STAY_OPEN,
  /** Everything is dropped when the connection for messages comes back. */
  CLEAR_ON_RECONNECT,
  /** L1 answers under a lease only, which is renewed by asking Redis and ends by itself. */
  CHANNEL_LEASE,
  /** The lease is counted from when the question was sent, not from when the answer came. */
  LEASE_FROM_QUESTION,
  /** What was not heard up to an answer counts as heard with it, before it renews the lease. */
  ANSWER_BRINGS_MISSED,
  /** Entries, messages and answers belong to one state of Redis. */
  EPOCH,
  /** For a session L1 answers only if all was heard up to the session's token. */
  SESSION_TOKEN,
  /** A read that asked the database takes the token from after the read, not from before. */
  TOKEN_AFTER_READ,
  /**
   * For a session L1 answers only if its lease was renewed by a question sent after this process
   * had heard of the session's position. Orders keys of different buckets, too.
   */
  RENEWED_AFTER_POSITION,
  /**
   * A session joins another one's load only if that began when the session's position was known.
   */
  JOIN_AFTER_POSITION
}
