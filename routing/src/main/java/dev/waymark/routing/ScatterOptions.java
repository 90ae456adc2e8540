package dev.waymark.routing;

import java.time.Duration;
import java.util.Objects;

/**
 * How long all shards together may take, and what is done about those that do not answer. A value.
 *
 * @param deadline from the call to the last row, at least 1 ms; the caller gets its answer or error
 *     then, however slow a shard is
 * @param missing what is done about shards that fail
 */
public record ScatterOptions(Duration deadline, MissingShards missing) {
  /** What is done about a shard that fails or is late. */
  public enum MissingShards {
    /** The whole call fails; its error names every shard that failed. */
    FAIL,
    /** The others' rows are returned, and the answer says which shards are missing and why. */
    REPORT
  }

  /** Checks each value. */
  public ScatterOptions {
    Objects.requireNonNull(missing, "missing");
    if (deadline.compareTo(Duration.ofMillis(1)) < 0) {
      throw new IllegalArgumentException(
          "The deadline of a scatter must be at least 1 ms, not " + deadline.toMillis() + " ms");
    }
  }

  /** A deadline; the whole call fails if a shard does. */
  public static ScatterOptions within(Duration deadline) {
    return new ScatterOptions(deadline, MissingShards.FAIL);
  }

  /** The same deadline, with the rows of the shards that answered. */
  public ScatterOptions reportingMissingShards() {
    return new ScatterOptions(deadline, MissingShards.REPORT);
  }
}
