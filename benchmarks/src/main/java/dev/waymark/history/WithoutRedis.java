package dev.waymark.history;

/** What becomes of a write that Redis cannot be told of. */
enum WithoutRedis {
  /** It is refused: the cache's default. */
  REFUSE,
  /** It is committed, and Redis is told later: then less is promised. */
  OWE
}
