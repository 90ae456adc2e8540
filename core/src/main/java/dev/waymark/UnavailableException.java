package dev.waymark;

import org.jspecify.annotations.Nullable;

/** No node of a shard could do the work in time. {@link #outcome()} says what became of it. */
public final class UnavailableException extends WaymarkException {
  private static final long serialVersionUID = 1;

  private final String shard;

  /** A failure of one shard; the message as in {@link WaymarkException}. */
  public UnavailableException(
      String shard, String message, Outcome outcome, @Nullable Throwable cause) {
    super(message, outcome, cause);
    this.shard = shard;
  }

  /** The name of the shard. */
  public String shard() {
    return shard;
  }
}
