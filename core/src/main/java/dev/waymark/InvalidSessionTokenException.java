package dev.waymark;

/** A session token was refused: malformed, forged, or of another database. Nothing was sent. */
public final class InvalidSessionTokenException extends WaymarkException {
  private static final long serialVersionUID = 1;

  /** Says why; the token itself is not repeated in the message. */
  public InvalidSessionTokenException(String why) {
    super(
        "The session token was refused: "
            + why
            + ". "
            + Outcome.NOT_SENT.sentence()
            + " without it; read with strong consistency to be sure to see earlier writes.",
        Outcome.NOT_SENT,
        null);
  }
}
