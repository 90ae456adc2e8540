package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.NoShardForKeyException;
import dev.waymark.Outcome;
import dev.waymark.ShardMap;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkException;
import dev.waymark.routing.DecisionLog.Fate;
import dev.waymark.routing.DecisionLog.Part;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What cross-shard transactions need of the shards, and the recovery of those whose process died.
 * Safe to share.
 */
final class CrossShardCommits {
  /** After a first cross-shard transaction a process looks so often for parts left behind. */
  static final Duration RECOVERY = Duration.ofSeconds(30);

  private static final long PATIENCE_MILLIS = 200;

  /** What is decided is finished even a little after the deadline: its locks are in the way. */
  private static final long FINISHING_NANOS = TimeUnit.SECONDS.toNanos(1);

  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  private final ShardMap map;
  private final List<LiveShard> shards;
  private final Writes writes;
  private final FanOut queries;
  private final ExecutorService executor;
  private final ScheduledExecutorService timer;
  private final LongSupplier nanoClock;
  private final Duration usualDeadline;
  private final CrossShardStep.Observer observer;
  private final AtomicBoolean isWatching = new AtomicBoolean();

  /** What each shard can do, by its name; asked once, and again after a refusal. */
  private final ConcurrentMap<String, Ability> abilities = new ConcurrentHashMap<>();

  private record Ability(int mostPrepared, boolean isInstalled) {}

  CrossShardCommits(
      ShardMap map,
      List<LiveShard> shards,
      Writes writes,
      FanOut queries,
      ExecutorService executor,
      ScheduledExecutorService timer,
      LongSupplier nanoClock,
      Duration usualDeadline,
      CrossShardStep.Observer observer) {
    this.map = map;
    this.shards = shards;
    this.writes = writes;
    this.queries = queries;
    this.executor = executor;
    this.timer = timer;
    this.nanoClock = nanoClock;
    this.usualDeadline = usualDeadline;
    this.observer = observer;
  }

  List<LiveShard> shards() {
    return shards;
  }

  FanOut queries() {
    return queries;
  }

  int indexOfShardFor(long key) {
    return map.indexOfShardFor(key);
  }

  /** The shards that keys to be written lie on, by their places. */
  int[] concerned(KeySource keys, BoundValues values) throws SQLException {
    try {
      if (keys instanceof KeySource.Keys some) {
        // One that nobody owns is told: a write of it alone is refused as well.
        some.keys(values).forEach(map::indexOfShardFor);
      }
      return Concerned.shards(map, keys, values);
    } catch (NoShardForKeyException nobodys) {
      throw Refusal.of(nobodys).exception();
    } catch (KeyTerm.NotAKeyException wrong) {
      throw Refusal.of(wrong).exception();
    }
  }

  /** The shard that one row's key lies on. */
  int shardOf(KeyTerm key, BoundValues values) throws SQLException {
    try {
      List<Long> keys = KeyTerm.keys(key, values);
      if (keys.size() != 1) {
        throw new Refusal(SqlCode.NO_KEY_TO_INSERT, "A row's key is NULL").exception();
      }
      return map.indexOfShardFor(keys.get(0));
    } catch (NoShardForKeyException nobodys) {
      throw Refusal.of(nobodys).exception();
    } catch (KeyTerm.NotAKeyException wrong) {
      throw Refusal.of(wrong).exception();
    }
  }

  void reached(CrossShardStep step) {
    observer.reached(step);
  }

  /**
   * Begins a transaction.
   *
   * @param limit when all of it must be over, or null if its user may take as long as it takes
   */
  CrossShardTransaction begin(Session session, @Nullable Session bound, @Nullable Deadline limit) {
    return new CrossShardTransaction(this, session, bound, limit);
  }

  Deadline usualDeadline() {
    return new Deadline(nanoClock, usualDeadline);
  }

  /** A time budget that begins now. */
  Deadline within(Duration budget) {
    return new Deadline(nanoClock, budget);
  }

  /**
   * A connection for a part, with auto-commit off.
   *
   * @param waiting until when it is waited for
   * @param limit when its use must be over, or null
   */
  Writes.Writer connect(
      LiveShard shard, @Nullable Session bound, Deadline waiting, @Nullable Deadline limit) {
    Writes.Writer writer = writes.connect(shard, Router.NO_KEY, bound, waiting.dueAt());
    if (limit == null) {
      writer.lane().noDeadline();
    } else {
      writer.lane().dueAt(limit.dueAt());
    }
    return writer;
  }

  // ---- who can take part --------------------------------------------------------------------

