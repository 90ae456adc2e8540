package dev.waymark;

/** What is known of a node. */
public enum NodeState {
  /** It answers. */
  UP,
  /** It answers as a replica, and is further behind than {@code lag.preferred}. */
  LAGGING,
  /** A call met a failure there, and no look has confirmed or denied it yet. It gets no calls. */
  SUSPECT,
  /** It does not answer, or is none of the shard's nodes. */
  DOWN
}
