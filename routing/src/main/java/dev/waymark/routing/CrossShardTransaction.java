package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.NoShardForKeyException;
import dev.waymark.Outcome;
import dev.waymark.Transaction;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One transaction with a part on each of several shards, all of which are committed or none. Parts
 * are opened as they are used. Belongs to one thread.
 *
 * <p>Atomic, but not isolated: between the first part's commit and the last one's, which is a round
 * trip as a rule, others may see the one and not yet the other; and each part reads a snapshot of
 * its own shard. A server that is promoted without having received what its predecessor had
 * acknowledged loses that of a cross-shard transaction as well, perhaps of one part alone: where
 * that must not be, replicate synchronously.
 */
public final class CrossShardTransaction {
  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  private final CrossShardCommits commits;
  private final Session session;
  private final @Nullable Session bound;

  /** Of the whole transaction; null if its user takes as long as it takes until the commit. */
  private final @Nullable Deadline limit;

  /**
   * By the shard's place in the map: everybody opens and locks in the order of use, though. Other
   * threads look at it to cut the parts off.
   */
  private final SortedMap<Integer, Participant> participants = new ConcurrentSkipListMap<>();

  private boolean isOver;

  /** Whether a write on several shards has begun and is not done on all of them. */
  private boolean isHalfDone;

  private volatile boolean isCutOff;

  CrossShardTransaction(
      CrossShardCommits commits,
      Session session,
      @Nullable Session bound,
      @Nullable Deadline limit) {
    this.commits = commits;
    this.session = session;
    this.bound = bound;
    this.limit = limit;
  }

  /** One shard's part. */
  static final class Participant implements FanOut.Running {
    private final LiveShard shard;
    private final Writes.Writer writer;
    private final OpenTransaction transaction;
    private final WrittenKeys written = new WrittenKeys();
    private boolean isPrepared;
    private boolean isCommitted;

    /** Null unless it has written. */
    private @Nullable String transactionId;

    /** At or after its commit; null if that is not known, or it has written nothing. */
    private @Nullable LogPosition position;

    Participant(LiveShard shard, Writes.Writer writer) {
      this.shard = shard;
      this.writer = writer;
      this.transaction =
          new OpenTransaction(shard.name(), writer.position().systemId(), writer.connection());
    }

    LiveShard shard() {
      return shard;
    }

    NodeView node() {
      return writer.primary();
    }

    Connection connection() {
      return writer.connection();
    }

    /** The statement that runs in it, on any thread; the part is then failed, and not lost. */
    @Override
    public void cancel() {
      Lane.cancel(Lane.server(connection()));
    }

    /** From any thread. If it is over, its lane may be another call's, which is left alone. */
    @Override
    public void cutOff() {
      writer.lane().cutOffIfStill(connection());
    }

    /** The keys that it has written, as far as its user tells. */
    WrittenKeys written() {
      return written;
    }

    long systemId() {
      return writer.position().systemId();
    }
  }

  // ---- working ------------------------------------------------------------------------------

  /**
   * The part on the shard that owns the key, which is taken for written.
   *
   * @throws NoShardForKeyException if no shard owns the key
   * @throws UnavailableException if its shard had no primary within the deadline
   * @throws WaymarkException if the shard cannot take part: its {@code max_prepared_transactions}
   *     is zero, or its schema is not installed; the message begins with the code
   */
  public Transaction on(long key) {
    Participant participant = participant(commits.indexOfShardFor(key));
    participant.written.add(key);
    return participant.transaction;
  }

  /** The parts on all shards, in the order of the map; for tables that every shard holds whole. */
  public List<Transaction> onEveryShard() {
    List<Transaction> all = new ArrayList<>();
    for (int i = 0; i < commits.shards().size(); i++) {
      Participant participant = participant(i);
      participant.written.addOthers();
      all.add(participant.transaction);
    }
    return all;
  }

  /** The part on a shard, opened if it is not yet. */
  Participant participant(int index) {
    refuseIfHalfDone();
    return participant(index, deadline());
  }

  /** The same, whose connection is waited for until an instant if it has to be opened. */
  Participant participant(int index, Deadline waiting) {
    if (isOver) {
      throw new IllegalStateException("The transaction is over");
    }
    Participant known = participants.get(index);
    if (known != null) {
      return known;
    }
    LiveShard shard = commits.shards().get(index);
    Participant opened = new Participant(shard, commits.connect(shard, bound, waiting, limit));
    try {
      commits.check(shard, opened.connection(), participants.size() + 1);
      if (participants.size() == 1) {
        Participant first = participants.get(participants.firstKey());
        commits.check(Objects.requireNonNull(first).shard, 2);
      }
    } catch (RuntimeException | Error refused) {
      opened.writer.lane().close();
      throw refused;
    }
    participants.put(index, opened);
    if (isCutOff) {
      opened.cutOff();
    }
    return opened;
  }

