package dev.waymark.routing;

import dev.waymark.Outcome;
import dev.waymark.WaymarkException;
import dev.waymark.routing.ScatterOptions.MissingShards;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.QueryExecutor;

/**
 * The rows of all shards in one order, read as they are wanted: each shard's come through a
 * server-side cursor into a small buffer, so that memory holds twice the fetch size for each shard,
 * however many rows there are. Close it: until then it holds a connection to each shard.
 *
 * <p>There is no common snapshot: each shard answers as of its own moment. A shard that fails
 * before its first row is asked once more elsewhere; later it is missing. A stream that has failed
 * gives no further row. Its deadline ends it whether it is read or not. Belongs to one thread.
 *
 * @param <T> a row
 */
public final class RowStream<T> implements Iterator<T>, AutoCloseable {
  private static final Object END = new Object();
  private static final long LOOK_UP_MILLIS = 50;

  private final List<Source> sources = new ArrayList<>();
  private final Iterator<T> merged;
  private final Map<String, WaymarkException> missing = new LinkedHashMap<>();
  private final Deadline deadline;
  private final MissingShards policy;
  private final int shards;
  private final Executor executor;

  /** The sources that are still at work. */
  private final CountDownLatch running;

  private volatile boolean closed;

  /**
   * What ended the stream. Whoever goes on after it gets it again: the rows that would come are not
   * all that were asked for.
   */
  private @Nullable RuntimeException failed;

  /** Runs a read on one shard, on the calling thread. */
  interface Reader {
    void read(LiveShard shard, Work<Long, SQLException> work) throws SQLException;
  }

  RowStream(
      List<LiveShard> shards,
      ShardQuery<T> query,
      Comparator<? super T> order,
      ScatterOptions options,
      Deadline deadline,
      Executor executor,
      Reader reader) {
    this.deadline = deadline;
    this.policy = options.missing();
    this.shards = shards.size();
    this.executor = executor;
    this.running = new CountDownLatch(shards.size());
    for (LiveShard shard : shards) {
      sources.add(new Source(shard, query));
    }
    this.merged = new Merge<>(order, sources);
    for (Source source : sources) {
      executor.execute(() -> source.run(reader));
    }
  }

  /** The rows of one shard. */
  private final class Source implements Iterator<T> {
    private final LiveShard shard;
    private final ShardQuery<T> query;

    /** Rows, then {@link #END} or a failure. */
    private final BlockingQueue<Object> rows;

    /**
     * Guards who works here and with what. Both are taken away under it before they go on to
     * others, so whoever holds it ends nobody else's work.
     */
    private final ReentrantLock working = new ReentrantLock();

    private @Nullable Thread worker;
    private @Nullable Connection connection;
    private @Nullable Object next;
    private long sent;

    Source(LiveShard shard, ShardQuery<T> query) {
      this.shard = shard;
      this.query = query;
      this.rows = new ArrayBlockingQueue<>(query.fetchSize());
    }

    void run(Reader reader) {
      works(Thread.currentThread(), null);
      try {
        readAll(reader);
      } finally {
        works(null, null);
        running.countDown();
      }
    }

    private void works(@Nullable Thread thread, @Nullable Connection with) {
      working.lock();
      try {
        worker = thread;
        connection = with;
      } finally {
        working.unlock();
      }
    }

    /** Ends whatever is still done for this shard. */
    void cutOff() {
      QueryExecutor server = null;
      working.lock();
      try {
        if (connection != null) {
          server = Lane.server(connection);
          Lane.cutOff(connection);
        }
        if (worker != null) {
          // It may wait for a node or for a lane.
          worker.interrupt();
        }
      } finally {
        working.unlock();
      }
      if (server != null) {
        QueryExecutor busy = server;
        try {
          // The socket is closed, which a server that computes does not notice.
          executor.execute(() -> Lane.cancel(busy));
        } catch (RejectedExecutionException closing) {
          // The server gives up by itself a little after the deadline.
        }
      }
    }

    private void readAll(Reader reader) {
      Object last = END;
      try {
        reader.read(shard, this::send);
      } catch (StoppedException wanted) {
        return;
      } catch (SQLException | RuntimeException | Error failure) {
        last = failure;
      }
      try {
        put(last);
      } catch (StoppedException wanted) {
        // Nobody asks how it ended.
      }
    }

