package dev.waymark.sample;

import dev.waymark.Shard;
import dev.waymark.WaymarkException;
import dev.waymark.routing.ShardedDatabase;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Clears now and then what processes that died have left behind: reserved e-mail addresses, and
 * idempotency keys that are over. Every process has one; that several do the same does no harm.
 */
final class Reaper implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Reaper.class);
  private static final int MOST_AT_ONCE = 100;

  private final ShardedDatabase database;
  private final UniqueEmails emails;
  private final ScheduledExecutorService executor =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "waymark-sample-reaper");
            thread.setDaemon(true);
            return thread;
          });

  Reaper(ShardedDatabase database, UniqueEmails emails) {
    this.database = database;
    this.emails = emails;
  }

  void start(Duration every) {
    executor.scheduleWithFixedDelay(
        this::runOnce, every.toMillis(), every.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Looks at every shard; one that does not answer is left for the next time. */
  void runOnce() {
    for (Shard shard : database.map().shards()) {
      try {
        int found;
        do {
          found = emails.settleLeftBehind(shard, MOST_AT_ONCE);
        } while (found >= MOST_AT_ONCE);
        Idempotency.removeExpired(database, shard);
      } catch (WaymarkException | SQLException | IllegalStateException failure) {
        // As likely as not the shard is down, or has no schema yet.
        log.info("{} is not cleared this time: {}", shard.name(), failure.getMessage());
      } catch (RuntimeException failure) {
        // A scheduled task that throws never runs again.
        log.warn("{} is not cleared this time", shard.name(), failure);
      }
    }
  }

  @Override
  public void close() {
    executor.shutdownNow();
  }
}
