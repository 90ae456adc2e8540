package dev.waymark.routing;

import dev.waymark.ChangeConsumer;
import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.RoutingListener;
import dev.waymark.RoutingListener.StreamChange;
import dev.waymark.RoutingListener.StreamState;
import dev.waymark.ShardChange;
import dev.waymark.ShardChange.Committed;
import dev.waymark.ShardChange.StartedAnew;
import dev.waymark.ShardChange.StartedAnew.Cause;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkConfig.Changes;
import dev.waymark.routing.PgOutputMessage.Sent;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.postgresql.replication.LogSequenceNumber;
import org.postgresql.replication.PGReplicationStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the changes of one shard, wherever its primary is, or stands by while another process
 * does. One thread of its own: it connects, reads and hands over; while it follows, a {@link Pulse}
 * runs beside it.
 */
final class ShardFollower implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ChangeStream.class);

  private static final long SHORT_PAUSE = TimeUnit.MILLISECONDS.toNanos(250);
  private static final long LONGEST_PAUSE = TimeUnit.SECONDS.toNanos(5);

  /** Until somebody has changed something; nobody waits for it by the second. */
  private static final long REFUSED_PAUSE = TimeUnit.SECONDS.toNanos(10);

  /** Long enough that another process has taken the shard up. */
  private static final long GIVING_WAY_PAUSE = TimeUnit.SECONDS.toNanos(2);

  private static final long FIRST_RETRY = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long LONGEST_RETRY = TimeUnit.SECONDS.toNanos(1);

  /** All processes together try to take a shard over about so often in a second. */
  private static final int TRIES_PER_SECOND = 20;

  private static final int COUNT_EVERY_TRIES = 20;

  /** A batch ends when so many changed rows wait, though more could be read at once. */
  private static final int ROWS_OF_A_BATCH = 1_000;

  private static final int CHANGES_OF_A_BATCH = 1_000;

  /** The server looked for a publication at a time when there was none. */
  private static final String UNDEFINED_OBJECT = "42704";

  private final LiveShard shard;
  private final WaymarkConfig config;
  private final Changes settings;
  private final ChangeConsumer consumer;
  private final RoutingListener listener;
  private final LongSupplier nanoClock;
  private final Publication publication;
  private final Slot slot;
  private final Catalogue catalogue;
  private final SplittableRandom jitter;
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Thread thread;
  private volatile @Nullable ChangeSession session;
  private volatile ChangeStatus status;
  private volatile long reachedAtNanos;

  /** The timeline this process followed last; 0 before it did. */
  private int knownTimeline;

  private boolean publicationWasMissing;

  /** Why the stream starts anew, until its consumer knows. */
  private @Nullable Cause untoldCause;

  /** The consumer has failed for as long as it may; another process shall try. */
  private static final class ConsumerFailedException extends Exception {
    private static final long serialVersionUID = 1;

    ConsumerFailedException(Throwable cause) {
      super(String.valueOf(cause.getMessage()), cause);
    }
  }

  ShardFollower(
      LiveShard shard,
      WaymarkConfig config,
      ChangeConsumer consumer,
      RoutingListener listener,
      LongSupplier nanoClock) {
    this.shard = shard;
    this.config = config;
    this.settings = config.changes();
    this.consumer = consumer;
    this.listener = listener;
    this.nanoClock = nanoClock;
    this.publication = new Publication(settings.publication(), settings.tables(), config.map());
    this.slot = new Slot(settings.slot());
    this.catalogue = new Catalogue(settings.publication(), settings.slot());
    this.jitter = new SplittableRandom(shard.name().hashCode() ^ nanoClock.getAsLong());
    this.status =
        new ChangeStatus(
            shard.name(),
            settings.enabled() ? StreamState.CONNECTING : StreamState.OFF,
            null,
            null,
            Duration.ZERO,
            null);
    this.thread = new Thread(this::run, "waymark-changes-" + shard.name());
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  ChangeStatus status() {
    ChangeStatus now = status;
    return now.state() != StreamState.FOLLOWING
        ? now
        : new ChangeStatus(
            now.shard(),
            now.state(),
            now.node(),
            now.reached(),
            Duration.ofNanos(Math.max(0, nanoClock.getAsLong() - reachedAtNanos)),
            now.trouble());
  }

  private void run() {
    try {
      attemptUntilClosed();
    } finally {
      ended();
    }
  }

  private void attemptUntilClosed() {
    long pause = SHORT_PAUSE;
    while (!isClosing()) {
      long began = nanoClock.getAsLong();
      try {
        attempt();
        pause = SHORT_PAUSE;
      } catch (InterruptedException closed) {
        // By close, or by a consumer that was interrupted for reasons of its own.
        pause = SHORT_PAUSE;
      } catch (ChangesRefusedException refused) {
        tell(StreamState.REFUSED, refused.getMessage());
        pause = REFUSED_PAUSE;
      } catch (ConsumerFailedException failed) {
        tell(StreamState.CONNECTING, "the consumer takes no changes over: " + failed.getMessage());
        pause = GIVING_WAY_PAUSE;
      } catch (SQLException | RuntimeException failure) {
        if (isClosing()) {
          break;
        }
        if (failure instanceof SQLException sql && UNDEFINED_OBJECT.equals(sql.getSQLState())) {
          publicationWasMissing = true;
        }
        tell(StreamState.CONNECTING, reason(failure));
        boolean lasted = nanoClock.getAsLong() - began > LONGEST_PAUSE;
        pause = lasted ? SHORT_PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
      }
      try {
        pause(pause);
      } catch (InterruptedException closed) {
        // The loop looks.
      }
    }
  }

  private synchronized void ended() {
    ChangeStatus before = status;
    status =
        new ChangeStatus(
            before.shard(), StreamState.OFF, null, before.reached(), Duration.ZERO, null);
    listener.streamChanged(new StreamChange(shard.name(), before.state(), StreamState.OFF, null));
  }

  private static String reason(Exception failure) {
    return String.valueOf(failure.getMessage()).lines().findFirst().orElse("")
        + (failure instanceof SQLException sql ? " (SQLSTATE " + sql.getSQLState() + ")" : "");
  }

  // ---- one attempt --------------------------------------------------------------------------

  private void attempt()
      throws SQLException, ChangesRefusedException, ConsumerFailedException, InterruptedException {
    NodeView primary = shard.view().primary();
    if (primary == null) {
      tell(StreamState.CONNECTING, "the shard has no primary");
      return;
    }
    try (ChangeSession opened = new ChangeSession(primary.node(), config)) {
      session = opened;
      if (isClosing()) {
        return;
      }
      Look look = opened.open(nanoClock);
      if (look.role() == Role.PRIMARY && isMine(opened)) {
        Pulse pulse =
            new Pulse(
                shard.name(),
                opened,
                settings,
                publication,
                slot,
                catalogue,
                consumer,
                observer(primary.index()),
                nanoClock);
        pulse.start();
        try {
          follow(opened, look, pulse);
        } catch (SQLException | RuntimeException failure) {
          throw firstOf(opened, failure);
        } finally {
          opened.end();
          pulse.stop();
        }
      }
    } finally {
      session = null;
    }
  }

  /** What the other thread met if that came first: ours is then just its consequence. */
  private static SQLException firstOf(ChangeSession opened, Exception failure)
      throws ChangesRefusedException {
    Exception first = opened.failure();
    if (first instanceof ChangesRefusedException refused) {
      throw refused;
    }
    if (first == null) {
      first = failure;
    }
    return first instanceof SQLException sql ? sql : new SQLException(first.toString(), first);
  }

  private Pulse.Observer observer(int node) {
    return new Pulse.Observer() {
      @Override
      public boolean isElsewhere() {
        ShardView view = shard.view();
        NodeView chief = view.primary();
        NodeView mine = view.node(node);
        // A node that is under suspicion may be well; one that is down is not.
        return chief != null && chief.index() != node || !mine.isUp() && !mine.seen().suspect();
      }

      @Override
      public long endOfLog() {
        LogPosition known = shard.view().node(node).position();
        return known == null ? 0 : known.lsn();
      }

      @Override
      public void left(List<String> left) {
        tell(StreamState.FOLLOWING, left.isEmpty() ? null : String.join("; ", left));
      }
    };
  }

  /** Waits until this process is the one that follows; false if another server is to be asked. */
  private boolean isMine(ChangeSession opened) throws SQLException, InterruptedException {
    int others = 1;
    for (int tries = 0; !opened.tryLock(slot.name()); tries++) {
      tell(StreamState.STANDING_BY, null);
      if (tries % COUNT_EVERY_TRIES == 0) {
        others = opened.countOthers();
      }
      long longest = Math.max(2 * SHORT_PAUSE, TimeUnit.SECONDS.toNanos(others) / TRIES_PER_SECOND);
      pause(longest / 2 + jitter.nextLong(longest / 2 + 1));
      if (isElsewhere(opened)) {
        return false;
      }
    }
    return true;
  }

  private boolean isElsewhere(ChangeSession opened) {
    NodeView chief = shard.view().primary();
    return isClosing() || chief != null && !chief.node().equals(opened.node());
  }

  private void follow(ChangeSession opened, Look look, Pulse pulse)
      throws SQLException, ChangesRefusedException, ConsumerFailedException, InterruptedException {
    List<String> left = new ArrayList<>(publication.bringAbout(opened.statements()));
    Connection replication = opened.openReplication();
    Slot.Seen seen = slot.look(opened.statements());
    while (seen != null && seen.activePid() != 0) {
      // Whoever had it before this process got the lock, and whose server has not noticed its end.
      tell(StreamState.STANDING_BY, "the slot is in use by server process " + seen.activePid());
      pause(SHORT_PAUSE);
      if (isElsewhere(opened)) {
        return;
      }
      seen = slot.look(opened.statements());
    }
    seen = startAnewIfNeeded(opened, look, seen);
    if (seen != null && seen.isBound()) {
      try {
        slot.survivePromotion(replication);
      } catch (SQLException refused) {
        left.add("the slot will not survive a promotion: " + refused.getMessage());
      }
    }
    knownTimeline = look.position().timeline();
    // Before anything is confirmed: that moves on the catalog_xmin by which a first look finds what
    // was altered while nobody followed.
    catalogue.look(opened.statements(), 0);
    PGReplicationStream stream = opened.start(slot.name(), publication);
    pulse.streaming(left);
    reachedAtNanos = nanoClock.getAsLong();
    at(opened.node().name(), null);
    tell(StreamState.FOLLOWING, left.isEmpty() ? null : String.join("; ", left));
    read(stream, look.position(), pulse);
  }

  /** Returns the slot as it is afterwards. */
  private Slot.@Nullable Seen startAnewIfNeeded(
      ChangeSession opened, Look look, Slot.@Nullable Seen seen)
      throws SQLException, ChangesRefusedException, ConsumerFailedException, InterruptedException {
    Connection statements = opened.statements();
    long startOfTimeline = opened.startOfTimeline(look);
    Cause cause = null;
    boolean keep = false;
    if (seen == null) {
      boolean isPromoted = knownTimeline != 0 && look.position().timeline() > knownTimeline;
      cause = isPromoted ? Cause.PROMOTION : Cause.NO_SLOT;
    } else if (seen.isLost()) {
      cause = Cause.SLOT_INVALIDATED;
    } else if (publicationWasMissing) {
      cause = Cause.NO_PUBLICATION;
    } else if (seen.waitingBytes() > settings.retain()) {
      cause = Cause.TOO_FAR_BEHIND;
    } else if (Long.compareUnsigned(seen.confirmedLsn(), startOfTimeline) <= 0
        && startOfTimeline != 0) {
      // What was told last was told by a server before this one, and may not have survived it. A
      // slot that this server has kept from an earlier life of its own is of no use: while it was a
      // standby nothing kept what the slot needs.
      cause = Cause.PROMOTION;
      keep = seen.isSynced();
    }
    if (cause == null) {
      return seen;
    }
    if (seen == null && untoldCause != null) {
      // The slot went with an attempt that its consumer never heard of.
      cause = untoldCause;
    }
    untoldCause = cause;
    long from;
    if (seen != null && keep) {
      from = seen.confirmedLsn();
      startAnew(opened, at(look.position(), from), cause);
      return seen;
    }
    if (seen != null) {
      slot.drop(statements);
    }
    note("a new slot waits for the transactions that are running");
    from = opened.withoutTimeout(slot::makePassing);
    startAnew(opened, at(look.position(), from), cause);
    slot.keep(statements);
    publicationWasMissing = false;
    return slot.look(statements);
  }

  private void startAnew(ChangeSession opened, LogPosition from, Cause cause)
      throws SQLException, ConsumerFailedException, InterruptedException {
    handOver(List.of(new StartedAnew(shard.name(), from, cause)), opened::ping);
    untoldCause = null;
    if (cause == Cause.NO_SLOT) {
      log.info("The changes of {} start anew: there was no slot", shard.name());
    } else {
      log.warn("The changes of {} start anew: {}", shard.name(), cause);
    }
    listener.streamStartedAnew(shard.name(), cause);
  }

  private static LogPosition at(LogPosition of, long lsn) {
    return new LogPosition(of.systemId(), of.timeline(), lsn);
  }

  // ---- reading and handing over ---------------------------------------------------------------

  private void read(PGReplicationStream stream, LogPosition start, Pulse pulse)
      throws SQLException, ConsumerFailedException, InterruptedException {
    ChangeAssembler assembler =
        new ChangeAssembler(shard.name(), start, settings.rows(), pulse::recentTransactionId);
    Batch batch = new Batch();
    while (!isClosing()) {
      boolean waits = batch.isEmpty() || assembler.isInside();
      ByteBuffer message;
      if (waits) {
        pulse.reads();
        message = stream.read();
        pulse.hasRead();
        if (message == null) {
          throw new SQLException("The server ended the stream", "08006");
        }
      } else {
        message = batch.isFull() ? null : stream.readPending();
      }
      if (message == null) {
        handOver(batch, stream);
        batch = new Batch();
        continue;
      }
      PgOutputMessage read = read(message);
      if (read instanceof Sent sent && sent.prefix().equals(Pulse.PREFIX)) {
        Pulse.Mark mark = pulse.back(sent.text());
        batch.reached(sent.lsn());
        if (mark != null) {
          batch.add(mark, shard.name(), at(start, sent.lsn()));
        }
      } else {
        Committed committed = add(assembler, read);
        if (committed != null) {
          batch.add(committed);
        }
      }
    }
  }

  private static PgOutputMessage read(ByteBuffer message) throws SQLException {
    try {
      return PgOutputMessage.read(message);
    } catch (IllegalArgumentException malformed) {
      throw new SQLException(malformed.getMessage(), "08P01", malformed);
    }
  }

  private static @Nullable Committed add(ChangeAssembler assembler, PgOutputMessage read)
      throws SQLException {
    try {
      return assembler.add(read);
    } catch (IllegalArgumentException outOfPlace) {
      throw new SQLException(outOfPlace.getMessage(), "08P01", outOfPlace);
    }
  }

  /** What is handed over at once: whatever could be read without waiting, up to a bound. */
  private static final class Batch {
    private final List<ShardChange> changes = new ArrayList<>();
    private int rows;
    private Pulse.@Nullable Mark lastMark;
    private @Nullable LogPosition lastMarkAt;

    /** Nothing before it is needed again; 0 for an empty batch. */
    private long lsn;

    boolean isEmpty() {
      return lsn == 0;
    }

    boolean isFull() {
      return rows >= ROWS_OF_A_BATCH || changes.size() >= CHANGES_OF_A_BATCH;
    }

    void reached(long markedLsn) {
      lsn = markedLsn;
    }

    void add(Pulse.Mark mark, String shard, LogPosition position) {
      Pulse.tell(mark, shard, position, changes);
      lastMark = mark;
      lastMarkAt = position;
    }

    void add(Committed committed) {
      changes.add(committed);
      rows += committed.rows().size();
      lsn = committed.position().lsn();
    }
  }

  private void handOver(Batch batch, PGReplicationStream stream)
      throws SQLException, ConsumerFailedException, InterruptedException {
    if (!batch.changes.isEmpty()) {
      // A server that hears nothing for its time-out ends the connection.
      handOver(batch.changes, stream::forceUpdateStatus);
    }
    // Only now: what the consumer has not taken over must be sent again after a crash.
    LogSequenceNumber place = LogSequenceNumber.valueOf(batch.lsn);
    stream.setFlushedLSN(place);
    stream.setAppliedLSN(place);
    stream.forceUpdateStatus();
    Pulse.Mark mark = batch.lastMark;
    if (mark != null) {
      long now = nanoClock.getAsLong();
      catalogue.told(mark.seen().number());
      reachedAtNanos = mark.sentAtNanos();
      at(status.node(), batch.lastMarkAt);
      listener.streamReached(shard.name(), now - mark.sentAtNanos(), mark.heldBytes());
    }
  }

  /** Where it is followed, and how far; the state is told apart. */
  private synchronized void at(@Nullable String node, @Nullable LogPosition reached) {
    ChangeStatus before = status;
    status =
        new ChangeStatus(
            before.shard(),
            before.state(),
            node,
            reached == null ? before.reached() : reached,
            Duration.ZERO,
            before.trouble());
  }

  /** What keeps the server content while the consumer fails. */
  private interface SignOfLife {
    void give() throws SQLException;
  }

  private void handOver(List<ShardChange> changes, SignOfLife life)
      throws SQLException, ConsumerFailedException, InterruptedException {
    List<ShardChange> unchanging = List.copyOf(changes);
    long since = nanoClock.getAsLong();
    String trouble = status.trouble();
    StreamState state = status.state();
    for (long retry = FIRST_RETRY; ; retry = Math.min(2 * retry, LONGEST_RETRY)) {
      try {
        consumer.take(unchanging);
        if (retry > FIRST_RETRY) {
          tell(state, trouble);
        }
        return;
      } catch (InterruptedException interrupted) {
        throw interrupted;
      } catch (Exception | Error failure) {
        if (nanoClock.getAsLong() - since > settings.timeout().toNanos()) {
          throw new ConsumerFailedException(failure);
        }
        tell(state, "the consumer takes no changes over for now: " + failure.getMessage());
      }
      life.give();
      pause(retry);
    }
  }

  // ---- the rest -------------------------------------------------------------------------------

  private boolean isClosing() {
    return closing.getCount() == 0;
  }

  private void pause(long nanos) throws InterruptedException {
    if (closing.await(nanos, TimeUnit.NANOSECONDS)) {
      throw new InterruptedException("closing");
    }
  }

  /** One line and one call of the listener for each change, none while all stays as it is. */
  private synchronized void tell(StreamState state, @Nullable String trouble) {
    ChangeStatus before = status;
    if (before.state() == state && Objects.equals(before.trouble(), trouble) || isClosing()) {
      return;
    }
    status =
        new ChangeStatus(
            before.shard(),
            state,
            state == StreamState.FOLLOWING ? before.node() : null,
            before.reached(),
            Duration.ZERO,
            trouble);
    if (trouble == null) {
      log.info("The changes of {}: {}", shard.name(), state);
    } else if (!trouble.equals(before.trouble())) {
      log.warn("The changes of {}: {}, {}", shard.name(), state, trouble);
    }
    listener.streamChanged(new StreamChange(shard.name(), before.state(), state, trouble));
  }

  /** Says what is under way to those who ask, and to nobody else. */
  private synchronized void note(String underWay) {
    ChangeStatus before = status;
    status =
        new ChangeStatus(
            before.shard(),
            StreamState.CONNECTING,
            null,
            before.reached(),
            Duration.ZERO,
            underWay);
  }

  /** Asks the thread to end. */
  void stop() {
    closing.countDown();
    ChangeSession running = session;
    if (running != null) {
      running.end();
    }
    thread.interrupt();
  }

  /** Waits for the thread, which was asked to end. */
  @Override
  public void close() {
    try {
      thread.join(settings.timeout().toMillis());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
