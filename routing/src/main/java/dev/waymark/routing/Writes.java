package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.Route.Reason;
import dev.waymark.RoutingListener;
import dev.waymark.RoutingListener.Wait;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Objects;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The way of every write: one transaction on the shard's primary, waited for if there is none just
 * now. Safe to share.
 */
final class Writes {
  private final WaymarkConfig config;
  private final LongSupplier nanoClock;
  private final RoutingListener listener;
  private final Unavailability unavailability;

  Writes(
      WaymarkConfig config,
      LongSupplier nanoClock,
      RoutingListener listener,
      Unavailability unavailability) {
    this.config = config;
    this.nanoClock = nanoClock;
    this.listener = listener;
    this.unavailability = unavailability;
  }

  /** A connection to a primary, and which node that is. */
  record Writer(NodeView primary, LogPosition position, Lane lane, Connection connection) {}

  /** A write's key and time. */
  private record Call(LiveShard shard, long key, long startedAt, long dueAt) {}

  /** The primary refused to write: it is none any more. The work is run again elsewhere. */
  private static final class DemotedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    DemotedException(Throwable cause) {
      super(cause);
    }
  }

  /**
   * One transaction on a shard's primary.
   *
   * @param key {@link Router#NO_KEY} for work of our own that changes no row of a key: no later
   *     read waits for it
   * @param owner the session that the write belongs to
   * @param bound the session that the call belongs to, or null; the primary must show all it saw
   */
  <T extends @Nullable Object, X extends Exception> T write(
      LiveShard shard, long key, Session owner, @Nullable Session bound, TransactionWork<T, X> work)
      throws X {
    Call call = callFromNow(shard, key);
    return write(call, call.dueAt(), owner, bound, work);
  }

  /**
   * One transaction for work of our own on whole tables, that takes as long as it takes once there
   * is a primary.
   */
  <T extends @Nullable Object, X extends Exception> T writeWithoutDeadline(
      LiveShard shard, Session owner, @Nullable Session bound, TransactionWork<T, X> work)
      throws X {
    Call call = callFromNow(shard, Router.NO_KEY);
    return write(call, call.dueAt() + Long.MAX_VALUE / 2, owner, bound, work);
  }

  /**
   * One transaction by work that may keep its connection afterwards.
   *
   * @param budgetNanos how long it may take; 0 for {@code calls.deadline}
   */
  <T extends @Nullable Object, X extends Exception> T hold(
      LiveShard shard,
      long key,
      Session owner,
      @Nullable Session bound,
      HeldTransactionWork<T, X> work,
      long budgetNanos)
      throws X {
    Call call = callFromNow(shard, key);
    if (budgetNanos != 0) {
      call = new Call(shard, key, call.startedAt(), call.startedAt() + budgetNanos);
    }
    return write(call, call.dueAt(), owner, bound, work);
  }

  private Call callFromNow(LiveShard shard, long key) {
    long startedAt = nanoClock.getAsLong();
    return new Call(shard, key, startedAt, startedAt + config.calls().deadline().toNanos());
  }

  /**
   * One transaction.
   *
   * @param connecting how long a connection may be waited for
   * @param dueAt when the transaction must be over
   */
  private <T extends @Nullable Object, X extends Exception> T write(
      Call connecting,
      long dueAt,
      Session owner,
      @Nullable Session bound,
      TransactionWork<T, X> work)
      throws X {
    long startedAt = connecting.startedAt();
    Call call = new Call(connecting.shard(), connecting.key(), startedAt, dueAt);
    Throwable demotion = null;
    while (true) {
      Writer writer = connect(connecting, bound, demotion);
      boolean isHeld = false;
      try {
        if (dueAt != connecting.dueAt()) {
          writer.lane().noDeadline();
        }
        T value = inTransaction(call, writer, owner, work);
        listener.written(
            writer.primary().choice(Reason.WRITE).route(), nanoClock.getAsLong() - startedAt);
        if (work instanceof HeldTransactionWork<T, X> held) {
          isHeld = true;
          held.held(writer.lane());
        }
        return value;
      } catch (DemotedException demoted) {
        demotion = Objects.requireNonNull(demoted.getCause());
      } finally {
        if (!isHeld) {
          writer.lane().close();
        }
      }
    }
  }

  /** A connection for a user's own transactions; no deadline ends its use. */
  Writer connect(LiveShard shard, long key, @Nullable Session bound) {
    return connect(callFromNow(shard, key), bound, null);
  }

  /** The same, waited for until an instant. */
  Writer connect(LiveShard shard, long key, @Nullable Session bound, long dueAt) {
    return connect(new Call(shard, key, nanoClock.getAsLong(), dueAt), bound, null);
  }

  /** Nothing has been sent yet, so a write waits for a primary as long as its deadline allows. */
  private Writer connect(Call call, @Nullable Session bound, @Nullable Throwable earlier) {
    LiveShard shard = call.shard();
    shard.used(call.startedAt());
    Throwable lastFailure = earlier;
    while (true) {
      ShardView view = shard.view();
      NodeView primary = view.primary();
      if (primary != null
          && primary.position() != null
          && (bound == null || bound.allows(view, primary))) {
        Lane lane = null;
        try {
          lane = shard.pools(primary).writes().take(call.dueAt());
          Connection connection = lane.open(call.dueAt());
          connection.setAutoCommit(false);
          return new Writer(primary, primary.position(), lane, connection);
        } catch (SQLException failure) {
          if (lane != null) {
            lane.close();
          }
          lastFailure = failure;
          ReadAttempts.blame(shard, primary, failure);
        } catch (RuntimeException | Error failure) {
          if (lane != null) {
            lane.close();
          }
          throw failure;
        }
      }
      if (!awaitOther(call, view)) {
        String what =
            primary == null ? "no primary to write to" : "no free connection to write with";
        throw unavailability.of(
            shard, what, Outcome.NOT_SENT, call.key(), waited(call), lastFailure);
      }
    }
  }

  private boolean awaitOther(Call call, ShardView seen) {
    long began = nanoClock.getAsLong();
    try {
      return call.shard().awaitOther(seen, call.dueAt() - began)
          && nanoClock.getAsLong() - call.dueAt() < 0;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      listener.waited(call.shard().name(), Wait.PRIMARY, nanoClock.getAsLong() - began);
    }
  }

  private long waited(Call call) {
    return nanoClock.getAsLong() - call.startedAt();
  }

  private <T extends @Nullable Object, X extends Exception> T inTransaction(
      Call call, Writer writer, Session owner, TransactionWork<T, X> work) throws X {
    LiveShard shard = call.shard();
    OpenTransaction transaction =
        new OpenTransaction(shard.name(), writer.position().systemId(), writer.connection());
    T value;
    try {
      value = work.run(transaction);
    } catch (Throwable failure) {
      boolean lost = Failures.tookNodeAway(failure, writer.connection());
      boolean interrupted = lost && Failures.isOwnInterrupt();
      boolean demoted = Failures.isReadOnly(failure) && transaction.runsOnReplica();
      boolean late =
          Failures.isTimeout(failure)
              || (nanoClock.getAsLong() - call.dueAt() >= 0 && Failures.isCancelled(failure));
      rollback(transaction);
      if ((lost && !interrupted) || demoted) {
        shard.suspect(writer.primary(), failure);
      }
      if (demoted) {
        throw new DemotedException(failure);
      }
      if (lost || late) {
        throw lost(call, writer, Outcome.REJECTED, interrupted ? interrupted(failure) : failure);
      }
      throw failure;
    }
    LogPosition position = commit(call, writer, transaction);
    if (call.key() != Router.NO_KEY) {
      wrote(shard, owner, call.key(), position);
    } else if (work instanceof HeldTransactionWork<T, X> held) {
      held.written().committed(shard.recentWrites(), owner, position);
    }
    transaction.afterCommit(position);
    return value;
  }

  /**
   * Commits a transaction that its user began and ends.
   *
   * @throws UnavailableException if it is not known whether it was committed
   * @throws WaymarkException if the server refused; the transaction is then rolled back
   */
  LogPosition commit(LiveShard shard, long key, Writer writer, OpenTransaction transaction) {
    return commit(callFromNow(shard, key), writer, transaction);
  }

  private LogPosition commit(Call call, Writer writer, OpenTransaction transaction) {
    LiveShard shard = call.shard();
    boolean sent = false;
    try {
      transaction.beforeCommit();
      if (shard.view().hasOvertaken(writer.position())) {
        throw new SQLException("another node has become the primary in the meantime", "40001");
      }
      sent = true;
      return transaction.commit();
    } catch (SQLException failure) {
      boolean lost = Failures.tookNodeAway(failure, writer.connection());
      boolean interrupted = lost && Failures.isOwnInterrupt();
      if (lost && !interrupted) {
        shard.suspect(writer.primary(), failure);
      }
      if (sent && !Failures.isOfCommitAlone(failure)) {
        transaction.outcomeUnknown();
        throw lost(call, writer, Outcome.UNKNOWN, interrupted ? interrupted(failure) : failure);
      }
      rollback(transaction);
      listener.failed(shard.name(), Outcome.REJECTED);
      throw new WaymarkException(
          "Shard "
              + shard.name()
              + " refused the commit"
              + unavailability.forKey(call.key())
              + ": "
              + failure.getMessage()
              + ". "
              + Outcome.REJECTED.sentence()
              + ".",
          Outcome.REJECTED,
          failure);
    } catch (RuntimeException | Error failure) {
      if (sent) {
        transaction.outcomeUnknown();
      } else {
        rollback(transaction);
      }
      throw failure;
    }
  }

  private UnavailableException lost(Call call, Writer writer, Outcome outcome, Throwable cause) {
    return unavailability.ofAnswer(
        call.shard(), writer.primary(), outcome, call.key(), waited(call), cause);
  }

  private static SQLException interrupted(Throwable failure) {
    return new SQLException("the call was interrupted", "08006", failure);
  }

  private static void rollback(OpenTransaction transaction) {
    transaction.rollback();
    transaction.afterRollback();
  }

  /** Makes a write known to whoever must not miss it, before its caller hears of it. */
  void wrote(LiveShard shard, Session session, long key, LogPosition position) {
    if (key == Router.NO_KEY) {
      shard.recentWrites().wroteOthers(position);
    } else {
      shard.recentWrites().wrote(key, position);
    }
    session.wrote(position);
  }
}
