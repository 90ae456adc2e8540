package dev.waymark.cache;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
 * dear in a virtual machine: here it waits without one, and what is overdue is ended by a look at
 * all of them, now and then.
 */
final class PlainReads {
  /** Of a time-out's length; so much later than it should a wait may end. */
  private static final int LOOKS = 8;

  private final ConnectionManager connections;
  private final Duration timeout;

  /** By the thread that waits, which waits for one at a time. */
  private final ConcurrentHashMap<Thread, Read> waited = new ConcurrentHashMap<>();

  private volatile boolean ended;

  /** One MGET: complete with its answer, or when it is overdue. */
  static final class Read extends CompletableFuture<List<Object>> {
    private final long sentAtNanos = System.nanoTime();
  }

  PlainReads(Redisson client, Duration timeout) {
    this.connections = client.getCommandExecutor().getConnectionManager();
    this.timeout = timeout;
    lookLater();
  }

  /**
   * Sends one. Whatever comes of it, the calling thread says in the end that it is {@link #over}.
   */
  Read send(Object... keys) {
    Read read = new Read();
    waited.put(Thread.currentThread(), read);
    if (ended) {
      read.completeExceptionally(notConnected());
      return read;
    }
    try {
      MasterSlaveEntry server = connections.getWriteEntry(0);
      var unused =
          server
              .connectionWriteOp(RedisCommands.MGET)
              .whenComplete(
                  (connection, failure) -> {
                    if (failure != null) {
                      read.completeExceptionally(failure);
                      return;
                    }
                    var unusedToo =
                        read.whenComplete((answer, end) -> server.releaseWrite(connection));
                    if (!read.isDone()) {
                      sendThrough(connection, read, keys);
                    }
                  });
    } catch (RuntimeException refused) {
      // A client that is being closed says so at once.
      read.completeExceptionally(refused);
    }
    return read;
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

  /** Ends all that is waited for; the client is about to be closed. */
  void end() {
    ended = true;
    waited.values().forEach(read -> read.completeExceptionally(notConnected()));
  }

  private void lookLater() {
    // On the timer's own thread, which waits for nothing else.
    var unused =
        connections
            .getServiceManager()
            .newTimeout(look -> look(), timeout.toNanos() / LOOKS, TimeUnit.NANOSECONDS);
  }

  private void look() {
    long now = System.nanoTime();
    waited
        .values()
        .forEach(
            read -> {
              if (now - read.sentAtNanos >= timeout.toNanos()) {
                read.completeExceptionally(new TimeoutException());
              }
            });
    if (!ended) {
      lookLater();
    }
  }

  private static IllegalStateException notConnected() {
    return new IllegalStateException("not connected");
  }
}
