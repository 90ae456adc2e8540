package dev.waymark;

import org.jspecify.annotations.Nullable;

/** Tells two listeners, in order. */
record TwoListeners(RoutingListener first, RoutingListener second) implements RoutingListener {
  @Override
  public void read(Route route, long nanos) {
    first.read(route, nanos);
    second.read(route, nanos);
  }

  @Override
  public void written(Route route, long nanos) {
    first.written(route, nanos);
    second.written(route, nanos);
  }

  @Override
  public void readLost(Route route, Throwable failure) {
    first.readLost(route, failure);
    second.readLost(route, failure);
  }

  @Override
  public void failed(String shard, Outcome outcome) {
    first.failed(shard, outcome);
    second.failed(shard, outcome);
  }

  @Override
  public void waited(String shard, Wait reason, long nanos) {
    first.waited(shard, reason, nanos);
    second.waited(shard, reason, nanos);
  }

  @Override
  public void freshnessChecked(String shard, String node, Freshness found, long nanos) {
    first.freshnessChecked(shard, node, found, nanos);
    second.freshnessChecked(shard, node, found, nanos);
  }

  @Override
  public void hedged(String shard, Hedge result) {
    first.hedged(shard, result);
    second.hedged(shard, result);
  }

  @Override
  public void nodeChanged(NodeChange change) {
    first.nodeChanged(change);
    second.nodeChanged(change);
  }

  @Override
  public void primaryChanged(
      String shard, @Nullable String before, String after, long nanosWithout) {
    first.primaryChanged(shard, before, after, nanosWithout);
    second.primaryChanged(shard, before, after, nanosWithout);
  }

  @Override
  public void streamChanged(StreamChange change) {
    first.streamChanged(change);
    second.streamChanged(change);
  }

  @Override
  public void streamStartedAnew(String shard, ShardChange.StartedAnew.Cause cause) {
    first.streamStartedAnew(shard, cause);
    second.streamStartedAnew(shard, cause);
  }

  @Override
  public void streamReached(String shard, long nanos, long heldBytes) {
    first.streamReached(shard, nanos, heldBytes);
    second.streamReached(shard, nanos, heldBytes);
  }
}
