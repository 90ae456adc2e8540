package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.NodeState;
import dev.waymark.Role;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * One node as last observed.
 *
 * @param shard the shard's name
 * @param node the node's name
 * @param state whether it answers, and whether it lags
 * @param role null while the node is down or suspect
 * @param position what a primary has written or a replica has replayed; null if it never answered
 * @param lagBytes how far it is behind the primary; 0 for the primary, -1 where it is not known
 * @param lag for how long it has lacked something that the primary is known to have; zero for the
 *     primary, and for a replica that has everything however long the primary is idle
 * @param pools how busy its connection pools are
 * @param trouble why the node is down; null while it is up
 */
public record NodeStatus(
    String shard,
    String node,
    NodeState state,
    @Nullable Role role,
    @Nullable LogPosition position,
    long lagBytes,
    Duration lag,
    Pools pools,
    @Nullable String trouble) {

  /**
   * The pools of one node.
   *
   * @param reads the one for reads
   * @param writes the one for writes, used while the node is the primary
   */
  public record Pools(Pool reads, Pool writes) {}

  /**
   * One connection pool.
   *
   * @param active calls that use it
   * @param idle connections open and not in use
   * @param waiting calls that wait for others to end
   * @param maximum how many calls can use it at a time
   */
  public record Pool(int active, int idle, int waiting, int maximum) {}

  /** Whether the node answers. */
  public boolean isUp() {
    return role != null;
  }
}
