package dev.waymark.routing;

import java.util.Objects;

/**
 * Whether a statement only reads, and why.
 *
 * @param why half a sentence
 */
record Verdict(Effect effect, String why) {
  /** What a statement does. */
  enum Effect {
    /** It only reads: proved by its text and the catalogue. */
    READS,
    /** It may write: it could not be proved that it does not. */
    MAY_WRITE,
    /** It writes or locks: its own words say so. */
    WRITES,
    /** It concerns the session or the transaction, and goes where that is. */
    SESSION
  }

  /** Checks that both are present. */
  Verdict {
    Objects.requireNonNull(effect, "effect");
    Objects.requireNonNull(why, "why");
  }

  /** Whether a replica may answer it. */
  boolean mayRunOnReplica() {
    return effect == Effect.READS;
  }
}
