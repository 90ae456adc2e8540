package dev.waymark.cache;

import dev.waymark.PositionedRead;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Offers Redis what was loaded, and sees to its verdicts. Safe to share. */
final class Fills<K, V> {
  /**
   * For how long nobody tries again whether a value has become small enough or can be encoded,
   * unless it changes.
   */
  private static final Duration LONGEST_UNKEPT = Duration.ofMinutes(1);

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
   * @param encoded the value, or a word in its place if it is not to be kept or cannot be
   * @param life how long that stays in Redis
   */
  record Offer<K, V>(
      K key,
      CacheKey address,
      String leaseToken,
      PositionedRead<@Nullable V> loaded,
      SingleFlight.Flight<V> flight,
      ValueFormat.Encoded encoded,
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
    // An absence that is not remembered is told of all the same, as long as a lease would last:
    // whoever waited for the lease would get it one after the other, each for a load of its own.
    boolean isKept = settings.lifetime().keeps(loaded.value());
    Duration life =
        isKept
            ? settings.lifeOf(loaded.value())
            : Durations.shorter(SharedTier.LEASE, settings.lifetime().whole());
    ValueFormat.Encoded encoded =
        isKept ? writer.encode(loaded.value(), loaded.position()) : writer.unkept();
    return new Offer<>(
        key,
        address,
        leaseToken,
        loaded,
        flight,
        encoded,
        encoded instanceof ValueFormat.Encoded.Whole
            ? life
            : Durations.shorter(life, LONGEST_UNKEPT),
        settings.isFenced()
            ? ReadLabel.of(loaded)
            : new ReadLabel.Unfenced(loaded.route().shard()));
  }

  /** Offers a value to Redis; nobody waits for the verdict. */
  void fillLater(Offer<K, V> offer) {
    redis.fillLater(
        offer.address,
        offer.leaseToken,
        offer.encoded.bytes(),
        offer.life,
        offer.label,
        fill -> {
          if (!(fill instanceof SharedTier.Fill.Unrecovered lost)
              || !mender.mendLater(
                  offer.address,
                  lost.epoch(),
                  offer.loaded.route().shard(),
                  () -> judged(offer, fillAgain(offer)),
                  () -> judged(offer, fill))) {
            judged(offer, fill);
          }
        });
  }

  /**
   * Accepted if nobody else got a transaction id in the meantime: an idle database's first reader
   * fills.
   */
  private SharedTier.Fill fillAgain(Offer<K, V> offer) {
    return redis.fill(
        offer.address, offer.leaseToken, offer.encoded.bytes(), offer.life, offer.label);
  }

  /** Offers values to Redis and waits for the verdicts; the leases of those refused stand. */
  List<SharedTier.Fill> fillAll(List<Offer<K, V>> offers) {
    List<SharedTier.Filling> fillings = new ArrayList<>();
    for (Offer<K, V> offer : offers) {
      fillings.add(
          new SharedTier.Filling(
              offer.address, offer.leaseToken, offer.encoded.bytes(), offer.life, offer.label));
    }
    Iterator<SharedTier.Fill> verdicts = redis.fillAll(fillings).iterator();
    List<SharedTier.Fill> fills = new ArrayList<>();
    for (Offer<K, V> offer : offers) {
      SharedTier.Fill fill = verdicts.next();
      if (fill instanceof SharedTier.Fill.Unrecovered lost
          && mender.mend(offer.address, lost.epoch(), offer.loaded.route().shard())) {
        fill = fillAgain(offer);
      }
      if (fill instanceof SharedTier.Fill.Stored) {
        judged(offer, fill);
      } else if (isWanted(offer)) {
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
      } else if (isWanted(offer)) {
        counters.unshared.increment();
      }
      return;
    }
    if (isWanted(offer)) {
      counters.unshared.increment();
      listener.notKept(name, reasonOf(fill));
    }
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

  /** Whether it is a loss that others cannot share it. */
  private boolean isWanted(Offer<K, V> offer) {
    return settings.lifetime().keeps(offer.loaded.value());
  }

  private static CacheListener.NotKept reasonOf(SharedTier.Fill fill) {
    return fill instanceof SharedTier.Fill.Refused refused
        ? refused.why().told()
        : CacheListener.NotKept.RECOVERING;
  }
}
