package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.WaymarkConfig;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Watches one node on a connection and a thread of its own, so that a node that hangs delays
 * nobody's view of another.
 */
final class NodeMonitor implements AutoCloseable {
  /**
   * One answer tells role, position, timeline and system. The position is a lower bound of whatever
   * the node shows from now on: replay and insertion only move forward.
   *
   * <p>The timeline of a primary is the first part of its current log file's name. A replica's is
   * that of the stream it receives (null without the pg_monitor role) or of its last checkpoint,
   * whichever is later: it streams only from a timeline that contains all it has replayed.
   */
  private static final String LOOK =
      """
      SELECT recovering,
             CASE WHEN recovering THEN pg_last_wal_replay_lsn()
                  ELSE (SELECT lsn FROM (%1$s) AS log) END,
             CASE WHEN recovering
                  THEN greatest(checkpoint.timeline_id,
                                (SELECT received_tli FROM pg_stat_wal_receiver))
                  ELSE ('x' || (SELECT timeline FROM (%1$s) AS log))::bit(32)::int END,
             system.system_identifier
      FROM pg_is_in_recovery() AS recovering,
           pg_control_checkpoint() AS checkpoint,
           pg_control_system() AS system
      """
          .formatted(EndOfLog.SELECT);

  private static final Duration LONGEST_PAUSE = Duration.ofMillis(500);

  private final NodeView node;
  private final WaymarkConfig config;
  private final Observer observer;
  private final LongSupplier nanoClock;
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final CountDownLatch lookedOnce = new CountDownLatch(1);
  private final Thread thread;
  private @Nullable Connection connection;

  /** Told what the monitor sees, on the monitor's thread. */
  interface Observer {
    void sawUp(int node, Role role, LogPosition position, long askedAtNanos);

    void sawDown(int node, SQLException failure);
  }

  NodeMonitor(NodeView node, WaymarkConfig config, Observer observer, LongSupplier nanoClock) {
    this.node = node;
    this.config = config;
    this.observer = observer;
    this.nanoClock = nanoClock;
    this.thread = new Thread(this::watch, "waymark-monitor-" + node.node().name());
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** Waits until the node was looked at once, with whatever result. */
  void awaitFirstLook(long nanos) throws InterruptedException {
    lookedOnce.await(Math.max(0, nanos), TimeUnit.NANOSECONDS);
  }

  private void watch() {
    long pause = config.monitor().interval().toNanos();
    try {
      do {
        pause = look() ? config.monitor().interval().toNanos() : longer(pause);
        lookedOnce.countDown();
      } while (!stopped.await(pause, TimeUnit.NANOSECONDS));
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    } finally {
      disconnect();
    }
  }

  private boolean look() {
    try {
      Connection open = connection;
      if (open == null) {
        connection = open = connect();
      }
      long askedAt = nanoClock.getAsLong();
      try (PreparedStatement statement = open.prepareStatement(LOOK);
          ResultSet answer = statement.executeQuery()) {
        answer.next();
        String lsn = answer.getString(2);
        // A standby that has not replayed anything since its start has no position yet.
        LogPosition position =
            new LogPosition(
                answer.getLong(4), answer.getInt(3), lsn == null ? 0 : LogPosition.parseLsn(lsn));
        observer.sawUp(
            node.index(), answer.getBoolean(1) ? Role.REPLICA : Role.PRIMARY, position, askedAt);
      }
      return true;
    } catch (SQLException failure) {
      lost(failure);
      return false;
    } catch (RuntimeException failure) {
      // The driver throws one when it is interrupted; whatever it is, watching goes on.
      lost(new SQLException(failure.toString(), "08001", failure));
      return false;
    }
  }

  private void lost(SQLException failure) {
    disconnect();
    if (stopped.getCount() > 0) {
      observer.sawDown(node.index(), failure);
    }
  }

  private Connection connect() throws SQLException {
    Properties properties =
        NodePools.driverProperties(
            config.credentials(), config.pool().connectTimeout(), config.monitor().timeout());
    properties.setProperty("ApplicationName", "waymark-monitor");
    // The log-in as well: a frozen server accepts the connection and then says nothing.
    properties.setProperty("loginTimeout", properties.getProperty("connectTimeout"));
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

  private static long longer(long pause) {
    return Math.min(Math.max(pause, 1) * 2, LONGEST_PAUSE.toNanos());
  }

  /** Asks the thread to end and waits for it. */
  @Override
  public void close() {
    stopped.countDown();
    thread.interrupt();
    try {
      thread.join(config.monitor().timeout().plus(config.pool().connectTimeout()).toMillis());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
