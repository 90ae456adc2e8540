package dev.waymark.sample;

import dev.waymark.NodeState;
import dev.waymark.Route;
import dev.waymark.RoutingListener;
import dev.waymark.cache.CacheListener;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.LongAdder;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.Recorder;
import org.jspecify.annotations.Nullable;

/**
 * Counts what the live page shows and the library only tells as it happens: reads and writes of
 * each node, what became of nodes, and how long requests took. Safe to share.
 */
final class Traffic implements RoutingListener {
  /** Somebody who opens the page late wants to know the last few; the log has all of them. */
  private static final int EVENTS_KEPT = 30;

  private static final long LONGEST_MICROS = 60_000_000;

  /** Two digits: nobody can tell 1.23 ms from 1.24 ms in a chart. */
  private static final int DIGITS = 2;

  private final InstantSource clock;
  private final ConcurrentMap<String, Counters> nodes = new ConcurrentHashMap<>();
  private final Recorder requestMicros = new Recorder(LONGEST_MICROS, DIGITS);

  /** Its own lock: state changes are rare, and the page reads once a second. */
  private final Deque<Event> events = new ArrayDeque<>();

  /**
   * Counts from now on.
   *
   * @param clock of the events
   */
  Traffic(InstantSource clock) {
    this.clock = clock;
  }

  private static final class Counters {
    final LongAdder reads = new LongAdder();
    final LongAdder writes = new LongAdder();
  }

  /** What a node has answered since the start. */
  record Answered(long reads, long writes) {
    static final Answered NOTHING = new Answered(0, 0);
  }

  /** Something that happened to a node, or to Redis, in words for a person. */
  record Event(Instant at, String subject, String text) {}

  /** Node by node. */
  Map<String, Answered> answered() {
    Map<String, Answered> answered = new TreeMap<>();
    nodes.forEach(
        (node, counters) ->
            answered.put(node, new Answered(counters.reads.sum(), counters.writes.sum())));
    return answered;
  }

  /** The last events, the newest first. */
  List<Event> events() {
    synchronized (events) {
      return List.copyOf(events);
    }
  }

  /** A request of the API was answered. */
  void requestTook(Duration duration) {
    requestMicros.recordValue(Math.min(LONGEST_MICROS, Math.max(0, duration.toNanos() / 1_000)));
  }

  /** How long the requests took since this was asked last, in microseconds. */
  Histogram requestMicrosSinceLastAsked() {
    return requestMicros.getIntervalHistogram();
  }

  @Override
  public void read(Route route, long nanos) {
    counters(route.node()).reads.increment();
  }

  @Override
  public void written(Route route, long nanos) {
    counters(route.node()).writes.increment();
  }

  @Override
  public void nodeChanged(NodeChange change) {
    // Without the trouble: addresses and what servers say are for the log.
    note(change.node(), words(change.before()) + " → " + words(change.after()));
  }

  @Override
  public void primaryChanged(
      String shard, @Nullable String before, String after, long nanosWithout) {
    note(
        shard,
        before == null
            ? "its primary is " + after
            : "the primary is now %s (before: %s); %d ms without one"
                .formatted(after, before, nanosWithout / 1_000_000));
  }

  /** Notes what becomes of Redis. */
  CacheListener ofCache() {
    return new CacheListener() {
      @Override
      public void redisLost(String redis, String trouble) {
        note("redis", "lost; reads go to this process' memory and the database");
      }

      @Override
      public void redisBack(String redis, Duration away) {
        note("redis", "back after " + away.toMillis() + " ms");
      }
    };
  }

  /** Notes what somebody did by a button of the page. */
  void note(String subject, String text) {
    synchronized (events) {
      events.addFirst(new Event(clock.instant(), subject, text));
      while (events.size() > EVENTS_KEPT) {
        events.removeLast();
      }
    }
  }

  private Counters counters(String node) {
    Counters counters = nodes.get(node);
    return counters == null ? nodes.computeIfAbsent(node, n -> new Counters()) : counters;
  }

  private static String words(NodeState state) {
    return switch (state) {
      case UP -> "up";
      case LAGGING -> "lagging";
      case SUSPECT -> "suspect";
      case DOWN -> "down";
    };
  }
}
