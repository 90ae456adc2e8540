package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.Outcome;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkException;
import java.sql.Array;
import java.sql.Blob;
import java.sql.CallableStatement;
import java.sql.Clob;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.NClob;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLClientInfoException;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientConnectionException;
import java.sql.SQLWarning;
import java.sql.SQLXML;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Struct;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * A connection to a database of shards. It has no server of its own: each statement finds one, and
 * a transaction stays where its first statement with a key went. Belongs to one thread, as JDBC's
 * connections do; only {@link #abort} and closing may come from another.
 */
final class ShardedConnection implements Connection {
  /** Of SQL: there is no transaction to speak of. */
  private static final String NO_TRANSACTION = "25P01";

  private static final int UNSAID = -1;

  private final ShardedDatabase database;
  private final Plans plans;
  private final Crossing crossing;
  private boolean autoCommit = true;
  private boolean readOnly;
  private int isolation = UNSAID;
  private int holdability = ResultSet.CLOSE_CURSORS_AT_COMMIT;
  private int networkTimeoutMillis;
  private volatile boolean isClosed;

  /** What it had is given back. An aborted connection is closed, and still has to be. */
  private boolean isReleased;

  /** Whether a statement of the transaction may have changed the schema. */
  private boolean mayHaveChangedSchema;

  private volatile @Nullable BoundTransaction transaction;
  private volatile @Nullable CrossShardTransaction acrossShards;

  /** What was asked for in a transaction that has no server yet. */
  private List<BoundTransaction.Preparation> pending = List.of();

  private @Nullable SQLWarning warnings;
  private @Nullable ShardedStatement openStatements;

  /** Whether a transaction may write on several shards. */
  enum Crossing {
    REFUSED,
    ALLOWED
  }

  ShardedConnection(ShardedDatabase database, Plans plans, Crossing crossing) throws SQLException {
    if (database.isClosed()) {
      throw new SQLNonTransientConnectionException("The database is closed", "08003");
    }
    this.database = database;
    this.plans = plans;
    this.crossing = crossing;
  }

  Plans plans() {
    return plans;
  }

  ShardedDatabase database() {
    return database;
  }

  // ---- the way of a statement ---------------------------------------------------------------

  /** Runs a statement where it belongs. */
  void run(ShardedStatement statement, StatementPlan plan, BoundValues values) throws SQLException {
    try {
      if (plan.session() != SessionStatement.NONE) {
        runAboutSession(statement, plan);
        return;
      }
      Destination to;
      try {
        to = Destination.of(plan, values, database.map());
      } catch (SQLFeatureNotSupportedException refusal) {
        if (!isAcrossShards() || plan.reads()) {
          throw refusal;
        }
        if (plan.plan().hints().key() != null) {
          // The application has named a shard: the write is for that one, or for none.
          throw refusal;
        }
        writeOnSeveral(statement, plan, values, refusal);
        return;
      }
      if (autoCommit) {
        runAlone(statement, plan, values, to);
      } else {
        runWithinTransaction(statement, plan, values, to);
      }
    } catch (SQLException failure) {
      plans.failed(failure);
      throw failure;
    } catch (WaymarkException | IllegalStateException failure) {
      // Perhaps it has run all the same.
      ran(plan);
      throw told(failure);
    } catch (StoppedException aborted) {
      throw ended(aborted);
    }
    ran(plan);
  }

  private static SQLException ended(StoppedException aborted) {
    return new SQLNonTransientConnectionException(
        "This connection was aborted while its statement ran. Nothing was written by it",
        "08003",
        aborted);
  }

  /** A statement has run. Others see a change of the schema once it is committed. */
  private void ran(StatementPlan plan) {
    if (!plan.mayChangeSchema()) {
      return;
    } else if (autoCommit) {
      plans.changed();
    } else {
      mayHaveChangedSchema = true;
    }
  }

  private void runWithinTransaction(
      ShardedStatement statement, StatementPlan plan, BoundValues values, Destination to)
      throws SQLException {
    if (isAcrossShards()) {
      runAcrossShards(statement, plan, values, to);
    } else {
      runInTransaction(statement, plan, values, to);
    }
  }

  /**
   * Each statement is a transaction of its own. Within a transaction only what reads and tells
   * nothing of where that will be.
   */
  private void runAlone(
      ShardedStatement statement, StatementPlan plan, BoundValues values, Destination to)
      throws SQLException {
    if (to instanceof Destination.Several) {
      runOnSeveral(statement, plan, values);
      return;
    } else if (to instanceof Destination.Delegated delegated) {
      runByEngine(statement, plan, values, delegated.unless());
      return;
    }
    int place = place(statement, to);
    long key = keyOf(statement, to);
    LiveShard shard = database.shards().get(place);
    Session bound = database.bound().get();
    if (statement.form().isUpdatable()) {
      throw new SQLFeatureNotSupportedException(
          "Rows that are updated in place need a transaction: setAutoCommit(false)", "0A000");
    }
    if (plan.reads() || readOnly) {
      try {
        database
            .reads()
            .hold(
                shard,
                key,
                plan.way() == StatementPlan.Way.READS_PRIMARY
                    ? Consistency.strong()
                    : consistency(bound),
                bound,
                statement,
                statement.budgetNanos());
        return;
      } catch (SQLException failure) {
        if (!Failures.isReadOnly(failure) || readOnly) {
          throw failure;
        }
        // The server knew better than the catalogue, and has done nothing.
        plans.wrote(plan, plan.sql());
        StatementPlan known = plan.thatWrites();
        if (!autoCommit) {
          // What it writes ends with the transaction, which it begins.
          runWithinTransaction(statement, known, values, to);
          return;
        }
        refuseToWriteAnywhere(known);
      }
    } else {
      refuseToWriteAnywhere(plan);
    }
    if (key == Router.NO_KEY) {
      statement.writing(writtenBy(statement, to));
    }
    try {
      database
          .writes()
          .hold(shard, key, database.currentSession(), bound, statement, statement.budgetNanos());
    } catch (SQLException failure) {
      if (!isNotForTransactions(failure)) {
        throw failure;
      }
      runOutsideOfTransaction(statement, shard, to);
    }
  }

  /** What only looked like a read names no shard, and would write to one by chance. */
  private void refuseToWriteAnywhere(StatementPlan plan) throws SQLException {
    if (plan.turnedOutToWrite()
        && plan.plan().keys() instanceof KeySource.AnyShard
        && plan.plan().hints().key() == null
        && database.shards().size() > 1) {
      throw new Refusal(
              SqlCode.NO_SHARD_NAMED,
              "It writes, though its functions are declared as if they did not, and names no table"
                  + " with a key")
          .exception();
    }
  }

  /** VACUUM, CREATE INDEX CONCURRENTLY and the like, and procedures that commit themselves. */
  private static boolean isNotForTransactions(SQLException failure) {
    String state = failure.getSQLState();
    return "25001".equals(state) || "2D000".equals(state);
  }

  private void runOutsideOfTransaction(ShardedStatement statement, LiveShard shard, Destination to)
      throws SQLException {
    Session owner = database.currentSession();
    Writes.Writer writer = database.writes().connect(shard, Router.NO_KEY, database.bound().get());
    boolean isHeld = false;
    try {
      writer.lane().noDeadline();
      writer.connection().setAutoCommit(true);
      try {
        statement.runAlone(writer.connection());
      } catch (StoppedException aborted) {
        // It may have committed some of its work, which is then somewhere in the log until now.
        plans.changed();
        throw new SQLNonTransientConnectionException(
            "This connection was aborted while its statement ran, on its own outside of a"
                + " transaction. Whether it has written is unknown",
            "08007",
            aborted);
      }
      writtenBy(statement, to)
          .committed(shard.recentWrites(), owner, KeyDataSource.position(writer.connection()));
      isHeld = true;
      statement.held(writer.lane());
    } finally {
      if (!isHeld) {
        writer.lane().close();
      }
    }
  }

  private void runInTransaction(
      ShardedStatement statement, StatementPlan plan, BoundValues values, Destination to)
      throws SQLException {
    BoundTransaction open = transaction;
    if (open == null) {
      if (plan.reads() && to instanceof Destination.Any) {
        // It tells nothing of where the transaction will go; until then it needs none.
        runAlone(statement, plan, values, to);
        return;
      } else if (to instanceof Destination.Several) {
        if (!plan.reads()) {
          throw new Refusal(SqlCode.WRITES_ON_SEVERAL_SHARDS, "It concerns keys of several shards")
              .exception();
        }
        runOnSeveral(statement, plan, values);
        return;
      } else if (to instanceof Destination.Delegated delegated) {
        // As any other query over several shards: no transaction has begun yet.
        runByEngine(statement, plan, values, delegated.unless());
        return;
      }
      refuseToWriteAnywhere(plan);
      int place = place(statement, to);
      open = begin(place, keyOf(statement, to), plan);
    } else if (to instanceof Destination.Delegated delegated) {
      throw delegated.unless().exception();
    } else if (to instanceof Destination.Dealt) {
      statement.dealt(database.keys().nextOn(open.shard()));
    } else if (!(to instanceof Destination.Any) && place(statement, to) != open.place()) {
      throw new Refusal(
              SqlCode.OTHER_SHARD,
              "The transaction is on shard "
                  + open.shard().name()
                  + ", and the statement concerns "
                  + (to instanceof Destination.Several
                      ? "several shards"
                      : "shard " + database.shards().get(place(statement, to)).name()))
          .exception();
    }
    if (!plan.reads()) {
      note(open.written(), statement, to);
    }
    if (plan.leavesState()) {
      open.leavesState();
    }
    if (statement.form().isUpdatable()) {
      open.written().addOthers();
    }
    runWithin(statement, open.shard(), open.node(), open.server());
  }

  /** Runs a statement in a transaction's part; if it fails, perhaps because the node has gone. */
  private void runWithin(
      ShardedStatement statement, LiveShard shard, NodeView node, Connection server)
      throws SQLException {
    try {
      statement.runWithin(server);
    } catch (SQLException failure) {
      // An abort closes connections as well, and says nothing of nodes.
      if (isClosed || Failures.isOwnInterrupt() || !Failures.tookNodeAway(failure, server)) {
        throw failure;
      }
      shard.suspect(node, failure);
      throw told(database.unavailability().ofTransaction(shard, node, failure));
    }
  }

  private static void note(WrittenKeys written, ShardedStatement statement, Destination to) {
    if (to instanceof Destination.OfKey one) {
      written.add(one.key());
    } else if (to instanceof Destination.Dealt) {
      written.add(statement.dealtKey());
    } else if (to instanceof Destination.OfShard some) {
      some.keys().forEach(written::add);
      if (some.others() == Destination.Others.SOME) {
        written.addOthers();
      }
    } else {
      written.addOthers();
    }
  }

  private static WrittenKeys writtenBy(ShardedStatement statement, Destination to) {
    WrittenKeys written = new WrittenKeys();
    note(written, statement, to);
    return written;
  }

  private BoundTransaction begin(int place, long key, StatementPlan plan) throws SQLException {
    List<BoundTransaction.Preparation> first = new ArrayList<>(pending);
    BoundTransaction begun;
    if (readOnly) {
      first.add(0, this::prepareReading);
      Consistency consistency = consistency(database.bound().get());
      boolean isPrimary =
          plan.way() == StatementPlan.Way.READS_PRIMARY || isolation == TRANSACTION_SERIALIZABLE;
      begun =
          BoundTransaction.reading(
              database, place, key, isPrimary ? Consistency.strong() : consistency, first);
    } else {
      if (isolation != UNSAID && isolation != TRANSACTION_READ_COMMITTED) {
        first.add(0, server -> execute(server, "SET TRANSACTION " + isolationLevel(isolation)));
      }
      begun = BoundTransaction.writing(database, place, key, first);
    }
    transaction = begun;
    if (isClosed) {
      // Aborted while this one waited for its connection.
      begun.abort();
    }
    pending = List.of();
    if (networkTimeoutMillis != 0) {
      begun.server().setNetworkTimeout(Runnable::run, networkTimeoutMillis);
    }
    return begun;
  }

  /** One snapshot for the whole transaction, unless another isolation was asked for. */
  private void prepareReading(Connection server) throws SQLException {
    int level = isolation == UNSAID ? TRANSACTION_REPEATABLE_READ : isolation;
    execute(
        server,
        "SET TRANSACTION "
            + isolationLevel(level)
            + ", READ ONLY; SET LOCAL statement_timeout = 0");
  }

  private static String isolationLevel(int level) {
    return switch (level) {
      case TRANSACTION_SERIALIZABLE -> "ISOLATION LEVEL SERIALIZABLE";
      case TRANSACTION_REPEATABLE_READ -> "ISOLATION LEVEL REPEATABLE READ";
      default -> "ISOLATION LEVEL READ COMMITTED";
    };
  }

  private static void execute(Connection server, String sql) throws SQLException {
    try (Statement statement = server.createStatement()) {
      statement.execute(sql);
    }
  }

  /** The shard's place; a row without a key is dealt one on the way. */
  private int place(ShardedStatement statement, Destination to) {
    if (to instanceof Destination.OfKey one) {
      return one.shard();
    } else if (to instanceof Destination.OfShard one) {
      return one.shard();
    } else if (to instanceof Destination.Dealt) {
      long key = database.keys().next();
      statement.dealt(key);
      return database.map().indexOfShardFor(key);
    } else if (to instanceof Destination.Any) {
      int shards = database.shards().size();
      return shards == 1 ? 0 : ThreadLocalRandom.current().nextInt(shards);
    }
    return UNSAID;
  }

  private static long keyOf(ShardedStatement statement, Destination to) {
    if (to instanceof Destination.OfKey one) {
      return one.key();
    } else if (to instanceof Destination.Dealt) {
      return statement.dealtKey();
    }
    return Router.NO_KEY;
  }

  private Consistency consistency(@Nullable Session bound) {
    return bound == null ? database.usualConsistency() : bound.consistency();
  }

  private void runOnSeveral(ShardedStatement statement, StatementPlan plan, BoundValues values)
      throws SQLException {
    FanOut.Options options = optionsOnSeveral(statement, plan, values);
    CrossShardTransaction across = acrossShards;
    statement.answered(
        across != null
            ? across.query(plan.sql(), plan.plan(), values, options)
            : database.queries().query(plan.sql(), plan.plan(), values, options));
  }

  private FanOut.Options optionsOnSeveral(
      ShardedStatement statement, StatementPlan plan, BoundValues values) throws SQLException {
    if (values instanceof Parameters set && !set.isReplayable()) {
      throw new Refusal(
              SqlCode.NEEDS_ONE_SHARD, "A stream among the parameters can be read once only")
          .exception();
    }
    Session bound = database.bound().get();
    return statement.options(
        bound,
        plan.way() == StatementPlan.Way.READS_PRIMARY ? Consistency.strong() : consistency(bound));
  }

  private void runByEngine(
      ShardedStatement statement, StatementPlan plan, BoundValues values, Refusal unless)
      throws SQLException {
    EngineQueries engine = database.engineQueries();
    if (engine == null) {
      throw EngineQueries.absent(unless);
    }
    statement.answered(
        engine.query(
            plan.sql(),
            plan.plan(),
            Objects.requireNonNull(plan.plan().delegated()),
            values,
            optionsOnSeveral(statement, plan, values),
            unless));
  }

  // ---- transactions over several shards -----------------------------------------------------

  private boolean isAcrossShards() {
    return crossing == Crossing.ALLOWED && !autoCommit && !readOnly;
  }

  private CrossShardTransaction acrossShards() throws SQLException {
    CrossShardTransaction known = acrossShards;
    if (known == null) {
      if (!pending.isEmpty() || isolation != UNSAID && isolation > TRANSACTION_READ_COMMITTED) {
        throw new Refusal(
                SqlCode.NEEDS_ONE_SHARD,
                "A cross-shard transaction is read committed, and has no settings of its own")
            .exception();
      }
      known = database.beginAcrossShards();
      acrossShards = known;
      if (isClosed) {
        known.cutOff();
      }
    }
    return known;
  }

  /** Each statement runs in its shard's part. */
  private void runAcrossShards(
      ShardedStatement statement, StatementPlan plan, BoundValues values, Destination to)
      throws SQLException {
    if (to instanceof Destination.Several) {
      runOnSeveral(statement, plan, values);
      return;
    } else if (to instanceof Destination.Delegated delegated) {
      // An engine asks on connections of its own, and would not see what the parts have written.
      throw delegated.unless().exception();
    } else if (to instanceof Destination.Any && plan.reads() && acrossShards == null) {
      runAlone(statement, plan, values, to);
      return;
    }
    refuseToWriteAnywhere(plan);
    CrossShardTransaction.Participant part = acrossShards().participant(place(statement, to));
    if (!plan.reads()) {
      note(part.written(), statement, to);
    }
    refuseToLeaveState(plan);
    runWithin(statement, part.shard(), part.node(), part.connection());
  }

  private static void refuseToLeaveState(StatementPlan plan) throws SQLException {
    if (plan.leavesState()) {
      throw new Refusal(
              SqlCode.LASTS_IN_SESSION,
              "Within a cross-shard transaction nothing may be left in a session")
          .exception();
    }
  }

  /** A write on several shards: each gets its own rows. */
  private void writeOnSeveral(
      ShardedStatement statement, StatementPlan plan, BoundValues values, SQLException refusal)
      throws SQLException {
    SpreadWrites.Answer answer = plans.acrossShards(plan.sql(), statement.markers());
    SpreadWrite write = answer.write();
    if (write == null) {
      throw answer.refusal() == null ? refusal : answer.refusal().exception();
    }
    if (values instanceof Parameters set && !set.isReplayable()) {
      throw new Refusal(
              SqlCode.NEEDS_ONE_SHARD, "A stream among the parameters can be read once only")
          .exception();
    }
    statement.answered(acrossShards().update(plan.sql(), write, statement.sending(values)));
  }

  // ---- statements about the session ---------------------------------------------------------

  private void runAboutSession(ShardedStatement statement, StatementPlan plan) throws SQLException {
    BoundTransaction open = transaction;
    switch (plan.session()) {
      case SHOWS -> {
        if (open == null) {
          runAlone(statement, plan, BoundValues.none(), Destination.ANY);
        } else {
          statement.runWithin(open.server());
        }
      }
      case LOCAL -> {
        if (autoCommit) {
          throw new Refusal(SqlCode.LASTS_IN_SESSION, "With auto-commit it would have no effect")
              .exception();
        } else if (isAcrossShards()) {
          throw new Refusal(
                  SqlCode.NEEDS_ONE_SHARD, "A cross-shard transaction has no settings of its own")
              .exception();
        } else if (open == null) {
          later(server -> execute(server, plan.sql()));
          statement.answered(0);
        } else {
          statement.runWithin(open.server());
        }
      }
      case OF_TRANSACTION -> {
        if (open == null) {
          throw new Refusal(
                  SqlCode.NO_SHARD_NAMED, "No transaction has begun on a shard that it is for")
              .exception();
        }
        statement.runWithin(open.server());
      }
      case BEGINS_OR_ENDS ->
          throw new Refusal(
                  SqlCode.TRANSACTION_IN_TEXT, "Transactions are not begun or ended by a text")
              .exception();
      case LASTING, NONE ->
          throw new Refusal(
                  SqlCode.LASTS_IN_SESSION,
                  plan.plan().verdict().why() + " would last in a session that others use next")
              .exception();
    }
  }

  private void later(BoundTransaction.Preparation preparation) {
    if (pending.isEmpty()) {
      pending = new ArrayList<>(2);
    }
    pending.add(preparation);
  }

  // ---- batches ------------------------------------------------------------------------------

  /** Runs a batch shard by shard, in the order in which the shards come up in it. */
  void runBatch(ShardedStatement statement, List<StatementPlan> plans, List<BoundValues> values)
      throws SQLException {
    try {
      Map<Integer, List<Integer>> parts = new LinkedHashMap<>();
      List<Destination> to = new ArrayList<>(plans.size());
      for (int i = 0; i < plans.size(); i++) {
        StatementPlan plan = plans.get(i);
        if (readOnly && !plan.reads()) {
          throw new SQLException(
              "cannot execute a batch that writes in a read-only transaction", "25006");
        }
        if (isAcrossShards()) {
          refuseToLeaveState(plan);
        }
        if (plan.session() != SessionStatement.NONE) {
          throw new Refusal(SqlCode.LASTS_IN_SESSION, "A batch holds statements about the session")
              .exception();
        }
        Destination each = Destination.of(plan, values.get(i), database.map());
        if (each instanceof Destination.Delegated delegated) {
          throw delegated.unless().exception();
        } else if (each instanceof Destination.Several) {
          throw new Refusal(
                  SqlCode.WRITES_ON_SEVERAL_SHARDS, "A command of a batch concerns several shards")
              .exception();
        }
        BoundTransaction open = transaction;
        int place;
        if (each instanceof Destination.Dealt) {
          long key = open == null ? database.keys().next() : database.keys().nextOn(open.shard());
          statement.batchDealt(i, key);
          place = database.map().indexOfShardFor(key);
          each = new Destination.OfKey(place, key);
        } else if (each instanceof Destination.Any) {
          place = open == null ? 0 : open.place();
        } else {
          place = place(statement, each);
        }
        to.add(each);
        parts.computeIfAbsent(place, unused -> new ArrayList<>()).add(i);
      }
      boolean isApart = autoCommit || isAcrossShards();
      if (parts.size() > 1 && (!isApart || statement.returnsKeys())) {
        throw new Refusal(
                isApart ? SqlCode.NEEDS_ONE_SHARD : SqlCode.OTHER_SHARD,
                isApart
                    ? "A batch that returns keys concerns several shards"
                    : "A batch within a transaction concerns several shards")
            .exception();
      }
      for (Map.Entry<Integer, List<Integer>> part : parts.entrySet()) {
        runPart(statement, part.getKey(), part.getValue(), plans, to);
        for (int i : part.getValue()) {
          ran(plans.get(i));
        }
      }
    } catch (SQLException failure) {
      this.plans.failed(failure);
      throw failure;
    } catch (WaymarkException | IllegalStateException failure) {
      throw told(failure);
    } catch (StoppedException aborted) {
      throw ended(aborted);
    }
  }

  private void runPart(
      ShardedStatement statement,
      int place,
      List<Integer> part,
      List<StatementPlan> plans,
      List<Destination> to)
      throws SQLException {
    StatementPlan first = plans.get(part.get(0));
    statement.batchPart(
        part.stream().mapToInt(Integer::intValue).toArray(), first.sql(), first.dealtParameter());
    BoundTransaction open = transaction;
    if (!autoCommit && open == null && !isAcrossShards()) {
      open = begin(place, Router.NO_KEY, first);
    }
    try {
      if (isAcrossShards()) {
        CrossShardTransaction.Participant shard = acrossShards().participant(place);
        for (int i : part) {
          note(shard.written(), statement, to.get(i));
        }
        runWithin(statement, shard.shard(), shard.node(), shard.connection());
        return;
      }
      if (open != null) {
        if (open.place() != place) {
          throw new Refusal(
                  SqlCode.OTHER_SHARD,
                  "The transaction is on shard "
                      + open.shard().name()
                      + ", and the batch concerns shard "
                      + database.shards().get(place).name())
              .exception();
        }
        for (int i : part) {
          note(open.written(), statement, to.get(i));
          if (plans.get(i).leavesState()) {
            open.leavesState();
          }
        }
        runWithin(statement, open.shard(), open.node(), open.server());
        return;
      }
      WrittenKeys written = new WrittenKeys();
      for (int i : part) {
        if (to.get(i) instanceof Destination.OfKey one) {
          written.add(one.key());
        } else {
          written.addOthers();
        }
      }
      statement.writing(written);
      database
          .writes()
          .hold(
              database.shards().get(place),
              Router.NO_KEY,
              database.currentSession(),
              database.bound().get(),
              statement,
              statement.budgetNanos());
    } catch (SQLException | RuntimeException failure) {
      statement.batchPartFailed();
      throw failure;
    }
  }

  // ---- errors -------------------------------------------------------------------------------

  /** A failure of routing as JDBC's callers know it. */
  private static SQLException told(RuntimeException failure) {
    String message = String.valueOf(failure.getMessage());
    if (failure instanceof WaymarkException unknown && unknown.outcome() == Outcome.UNKNOWN) {
      return new SQLNonTransientConnectionException(message, "08007", unknown);
    } else if (failure instanceof UnavailableException lost) {
      if (lost.getCause() != null
          && (Failures.isTimeout(lost.getCause()) || Failures.isCancelled(lost.getCause()))) {
        return new SQLTimeoutException(message, "57014", lost);
      }
      return new SQLTransientConnectionException(
          message, lost.outcome() == Outcome.NOT_SENT ? "08001" : "08006", lost);
    } else if (failure instanceof WaymarkException refused) {
      String state =
          refused.getCause() instanceof SQLException cause ? cause.getSQLState() : "40000";
      return new SQLException(message, state, refused);
    }
    return new SQLNonTransientConnectionException(message, "08003", failure);
  }

  void checkOpen() throws SQLException {
    if (isClosed) {
      throw new SQLNonTransientConnectionException("This connection has been closed.", "08003");
    }
  }

  // ---- statements ---------------------------------------------------------------------------

  void opened(ShardedStatement statement) {
    ShardedStatement first = openStatements;
    statement.after = first;
    if (first != null) {
      first.before = statement;
    }
    openStatements = statement;
  }

  void closed(ShardedStatement statement) {
    ShardedStatement before = statement.before;
    ShardedStatement after = statement.after;
    if (before == null) {
      if (openStatements == statement) {
        openStatements = after;
      }
    } else {
      before.after = after;
    }
    if (after != null) {
      after.before = before;
    }
    statement.before = null;
    statement.after = null;
  }

  /** What is still read on the transaction's connections is not any more. */
  private void closeRows() throws SQLException {
    SQLException trouble = null;
    for (ShardedStatement each = openStatements; each != null; each = each.after) {
      try {
        each.reset();
      } catch (SQLException failure) {
        trouble = failure;
      }
    }
    if (trouble != null) {
      throw trouble;
    }
  }

  private void transactionEnded() {
    transaction = null;
    acrossShards = null;
    pending = List.of();
    for (ShardedStatement each = openStatements; each != null; each = each.after) {
      each.transactionEnded();
    }
  }

  boolean isWithinTransaction() {
    return transaction != null || acrossShards != null;
  }

  private Form form(int type, int concurrency, int wantedHoldability) throws SQLException {
    checkOpen();
    if (type == Form.USUAL.type()
        && concurrency == Form.USUAL.concurrency()
        && wantedHoldability == Form.USUAL.holdability()) {
      return Form.USUAL;
    }
    if (wantedHoldability == ResultSet.HOLD_CURSORS_OVER_COMMIT && !autoCommit) {
      throw new SQLFeatureNotSupportedException(
          "Rows do not outlive their transaction: its connection goes back to the pool", "0A000");
    }
    return new Form(type, concurrency, wantedHoldability);
  }

  @Override
  public Statement createStatement() throws SQLException {
    return new ShardedStatement(this, usualForm(), Returned.NOTHING);
  }

  @Override
  public Statement createStatement(int type, int concurrency) throws SQLException {
    return new ShardedStatement(this, form(type, concurrency, holdability), Returned.NOTHING);
  }

  @Override
  public Statement createStatement(int type, int concurrency, int wantedHoldability)
      throws SQLException {
    return new ShardedStatement(this, form(type, concurrency, wantedHoldability), Returned.NOTHING);
  }

  private Form usualForm() throws SQLException {
    return form(Form.USUAL.type(), Form.USUAL.concurrency(), holdability);
  }

  @Override
  public PreparedStatement prepareStatement(String sql) throws SQLException {
    return new ShardedPreparedStatement(this, sql, usualForm(), Returned.NOTHING);
  }

  @Override
  public PreparedStatement prepareStatement(String sql, int type, int concurrency)
      throws SQLException {
    return new ShardedPreparedStatement(
        this, sql, form(type, concurrency, holdability), Returned.NOTHING);
  }

  @Override
  public PreparedStatement prepareStatement(
      String sql, int type, int concurrency, int wantedHoldability) throws SQLException {
    return new ShardedPreparedStatement(
        this, sql, form(type, concurrency, wantedHoldability), Returned.NOTHING);
  }

  @Override
  public PreparedStatement prepareStatement(String sql, int autoGeneratedKeys) throws SQLException {
    return new ShardedPreparedStatement(this, sql, usualForm(), Returned.of(autoGeneratedKeys));
  }

  @Override
  public PreparedStatement prepareStatement(String sql, int @Nullable [] columnIndexes)
      throws SQLException {
    return new ShardedPreparedStatement(this, sql, usualForm(), Returned.of(columnIndexes));
  }

  @Override
  public PreparedStatement prepareStatement(String sql, String @Nullable [] columnNames)
      throws SQLException {
    return new ShardedPreparedStatement(this, sql, usualForm(), Returned.of(columnNames));
  }

  @Override
  public CallableStatement prepareCall(String sql) throws SQLException {
    return new ShardedCallableStatement(this, sql, usualForm());
  }

  @Override
  public CallableStatement prepareCall(String sql, int type, int concurrency) throws SQLException {
    return new ShardedCallableStatement(this, sql, form(type, concurrency, holdability));
  }

  @Override
  public CallableStatement prepareCall(String sql, int type, int concurrency, int wantedHoldability)
      throws SQLException {
    return new ShardedCallableStatement(this, sql, form(type, concurrency, wantedHoldability));
  }

  @Override
  public String nativeSQL(String sql) throws SQLException {
    checkOpen();
    return sql;
  }

  // ---- transactions -------------------------------------------------------------------------

  @Override
  public void setAutoCommit(boolean wanted) throws SQLException {
    checkOpen();
    if (wanted && !autoCommit) {
      end(End.COMMIT);
    }
    autoCommit = wanted;
  }

  @Override
  public boolean getAutoCommit() throws SQLException {
    checkOpen();
    return autoCommit;
  }

  private enum End {
    COMMIT,
    ROLLBACK
  }

  private void end(End how) throws SQLException {
    BoundTransaction open = transaction;
    CrossShardTransaction across = acrossShards;
    if (open == null && across == null) {
      pending = List.of();
      return;
    }
    try {
      if (across != null) {
        end(across, how);
      } else if (open != null && how == End.COMMIT) {
        open.commit(database, database.nanoClock());
      } else if (open != null) {
        open.rollback(database, database.nanoClock());
      }
    } catch (WaymarkException | IllegalStateException failure) {
      throw told(failure);
    } finally {
      transactionEnded();
      if (mayHaveChangedSchema && how == End.COMMIT) {
        plans.changed();
      }
      mayHaveChangedSchema = false;
    }
  }

  /** Whatever goes wrong, its connections are given back. */
  private void end(CrossShardTransaction across, End how) throws SQLException {
    try {
      closeRows();
      if (how == End.COMMIT) {
        across.commit();
      }
    } finally {
      // Does nothing once it is committed.
      across.rollback();
    }
  }

  private void refuseAutoCommit(String what) throws SQLException {
    checkOpen();
    if (autoCommit) {
      throw new SQLException("Cannot " + what + " when autoCommit is enabled.", NO_TRANSACTION);
    }
  }

  @Override
  public void commit() throws SQLException {
    refuseAutoCommit("commit");
    end(End.COMMIT);
  }

  @Override
  public void rollback() throws SQLException {
    refuseAutoCommit("rollback");
    end(End.ROLLBACK);
  }

  @Override
  public Savepoint setSavepoint() throws SQLException {
    refuseAutoCommit("establish a savepoint");
    return savepoint(new ShardedSavepoint(null));
  }

  @Override
  public Savepoint setSavepoint(String name) throws SQLException {
    refuseAutoCommit("establish a savepoint");
    return savepoint(new ShardedSavepoint(name));
  }

  private Savepoint savepoint(ShardedSavepoint made) throws SQLException {
    if (isAcrossShards()) {
      throw new Refusal(SqlCode.NEEDS_ONE_SHARD, "A cross-shard transaction has no savepoints")
          .exception();
    }
    BoundTransaction open = transaction;
    if (open == null) {
      later(made);
    } else {
      made.on(open.server());
    }
    return made;
  }

  @Override
  public void rollback(Savepoint savepoint) throws SQLException {
    refuseAutoCommit("rollback to a savepoint");
    ShardedSavepoint ours = ShardedSavepoint.ours(savepoint);
    BoundTransaction open = transaction;
    if (open != null) {
      open.server().rollback(ours.onServer());
    } else {
      int place = pending.indexOf(ours);
      if (place < 0) {
        throw new SQLException("The savepoint is not of this transaction", "3B001");
      }
      pending = new ArrayList<>(pending.subList(0, place + 1));
    }
  }

  @Override
  public void releaseSavepoint(Savepoint savepoint) throws SQLException {
    refuseAutoCommit("release a savepoint");
    ShardedSavepoint ours = ShardedSavepoint.ours(savepoint);
    BoundTransaction open = transaction;
    if (open != null) {
      open.server().releaseSavepoint(ours.onServer());
    } else if (pending.contains(ours)) {
      pending.remove(ours);
    } else {
      throw new SQLException("The savepoint is not of this transaction", "3B001");
    }
  }

  @Override
  public void setReadOnly(boolean wanted) throws SQLException {
    checkOpen();
    if (isWithinTransaction() && wanted != readOnly) {
      throw new SQLException(
          "Cannot change transaction read-only property in the middle of a transaction.", "25001");
    }
    readOnly = wanted;
  }

  @Override
  public boolean isReadOnly() throws SQLException {
    checkOpen();
    return readOnly;
  }

  @Override
  public void setTransactionIsolation(int level) throws SQLException {
    checkOpen();
    if (isWithinTransaction() && level != getTransactionIsolation()) {
      throw new SQLException(
          "Cannot change transaction isolation level in the middle of a transaction.", "25001");
    }
    if (level != TRANSACTION_READ_UNCOMMITTED
        && level != TRANSACTION_READ_COMMITTED
        && level != TRANSACTION_REPEATABLE_READ
        && level != TRANSACTION_SERIALIZABLE) {
      throw new SQLException("No transaction isolation: " + level, "22023");
    }
    isolation = level;
  }

  @Override
  public int getTransactionIsolation() throws SQLException {
    checkOpen();
    return isolation == UNSAID ? TRANSACTION_READ_COMMITTED : isolation;
  }

  @Override
  public void setHoldability(int wanted) throws SQLException {
    checkOpen();
    if (wanted != ResultSet.CLOSE_CURSORS_AT_COMMIT
        && wanted != ResultSet.HOLD_CURSORS_OVER_COMMIT) {
      throw new SQLException("No holdability: " + wanted, "22023");
    }
    holdability = wanted;
  }

  @Override
  public int getHoldability() throws SQLException {
    checkOpen();
    return holdability;
  }

  // ---- closing ------------------------------------------------------------------------------

  @Override
  public void close() throws SQLException {
    if (isReleased) {
      return;
    }
    isReleased = true;
    SQLException trouble = null;
    for (ShardedStatement each = openStatements; each != null; each = openStatements) {
      try {
        each.close();
      } catch (SQLException failure) {
        trouble = failure;
      }
    }
    isClosed = true;
    try {
      // What was begun and not committed is rolled back, as a pool would do.
      end(End.ROLLBACK);
    } catch (SQLException lost) {
      // The server rolls back what loses its connection.
    }
    if (trouble != null) {
      throw trouble;
    }
  }

  @Override
  public boolean isClosed() {
    return isClosed;
  }

  /**
   * Cuts off at once, from any thread: a transaction is rolled back by its server, and a statement
   * that runs fails. Whoever has the connection closes it all the same, as the thread that uses it
   * must be out of it before others get what it had.
   */
  @Override
  public void abort(Executor executor) throws SQLException {
    if (executor == null) {
      throw new SQLException("The executor must not be null", "22023");
    }
    if (isClosed) {
      return;
    }
    isClosed = true;
    BoundTransaction open = transaction;
    CrossShardTransaction across = acrossShards;
    executor.execute(
        () -> {
          if (open != null) {
            open.abort();
          }
          if (across != null) {
            across.cutOff();
          }
          for (ShardedStatement each = openStatements; each != null; each = each.after) {
            each.abort();
          }
        });
  }

  /**
   * Whether statements would find a server, as far as the monitor knows; asks one only where a
   * transaction is open.
   */
  @Override
  public boolean isValid(int seconds) throws SQLException {
    if (seconds < 0) {
      throw new SQLException("The time-out must not be negative: " + seconds, "22023");
    }
    if (isClosed || database.isClosed()) {
      return false;
    }
    BoundTransaction open = transaction;
    return open != null
        ? open.server().isValid(seconds)
        : database.shards().stream()
            .anyMatch(shard -> shard.view().nodes().stream().anyMatch(NodeView::isUp));
  }

  // ---- what only servers know ---------------------------------------------------------------

  /** What is asked of whichever server. */
  interface Question<T extends @Nullable Object> {
    T to(Connection server) throws SQLException;
  }

  /** Asks the transaction's server, or any that answers reads. */
  <T extends @Nullable Object> T onSomeServer(Question<T> question) throws SQLException {
    checkOpen();
    BoundTransaction open = transaction;
    try {
      if (open != null) {
        return question.to(open.server());
      }
      Session bound = database.bound().get();
      return database
          .reads()
          .<T, SQLException>readOnce(anyShard(), consistency(bound), bound, question::to);
    } catch (WaymarkException | IllegalStateException failure) {
      throw told(failure);
    }
  }

  /** The same for rows, which keep their connection until they are closed. */
  ResultSet rowsOfSomeServer(ShardedMetaData.Question<ResultSet> question) throws SQLException {
    checkOpen();
    BoundTransaction open = transaction;
    if (open != null) {
      return question.to(open.server().getMetaData());
    }
    try {
      Session bound = database.bound().get();
      MetaDataRows rows = new MetaDataRows(question);
      database.reads().hold(anyShard(), Router.NO_KEY, consistency(bound), bound, rows, 0);
      return rows.held();
    } catch (WaymarkException | IllegalStateException failure) {
      throw told(failure);
    }
  }

  /** Always the same one while it can answer: schemas are alike, and it has them cached. */
  private LiveShard anyShard() {
    for (LiveShard shard : database.shards()) {
      if (shard.view().nodes().stream().anyMatch(NodeView::isUp)) {
        return shard;
      }
    }
    return database.shards().get(0);
  }

  @Override
  public DatabaseMetaData getMetaData() throws SQLException {
    checkOpen();
    return new ShardedMetaData(this);
  }

  @Override
  public String getCatalog() throws SQLException {
    return onSomeServer(Connection::getCatalog);
  }

  @Override
  public void setCatalog(@Nullable String catalog) throws SQLException {
    checkOpen();
    // As pgjdbc does: a connection is to one database, and drivers ignore what they do not support.
  }

  @Override
  public String getSchema() throws SQLException {
    return onSomeServer(Connection::getSchema);
  }

  @Override
  public void setSchema(@Nullable String schema) throws SQLException {
    if (schema == null || !schema.equals(getSchema())) {
      throw new Refusal(SqlCode.LASTS_IN_SESSION, "Another schema would be another search path")
          .exception();
    }
  }

  @Override
  public Map<String, Class<?>> getTypeMap() throws SQLException {
    checkOpen();
    return new java.util.HashMap<>();
  }

  @Override
  public void setTypeMap(@Nullable Map<String, Class<?>> map) throws SQLException {
    checkOpen();
    if (map != null && !map.isEmpty()) {
      throw new SQLFeatureNotSupportedException("Types are not mapped", "0A000");
    }
  }

  @Override
  public @Nullable SQLWarning getWarnings() throws SQLException {
    checkOpen();
    BoundTransaction open = transaction;
    return warnings == null && open != null ? open.server().getWarnings() : warnings;
  }

  @Override
  public void clearWarnings() throws SQLException {
    checkOpen();
    warnings = null;
    BoundTransaction open = transaction;
    if (open != null) {
      open.server().clearWarnings();
    }
  }

  @Override
  public Array createArrayOf(String typeName, Object @Nullable [] elements) throws SQLException {
    checkOpen();
    if (elements == null) {
      throw new SQLException("The elements must not be null", "22023");
    }
    return new Parameters.ShardedArray(typeName, elements.clone());
  }

  private Connection bound(String what) throws SQLException {
    checkOpen();
    BoundTransaction open = transaction;
    if (open == null) {
      throw new SQLFeatureNotSupportedException(
          what
              + " needs a server: run a statement of the shard in a transaction first"
              + " (SELECT 1 /* waymark: key=42 */ will do)",
          "0A000");
    }
    return open.server();
  }

  @Override
  public SQLXML createSQLXML() throws SQLException {
    return bound("createSQLXML()").createSQLXML();
  }

  @Override
  @Refused("pgjdbc offers no Clob to be created")
  public Clob createClob() throws SQLException {
    throw ShardedPreparedStatement.unknownToDriver("createClob");
  }

  @Override
  @Refused("pgjdbc offers no Blob to be created")
  public Blob createBlob() throws SQLException {
    throw ShardedPreparedStatement.unknownToDriver("createBlob");
  }

  @Override
  @Refused("pgjdbc offers no NClob")
  public NClob createNClob() throws SQLException {
    throw ShardedPreparedStatement.unknownToDriver("createNClob");
  }

  @Override
  @Refused("pgjdbc offers no Struct")
  public Struct createStruct(String typeName, Object[] attributes) throws SQLException {
    throw ShardedPreparedStatement.unknownToDriver("createStruct");
  }

  /** Not passed on, as it would last in a session that others use next; a warning says so. */
  @Override
  public void setClientInfo(String name, @Nullable String value) throws SQLClientInfoException {
    if (isClosed) {
      throw new SQLClientInfoException(
          "This connection has been closed.", "08003", new java.util.HashMap<>());
    }
    SQLWarning warning =
        new SQLWarning(
            "Client info is not passed on; set ApplicationName in the URLs of the nodes", "01000");
    if (warnings == null) {
      warnings = warning;
    }
  }

  @Override
  public void setClientInfo(Properties properties) throws SQLClientInfoException {
    setClientInfo("", null);
  }

  @Override
  public @Nullable String getClientInfo(String name) throws SQLException {
    checkOpen();
    return null;
  }

  @Override
  public Properties getClientInfo() throws SQLException {
    checkOpen();
    return new Properties();
  }

  @Override
  public void setNetworkTimeout(@Nullable Executor executor, int milliseconds) throws SQLException {
    checkOpen();
    if (milliseconds < 0) {
      throw new SQLException("The time-out must not be negative: " + milliseconds, "22023");
    }
    networkTimeoutMillis = milliseconds;
    BoundTransaction open = transaction;
    if (open != null) {
      open.server().setNetworkTimeout(Runnable::run, milliseconds);
    }
  }

  @Override
  public int getNetworkTimeout() throws SQLException {
    checkOpen();
    return networkTimeoutMillis;
  }

  /**
   * This connection, the database behind it, or within a transaction the driver's own connection:
   * for COPY and large objects. What is written past this one is taken for anything.
   */
  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    checkOpen();
    if (type.isInstance(this)) {
      return type.cast(this);
    } else if (type.isInstance(database)) {
      return type.cast(database);
    }
    T found = bound("unwrap(" + type.getSimpleName() + ")").unwrap(type);
    BoundTransaction open = transaction;
    if (open != null) {
      open.written().addOthers();
      open.leavesState();
    }
    return found;
  }

  @Override
  public boolean isWrapperFor(Class<?> type) throws SQLException {
    checkOpen();
    BoundTransaction open = transaction;
    return type.isInstance(this)
        || type.isInstance(database)
        || open != null && open.server().isWrapperFor(type);
  }

  @Override
  public String toString() {
    BoundTransaction open = transaction;
    return "ShardedConnection["
        + (isClosed ? "closed" : open == null ? "no transaction" : "on " + open.shard().name())
        + "]";
  }
}
