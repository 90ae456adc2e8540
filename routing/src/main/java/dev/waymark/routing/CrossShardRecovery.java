package dev.waymark.routing;

import java.util.List;

/**
 * What a look for the parts of unfinished cross-shard transactions has found and done. A value.
 *
 * @param committed parts of transactions that had been decided; they are committed now
 * @param rolledBack parts of transactions that were never decided, nor can be; they are rolled back
 * @param open parts whose transaction is still running, or whose coordinating shard did not answer
 * @param unreachable shards that did not answer
 */
public record CrossShardRecovery(
    int committed, int rolledBack, int open, List<String> unreachable) {
  /** Copies. */
  public CrossShardRecovery {
    unreachable = List.copyOf(unreachable);
  }

  /** Whether nothing is left to do. */
  public boolean isComplete() {
    return open == 0 && unreachable.isEmpty();
  }
}
