package dev.waymark.routing;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Chooses the shard of a new key. Must be safe to share. */
@FunctionalInterface
public interface Placement {
  /**
   * One of the candidates.
   *
   * @param candidates the names of the shards that can take a new key now; not empty
   */
  String place(List<String> candidates);

  /** Each shard in turn: new users spread evenly instead of piling up on the last range. */
  static Placement roundRobin() {
    AtomicInteger turn = new AtomicInteger();
    return candidates ->
        candidates.get(Integer.remainderUnsigned(turn.getAndIncrement(), candidates.size()));
  }
}
