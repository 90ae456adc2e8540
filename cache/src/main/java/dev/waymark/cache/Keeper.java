package dev.waymark.cache;

import static dev.waymark.cache.Durations.shorter;

import dev.waymark.LogPosition;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** What goes into L1, and for how long. Safe to share. */
final class Keeper<K, V> {
  private final Settings<K, V> settings;
  private final LocalTier<K, V> local;
  private final HotKeys<K> hotKeys;
  private final Time time;

  Keeper(Settings<K, V> settings, LocalTier<K, V> local, HotKeys<K> hotKeys, Time time) {
    this.settings = settings;
    this.local = local;
    this.hotKeys = hotKeys;
    this.time = time;
  }

  /** Whether a hit is young enough against writers that announce nothing. */
  boolean isYoungEnough(SharedTier.Lookup.Hit hit) {
    Duration bound = settings.changesBound();
    return bound == null || (hit.age() != null && hit.age().compareTo(bound) <= 0);
  }

  /** For how long a hit will be young enough; null for as long as it lives. */
  private @Nullable Duration stillYoungEnough(SharedTier.Lookup.Hit hit) {
    Duration bound = settings.changesBound();
    return bound == null || hit.age() == null ? null : bound.minus(hit.age());
  }

  /** The same of a value that was loaded. */
  private @Nullable Duration stillYoungEnough(Role from, SingleFlight.Flight<V> flight) {
    Duration bound = settings.changesBound();
    if (bound == null) {
      return null;
    }
    // What a replica lacks, and nobody has announced, is known when Redis is asked for the value.
    return from == Role.PRIMARY
        ? bound.minusNanos(time.nanos() - flight.beganAtNanos())
        : Duration.ZERO;
  }

  /** A value that Redis has. */
  void keepHit(
      K key,
      ValueFormat.Decoded.Value<V> stored,
      SharedTier.Lookup.Hit hit,
      SingleFlight.Flight<V> flight) {
    keep(
        key,
        stored.value(),
        stored.position(),
        stored.readAt(),
        flight,
        hit.remaining(),
        stillYoungEnough(hit));
  }

  /**
   * A loaded value that Redis has taken.
   *
   * @param life in Redis
   */
  void keepStored(
      K key, PositionedRead<@Nullable V> loaded, SingleFlight.Flight<V> flight, Duration life) {
    keep(
        key,
        loaded.value(),
        loaded.position(),
        loaded.position(),
        flight,
        life,
        stillYoungEnough(loaded.route().role(), flight));
  }

  private void keep(
      K key,
      @Nullable V value,
      @Nullable LogPosition position,
      @Nullable LogPosition readAt,
      SingleFlight.Flight<V> flight,
      Duration remaining,
      @Nullable Duration youngEnough) {
    if (!local.holdsEntries()) {
      return;
    }
    // Gone from here when it is to be fetched anew there: else nobody would notice in time.
    Duration atMost =
        remaining.compareTo(settings.refreshAhead()) > 0
            ? remaining.minus(settings.refreshAhead())
            : remaining;
    // The channel vouches for it as long as it lives: its time in L1 only clears what is not used.
    Duration life =
        settings.isFenced() && hotKeys.isHot(key)
            ? atMost
            : shorter(atMost, settings.l1TimeToLive());
    if (youngEnough != null) {
      life = shorter(life, youngEnough);
    }
    local.put(
        key,
        new LocalTier.Entry<>(
            value,
            position,
            flight.stamp(),
            flight.beganAtNanos(),
            time.nanos() + life.toNanos(),
            null,
            settings.isFenced() ? null : shownBy(position),
            readAt));
  }

  /** A value that no Redis vouches for: it may be as old as L1 may be, counted from its load. */
  void keepUnvouched(K key, PositionedRead<@Nullable V> loaded, SingleFlight.Flight<V> flight) {
    Duration bound = settings.l1StalenessBound();
    if (bound != null && loaded.route().role() != Role.PRIMARY) {
      // It may have been as old as the replica lags when it came.
      return;
    }
    Duration life = shorter(settings.lifeOf(loaded.value()), settings.l1TimeToLive());
    if (bound != null) {
      life = shorter(life, bound);
    }
    if (settings.changesBound() != null) {
      life = shorter(life, settings.changesBound());
    }
    local.put(
        key,
        new LocalTier.Entry<>(
            loaded.value(),
            loaded.position(),
            flight.stamp(),
            flight.beganAtNanos(),
            flight.beganAtNanos() + life.toNanos(),
            loaded.mark(),
            loaded.route().role() == Role.PRIMARY ? flight.seen() : shownBy(loaded.position()),
            loaded.position()));
  }

  private static Seen shownBy(@Nullable LogPosition position) {
    return position == null ? Seen.nothing() : Seen.upTo(position);
  }
}