  /** Looks whether a shard can take part. Uses the connection before anything else does. */
  void check(LiveShard shard, Connection connection, int participants) {
    if (!abilities.containsKey(shard.name())) {
      try {
        abilities.put(
            shard.name(),
            new Ability(DecisionLog.mostPrepared(connection), DecisionLog.isInstalled(connection)));
        // Whoever works here wants to choose the isolation level first.
        connection.rollback();
      } catch (SQLException failure) {
        throw new WaymarkException(
            "Shard "
                + shard.name()
                + " did not say whether it can take part in a transaction over several shards: "
                + failure.getMessage()
                + ". "
                + Outcome.REJECTED.sentence()
                + ".",
            Outcome.REJECTED,
            failure);
      }
    }
    check(shard, participants);
  }

  /** One shard alone commits as always. */
  void check(LiveShard shard, int participants) {
    Ability ability = abilities.get(shard.name());
    if (ability == null || participants < 2) {
      return;
    }
    Refusal refusal = null;
    if (ability.mostPrepared() == 0) {
      refusal =
          new Refusal(
              SqlCode.NO_PREPARED_TRANSACTIONS,
              "Shard "
                  + shard.name()
                  + " cannot take part in a transaction over several shards: its primary has"
                  + " max_prepared_transactions = 0");
    } else if (!ability.isInstalled()) {
      refusal =
          new Refusal(
              SqlCode.NO_DECISIONS_TABLE,
              "Shard " + shard.name() + " has no table " + DecisionLog.TABLE);
    }
    if (refusal != null) {
      abilities.remove(shard.name());
      throw new WaymarkException(refusal.message(), Outcome.REJECTED, refusal.exception());
    }
  }

  // ---- after the decision -------------------------------------------------------------------

  /** Commits a prepared part on the connection that prepared it. */
  LogPosition commitPrepared(LiveShard shard, Connection connection, String name)
      throws SQLException {
    connection.setAutoCommit(true);
    DecisionLog.end(connection, "COMMIT", name);
    return position(shard, connection);
  }

  /** The same on another connection, as often as there is time for. */
  LogPosition commitPreparedElsewhere(LiveShard shard, String name, Deadline deadline)
      throws SQLException {
    return elsewhere(
        shard,
        deadline,
        connection -> {
          connection.setAutoCommit(true);
          DecisionLog.end(connection, "COMMIT", name);
          return position(shard, connection);
        });
  }

  /** A place at or after what is committed on a shard; null if it does not tell in time. */
  @Nullable LogPosition position(LiveShard shard, Deadline deadline) {
    try {
      return elsewhere(
          shard,
          deadline,
          connection -> {
            connection.setAutoCommit(true);
            return position(shard, connection);
          });
    } catch (SQLException unreachable) {
      return null;
    }
  }

  private static LogPosition position(LiveShard shard, Connection connection) throws SQLException {
    Long systemId = shard.view().systemId();
    try (PreparedStatement statement = connection.prepareStatement(EndOfLog.SELECT);
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      return EndOfLog.read(answer, systemId == null ? 0 : systemId);
    }
  }

  /** What became of a transaction whose decision was sent; OPEN if that cannot be found out. */
  Fate fate(LiveShard coordinator, UUID id, Deadline deadline) {
    try {
      while (true) {
        Fate fate =
            elsewhere(
                coordinator,
                deadline,
                connection -> DecisionLog.fate(connection, id, PATIENCE_MILLIS));
        if (fate != Fate.OPEN || deadline.nanosLeft() <= 0) {
          return fate;
        }
      }
    } catch (SQLException unreachable) {
      return Fate.OPEN;
    }
  }

  /** Whether a shard knows for certain that a transaction of its own was not committed. */
  boolean isAborted(LiveShard shard, @Nullable String transactionId, Deadline deadline) {
    if (transactionId == null) {
      return false;
    }
    try {
      return elsewhere(
          shard, deadline, connection -> DecisionLog.isAborted(connection, transactionId));
    } catch (SQLException unreachable) {
      return false;
    }
  }

  private <T> T elsewhere(LiveShard shard, Deadline deadline, Work<T, SQLException> work)
      throws SQLException {
    long until = nanoClock.getAsLong() + Math.max(FINISHING_NANOS, deadline.nanosLeft());
    SQLException last = null;
    while (last == null || nanoClock.getAsLong() - until < 0) {
      try {
        Writes.Writer writer = writes.connect(shard, Router.NO_KEY, null, until);
        writer.lane().dueAt(until);
        try {
          return work.run(writer.connection());
        } finally {
          writer.lane().close();
        }
      } catch (SQLException failure) {
        last = failure;
        if (!Failures.isOfNode(failure)) {
          break;
        }
      } catch (UnavailableException | IllegalStateException gone) {
        throw new SQLException(String.valueOf(gone.getMessage()), "08006", gone);
      }
    }
    throw last;
  }

  /** Forgets a decision that everybody has followed. Whoever dies before leaves it to recovery. */
  void forgetSoon(LiveShard coordinator, UUID id) {
    watch();
    background(
        () -> {
          try {
            forget(coordinator, id);
          } catch (SQLException | RuntimeException later) {
            log.debug("The decision {} on {} is left for recovery", id, coordinator.name(), later);
          }
        });
  }

