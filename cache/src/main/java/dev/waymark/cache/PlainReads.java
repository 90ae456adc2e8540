package dev.waymark.cache;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.redisson.Redisson;
import org.redisson.client.RedisConnection;
import org.redisson.client.codec.ByteArrayCodec;
import org.redisson.client.protocol.CommandData;
import org.redisson.client.protocol.RedisCommands;
import org.redisson.connection.ConnectionManager;
import org.redisson.connection.MasterSlaveEntry;

/**
 * MGETs of one client of one server, each waited for by the thread that sends it. Safe to share.
 *
 * <p>They stand on the way of every hit, and do without two things that cost a hit about a
 * twentieth each. What Redisson's own objects put around a command are attempts, with futures and
 * timers of their own: here it is handed to a connection of Redisson's pool, which gets it back
 * with the answer. And a thread that waits with a time-out makes the kernel set a timer, which is
 * dear in a virtual machine: here it waits without one, and what is overdue is ended by a thread
 * that looks at all of them, now and then.
 *
 * <p>That thread is the only bound of a wait, and does nothing else: Redisson's timer would be late
 * by a tick of its wheel, and runs callbacks that may log, call listeners or wait for a lock that a
 * reader holds. It sleeps while nothing is read.
 */
final class PlainReads {
  /** In a time-out's length. A wait may end late by the pause between two. */
  private static final int LOOKS = 8;

  private static final long SHORTEST_PAUSE_NANOS = 1_000_000;

  private final ConnectionManager connections;
  private final long timeoutNanos;
  private final Time time;

  /** By the thread that waits, which waits for one at a time. */
  private final ConcurrentHashMap<Thread, Read> waited = new ConcurrentHashMap<>();

  /** What the thread that looks knows of those who send. */
  private enum Traffic {
    /** Something was sent since the last look began. */
    SENT,
    /** Nothing was, as yet. */
    NONE,
    /** Nothing was for a whole pause: who sends has to wake the thread. */
    ASLEEP
  }

  /**
   * Set by who sends after {@link #waited}, by who looks before that: so a read that is not seen by
   * a look is the reason for the next one. Written by a few reads only, since all share it.
   */
  private final AtomicReference<Traffic> traffic = new AtomicReference<>(Traffic.NONE);

  private final Thread looking = new Thread(this::lookUntilEnded, "waymark-cache-reads");

  private volatile boolean ended;

  /** One MGET: complete with its answer, or when it is overdue. */
  static final class Read extends CompletableFuture<List<Object>> {
    private final long sentAtNanos;

    /** Until the connection has gone back: an answer may come when it is overdue. */
    private final AtomicReference<@Nullable Loan> lent = new AtomicReference<>();

    private record Loan(MasterSlaveEntry server, RedisConnection connection) {}

    private Read(long sentAtNanos) {
      this.sentAtNanos = sentAtNanos;
    }

    private void lend(MasterSlaveEntry server, RedisConnection connection) {
      lent.set(new Loan(server, connection));
    }

    private void giveBack() {
      Loan loan = lent.getAndSet(null);
      if (loan != null) {
        loan.server.releaseWrite(loan.connection);
      }
    }

    /**
     * The connection goes back before who waits is woken, so that its next read finds it. Seldom,
     * but now and then that thread was quicker (3 to 6 times in 20,000 reads one after the other),
     * and had another connection made.
     */
    @Override
    public boolean complete(List<Object> answer) {
      try {
        giveBack();
      } catch (RuntimeException poolsOwn) {
        // Redisson's decoder would take it for a fault of the answer, which is here.
      }
      return super.complete(answer);
    }
  }

  /** Starts a thread, which {@link #end} ends. */
  PlainReads(Redisson client, Duration timeout, Time time) {
    this.connections = client.getCommandExecutor().getConnectionManager();
    this.timeoutNanos = timeout.toNanos();
    this.time = time;
    looking.setDaemon(true);
    looking.start();
  }

