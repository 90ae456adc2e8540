package dev.waymark.sample;

import dev.waymark.NoShardForKeyException;
import dev.waymark.WaymarkException;
import dev.waymark.routing.ShardedDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hears the events and keeps, on each user's shard, what happened to the user and how often: a
 * consumer as any other service could be one.
 *
 * <p>An event may be told several times; its id is written in the transaction that counts it, so
 * that it counts once. What a consumer has taken and not done, because it died or a shard was down,
 * is claimed by another, or by itself, after a while. Several processes share the events, so that a
 * user's may be heard out of order: what is kept here does not depend on that.
 */
final class Activity implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Activity.class);
  private static final String GROUP = "activity";
  private static final int MOST_AT_ONCE = 100;
  private static final Duration FORGOTTEN_AFTER = Duration.ofDays(1);

  private final ShardedDatabase database;
  private final EventStream stream;
  private final Duration claimAfter;
  private final String consumer = UUID.randomUUID().toString();
  private boolean isGroupMade;
  private boolean isHearing = true;
  private final ScheduledExecutorService executor =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "waymark-sample-activity");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * Hears nothing before {@link #start}.
   *
   * @param claimAfter how long a consumer may take for an event
   */
  Activity(ShardedDatabase database, EventStream stream, Duration claimAfter) {
    this.database = database;
    this.stream = stream;
    this.claimAfter = claimAfter;
  }

  void start(Duration every) {
    executor.scheduleWithFixedDelay(this::hear, 0, every.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Hears all there is. Runs on the one thread of the executor. */
  private void hear() {
    try {
      if (!isGroupMade) {
        stream.makeGroup(GROUP);
        stream.forgetConsumers(GROUP, FORGOTTEN_AFTER);
        isGroupMade = true;
      }
      note(stream.claim(GROUP, consumer, claimAfter, MOST_AT_ONCE));
      List<EventStream.Entry> taken;
      do {
        taken = stream.take(GROUP, consumer, MOST_AT_ONCE);
        note(taken);
      } while (taken.size() == MOST_AT_ONCE && !executor.isShutdown());
      isHearing = true;
    } catch (EventStream.UnavailableException failure) {
      isGroupMade &= !EventStream.isGroupMissing(failure);
      if (isHearing) {
        log.info("Events are not heard for now: {}", failure.getMessage());
      }
      isHearing = false;
    } catch (RuntimeException failure) {
      // A scheduled task that throws never runs again.
      log.warn("Events are not heard this time", failure);
    }
  }

  private void note(List<EventStream.Entry> entries) {
    List<EventStream.Entry> done = new ArrayList<>();
    Set<String> failed = new HashSet<>();
    for (EventStream.Entry entry : entries) {
      if (executor.isShutdown()) {
        break;
      }
      Event event = entry.event();
      if (event == null) {
        log.warn("A malformed event is passed over: {}", entry.place());
        done.add(entry);
        continue;
      }
      if (!Event.Type.isKnown(event.type())) {
        // A process of a newer version claims it.
        log.info("Event {} is left to who knows its type, {}", event.id(), event.type());
        continue;
      }
      String shard;
      try {
        shard = database.map().shardFor(event.userId()).name();
      } catch (NoShardForKeyException nowhere) {
        log.warn("Event {} is of a user whom no shard owns", event.id());
        continue;
      }
      if (failed.contains(shard)) {
        continue;
      }
      try {
        database.write(event.userId(), connection -> note(connection, event));
        done.add(entry);
      } catch (WaymarkException | SQLException failure) {
        // It is claimed later, and so are others of its shard: each would wait for it as long.
        failed.add(shard);
        log.info("Event {} is noted later: {}", event.id(), failure.getMessage());
      }
    }
    stream.done(GROUP, done);
  }

  private static boolean note(Connection connection, Event event) throws SQLException {
    try (PreparedStatement insert =
            connection.prepareStatement(
                """
                INSERT INTO activity (user_id, event_id, type, detail, at)
                VALUES (?, ?, ?, ?::jsonb, ?) ON CONFLICT DO NOTHING
                """);
        PreparedStatement count =
            connection.prepareStatement(
                """
                INSERT INTO activity_totals (user_id, type, times) VALUES (?, ?, 1)
                ON CONFLICT (user_id, type) DO UPDATE SET times = activity_totals.times + 1
                """)) {
      insert.setLong(1, event.userId());
      insert.setObject(2, event.id());
      insert.setString(3, event.type());
      insert.setString(4, event.detail());
      insert.setObject(5, event.at().atOffset(ZoneOffset.UTC));
      if (insert.executeUpdate() == 0) {
        return false;
      }
      count.setLong(1, event.userId());
      count.setString(2, event.type());
      count.executeUpdate();
      return true;
    }
  }

  /**
   * Ends after the event that is being noted, which is interrupted after 5 s; the rest of those it
   * has is claimed by others.
   */
  @Override
  public void close() {
    executor.shutdown();
    try {
      if (!executor.awaitTermination(5, TimeUnit.SECONDS)) {
        executor.shutdownNow();
        if (!executor.awaitTermination(2, TimeUnit.SECONDS)) {
          log.info("Hearing events has not ended within 7 s");
        }
      }
    } catch (InterruptedException hurry) {
      executor.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
