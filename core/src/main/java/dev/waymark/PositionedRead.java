package dev.waymark;

import org.jspecify.annotations.Nullable;

/**
 * The result of a read, with where it came from and how new it is known to be.
 *
 * @param value what the read returned; may be null
 * @param route which node answered and why
 * @param position a log position that the answer is known to be at least as new as; null if none is
 *     known. On the primary it is where the log ended right after the snapshot was taken:
 *     everything acknowledged before then is shown, and whatever the snapshot calls over was
 *     committed before this position
 * @param snapshot which transactions were over before the read began; null unless the primary was
 *     asked that. What was over is shown; what was not may or may not be
 * @param mark the server that answered: its place in the log, looked up after the answer, is at or
 *     after all that the answer shows; null if not known
 */
public record PositionedRead<T extends @Nullable Object>(
    T value,
    Route route,
    @Nullable LogPosition position,
    @Nullable TransactionSnapshot snapshot,
    @Nullable ReadMark mark) {

  /** A read of which no snapshot is known. */
  public PositionedRead(T value, Route route, @Nullable LogPosition position) {
    this(value, route, position, null, null);
  }

  /** A read of which the server is not known. */
  public PositionedRead(
      T value,
      Route route,
      @Nullable LogPosition position,
      @Nullable TransactionSnapshot snapshot) {
    this(value, route, position, snapshot, null);
  }
}
