package dev.waymark.cache;

/**
 * The places between two steps of the protocol, so that a test can stop there, or end the process.
 * In use, nothing happens there.
 */
@FunctionalInterface
interface Steps {
  Steps UNWATCHED = (step, cache, hash) -> {};

  /** Called by the thread that has come there, which goes on when this returns. */
  void at(Step step, String cache, int hash);

  /** The places. */
  enum Step {
    /** A reader has got a lease and is about to load. */
    LEASED,
    /** The load has come back, and its value is about to be offered to Redis. */
    LOADED,
    /** A bucket turned out to have lost its state; a horizon is about to be drawn. */
    UNRECOVERED,
    /** The horizon is drawn, and Redis is about to be told. */
    HORIZON_DRAWN,
    /** The work of a transaction is done, and its keys are about to be announced. */
    WORKED,
    /** The keys are announced, and COMMIT is about to be sent. */
    ANNOUNCED,
    /** COMMIT has been acknowledged, and nobody was told yet. */
    COMMITTED
  }
}
