package dev.waymark.routing;

import dev.waymark.Node;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.NodeConnections.Use;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.TransactionState;

/**
 * The connection pools of one node: one for reads, whose sessions refuse to write, and one for
 * writes, opened when the node first takes one. Two pools, so that neither kind of work can starve
 * the other, and a read that strays to the primary is as read-only there as on a replica. Safe to
 * share.
 */
final class NodePools implements AutoCloseable {
  private final Node node;
  private final WaymarkConfig config;
  private final LongSupplier nanoClock;
  private final NodeConnections.Observer observer;
  private final BooleanSupplier isUp;
  private final ReentrantLock opening = new ReentrantLock();
  private volatile @Nullable NodePool reads;
  private volatile @Nullable NodePool writes;
  private boolean closed;

  NodePools(
      Node node,
      WaymarkConfig config,
      LongSupplier nanoClock,
      NodeConnections.Observer observer,
      BooleanSupplier isUp) {
    this.node = node;
    this.config = config;
    this.nanoClock = nanoClock;
    this.observer = observer;
    this.isUp = isUp;
  }

  NodePool reads() {
    NodePool pool = reads;
    return pool != null ? pool : open(Use.READS);
  }

  NodePool writes() {
    NodePool pool = writes;
    return pool != null ? pool : open(Use.WRITES);
  }

  private NodePool open(Use use) {
    opening.lock();
    try {
      NodePool pool = use == Use.READS ? reads : writes;
      if (pool == null) {
        if (closed) {
          throw new IllegalStateException("The database is closed");
        }
        String name = use == Use.READS ? "reads" : "writes";
        NodeConnections connections = new NodeConnections(node, use, config, nanoClock, observer);
        pool = new NodePool(name, connections, node, config, nanoClock, isUp);
        if (use == Use.READS) {
          reads = pool;
        } else {
          writes = pool;
        }
      }
      return pool;
    } finally {
      opening.unlock();
    }
  }

  /** Reads in flight; asking opens no pool. */
  int readsInFlight() {
    NodePool pool = reads;
    return pool == null ? 0 : pool.inFlight();
  }

  /** Returns a connection to its pool. */
  static void giveBack(Connection connection) {
    try {
      connection.close();
    } catch (SQLException broken) {
      // The pool discards it; what the call itself met has been told already.
    }
  }

  /**
   * Rolls back a transaction that the work began by a statement of its own: the pool does so only
   * with auto-commit off, and whoever comes next would be inside it.
   *
   * @return whether the connection is open
   */
  static boolean endOwnTransaction(Connection connection) throws SQLException {
    if (connection.isClosed()) {
      return false;
    }
    if (connection.unwrap(BaseConnection.class).getTransactionState() != TransactionState.IDLE) {
      try (Statement statement = connection.createStatement()) {
        statement.execute("ROLLBACK");
      }
    }
    return true;
  }

  /** Lets go of every connection: those in use when they come back, the others at once. */
  void evict() {
    NodePool read = reads;
    if (read != null) {
      read.evict();
    }
    NodePool write = writes;
    if (write != null) {
      write.evict();
    }
  }

  /**
   * Cuts off every read in flight, so that it goes on elsewhere. Not writes: whether they were
   * committed would then be unknown, while the node may yet answer within their deadlines.
   */
  void cutOffReads() {
    NodePool pool = reads;
    if (pool != null) {
      pool.cutOffAll();
    }
  }

  void endOverdue(long nowNanos, long budgetNanos, long graceNanos, Executor background) {
    NodePool read = reads;
    if (read != null) {
      read.endOverdue(nowNanos, budgetNanos, graceNanos, background);
    }
    NodePool write = writes;
    if (write != null) {
      write.endOverdue(nowNanos, budgetNanos, graceNanos, background);
    }
  }

  /** How busy the pools are; opens none. */
  NodeStatus.Pools status() {
    return new NodeStatus.Pools(status(reads), status(writes));
  }

  private NodeStatus.Pool status(@Nullable NodePool pool) {
    return pool == null
        ? new NodeStatus.Pool(0, 0, 0, config.pool().size())
        : new NodeStatus.Pool(pool.inFlight(), pool.idle(), pool.waiting(), pool.size());
  }

  /** How busy the pools are, for the end of an error. */
  String describe() {
    return "for reads " + describe(reads) + ", for writes " + describe(writes);
  }

  private static String describe(@Nullable NodePool pool) {
    return pool == null ? "(none yet)" : pool.describe();
  }

  @Override
  public void close() {
    opening.lock();
    try {
      closed = true;
      for (NodePool pool : new NodePool[] {reads, writes}) {
        if (pool != null) {
          pool.close();
        }
      }
    } finally {
      opening.unlock();
    }
  }
}
