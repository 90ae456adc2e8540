package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.ReadMark;
import dev.waymark.SessionToken;
import dev.waymark.WaymarkException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/** At most one load of a key at a time in this process. Shared between threads. */
final class SingleFlight<K, V> {
  /** As long a circle as anybody looks for. */
  private static final int LONGEST_CIRCLE = 64;

  /** Of each thread; of all caches together, since the loader of one may read another. */
  private static final ThreadLocal<Waiter> WAITERS = ThreadLocal.withInitial(Waiter::new);

  /** A thread, as far as it waits for another one's load. */
  private static final class Waiter {
    private volatile @Nullable Flight<?> waitsFor;
  }

  private final ConcurrentHashMap<K, Flight<V>> flights = new ConcurrentHashMap<>();

  /**
   * The load of a key that is under way, or a new one for the caller to carry out: {@link
   * Flight#isLedByThisThread} tells which.
   *
   * @param stamp what is known of the key. A load that began under another stamp is not joined: it
   *     may have seen the database before a change that the caller knows to be committed.
   * @param seen what is known to be past; a load that begins now shows it
   * @param session whom the caller would load it for
   */
  Flight<V> enter(K key, int stamp, Seen seen, SessionToken session, long nowNanos) {
    Flight<V> mine = new Flight<>(stamp, seen, session, nowNanos);
    Flight<V> flight =
        flights.compute(
            key, (same, running) -> running != null && running.stamp == stamp ? running : mine);
    if (flight != mine && flight.isLedByThisThread()) {
      throw new IllegalStateException(
          "The loader of a cache asked the same cache for the key that it is loading");
    }
    return flight;
  }

  /** A load that nobody joins. */
  static <V> Flight<V> alone(int stamp, Seen seen, SessionToken session, long nowNanos) {
    return new Flight<>(stamp, seen, session, nowNanos);
  }

  /** To be called by the leader in the end, whatever happened. */
  void leave(K key, Flight<V> flight) {
    flights.remove(key, flight);
  }

  /**
   * An answer.
   *
   * @param mark the server that answered; null if it is not known, or Redis vouches for the answer
   */
  record Landed<V>(CacheAnswer<V> answer, @Nullable ReadMark mark) {}

  /** One load. The leader must {@link #land} or {@link #crash} it. */
  static final class Flight<V> {
    private final int stamp;
    private final Seen seen;
    private final SessionToken session;
    private final long beganAtNanos;
    private final Waiter leader = WAITERS.get();
    private final CompletableFuture<Landed<V>> answer = new CompletableFuture<>();

    private Flight(int stamp, Seen seen, SessionToken session, long beganAtNanos) {
      this.stamp = stamp;
      this.seen = seen;
      this.session = session;
      this.beganAtNanos = beganAtNanos;
    }

    /** What was known to be past when it began. */
    Seen seen() {
      return seen;
    }

    /**
     * Whether whoever it is carried out for has read all that a session has. What that has read
     * from a replica the primary may not show yet: it waits for the session that asks, and for no
     * other.
     */
    boolean hasReadAllOf(SessionToken other) {
      List<LogPosition> reads = other.reads();
      for (int i = 0; i < reads.size(); i++) {
        if (!session.reaches(reads.get(i))) {
          return false;
        }
      }
      return true;
    }

    long beganAtNanos() {
      return beganAtNanos;
    }

    int stamp() {
      return stamp;
    }

    boolean isLedByThisThread() {
      return leader == WAITERS.get();
    }

    /** The first answer counts. */
    void land(CacheAnswer<V> landed, @Nullable ReadMark mark) {
      answer.complete(new Landed<>(landed, mark));
    }

    void crash(Throwable failure) {
      answer.completeExceptionally(failure);
    }

    /**
     * The leader's answer, waited for; throws what the leader threw. Null if that would be for
     * ever, because the leader waits for a load that the calling thread leads: its loader reads
     * another key whose loader reads the first one.
     */
    @Nullable Landed<V> join() {
      Waiter me = WAITERS.get();
      // Before looking: of two threads that are about to wait for each other, one sees it.
      me.waitsFor = this;
      try {
        return leadsBackTo(me) ? null : land();
      } finally {
        me.waitsFor = null;
      }
    }

    private boolean leadsBackTo(Waiter me) {
      Flight<?> next = this;
      for (int i = 0; i < LONGEST_CIRCLE && next != null && !next.answer.isDone(); i++) {
        if (next.leader == me) {
          return true;
        }
        next = next.leader.waitsFor;
      }
      return false;
    }

    private Landed<V> land() {
      try {
        return answer.get();
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        throw new WaymarkException(
            "Interrupted while another thread was loading the same key. Nothing was sent, so the"
                + " call may be repeated.",
            Outcome.NOT_SENT,
            interrupted);
      } catch (ExecutionException failed) {
        Throwable cause = failed.getCause();
        if (cause instanceof RuntimeException unchecked) {
          throw unchecked;
        }
        if (cause instanceof Error error) {
          throw error;
        }
        throw new IllegalStateException("A loader's checked exceptions are wrapped", cause);
      }
    }
  }
}