  private void forget(LiveShard coordinator, UUID id) throws SQLException {
    on(
        coordinator,
        connection -> {
          DecisionLog.forget(connection, id);
          connection.commit();
          return true;
        });
  }

  private void background(Runnable task) {
    try {
      executor.execute(task);
    } catch (RejectedExecutionException closing) {
      // Somebody else, or this process when it comes back, finds what is left.
    }
  }

  // ---- recovery -----------------------------------------------------------------------------

  /** Something was left behind: looks at once, and then now and then. */
  void recoverSoon() {
    watch();
    background(this::recoverQuietly);
  }

  /** Begins to look for what is left behind now and then; once for each database. */
  private void watch() {
    if (isWatching.compareAndSet(false, true)) {
      try {
        timer.scheduleWithFixedDelay(
            () -> background(this::recoverQuietly),
            RECOVERY.toMillis(),
            RECOVERY.toMillis(),
            TimeUnit.MILLISECONDS);
      } catch (RejectedExecutionException closing) {
        // It is being closed.
      }
    }
  }

  private void recoverQuietly() {
    try {
      recover();
    } catch (RuntimeException failure) {
      log.warn("Looking for prepared transactions failed", failure);
    }
  }

  /** What one look has done. */
  CrossShardRecovery recover() {
    Map<Long, LiveShard> bySystem = new HashMap<>();
    for (LiveShard shard : shards) {
      Long systemId = shard.view().systemId();
      if (systemId != null) {
        bySystem.put(systemId, shard);
      }
    }
    // Decisions first: of one that is read here, all parts had been prepared before.
    Map<LiveShard, List<DecisionLog.Decision>> decisions = new HashMap<>();
    Map<Long, Set<UUID>> left = new HashMap<>();
    List<String> unreachable = new ArrayList<>();
    int committed = 0;
    int rolledBack = 0;
    int open = 0;
    for (LiveShard shard : shards) {
      try {
        decisions.put(shard, on(shard, DecisionLog::decisions));
      } catch (SQLException | WaymarkException | IllegalStateException failure) {
        unreachable.add(shard.name());
      }
    }
    for (LiveShard shard : shards) {
      Long systemId = shard.view().systemId();
      List<Part> parts;
      try {
        parts = on(shard, DecisionLog::prepared);
      } catch (SQLException | WaymarkException | IllegalStateException failure) {
        if (!unreachable.contains(shard.name())) {
          unreachable.add(shard.name());
        }
        continue;
      }
      Set<UUID> leftHere = new HashSet<>();
      for (Part part : parts) {
        leftHere.add(part.id());
        LiveShard coordinator = bySystem.get(part.coordinator());
        try {
          Fate fate =
              coordinator == null
                  ? Fate.OPEN
                  : on(
                      coordinator,
                      connection -> DecisionLog.fate(connection, part.id(), PATIENCE_MILLIS));
          if (fate == Fate.OPEN) {
            open++;
            continue;
          }
          String ending = fate == Fate.COMMITTED ? "COMMIT" : "ROLLBACK";
          on(
              shard,
              connection -> {
                connection.setAutoCommit(true);
                return DecisionLog.end(connection, ending, part.name());
              });
          leftHere.remove(part.id());
          if (fate == Fate.COMMITTED) {
            committed++;
          } else {
            rolledBack++;
          }
          log.info("{} of the prepared part {} on {}", ending, part.name(), shard.name());
        } catch (SQLException | WaymarkException | IllegalStateException failure) {
          open++;
          log.warn("The prepared part {} on {} stays for now", part.name(), shard.name(), failure);
        }
      }
      if (systemId != null) {
        left.put(systemId, leftHere);
      }
    }
    decisions.forEach((shard, all) -> forget(shard, all, left));
    return new CrossShardRecovery(committed, rolledBack, open, unreachable);
  }

  private void forget(
      LiveShard shard, List<DecisionLog.Decision> decisions, Map<Long, Set<UUID>> left) {
    for (DecisionLog.Decision decision : decisions) {
      boolean isFollowed =
          decision.participants().stream()
              .allMatch(
                  participant ->
                      left.containsKey(participant)
                          && !left.getOrDefault(participant, Set.of()).contains(decision.id()));
      if (isFollowed) {
        try {
          forget(shard, decision.id());
        } catch (SQLException | RuntimeException later) {
          log.debug("The decision {} on {} stays for now", decision.id(), shard.name(), later);
        }
      }
    }
  }

  private <T> T on(LiveShard shard, Work<T, SQLException> work) throws SQLException {
    Writes.Writer writer = writes.connect(shard, Router.NO_KEY, null);
    try {
      return work.run(writer.connection());
    } finally {
      writer.lane().close();
    }
  }
}
