package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * L2: what the caches of all processes share, operation by operation; each is atomic for one key.
 * Shared between threads.
 *
 * <p>Every operation takes one round trip and throws {@link SharedTierException} if there was no
 * answer in time. It may then still be carried out, even much later: all of them are such that this
 * costs a load and never a wrong value.
 */
interface SharedTier extends AutoCloseable {
  /** How long a reader has for its load. Others wait for it only a part of this. */
  Duration LEASE = Duration.ofSeconds(3);

  /**
   * How long a write stays in doubt if nobody says how it ended. A COMMIT that takes longer is not
   * protected.
   */
  Duration MARK = Duration.ofSeconds(30);

  /** How long the position of a key's last commit is kept: longer than a replica should lag. */
  Duration FLOOR = Duration.ofMinutes(5);

  /**
   * Makes sure that the tier can be reached and that the listener hears of invalidations. To be
   * called again after a failure; does nothing more where there is nothing to do.
   */
  void open(Listener listener);

  /** The value of a key, or how to come by it. */
  Lookup read(CacheKey key, String leaseToken, Asking asking);

  /** Stores what the holder of a lease has loaded, if nothing speaks against it. */
  Fill fill(
      CacheKey key,
      String leaseToken,
      byte[] value,
      Duration timeToLive,
      Role role,
      @Nullable LogPosition position);

  /** Gives a lease back without a fill. */
  void release(CacheKey key, String leaseToken);

  /**
   * Drops values and leases and puts the keys in doubt, before COMMIT.
   *
   * @param writer names the transaction
   * @param intent names this very call
   */
  void announce(List<CacheKey> keys, String writer, String intent);

  /**
   * Drops values and leases and tells all other processes; the keys are then no longer in doubt for
   * this writer.
   *
   * @return for each settlement whether its new value was put
   */
  List<Boolean> settle(List<Settlement> settlements);

  /** Takes an announcement back; values stay dropped, nobody is told. */
  void withdraw(List<CacheKey> keys, String writer);

  /** Drops all values and leases of a cache and tells all other processes. */
  void forget(String cache);

  @Override
  void close();

  /** Hears what other processes say; never what this one said itself. */
  interface Listener {
    void invalidated(String cache, int hash);

    void everythingInvalidated(String cache);

    /** The connection was lost or has come back: there may have been messages in between. */
    void messagesMayBeLost();
  }

  /** What a reader wants. */
  enum Asking {
    /** The value if there is one. */
    READ,
    /** A lease, because the value there is does not serve. */
    REFRESH
  }

  /** The answer to a read. */
  sealed interface Lookup {
    /**
     * There is a value.
     *
     * @param remaining how much longer
     */
    @SuppressWarnings("ArrayRecordComponent") // Never compared; copying every value would be waste.
    record Hit(byte[] value, Duration remaining) implements Lookup {}

    /** There is none, and the caller is the one to fill it. */
    record Leased() implements Lookup {}

    /** There is none, and another reader is about to fill it. */
    record Awaited() implements Lookup {}

    /** A write is in doubt: whatever is loaded must not be kept. */
    record InDoubt() implements Lookup {}

    /** The shared tier cannot be asked. */
    record Unavailable() implements Lookup {}

    /** There is no shared tier. */
    record Alone() implements Lookup {}
  }

  /** What became of a fill. */
  enum Fill {
    /** The value is there for everyone. */
    STORED,
    /** The key changed meanwhile, or the load took too long. */
    LEASE_LOST,
    /** A write is in doubt. */
    IN_DOUBT,
    /** A replica's answer is not known to show the key's last commit. */
    NOT_NEW_ENOUGH
  }

  /**
   * The end of a write to one key.
   *
   * @param writer names the transaction; null to leave its mark standing
   * @param position at or after the commit; null if not known
   * @param put the new value; null for none
   */
  record Settlement(
      CacheKey key, @Nullable String writer, @Nullable LogPosition position, @Nullable Put put) {}

  /**
   * A new value to take the place of the old one.
   *
   * @param intent the announcement it belongs to; the value is put only if none came after it
   */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Put(String intent, byte[] value, Duration timeToLive) {}

  /** For caches that have only L1. */
  SharedTier NONE =
      new SharedTier() {
        @Override
        public void open(Listener listener) {}

        @Override
        public Lookup read(CacheKey key, String leaseToken, Asking asking) {
          return new Lookup.Alone();
        }

        @Override
        public Fill fill(
            CacheKey key,
            String leaseToken,
            byte[] value,
            Duration timeToLive,
            Role role,
            @Nullable LogPosition position) {
          return Fill.LEASE_LOST;
        }

        @Override
        public void release(CacheKey key, String leaseToken) {}

        @Override
        public void announce(List<CacheKey> keys, String writer, String intent) {}

        @Override
        public List<Boolean> settle(List<Settlement> settlements) {
          return settlements.stream().map(settlement -> false).toList();
        }

        @Override
        public void withdraw(List<CacheKey> keys, String writer) {}

        @Override
        public void forget(String cache) {}

        @Override
        public void close() {}
      };
}
