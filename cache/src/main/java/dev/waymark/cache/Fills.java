package dev.waymark.cache;

import dev.waymark.PositionedRead;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Offers Redis what was loaded, and sees to its verdicts. Safe to share. */
final class Fills<K, V> {
  /** For how long nobody tries again whether a value has become small enough, unless it changes. */
  private static final Duration LONGEST_TOO_LARGE = Duration.ofMinutes(1);

  private final String name;
  private final Settings<K, V> settings;
  private final RedisTier redis;
  private final ValueWriter<V> writer;
  private final Keeper<K, V> keeper;
  private final Mender mender;
  private final @Nullable Sweeper sweeper;
  private final Counters counters;
  private final CacheListener listener;

  /**
   * What the holder of a lease has loaded, and what it offers Redis.
   *
   * @param encoded null if the value is not to be kept, or cannot be
   */
  record Offer<K, V>(
      K key,
      CacheKey address,
      String leaseToken,
      PositionedRead<@Nullable V> loaded,
      SingleFlight.Flight<V> flight,
      ValueFormat.@Nullable Encoded encoded,
      Duration life,
      ReadLabel label) {}

  /**
   * Fills.
   *
   * @param sweeper null where nothing is proven
   */
  Fills(
      String name,
      Settings<K, V> settings,
      RedisTier redis,
      ValueWriter<V> writer,
      Keeper<K, V> keeper,
      @Nullable Sweeper sweeper,
      Counters counters,
      CacheListener listener) {
    this.name = name;
    this.settings = settings;
    this.redis = redis;
    this.writer = writer;
    this.keeper = keeper;
    this.mender = new Mender(name, redis, settings.horizons());
    this.sweeper = sweeper;
    this.counters = counters;
    this.listener = listener;
  }

  Offer<K, V> offer(
      K key,
      CacheKey address,
      String leaseToken,
      PositionedRead<@Nullable V> loaded,
      SingleFlight.Flight<V> flight) {
    Duration life = settings.lifeOf(loaded.value());
    ValueFormat.Encoded encoded =
        life.isZero() ? null : writer.encode(loaded.value(), loaded.position());
    return new Offer<>(
        key,
        address,
        leaseToken,
        loaded,
        flight,
        encoded,
        encoded instanceof ValueFormat.Encoded.TooLarge
            ? Durations.shorter(life, LONGEST_TOO_LARGE)
            : life,
        settings.isFenced()
            ? ReadLabel.of(loaded)
            : new ReadLabel.Unfenced(loaded.route().shard()));
  }

  /** Offers a value to Redis; nobody waits for the verdict. */
  void fillLater(Offer<K, V> offer) {
    ValueFormat.Encoded encoded = offer.encoded;
    if (encoded == null) {
      redis.release(offer.address, offer.leaseToken);
      if (settings.lifetime().keeps(offer.loaded.value())) {
        counters.unshared.increment();
      }
      return;
    }
    redis.fillLater(
        offer.address,
        offer.leaseToken,
        encoded.bytes(),
        offer.life,
        offer.label,
        fill -> {
          if (!(fill instanceof SharedTier.Fill.Unrecovered lost)
              || !mender.mendLater(
                  offer.address,
                  lost.epoch(),
                  offer.loaded.route().shard(),
                  () -> judged(offer, fillAgain(offer, encoded.bytes())),
                  () -> judged(offer, fill))) {
            judged(offer, fill);
          }
        });
  }

  /**
   * Accepted if nobody else got a transaction id in the meantime: an idle database's first reader
   * fills.
   */
  private SharedTier.Fill fillAgain(Offer<K, V> offer, byte[] bytes) {
    return redis.fill(offer.address, offer.leaseToken, bytes, offer.life, offer.label);
  }

  /** Offers values to Redis and waits for the verdicts; the leases of those refused stand. */
  List<SharedTier.Fill> fillAll(List<Offer<K, V>> offers) {
    List<SharedTier.Filling> fillings = new ArrayList<>();
    for (Offer<K, V> offer : offers) {
      if (offer.encoded != null) {
        fillings.add(
            new SharedTier.Filling(
                offer.address, offer.leaseToken, offer.encoded.bytes(), offer.life, offer.label));
      }
    }
    Iterator<SharedTier.Fill> verdicts = redis.fillAll(fillings).iterator();
    List<SharedTier.Fill> fills = new ArrayList<>();
    for (Offer<K, V> offer : offers) {
      if (offer.encoded == null) {
        fills.add(new SharedTier.Fill.Refused(SharedTier.Refusal.LEASE_LOST));
        continue;
      }
      SharedTier.Fill fill = verdicts.next();
      if (fill instanceof SharedTier.Fill.Unrecovered lost
          && mender.mend(offer.address, lost.epoch(), offer.loaded.route().shard())) {
        fill = fillAgain(offer, offer.encoded.bytes());
      }
      if (fill instanceof SharedTier.Fill.Stored) {
        judged(offer, fill);
      } else {
        listener.notKept(name, reasonOf(fill));
      }
      fills.add(fill);
    }
    return fills;
  }

  /** The last word on an offer: what Redis has taken is kept here as well. */
  private void judged(Offer<K, V> offer, SharedTier.Fill fill) {
    if (fill instanceof SharedTier.Fill.Stored) {
      if (offer.encoded instanceof ValueFormat.Encoded.Whole) {
        keeper.keepStored(offer.key, offer.loaded, offer.flight, offer.life);
      } else {
        counters.unshared.increment();
      }
      return;
    }
    counters.unshared.increment();
    listener.notKept(name, reasonOf(fill));
    boolean fromReplica = offer.label instanceof ReadLabel.Replica;
    if (fromReplica || fill instanceof SharedTier.Fill.Unrecovered) {
      // Refused otherwise, it is used up. Not waited for: this may be Redis' client's own thread.
      redis.releaseLater(offer.address, offer.leaseToken);
    }
    if (fromReplica
        && sweeper != null
        && fill instanceof SharedTier.Fill.Refused refused
        && (refused.why() == SharedTier.Refusal.IN_DOUBT
            || refused.why() == SharedTier.Refusal.NOT_NEW_ENOUGH)) {
      sweeper.mayBeDue(offer.loaded.route().shard(), offer.address);
    }
  }

  private static CacheListener.NotKept reasonOf(SharedTier.Fill fill) {
    return fill instanceof SharedTier.Fill.Refused refused
        ? refused.why().told()
        : CacheListener.NotKept.RECOVERING;
  }
}
