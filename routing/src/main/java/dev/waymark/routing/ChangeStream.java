package dev.waymark.routing;

import dev.waymark.ChangeConsumer;
import dev.waymark.RoutingListener;
import dev.waymark.ShardChange;
import dev.waymark.WaymarkConfig;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * Follows what is committed on every shard, whoever wrote it, and hands it to a {@link
 * ChangeConsumer}: in the order of each shard's log, at least once, nothing left out without a
 * {@link ShardChange.StartedAnew} that says so.
 *
 * <p>Of all processes that have a stream open, one follows each shard; the others stand by and one
 * of them takes over within about a second when that ends. Needs servers with {@code wal_level =
 * logical} and a user who may replicate; where that is missing the shard's {@linkplain #status()
 * state} says what to do, a line is logged, and nothing else is affected.
 *
 * <p>Safe to share. Two threads for each shard that is followed, one for each that is not.
 */
public final class ChangeStream implements AutoCloseable {
  private final List<ShardFollower> followers;
  private volatile boolean closed;

  ChangeStream(
      List<LiveShard> shards,
      WaymarkConfig config,
      ChangeConsumer consumer,
      RoutingListener listener,
      LongSupplier nanoClock) {
    this.followers =
        shards.stream()
            .map(shard -> new ShardFollower(shard, config, consumer, listener, nanoClock))
            .toList();
    if (config.changes().enabled()) {
      followers.forEach(ShardFollower::start);
    }
  }

  /** How each shard's stream is doing, in the order of the shard map. */
  public List<ChangeStatus> status() {
    return followers.stream().map(ShardFollower::status).toList();
  }

  boolean isClosed() {
    return closed;
  }

  /**
   * Ends it; another process takes over. Changes that the consumer is taking over at this moment
   * may be told again. Closing again does nothing.
   */
  @Override
  public void close() {
    closed = true;
    followers.forEach(ShardFollower::stop);
    followers.forEach(ShardFollower::close);
  }
}
