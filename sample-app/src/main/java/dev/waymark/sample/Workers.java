package dev.waymark.sample;

import com.github.kagkarlsson.scheduler.Scheduler;
import com.github.kagkarlsson.scheduler.SchedulerClient;
import com.github.kagkarlsson.scheduler.SchedulerName;
import com.github.kagkarlsson.scheduler.event.AbstractSchedulerListener;
import com.github.kagkarlsson.scheduler.event.SchedulerListener;
import com.github.kagkarlsson.scheduler.jdbc.PostgreSqlJdbcCustomization;
import com.github.kagkarlsson.scheduler.logging.LogLevel;
import com.github.kagkarlsson.scheduler.stats.MicrometerStatsRegistry;
import com.github.kagkarlsson.scheduler.stats.StatsRegistryAdapter;
import com.github.kagkarlsson.scheduler.task.ExecutionComplete;
import com.github.kagkarlsson.scheduler.task.ExecutionOperations;
import com.github.kagkarlsson.scheduler.task.Task;
import com.github.kagkarlsson.scheduler.task.TaskDescriptor;
import com.github.kagkarlsson.scheduler.task.helper.Tasks;
import com.github.kagkarlsson.scheduler.task.schedule.FixedDelay;
import dev.waymark.LogPosition;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.WaymarkException;
import dev.waymark.routing.ShardedDatabase;
import io.micrometer.core.instrument.MeterRegistry;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Does what was decided in a transaction and comes after it: the steps of checkouts, and telling
 * events. db-scheduler does the work of it: a table on each shard holds what is to be done, each
 * process takes from it, and takes over from those whose heartbeats are missing.
 *
 * <p>Such a process may only be slow, so that the same work may be done twice at the same time:
 * whatever is done here must bear that. Thread-safe.
 */
