package dev.waymark.cache;

import dev.waymark.Outcome;
import dev.waymark.ReadMark;
import dev.waymark.SessionToken;
import dev.waymark.WaymarkException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/** At most one load of a key at a time in this process. Shared between threads. */
final class SingleFlight<K, V> {
  private final ConcurrentHashMap<K, Flight<V>> flights = new ConcurrentHashMap<>();

  /**
   * The load of a key that is under way, or a new one for the caller to carry out: {@link
   * Flight#isLedByThisThread} tells which.
   *
   * @param stamp what is known of the key. A load that began under another stamp is not joined: it
   *     may have seen the database before a change that the caller knows to be committed.
   * @param seen what sessions are known to have seen; a load that begins now shows it
   */
  Flight<V> enter(K key, int stamp, SessionToken seen, long nowNanos) {
    Flight<V> mine = new Flight<>(stamp, seen, nowNanos);
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
  static <V> Flight<V> alone(int stamp, SessionToken seen, long nowNanos) {
    return new Flight<>(stamp, seen, nowNanos);
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
    private final SessionToken seen;
    private final long beganAtNanos;
    private final Thread leader = Thread.currentThread();
    private final CompletableFuture<Landed<V>> answer = new CompletableFuture<>();

    private Flight(int stamp, SessionToken seen, long beganAtNanos) {
      this.stamp = stamp;
      this.seen = seen;
      this.beganAtNanos = beganAtNanos;
    }

    /** What sessions were known to have seen when it began. */
    SessionToken seen() {
      return seen;
    }

    long beganAtNanos() {
      return beganAtNanos;
    }

    int stamp() {
      return stamp;
    }

    boolean isLedByThisThread() {
      return leader == Thread.currentThread();
    }

    /** The first answer counts. */
    void land(CacheAnswer<V> landed, @Nullable ReadMark mark) {
      answer.complete(new Landed<>(landed, mark));
    }

    void crash(Throwable failure) {
      answer.completeExceptionally(failure);
    }

    /** The leader's answer; throws what the leader threw. */
    Landed<V> join() {
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
