package dev.waymark.benchmarks;

import com.alicp.jetcache.SimpleCacheManager;
import com.alicp.jetcache.anno.CacheType;
import com.alicp.jetcache.template.QuickConfig;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.LoadingCache;
import com.zaxxer.hikari.HikariDataSource;
import dev.waymark.Consistency;
import dev.waymark.cache.Codec;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import java.net.URI;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.redisson.Redisson;
import org.redisson.api.RLocalCachedMap;
import org.redisson.api.RedissonClient;
import org.redisson.api.map.MapLoader;
import org.redisson.api.options.LocalCachedMapOptions;
import org.redisson.codec.TypedJsonJacksonCodec;
import org.redisson.config.Config;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisPooled;

/**
 * Opens one process' way to the profiles by its name in the summary. All caches hold as many
 * entries in the process, for 10 s, which is Waymark's default, and those with Redis keep them
 * there for 5 minutes.
 *
 * <p>{@code raw} asks the replica of a key's shard. The peers' caches load from the primary: what a
 * replica that is behind tells would stay in them for all of its life.
 */
final class ProfileContenders {
  private static final int ENTRIES = 10_000;
  private static final Duration OWN_LIFE = Duration.ofSeconds(10);
  private static final Duration SHARED_LIFE = Duration.ofMinutes(5);

  private final Topology topology;
  private final String redis;
  private final String cacheName;

  /**
   * For one round.
   *
   * @param cacheName of what is kept in Redis: earlier rounds' values are no longer true
   */
  ProfileContenders(Topology topology, String redis, String cacheName) {
    this.topology = topology;
    this.redis = redis;
    this.cacheName = cacheName;
  }

  Profiles open(String name) {
    return switch (name) {
      case Summary.RAW, Summary.NULL_CONTROL -> new ByHand(topology, Reads.REPLICA);
      case "waymark" -> new Waymark(Guarantee.NO_SESSION);
      case "waymark-session" -> new Waymark(Guarantee.SESSION);
      case "caffeine" -> caffeine();
      case "jetcache" -> jetCache();
      case "redisson" -> redisson();
      default -> throw new IllegalArgumentException("There is no contender '" + name + "'");
    };
  }

  /** Where it is read without a cache. */
  private enum Reads {
    PRIMARY,
    REPLICA
  }

  /** HikariCP and pgjdbc; a change is one statement in autocommit. */
  private static final class ByHand implements Profiles {
    private final Topology topology;
    private final List<HikariDataSource> primaries = new ArrayList<>();
    private final List<HikariDataSource> readers = new ArrayList<>();

    ByHand(Topology topology, Reads reads) {
      this.topology = topology;
      for (Topology.Nodes nodes : topology.shards()) {
        HikariDataSource primary = Contenders.pool(topology, nodes.primary(), new Properties());
        primaries.add(primary);
        readers.add(
            reads == Reads.PRIMARY
                ? primary
                : Contenders.pool(topology, nodes.replicas().get(0), new Properties()));
      }
    }

    @Override
    public Profile read(long key) throws SQLException {
      try (Connection connection = readers.get(topology.shardOf(key)).getConnection()) {
        return Profiles.find(connection, key);
      }
    }

    Profile load(long key) {
      try {
        return read(key);
      } catch (SQLException failed) {
        throw new IllegalStateException(failed);
      }
    }

    @Override
    public long change(long key) throws SQLException {
      try (Connection connection = primaries.get(topology.shardOf(key)).getConnection()) {
        return Profiles.change(connection, key);
      }
    }

    @Override
    public void close() {
      primaries.forEach(HikariDataSource::close);
      readers.forEach(HikariDataSource::close);
    }
  }

  /** A cache around {@link ByHand} that is told to forget a key after its change. */
  private record Cached(
      ByHand rows, LongFunction<Profile> cache, LongConsumer forget, List<AutoCloseable> opened)
      implements Profiles {
    @Override
    public Profile read(long key) {
      return cache.apply(key);
    }

    @Override
    public long change(long key) throws SQLException {
      long version = rows.change(key);
      forget.accept(key);
      return version;
    }

    @Override
    public void close() {
      for (AutoCloseable each : opened) {
        try {
          each.close();
        } catch (Exception failed) {
          throw new IllegalStateException("Closing a cache", failed);
        }
      }
      rows.close();
    }
  }

  private Profiles caffeine() {
    ByHand rows = new ByHand(topology, Reads.PRIMARY);
    LoadingCache<Long, Profile> cache =
        Caffeine.newBuilder().maximumSize(ENTRIES).expireAfterWrite(OWN_LIFE).build(rows::load);
    return new Cached(rows, cache::get, cache::invalidate, List.of());
  }

