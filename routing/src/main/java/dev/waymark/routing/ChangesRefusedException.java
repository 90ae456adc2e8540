package dev.waymark.routing;

/** A shard's changes cannot be followed before somebody does what the message says. */
final class ChangesRefusedException extends Exception {
  private static final long serialVersionUID = 1;

  ChangesRefusedException(String message) {
    super(message);
  }
}
