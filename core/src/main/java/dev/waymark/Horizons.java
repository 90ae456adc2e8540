package dev.waymark;

/** Who can draw a {@link Horizon} on a shard: the routing module, for a cache. */
@FunctionalInterface
public interface Horizons {
  /**
   * Draws a line now, in a transaction of its own on the shard's primary. Costs two round trips.
   *
   * @param shard the name of the shard
   * @throws Exception if the primary cannot be asked; nothing is lost then but the line
   */
  Horizon draw(String shard) throws Exception;
}
