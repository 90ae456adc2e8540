package dev.waymark.sample;

import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at the service once a second and gives what it saw to everybody who waits for it, in the
 * form of server-sent events. The look is one for all viewers: many pages cost no more than one.
 * Threads may share it.
 */
final class LiveFeed implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(LiveFeed.class);

  /** How many seconds the chart is wide. */
  static final int HISTORY = 120;

  private static final long PERIOD_MILLIS = 1_000;

  private final Supplier<LiveState.Reading> look;
  private final ScheduledExecutorService ticker;

  /** Guards what follows. A lock and not a monitor, in which a virtual thread would pin. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition changed = lock.newCondition();
  private final Deque<LiveState.Requests> history = new ArrayDeque<>();
  private LiveState.Reading last;
  private Frame frame = new Frame(0, new byte[0]);
  private boolean closed;

  /** Looks only when {@link #tick} says so. */
  LiveFeed(Supplier<LiveState.Reading> look) {
    this.look = look;
    this.last = look.get();
    this.ticker =
        Executors.newSingleThreadScheduledExecutor(
            work -> {
              Thread thread = new Thread(work, "waymark-sample-live");
              thread.setDaemon(true);
              return thread;
            });
  }

  /** A feed of a service. */
  static LiveFeed of(
      ShardedDatabase database,
      TieredCache<?, ?> cache,
      Traffic traffic,
      InstantSource clock,
      LongSupplier nanoClock) {
    return new LiveFeed(
        () ->
            new LiveState.Reading(
                clock.instant(),
                nanoClock.getAsLong(),
                database.map(),
                database.nodes(),
                traffic.answered(),
                cache.name(),
                cache.statistics(),
                cache.condition(),
                traffic.requestMicrosSinceLastAsked(),
                traffic.events()));
  }

  /** One event, as it goes over the wire. */
  record Frame(long number, byte[] bytes) {}

  /** Looks once a second from now on. */
  void start() {
    var unused =
        ticker.scheduleAtFixedRate(
            this::tickAgain, PERIOD_MILLIS, PERIOD_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** A scheduled task that throws never runs again. */
  private void tickAgain() {
    try {
      tick();
    } catch (RuntimeException failure) {
      log.warn("The live page is not fed this time", failure);
    }
  }

  /** Looks now. */
  void tick() {
    LiveState.Reading now = look.get();
    lock.lock();
    try {
      LiveState state = LiveState.between(last, now);
      last = now;
      history.addLast(state.requests());
      if (history.size() > HISTORY) {
        history.removeFirst();
      }
      frame = new Frame(frame.number() + 1, event("state", state));
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** What a page begins with: how requests went before it was opened. */
  byte[] history() {
    lock.lock();
    try {
      List<LiveState.Requests> past = new ArrayList<>(history);
      return event("history", past);
    } finally {
      lock.unlock();
    }
  }

  /**
   * The newest frame, as soon as there is one newer than the given; frames in between are passed
   * over. Null when the feed is closed.
   */
  @Nullable Frame after(long number) throws InterruptedException {
    lock.lock();
    try {
      while (frame.number() <= number && !closed) {
        changed.await();
      }
      return closed ? null : frame;
    } finally {
      lock.unlock();
    }
  }

  /** Lets everybody go who waits. */
  @Override
  public void close() {
    ticker.shutdownNow();
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private static byte[] event(String name, Object data) {
    // JSON has no line breaks of its own, so one data line is enough.
    return ("event: " + name + "\ndata: " + Json.text(data) + "\n\n")
        .getBytes(StandardCharsets.UTF_8);
  }
}
