package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * L2: what the caches of all processes share, operation by operation; each is atomic for one bucket
 * of one cache. Shared between threads.
 *
 * <p>Every operation takes one round trip, a read that does not hit two at most, and throws {@link
 * SharedTierException} if there was no answer in time. It may then still be carried out, even much
 * later: all of them are such that this costs a load and never a wrong value.
 */
interface SharedTier extends AutoCloseable {
  /** How long a reader has for its load. Others wait for it only a part of this. */
  Duration LEASE = Duration.ofSeconds(3);

  /** How long after its announcement a writer may put the new value. */
  Duration INTENT = Duration.ofSeconds(30);

  /**
   * Makes sure that the tier can be reached and that the listener hears of invalidations. To be
   * called again after a failure; does nothing more where there is nothing to do.
   */
  void open(Listener listener);

  /** The value of a key, or how to come by it. */
  Lookup read(CacheKey key, String leaseToken, Asking asking);

  /** Stores what the holder of a lease has loaded, if the label proves that it may be kept. */
  Fill fill(CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label);

  /** The same, not waited for; completed with {@link SharedTierException} if there is no answer. */
  CompletableFuture<Fill> fillLater(
      CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label);

  /**
   * As {@link #read} for many keys at once, in one round trip.
   *
   * @return an answer for each key, in order
   */
  List<Lookup> readAll(List<CacheKey> keys, String leaseToken, Asking asking);

  /**
   * As {@link #fill} for many keys at once, in one round trip.
   *
   * @return an answer for each filling, in order
   */
  List<Fill> fillAll(List<Filling> fillings);

  /** What is known of a key, for a person. Changes nothing. */
  Glimpse peek(CacheKey key);

  /** Gives a lease back without a fill. */
  void release(CacheKey key, String leaseToken);

  /** The same, sent and not waited for. */
  void releaseLater(CacheKey key, String leaseToken);

  /**
   * Drops values and leases, tells everyone, and puts the keys' cells in doubt until somebody
   * proves that the writer is over.
   *
   * @param keys of one cache
   * @return for each key, in order, what names this announcement
   */
  List<Intent> announce(List<CacheKey> keys, Change change);

  /**
   * Says that a writer is over, and puts its values. Sent and not waited for: nothing depends on
   * it.
   *
   * @param settlements of one cache
   * @param position at or after the commit; null after a rollback
   */
  void settle(List<Settlement> settlements, Writer writer, @Nullable LogPosition position);

  /**
   * Tells a bucket whose state was lost where a shard's writers begin again.
   *
   * @param epoch as {@link Fill.Unrecovered} named it, before the horizon was drawn
   */
  void recover(String cache, int bucket, String epoch, String shard, Horizon horizon);

  /**
   * Takes writers that are proven to be over out of cells.
   *
   * @return how many of the cells are still in doubt
   */
  int sweep(String cache, int bucket, List<Integer> cells, String shard, Horizon horizon);

  /** Drops all values, leases and announcements of a cache and tells everyone. */
  void forget(String cache);

  /**
   * Tells what a shard's change stream has told: values and leases go, everyone is told, and the
   * transactions are in doubt, which the stream may have read before they are visible. Keys whose
   * last announcement was the transaction's own are left as they are.
   *
   * @param position at or after the commits
   * @param told of one cache
   * @return how many keys were dropped
   */
  int changed(String cache, String shard, LogPosition position, List<Told> told);

  /**
   * Says that everything acknowledged on a shard before a moment has been {@linkplain #changed
   * told}.
   *
   * @param asOf by {@link #time()}
   */
  void reached(String cache, String shard, LogPosition position, long asOf);

  /** The tier's own clock, in microseconds. */
  long time();

  /** Who took a shard's changes over last, as {@link #follow} has noted it; empty if nobody did. */
  String follower(String shard);

  /**
   * Notes who takes a shard's changes over.
   *
   * @param before as it was read
   * @return false if somebody else has noted something meanwhile
   */
  boolean follow(String shard, String before, String now);

  /** What this process has missed of a cache's invalidations, for each place that it knows. */
  List<Beat> beat(String cache, List<Place> known);

