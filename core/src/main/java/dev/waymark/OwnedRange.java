package dev.waymark;

import java.util.Objects;

/**
 * A key range and the name of the shard that owns it.
 *
 * @param range the keys
 * @param shard the name of a shard of the same map
 */
public record OwnedRange(KeyRange range, String shard) {
  /** Checks that both are present. */
  public OwnedRange {
    Objects.requireNonNull(range, "range");
    Objects.requireNonNull(shard, "shard");
  }

  @Override
  public String toString() {
    return range + " on " + shard;
  }
}
