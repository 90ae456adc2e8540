package dev.waymark.routing;

/**
 * Nobody wants the answer any more, and so what asks for it has been cut off. Not an SQL exception,
 * so that no node is blamed and no other one asked.
 */
final class StoppedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  StoppedException() {
    super("nobody wants the answer any more", null, false, false);
  }
}
