package dev.waymark.cache;

import dev.waymark.Horizons;
import dev.waymark.SessionToken;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * What was chosen for a cache.
 *
 * @param l1TimeToLive the life of an entry in L1; those of hot keys live as long as in Redis
 * @param l1StalenessBound for values that nobody vouches for; null where there is no Redis to do so
 * @param refreshAhead how long before its end a value in Redis is fetched anew; zero for never
 * @param staleWhileRevalidate for how long after its fetch a value that has changed may still be
 *     served; zero for not at all
 * @param background where values are fetched that nobody waits for; null if none ever are
 * @param asking whether hits are to tell their age, which only a change stream knows
 * @param changesBound how old a hit may be; null for any age
 */
record Settings<K, V>(
    Loader<K, V> loader,
    @Nullable Loader<K, V> primaryLoader,
    @Nullable BulkLoader<K, V> bulkLoader,
    Function<? super K, String> shardOf,
    Lifetime lifetime,
    Duration l1TimeToLive,
    @Nullable Duration l1StalenessBound,
    Duration refreshAhead,
    Duration staleWhileRevalidate,
    PendingWrites.WithoutRedis withoutRedis,
    @Nullable Horizons horizons,
    @Nullable Consumer<SessionToken> sessionSaw,
    Supplier<? extends RandomGenerator> random,
    @Nullable Executor background,
    SharedTier.Asking asking,
    @Nullable Duration changesBound) {

  /** Whether Redis proves that its values show every announced change. */
  boolean isFenced() {
    return withoutRedis != PendingWrites.WithoutRedis.NEVER_ANNOUNCE;
  }

  /** What is asked of Redis while another reader's value is waited for. */
  SharedTier.Asking askingAgain() {
    return asking == SharedTier.Asking.READ ? SharedTier.Asking.READ_AGAIN : asking;
  }

  /** How long a value may be kept anywhere; zero for not at all. */
  Duration lifeOf(@Nullable V value) {
    return lifetime.of(value, random.get());
  }
}