  /**
   * Sends one. Whatever comes of it, the calling thread says in the end that it is {@link #over}.
   */
  Read send(Object... keys) {
    Read read = new Read(time.nanos());
    if (ended) {
      read.completeExceptionally(notConnected());
      return read;
    }
    try {
      MasterSlaveEntry server = connections.getWriteEntry(0);
      CompletableFuture<RedisConnection> asked = server.connectionWriteOp(RedisCommands.MGET);
      var unused =
          read.whenComplete(
              (answer, end) -> {
                if (end != null) {
                  giveUp(read, asked, end);
                }
              });
      var unusedToo =
          asked.whenComplete(
              (connection, failure) -> {
                if (failure != null) {
                  read.completeExceptionally(failure);
                  return;
                }
                read.lend(server, connection);
                if (read.isDone()) {
                  read.giveBack();
                } else {
                  sendThrough(connection, read, keys);
                }
              });
    } catch (RuntimeException refused) {
      // A client that is being closed says so at once.
      read.completeExceptionally(refused);
    }
    beBound(read);
    return read;
  }

  /** Only now that it is under way: whoever sends it is at it meanwhile. */
  private void beBound(Read read) {
    waited.put(Thread.currentThread(), read);
    if (traffic.get() != Traffic.SENT && traffic.getAndSet(Traffic.SENT) == Traffic.ASLEEP) {
      LockSupport.unpark(looking);
    }
    if (ended) {
      // Perhaps it was not seen by who ended them all.
      read.completeExceptionally(notConnected());
    }
  }

  /**
   * Takes the request out of the pool's queue, or gives back what it was given. On a thread of
   * Redisson's, as after an answer: the connection may go to the next in the queue at once, whose
   * callbacks are not the business of the thread that looks.
   */
  private void giveUp(Read read, CompletableFuture<RedisConnection> asked, Throwable end) {
    connections
        .getServiceManager()
        .getGroup()
        .execute(
            () -> {
              asked.completeExceptionally(end);
              read.giveBack();
            });
  }

  private static void sendThrough(RedisConnection connection, Read read, Object[] keys) {
    try {
      var unused =
          connection
              .send(new CommandData<>(read, ByteArrayCodec.INSTANCE, RedisCommands.MGET, keys))
              .addListener(
                  written -> {
                    if (!written.isSuccess()) {
                      read.completeExceptionally(written.cause());
                    }
                  });
    } catch (RuntimeException refused) {
      read.completeExceptionally(refused);
    }
  }

  /** The calling thread waits no longer. */
  void over() {
    waited.remove(Thread.currentThread());
  }

  /** Ends all that is waited for, and the thread; the client is about to be closed. */
  void end() {
    ended = true;
    LockSupport.unpark(looking);
    waited.values().forEach(read -> read.completeExceptionally(notConnected()));
  }

  private void lookUntilEnded() {
    long pauseNanos = Math.max(SHORTEST_PAUSE_NANOS, timeoutNanos / LOOKS);
    while (!ended) {
      boolean goOn = true;
      try {
        goOn = traffic.getAndSet(Traffic.NONE) == Traffic.SENT;
        goOn |= look();
      } catch (Throwable mayBeGoneNextTime) {
        // Without memory, say. Nobody else would end the wait of those who are left.
        goOn = true;
      }
      if (goOn) {
        LockSupport.parkNanos(this, pauseNanos);
      } else if (traffic.compareAndSet(Traffic.NONE, Traffic.ASLEEP)) {
        LockSupport.park(this);
      }
      // One that somebody sends to all threads of a group: it would keep the next from parking.
      var unused = Thread.interrupted();
    }
  }

  /** Ends what is overdue; whether anything is waited for. */
  private boolean look() {
    long now = time.nanos();
    boolean any = false;
    for (Read read : waited.values()) {
      any = true;
      if (now - read.sentAtNanos >= timeoutNanos) {
        read.completeExceptionally(new TimeoutException());
      }
    }
    return any;
  }

  private static IllegalStateException notConnected() {
    return new IllegalStateException("not connected");
  }
}
