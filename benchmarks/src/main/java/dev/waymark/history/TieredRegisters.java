package dev.waymark.history;

import dev.waymark.Consistency;
import dev.waymark.Horizon;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.SessionToken;
import dev.waymark.Transaction;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.CacheAnswer;
import dev.waymark.cache.Codec;
import dev.waymark.cache.Loader;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.history.Operation.Kind;
import dev.waymark.routing.Session;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/** Registers behind Waymark's cache, each group of them behind one that is used in another way. */
final class TieredRegisters implements CachedRegisters {
  /** How a group of registers is cached. */
  enum Group {
    /** Without L1, loaded from the primary. */
    PRIMARY,
    /** Without L1, loaded from replicas where that can be proven, and put by their writers. */
    REPLICAS,
    /** With L1, loaded from replicas where that can be proven, and put by their writers. */
    NEAR,
    /** The same; short-lived in Redis, fetched anew ahead of its end and after changes. */
    FRESHENED;

    boolean hasL1() {
      return this == NEAR || this == FRESHENED;
    }
  }

  private static final Duration SHORT_LIFE = Duration.ofSeconds(2);
  private static final Duration AHEAD = Duration.ofMillis(500);

  private final RedisTier redis;
  private final ExecutorService background = Executors.newFixedThreadPool(2);
  private final CacheKind.Setting setting;
  private final List<TieredCache<Long, Register>> caches = new ArrayList<>();

  TieredRegisters(CacheKind.Setting setting) {
    this.setting = setting;
    Set<CacheGuard> missing = CacheGuard.leftOutBy(setting.guards());
    redis = CacheGuard.connect(WaymarkConfig.Redis.at(setting.redisUrl()), missing);
    for (Group group : Group.values()) {
      caches.add(cache(group, missing));
    }
  }

  private TieredCache<Long, Register> cache(Group group, Set<CacheGuard> missing) {
    Loader<Long, Register> fromPrimary = loader(Consistency.strong());
    TieredCache.Builder<Long, Register> builder =
        TieredCache.<Long, Register>builder(
                group.name().toLowerCase(Locale.ROOT),
                group == Group.PRIMARY ? fromPrimary : loader(Consistency.session()))
            .redis(redis)
            .codec(Codec.json(Register.class, 1))
            .primaryLoader(fromPrimary)
            .horizons(CacheGuard.horizons(this::horizon, missing))
            .sessionToken(this::seen)
            .sessionSaw(
                seen -> {
                  Session session = setting.session().get();
                  if (session != null) {
                    session.join(seen);
                  }
                });
    if (group != Group.PRIMARY) {
      builder.writeThrough();
    }
    if (setting.withoutRedis() == WithoutRedis.OWE) {
      builder.commitWithoutRedis();
    }
    if (group.hasL1()) {
      builder.l1StalenessBound(CacheGuard.proofLasts(setting.bound(), missing));
    } else {
      builder.withoutL1();
    }
    if (group == Group.FRESHENED) {
      builder
          .timeToLive(SHORT_LIFE)
          .refreshAhead(AHEAD, background)
          .staleWhileRevalidate(setting.bound(), background);
    }
    return builder.build();
  }

  private Horizon horizon(String shard) {
    Horizon drawn = setting.database().horizon(shard);
    setting.dawdle().dawdle();
    return drawn;
  }

  private SessionToken seen() {
    Session session = setting.session().get();
    return session == null ? SessionToken.empty() : session.seen();
  }

  private Loader<Long, Register> loader(Consistency consistency) {
    return key -> {
      PositionedRead<@Nullable Register> loaded =
          setting
              .database()
              .<@Nullable Register, SQLException>readPositioned(
                  key, consistency, connection -> setting.rows().read(connection, key));
      setting.dawdle().dawdle();
      return loaded;
    };
  }

  @Override
  public Seen read(long key) {
    Group group = groupOf(key);
    CacheAnswer<Register> answer = caches.get(group.ordinal()).lookup(key);
    return new Seen(CachedRegisters.orAbsent(answer.value()), kind(group, answer));
  }

  private Kind kind(Group group, CacheAnswer<Register> answer) {
    Route route = answer.route();
    if (setting.withoutRedis() == WithoutRedis.OWE) {
      return Kind.OWED_READ;
    }
    if (route != null && route.role() == Role.REPLICA) {
      return Kind.REPLICA_READ;
    }
    if (group.hasL1()) {
      return answer.tier() == CacheAnswer.Tier.L1 ? Kind.L1_READ : Kind.NEAR_READ;
    }
    return route == null ? Kind.L2_READ : Kind.LOADED_READ;
  }

  @Override
  public void changed(Transaction transaction, long key, Register register, Change change) {
    TieredCache<Long, Register> cache = caches.get(groupOf(key).ordinal());
    switch (change) {
      case INVALIDATE -> cache.invalidate(transaction, key);
      case PUT -> cache.put(transaction, key, register);
    }
  }

  private Group groupOf(long key) {
    return Group.values()[setting.groups().applyAsInt(key)];
  }

  @Override
  public boolean isUp() {
    return redis.isAvailable();
  }

  @Override
  public void forgetOwnMemory() {
    caches.forEach(TieredCache::flushL1);
  }

  @Override
  public void close() {
    background.shutdownNow();
    redis.close();
  }
}