  /** A server knows of its own statement only; that the whole of it failed is known here. */
  private void refuseIfHalfDone() {
    if (isHalfDone) {
      throw rejected(
          "a write failed before it was done on every shard",
          new SQLException("the transaction can only be rolled back", "25P02"));
    }
  }

  /**
   * Runs a query of several shards inside of this transaction, which sees its own writes.
   *
   * @return merged rows, which the transaction's connections hold; close them before anything else
   *     is done
   */
  ResultSet query(String sql, Plan plan, BoundValues values, FanOut.Options options)
      throws SQLException {
    refuseIfHalfDone();
    return commits.queries().queryIn(this, sql, plan, values, options);
  }

  /**
   * How a write on several shards is sent.
   *
   * @param markers what a question mark means in its text
   * @param queryTimeoutSeconds how long all of it may take, 0 for as long as it takes
   */
  record Sending(
      SqlScanner.Markers markers,
      BoundValues values,
      int queryTimeoutSeconds,
      FanOut.Canceller canceller) {}

  /**
   * Writes on several shards, one after the other in the order of the map, so that two transactions
   * of this kind wait for each other's locks in one direction only.
   *
   * @param sql as the write was made of
   * @return how many rows were changed; of a table that every shard holds, how many on each
   * @throws SQLException as a shard told it, or SQLSTATE 57014 if it took too long or was
   *     cancelled; the transaction can then only be rolled back
   */
  long update(String sql, SpreadWrite write, Sending sending) throws SQLException {
    refuseIfHalfDone();
    Spread spread =
        new Spread(
            sending,
            sending.queryTimeoutSeconds() == 0 ? null : deadline(sending.queryTimeoutSeconds()));
    try {
      long changed = update(sql, write, spread);
      isHalfDone = false;
      return changed;
    } catch (SQLException failure) {
      SQLException told = sending.canceller().told(failure);
      throw told != failure || spread.until() == null
          ? told
          : FanOut.inTime(failure, spread.until(), FanOut.TRANSACTION_FAILED);
    } finally {
      dueAsBefore();
      sending.canceller().ended();
    }
  }

  /** A write on several shards under way; {@code until} is null if it takes as long as it takes. */
  private record Spread(Sending sending, @Nullable Deadline until) {}

  private long update(String sql, SpreadWrite write, Spread spread) throws SQLException {
    BoundValues values = spread.sending().values();
    if (write instanceof SpreadWrite.Everywhere) {
      return onAll(sql, spread);
    } else if (write instanceof SpreadWrite.ByKey byKey) {
      long changed = 0;
      for (int index : commits.concerned(byKey.keys(), values)) {
        changed += update(index, sql, spread, inOrder(values.count()));
      }
      return changed;
    }
    SpreadWrite.Rows rows = (SpreadWrite.Rows) write;
    SortedMap<Integer, List<SpreadWrite.Row>> byShard = new TreeMap<>();
    for (SpreadWrite.Row row : rows.rows()) {
      byShard
          .computeIfAbsent(commits.shardOf(row.key(), values), index -> new ArrayList<>())
          .add(row);
    }
    long changed = 0;
    for (SortedMap.Entry<Integer, List<SpreadWrite.Row>> each : byShard.entrySet()) {
      List<Integer> sources = new ArrayList<>(rows.before());
      StringBuilder text = new StringBuilder(rows.head());
      String separator = " ";
      for (SpreadWrite.Row row : each.getValue()) {
        text.append(separator).append(row.text());
        separator = ", ";
        sources.addAll(row.parameters());
      }
      text.append(' ').append(rows.tail());
      sources.addAll(rows.behind());
      changed += update(each.getKey(), text.toString(), spread, sources);
    }
    return changed;
  }

  private long onAll(String sql, Spread spread) throws SQLException {
    long first = -1;
    for (int i = 0; i < commits.shards().size(); i++) {
      long changed = update(i, sql, spread, inOrder(spread.sending().values().count()));
      if (first >= 0 && changed != first) {
        throw new SQLException(
            "The shards do not hold the same rows of a broadcast table: "
                + commits.shards().get(0).name()
                + " changed "
                + first
                + ", "
                + commits.shards().get(i).name()
                + " "
                + changed
                + ". Roll back, and make them the same",
            "XX001");
      }
      first = changed;
    }
    return first;
  }