  private Profiles jetCache() {
    ByHand rows = new ByHand(topology, Reads.PRIMARY);
    URI address = URI.create(redis);
    JedisPooled jedis = new JedisPooled(new HostAndPort(address.getHost(), address.getPort()));
    SimpleCacheManager manager = JetCaches.manager(jedis, cacheName);
    com.alicp.jetcache.Cache<Long, Profile> cache =
        manager.getOrCreateCache(
            QuickConfig.newBuilder(cacheName)
                .cacheType(CacheType.BOTH)
                .syncLocal(true)
                .localLimit(ENTRIES)
                .localExpire(OWN_LIFE)
                .expire(SHARED_LIFE)
                .<Long, Profile>loader(rows::load)
                .build());
    return new Cached(rows, cache::get, cache::remove, List.of(manager::close, jedis));
  }

  private Profiles redisson() {
    ByHand rows = new ByHand(topology, Reads.PRIMARY);
    Config config = new Config();
    config.useSingleServer().setAddress(redis);
    RedissonClient client = Redisson.create(config);
    RLocalCachedMap<Long, Profile> map =
        client.getLocalCachedMap(
            LocalCachedMapOptions.<Long, Profile>name(cacheName)
                .codec(new TypedJsonJacksonCodec(Long.class, Profile.class))
                .cacheSize(ENTRIES)
                .timeToLive(OWN_LIFE)
                .syncStrategy(LocalCachedMapOptions.SyncStrategy.INVALIDATE)
                .loader(
                    new MapLoader<>() {
                      @Override
                      public Profile load(Long key) {
                        return rows.load(key);
                      }

                      @Override
                      public Iterable<Long> loadAllKeys() {
                        return List.of();
                      }
                    }));
    return new Cached(rows, map::get, map::fastRemove, List.of(client::shutdown));
  }

  /** What a client may rely on. */
  private enum Guarantee {
    /** As with the peers: a change is seen soon. */
    NO_SESSION,
    /** Each client, here a thread, sees its own writes and never goes back in time. */
    SESSION
  }

  /** Loads come from replicas that are provably fresh enough. */
  private final class Waymark implements Profiles {
    private final ShardedDatabase database =
        ShardedDatabase.open(WaymarkKeyed.config(topology, topology.shards().size()));
    private final RedisTier tier = StubRows.connect(redis);
    private final TieredCache<Long, Profile> cache;
    private final Guarantee guarantee;

    /** Not static: each process has sessions of its own. */
    @SuppressWarnings("ThreadLocalUsage")
    private final ThreadLocal<Session> sessions = ThreadLocal.withInitial(database::newSession);

    @SuppressWarnings("NullAway") // before JDK 22 it does not know type variables that may be null
    Waymark(Guarantee guarantee) {
      this.guarantee = guarantee;
      TieredCache.Builder<Long, Profile> builder =
          TieredCache.<Long, Profile>builder(
                  cacheName,
                  key ->
                      database.<@Nullable Profile, SQLException>readPositioned(
                          key, connection -> Profiles.find(connection, key)))
              .primaryLoader(
                  key ->
                      database.<@Nullable Profile, SQLException>readPositioned(
                          key, Consistency.strong(), connection -> Profiles.find(connection, key)))
              .redis(tier)
              .horizons(database::horizon)
              .codec(Codec.json(Profile.class, 1))
              .maximumSize(ENTRIES)
              .l1TimeToLive(OWN_LIFE)
              .timeToLive(SHARED_LIFE);
      if (guarantee == Guarantee.SESSION) {
        builder
            .sessionToken(database::seen)
            .sessionSaw(shown -> database.currentSession().join(shown));
      }
      cache = builder.build();
    }

    private Session.Binding bind() {
      return guarantee == Guarantee.SESSION ? sessions.get().bind() : () -> {};
    }

    @Override
    public Profile read(long key) {
      try (Session.Binding bound = bind()) {
        return Objects.requireNonNull(cache.get(key));
      }
    }

    @Override
    public long change(long key) throws SQLException {
      try (Session.Binding bound = bind()) {
        return database.<Long, SQLException>transaction(
            key,
            transaction -> {
              long version = Profiles.change(transaction.connection(), key);
              cache.invalidate(transaction, key);
              return version;
            });
      }
    }

    @Override
    public void close() {
      tier.close();
      database.close();
    }
  }
}
