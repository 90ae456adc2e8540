package dev.waymark.history;

/** Whether reads are sent with the consistency they are checked against. */
enum Guards {
  ON,
  /** Every read is sent as an eventual one: the naive router, which the checker must catch. */
  OFF
}
