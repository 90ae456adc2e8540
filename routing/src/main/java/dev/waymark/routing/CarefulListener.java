package dev.waymark.routing;

import dev.waymark.Outcome;
import dev.waymark.Route;
import dev.waymark.RoutingListener;
import dev.waymark.ShardChange;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps what a listener throws from the calls it is told about; the first failure is logged. */
final class CarefulListener implements RoutingListener {
  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  private final RoutingListener listener;
  private final AtomicBoolean complained = new AtomicBoolean();

  private CarefulListener(RoutingListener listener) {
    this.listener = listener;
  }

  static RoutingListener around(RoutingListener listener) {
    return listener.equals(RoutingListener.none()) ? listener : new CarefulListener(listener);
  }

  private void tell(Runnable what) {
    try {
      what.run();
    } catch (RuntimeException | Error failure) {
      failed(failure);
    }
  }

  private void failed(Throwable failure) {
    if (complained.compareAndSet(false, true)) {
      log.warn("A listener failed; later failures of it are not logged", failure);
    }
  }

  @Override
  public void read(Route route, long nanos) {
    // Written out: one for each read, so nothing is made for it.
    try {
      listener.read(route, nanos);
    } catch (RuntimeException | Error failure) {
      failed(failure);
    }
  }

  @Override
  public void written(Route route, long nanos) {
    tell(() -> listener.written(route, nanos));
  }

  @Override
  public void readLost(Route route, Throwable failure) {
    tell(() -> listener.readLost(route, failure));
  }

  @Override
  public void failed(String shard, Outcome outcome) {
    tell(() -> listener.failed(shard, outcome));
  }

  @Override
  public void waited(String shard, Wait reason, long nanos) {
    tell(() -> listener.waited(shard, reason, nanos));
  }

  @Override
  public void freshnessChecked(String shard, String node, Freshness found, long nanos) {
    tell(() -> listener.freshnessChecked(shard, node, found, nanos));
  }

  @Override
  public void hedged(String shard, Hedge result) {
    tell(() -> listener.hedged(shard, result));
  }

  @Override
  public void nodeChanged(NodeChange change) {
    tell(() -> listener.nodeChanged(change));
  }

  @Override
  public void primaryChanged(
      String shard, @Nullable String before, String after, long nanosWithout) {
    tell(() -> listener.primaryChanged(shard, before, after, nanosWithout));
  }

  @Override
  public void streamChanged(StreamChange change) {
    tell(() -> listener.streamChanged(change));
  }

  @Override
  public void streamStartedAnew(String shard, ShardChange.StartedAnew.Cause cause) {
    tell(() -> listener.streamStartedAnew(shard, cause));
  }

  @Override
  public void streamReached(String shard, long nanos, long heldBytes) {
    tell(() -> listener.streamReached(shard, nanos, heldBytes));
  }
}
