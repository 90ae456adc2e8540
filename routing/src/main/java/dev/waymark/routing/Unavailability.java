package dev.waymark.routing;

import dev.waymark.Outcome;
import dev.waymark.RoutingListener;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The words for calls that no node answered, the same for reads and writes. Safe to share. */
final class Unavailability {
  private final WaymarkConfig config;
  private final RoutingListener listener;

  Unavailability(WaymarkConfig config, RoutingListener listener) {
    this.config = config;
    this.listener = listener;
  }

  /**
   * No node could do the work.
   *
   * @param what what the shard had, such as "no primary to write to"
   */
  RuntimeException of(
      LiveShard shard,
      String what,
      Outcome outcome,
      long key,
      long waitedNanos,
      @Nullable Throwable cause) {
    if (shard.state().isClosed()) {
      return new IllegalStateException("The database is closed", cause);
    }
    listener.failed(shard.name(), outcome);
    return new UnavailableException(
        shard.name(),
        String.format(
            Locale.ROOT,
            "Shard %s had %s%s after %d ms (%s; shard map version %d). %s.",
            shard.name(),
            what,
            forKey(key),
            TimeUnit.NANOSECONDS.toMillis(waitedNanos),
            shard.describe(),
            config.map().version(),
            outcome.sentence()),
        outcome,
        cause);
  }

  /** The answer to a write was lost. */
  UnavailableException ofAnswer(
      LiveShard shard,
      NodeView primary,
      Outcome outcome,
      long key,
      long waitedNanos,
      Throwable cause) {
    listener.failed(shard.name(), outcome);
    return new UnavailableException(
        shard.name(),
        String.format(
            Locale.ROOT,
            "Shard %s lost the answer of its primary %s to a write%s after %d ms: %s. %s.",
            shard.name(),
            primary.node().name(),
            forKey(key),
            TimeUnit.NANOSECONDS.toMillis(waitedNanos),
            cause.getMessage(),
            outcome == Outcome.REJECTED
                ? outcome.sentence() + ", so the call may be repeated"
                : outcome.sentence()),
        outcome,
        cause);
  }

  /**
   * A node went away under a statement of a transaction that its user ends. Nothing of it is
   * written, whatever its statements before this one have answered.
   */
  UnavailableException ofTransaction(LiveShard shard, NodeView node, Throwable cause) {
    listener.failed(shard.name(), Outcome.REJECTED);
    return new UnavailableException(
        shard.name(),
        String.format(
            Locale.ROOT,
            "Shard %s lost its node %s under a transaction: %s. %s, so the transaction may be"
                + " repeated; this one can only be rolled back.",
            shard.name(),
            node.node().name(),
            cause.getMessage(),
            Outcome.REJECTED.sentence()),
        Outcome.REJECTED,
        cause);
  }

  /** The key, by the rule for keys in errors; nothing if the call is not of one key. */
  String forKey(long key) {
    return key == Router.NO_KEY ? "" : " for key " + config.keys().render(key);
  }
}
