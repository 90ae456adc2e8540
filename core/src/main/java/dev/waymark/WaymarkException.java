package dev.waymark;

import org.jspecify.annotations.Nullable;

/**
 * The root of every failure that Waymark itself reports. The message says what failed, where, how
 * long it took, what happened to the data and what to do.
 *
 * <p>Exceptions of the application's own work pass through as they are.
 */
public class WaymarkException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final Outcome outcome;

  /**
   * A failure.
   *
   * @param message the whole message, ending with what to do
   * @param outcome what happened to the data
   */
  public WaymarkException(String message, Outcome outcome, @Nullable Throwable cause) {
    super(message, cause);
    this.outcome = outcome;
  }

  /** What the failed call did to the data. */
  public Outcome outcome() {
    return outcome;
  }
}
