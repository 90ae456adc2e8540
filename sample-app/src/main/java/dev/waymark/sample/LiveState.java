package dev.waymark.sample;

import dev.waymark.KeyRange;
import dev.waymark.NodeState;
import dev.waymark.ShardMap;
import dev.waymark.cache.CacheCondition;
import dev.waymark.cache.CacheStatistics;
import dev.waymark.routing.NodeStatus;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * What the live page shows of one moment. Rates are of the time since the moment before.
 *
 * @param mapVersion the version of the shard map in force
 * @param events the newest first
 */
record LiveState(
    Instant time,
    long mapVersion,
    List<ShardState> shards,
    CacheState cache,
    Requests requests,
    List<Traffic.Event> events) {

  /**
   * One shard.
   *
   * @param ranges the keys it owns, in mathematical notation
   */
  record ShardState(String shard, List<String> ranges, List<NodeLine> nodes) {}

  /**
   * One node.
   *
   * @param role {@code primary}, {@code replica} or {@code down}
   * @param state {@code up}, {@code lagging}, {@code suspect} or {@code down}
   * @param lagBytes how far it is behind the primary; null where that is not known
   * @param lagMillis for how long it has lacked something that the primary has; null if it is down
   * @param reads answered since the start
   * @param readsPerSecond answered in the last second
   */
  record NodeLine(
      String node,
      String role,
      String state,
      @Nullable Long lagBytes,
      @Nullable Long lagMillis,
      long reads,
      double readsPerSecond,
      long writes,
      double writesPerSecond) {}

  /**
   * The cache, tier by tier. Misses are reads that neither tier answered.
   *
   * @param redis whether Redis is in use
   * @param stalenessBoundMillis how far a value may be behind a committed change at most
   */
  record CacheState(
      String cache,
      long entries,
      boolean redis,
      long stalenessBoundMillis,
      long l1Hits,
      double l1HitsPerSecond,
      long l2Hits,
      double l2HitsPerSecond,
      long misses,
      double missesPerSecond) {}

  /**
   * Requests of the API, with their latency; the percentiles are null in a second without any.
   *
   * @param p50Millis half of them took no longer
   */
  record Requests(
      Instant time, double perSecond, @Nullable Double p50Millis, @Nullable Double p99Millis) {}

  /**
   * What the parts of the service say at one moment; the numbers are totals.
   *
   * @param nanos a monotonic time
   * @param requestMicros of the requests since the reading before
   */
  record Reading(
      Instant time,
      long nanos,
      ShardMap map,
      List<NodeStatus> nodes,
      Map<String, Traffic.Answered> answered,
      String cacheName,
      CacheStatistics cacheStatistics,
      CacheCondition cacheCondition,
      Histogram requestMicros,
      List<Traffic.Event> events) {}

  /** What a page shows that saw one reading after the other. */
  static LiveState between(Reading before, Reading now) {
    double seconds = (now.nanos() - before.nanos()) / 1e9;
    return new LiveState(
        now.time(),
        now.map().version(),
        now.map().shards().stream()
            .map(
                shard ->
                    new ShardState(
                        shard.name(),
                        now.map().rangesOf(shard.name()).stream().map(KeyRange::toString).toList(),
                        now.nodes().stream()
                            .filter(node -> node.shard().equals(shard.name()))
                            .map(node -> line(node, before, now, seconds))
                            .toList()))
            .toList(),
        cache(before.cacheStatistics(), now, seconds),
        requests(now, seconds),
        now.events());
  }

  private static NodeLine line(NodeStatus node, Reading before, Reading now, double seconds) {
    Traffic.Answered earlier = of(before, node);
    Traffic.Answered answered = of(now, node);
    return new NodeLine(
        node.node(),
        Nodes.roleOf(node),
        node.state().name().toLowerCase(Locale.ROOT),
        node.isUp() && node.lagBytes() >= 0 ? node.lagBytes() : null,
        node.state() == NodeState.DOWN ? null : node.lag().toMillis(),
        answered.reads(),
        rate(earlier.reads(), answered.reads(), seconds),
        answered.writes(),
        rate(earlier.writes(), answered.writes(), seconds));
  }

  private static Traffic.Answered of(Reading reading, NodeStatus node) {
    return reading.answered().getOrDefault(node.node(), Traffic.Answered.NOTHING);
  }

  private static CacheState cache(CacheStatistics before, Reading now, double seconds) {
    CacheStatistics statistics = now.cacheStatistics();
    CacheCondition condition = now.cacheCondition();
    return new CacheState(
        now.cacheName(),
        condition.l1Entries(),
        condition.redisAvailable(),
        condition.stalenessBound().toMillis(),
        statistics.l1Hits(),
        rate(before.l1Hits(), statistics.l1Hits(), seconds),
        statistics.l2Hits(),
        rate(before.l2Hits(), statistics.l2Hits(), seconds),
        statistics.misses(),
        rate(before.misses(), statistics.misses(), seconds));
  }

  private static Requests requests(Reading now, double seconds) {
    Histogram micros = now.requestMicros();
    boolean none = micros.getTotalCount() == 0;
    return new Requests(
        now.time(),
        rate(0, micros.getTotalCount(), seconds),
        none ? null : micros.getValueAtPercentile(50) / 1e3,
        none ? null : micros.getValueAtPercentile(99) / 1e3);
  }

  /** With one decimal place, which is all that a page can use. */
  private static double rate(long before, long now, double seconds) {
    return seconds <= 0 ? 0 : Math.round((now - before) / seconds * 10) / 10.0;
  }
}
