package dev.waymark.routing;

import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the running {@link CrossShardEngine}: the first query that needs one has it started, and
 * tables that have changed have another one started. Safe to share.
 *
 * <p>An engine starts on a thread of its own. Whoever waits for it can be cancelled or interrupted,
 * or run out of time, and it starts all the same; and it inherits no thread-locals of whoever was
 * first.
 */
final class EngineKeeper implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  /**
   * For so long a start that has failed is not tried again: it takes seconds, and leaves things.
   */
  private static final Duration PAUSE = Duration.ofSeconds(10);

  private final CrossShardEngine engine;
  private final CrossShardEngine.Layout layout;
  private final LongSupplier nanoClock;

  private volatile @Nullable Started started;

  /** Guarded by this object's lock, as are those below; null if none is under way. */
  private @Nullable CompletableFuture<Started> starting;

  private @Nullable FailedStart failedStart;
  private boolean isClosed;

  /** A start that has failed, and when by the clock. */
  private record FailedStart(SQLException failure, long at) {}

  /**
   * A started engine. It has read tables and columns once: it serves plans that know the same ones,
   * and plans that are older.
   */
  static final class Started {
    private final CrossShardEngine.Merger merger;
    private final Map<String, List<String>> columns;

    /** The latest one known to have the same columns; only so that they are compared once. */
    private volatile long catalogueVersion;

    /** Queries that use it. Guarded by this object's lock, as is the one below. */
    private int users;

    private boolean isRetired;

    private Started(
        CrossShardEngine.Merger merger, Map<String, List<String>> columns, long catalogueVersion) {
      this.merger = merger;
      this.columns = columns;
      this.catalogueVersion = catalogueVersion;
    }

    CrossShardEngine.Merger merger() {
      return merger;
    }

    private boolean serves(Delegated query, long version) {
      if (version <= catalogueVersion) {
        return true;
      } else if (!columns.equals(query.columns())) {
        return false;
      }
      catalogueVersion = version;
      return true;
    }

    /** Begins to use it; false if it is not to be used any more. */
    private synchronized boolean enter() {
      if (!isRetired) {
        users++;
      }
      return !isRetired;
    }

    /** Ends the use. */
    void leave() {
      boolean isLast;
      synchronized (this) {
        users--;
        isLast = isRetired && users == 0;
      }
      if (isLast) {
        close();
      }
    }

    /** Whoever uses it goes on; the last of them closes it. */
    private void retire() {
      boolean isUnused;
      synchronized (this) {
        isUnused = !isRetired && users == 0;
        isRetired = true;
      }
      if (isUnused) {
        close();
      }
    }

    private void close() {
      try {
        merger.close();
      } catch (Exception | LinkageError failed) {
        // Of any kind, declared or not. No reason to fail somebody's query, or to leave the pools
        // open.
        log.warn("The engine for queries over several shards did not close", failed);
      }
    }
  }

  /** Keeps none yet. */
  EngineKeeper(CrossShardEngine engine, CrossShardEngine.Layout layout, LongSupplier nanoClock) {
    this.engine = engine;
    this.layout = layout;
    this.nanoClock = nanoClock;
  }

  /**
   * One that serves a query. Whoever gets it leaves it.
   *
   * @param canceller ends the wait for a start
   * @param deadline of that wait
   * @throws SQLException if it does not start, or not in time. Nothing is held then
   */
  Started enter(
      Delegated query, long catalogueVersion, FanOut.Canceller canceller, Deadline deadline)
      throws SQLException {
    while (true) {
      Started known = started;
      if (known == null || !known.serves(query, catalogueVersion)) {
        CompletableFuture<Started> start = start(query, catalogueVersion);
        if (start != null) {
          await(start, canceller, deadline);
        }
      } else if (known.enter()) {
        return known;
      }
    }
  }

  /** One that is under way, if need be begun; null if one is there meanwhile. */
  private synchronized @Nullable CompletableFuture<Started> start(
      Delegated query, long catalogueVersion) throws SQLException {
    if (isClosed) {
      throw closed();
    }
    Started known = started;
    if (known != null && known.serves(query, catalogueVersion)) {
      return null;
    }
    CompletableFuture<Started> underWay = starting;
    if (underWay != null) {
      return underWay;
    }
    refuseIfJustFailed();
    CompletableFuture<Started> begun = new CompletableFuture<>();
    Thread thread =
        new Thread(
            null,
            () -> run(begun, query.columns(), catalogueVersion),
            "waymark-shardingsphere-start",
            0,
            false);
    thread.setDaemon(true);
    thread.start();
    // Not before: a thread that cannot be had must not be waited for.
    starting = begun;
    return begun;
  }

  private static SQLException closed() {
    return new SQLException("The database is closed", "08003");
  }

  private void refuseIfJustFailed() throws SQLException {
    FailedStart last = failedStart;
    if (last == null) {
      return;
    }
    long left = PAUSE.toNanos() - (nanoClock.getAsLong() - last.at());
    if (left > 0) {
      throw new SQLTransientException(
          "ShardingSphere did not start, and is tried again in "
              + Math.max(1, TimeUnit.NANOSECONDS.toSeconds(left))
              + " s: "
              + last.failure().getMessage()
              + ". Nothing was sent",
          last.failure().getSQLState(),
          last.failure());
    }
  }

  private void run(
      CompletableFuture<Started> start, Map<String, List<String>> columns, long catalogueVersion) {
    try {
      // It reads the tables now, later than the plan: what the plan knows of them it knows as well.
      Started next = new Started(engine.start(layout), columns, catalogueVersion);
      Started before;
      synchronized (this) {
        before = isClosed ? next : started;
        started = isClosed ? null : next;
        starting = null;
        failedStart = null;
      }
      if (before != null) {
        before.retire();
      }
      start.complete(next);
    } catch (SQLException told) {
      failed(start, told);
    } catch (Throwable broken) {
      failed(start, new SQLException("ShardingSphere did not start", "XX000", broken));
    }
  }

  private void failed(CompletableFuture<Started> start, SQLException failure) {
    synchronized (this) {
      starting = null;
      failedStart = new FailedStart(failure, nanoClock.getAsLong());
    }
    start.completeExceptionally(failure);
  }

  private static void await(
      CompletableFuture<Started> start, FanOut.Canceller canceller, Deadline deadline)
      throws SQLException {
    CompletableFuture<Started> own = start.copy();
    canceller.runs(List.of(new Waiting(own)));
    try {
      own.get(Math.max(0, deadline.nanosLeft()), TimeUnit.NANOSECONDS);
    } catch (TimeoutException late) {
      throw new SQLTimeoutException(
          "ShardingSphere, which is starting, was not there within "
              + deadline.budget().toMillis()
              + " ms. Nothing was sent; it goes on starting, so the query may be repeated",
          "57014",
          late);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw EngineQueries.interrupted();
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof SQLException told) {
        // Each who waits has an exception of its own.
        throw new SQLException(told.getMessage(), told.getSQLState(), told);
      }
      throw new SQLException("ShardingSphere did not start", "XX000", failed.getCause());
    }
  }

  /** Somebody who waits for a start, and may give up. */
  private record Waiting(CompletableFuture<Started> start) implements FanOut.Running {
    @Override
    public void cancel() {
      start.completeExceptionally(FanOut.Canceller.cancelled());
    }

    @Override
    public void cutOff() {
      cancel();
    }
  }

  /** Does not wait for a start that is under way: what has started is closed at once. */
  @Override
  public void close() {
    Started open;
    CompletableFuture<Started> underWay;
    synchronized (this) {
      isClosed = true;
      open = started;
      underWay = starting;
      started = null;
    }
    if (underWay != null) {
      underWay.completeExceptionally(closed());
    }
    if (open != null) {
      open.retire();
    }
  }
}
