package dev.waymark.routing;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import com.zaxxer.hikari.HikariPoolMXBean;
import com.zaxxer.hikari.SQLExceptionOverride;
import dev.waymark.Node;
import dev.waymark.WaymarkConfig;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One pool of connections to one node, and a lane for each: calls beyond the pool's size wait here,
 * for as long as their deadline allows, and not in HikariCP, whose patience is the same for all.
 * Safe to share.
 */
final class NodePool implements AutoCloseable {
  /** The shortest that HikariCP takes; between two of them it is asked whether to go on. */
  private static final Duration SLICE = Duration.ofMillis(250);

  private static final int INDEX_BITS = 20;
  private static final long INDEX = (1L << INDEX_BITS) - 1;

  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  private final HikariDataSource hikari;
  private final NodeConnections connections;
  private final LongSupplier nanoClock;
  private final BooleanSupplier isWanted;
  private final long acquireNanos;
  private final Lane[] lanes;

  /** The free lane below each free one, as its number plus one; 0 is the bottom. */
  private final int[] below;

  /**
   * A stack of free lanes: the top one's number plus one, above it how many there are, above that a
   * count of changes, which tells a stack that has been away and come back from one that has not.
   */
  private final AtomicLong free;

  private final ReentrantLock queue = new ReentrantLock(true);
  private final Condition released = queue.newCondition();

  /** Raised before the last try to take a lane, read after each release: no wake-up is lost. */
  private final AtomicInteger waiting = new AtomicInteger();

  /** Set before the last waiters are woken: nobody waits for a lane of a closed pool. */
  private volatile boolean closed;

  /** Whether it was told that a lane could not be looked after: once is enough. */
  private boolean isTroubleTold;

  /**
   * Opens a pool; connections follow when they are needed.
   *
   * @param isWanted whether it is still worth waiting for a connection to the node
   */
  NodePool(
      String name,
      NodeConnections connections,
      Node node,
      WaymarkConfig config,
      LongSupplier nanoClock,
      BooleanSupplier isWanted) {
    this.connections = connections;
    this.nanoClock = nanoClock;
    this.isWanted = isWanted;
    this.acquireNanos = config.pool().acquireTimeout().toNanos();
    int size = config.pool().size();
    lanes = new Lane[size];
    below = new int[size];
    for (int i = 0; i < size; i++) {
      lanes[i] = new Lane(this, i);
      below[i] = i;
    }
    free = new AtomicLong((long) size << INDEX_BITS | size);
    HikariConfig settings = new HikariConfig();
    settings.setPoolName("waymark-" + node.name() + "-" + name);
    settings.setDataSource(connections);
    settings.setMaximumPoolSize(size);
    settings.setMinimumIdle(1);
    settings.setConnectionTimeout(SLICE.toMillis());
    settings.setValidationTimeout(SLICE.toMillis());
    // HikariCP would throw a connection away for that. It comes from a statement that the driver or
    // the server does not know, or whose result type has changed, and breaks nothing.
    settings.setExceptionOverride(new KeepsAfterUnsupported());
    // A node may be down when its pool opens; it is then simply not chosen.
    settings.setInitializationFailTimeout(-1);
    hikari = new HikariDataSource(settings);
  }

  /** What is not supported says nothing about its connection. */
  private static final class KeepsAfterUnsupported implements SQLExceptionOverride {
    @java.lang.Override
    public Override adjudicate(SQLException failure) {
      return "0A000".equals(failure.getSQLState())
          ? Override.DO_NOT_EVICT
          : Override.CONTINUE_EVICT;
    }
  }

  /** A free lane, or null if all are taken. */
  @Nullable Lane tryTake() {
    while (true) {
      long stack = free.get();
      int top = (int) (stack & INDEX);
      if (top == 0) {
        return null;
      }
      long change = (stack >>> 2 * INDEX_BITS) + 1;
      long rest = change << 2 * INDEX_BITS | (count(stack) - 1L) << INDEX_BITS | below[top - 1];
      if (free.compareAndSet(stack, rest)) {
        return lanes[top - 1];
      }
    }
  }

  /**
   * A lane, waited for at most until an instant, and no longer than {@code pool.acquireTimeout}.
   *
   * @throws SQLTransientConnectionException if none came free
   */
  Lane take(long dueAtNanos) throws SQLException {
    Lane lane = tryTake();
    if (lane != null) {
      return lane;
    }
    long began = nanoClock.getAsLong();
    long left = Math.min(acquireNanos, dueAtNanos - began);
    waiting.incrementAndGet();
    queue.lock();
    try {
      while ((lane = tryTake()) == null) {
        if (closed) {
          throw new SQLTransientConnectionException("the database is closed", "08003");
        }
        if (left <= 0) {
          throw new SQLTransientConnectionException(
              "every connection is in use, " + describe(), "08001");
        }
        left = released.awaitNanos(left);
      }
      return lane;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new SQLTransientConnectionException("interrupted", "08001", interrupted);
    } finally {
      queue.unlock();
      waiting.decrementAndGet();
    }
  }

