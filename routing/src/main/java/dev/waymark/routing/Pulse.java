package dev.waymark.routing;

import dev.waymark.ChangeConsumer;
import dev.waymark.LogPosition;
import dev.waymark.ShardChange;
import dev.waymark.WaymarkConfig.Changes;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The second thread of a {@link ChangeSession}. Every interval it writes a mark into the server's
 * log: when the mark comes back through the stream, everything that was acknowledged before has
 * come as well. A mark that does not come back tells that the server hangs.
 *
 * <p>A mark and not the server's own reports of how far it has sent: those need the log to be
 * flushed, which for a transaction in progress may take as long as it likes, and they come when it
 * pleases the server.
 */
final class Pulse implements Runnable {
  /** What the prefix of a mark is; it is not transactional, so it costs no transaction id. */
  static final String PREFIX = ShardChange.Message.PREFIX + ".mark";

  /** The release from which on a message can be flushed with its sending. */
  private static final int FLUSHES = 170_000;

  private static final long LONGEST_TICK = TimeUnit.MILLISECONDS.toNanos(100);

  /** More marks on their way tell nothing more. */
  private static final int MOST_MARKS = 4;

  private static final long BRING_ABOUT_EVERY = TimeUnit.SECONDS.toNanos(5);

  private static final String LOOK =
      """
      SELECT pg_snapshot_xmin(now), pg_snapshot_xmax(now),
             pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn)::bigint,
             pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint
      FROM pg_current_snapshot() AS now
      LEFT JOIN pg_replication_slots AS s ON s.slot_name = ?
      """;

  /**
   * A mark on its way.
   *
   * @param asOf the consumer's time before it was written; null if the consumer did not tell it
   * @param sentAtNanos when that was asked, by the monotonic clock
   */
  record Mark(@Nullable Long asOf, long sentAtNanos, Catalogue.Seen seen, long heldBytes) {}

  /** Told by the pulse's thread what it finds beside the marks. */
  interface Observer {
    /** Whether another server is to be followed by now, or none. */
    boolean isElsewhere();

    /** Where the server's log is known to end, at least. */
    long endOfLog();

    /** What of the tables is not followed. */
    void left(List<String> left);
  }

  private final ChangeSession session;
  private final Changes settings;
  private final Publication publication;
  private final Slot slot;
  private final Catalogue catalogue;
  private final ChangeConsumer consumer;
  private final Observer observer;
  private final LongSupplier nanoClock;
  private final CountDownLatch ended = new CountDownLatch(1);
  private final Map<String, Mark> marks = new ConcurrentHashMap<>();
  private final Thread thread;

  /** Whether the server has been asked to send; until then the other thread has the connection. */
  private volatile boolean streaming;

  /** Since when the other thread waits for the server; that is not its own time then. */
  private volatile boolean reading;

  private volatile long progressAtNanos;

  /** A 64-bit transaction id that was given out lately. */
  private volatile long recentTransactionId;

  private long receivedLsn;
  private long number;
  private boolean somethingLeft;
  private long broughtAboutAtNanos;

