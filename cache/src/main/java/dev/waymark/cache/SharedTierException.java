package dev.waymark.cache;

/** The shared tier did not do what it was asked; whether it still will is not known. */
final class SharedTierException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** The message holds no secret and ends without a stop. */
  SharedTierException(String message, Throwable cause) {
    super(message, cause);
  }
}