final class Workers implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Workers.class);

  private static final TaskDescriptor<Void> CHECKOUT = TaskDescriptor.of("checkout");

  /** The name of the one that stands in {@code schema.sql}. */
  private static final String RELAY = "outbox";

  /** Of each shard. */
  private static final int THREADS = 4;

  /**
   * How long db-scheduler waits for one answer of a shard. Its connections have no deadline: one to
   * a primary that was frozen would be waited for for ever, whoever has been promoted since.
   */
  private static final Duration LONGEST_ANSWER = Duration.ofSeconds(10);

  private static final int MISSED_HEARTBEATS = 4;
  private static final Duration LONGEST_STOP = Duration.ofSeconds(2);
  private static final Duration FIRST_PAUSE = Duration.ofMillis(500);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

  private final ShardedDatabase database;
  private final WorkSettings settings;
  private final MeterRegistry registry;

  /** By shard; empty until the work is started. */
  private final Map<String, Scheduler> schedulers = new ConcurrentHashMap<>();

  Workers(ShardedDatabase database, WorkSettings settings, MeterRegistry registry) {
    this.database = database;
    this.settings = settings;
    this.registry = registry;
  }

  /** Brings a checkout to its end, or as far as it can. */
  interface CheckoutWork {
    void carryOn(long userId, UUID checkout) throws SQLException;
  }

  /** Tells the events of the shard that owns a key. */
  interface RelayWork {
    void relay(long anyKey) throws SQLException;
  }

  /** Has a checkout carried on as soon as the transaction is committed, and only then. */
  void schedule(Transaction transaction, long userId, UUID checkout) throws SQLException {
    SchedulerClient client =
        SchedulerClient.Builder.create(only(transaction.connection()))
            .jdbcCustomization(new PostgreSqlJdbcCustomization(false, false))
            .enablePriority()
            .build();
    try {
      // A batch of one: to schedule one by itself asks again after a failure, and the transaction
      // would then report that it is aborted instead of why.
      client.scheduleBatch(
          List.of(CHECKOUT.instance(userId + "/" + checkout).build()), Instant.now());
    } catch (RuntimeException refused) {
      throw causeOf(refused);
    }
    String shard = transaction.shard();
    transaction.join(
        new TransactionHook() {
          @Override
          public void afterCommit(LogPosition position) {
            Scheduler here = schedulers.get(shard);
            if (here != null) {
              here.triggerCheckForDueExecutions();
            }
          }
        });
  }

  /** What the database said, which decides what the client is told. */
  private static SQLException causeOf(RuntimeException refused) {
    for (Throwable cause = refused; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException said) {
        return said;
      }
    }
    throw refused;
  }

  /**
   * Begins to work. Needs no shard to be there: work is looked for again and again.
   *
   * @param relay null if there is nobody to be told
   */
  void start(CheckoutWork checkouts, @Nullable RelayWork relay) {
    String name = ProcessHandle.current().pid() + "@" + UUID.randomUUID();
    SchedulerListener completions =
        new StatsRegistryAdapter(new MicrometerStatsRegistry(registry, List.of()));
    SchedulerListener events =
        new AbstractSchedulerListener() {
          @Override
          public void onSchedulerEvent(SchedulerEventType type) {
            registry
                .counter("dbscheduler.events", "event", type.name().toLowerCase(Locale.ROOT))
                .increment();
          }
        };
    Set<String> shards = new TreeSet<>();
    database.map().shards().forEach(shard -> shards.add(shard.name()));
    shards.forEach(
        shard -> {
          if (!database.map().rangesOf(shard).isEmpty()) {
            List<Task<?>> tasks = List.of(checkoutTask(checkouts), relayTask(shard, relay));
            Scheduler scheduler =
                Scheduler.create(connectionsTo(shard), tasks)
                    .schedulerName(new SchedulerName.Fixed(name))
                    .threads(THREADS)
                    .pollingInterval(settings.poll())
                    .heartbeatInterval(settings.heartbeat())
                    .missedHeartbeatsLimit(MISSED_HEARTBEATS)
                    .shutdownMaxWait(LONGEST_STOP)
                    // The relay has the higher one: checkouts do not keep events waiting.
                    .enablePriority()
                    .jdbcCustomization(new PostgreSqlJdbcCustomization(false, false))
                    .addSchedulerListener(completions)
                    .addSchedulerListener(events)
                    // It would tell each try with its stack; 'attempt' tells them in a line.
                    .failureLogging(LogLevel.OFF, false)
                    .build();
            schedulers.put(shard, scheduler);
            scheduler.start();
          }
        });
  }

  private Task<Void> checkoutTask(CheckoutWork checkouts) {
    return Tasks.oneTime(CHECKOUT)
        .onFailure(Workers::tryLater)
        .execute(
            (instance, context) -> {
              String[] names = instance.getId().split("/");
              attempt(
                  "Checkout " + names[1],
                  () -> checkouts.carryOn(Long.parseLong(names[0]), UUID.fromString(names[1])));
            });
  }

  private Task<Void> relayTask(String shard, @Nullable RelayWork relay) {
    // Known even where nobody is told: a task that nobody knows is removed one day.
    return Tasks.recurring(
            TaskDescriptor.of(RELAY),
            FixedDelay.of(relay == null ? LONGEST_PAUSE : settings.poll()))
        .doNotScheduleOnStartup()
        .onFailure(Workers::tryLater)
        .execute(
            (instance, context) -> {
              if (relay != null) {
                attempt("The relay of " + shard, () -> relay.relay(anyKeyOf(shard)));
              }
            });
  }

  private long anyKeyOf(String shard) {
    return database.map().rangesOf(shard).get(0).from();
  }

  /**
   * Connections for db-scheduler, whose writes are taken for those of one key. As writes of unknown
   * keys, which those of {@code shardDataSources()} are, each would keep all reads of the shard
   * from the replicas until these have replayed it.
   */
  private DataSource connectionsTo(String shard) {
    DataSource source = database.dataSource(anyKeyOf(shard));
    return handingOut(
        () -> {
          Connection connection = source.getConnection();
          try {
            connection.setNetworkTimeout(Runnable::run, Math.toIntExact(LONGEST_ANSWER.toMillis()));
            return connection;
          } catch (SQLException | RuntimeException failure) {
            connection.close();
            throw failure;
          }
        });
  }

  private interface Attempt {
    void run() throws SQLException;
  }

  private static void attempt(String what, Attempt attempt) {
    try {
      attempt.run();
    } catch (SQLException failure) {
      log.info("{} goes on later: {}", what, failure.getMessage());
      throw new IllegalStateException(failure);
    } catch (WaymarkException | EventStream.UnavailableException failure) {
      log.info("{} goes on later: {}", what, failure.getMessage());
      throw failure;
    } catch (RuntimeException failure) {
      log.warn("{} goes on later", what, failure);
      throw failure;
    }
  }

  /** Twice as long after each failure, and for ever: money may wait for it. */
  private static void tryLater(ExecutionComplete failed, ExecutionOperations<Void> operations) {
    int failures = Math.min(failed.getExecution().consecutiveFailures, 10);
    long pause = Math.min(FIRST_PAUSE.toMillis() << failures, LONGEST_PAUSE.toMillis());
    operations.reschedule(failed, failed.getTimeDone().plusMillis(pause));
  }

  /**
   * A transaction's connection as a data source, for db-scheduler, which closes what it gets: the
   * transaction goes on.
   */
  private static DataSource only(Connection connection) {
    Connection open =
        (Connection)
            Proxy.newProxyInstance(
                Workers.class.getClassLoader(),
                new Class<?>[] {Connection.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("close")) {
                    return null;
                  }
                  try {
                    return method.invoke(connection, arguments);
                  } catch (InvocationTargetException failure) {
                    throw failure.getTargetException();
                  }
                });
    return handingOut(() -> open);
  }

  private interface Connections {
    Connection next() throws SQLException;
  }

  private static DataSource handingOut(Connections connections) {
    return (DataSource)
        Proxy.newProxyInstance(
            Workers.class.getClassLoader(),
            new Class<?>[] {DataSource.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("getConnection") && method.getParameterCount() == 0) {
                return connections.next();
              }
              throw new UnsupportedOperationException(method.getName());
            });
  }

  /**
   * Finishes what is under way, if that takes no longer than 2 s, and interrupts it then; other
   * processes do the rest. A shard that does not answer may make it take 16 s in all: 6 s for the
   * look for due tasks, 4 s for tasks, 6 s for heartbeats.
   */
  @Override
  public void close() {
    // Each by a thread of its own: a shard that hangs must not keep the others waiting.
    List<Thread> stops = new ArrayList<>();
    schedulers.forEach(
        (shard, scheduler) -> {
          Thread stop = new Thread(scheduler::stop, "waymark-sample-stop-" + shard);
          stop.setDaemon(true);
          stop.start();
          stops.add(stop);
        });
    try {
      for (Thread stop : stops) {
        stop.join();
      }
    } catch (InterruptedException hurry) {
      Thread.currentThread().interrupt();
    }
  }
}
