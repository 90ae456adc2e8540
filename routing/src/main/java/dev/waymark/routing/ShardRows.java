package dev.waymark.routing;

import dev.waymark.WaymarkException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.QueryExecutor;

/**
 * What one shard answers to a question of {@link FanOut}, and the connection that it stays on until
 * it is closed. One thread asks, another one reads, any may cancel.
 */
final class ShardRows implements HeldWork<FanOut.Open, SQLException>, FanOut.Running {
  /** Whose the connection is that an answer comes on. */
  enum Owner {
    /** Nobody else's: it is given back with the rows, and closed at once if nobody wants them. */
    THE_ROWS,
    /** It stays the transaction's, which a cancelled statement leaves failed and not lost. */
    A_TRANSACTION
  }

  private final LiveShard shard;
  private final FanOut.Asked question;
  private final LongPredicate isOwn;
  private final Owner owner;
  private final CountDownLatch answered = new CountDownLatch(1);

  /** Guarded by this object's lock, as are those below. */
  private @Nullable Connection running;

  private @Nullable Lane lane;
  private @Nullable SQLException failure;
  private boolean isOver;

  /** Set before {@link #answered} falls. */
  private FanOut.@Nullable Open open;

  /**
   * An answer that is yet to be asked for.
   *
   * @param isOwn whether a key may be the shard's
   */
  ShardRows(LiveShard shard, FanOut.Asked question, LongPredicate isOwn, Owner owner) {
    this.shard = shard;
    this.question = question;
    this.isOwn = isOwn;
    this.owner = owner;
  }

  /** A way to the shard. */
  interface Reader {
    FanOut.Open read(HeldWork<FanOut.Open, SQLException> work) throws SQLException;
  }

  /** Asks the shard; if it fails, the others need not go on. Never throws. */
  void ask(Reader reader, List<ShardRows> all) {
    try {
      open = reader.read(this);
    } catch (SQLException told) {
      failed(told, all);
    } catch (WaymarkException told) {
      failed(FanOut.asSql(told), all);
    } catch (StoppedException unwanted) {
      failed(FanOut.Canceller.cancelled(), all);
    } catch (RuntimeException | Error broken) {
      failed(new SQLException(String.valueOf(broken.getMessage()), "XX000", broken), all);
    } finally {
      answered.countDown();
    }
  }

  /** The shard is not asked at all. */
  void notAsked(SQLException why) {
    synchronized (this) {
      failure = why;
      isOver = true;
    }
    answered.countDown();
  }

  private void failed(SQLException why, List<ShardRows> all) {
    synchronized (this) {
      failure = why;
    }
    if (owner == Owner.THE_ROWS) {
      // Stopping others takes long where a server hangs, and is no reason to be late with the
      // cause. What a transaction keeps is given back when nothing more can hit it.
      answered.countDown();
    }
    for (ShardRows other : all) {
      if (other != this) {
        other.stop();
      }
    }
  }

  @Override
  public FanOut.Open run(Connection connection) throws SQLException {
    runs(connection);
    boolean isAnswered = false;
    try {
      FanOut.Open answer = question.on(connection, isOwn);
      isAnswered = true;
      return answer;
    } catch (SQLException failed) {
      synchronized (this) {
        if (isOver) {
          throw new StoppedException();
        }
      }
      throw failed;
    } finally {
      // A transaction keeps the connection on which its reader has the server send more; any other
      // one is in use again once it is held.
      runs(isAnswered && owner == Owner.A_TRANSACTION && isStreamed() ? connection : null);
    }
  }

  private synchronized void runs(@Nullable Connection connection) {
    if (connection != null && isOver) {
      throw new StoppedException();
    }
    running = connection;
  }

  @Override
  public void held(Lane held) {
    // The deadline is that of the first rows; what is read after that is its reader's affair. Each
    // further answer of the server is still limited by the connection's own time-outs.
    held.noDueTime();
    synchronized (this) {
      if (!isOver) {
        lane = held;
        // Its reader has the server send more now and then.
        running = isStreamed() ? held.connection() : null;
        return;
      }
    }
    held.close();
  }

  /**
   * Waits for the answer.
   *
   * @return why there is none, or null
   */
  @Nullable SQLException await(Deadline deadline) {
    try {
      if (answered.await(Math.max(0, deadline.nanosLeft()), TimeUnit.NANOSECONDS)) {
        synchronized (this) {
          return failure;
        }
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      stop();
      return new SQLException("Waiting for shard " + shard.name() + " was interrupted", "57014");
    }
    synchronized (this) {
      if (failure != null) {
        return failure;
      }
    }
    stop();
    return new SQLTimeoutException(
        String.format(
            Locale.ROOT,
            "Shard %s had no answer within %d ms (%s). Nothing was written; the query may be repeated",
            shard.name(),
            deadline.waited().toMillis(),
            shard.describe()),
        "57014");
  }

  /** The rows, once they are there. */
  ResultSet rows() {
    FanOut.Open there = open;
    if (there == null) {
      throw new IllegalStateException("There is no answer");
    }
    return there.rows();
  }

  FanOut.Open open() {
    FanOut.Open there = open;
    if (there == null) {
      throw new IllegalStateException("There is no answer");
    }
    return there;
  }

  String shard() {
    return shard.name();
  }

  /** Whether the server sends the rows as they are wanted. */
  boolean isStreamed() {
    return question.isStreamed();
  }

  /** Rows that are here already stay readable. */
  @Override
  public void cancel() {
    boolean isAnswered = answered.getCount() == 0;
    if (!isAnswered || isStreamed()) {
      stop();
    }
  }

  /**
   * Nobody wants the answer: work that is being done is cancelled, and the connection closed if it
   * is the rows' own.
   */
  private void stop() {
    QueryExecutor server = null;
    synchronized (this) {
      isOver = true;
      if (running != null) {
        server = Lane.server(running);
        if (owner == Owner.THE_ROWS) {
          // At once: a cancel alone may arrive when the connection is somebody else's.
          Lane.cutOff(running);
        }
      }
    }
    Lane.cancel(server);
  }

  @Override
  public void cutOff() {
    QueryExecutor server = null;
    synchronized (this) {
      isOver = true;
      if (running != null) {
        server = Lane.server(running);
        Lane.cutOff(running);
      }
      if (lane != null) {
        // Under the lock, in which closing takes it away before it goes on to others.
        lane.cutOff();
      }
    }
    Lane.cancel(server);
  }

  /** Gives the connection back, now or when it comes, unless it is a transaction's. */
  void close() {
    Lane held;
    synchronized (this) {
      isOver = true;
      held = lane;
      lane = null;
      running = null;
    }
    try {
      FanOut.Open there = open;
      if (there != null) {
        there.statement().close();
      }
    } catch (SQLException lost) {
      // Whoever has the connection finds out what is left of it.
    } finally {
      if (held != null) {
        held.close();
      }
    }
  }
}
