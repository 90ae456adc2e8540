package dev.waymark.history;

import dev.waymark.Horizon;
import dev.waymark.Horizons;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.WeakenedRedis;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What keeps the cache's answers right, piece by piece; a history can do without any of them. */
enum CacheGuard {
  /** A fill needs the lease that stands. */
  LEASE_TOKEN,
  /** A fill answers for the writers in doubt when its lease was given, not only for today's. */
  LEASE_COPY,
  /** A fill must be proven to show the writers in doubt. */
  SNAPSHOT,
  /** A replica's fill must have replayed the cell's last known commit. */
  POSITION_FLOOR,
  /** Values and leases of another epoch are unreadable. */
  EPOCH,
  /** Another server, or one that was restarted, begins a new epoch. */
  INCARNATION,
  /** After a loss nothing is kept that may lack a forgotten writer. */
  HORIZON,
  /** The horizon is an id given out after the loss, not the end of a snapshot. */
  ASSIGNED_HORIZON,
  /** A horizon that was drawn before another loss does not count. */
  RECOVERY_TOKEN,
  /** An old primary proves nothing about the writers of the new one. */
  TIMELINE,
  /** The right to put belongs to one announcement, not to a transaction. */
  INTENT,
  /** L1 answers only while the channel is proven. */
  CHANNEL_LEASE;

  String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * The guards that a word leaves out.
   *
   * @param word {@code on}, {@code off}, or names of guards with commas between them
   * @throws IllegalArgumentException if there is no guard of such a name
   */
  static Set<CacheGuard> leftOutBy(String word) {
    if (word.equals("on")) {
      return EnumSet.noneOf(CacheGuard.class);
    }
    if (word.equals("off")) {
      return EnumSet.allOf(CacheGuard.class);
    }
    EnumSet<CacheGuard> missing = EnumSet.noneOf(CacheGuard.class);
    for (String name : word.split(",")) {
      missing.add(
          Stream.of(values())
              .filter(guard -> guard.label().equals(name))
              .findFirst()
              .orElseThrow(
                  () ->
                      new IllegalArgumentException(
                          "There is no guard '"
                              + name
                              + "'; there are on, off, "
                              + Stream.of(values())
                                  .map(CacheGuard::label)
                                  .collect(Collectors.joining(", ")))));
    }
    return missing;
  }

  static RedisTier connect(WaymarkConfig.Redis settings, Set<CacheGuard> missing) {
    if (missing.isEmpty()) {
      return RedisTier.connect(settings);
    }
    List<String> parts = new ArrayList<>();
    for (CacheGuard guard : missing) {
      if (WeakenedRedis.GUARDS.contains(guard.label())) {
        parts.add(guard.label());
      }
    }
    return WeakenedRedis.connect(settings, parts);
  }

  static Horizons horizons(Horizons drawn, Set<CacheGuard> missing) {
    if (!missing.contains(ASSIGNED_HORIZON)) {
      return drawn;
    }
    return shard -> {
      Horizon horizon = drawn.draw(shard);
      return new Horizon(horizon.snapshot().xmax(), horizon.snapshot(), horizon.position());
    };
  }

  /** Without the channel's lease a proof lasts as long as the process. */
  static Duration proofLasts(Duration bound, Set<CacheGuard> missing) {
    return missing.contains(CHANNEL_LEASE) ? Duration.ofHours(1) : bound;
  }
}
