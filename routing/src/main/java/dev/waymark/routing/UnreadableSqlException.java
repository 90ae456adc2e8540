package dev.waymark.routing;

/** A SQL text that is not understood for certain. It is never guessed at. */
final class UnreadableSqlException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /**
   * A text that is not understood.
   *
   * @param reason half a sentence
   */
  UnreadableSqlException(String reason) {
    super(reason);
  }
}