  private static List<Integer> inOrder(int count) {
    List<Integer> numbers = new ArrayList<>(count);
    for (int i = 1; i <= count; i++) {
      numbers.add(i);
    }
    return numbers;
  }

  private long update(int index, String sql, Spread spread, List<Integer> sources)
      throws SQLException {
    Deadline until = spread.until();
    Participant part = participant(index, until == null ? deadline() : until);
    part.written.addOthers();
    if (until != null) {
      part.writer.lane().dueAt(until.dueAt());
    }
    spread.sending().canceller().runs(List.of(part));
    isHalfDone = true;
    try {
      return update(part.connection(), sql, spread.sending(), sources);
    } catch (SQLException failure) {
      // A connection that was cut off because it was overdue tells nothing of the node.
      if (until == null || until.nanosLeft() > 0) {
        failed(part, failure);
      }
      throw failure;
    }
  }

  private static long update(
      Connection connection, String sql, Sending sending, List<Integer> sources)
      throws SQLException {
    if (sending.markers() == SqlScanner.Markers.NONE) {
      try (Statement statement = connection.createStatement()) {
        return statement.executeLargeUpdate(sql);
      }
    }
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < sources.size(); i++) {
        sending.values().set(statement, sources.get(i), i + 1);
      }
      return statement.executeLargeUpdate();
    }
  }

  /** When a call of this transaction that begins now must be over. */
  Deadline deadline() {
    return limit == null ? commits.usualDeadline() : limit;
  }

  /**
   * When a statement that begins now must be over.
   *
   * @param queryTimeoutSeconds its own limit, 0 if it has none
   */
  Deadline deadline(int queryTimeoutSeconds) {
    Deadline whole = deadline();
    Duration own = Duration.ofSeconds(queryTimeoutSeconds);
    return queryTimeoutSeconds == 0 || limit != null && limit.nanosLeft() <= own.toNanos()
        ? whole
        : commits.within(own);
  }

  /** From here on the parts that there are must be done by then. */
  void dueAt(Deadline deadline) {
    for (Participant part : participants.values()) {
      part.writer.lane().dueAt(deadline.dueAt());
    }
  }

  /** Takes {@link #dueAt} back. */
  void dueAsBefore() {
    for (Participant part : participants.values()) {
      part.writer.lane().dueAt(limit == null ? Lane.NEVER : limit.dueAt());
    }
  }

  /**
   * Closes the connection of every part under whoever uses it, and of those that are opened later;
   * from any thread. Whoever has the transaction ends it all the same.
   */
  void cutOff() {
    isCutOff = true;
    participants.values().forEach(Participant::cutOff);
  }

  /** Something in a part has failed, which may tell of the node; not if it was cut off. */
  private void failed(Participant part, SQLException failure) {
    if (!isCutOff
        && Failures.tookNodeAway(failure, part.connection())
        && !Failures.isOwnInterrupt()) {
      part.shard.suspect(part.writer.primary(), failure);
    }
  }

  // ---- ending -------------------------------------------------------------------------------

  /** Rolls every part back. Does nothing once it is over. */
  void rollback() {
    if (isOver) {
      return;
    }
    isOver = true;
    try {
      // Not the transaction's own limit, which may be over, or none.
      dueAt(commits.usualDeadline());
      rollbackParts();
    } finally {
      release();
    }
  }

  private void rollbackParts() {
    for (Participant part : participants.values()) {
      if (!part.isPrepared) {
        part.transaction.rollback();
      }
      part.transaction.afterRollback();
    }
  }

  private void release() {
    for (Participant part : participants.values()) {
      part.writer.lane().close();
    }
  }

  /**
   * Commits every part, or none.
   *
   * @throws WaymarkException its outcome is {@code REJECTED} if nothing was committed, and {@code
   *     UNKNOWN} if that, or whether the last part is visible already, could not be found out
   */
  void commit() {
    if (isOver) {
      throw new IllegalStateException("The transaction is over");
    }
    if (isHalfDone) {
      rollback();
      refuseIfHalfDone();
    }
    isOver = true;
    Deadline deadline = deadline();
    try {
      dueAt(deadline);
      List<Participant> writers = beforeCommit();
      if (writers.size() <= 1) {
        commitAlone(writers);
      } else {
        commitTogether(writers, deadline);
      }
    } finally {
      release();
    }
  }

  /** Runs the hooks, and tells who has written anything. */
  private List<Participant> beforeCommit() {
    List<Participant> writers = new ArrayList<>();
    try {
      for (Participant part : participants.values()) {
        part.transaction.beforeCommit();
      }
      for (Participant part : participants.values()) {
        if (hasWritten(part)) {
          writers.add(part);
        }
        if (part.shard.view().hasOvertaken(part.writer.position())) {
          throw new SQLException(
              "another node of " + part.shard.name() + " has become the primary in the meantime",
              "40001");
        }
      }
      return writers;
    } catch (SQLException failure) {
      rollbackParts();
      throw rejected("a shard could not commit", failure);
    } catch (RuntimeException | Error failure) {
      rollbackParts();
      throw failure;
    }
  }

  private static boolean hasWritten(Participant part) throws SQLException {
    try (Statement statement = part.connection().createStatement();
        ResultSet answer =
            statement.executeQuery("SELECT pg_current_xact_id_if_assigned()::text")) {
      answer.next();
      part.transactionId = answer.getString(1);
      return part.transactionId != null;
    }
  }

  /** At most one part has written: an ordinary commit, and the end of some reads. */
  private void commitAlone(List<Participant> writers) {
    for (Participant part : participants.values()) {
      if (!writers.contains(part)) {
        part.transaction.rollback();
      }
    }
    for (Participant part : writers) {
      try {
        part.position = part.transaction.commit();
        part.isCommitted = true;
      } catch (SQLException failure) {
        failed(part, failure);
        if (Failures.isOfCommitAlone(failure)) {
          part.transaction.rollback();
          tellRollback();
          throw rejected("shard " + part.shard.name() + " refused the commit", failure);
        }
        tellUnknown();
        throw unknown("the answer to the commit of " + part.shard.name() + " was lost", failure);
      }
    }
    tellCommit();
  }

  private void commitTogether(List<Participant> writers, Deadline deadline) {
    for (Participant part : participants.values()) {
      if (!writers.contains(part)) {
        part.transaction.rollback();
      }
    }
    UUID id = UUID.randomUUID();
    Participant coordinator = writers.get(0);
    List<Participant> others = writers.subList(1, writers.size());
    String name = DecisionLog.name(coordinator.systemId(), id);
    Participant at = coordinator;
    try {
      DecisionLog.decide(
          coordinator.connection(), id, others.stream().map(Participant::systemId).toList());
      commits.reached(CrossShardStep.WRITTEN);
      for (Participant part : others) {
        at = part;
        DecisionLog.prepare(part.connection(), name);
        part.isPrepared = true;
        commits.reached(
            part == others.get(others.size() - 1)
                ? CrossShardStep.ALL_PREPARED
                : CrossShardStep.ONE_PREPARED);
      }
    } catch (SQLException failure) {
      failed(at, failure);
      abort(coordinator, others, name);
      tellRollback();
      throw rejected("shard " + at.shard.name() + " could not prepare its part", failure);
    } catch (RuntimeException | Error failure) {
      abort(coordinator, others, name);
      tellRollback();
      throw failure;
    }
    decide(coordinator, others, name, id, deadline);
    finish(coordinator, others, name, id, deadline);
  }

  /** The commit of the coordinating part, whose outcome is found out if the answer is lost. */
  private void decide(
      Participant coordinator, List<Participant> others, String name, UUID id, Deadline deadline) {
    try {
      coordinator.position = coordinator.transaction.commit();
    } catch (SQLException failure) {
      failed(coordinator, failure);
      boolean isRefused = Failures.isOfCommitAlone(failure);
      DecisionLog.Fate fate =
          isRefused ? DecisionLog.Fate.ABORTED : commits.fate(coordinator.shard, id, deadline);
      if (fate == DecisionLog.Fate.ABORTED) {
        // A decision is forgotten when all parts are committed: that its row is not there proves
        // nothing unless a part was still prepared. Else the server knows its own transaction.
        if (abort(coordinator, others, name)
            || isRefused
            || commits.isAborted(coordinator.shard, coordinator.transactionId, deadline)) {
          tellRollback();
          throw rejected("shard " + coordinator.shard.name() + " refused the commit", failure);
        }
        tellUnknown();
        throw unknown(
            "shard "
                + coordinator.shard.name()
                + ", which decides, lost its answer, and by now nothing is left of the decision and of"
                + " the others' parts",
            failure);
      } else if (fate == DecisionLog.Fate.OPEN) {
        commits.recoverSoon();
        tellUnknown();
        throw unknown(
            "shard "
                + coordinator.shard.name()
                + ", which decides, lost its answer and could not be asked again; the others' parts"
                + " are prepared, and end with its",
            failure);
      }
    }
    coordinator.isCommitted = true;
    commits.reached(CrossShardStep.DECIDED);
  }

  /** It is decided: the other parts are committed here, or by whoever recovers. */
  private void finish(
      Participant coordinator, List<Participant> others, String name, UUID id, Deadline deadline) {
    SQLException lost = null;
    Participant unfinished = null;
    for (Participant part : others) {
      try {
        part.position = commits.commitPrepared(part.shard, part.connection(), name);
      } catch (SQLException failure) {
        failed(part, failure);
        try {
          part.position = commits.commitPreparedElsewhere(part.shard, name, deadline);
        } catch (SQLException again) {
          again.addSuppressed(failure);
          lost = again;
          unfinished = part;
          continue;
        }
      }
      part.isCommitted = true;
      commits.reached(
          part == others.get(others.size() - 1)
              ? CrossShardStep.ALL_COMMITTED
              : CrossShardStep.ONE_COMMITTED);
    }
    if (coordinator.position == null) {
      // The decision was found, not answered: any later place covers it.
      coordinator.position = commits.position(coordinator.shard, deadline);
    }
    if (unfinished != null && lost != null) {
      commits.recoverSoon();
      tellUnknown();
      throw new WaymarkException(
          "The transaction is committed, and shard "
              + unfinished.shard.name()
              + " does not show its part yet: "
              + lost.getMessage()
              + ". It will as soon as it answers; do not repeat the call.",
          Outcome.UNKNOWN,
          lost);
    }
    commits.forgetSoon(coordinator.shard, id);
    tellCommit();
  }

  /**
   * Ends what is left of a transaction that is not committed.
   *
   * @return whether a prepared part was there until now
   */
  private boolean abort(Participant coordinator, List<Participant> others, String name) {
    boolean wasPrepared = false;
    // First the decision: from here on it can never be made.
    coordinator.transaction.rollback();
    for (Participant part : others) {
      try {
        if (part.isPrepared) {
          part.connection().setAutoCommit(true);
          wasPrepared |= DecisionLog.end(part.connection(), "ROLLBACK", name);
        } else {
          part.transaction.rollback();
          if (part.connection().isClosed()) {
            // PREPARE itself may have come through.
            commits.recoverSoon();
          }
        }
      } catch (SQLException unreachable) {
        log.warn(
            "The prepared part {} on {} is left for recovery",
            name,
            part.shard.name(),
            unreachable);
        commits.recoverSoon();
      }
    }
    return wasPrepared;
  }

  // ---- telling ------------------------------------------------------------------------------

  private void tellCommit() {
    for (Participant part : participants.values()) {
      if (!tellPosition(part)) {
        if (part.isCommitted) {
          part.transaction.outcomeUnknown();
        } else {
          // It had written nothing.
          part.transaction.afterRollback();
        }
      }
    }
  }

  /** Makes a part known whose place in the log is; before its caller hears of the commit. */
  private boolean tellPosition(Participant part) {
    LogPosition position = part.position;
    if (position == null) {
      return false;
    }
    if (part.written.isEmpty()) {
      part.written.addOthers();
    }
    part.written.committed(part.shard.recentWrites(), session, position);
    part.transaction.afterCommit(position);
    return true;
  }

  private void tellRollback() {
    participants.values().forEach(part -> part.transaction.afterRollback());
  }

  /** What is known to be committed is made known to the session all the same. */
  private void tellUnknown() {
    for (Participant part : participants.values()) {
      if (!tellPosition(part)) {
        part.transaction.outcomeUnknown();
      }
    }
  }

  private static WaymarkException rejected(String what, SQLException cause) {
    return new WaymarkException(
        "Across shards, "
            + what
            + ": "
            + cause.getMessage()
            + ". "
            + Outcome.REJECTED.sentence()
            + " on any shard.",
        Outcome.REJECTED,
        cause);
  }

  private static WaymarkException unknown(String what, SQLException cause) {
    return new WaymarkException(
        "Across shards, "
            + what
            + ": "
            + cause.getMessage()
            + ". "
            + Outcome.UNKNOWN.sentence()
            + "; it is all of it or nothing.",
        Outcome.UNKNOWN,
        cause);
  }
}
