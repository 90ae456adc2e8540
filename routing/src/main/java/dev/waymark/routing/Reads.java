package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.Route;
import dev.waymark.Route.Reason;
import dev.waymark.RoutingListener;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.NodeView.Choice;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The way of every read: choose a node from the shard's current view, run the work there, and if
 * the node goes away, once more elsewhere. Safe to share.
 */
final class Reads {
  /** One in so many reads is timed for the balancer; reads in flight tell it the rest. */
  private static final int TIMED = 8;

  private final WaymarkConfig config;
  private final LongSupplier nanoClock;

  /** An instant that has just passed, for next to nothing. */
  private final LongSupplier recently;

  private final RoutingListener listener;
  private final boolean isTimedAlways;
  private final boolean isListenedTo;
  private final Unavailability unavailability;
  private final long deadlineNanos;
  private final @Nullable Hedging hedging;

  Reads(
      WaymarkConfig config,
      LongSupplier nanoClock,
      LongSupplier recently,
      RoutingListener listener,
      Unavailability unavailability,
      @Nullable Hedging hedging) {
    this.config = config;
    this.nanoClock = nanoClock;
    this.recently = recently;
    this.listener = listener;
    this.isListenedTo = !listener.equals(RoutingListener.none());
    this.unavailability = unavailability;
    this.deadlineNanos = config.calls().deadline().toNanos();
    this.hedging = hedging;
    this.isTimedAlways = isListenedTo || hedging != null;
  }

  /** What becomes of a value that was read. */
  interface Answer<T extends @Nullable Object, R extends @Nullable Object> {
    R of(T value, NodeView node, Route route);
  }

  /** Reads within {@code calls.deadline}. */
  <T extends @Nullable Object, R extends @Nullable Object, X extends Exception> R read(
      LiveShard shard,
      long key,
      Consistency consistency,
      @Nullable Session session,
      Work<T, X> work,
      Answer<T, R> answer)
      throws X {
    return readWithin(0, shard, key, consistency, session, work, answer, hedging);
  }

  /**
   * Reads, and looks at the clock only where that is needed.
   *
   * @param budgetNanos how long it may take; 0 for {@code calls.deadline}
   */
  private <T extends @Nullable Object, R extends @Nullable Object, X extends Exception>
      R readWithin(
          long budgetNanos,
          LiveShard shard,
          long key,
          Consistency consistency,
          @Nullable Session session,
          Work<T, X> work,
          Answer<T, R> answer,
          @Nullable Hedging hedging)
          throws X {
    if (budgetNanos != 0
        || isTimedAlways
        || session != null
        || !(consistency instanceof Consistency.Session)
        || (ThreadLocalRandom.current().nextInt() & TIMED - 1) == 0) {
      long startedAt = nanoClock.getAsLong();
      long dueAt = startedAt + (budgetNanos == 0 ? deadlineNanos : budgetNanos);
      return read(shard, key, consistency, session, work, answer, startedAt, dueAt, hedging);
    }
    return read(
        shard,
        key,
        consistency,
        null,
        work,
        answer,
        recently.getAsLong(),
        Lane.FROM_FIRST_SIGHT,
        hedging);
  }

  /** {@code calls.deadline}, in nanoseconds. */
  long deadlineNanos() {
    return deadlineNanos;
  }

  /** Reads what is not of one key within {@code calls.deadline}, never twice at the same time. */
  <T extends @Nullable Object, X extends Exception> T readOnce(
      LiveShard shard, Consistency consistency, @Nullable Session session, Work<T, X> work)
      throws X {
    long startedAt = nanoClock.getAsLong();
    return readUnhedged(
        shard,
        Router.NO_KEY,
        consistency,
        session,
        work,
        (value, node, route) -> value,
        startedAt,
        startedAt + deadlineNanos);
  }

  /**
   * Reads by work that may keep its connection, on a node of its own choosing; never twice at the
   * same time.
   *
   * @param budgetNanos how long it may take; 0 for {@code calls.deadline}
   */
  <T extends @Nullable Object, X extends Exception> T hold(
      LiveShard shard,
      long key,
      Consistency consistency,
      @Nullable Session session,
      HeldWork<T, X> work,
      long budgetNanos)
      throws X {
    return this.<T, T, X>readWithin(
        budgetNanos, shard, key, consistency, session, work, (value, node, route) -> value, null);
  }

  /** Reads until an instant at the latest, as often at a time as hedging has it. */
  <T extends @Nullable Object, R extends @Nullable Object, X extends Exception> R read(
      LiveShard shard,
      long key,
      Consistency consistency,
      @Nullable Session session,
      Work<T, X> work,
      Answer<T, R> answer,
      long startedAt,
      long dueAt)
      throws X {
    return read(shard, key, consistency, session, work, answer, startedAt, dueAt, hedging);
  }

  /** Reads until an instant at the latest; the work never runs twice at the same time. */
  <T extends @Nullable Object, R extends @Nullable Object, X extends Exception> R readUnhedged(
      LiveShard shard,
      long key,
      Consistency consistency,
      @Nullable Session session,
      Work<T, X> work,
      Answer<T, R> answer,
      long startedAt,
      long dueAt)
      throws X {
    return read(shard, key, consistency, session, work, answer, startedAt, dueAt, null);
  }