  @Override
  void close();

  /** Hears what is told, in no certain order, perhaps twice, perhaps never. */
  interface Listener {
    /**
     * Keys have changed.
     *
     * @param hashes null for all keys of the bucket
     */
    void invalidated(String cache, Place place, int @Nullable [] hashes);

    /** A message could not be read, or the connection was lost: some may be missing. */
    void messagesMayBeLost();
  }

  /** What a reader wants. */
  enum Asking {
    /** The value if there is one. */
    READ,
    /** The same once more, because another reader was about to fill it. */
    READ_AGAIN,
    /** As READ, and how old it may be against writers that announce nothing. */
    READ_WITH_AGE,
    /** A lease, because the value there is does not serve. */
    REFRESH
  }

  /** Whether a writer of the key's cell may be neither over nor visible. */
  enum Doubt {
    NONE,
    IN_DOUBT
  }

  /** The answer to a read. */
  sealed interface Lookup {
    /**
     * There is a value.
     *
     * @param remaining how much longer
     * @param age whatever was acknowledged longer ago is shown, whoever wrote it; null if that was
     *     not asked for, or nobody knows
     */
    @SuppressWarnings("ArrayRecordComponent") // Never compared; copying every value would be waste.
    record Hit(byte[] value, Duration remaining, @Nullable Duration age) implements Lookup {}

    /** There is none, and the caller is the one to fill it. */
    record Leased(Doubt doubt) implements Lookup {}

    /** There is none, and another reader is about to fill it. */
    record Awaited(Doubt doubt) implements Lookup {}

    /** The shared tier cannot be asked. */
    record Unavailable() implements Lookup {}

    /** There is no shared tier. */
    record Alone() implements Lookup {}
  }

  /** What became of a fill. */
  sealed interface Fill {
    /** The value is there for everyone. */
    record Stored() implements Fill {}

    /** It is not. */
    record Refused(Refusal why) implements Fill {}

    /**
     * It is not: the bucket's state was lost, and the shard's horizon is not known yet.
     *
     * @param epoch names the loss
     */
    record Unrecovered(String epoch) implements Fill {}
  }

