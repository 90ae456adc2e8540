package dev.waymark;

/** What a node does in its shard, as last observed. */
public enum Role {
  /** Takes writes. */
  PRIMARY,
  /** Replays the primary's log and answers reads. */
  REPLICA
}
