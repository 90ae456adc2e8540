package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.Outcome;
import dev.waymark.Role;
import dev.waymark.Route.Reason;
import dev.waymark.RoutingListener;
import dev.waymark.RoutingListener.Freshness;
import dev.waymark.RoutingListener.Wait;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.NodeView.Choice;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What one read has met, once something was not as usual, and where it goes next: it asks a
 * replica, waits, lets the primary answer, or tries another node. Belongs to the read.
 */
final class ReadAttempts {
  /** How often one read's work may lose its node: the second time the work itself is suspect. */
  private static final int MAXIMUM_LOST_NODES = 2;

  /**
   * How long a replica is left alone between two questions of a read that waits for it, at first;
   * then twice as long each time, up to the longest pause.
   */
  private static final long ASK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  /** Between two questions whether a primary shows a commit: most take less than the first. */
  private static final long SHORTEST_PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(250);

  private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  private static final long LONGEST_WAIT_FOR_PERMIT_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  private final LiveShard shard;
  private final long key;
  private final Consistency consistency;
  private final @Nullable Session session;
  private final long startedAt;
  private final long dueAt;
  private final long waitUntil;
  private final long longerByNanos;
  private final LongSupplier nanoClock;
  private final RoutingListener listener;
  private final Unavailability unavailability;

  /** Nodes that have failed this read, one bit each. */
  private long avoided;

  /** Replicas that were asked and had not caught up. */
  private long asked;

  private long askAgainNanos = ASK_AGAIN_NANOS;
  private int lostNodes;
  private @Nullable Throwable lastFailure;
  private @Nullable Semaphore permit;

  ReadAttempts(
      LiveShard shard,
      long key,
      Consistency consistency,
      @Nullable Session session,
      long startedAt,
      long dueAt,
      WaymarkConfig config,
      LongSupplier nanoClock,
      RoutingListener listener,
      Unavailability unavailability) {
    this.shard = shard;
    this.key = key;
    this.consistency = consistency;
    this.session = session;
    this.startedAt = startedAt;
    this.dueAt = dueAt;
    this.longerByNanos = dueAt - startedAt - config.calls().deadline().toNanos();
    // Whoever may wait longer than the call lasts would never see it end.
    this.waitUntil =
        startedAt + Math.min(config.reads().freshnessWait().toNanos(), dueAt - startedAt);
    this.nanoClock = nanoClock;
    this.listener = listener;
    this.unavailability = unavailability;
  }

  /** A connection to a node that may answer. */
  record Ready(Choice choice, Lane lane, Connection connection) {}

  /** The next node to read from. */
  Ready next() {
    while (true) {
      ShardView view = shard.view();
      if (session != null) {
        session.settle(view);
      }
      long now = nanoClock.getAsLong();
      long random = ThreadLocalRandom.current().nextLong();
      Router router = shard.router();
      Choice choice = router.choose(view, consistency, session, key, avoided, now, random);
      if (choice == null) {
        Choice toAsk =
            mayAsk(now)
                ? router.toAsk(view, consistency, session, key, avoided | asked, now, random)
                : null;
        if (toAsk != null) {
          Ready ready = ask(toAsk.node());
          if (ready != null) {
            return ready;
          }
          continue;
        }
        if (asked != 0 && now - waitUntil < 0) {
          awaitOther(view, Math.min(askAgainNanos, waitUntil - now), Wait.FRESH_REPLICA);
          askAgainNanos = Math.min(askAgainNanos * 2, LONGEST_PAUSE_NANOS);
          asked = 0;
          continue;
        }
        choice = router.instead(view, consistency, session, key, avoided, now, random);
      }
      if (choice == null) {
        if (!awaitOther(view, dueAt - now, Wait.NODE)) {
          throw unavailable("no node that may answer a read", lastFailure);
        }
        avoided = 0;
        asked = 0;
        continue;
      }
      if (!isPermitted(choice)) {
        if (nanoClock.getAsLong() - dueAt >= 0) {
          throw unavailable(
              "as many reads on its primary as lag.primaryReads allows, and no fresh replica",
              lastFailure);
        }
        asked = 0;
        continue;
      }
      Ready ready = null;
      try {
        ready = open(choice);
      } finally {
        if (ready == null) {
          // A read that ends here would keep its permit for ever.
          ended();
        }
      }
      if (ready != null) {
        return ready;
      }
    }
  }

