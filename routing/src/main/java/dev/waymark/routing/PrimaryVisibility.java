package dev.waymark.routing;

import dev.waymark.Role;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Finds out whether a primary shows everything that a session has read from replicas. Belongs to
 * one read.
 *
 * <p>No replica is ahead of its primary in the log, but it can be ahead in what it <em>shows</em>:
 * a commit is in the log, sent, replayed and visible on a replica while the backend that made it
 * has not yet taken itself off the primary's list of running transactions. Without synchronous
 * replication that takes microseconds, or as long as the backend is not scheduled; with it the
 * backend first waits for the replica's answer, without end if a second synchronous replica hangs.
 * Jepsen found the same between the nodes of Amazon RDS for PostgreSQL (2025, "long fork").
 *
 * <p>A transaction that a replica has shown and the primary does not show yet still holds the lock
 * on its own id there. So if the primary has no such lock, it shows everything. If it has some, a
 * replica that has all the session has read is asked which of those transactions are committed
 * there, and those are waited for. The others may run for hours; nobody has seen them.
 */
final class PrimaryVisibility {
  /**
   * Each transaction holds this lock from before its first record in the log until it is visible.
   */
  private static final String RUNNING =
      """
      SELECT transactionid::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      FROM pg_locks
      WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted
      """;

  /** Ids from beyond its snapshot are unknown to a replica, and an error to ask for. */
  private static final String COMMITTED =
      """
      SELECT id FROM unnest(?::bigint[]) AS id
      WHERE CASE WHEN id::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
                 THEN pg_xact_status(id::text::xid8) = 'committed'
                 ELSE false END
      """;

  private static final long EPOCH = 1L << 32;

  private final LiveShard shard;
  private final Connection primary;
  private final Session session;
  private final int index;
  private final long systemId;
  private final long askedAt;
  private final LongSupplier nanoClock;

  /** The transactions to wait for; null until that is known. */
  private @Nullable Set<Long> awaited;

  PrimaryVisibility(
      LiveShard shard, NodeView node, Connection primary, Session session, LongSupplier nanoClock) {
    this.shard = shard;
    this.primary = primary;
    this.session = session;
    this.index = node.index();
    this.systemId = Objects.requireNonNull(node.position()).systemId();
    this.nanoClock = nanoClock;
    this.askedAt = nanoClock.getAsLong();
  }

  /** Whether a node is a primary that may show less than the session has read elsewhere. */
  static boolean isInDoubt(NodeView node, Session session) {
    return node.isUp(Role.PRIMARY)
        && node.position() != null
        && session.isAheadOfPrimary(node.position().systemId());
  }

  /** Asks once; to be asked again after a little while if not. */
  boolean isReached(long dueAt) throws SQLException {
    Set<Long> running = running();
    if (awaited != null) {
      awaited.retainAll(running);
    } else {
      awaited = running.isEmpty() ? running : shownElsewhere(running, dueAt);
    }
    if (awaited != null && awaited.isEmpty()) {
      session.shownByPrimary(systemId, askedAt);
      return true;
    }
    return false;
  }

  private Set<Long> running() throws SQLException {
    Set<Long> running = new HashSet<>();
    try (PreparedStatement statement = primary.prepareStatement(RUNNING);
        ResultSet answer = statement.executeQuery()) {
      while (answer.next()) {
        running.add(widened(answer.getLong(1), answer.getLong(2)));
      }
    }
    return running;
  }

  /** Locks tell 32 bits of an id; the whole one is near the snapshot's. */
  static long widened(long id, long near) {
    long whole = near - near % EPOCH + id;
    if (whole - near > EPOCH / 2) {
      return whole - EPOCH;
    }
    return near - whole > EPOCH / 2 ? whole + EPOCH : whole;
  }

  /**
   * Which of the transactions are visible on a replica that has all this session has read; null if
   * there is none such yet.
   */
  private @Nullable Set<Long> shownElsewhere(Set<Long> running, long dueAt) throws SQLException {
    if (!isKnownToAnyReplica()) {
      // What the session has read here itself gets a position to compare with.
      shard.sawUp(index, Look.at(primary, nanoClock));
    }
    for (long left = shard.view().replicas(); left != 0; left &= left - 1) {
      NodeView replica = shard.view().node(Long.numberOfTrailingZeros(left));
      Lane lane = shard.pools(replica).reads().tryTake();
      if (lane != null) {
        try {
          Connection connection = lane.open(dueAt);
          if (hasAllThatWasRead(replica, connection)) {
            return committed(connection, running);
          }
        } catch (SQLException failure) {
          ReadAttempts.blame(shard, replica, failure);
        } finally {
          lane.close();
        }
      }
    }
    return null;
  }

  private boolean isKnownToAnyReplica() {
    ShardView view = shard.view();
    session.settle(view);
    for (long left = view.replicas(); left != 0; left &= left - 1) {
      if (session.allows(view, view.node(Long.numberOfTrailingZeros(left)))) {
        return true;
      }
    }
    return false;
  }

  private boolean hasAllThatWasRead(NodeView replica, Connection connection) throws SQLException {
    ShardView view = shard.view();
    if (!session.allows(view, replica)) {
      shard.sawUp(replica.index(), Look.at(connection, nanoClock));
      view = shard.view();
      session.settle(view);
    }
    return ReadAttempts.isStillThere(shard, replica)
        && session.allows(view, view.node(replica.index()));
  }

  private static Set<Long> committed(Connection replica, Set<Long> running) throws SQLException {
    Set<Long> committed = new HashSet<>();
    Array ids = replica.createArrayOf("bigint", running.toArray());
    try (PreparedStatement statement = replica.prepareStatement(COMMITTED)) {
      statement.setArray(1, ids);
      try (ResultSet answer = statement.executeQuery()) {
        while (answer.next()) {
          committed.add(answer.getLong(1));
        }
      }
    }
    return committed;
  }
}
