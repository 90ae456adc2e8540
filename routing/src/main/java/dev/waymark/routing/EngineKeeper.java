package dev.waymark.routing;

import dev.waymark.ShardMap;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the running {@link CrossShardEngine}: the first query that needs one starts it, and tables
 * that have changed start another. Safe to share.
 */
final class EngineKeeper implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  /**
   * For so long a start that has failed is not tried again: it takes seconds, and leaves things.
   */
  private static final Duration PAUSE = Duration.ofSeconds(10);

  private final @Nullable CrossShardEngine engine;
  private final CrossShardEngine.Layout layout;
  private final LongSupplier nanoClock;

  /** Held while the engine starts, which others wait for. */
  private final ReentrantLock starting = new ReentrantLock();

  private volatile @Nullable Started started;

  /** Guarded by the lock, as is the one below. */
  private boolean isClosed;

  private @Nullable FailedStart failedStart;

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

    Started(
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
      } catch (RuntimeException | LinkageError failed) {
        // No reason to fail somebody's query, or to leave the pools open.
        log.warn("The engine for queries over several shards did not close", failed);
      }
    }
  }

  /**
   * None is running yet.
   *
   * @param engine null if there is none: then nothing is ever started
   */
  EngineKeeper(
      @Nullable CrossShardEngine engine,
      ShardMap map,
      List<LiveShard> shards,
      Reads reads,
      LongSupplier nanoClock) {
    this.engine = engine;
    this.layout = new Lent(map, shards, reads);
    this.nanoClock = nanoClock;
  }

  /** The shards' primaries, to look at what tables there are. */
  private record Lent(ShardMap map, List<LiveShard> shards, Reads reads)
      implements CrossShardEngine.Layout {
    @Override
    public DataSource catalogue(String shard) {
      return new ReadDataSource(
          reads,
          shards.stream().filter(each -> each.name().equals(shard)).findFirst().orElseThrow());
    }
  }

  /** Whether there is an engine, started or not. */
  boolean isThere() {
    return engine != null;
  }

  /**
   * One that serves a query. Whoever gets it leaves it.
   *
   * @throws SQLException if it does not start, or another query's start takes longer than the
   *     deadline. Nothing is held then
   */
  Started enter(Delegated query, long catalogueVersion, Deadline deadline) throws SQLException {
    while (true) {
      Started known = started(query, catalogueVersion, deadline);
      if (known.enter()) {
        return known;
      }
    }
  }

  /** One that serves the query: the first that needs another one starts it, others wait. */
  private Started started(Delegated query, long catalogueVersion, Deadline deadline)
      throws SQLException {
    Started known = started;
    if (known != null && known.serves(query, catalogueVersion)) {
      return known;
    }
    CrossShardEngine absent = engine;
    if (absent == null) {
      throw new IllegalStateException("There is no engine");
    }
    lock(deadline);
    try {
      if (isClosed) {
        throw new SQLException("The database is closed", "08003");
      }
      Started before = started;
      if (before != null && before.serves(query, catalogueVersion)) {
        return before;
      }
      Started next = start(absent, query, catalogueVersion);
      started = next;
      if (before != null) {
        before.retire();
      }
      return next;
    } finally {
      starting.unlock();
    }
  }

  /** Whoever starts an engine takes as long as it takes; who waits for it has a deadline. */
  private void lock(Deadline deadline) throws SQLException {
    try {
      if (starting.tryLock(Math.max(0, deadline.nanosLeft()), TimeUnit.NANOSECONDS)) {
        return;
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw EngineQueries.interrupted();
    }
    throw new SQLTimeoutException(
        "ShardingSphere, which another query is starting, was not there within "
            + deadline.budget().toMillis()
            + " ms. Nothing was sent",
        "57014");
  }

  private Started start(CrossShardEngine of, Delegated query, long catalogueVersion)
      throws SQLException {
    FailedStart last = failedStart;
    if (last != null && nanoClock.getAsLong() - last.at() < PAUSE.toNanos()) {
      throw new SQLTransientException(
          "ShardingSphere did not start, and is tried again "
              + PAUSE.toSeconds()
              + " s later: "
              + last.failure().getMessage(),
          last.failure().getSQLState(),
          last.failure());
    }
    CrossShardEngine.Merger merger;
    try {
      // It reads the tables now, later than the plan: what the plan knows of them it knows as well.
      merger = of.start(layout);
    } catch (SQLException told) {
      throw notStarted(told);
    } catch (RuntimeException | LinkageError broken) {
      throw notStarted(new SQLException("ShardingSphere did not start", "XX000", broken));
    }
    Started next = new Started(merger, query.columns(), catalogueVersion);
    if (Thread.currentThread().isInterrupted()) {
      // Then ShardingSphere has gone on without the tables that it was still waiting for.
      next.retire();
      throw EngineQueries.interrupted();
    }
    failedStart = null;
    return next;
  }

  private SQLException notStarted(SQLException failure) {
    if (Thread.currentThread().isInterrupted()) {
      SQLException interrupted = EngineQueries.interrupted();
      interrupted.initCause(failure);
      return interrupted;
    }
    failedStart = new FailedStart(failure, nanoClock.getAsLong());
    return failure;
  }

  @Override
  public void close() {
    starting.lock();
    try {
      isClosed = true;
      Started open = started;
      started = null;
      if (open != null) {
        open.retire();
      }
    } finally {
      starting.unlock();
    }
  }
}
