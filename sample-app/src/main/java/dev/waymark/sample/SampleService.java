package dev.waymark.sample;

import dev.waymark.WaymarkConfig;
import dev.waymark.cache.CacheMetrics;
import dev.waymark.cache.Codec;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.RoutingMetrics;
import dev.waymark.routing.ShardedDatabase;
import io.opentelemetry.api.OpenTelemetry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The service: a database, a cache, a web server. What is opened is closed in the reverse order,
 * also when opening fails half-way.
 */
final class SampleService implements AutoCloseable {
  private static final Duration REAPED_EVERY = Duration.ofSeconds(15);

  private final Deque<AutoCloseable> opened;
  private final ServerSettings settings;
  private final Telemetry telemetry;
  private final ShardedDatabase database;
  private final TieredCache<Long, User> userCache;
  private final Purges purges;
  private final UniqueEmails emails;
  private final Reaper reaper;
  private final Users users;
  private final Orders orders;
  private final Workers workers;
  private final AccountPayments payments;
  private final Checkouts checkouts;
  private final Outbox outbox;
  private final @Nullable EventStream events;
  private final Traffic traffic;

  private SampleService(
      Deque<AutoCloseable> opened,
      ServerSettings settings,
      Telemetry telemetry,
      ShardedDatabase database,
      TieredCache<Long, User> userCache,
      Traffic traffic,
      @Nullable EventStream events) {
    this.opened = opened;
    this.settings = settings;
    this.telemetry = telemetry;
    this.database = database;
    this.userCache = userCache;
    this.traffic = traffic;
    this.purges =
        new Purges(
            settings.purgeUrl() == null
                ? null
                : SurrogatePurge.by(settings.purgeUrl(), settings.purgeToken()));
    opened.push(purges);
    this.emails = new UniqueEmails(database, settings.emailGrace());
    this.reaper = new Reaper(database, emails);
    opened.push(reaper);
    this.users = new Users(database, userCache, emails, purges);
    this.orders = new Orders(database);
    this.events = events;
    this.outbox = new Outbox(database);
    WorkSettings work = settings.work();
    this.workers = new Workers(database, work, telemetry.registry());
    opened.push(workers);
    this.payments = new AccountPayments(database, emails::ring, work.openingBalance());
    this.checkouts = new Checkouts(database, orders, payments, workers, work.patience());
  }

  /** Everything but the web server, as it is where nothing else is said. */
  static SampleService open(WaymarkConfig config) {
    return open(config, ServerSettings.defaults(), OpenTelemetry.noop());
  }

  /** Everything but the web server. */
  static SampleService open(
      WaymarkConfig config, ServerSettings settings, OpenTelemetry openTelemetry) {
    SampleSchema.check(config.map());
    Deque<AutoCloseable> opened = new ArrayDeque<>();
    try {
      Telemetry telemetry = new Telemetry(openTelemetry);
      opened.push(telemetry);

      RoutingMetrics routing = new RoutingMetrics(telemetry.registry());
      Traffic traffic = new Traffic(InstantSource.system());
      ShardedDatabase database = ShardedDatabase.open(config, routing.and(traffic));
      opened.push(database);
      routing.watch(database);

      CacheMetrics caching = new CacheMetrics(telemetry.registry());
      TieredCache.Builder<Long, User> cache =
          TieredCache.<Long, User>builder("users", id -> Users.load(database, id))
              .sessionToken(database::seen)
              .sessionSaw(shown -> database.currentSession().join(shown))
              .keyRendering(config.keys())
              .listener(caching);
      RedisTier redis = null;
      EventStream events = null;
      if (config.redis().isPresent()) {
        events = EventStream.over(config.redis().get());
        opened.push(events);
        redis = RedisTier.connect(config.redis().get(), caching.and(traffic.ofCache()));
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
      caching.watch(userCache);
      if (redis != null) {
        // Does nothing unless changes.enabled is set. After the caches, which it is for.
        opened.push(database.changes(redis.changes()));
      }
      return new SampleService(opened, settings, telemetry, database, userCache, traffic, events);
    } catch (RuntimeException | Error failure) {
      closeAll(opened);
      throw failure;
    }
  }

  /** Starts the web server, with what is to be served besides the API. */
  WebServer serve(String host, int port, Routes... more) {
    Replies replies = new Replies(InstantSource.system(), purges);
    List<Operation> api = new ArrayList<>();
    api.addAll(new UserRoutes(users, replies).operations());
    api.addAll(new OrderRoutes(orders, checkouts, replies).operations());
    List<Routes> others = new ArrayList<>();
    others.add(new DocumentRoutes(api, replies));
    others.add(telemetry);
    others.add(
        new AdminRoutes(
            new AccessToken(settings.adminToken()), database, userCache, reaper, replies));
    others.addAll(List.of(more));
    WebServer server =
        WebServer.start(
            new WebServer.Parts(
                database,
                replies,
                telemetry.observation(),
                new RateLimit(settings.requestsPerSecond(), System::nanoTime),
                new HealthRoutes(database, replies),
                api,
                others,
                settings.drain()),
            host,
            port);
    opened.push(server);
    reaper.start(REAPED_EVERY);
    startWork();
    return server;
  }

  /** Takes part in what no request waits for: checkouts, telling events, hearing them. */
  void startWork() {
    EventStream told = events;
    if (told == null) {
      // What happens waits in the outbox for a process that has a Redis.
      workers.start(checkouts::carryOn, null);
      return;
    }
    workers.start(checkouts::carryOn, anyKey -> outbox.relay(anyKey, told::append));
    Activity activity = new Activity(database, told, settings.work().claimAfter());
    opened.push(activity);
    activity.start(settings.work().poll());
  }

  /** The same, with the live page. */
  WebServer serve(String host, int port, LivePage page) {
    WebServer server = serve(host, port, (Routes) page);
    page.start();
    // Closed first: its open streams would hold the server up.
    opened.push(page);
    return server;
  }

  /** The live page, to look at. */
  LivePage page() {
    return LivePage.readOnly(database, userCache, traffic);
  }

  /** The live page with buttons, for those who have the token. */
  LivePage page(DemoControls controls, String token) {
    return LivePage.withControls(database, userCache, traffic, controls, token);
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

  Checkouts checkouts() {
    return checkouts;
  }

  AccountPayments payments() {
    return payments;
  }

  UniqueEmails emails() {
    return emails;
  }

  Reaper reaper() {
    return reaper;
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
