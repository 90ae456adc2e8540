package dev.waymark.sample;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.javalin.http.Context;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * So many requests per second of one client, in the long run; twice as many at once. A client is an
 * address: behind a proxy all are one, and the proxy is the place for a limit. Thread-safe.
 *
 * <p>A bucket per client, as one number: when it will be empty (the generic cell rate algorithm).
 */
final class RateLimit {
  private static final long MOST_CLIENTS = 100_000;
  private static final int SECONDS_AT_ONCE = 2;

  private final long nanosPerRequest;
  private final LongSupplier nanoClock;

  /** Forgets who has been silent for long, and the least frequent ones of very many. */
  private final Cache<String, Bucket> buckets =
      Caffeine.newBuilder()
          .maximumSize(MOST_CLIENTS)
          .expireAfterAccess(Duration.ofMinutes(1))
          .build();

  /** Guarded by itself. */
  private static final class Bucket {
    private long emptyAtNanos;

    Bucket(long now) {
      this.emptyAtNanos = now;
    }
  }

  /**
   * A limit.
   *
   * @param requestsPerSecond 0 for none
   */
  RateLimit(int requestsPerSecond, LongSupplier nanoClock) {
    this.nanosPerRequest = requestsPerSecond == 0 ? 0 : 1_000_000_000L / requestsPerSecond;
    this.nanoClock = nanoClock;
  }

  /**
   * Lets a request pass, or not.
   *
   * @throws Refusal if its client has sent too many
   */
  void check(Context context) {
    long wait = nanosToWait(context.ip());
    if (wait > 0) {
      throw Refusal.of(Problem.TOO_MANY_REQUESTS, "You send more requests than one client may.")
          .with("Retry-After", Long.toString(Math.max(1, (wait + 999_999_999) / 1_000_000_000)));
    }
  }

  /** Takes a request of a client in; 0, or how long until the next one is taken. */
  long nanosToWait(String client) {
    if (nanosPerRequest == 0) {
      return 0;
    }
    long now = nanoClock.getAsLong();
    Bucket bucket = buckets.get(client, name -> new Bucket(now));
    synchronized (bucket) {
      if (bucket.emptyAtNanos - now < 0) {
        bucket.emptyAtNanos = now;
      }
      long wait = bucket.emptyAtNanos - now + nanosPerRequest - SECONDS_AT_ONCE * 1_000_000_000L;
      if (wait <= 0) {
        bucket.emptyAtNanos += nanosPerRequest;
      }
      return Math.max(0, wait);
    }
  }
}
