package dev.waymark.routing;

import java.time.Duration;
import java.util.function.LongSupplier;

/** The time budget of one call. Belongs to the call. */
final class Deadline {
  private final LongSupplier nanoClock;
  private final long startedAt;
  private final long budgetNanos;

  Deadline(LongSupplier nanoClock, Duration budget) {
    this.nanoClock = nanoClock;
    this.startedAt = nanoClock.getAsLong();
    this.budgetNanos = budget.toNanos();
  }

  long nanosLeft() {
    return budgetNanos - (nanoClock.getAsLong() - startedAt);
  }

  Duration waited() {
    return Duration.ofNanos(nanoClock.getAsLong() - startedAt);
  }

  Duration budget() {
    return Duration.ofNanos(budgetNanos);
  }

  long startedAt() {
    return startedAt;
  }

  long dueAt() {
    return startedAt + budgetNanos;
  }
}
