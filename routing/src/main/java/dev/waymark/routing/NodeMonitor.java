package dev.waymark.routing;

import dev.waymark.WaymarkConfig;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Watches one node on a connection and a thread of its own, so that a node that hangs delays
 * nobody's view of another.
 */
final class NodeMonitor implements AutoCloseable {
  private static final String APPLICATION = "waymark-monitor";

  /** How many processes do what this one does. Every session shows this much to everybody. */
  private static final String COUNT_WATCHERS =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = '" + APPLICATION + "'";

  private final NodeView node;
  private final WaymarkConfig config;
  private final Observer observer;
  private final LongSupplier nanoClock;
  private final LookPace pace;
  private final SplittableRandom jitter;
  private final CountDownLatch lookedOnce = new CountDownLatch(1);

  /** A permit is a wish for a look at once. */
  private final Semaphore wishes = new Semaphore(0);

  private final Thread thread;
  private volatile boolean stopped;
  private @Nullable Connection connection;
  private int watchers = 1;

  /** How many there were by the last count on this connection; 0 before the first. */
  private int counted;

  private long countDueAtNanos;
  private long pauseBetweenCountsNanos;

  /** Told what the monitor sees, on the monitor's thread. */
  interface Observer {
    void sawUp(int node, Look look);

    void sawDown(int node, SQLException failure);

    LookPace.Demand demand();
  }

  NodeMonitor(NodeView node, WaymarkConfig config, Observer observer, LongSupplier nanoClock) {
    this.node = node;
    this.config = config;
    this.observer = observer;
    this.nanoClock = nanoClock;
    this.pace = new LookPace(config.monitor(), nodes(config));
    this.jitter = new SplittableRandom(node.node().name().hashCode() ^ nanoClock.getAsLong());
    this.thread = new Thread(this::watch, "waymark-monitor-" + node.node().name());
    thread.setDaemon(true);
  }

  private static int nodes(WaymarkConfig config) {
    return config.map().shards().stream().mapToInt(shard -> shard.nodes().size()).sum();
  }

  void start() {
    thread.start();
  }

  /** Asks for a look before the pause ends, as soon as the pace of waiting calls allows it. */
  void lookSoon() {
    if (wishes.availablePermits() == 0) {
      wishes.release();
    }
  }

  /** Waits until the node was looked at once, with whatever result. */
  void awaitFirstLook(long nanos) throws InterruptedException {
    lookedOnce.await(Math.max(0, nanos), TimeUnit.NANOSECONDS);
  }

  private void watch() {
    long pause = config.monitor().interval().toNanos();
    try {
      while (!stopped) {
        long lookedAt = nanoClock.getAsLong();
        boolean up = look();
        lookedOnce.countDown();
        LookPace.Demand demand = observer.demand();
        pause =
            up
                ? pace.pauseNanos(demand, watchers)
                : pace.pauseAfterFailureNanos(demand, watchers, pause);
        if (wishes.tryAcquire(LookPace.jittered(pause, jitter), TimeUnit.NANOSECONDS)) {
          long since = nanoClock.getAsLong() - lookedAt;
          TimeUnit.NANOSECONDS.sleep(pace.pauseAfterWishNanos(since, watchers));
          wishes.drainPermits();
        }
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    } finally {
      disconnect();
    }
  }

  private boolean look() {
    boolean isReused = connection != null;
    try {
      try {
        observer.sawUp(node.index(), Look.at(connected(), nanoClock));
      } catch (SQLException failure) {
        if (stopped || !isReused || Failures.isTimeout(failure)) {
          throw failure;
        }
        // One connection is lost: ended by an operator, say, or by a firewall. Reads are cut off
        // when a node is down, so that is asked first.
        disconnect();
        observer.sawUp(node.index(), Look.at(connected(), nanoClock));
      }
    } catch (SQLException failure) {
      lost(failure);
      return false;
    } catch (RuntimeException failure) {
      // The driver throws one when it is interrupted; whatever it is, watching goes on.
      lost(new SQLException(failure.toString(), "08001", failure));
      return false;
    }
    countIfDue();
    return true;
  }

  private Connection connected() throws SQLException {
    Connection open = connection;
    if (open == null) {
      connection = open = connect();
      counted = 0;
      countDueAtNanos = nanoClock.getAsLong();
    }
    return open;
  }

  private void countIfDue() {
    Connection open = connection;
    if (open == null || nanoClock.getAsLong() - countDueAtNanos < 0) {
      return;
    }
    try {
      watchers = countWatchers(open);
      pauseBetweenCountsNanos =
          pace.pauseBetweenCountsNanos(counted, watchers, pauseBetweenCountsNanos);
      counted = watchers;
      countDueAtNanos = nanoClock.getAsLong() + pauseBetweenCountsNanos;
    } catch (SQLException | RuntimeException failure) {
      // The node has just answered the look: whether it is down, the next look says.
      disconnect();
    }
  }

  private static int countWatchers(Connection open) throws SQLException {
    try (PreparedStatement statement = open.prepareStatement(COUNT_WATCHERS);
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      return Math.max(1, answer.getInt(1));
    }
  }

  private void lost(SQLException failure) {
    disconnect();
    if (!stopped) {
      observer.sawDown(node.index(), failure);
    }
  }

  private Connection connect() throws SQLException {
    Properties properties =
        NodeConnections.driverProperties(
            config.credentials(), config.pool().connectTimeout(), config.monitor().timeout());
    properties.setProperty("ApplicationName", APPLICATION);
    Connection opened = DriverManager.getConnection(node.node().url(), properties);
    opened.setNetworkTimeout(Runnable::run, (int) config.monitor().timeout().toMillis());
    return opened;
  }

  private void disconnect() {
    Connection open = connection;
    connection = null;
    if (open != null) {
      try {
        open.abort(Runnable::run);
      } catch (SQLException alreadyGone) {
        // Nothing is lost: the monitor only ever reads.
      }
    }
  }

  /** Asks the thread to end and waits for it. */
  @Override
  public void close() {
    stopped = true;
    thread.interrupt();
    try {
      thread.join(config.monitor().timeout().plus(config.pool().connectTimeout()).toMillis());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