    /** Every failure after a row was sent is told as ours: the work must not run a second time. */
    private Long send(Connection connection) throws SQLException {
      works(Thread.currentThread(), connection);
      try {
        if (closed) {
          // Whoever closed the stream may have found nobody at work yet.
          throw new StoppedException();
        }
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement(query.sql())) {
          statement.setFetchSize(query.fetchSize());
          query.parameters().set(statement);
          try (ResultSet answer = statement.executeQuery()) {
            while (answer.next()) {
              put(Objects.requireNonNull(query.row().of(answer), "a row must not be null"));
              sent++;
            }
          }
        } finally {
          connection.rollback();
          connection.setAutoCommit(true);
        }
        return sent;
      } catch (SQLException failure) {
        if (closed) {
          throw new StoppedException();
        }
        if (sent > 0) {
          throw new WaymarkException(
              "Shard "
                  + shard.name()
                  + " failed while its rows were read: "
                  + failure.getMessage()
                  + ". "
                  + Outcome.REJECTED.sentence()
                  + "; read again from the last row.",
              Outcome.REJECTED,
              failure);
        }
        throw failure;
      } finally {
        works(Thread.currentThread(), null);
      }
    }

    private void put(Object row) {
      try {
        while (!rows.offer(row, LOOK_UP_MILLIS, TimeUnit.MILLISECONDS)) {
          // Nobody may ever come for the rows: whoever forgets a stream, holds a connection to each
          // shard no longer than this.
          if (closed || deadline.nanosLeft() <= 0) {
            throw new StoppedException();
          }
        }
        if (closed) {
          throw new StoppedException();
        }
      } catch (InterruptedException stop) {
        Thread.currentThread().interrupt();
        throw new StoppedException();
      }
    }

    @Override
    public boolean hasNext() {
      if (next == null) {
        next = take();
        if (next instanceof Throwable failure) {
          next = END;
          missed(shard, failure);
        }
      }
      return next != END;
    }

    private Object take() {
      try {
        while (true) {
          long left = deadline.nanosLeft();
          Object row = rows.poll(Math.max(0, left), TimeUnit.NANOSECONDS);
          if (row != null) {
            return row;
          }
          if (left <= 0) {
            return new WaymarkException(
                "Shard "
                    + shard.name()
                    + " had no further row within the "
                    + deadline.waited().toMillis()
                    + " ms of the stream. "
                    + Outcome.REJECTED.sentence()
                    + "; give it more time.",
                Outcome.REJECTED,
                null);
          }
        }
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        return new WaymarkException(
            "Reading the rows of "
                + shard.name()
                + " was interrupted. "
                + Outcome.REJECTED.sentence()
                + ".",
            Outcome.REJECTED,
            interrupted);
      }
    }

    @Override
    @SuppressWarnings("unchecked") // What is neither END nor a failure is a row.
    public T next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      T row = (T) Objects.requireNonNull(next);
      next = null;
      return row;
    }
  }

  private void missed(LiveShard shard, Throwable failure) {
    WaymarkException told =
        failure instanceof WaymarkException ours
            ? ours
            : new WaymarkException(
                "Shard "
                    + shard.name()
                    + " failed: "
                    + failure.getMessage()
                    + ". "
                    + Outcome.REJECTED.sentence()
                    + ".",
                Outcome.REJECTED,
                failure);
    missing.put(shard.name(), told);
    if (policy == MissingShards.FAIL || missing.size() == shards) {
      throw Scatter.failed(missing, shards, deadline);
    }
  }

  /**
   * Whether there is another row; waits for it.
   *
   * @throws dev.waymark.UnavailableException if a shard failed and the whole call is to fail then
   */
  @Override
  public boolean hasNext() {
    if (closed) {
      throw new IllegalStateException("The stream is closed");
    }
    return unlessFailed(merged::hasNext);
  }

  private <R> R unlessFailed(Supplier<R> step) {
    if (failed != null) {
      throw failed;
    }
    try {
      return step.get();
    } catch (RuntimeException failure) {
      failed = failure;
      throw failure;
    }
  }

  /**
   * The next row in the order of all shards.
   *
   * @throws IllegalArgumentException if a shard's rows are not in the order of the merge
   */
  @Override
  public T next() {
    if (!hasNext()) {
      throw new NoSuchElementException("All rows have been read");
    }
    return unlessFailed(merged::next);
  }

  /** The shards whose rows are not complete, as far as was read; see {@link Scatter#missing}. */
  public Map<String, WaymarkException> missing() {
    return Collections.unmodifiableMap(missing);
  }

  /**
   * Stops every shard's work, whatever it waits for, and waits until its connection is back. A
   * statement that still runs is cancelled and its connection closed.
   */
  @Override
  public void close() {
    closed = true;
    try {
      // A source that waits for the reader looks up by itself, and its connection stays good.
      if (!running.await(LOOK_UP_MILLIS * 2, TimeUnit.MILLISECONDS)) {
        sources.forEach(Source::cutOff);
        // Bounded, as making a row is the caller's own work and may heed nothing.
        running.await(LOOK_UP_MILLIS * 20, TimeUnit.MILLISECONDS);
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      sources.forEach(Source::cutOff);
    }
  }
}
