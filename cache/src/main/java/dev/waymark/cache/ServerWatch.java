package dev.waymark.cache;

import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Which server the connections of one client end in, so that a plain read need not ask. Shared
 * between threads; waits for nothing.
 *
 * <p>A connection ends in one process as long as it lives. A server that was restarted, and one
 * that was put in another's place, are reached by new connections only. So an answer holds until a
 * connection is made: whoever reads takes what is {@linkplain #known known} before, and looks
 * afterwards whether it {@linkplain #stillHolds still holds}. If it does, the read was answered by
 * that server.
 *
 * <p>What this does not see at once is a server that becomes a replica while its connections stay,
 * and a proxy that takes connections to another server. So an answer is also believed for {@link
 * #BELIEVED} at most, and no longer once a later one has failed, as a replica's does.
 */
final class ServerWatch {
  /** How old an answer may get. Each process asks so seldom, and while it reads only. */
  private static final Duration RENEWED = Duration.ofMillis(100);

  /** For how long an answer is good if no newer one comes. */
  private static final Duration BELIEVED = Duration.ofMillis(500);

  private final Supplier<CompletionStage<Answer>> question;
  private final Time time;
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicBoolean asking = new AtomicBoolean();
  private volatile @Nullable Server last;

  /**
   * What a master says of itself.
   *
   * @param id changes with a restart and a promotion
   * @param millis its clock, from when it answered
   */
  record Answer(String id, long millis) {}

  /**
   * A master.
   *
   * @param connections how many had been made when it was asked
   * @param askedAtNanos by this process' clock, before it answered
   */
  record Server(String id, int connections, long millis, long askedAtNanos) {
    /** Its clock at a moment of this process: that, or a little less. */
    long latestMillis(long nanos) {
      return millis + (nanos - askedAtNanos) / 1_000_000 + 1;
    }
  }

  ServerWatch(Supplier<CompletionStage<Answer>> question, Time time) {
    this.question = question;
    this.time = time;
  }

  /** A connection was made, and nothing has been sent through it. */
  void connected() {
    connections.incrementAndGet();
  }

  /** The server that answers now; null if that is not certain, and then it is asked. */
  @Nullable Server known() {
    Server known = last;
    long now = time.nanos();
    if (known == null || !isOfNow(known) || now - known.askedAtNanos >= RENEWED.toNanos()) {
      ask();
    }
    return known != null && isOfNow(known) && now - known.askedAtNanos < BELIEVED.toNanos()
        ? known
        : null;
  }

  /** Whether no other one can have answered since it was known, nor is it known to be a replica. */
  boolean stillHolds(Server server) {
    return isOfNow(server) && last != null;
  }

  private boolean isOfNow(Server server) {
    return server.connections == connections.get();
  }

  /** One question at a time: so a later answer is not replaced by an earlier one. */
  private void ask() {
    if (!asking.compareAndSet(false, true)) {
      return;
    }
    int before = connections.get();
    long askedAt = time.nanos();
    var unused =
        question
            .get()
            .whenComplete(
                (answer, failure) -> {
                  last =
                      failure == null
                          ? new Server(answer.id(), before, answer.millis(), askedAt)
                          : null;
                  asking.set(false);
                });
  }
}
