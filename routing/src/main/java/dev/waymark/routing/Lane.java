package dev.waymark.routing;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;

/**
 * The right to use one connection of a pool, and the record of the call that has it: what the
 * watchdog must know to end a call in time. Made once for each connection of the pool and used over
 * and over, so a call makes none.
 */
final class Lane {
  /**
   * In the place of a due time: the call has all of {@code calls.deadline}, counted from when the
   * watchdog first sees it, one of its rounds later at most. Reading the clock would cost a call a
   * fifth of what its whole way to a connection costs.
   */
  static final long FROM_FIRST_SIGHT = Long.MIN_VALUE;

  private static final VarHandle CONNECTION;

  static {
    try {
      CONNECTION = MethodHandles.lookup().findVarHandle(Lane.class, "connection", Connection.class);
    } catch (ReflectiveOperationException impossible) {
      throw new ExceptionInInitializerError(impossible);
    }
  }

  private final NodePool pool;
  final int number;

  /**
   * The call's own view of its connection: the pool makes a new one for each use, and one that was
   * given back does nothing. So whoever cuts off a call that has just ended cuts off nobody else.
   */
  private @Nullable Connection connection;

  /**
   * When the call must be over, or {@link #FROM_FIRST_SIGHT}; meaningful while there is a
   * connection.
   */
  private long dueAtNanos;

  /**
   * The watchdog's own: the call that it has seen begin, so that this one's time counts from there.
   */
  private volatile @Nullable Connection sighted;

  /** When the watchdog first saw that call. Read by the call itself once something goes wrong. */
  private volatile long sightedAtNanos;

  /** The watchdog's own: the call it has cancelled already. */
  private @Nullable Connection cancelled;

  Lane(NodePool pool, int number) {
    this.pool = pool;
    this.number = number;
  }

  /** Takes a connection for a call that must be over at an instant. */
  Connection open(long dueAt) throws SQLException {
    Connection opened = pool.connect(dueAt);
    dueAtNanos = dueAt;
    CONNECTION.setRelease(this, opened);
    return opened;
  }

  /** The call may take as long as it likes from here on. */
  void noDeadline() {
    dueAtNanos += Long.MAX_VALUE / 2;
  }

  /** The connection in use, or null. */
  @Nullable Connection connection() {
    return (Connection) CONNECTION.getAcquire(this);
  }

  /** Returns the connection, if one was opened, and the lane. */
  void close() {
    Connection opened = connection;
    try {
      if (opened != null) {
        CONNECTION.setRelease(this, null);
        NodePools.giveBack(opened);
      }
    } finally {
      pool.release(this);
    }
  }

  /**
   * When the call in this lane began: when it was first seen, if it has been; else just now, as one
   * round of the watchdog is all that it can have taken. For the call's own thread.
   */
  long beganAt(long nowNanos) {
    // In this order: the watchdog sets the time first.
    Connection seen = sighted;
    return seen != null && seen == connection ? sightedAtNanos : nowNanos;
  }

  /**
   * Ends a call that is overdue: first by a cancel, and if that does not help, by cutting it off.
   *
   * @param budgetNanos what a call has that did not say when it must be over
   */
  void endIfOverdue(long nowNanos, long budgetNanos, long graceNanos, Executor background) {
    Connection open = connection();
    if (open == null) {
      return;
    }
    long dueAt = dueAtNanos;
    if (dueAt == FROM_FIRST_SIGHT) {
      if (sighted != open) {
        sightedAtNanos = nowNanos;
        sighted = open;
      }
      dueAt = sightedAtNanos + budgetNanos;
    }
    if (nowNanos - dueAt < 0) {
      return;
    }
    if (cancelled != open) {
      cancelled = open;
      background.execute(() -> cancel(open));
    } else if (nowNanos - dueAt >= graceNanos) {
      cutOff(open);
    }
  }

  /** Asks the server to stop what it does on a connection. Blocks while that is asked. */
  static void cancel(Connection open) {
    try {
      open.unwrap(PGConnection.class).cancelQuery();
    } catch (SQLException | RuntimeException ended) {
      // The call has ended, or the server does not listen; the latter is then cut off.
    }
  }

  /** Closes the call's socket under it, whatever it waits for. */
  void cutOff() {
    Connection open = connection();
    if (open != null) {
      cutOff(open);
    }
  }

  static void cutOff(Connection open) {
    try {
      open.abort(Runnable::run);
    } catch (SQLException | RuntimeException ended) {
      // It is closed: that is all that was wanted.
    }
  }
}