  /** One question, then the primary; as many as the wait allows where the settings ask to wait. */
  private boolean mayAsk(long now) {
    return asked == 0 || now - waitUntil < 0;
  }

  /** Asks a replica on a connection that then serves the read, if it has caught up. */
  private @Nullable Ready ask(NodeView node) {
    Ready ready = open(node.choice(Reason.REPLICA_WAS_ASKED));
    if (ready == null) {
      return null;
    }
    try {
      Look look = Look.at(ready.connection(), nanoClock);
      shard.sawUp(node.index(), look);
      ShardView view = shard.view();
      NodeView now = view.node(node.index());
      boolean fresh =
          now.isUp(Role.REPLICA)
              && shard
                  .router()
                  .isFresh(view, now, consistency, session, key, nanoClock.getAsLong());
      listener.freshnessChecked(
          shard.name(),
          node.node().name(),
          fresh ? Freshness.FRESH : Freshness.BEHIND,
          look.answeredAtNanos() - look.askedAtNanos());
      if (fresh) {
        return new Ready(now.choice(Reason.REPLICA_WAS_ASKED), ready.lane(), ready.connection());
      }
    } catch (SQLException failure) {
      blame(shard, node, failure);
      lastFailure = failure;
      avoided |= node.bit();
    } catch (RuntimeException | Error failure) {
      ready.lane().close();
      throw failure;
    }
    ready.lane().close();
    asked |= node.bit();
    return null;
  }

  private @Nullable Ready open(Choice choice) {
    NodeView node = choice.node();
    Lane lane = null;
    try {
      lane = shard.pools(node).reads().take(dueAt);
      Connection connection = lane.open(dueAt, longerByNanos);
      if (isStillThere(shard, node)
          && Reads.isStillYoungEnough(shard, choice, consistency, nanoClock)) {
        if (session != null && PrimaryVisibility.isInDoubt(node, session)) {
          awaitVisibility(new PrimaryVisibility(shard, node, connection, session, nanoClock));
        }
        return new Ready(choice, lane, connection);
      }
      lane.close();
      return null;
    } catch (SQLException failure) {
      if (lane != null) {
        lane.close();
      }
      blame(shard, node, failure);
      if (nanoClock.getAsLong() - dueAt >= 0 || Thread.currentThread().isInterrupted()) {
        throw unavailable("no free connection for a read", failure);
      }
      lastFailure = failure;
      avoided |= node.bit();
      return null;
    } catch (RuntimeException | Error failure) {
      if (lane != null) {
        lane.close();
      }
      throw failure;
    }
  }

  /** Waits until the primary shows what the session has read from replicas, or the call is due. */
  private void awaitVisibility(PrimaryVisibility visibility) throws SQLException {
    long began = nanoClock.getAsLong();
    long pause = SHORTEST_PAUSE_NANOS;
    while (!visibility.isReached(dueAt)) {
      LockSupport.parkNanos(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_NANOS);
      long now = nanoClock.getAsLong();
      if (now - dueAt >= 0 || Thread.currentThread().isInterrupted()) {
        listener.waited(shard.name(), Wait.VISIBLE_ON_PRIMARY, now - began);
        throw unavailable(
            "a primary that does not yet show what this session has read from a replica (commits"
                + " there wait for a synchronous replica)",
            lastFailure);
      }
    }
    if (pause > SHORTEST_PAUSE_NANOS) {
      listener.waited(shard.name(), Wait.VISIBLE_ON_PRIMARY, nanoClock.getAsLong() - began);
    }
  }

