package dev.waymark.cache;

import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.SessionToken;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** Reads that neither tier could answer: loads, and what becomes of what they bring. Shared. */
final class DatabaseReads<K, V> {
  private final String name;
  private final Settings<K, V> settings;
  private final RedisTier redis;
  private final Loads<K, V> loads;
  private final Fills<K, V> fills;
  private final Keeper<K, V> keeper;
  private final Sessions sessions;
  private final Counters counters;
  private final CacheListener listener;

  DatabaseReads(
      String name,
      Settings<K, V> settings,
      RedisTier redis,
      Loads<K, V> loads,
      Fills<K, V> fills,
      Keeper<K, V> keeper,
      Sessions sessions,
      Counters counters,
      CacheListener listener) {
    this.name = name;
    this.settings = settings;
    this.redis = redis;
    this.loads = loads;
    this.fills = fills;
    this.keeper = keeper;
    this.sessions = sessions;
    this.counters = counters;
    this.listener = listener;
  }

  /** A hit that is to be loaded is a value that is not kept: nobody judges the load either. */
  boolean onlyThePrimaryWillDo(SharedTier.Lookup found) {
    return settings.primaryLoader() != null
        && (found instanceof SharedTier.Lookup.Awaited
            || found instanceof SharedTier.Lookup.Hit
            || (found instanceof SharedTier.Lookup.Leased leased
                && leased.doubt() == SharedTier.Doubt.IN_DOUBT));
  }

  /**
   * One key, and its value into the tiers that may have it.
   *
   * @param found what Redis has said of it
   */
  CacheAnswer<V> read(
      K key,
      CacheKey address,
      String leaseToken,
      SharedTier.Lookup found,
      SessionToken session,
      SingleFlight.Flight<V> flight) {
    counters.misses.increment();
    Loader<K, V> onPrimary = settings.primaryLoader();
    Loader<K, V> from =
        onPrimary != null && onlyThePrimaryWillDo(found) ? onPrimary : settings.loader();
    if (!(found instanceof SharedTier.Lookup.Leased)) {
      return keepUnleased(key, found, loads.load(from, key), session, flight);
    }

    redis.steps().at(Steps.Step.LEASED, name, address.hash());
    PositionedRead<@Nullable V> loaded;
    try {
      loaded = loads.load(from, key);
    } catch (RuntimeException | Error failure) {
      redis.release(address, leaseToken);
      throw failure;
    }
    redis.steps().at(Steps.Step.LOADED, name, address.hash());
    if (!mayBeOld(loaded)) {
      // Those who wait get it now, not after Redis has been told.
      flight.land(answer(loaded), loaded.mark());
    }
    Fills.Offer<K, V> offer = fills.offer(key, address, leaseToken, loaded, flight);
    if (mayBeOld(loaded)) {
      return answerOnce(offer, fills.fillAll(List.of(offer)).get(0));
    }
    fills.fillLater(offer);
    return answer(loaded);
  }

  /**
   * Keys of one shard: one load, one round trip to fill.
   *
   * @param answers takes each answer
   */
  void readGroup(
      BulkLoader<K, V> bulkLoader,
      List<Wanted<K, V>> group,
      String leaseToken,
      SessionToken session,
      BiConsumer<K, CacheAnswer<V>> answers) {
    counters.misses.add(group.size());
    for (Wanted<K, V> each : group) {
      step(Steps.Step.LEASED, each);
    }
    Map<K, PositionedRead<@Nullable V>> loaded =
        loads.loadAll(bulkLoader, group.stream().map(each -> each.key).toList());
    List<Fills.Offer<K, V>> judgedNow = new ArrayList<>();
    for (Wanted<K, V> each : group) {
      step(Steps.Step.LOADED, each);
      PositionedRead<@Nullable V> read = Objects.requireNonNull(loaded.get(each.key));
      if (!(each.found instanceof SharedTier.Lookup.Leased)) {
        answers.accept(each.key, keepUnleased(each.key, each.found, read, session, each.flight));
        continue;
      }
      Fills.Offer<K, V> offer = fills.offer(each.key, each.address, leaseToken, read, each.flight);
      if (mayBeOld(read)) {
        judgedNow.add(offer);
      } else {
        each.flight.land(answer(read), read.mark());
        answers.accept(each.key, answer(read));
        fills.fillLater(offer);
      }
    }
    List<SharedTier.Fill> verdicts = fills.fillAll(judgedNow);
    for (int i = 0; i < judgedNow.size(); i++) {
      Fills.Offer<K, V> offer = judgedNow.get(i);
      answers.accept(offer.key(), answerOnce(offer, verdicts.get(i)));
    }
  }

  private void step(Steps.Step step, Wanted<K, V> each) {
    if (each.found instanceof SharedTier.Lookup.Leased) {
      redis.steps().at(step, name, each.address.hash());
    }
  }

  /** A replica's answer that the primary can be asked about. */
  private boolean mayBeOld(PositionedRead<?> loaded) {
    return settings.primaryLoader() != null && loaded.route().role() == Role.REPLICA;
  }

  /** What was loaded without the right to fill Redis. */
  private CacheAnswer<V> keepUnleased(
      K key,
      SharedTier.Lookup found,
      PositionedRead<@Nullable V> loaded,
      SessionToken session,
      SingleFlight.Flight<V> flight) {
    if (found instanceof SharedTier.Lookup.Unavailable) {
      counters.degraded.increment();
      listener.notKept(name, CacheListener.NotKept.UNAVAILABLE);
      keeper.keepUnvouched(key, loaded, flight);
      sessions.shown(loaded.position(), loaded.mark(), session);
    } else if (found instanceof SharedTier.Lookup.Alone) {
      keeper.keepUnvouched(key, loaded, flight);
    } else {
      // Another process' load is under way: its value is the one that Redis vouches for.
      if (settings.lifetime().keeps(loaded.value())) {
        counters.unshared.increment();
      }
      if (found instanceof SharedTier.Lookup.Awaited) {
        listener.notKept(name, CacheListener.NotKept.LEASE_TAKEN);
      }
    }
    flight.land(answer(loaded), loaded.mark());
    return answer(loaded);
  }

  /** A replica's answer after its verdict: from the primary where it was refused. */
  private CacheAnswer<V> answerOnce(Fills.Offer<K, V> offer, SharedTier.Fill fill) {
    PositionedRead<@Nullable V> loaded = offer.loaded();
    Loader<K, V> onPrimary = settings.primaryLoader();
    if (onPrimary != null && !(fill instanceof SharedTier.Fill.Stored)) {
      // The replica may lack a change that somebody has already seen.
      try {
        loaded = loads.load(onPrimary, offer.key());
      } catch (RuntimeException | Error failure) {
        redis.release(offer.address(), offer.leaseToken());
        throw failure;
      }
      fills.fillLater(
          fills.offer(offer.key(), offer.address(), offer.leaseToken(), loaded, offer.flight()));
    }
    offer.flight().land(answer(loaded), loaded.mark());
    return answer(loaded);
  }

  private static <V> CacheAnswer<V> answer(PositionedRead<@Nullable V> loaded) {
    return new CacheAnswer<>(
        loaded.value(), CacheAnswer.Tier.DATABASE, loaded.position(), loaded.route());
  }
}
