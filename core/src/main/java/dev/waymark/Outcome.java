package dev.waymark;

/** What a failed call did to the data. */
public enum Outcome {
  /** The work never reached a server: nothing was written, the call may be repeated. */
  NOT_SENT("Nothing was sent, so the call may be repeated"),
  /** The server rolled the work back: nothing was written. */
  REJECTED("Nothing was written"),
  /** The answer to COMMIT was lost: the work may or may not have been done. */
  UNKNOWN(
      "Whether the transaction was committed is unknown; look with strong consistency before repeating it");

  private final String sentence;

  Outcome(String sentence) {
    this.sentence = sentence;
  }

  /** The outcome for a person to read, without a final stop. */
  public String sentence() {
    return sentence;
  }
}