  /**
   * Whether a read may be tried once more.
   *
   * @return false if the failure is the work's own and is to be thrown as it is
   */
  boolean mayGoOnAfter(Throwable failure, Choice choice, Connection connection) {
    NodeView node = choice.node();
    boolean overdue = nanoClock.getAsLong() - dueAt >= 0;
    boolean lost = Failures.tookNodeAway(failure, connection);
    boolean late = Failures.isTimeout(failure) || (overdue && Failures.isCancelled(failure));
    boolean gaveWay = !lost && node.role() == Role.REPLICA && Failures.isOfReplay(failure);
    if (!lost && !late && !gaveWay) {
      return false;
    }
    if (lost && Failures.isOwnInterrupt()) {
      lostNodes++;
      throw unavailable("no answer: the call was interrupted", failure);
    }
    if (late || overdue) {
      shard.load(node).failed(nanoClock.getAsLong());
    } else if (lost) {
      shard.suspect(node, failure);
    }
    listener.readLost(choice.route(), failure);
    if (late || overdue) {
      lostNodes++;
      throw unavailable("no answer in time", failure);
    }
    if (++lostNodes >= MAXIMUM_LOST_NODES) {
      throw unavailable("no answer: nodes went away under the read", failure);
    }
    lastFailure = failure;
    avoided |= node.bit();
    return true;
  }

  /** An attempt is over. */
  void ended() {
    Semaphore held = permit;
    permit = null;
    if (held != null) {
      held.release();
    }
  }

  /** Whether the primary may take this read in the replicas' stead; waits a little for that. */
  private boolean isPermitted(Choice choice) {
    Semaphore permits = shard.primaryReads();
    Reason reason = choice.route().reason();
    if (permits == null
        || choice.node().role() != Role.PRIMARY
        || reason == Reason.STRONG
        || reason == Reason.NO_REPLICA_IS_UP) {
      return true;
    }
    try {
      long patience = Math.min(LONGEST_WAIT_FOR_PERMIT_NANOS, dueAt - nanoClock.getAsLong());
      if (permits.tryAcquire(patience, TimeUnit.NANOSECONDS)) {
        permit = permits;
        return true;
      }
      return false;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw unavailable("no time to wait for a node: interrupted", lastFailure);
    }
  }

  private boolean awaitOther(ShardView seen, long nanos, Wait reason) {
    long began = nanoClock.getAsLong();
    try {
      return shard.awaitOther(seen, nanos) && nanoClock.getAsLong() - dueAt < 0;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw unavailable("no node before the wait was interrupted", lastFailure);
    } finally {
      listener.waited(shard.name(), reason, nanoClock.getAsLong() - began);
    }
  }

  private RuntimeException unavailable(String what, @Nullable Throwable cause) {
    Outcome outcome = lostNodes == 0 ? Outcome.NOT_SENT : Outcome.REJECTED;
    return unavailability.of(shard, what, outcome, key, nanoClock.getAsLong() - startedAt, cause);
  }

  /**
   * Whether what was known of a node when it was chosen still holds of the server behind it: that
   * it is the same start of the same server in the same role, and has not been seen at an earlier
   * place.
   */
  static boolean isStillThere(LiveShard shard, NodeView chosen) {
    NodeView.Observed now = shard.view().node(chosen.index()).seen();
    NodeView.Observed then = chosen.seen();
    return now.rewinds() == then.rewinds()
        && now.server() == then.server()
        && (now.role() == then.role() || now.role() == null);
  }

  /** A connection was not to be had: is it the node, or is its pool just busy? */
  static void blame(LiveShard shard, NodeView node, SQLException failure) {
    // A busy pool gives no cause. A pool that cannot connect tells why, and a server that has no
    // room for one connection more is not down.
    Throwable cause = failure.getCause();
    if (cause instanceof SQLException && Failures.isOfNode(cause)) {
      shard.suspect(node, failure);
    }
  }
}
