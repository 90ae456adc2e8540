package dev.waymark.routing;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.QueryExecutor;

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

  /** In the place of a due time: what is done here takes as long as it takes. */
  static final long NEVER = Long.MAX_VALUE;

  private static final VarHandle USE;
  private static final VarHandle DUE_AT;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      USE = lookup.findVarHandle(Lane.class, "use", Object.class);
      DUE_AT = lookup.findVarHandle(Lane.class, "dueAtNanos", long.class);
    } catch (ReflectiveOperationException impossible) {
      throw new ExceptionInInitializerError(impossible);
    }
  }

  private final NodePool pool;
  final int number;

  /**
   * What the lane's call has: nothing, its own view of its connection (the pool makes a new one for
   * each use, so none comes twice), or an {@link Ending} of it. Whoever wants to end the call makes
   * it an ending in one step, and the call takes it away in one step before it gives the connection
   * back: so either the call is over, or its connection never goes to another one.
   */
  private volatile @Nullable Object use;

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

  /** Whether the connection has more patience than the pool's others. The call's own. */
  private boolean isPatient;

  Lane(NodePool pool, int number) {
    this.pool = pool;
    this.number = number;
  }

  /** A call that somebody else wants over. Its connection is closed and not given back. */
  private record Ending(Connection connection) {}

  /** Takes a connection for a call that must be over at an instant. */
  Connection open(long dueAt) throws SQLException {
    return open(dueAt, 0);
  }

  /**
   * Takes a connection for a call that must be over at an instant. Close the lane even if this
   * throws.
   *
   * @param longerByNanos by how much the call may take longer than {@code calls.deadline}; what it
   *     asks of the server may then take longer, too. Zero or less if it may not
   */
  Connection open(long dueAt, long longerByNanos) throws SQLException {
    Connection opened = pool.connect(dueAt);
    DUE_AT.setOpaque(this, dueAt);
    USE.setRelease(this, opened);
    if (longerByNanos > 0) {
      isPatient = true;
      pool.makePatient(opened, longerByNanos);
    }
    return opened;
  }

  /** The call must be over at another instant from here on. */
  void dueAt(long instant) {
    DUE_AT.setOpaque(this, instant);
  }

  /** The call may take as long as it likes from here on, and so may each answer of the server. */
  void noDeadline() {
    Connection open = Objects.requireNonNull(connection());
    noDueTime();
    try {
      // No round trip; the pool sets it back.
      open.setNetworkTimeout(Runnable::run, 0);
    } catch (SQLException lost) {
      // Whatever is done next on the connection says so.
    }
  }

  /** The call may take as long as it likes from here on, but no single answer of the server. */
  void noDueTime() {
    DUE_AT.setOpaque(this, NEVER);
  }

  /** The connection in use, or null. */
  @Nullable Connection connection() {
    Object now = USE.getAcquire(this);
    return now instanceof Ending ending ? ending.connection() : (Connection) now;
  }

  /** Returns the connection, if one was opened, and the lane. */
  void close() {
    Object mine = use;
    try {
      if (mine instanceof Connection open) {
        // Still in sight of the watchdog: a server that hangs does not answer this either.
        if (isFitForOthers(open) && USE.compareAndSet(this, open, null)) {
          NodePools.giveBack(open);
        } else {
          discard(open);
        }
      } else if (mine instanceof Ending ending) {
        discard(ending.connection());
      }
    } finally {
      isPatient = false;
      pool.release(this);
    }
  }

  /** Whether whoever comes next finds the connection as the pool made it. */
  private boolean isFitForOthers(Connection open) {
    try {
      if (!NodePools.endOwnTransaction(open)) {
        return false;
      }
      if (isPatient) {
        pool.makeUsual(open);
      }
      return true;
    } catch (SQLException broken) {
      // What the call itself met has been told already.
      return false;
    }
  }

  /**
   * Closes the connection for good. A cancel that is still under way then reaches nobody: the
   * server knows a session by a number and a secret, and this session is over.
   */
  private void discard(Connection open) {
    use = null;
    pool.discard(open);
  }

  /**
   * When the call in this lane began: when it was first seen, if it has been; else just now, as one
   * round of the watchdog is all that it can have taken. For the call's own thread.
   */
  long beganAt(long nowNanos) {
    // In this order: the watchdog sets the time first.
    Connection seen = sighted;
    return seen != null && seen == connection() ? sightedAtNanos : nowNanos;
  }

  /**
   * Ends a call that is overdue: first by a cancel, and if that does not help, by cutting it off.
   * For the watchdog's thread.
   *
   * @param nanoClock asked for the moment at which a call is first seen: the beginning of the round
   *     may be long ago, if the machine stood still since
   * @param budgetNanos what a call has that did not say when it must be over
   */
  void endIfOverdue(
      long nowNanos,
      LongSupplier nanoClock,
      long budgetNanos,
      long graceNanos,
      Executor background) {
    Object now = USE.getAcquire(this);
    if (now == null) {
      return;
    }
    Connection open = now instanceof Ending ending ? ending.connection() : (Connection) now;
    long dueAt = (long) DUE_AT.getOpaque(this);
    if (dueAt == NEVER) {
      return;
    }
    if (dueAt == FROM_FIRST_SIGHT) {
      if (sighted != open) {
        sightedAtNanos = nanoClock.getAsLong();
        sighted = open;
      }
      dueAt = sightedAtNanos + budgetNanos;
    }
    if (nowNanos - dueAt < 0) {
      return;
    }
    if (now == open) {
      if (USE.compareAndSet(this, open, new Ending(open))) {
        background.execute(() -> cancel(open));
      }
    } else if (nowNanos - dueAt >= graceNanos) {
      cutOff(open);
    }
  }

  /**
   * Asks the server to stop what a call does, if the call still has that connection. Blocks while
   * that is asked.
   */
  void cancelIfStill(Connection open) {
    if (end(open)) {
      cancel(open);
    }
  }

  /**
   * Closes a call's socket under it, whatever it waits for, if it still has that connection; then
   * asks the server to stop as well, and blocks while that is asked.
   */
  void cutOffAndCancelIfStill(Connection open) {
    if (end(open)) {
      cutOffAndCancel(open);
    }
  }

  /** Closes a call's socket under it, from any thread, if it still has that connection. */
  void cutOffIfStill(Connection open) {
    if (end(open)) {
      cutOff(open);
    }
  }

  /** Closes the socket of whatever call has the lane; for the thread whose lane it is. */
  void cutOff() {
    Connection open = connection();
    if (open != null && end(open)) {
      cutOff(open);
    }
  }

  /** Whether a call still has a connection; then it will not give it back. */
  private boolean end(Connection open) {
    return USE.compareAndSet(this, open, new Ending(open))
        || (USE.getAcquire(this) instanceof Ending ending && ending.connection() == open);
  }

  private static void cancel(Connection open) {
    cancel(server(open));
  }

  /**
   * Who can cancel what a connection does, even once that is closed, which the connection itself
   * refuses; null if the call has ended.
   */
  static @Nullable QueryExecutor server(Connection open) {
    try {
      return open.unwrap(BaseConnection.class).getQueryExecutor();
    } catch (SQLException ended) {
      return null;
    }
  }

  /** Asks the server to stop whatever the session does. Blocks while that is asked. */
  static void cancel(@Nullable QueryExecutor server) {
    try {
      if (server != null) {
        server.sendQueryCancel();
      }
    } catch (SQLException | RuntimeException unheard) {
      // The server does not listen: the call is then cut off.
    }
  }

  /** Closes the socket under whoever waits for it, and then has the server stop as well. */
  static void cutOffAndCancel(Connection open) {
    QueryExecutor server = server(open);
    cutOff(open);
    if (server != null && server.isClosed()) {
      // Otherwise the call has just ended, and the session may be another's.
      cancel(server);
    }
  }

  /** Closes the socket under whoever waits for it. */
  static void cutOff(Connection open) {
    try {
      open.abort(Runnable::run);
    } catch (SQLException | RuntimeException ended) {
      // It is closed: that is all that was wanted.
    }
  }
}
