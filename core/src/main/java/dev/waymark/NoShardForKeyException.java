package dev.waymark;

import java.util.List;

/** No range of the shard map holds the key. Nothing was sent. */
public final class NoShardForKeyException extends WaymarkException {
  private static final long serialVersionUID = 1;

  private NoShardForKeyException(String message) {
    super(message, Outcome.NOT_SENT, null);
  }

  /**
   * The message names the neighbouring ranges and not the key: keys may be personal data, and the
   * map does not know how they are to be rendered.
   */
  static NoShardForKeyException of(long key, ShardMap map) {
    List<OwnedRange> ranges = map.ranges();
    OwnedRange first = ranges.get(0);
    OwnedRange last = ranges.get(ranges.size() - 1);
    String where =
        key < first.range().from()
            ? "lies before the first range, " + first
            : "lies after the last range, " + last;
    return new NoShardForKeyException(
        "No shard owns the key: it "
            + where
            + " (shard map version "
            + map.version()
            + "). "
            + Outcome.NOT_SENT.sentence()
            + " once the map has a range for it.");
  }
}
