package dev.waymark.sample;

import dev.waymark.WaymarkConfig;
import dev.waymark.cache.Codec;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * The service: a database, a cache, a web server. What is opened is closed in the reverse order,
 * also when opening fails half-way.
 */
final class SampleService implements AutoCloseable {
  private final Deque<AutoCloseable> opened;
  private final ShardedDatabase database;
  private final TieredCache<Long, User> userCache;
  private final Users users;
  private final Orders orders;

  private SampleService(
      Deque<AutoCloseable> opened,
      ShardedDatabase database,
      TieredCache<Long, User> userCache,
      Users users,
      Orders orders) {
    this.opened = opened;
    this.database = database;
    this.userCache = userCache;
    this.users = users;
    this.orders = orders;
  }

  /** Everything but the web server. */
  static SampleService open(WaymarkConfig config) {
    SampleSchema.check(config.map());
    Deque<AutoCloseable> opened = new ArrayDeque<>();
    try {
      ShardedDatabase database = ShardedDatabase.open(config);
      opened.push(database);

      TieredCache.Builder<Long, User> cache =
          TieredCache.<Long, User>builder("users", id -> Users.load(database, id))
              .sessionToken(database::seen)
              .sessionSaw(shown -> database.currentSession().join(shown))
              .keyRendering(config.keys());
      RedisTier redis = null;
      if (config.redis().isPresent()) {
        redis = RedisTier.connect(config.redis().get());
        opened.push(redis);
        cache
            .redis(redis)
            .codec(Codec.json(User.class, 1))
            .horizons(database::horizon)
            .primaryLoader(id -> Users.loadFromPrimary(database, id))
            .changedBy("users", row -> List.of(Long.valueOf(row.value("id").orElseThrow())))
            .writeThrough()
            // To change a name matters more here than that nobody reads the old one for a while.
            .commitWithoutRedis();
      }
      TieredCache<Long, User> userCache = cache.build();
      if (redis != null) {
        // Does nothing unless changes.enabled is set. After the caches, which it is for.
        opened.push(database.changes(redis.changes()));
      }
      return new SampleService(
          opened, database, userCache, new Users(database, userCache), new Orders(database));
    } catch (RuntimeException | Error failure) {
      closeAll(opened);
      throw failure;
    }
  }

  /** Starts the web server. */
  WebServer serve(String host, int port) {
    WebServer server = WebServer.start(database, users, orders, host, port);
    opened.push(server);
    return server;
  }

  ShardedDatabase database() {
    return database;
  }

  TieredCache<Long, User> userCache() {
    return userCache;
  }

  Users users() {
    return users;
  }

  Orders orders() {
    return orders;
  }

  @Override
  public void close() {
    closeAll(opened);
  }

  private static void closeAll(Deque<AutoCloseable> opened) {
    while (!opened.isEmpty()) {
      AutoCloseable next = opened.pop();
      try {
        next.close();
      } catch (Exception failure) {
        // What remains is closed all the same.
        org.slf4j.LoggerFactory.getLogger(SampleService.class)
            .warn("{} did not close", next, failure);
      }
    }
  }
}