  /**
   * The one way of all reads.
   *
   * @param startedAt a moment ago, if the read is due {@link Lane#FROM_FIRST_SIGHT}
   */
  private <T extends @Nullable Object, R extends @Nullable Object, X extends Exception> R read(
      LiveShard shard,
      long key,
      Consistency consistency,
      @Nullable Session session,
      Work<T, X> work,
      Answer<T, R> answer,
      long startedAt,
      long dueAt,
      @Nullable Hedging hedging)
      throws X {
    shard.used(startedAt);
    ShardView view = shard.view();
    if (session != null) {
      session.settle(view);
    }
    long random = ThreadLocalRandom.current().nextLong();
    Choice choice = shard.router().choose(view, consistency, session, key, 0, startedAt, random);
    if (choice != null && session != null && PrimaryVisibility.isInDoubt(choice.node(), session)) {
      choice = null;
    }
    Lane lane = choice == null ? null : shard.pools(choice.node()).reads().tryTake();
    Connection connection =
        choice == null || lane == null
            ? null
            : open(shard, choice, lane, consistency, startedAt, dueAt);
    ReadAttempts attempts = null;
    while (true) {
      if (choice == null || lane == null || connection == null) {
        // Something is not as usual: no node is known to be fresh, a pool is busy, a node is gone.
        attempts =
            attempts != null
                ? attempts
                : attempts(shard, key, consistency, session, null, startedAt, dueAt);
        ReadAttempts.Ready ready = attempts.next();
        choice = ready.choice();
        lane = ready.lane();
        connection = ready.connection();
      }
      Hedging.Race<T> race = null;
      boolean isHeld = false;
      try {
        if (hedging != null && attempts == null) {
          race =
              hedging.start(
                  shard, key, consistency, session, choice, lane, connection, work, dueAt);
        }
        T value = run(work, connection, choice);
        if (race != null) {
          race.firstAnswered();
        }
        if (dueAt != Lane.FROM_FIRST_SIGHT) {
          answered(shard, choice, session, startedAt);
        }
        R given = answer.of(value, choice.node(), choice.route());
        if (work instanceof HeldWork<T, X> held) {
          isHeld = true;
          held.held(lane);
        }
        return given;
      } catch (Throwable failure) {
        if (session != null) {
          // The work may have read something, and told it to somebody, before it failed.
          session.read(choice.node(), nanoClock.getAsLong());
        }
        if (race != null) {
          Hedging.Won<T> won = race.afterFailure();
          if (won != null) {
            answered(shard, won.choice(), session, startedAt);
            return answer.of(won.value(), won.choice().node(), won.choice().route());
          }
        }
        attempts =
            attempts != null
                ? attempts
                : attempts(shard, key, consistency, session, lane, startedAt, dueAt);
        if (!attempts.mayGoOnAfter(failure, choice, connection)) {
          throw failure;
        }
      } finally {
        if (!isHeld) {
          lane.close();
        }
        if (attempts != null) {
          attempts.ended();
        }
      }
      connection = null;
    }
  }

  static <T extends @Nullable Object, X extends Exception> T run(
      Work<T, X> work, Connection connection, Choice choice) throws X {
    return work instanceof PlacedWork<T, X> placed
        ? placed.run(connection, choice.node())
        : work.run(connection);
  }

  /** Something is not as usual; a read that has not looked at the clock does so now. */
  private ReadAttempts attempts(
      LiveShard shard,
      long key,
      Consistency consistency,
      @Nullable Session session,
      @Nullable Lane used,
      long startedAt,
      long dueAt) {
    boolean isTimed = dueAt != Lane.FROM_FIRST_SIGHT;
    long now = isTimed ? startedAt : nanoClock.getAsLong();
    long began = isTimed || used == null ? now : used.beganAt(now);
    return new ReadAttempts(
        shard,
        key,
        consistency,
        session,
        began,
        isTimed ? dueAt : began + deadlineNanos,
        config,
        nanoClock,
        listener,
        unavailability);
  }

  /**
   * Null, and the lane is free again, if there is no connection, or the node is not what it was.
   */
  private @Nullable Connection open(
      LiveShard shard,
      Choice choice,
      Lane lane,
      Consistency consistency,
      long startedAt,
      long dueAt) {
    try {
      long longerBy = dueAt == Lane.FROM_FIRST_SIGHT ? 0 : dueAt - startedAt - deadlineNanos;
      Connection connection = lane.open(dueAt, longerBy);
      if (ReadAttempts.isStillThere(shard, choice.node())
          && isStillYoungEnough(shard, choice, consistency, nanoClock)) {
        return connection;
      }
    } catch (SQLException failure) {
      ReadAttempts.blame(shard, choice.node(), failure);
    } catch (RuntimeException | Error failure) {
      lane.close();
      throw failure;
    }
    lane.close();
    return null;
  }

  /**
   * Ages grow while a connection is waited for; nothing else that a read must see does. A replica
   * that is yet to be asked has no age to keep.
   */
  static boolean isStillYoungEnough(
      LiveShard shard, Choice choice, Consistency consistency, LongSupplier nanoClock) {
    if (!(consistency instanceof Consistency.BoundedStaleness)
        || choice.route().reason() != Reason.REPLICA_IS_FRESH) {
      return true;
    }
    ShardView view = shard.view();
    return shard
        .router()
        .isFresh(
            view,
            view.node(choice.node().index()),
            consistency,
            null,
            Router.NO_KEY,
            nanoClock.getAsLong());
  }

  private void answered(LiveShard shard, Choice choice, @Nullable Session session, long startedAt) {
    long now = nanoClock.getAsLong();
    shard.load(choice.node()).answered(startedAt, now);
    shard.latencies().took(now - startedAt);
    if (session != null) {
      session.read(choice.node(), now);
    }
    if (isListenedTo) {
      listener.read(choice.route(), now - startedAt);
    }
  }
}