  /** What is asked of a fill. */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Filling(
      CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {}

  /**
   * What is known of a key.
   *
   * @param memory whether the shared tier knows all that was announced since the epoch began
   * @param place where the order of the bucket's invalidations has come to
   * @param value what a read would get; null for none
   * @param remaining how much longer; zero for none
   * @param label what was proven when the value was stored: a snapshot, {@code @} and a position,
   *     or {@code =} and the transaction that put it; empty for none
   * @param leased how much longer a reader has the right to fill it; zero if nobody has
   * @param doubt the writers in doubt, each as shard and transaction id; empty for none
   */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Glimpse(
      Memory memory,
      Place place,
      byte @Nullable [] value,
      Duration remaining,
      String label,
      Duration leased,
      List<String> doubt) {}

  /** Whether a bucket's state is whole. */
  enum Memory {
    WHOLE,
    LOST
  }

  /** Why a fill was refused. */
  enum Refusal {
    /** The key changed meanwhile, or the load took too long. */
    LEASE_LOST(CacheListener.NotKept.LEASE_LOST),
    /** A writer is not proven to be over. The lease of a replica's load stands. */
    IN_DOUBT(CacheListener.NotKept.IN_DOUBT),
    /** Not known to show the last commits. The lease of a replica's load stands. */
    NOT_NEW_ENOUGH(CacheListener.NotKept.NOT_NEW_ENOUGH),
    /** Transactions from before the loss of the bucket's state still run. */
    BEFORE_HORIZON(CacheListener.NotKept.RECOVERING),
    /** Redis could not be asked. */
    UNAVAILABLE(CacheListener.NotKept.UNAVAILABLE);

    private final CacheListener.NotKept told;

    Refusal(CacheListener.NotKept told) {
      this.told = told;
    }

    /** For a listener. */
    CacheListener.NotKept told() {
      return told;
    }
  }

  /**
   * A transaction.
   *
   * @param transactionId PostgreSQL's 64-bit id, unsigned
   * @param begun a log position from when the id was given out; null if that is not known. Tells on
   *     which timeline: after a promotion ids are given out again
   */
  record Writer(String shard, long transactionId, @Nullable LogPosition begun) {}

  /** What changes a key. */
  sealed interface Change {
    /** A transaction that has not been committed, or may not have been. */
    record Open(Writer writer) implements Change {}

    /** A transaction whose commit was acknowledged. */
    record Committed(String shard, LogPosition position) implements Change {}

    /** Something elsewhere, of which only this is known. */
    record Elsewhere() implements Change {}
  }

  /**
   * An announcement of one key.
   *
   * @param place where in the bucket's order it stands
   * @param token names this very announcement; a put needs it
   */
  record Intent(Place place, String token) {}

  /**
   * A place in the order of a bucket's invalidations.
   *
   * @param epoch within which the order holds; "" if none is known
   * @param seq counts from 1
   */
  record Place(int bucket, String epoch, long seq) {
    static Place unknown(int bucket) {
      return new Place(bucket, "", 0);
    }
  }

  /**
   * Where a bucket's invalidations have come to.
   *
   * @param missed the hashes of what came after the place that was given; null if nobody can tell
   */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Beat(Place place, int @Nullable [] missed) {}

  /**
   * The end of a write to one key.
   *
   * @param put the new value; null for none
   */
  record Settlement(CacheKey key, @Nullable Put put) {}

  /**
   * A new value to take the place of the old one.
   *
   * @param intent the announcement it belongs to; the value is put only if none came after it
   */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Put(Intent intent, byte[] value, Duration timeToLive) {}

  /**
   * A key that transactions have changed.
   *
   * @param transactionIds PostgreSQL's 64-bit ids, unsigned; none where no doubt is kept because
   *     nothing is proven
   */
  record Told(CacheKey key, List<Long> transactionIds) {}

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
            CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {
          return new Fill.Refused(Refusal.LEASE_LOST);
        }

        @Override
        public CompletableFuture<Fill> fillLater(
            CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {
          return CompletableFuture.completedFuture(fill(key, leaseToken, value, timeToLive, label));
        }

        @Override
        public List<Lookup> readAll(List<CacheKey> keys, String leaseToken, Asking asking) {
          return keys.stream().<Lookup>map(key -> new Lookup.Alone()).toList();
        }

        @Override
        public List<Fill> fillAll(List<Filling> fillings) {
          return fillings.stream()
              .<Fill>map(filling -> new Fill.Refused(Refusal.LEASE_LOST))
              .toList();
        }

        @Override
        public Glimpse peek(CacheKey key) {
          return new Glimpse(
              Memory.LOST,
              Place.unknown(key.bucket()),
              null,
              Duration.ZERO,
              "",
              Duration.ZERO,
              List.of());
        }

        @Override
        public void release(CacheKey key, String leaseToken) {}

        @Override
        public void releaseLater(CacheKey key, String leaseToken) {}

        @Override
        public List<Intent> announce(List<CacheKey> keys, Change change) {
          return List.of();
        }

        @Override
        public void settle(
            List<Settlement> settlements, Writer writer, @Nullable LogPosition position) {}

        @Override
        public void recover(
            String cache, int bucket, String epoch, String shard, Horizon horizon) {}

        @Override
        public int sweep(
            String cache, int bucket, List<Integer> cells, String shard, Horizon horizon) {
          return 0;
        }

        @Override
        public void forget(String cache) {}

        @Override
        public int changed(String cache, String shard, LogPosition position, List<Told> told) {
          return 0;
        }

        @Override
        public void reached(String cache, String shard, LogPosition position, long asOf) {}

        @Override
        public long time() {
          return 0;
        }

        @Override
        public String follower(String shard) {
          return "";
        }

        @Override
        public boolean follow(String shard, String before, String now) {
          return true;
        }

        @Override
        public List<Beat> beat(String cache, List<Place> known) {
          return List.of();
        }

        @Override
        public void close() {}
      };
}
