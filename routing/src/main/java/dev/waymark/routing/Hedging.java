package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.Route.Reason;
import dev.waymark.RoutingListener;
import dev.waymark.RoutingListener.Hedge;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.NodeView.Choice;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Sends reads that take long to a second replica, as long as the budget lasts; the first answer
 * counts (Dean and Barroso, "The Tail at Scale", 2013). The caller's own thread reads from the
 * first node; if the second one wins, the first connection is closed under it. Safe to share.
 */
final class Hedging {
  /** A second read costs this much; each read earns the budget's percentage of it. */
  private static final int PRICE = 100;

  /** What a quiet time may save up: so many second reads. */
  private static final int MOST_SAVED = 10;

  /** In the winner's place: the first node's run has ended. */
  private static final Object FIRST = new Object();

  private final WaymarkConfig.Hedging settings;
  private final LongSupplier nanoClock;
  private final RoutingListener listener;
  private final ScheduledExecutorService timer;
  private final Executor executor;
  private final AtomicLong credit = new AtomicLong();

  Hedging(
      WaymarkConfig.Hedging settings,
      LongSupplier nanoClock,
      RoutingListener listener,
      ScheduledExecutorService timer,
      Executor executor) {
    this.settings = settings;
    this.nanoClock = nanoClock;
    this.listener = listener;
    this.timer = timer;
    this.executor = executor;
  }

  /** An answer of the second node. */
  record Won<T extends @Nullable Object>(T value, Choice choice) {}

  /** Sets the time for a second try of a read that is about to run; null if there is to be none. */
  <T extends @Nullable Object> @Nullable Race<T> start(
      LiveShard shard,
      long key,
      Consistency consistency,
      @Nullable Session session,
      Choice choice,
      Lane lane,
      Connection connection,
      Work<T, ?> work,
      long dueAt) {
    if (choice.route().reason() != Reason.REPLICA_IS_FRESH) {
      return null;
    }
    credit.accumulateAndGet(
        settings.budget(), (have, earned) -> Math.min(have + earned, PRICE * MOST_SAVED));
    Race<T> race =
        new Race<>(shard, key, consistency, session, choice, lane, connection, work, dueAt);
    long delay = Math.max(settings.minimumDelay().toNanos(), shard.latencies().nanos());
    try {
      race.alarm =
          timer.schedule(() -> executor.execute(race::runSecond), delay, TimeUnit.NANOSECONDS);
      return race;
    } catch (RejectedExecutionException closing) {
      // The first node's answer may still come.
      return null;
    }
  }

  /** A second run's right to a connection, and the connection. */
  private record Second(Lane lane, Connection connection) {}

  /** One read on perhaps two nodes. */
  final class Race<T extends @Nullable Object> {
    private final LiveShard shard;
    private final long key;
    private final Consistency consistency;
    private final @Nullable Session session;
    private final Choice first;
    private final Lane firstLane;

    /** By the time the second node has answered, another call may have the lane. */
    private final Connection firstConnection;

    private final Work<T, ?> work;
    private final long dueAt;
    private java.util.concurrent.@Nullable Future<?> alarm;

    /** What the second node's run has, while it runs. */
    private volatile @Nullable Second second;

    /** Null until one has won; the first node's own answer is told by {@link #FIRST}. */
    private final AtomicReference<@Nullable Object> winner = new AtomicReference<>();

    private Race(
        LiveShard shard,
        long key,
        Consistency consistency,
        @Nullable Session session,
        Choice first,
        Lane firstLane,
        Connection firstConnection,
        Work<T, ?> work,
        long dueAt) {
      this.shard = shard;
      this.key = key;
      this.consistency = consistency;
      this.session = session;
      this.first = first;
      this.firstLane = firstLane;
      this.firstConnection = firstConnection;
      this.work = work;
      this.dueAt = dueAt;
    }

    /** The first node is done, well or not: the second one is not wanted any more. */
    private boolean firstIsDone() {
      if (alarm != null) {
        alarm.cancel(false);
      }
      boolean won = winner.compareAndSet(null, FIRST);
      Second loser = second;
      if (won && loser != null) {
        try {
          executor.execute(() -> loser.lane().cancelIfStill(loser.connection()));
        } catch (RejectedExecutionException closing) {
          // Its connection is about to be closed as well.
        }
      }
      return won;
    }

    /** The first node has answered. */
    void firstAnswered() {
      firstIsDone();
    }

    /** The second node's answer, if that is why the first one's connection failed. */
    @SuppressWarnings("unchecked") // What is not FIRST is what runSecond() has put there.
    @Nullable Won<T> afterFailure() {
      return firstIsDone() ? null : (Won<T>) winner.get();
    }

    private void runSecond() {
      if (winner.get() != null) {
        return;
      }
      if (credit.getAndUpdate(have -> have >= PRICE ? have - PRICE : have) < PRICE) {
        listener.hedged(shard.name(), Hedge.OVER_BUDGET);
        return;
      }
      ShardView view = shard.view();
      Choice choice =
          shard
              .router()
              .choose(
                  view,
                  consistency,
                  session,
                  key,
                  first.node().bit(),
                  nanoClock.getAsLong(),
                  ThreadLocalRandom.current().nextLong());
      Lane lane = choice == null ? null : shard.pools(choice.node()).reads().tryTake();
      if (choice == null || lane == null) {
        return;
      }
      try (Session.Binding binding = session == null ? () -> {} : session.bind()) {
        Connection connection = lane.open(dueAt);
        if (!ReadAttempts.isStillThere(shard, choice.node())) {
          return;
        }
        second = new Second(lane, connection);
        if (winner.get() != null) {
          return;
        }
        T value = Reads.run(work, connection, choice);
        Choice hedged = choice.node().choice(Reason.HEDGED);
        if (winner.compareAndSet(null, new Won<>(value, hedged))) {
          listener.hedged(shard.name(), Hedge.WON);
          // Whatever the first node still does is for nobody.
          firstLane.cutOffAndCancelIfStill(firstConnection);
        } else {
          listener.hedged(shard.name(), Hedge.LOST);
        }
      } catch (SQLException failure) {
        // The first node decides; a node that is gone is found by its monitor.
        listener.hedged(shard.name(), Hedge.LOST);
      } catch (Exception failure) {
        // The work's own: its first run will meet it as well.
        listener.hedged(shard.name(), Hedge.LOST);
      } finally {
        second = null;
        lane.close();
      }
    }
  }
}