  Pulse(
      String shard,
      ChangeSession session,
      Changes settings,
      Publication publication,
      Slot slot,
      Catalogue catalogue,
      ChangeConsumer consumer,
      Observer observer,
      LongSupplier nanoClock) {
    this.session = session;
    this.settings = settings;
    this.publication = publication;
    this.slot = slot;
    this.catalogue = catalogue;
    this.consumer = consumer;
    this.observer = observer;
    this.nanoClock = nanoClock;
    this.thread = new Thread(this, "waymark-changes-pulse-" + shard);
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** From now on the connection for statements is this thread's. */
  void streaming(List<String> left) throws SQLException {
    catalogue.begin();
    somethingLeft = !left.isEmpty();
    broughtAboutAtNanos = nanoClock.getAsLong();
    progressAtNanos = broughtAboutAtNanos;
    try (PreparedStatement statement = session.statements().prepareStatement(LOOK)) {
      statement.setString(1, slot.name());
      try (ResultSet answer = statement.executeQuery()) {
        answer.next();
        recentTransactionId = Long.parseUnsignedLong(answer.getString(2));
      }
    }
    streaming = true;
  }

  long recentTransactionId() {
    return recentTransactionId;
  }

  /** The other thread waits for the server from here on. */
  void reads() {
    progressAtNanos = nanoClock.getAsLong();
    reading = true;
  }

  /** The other thread has got something, or does something else. */
  void hasRead() {
    reading = false;
  }

  /** The mark that came back; null if it was another session's. */
  @Nullable Mark back(String text) {
    return marks.remove(text);
  }

  @Override
  public void run() {
    long tick = Math.min(LONGEST_TICK, settings.interval().toNanos());
    long markedAt = nanoClock.getAsLong() - settings.interval().toNanos();
    try {
      while (!ended.await(tick, TimeUnit.NANOSECONDS)) {
        if (observer.isElsewhere()) {
          session.fail(new SQLException("another server is the primary, or none", "08006"));
          return;
        }
        long now = nanoClock.getAsLong();
        if (streaming) {
          boolean stands = hasNothingNew(now);
          if (now - markedAt >= settings.interval().toNanos()) {
            markedAt = now;
            mark();
          } else if (stands) {
            wake();
          }
        }
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    } catch (Exception failure) {
      session.fail(failure);
    } catch (Error failure) {
      // Without marks the stream would go on, and nobody would know how far it is.
      session.fail(new IllegalStateException(failure));
      throw failure;
    }
  }

  /** Whether there is more log than was sent, and nothing has come since the last tick. */
  private boolean hasNothingNew(long now) throws SQLException {
    long received = session.receivedLsn();
    boolean stands = received == receivedLsn && reading;
    if (!stands) {
      receivedLsn = received;
      progressAtNanos = now;
    }
    if (!marks.isEmpty() && now - progressAtNanos > settings.timeout().toNanos()) {
      throw new SQLException(
          "the server sent nothing for "
              + Duration.ofNanos(now - progressAtNanos).toMillis()
              + " ms",
          "08006");
    }
    return stands && Long.compareUnsigned(observer.endOfLog(), received) > 0;
  }

  /**
   * Writes something so that the server looks whether there is something to send.
   *
   * <p>It sleeps when it has sent all, and is woken by whoever flushes the log; a flush that comes
   * between its last look and its falling asleep wakes nobody. Measured on PostgreSQL 18: of 20,000
   * commits one after the other 28 were sent only with the next one.
   */
  private void wake() throws SQLException {
    emit(session.statements(), "");
  }

  private void mark() throws SQLException, ChangesRefusedException, InterruptedException {
    Connection connection = session.statements();
    long sentAt = nanoClock.getAsLong();
    // The order is the point: the consumer's time, then what is visible, then the mark.
    Long asOf = time();
    long held;
    long oldestRunning;
    try (PreparedStatement statement = connection.prepareStatement(LOOK)) {
      statement.setString(1, slot.name());
      try (ResultSet answer = statement.executeQuery()) {
        answer.next();
        oldestRunning = Long.parseUnsignedLong(answer.getString(1));
        recentTransactionId = Long.parseUnsignedLong(answer.getString(2));
        long waiting = answer.getLong(3);
        if (waiting > settings.retain()) {
          throw new SQLException(
              waiting + " bytes of log wait to be told, more than changes.retain", "53100");
        }
        held = answer.getLong(4);
      }
    }
    if (marks.size() >= MOST_MARKS) {
      return;
    }
    Catalogue.Seen seen = catalogue.look(connection, oldestRunning);
    String text = session.id() + "#" + number++;
    marks.put(text, new Mark(asOf, sentAt, seen, held));
    emit(connection, text);
    bringAbout(connection, seen);
  }

  private void emit(Connection connection, String text) throws SQLException {
    // Where the server can, it is flushed at once and not when the log's writer wakes up.
    String sql =
        session.version() >= FLUSHES
            ? "SELECT pg_logical_emit_message(false, ?, ?, true)"
            : "SELECT pg_logical_emit_message(false, ?, ?)";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setString(1, PREFIX);
      statement.setString(2, text);
      statement.execute();
    }
  }

  /** Tables come into being, and publications are dropped by mistake. */
  private void bringAbout(Connection connection, Catalogue.Seen seen)
      throws SQLException, ChangesRefusedException {
    long now = nanoClock.getAsLong();
    boolean isGone = !seen.followed().containsAll(seen.altered());
    if (isGone || (somethingLeft && now - broughtAboutAtNanos > BRING_ABOUT_EVERY)) {
      broughtAboutAtNanos = now;
      List<String> left = publication.bringAbout(connection);
      somethingLeft = !left.isEmpty();
      observer.left(left);
    }
  }

  private @Nullable Long time() throws InterruptedException {
    try {
      return consumer.time();
    } catch (InterruptedException closing) {
      throw closing;
    } catch (Exception unknown) {
      return null;
    }
  }

  /** What a mark that came back says, beside its position. */
  static void tell(Mark mark, String shard, LogPosition position, List<ShardChange> batch) {
    if (!mark.seen().altered().isEmpty()) {
      batch.add(new ShardChange.Altered(shard, position, mark.seen().altered()));
    }
    Long asOf = mark.asOf();
    if (asOf != null) {
      batch.add(new ShardChange.Reached(shard, position, asOf, mark.seen().followed()));
    }
  }

  /** Ends the thread and waits for it; the session has been ended before. */
  void stop() {
    ended.countDown();
    thread.interrupt();
    awaitEnd();
  }

  /**
   * Waits through interrupts: who closes the stream interrupts the caller, often while it is in
   * here, and must not find this thread alive after it.
   */
  private void awaitEnd() {
    boolean interrupted = false;
    long deadline = System.nanoTime() + settings.timeout().toNanos();
    for (long left = settings.timeout().toNanos();
        left > 0 && thread.isAlive();
        left = deadline - System.nanoTime()) {
      try {
        TimeUnit.NANOSECONDS.timedJoin(thread, left);
      } catch (InterruptedException closing) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