  void release(Lane lane) {
    while (true) {
      long stack = free.get();
      below[lane.number] = (int) (stack & INDEX);
      long change = (stack >>> 2 * INDEX_BITS) + 1;
      long more = change << 2 * INDEX_BITS | (count(stack) + 1L) << INDEX_BITS | lane.number + 1;
      if (free.compareAndSet(stack, more)) {
        break;
      }
    }
    if (waiting.get() > 0) {
      queue.lock();
      try {
        released.signal();
      } finally {
        queue.unlock();
      }
    }
  }

  private static int count(long stack) {
    return (int) (stack >>> INDEX_BITS & INDEX);
  }

  /** How many calls use the pool. */
  int inFlight() {
    return lanes.length - count(free.get());
  }

  /**
   * A connection for a lane. None has to be waited for in use, so only opening one takes time: at
   * most until {@code dueAtNanos}, and a quarter of a second more.
   */
  Connection connect(long dueAtNanos) throws SQLException {
    try {
      return hikari.getConnection();
    } catch (SQLTransientConnectionException firstSlice) {
      if (dueAtNanos == Lane.FROM_FIRST_SIGHT) {
        // Whoever did not look at the clock does so now, and comes again if it is worth it.
        throw firstSlice;
      }
      return connectPatiently(dueAtNanos, firstSlice);
    }
  }

  private Connection connectPatiently(long dueAtNanos, SQLException failure) throws SQLException {
    long giveUpAt = Math.min(dueAtNanos, nanoClock.getAsLong() + acquireNanos);
    SQLException last = failure;
    while (isWanted.getAsBoolean() && nanoClock.getAsLong() - giveUpAt < 0) {
      try {
        return hikari.getConnection();
      } catch (SQLTransientConnectionException anotherSlice) {
        last = anotherSlice;
      }
    }
    throw last;
  }

  void endOverdue(long nowNanos, long budgetNanos, long graceNanos, Executor background) {
    if (inFlight() > 0) {
      for (Lane lane : lanes) {
        try {
          lane.endIfOverdue(nowNanos, nanoClock, budgetNanos, graceNanos, background);
        } catch (Throwable trouble) {
          // No memory for a thread that cancels, for instance. The watchdog must outlive that: the
          // next round cuts the call off, and every other call still has a deadline.
          if (!isTroubleTold) {
            isTroubleTold = true;
            log.warn("A call that is overdue could not be cancelled {}", describe(), trouble);
          }
        }
      }
    }
  }

  /** Lets a connection's answers take longer than the pool's usually may. */
  void makePatient(Connection connection, long longerByNanos) throws SQLException {
    connections.makePatient(connection, longerByNanos);
  }

  /** The opposite of {@link #makePatient}. */
  void makeUsual(Connection connection) throws SQLException {
    connections.makeUsual(connection);
  }

  /** Closes a connection for good instead of returning it. */
  void discard(Connection connection) {
    // The socket first: a server that hangs would otherwise be waited for.
    Lane.cutOff(connection);
    // Not closed besides: HikariCP takes what it evicts apart, and stumbles over that in close().
    hikari.evictConnection(connection);
  }

  /** Cuts off every call in flight: the node hangs or is gone. */
  void cutOffAll() {
    for (Lane lane : lanes) {
      lane.cutOff();
    }
  }

  /** Lets go of every connection: those in use when they come back, the others at once. */
  void evict() {
    HikariPoolMXBean state = hikari.getHikariPoolMXBean();
    if (state != null) {
      state.softEvictConnections();
    }
  }

  int size() {
    return lanes.length;
  }

  int waiting() {
    return waiting.get();
  }

  int idle() {
    HikariPoolMXBean state = hikari.getHikariPoolMXBean();
    return state == null ? 0 : state.getIdleConnections();
  }

  /** How busy the pool is, for the end of an error. */
  String describe() {
    return "(active=" + inFlight() + ", idle=" + idle() + ", waiting=" + waiting() + ")";
  }

  @Override
  public void close() {
    closed = true;
    hikari.close();
    queue.lock();
    try {
      released.signalAll();
    } finally {
      queue.unlock();
    }
  }
}
