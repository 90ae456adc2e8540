package dev.waymark.routing;

import dev.waymark.Consistency;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A statement that finds its server anew for each execution. It is itself the work that routing
 * runs there, so that an execution makes no object for that.
 *
 * <p>With auto-commit it has a lane of its own from its execution until its results are closed;
 * within a transaction it runs on the transaction's. Belongs to one thread, but for {@link
 * #cancel}.
 */
class ShardedStatement
    implements Statement,
        PlacedWork<Boolean, SQLException>,
        HeldWork<Boolean, SQLException>,
        HeldTransactionWork<Boolean, SQLException> {
  /** What is asked of the driver's statement. */
  enum Operation {
    QUERY,
    UPDATE,
    /** Either of them: the statement itself says which. */
    ANY,
    BATCH
  }

  private static final String STATEMENT_NOT_VALID = "26000";
  private static final int[] NO_PART = {};
  private static final long[] NO_COUNTS = {};

  private final ShardedConnection connection;
  private final Form form;
  private Returned returned;

  /** The connection's open statements, as a list without objects of its own. */
  @Nullable ShardedStatement before;

  @Nullable ShardedStatement after;

  private int queryTimeoutSeconds;
  private int fetchSize;
  private int fetchDirection = ResultSet.FETCH_FORWARD;
  private long maxRows;
  private int maxFieldSize;
  private boolean escapeProcessing = true;
  private boolean poolable;
  private boolean closeOnCompletion;
  private @Nullable String cursorName;
  private boolean isClosed;

  private Operation operation = Operation.ANY;
  private String sql = "";
  private boolean mayHaveMoreResults;
  private boolean keepsResults;
  private boolean leavesState;
  private BoundTransaction.Aftermath aftermath = BoundTransaction.Aftermath.NONE;
  private @Nullable WrittenKeys written;

  /** A key that the row to be inserted is dealt; meaningful while its plan asks for one. */
  private long dealtKey;

  private int dealtParameter;
  private int dealtAt;

  /** The driver's statement, while there is one; read by {@link #cancel} on any thread. */
  private volatile @Nullable Statement server;

  /** The connection that {@link #server} belongs to. */
  private volatile @Nullable Connection serverConnection;

  /** Whether it runs in a transaction that is committed before its rows are read. */
  private boolean isCommittedAtOnce;

  /** Whether the driver's statement has others than the usual ones. */
  private boolean serverHasSettings;

  /** Our own right to the connection; null within a transaction, which has it. */
  private @Nullable Lane lane;

  /** Ends what runs on several shards now, or is still sent by them. */
  private volatile FanOut.@Nullable Canceller canceller;

  private @Nullable ShardedResultSet rows;
  private @Nullable ShardedResultSet keys;
  private long updateCount = -1;
  private @Nullable SQLWarning warnings;

  private List<String> batch = List.of();

  /** Where each command of a batch that runs now stands in the whole batch. */
  private int[] batchPart = NO_PART;

  private long[] batchCounts = NO_COUNTS;

  ShardedStatement(ShardedConnection connection, Form form, Returned returned) {
    this.connection = connection;
    this.form = form;
    this.returned = returned;
    connection.opened(this);
  }

  // ---- running ------------------------------------------------------------------------------

  /** Finds the server and runs there; the results are this object's afterwards. */
  final void perform(Operation what, StatementPlan plan, BoundValues values) throws SQLException {
    operation = what;
    mayHaveMoreResults =
        keepsResults
            || plan.plan().refusal() != null
                && plan.plan().refusal().code() == SqlCode.SEVERAL_STATEMENTS;
    leavesState = plan.leavesState();
    dealtParameter = plan.dealtParameter();
    dealtAt = plan.dealtAt();
    sql = plan.sql();
    connection.run(this, plan, values);
  }

  /** Closes what an earlier execution has left open. */
  final void reset() throws SQLException {
    release();
  }

  final boolean isInBatch() {
    return operation == Operation.BATCH;
  }

  /** Results are read from the driver's statement after the execution, until it is closed. */
  final void keepsResults() {
    keepsResults = true;
  }

  private void begin(String text) throws SQLException {
    checkOpen();
    release();
    sql = text;
  }

  /** How long an execution with a lane of its own may take; 0 for {@code calls.deadline}. */
  final long budgetNanos() {
    return TimeUnit.SECONDS.toNanos(queryTimeoutSeconds);
  }

  /** The key of the row to come, and what a transaction has written besides. */
  final void dealt(long key) {
    dealtKey = key;
    if (dealtParameter != 0 && markers() == SqlScanner.Markers.NONE) {
      // A text without parameters takes it as a constant.
      sql = sql.substring(0, dealtAt) + key + sql.substring(dealtAt + 1);
    }
  }

  final long dealtKey() {
    return dealtKey;
  }

  final int dealtParameter() {
    return dealtParameter;
  }

  /** Whether its plan asks for a connection that nobody uses afterwards as it is. */
  final boolean leavesState() {
    return leavesState;
  }

  final void writing(WrittenKeys keys) {
    written = keys;
  }

  @Override
  public final WrittenKeys written() {
    WrittenKeys known = written;
    return known == null ? new WrittenKeys() : known;
  }

  @Override
  public Boolean run(Connection on, NodeView node) throws SQLException {
    aftermath = leavesState ? BoundTransaction.Aftermath.CLOSE : BoundTransaction.Aftermath.NONE;
    runAlone(on);
    return true;
  }

  @Override
  public Boolean runHeld(OpenTransaction transaction) throws SQLException {
    aftermath = leavesState ? BoundTransaction.Aftermath.DISCARD : BoundTransaction.Aftermath.NONE;
    // Its rows are read after the commit, which a cursor would not outlive.
    isCommittedAtOnce = true;
    try {
      runAlone(transaction.server());
    } finally {
      isCommittedAtOnce = false;
    }
    return true;
  }

  /** Runs where nothing but this statement is at stake. */
  final void runAlone(Connection on) throws SQLException {
    closeServer();
    try {
      executeUnlessAborted(on);
      return;
    } catch (SQLException failure) {
      closeServer();
      if (!isOfOldPlan(failure)) {
        throw failure;
      }
    } catch (RuntimeException | Error failure) {
      closeServer();
      throw failure;
    }
    // The schema has changed under a plan that the server had kept: it is made anew, once.
    if (!on.getAutoCommit()) {
      on.rollback();
    }
    try {
      executeUnlessAborted(on);
    } catch (SQLException | RuntimeException | Error failure) {
      closeServer();
      throw failure;
    }
  }

  /** An abort finds the server's connection from here on, or has come before that. */
  private void executeUnlessAborted(Connection on) throws SQLException {
    Statement ready = ready(on);
    stopIfAborted();
    try {
      execute(ready);
    } catch (SQLException failure) {
      stopIfAborted();
      throw failure;
    }
  }

  private void stopIfAborted() {
    if (connection.isClosed()) {
      throw new StoppedException();
    }
  }

  /** Runs within a transaction. */
  final void runWithin(Connection on) throws SQLException {
    execute(ready(on));
  }

  private static boolean isOfOldPlan(SQLException failure) {
    if (STATEMENT_NOT_VALID.equals(failure.getSQLState())) {
      return true;
    }
    return failure instanceof org.postgresql.util.PSQLException told
        && told.getServerErrorMessage() != null
        && "RevalidateCachedQuery".equals(told.getServerErrorMessage().getRoutine());
  }

  /** The driver's statement on a connection, with all that was set on this one. */
  private Statement ready(Connection on) throws SQLException {
    Statement known = server;
    if (known == null || serverConnection != on) {
      closeServer();
      known = make(on, sql, form, returned);
      server = known;
      serverConnection = on;
    }
    boolean hasSettings = lastingSettings() || lane == null && queryTimeoutSeconds != 0;
    if (hasSettings || serverHasSettings) {
      // Also what was taken back since the last time.
      set(known);
      serverHasSettings = hasSettings;
    }
    return known;
  }

  private boolean lastingSettings() {
    return fetchSize != 0
        || maxRows != 0
        || maxFieldSize != 0
        || !escapeProcessing
        || fetchDirection != ResultSet.FETCH_FORWARD
        || cursorName != null;
  }

  private void set(Statement on) throws SQLException {
    on.setFetchSize(isCommittedAtOnce ? 0 : fetchSize);
    on.setMaxRows((int) Math.min(maxRows, Integer.MAX_VALUE));
    on.setMaxFieldSize(maxFieldSize);
    on.setEscapeProcessing(escapeProcessing);
    on.setFetchDirection(fetchDirection);
    if (cursorName != null) {
      on.setCursorName(cursorName);
    }
    // With a lane of its own, the lane's deadline ends it; the driver's would need a timer.
    on.setQueryTimeout(connection.isWithinTransaction() ? queryTimeoutSeconds : 0);
  }

  /** Makes the driver's statement. */
  Statement make(Connection on, String text, Form wanted, Returned keysToReturn)
      throws SQLException {
    return wanted.statement(on);
  }

  private void execute(Statement on) throws SQLException {
    bind(on);
    switch (operation) {
      case QUERY -> rows = new ShardedResultSet(this, query(on, sql));
      case UPDATE -> updateCount = update(on, sql, returned);
      case ANY -> {
        if (any(on, sql, returned)) {
          rows = new ShardedResultSet(this, on.getResultSet());
        } else {
          updateCount = on.getLargeUpdateCount();
        }
      }
      case BATCH -> {
        fillBatch(on, batchPart);
        long[] counts = on.executeLargeBatch();
        for (int i = 0; i < counts.length; i++) {
          batchCounts[batchPart[i]] = counts[i];
        }
      }
    }
    if (!(returned instanceof Returned.Nothing) && operation != Operation.QUERY) {
      keys = new ShardedResultSet(this, on.getGeneratedKeys());
    }
  }

  /** Binds parameters, where there are some. */
  void bind(Statement on) throws SQLException {}

  ResultSet query(Statement on, String text) throws SQLException {
    return on.executeQuery(text);
  }

  long update(Statement on, String text, Returned keysToReturn) throws SQLException {
    return keysToReturn.update(on, text);
  }

  boolean any(Statement on, String text, Returned keysToReturn) throws SQLException {
    return keysToReturn.execute(on, text);
  }

  void fillBatch(Statement on, int[] part) throws SQLException {
    for (int place : part) {
      on.addBatch(batch.get(place));
    }
  }

  /** Answers without a server. */
  final void answered(long count) {
    updateCount = count;
  }

  /** What a query over several shards is told of this statement. */
  final FanOut.Options options(@Nullable Session session, Consistency consistency) {
    return new FanOut.Options(
        markers(), fetchSize, maxRows, queryTimeoutSeconds, session, consistency, cancellable());
  }

  /** What a write on several shards is told of this statement. */
  final CrossShardTransaction.Sending sending(BoundValues values) {
    return new CrossShardTransaction.Sending(markers(), values, queryTimeoutSeconds, cancellable());
  }

  /** From here on cancelling this statement ends what it does on several shards. */
  private FanOut.Canceller cancellable() {
    FanOut.Canceller ours = new FanOut.Canceller();
    canceller = ours;
    return ours;
  }

  /** What a question mark means in its text. */
  SqlScanner.Markers markers() {
    return SqlScanner.Markers.NONE;
  }

  /** Answers with rows that hold their connections themselves, and that can still be cancelled. */
  final void answered(ResultSet merged) throws SQLException {
    closeServer();
    if (operation == Operation.UPDATE) {
      merged.close();
      throw new SQLException("A result was returned when none was expected.", "0100E");
    }
    rows = new ShardedResultSet(this, merged);
  }

  @Override
  public final void held(Lane own) {
    lane = own;
    if (rows == null && keys == null && !mayHaveMoreResults) {
      giveBack();
    } else {
      own.noDueTime();
    }
  }

  // ---- results ------------------------------------------------------------------------------

  /** A result set of this statement has been closed. */
  final void closed(ShardedResultSet which) throws SQLException {
    boolean isKnown = which == rows || which == keys;
    if (which == rows) {
      rows = null;
    } else if (which == keys) {
      keys = null;
    }
    if (rows == null && keys == null && !mayHaveMoreResults) {
      giveBack();
      if (isKnown && closeOnCompletion) {
        close();
      }
    }
  }

  /** Ends the lane of its own, if there is one. Never throws: what was to be told has been. */
  private void giveBack() {
    Lane own = lane;
    lane = null;
    if (own != null) {
      Statement open = server;
      if (open != null) {
        try {
          warnings = open.getWarnings();
        } catch (SQLException gone) {
          // Then there are none.
        }
      }
      closeServer();
      BoundTransaction.giveBack(own, aftermath);
    }
  }

  private void closeServer() {
    Statement open = server;
    server = null;
    serverConnection = null;
    serverHasSettings = false;
    rows = null;
    keys = null;
    if (open != null) {
      try {
        open.close();
      } catch (SQLException gone) {
        // With its connection, which is told where that is used.
      }
    }
  }

  /** Closes what an earlier execution has left open. */
  private void release() throws SQLException {
    ShardedResultSet open = rows;
    rows = null;
    ShardedResultSet openKeys = keys;
    keys = null;
    mayHaveMoreResults = false;
    if (lane != null) {
      giveBack();
    } else {
      if (open != null) {
        open.rows().close();
      }
      if (openKeys != null) {
        openKeys.rows().close();
      }
    }
    canceller = null;
    updateCount = -1;
    warnings = null;
    written = null;
  }

  /** The transaction that it has run in is over, and the driver's statement with it. */
  final void transactionEnded() {
    if (lane == null && server != null) {
      closeServer();
    }
  }

  @Override
  public ResultSet executeQuery(String text) throws SQLException {
    refuseIfPrepared("executeQuery");
    begin(text);
    returned = Returned.NOTHING;
    perform(Operation.QUERY, connection.plans().ofLiteral(text), BoundValues.none());
    return result();
  }

  final ResultSet result() throws SQLException {
    ShardedResultSet found = rows;
    if (found == null) {
      throw new SQLException("No results were returned by the query.", "02000");
    }
    return found;
  }

  private void run(Operation what, String text, Returned keysToReturn) throws SQLException {
    refuseIfPrepared("execute");
    begin(text);
    returned = keysToReturn;
    perform(what, connection.plans().ofLiteral(text), BoundValues.none());
  }

  /** A prepared statement has its text already. */
  void refuseIfPrepared(String method) throws SQLException {}

  @Override
  public int executeUpdate(String text) throws SQLException {
    return small(executeLargeUpdate(text));
  }

  @Override
  public int executeUpdate(String text, int autoGeneratedKeys) throws SQLException {
    return small(executeLargeUpdate(text, autoGeneratedKeys));
  }

  @Override
  public int executeUpdate(String text, int @Nullable [] columnIndexes) throws SQLException {
    return small(executeLargeUpdate(text, columnIndexes));
  }

  @Override
  public int executeUpdate(String text, String @Nullable [] columnNames) throws SQLException {
    return small(executeLargeUpdate(text, columnNames));
  }

  @Override
  public long executeLargeUpdate(String text) throws SQLException {
    run(Operation.UPDATE, text, Returned.NOTHING);
    return updated();
  }

  @Override
  public long executeLargeUpdate(String text, int autoGeneratedKeys) throws SQLException {
    run(Operation.UPDATE, text, Returned.of(autoGeneratedKeys));
    return updated();
  }

  @Override
  public long executeLargeUpdate(String text, int @Nullable [] columnIndexes) throws SQLException {
    run(Operation.UPDATE, text, Returned.of(columnIndexes));
    return updated();
  }

  @Override
  public long executeLargeUpdate(String text, String @Nullable [] columnNames) throws SQLException {
    run(Operation.UPDATE, text, Returned.of(columnNames));
    return updated();
  }

  final long updated() {
    return Math.max(0, updateCount);
  }

  static int small(long count) {
    return count > Integer.MAX_VALUE ? SUCCESS_NO_INFO : (int) count;
  }

  @Override
  public boolean execute(String text) throws SQLException {
    run(Operation.ANY, text, Returned.NOTHING);
    return rows != null;
  }

  @Override
  public boolean execute(String text, int autoGeneratedKeys) throws SQLException {
    run(Operation.ANY, text, Returned.of(autoGeneratedKeys));
    return rows != null;
  }

  @Override
  public boolean execute(String text, int @Nullable [] columnIndexes) throws SQLException {
    run(Operation.ANY, text, Returned.of(columnIndexes));
    return rows != null;
  }

  @Override
  public boolean execute(String text, String @Nullable [] columnNames) throws SQLException {
    run(Operation.ANY, text, Returned.of(columnNames));
    return rows != null;
  }

  final boolean hasRows() {
    return rows != null;
  }

  @Override
  public @Nullable ResultSet getResultSet() throws SQLException {
    checkOpen();
    return rows;
  }

  @Override
  public int getUpdateCount() throws SQLException {
    long count = getLargeUpdateCount();
    return count < 0 ? -1 : small(count);
  }

  @Override
  public long getLargeUpdateCount() throws SQLException {
    checkOpen();
    return rows == null ? updateCount : -1;
  }

  @Override
  public boolean getMoreResults() throws SQLException {
    return getMoreResults(CLOSE_CURRENT_RESULT);
  }

  @Override
  public boolean getMoreResults(int current) throws SQLException {
    checkOpen();
    Statement on = server;
    ShardedResultSet open = rows;
    if (on == null) {
      // Rows of several shards, or an answer that is used up: there is no more.
      if (open != null && current != KEEP_CURRENT_RESULT) {
        open.close();
      }
      rows = null;
      updateCount = -1;
      return false;
    }
    rows = null;
    if (on.getMoreResults(current)) {
      rows = new ShardedResultSet(this, on.getResultSet());
      return true;
    }
    updateCount = on.getLargeUpdateCount();
    if (updateCount < 0) {
      mayHaveMoreResults = false;
      if (keys == null && current != KEEP_CURRENT_RESULT) {
        giveBack();
      }
    }
    return false;
  }

  @Override
  public ResultSet getGeneratedKeys() throws SQLException {
    checkOpen();
    ShardedResultSet found = keys;
    if (found == null) {
      throw new SQLException(
          "No generated keys: the statement was not asked to return them, or has not run", "55000");
    }
    return found;
  }

  // ---- batches ------------------------------------------------------------------------------

  @Override
  public void addBatch(String text) throws SQLException {
    refuseIfPrepared("addBatch");
    checkOpen();
    if (batch.isEmpty()) {
      batch = new ArrayList<>();
    }
    batch.add(text);
  }

  @Override
  public void clearBatch() throws SQLException {
    checkOpen();
    forgetBatch();
  }

  /** Whether it is closed or not. */
  void forgetBatch() {
    batch = List.of();
  }

  @Override
  public int[] executeBatch() throws SQLException {
    long[] counts = executeLargeBatch();
    int[] small = new int[counts.length];
    for (int i = 0; i < counts.length; i++) {
      small[i] = small(counts[i]);
    }
    return small;
  }

  @Override
  public long[] executeLargeBatch() throws SQLException {
    checkOpen();
    release();
    int size = batchSize();
    batchCounts = new long[size];
    java.util.Arrays.fill(batchCounts, EXECUTE_FAILED);
    try {
      if (size > 0) {
        operation = Operation.BATCH;
        List<StatementPlan> plans = new ArrayList<>(size);
        List<BoundValues> values = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
          plans.add(batchPlan(i));
          values.add(batchValues(i));
        }
        leavesState = plans.stream().anyMatch(StatementPlan::leavesState);
        connection.runBatch(this, plans, values);
      }
      return batchCounts;
    } catch (SQLException failure) {
      // The driver's own counts are those of one shard's part.
      throw new BatchUpdateException(
          failure.getMessage(),
          failure.getSQLState(),
          failure.getErrorCode(),
          batchCounts.clone(),
          failure);
    } finally {
      // Also where an abort has closed it: what is to be told is what the batch came to.
      forgetBatch();
    }
  }

  int batchSize() {
    return batch.size();
  }

  StatementPlan batchPlan(int place) throws SQLException {
    return connection.plans().ofLiteral(batch.get(place));
  }

  BoundValues batchValues(int place) {
    return BoundValues.none();
  }

  /** Notes the key that the row of a command of the batch is dealt. */
  void batchDealt(int place, long key) throws SQLException {
    throw new Refusal(SqlCode.NO_KEY_TO_INSERT, "A text in a batch inserts a row without a key")
        .exception();
  }

  /** Which commands run next, all on one shard, in one text if the statement is prepared. */
  final void batchPart(int[] part, String text, int dealtAt) {
    batchPart = part;
    sql = text;
    dealtParameter = dealtAt;
  }

  /** A part of the batch ran within the transaction, or alone, and none of it lasts. */
  final void batchPartFailed() {
    for (int place : batchPart) {
      batchCounts[place] = EXECUTE_FAILED;
    }
  }

  final boolean returnsKeys() {
    return !(returned instanceof Returned.Nothing);
  }

  // ---- settings -----------------------------------------------------------------------------

  @Override
  public int getMaxFieldSize() throws SQLException {
    checkOpen();
    return maxFieldSize;
  }

  @Override
  public void setMaxFieldSize(int max) throws SQLException {
    checkOpen();
    maxFieldSize = notNegative(max, "The maximum field size");
  }

  @Override
  public int getMaxRows() throws SQLException {
    checkOpen();
    return (int) Math.min(maxRows, Integer.MAX_VALUE);
  }

  @Override
  public void setMaxRows(int max) throws SQLException {
    setLargeMaxRows(max);
  }

  @Override
  public long getLargeMaxRows() throws SQLException {
    checkOpen();
    return maxRows;
  }

  @Override
  public void setLargeMaxRows(long max) throws SQLException {
    checkOpen();
    if (max < 0) {
      throw new SQLException("The maximum of rows must not be negative: " + max, "22023");
    }
    maxRows = max;
  }

  @Override
  public void setEscapeProcessing(boolean enable) throws SQLException {
    checkOpen();
    escapeProcessing = enable;
  }

  @Override
  public int getQueryTimeout() throws SQLException {
    checkOpen();
    return queryTimeoutSeconds;
  }

  @Override
  public void setQueryTimeout(int seconds) throws SQLException {
    checkOpen();
    queryTimeoutSeconds = notNegative(seconds, "The query time-out");
  }

  @Override
  public void setCursorName(String name) throws SQLException {
    checkOpen();
    cursorName = name;
  }

  @Override
  public void setFetchDirection(int direction) throws SQLException {
    checkOpen();
    if (direction != ResultSet.FETCH_FORWARD
        && direction != ResultSet.FETCH_REVERSE
        && direction != ResultSet.FETCH_UNKNOWN) {
      throw new SQLException("No fetch direction: " + direction, "22023");
    }
    fetchDirection = direction;
  }

  @Override
  public int getFetchDirection() throws SQLException {
    checkOpen();
    return fetchDirection;
  }

  @Override
  public void setFetchSize(int size) throws SQLException {
    checkOpen();
    fetchSize = notNegative(size, "The fetch size");
  }

  @Override
  public int getFetchSize() throws SQLException {
    checkOpen();
    return fetchSize;
  }

  private static int notNegative(int value, String what) throws SQLException {
    if (value < 0) {
      throw new SQLException(what + " must not be negative: " + value, "22023");
    }
    return value;
  }

  @Override
  public int getResultSetConcurrency() throws SQLException {
    checkOpen();
    return form.concurrency();
  }

  @Override
  public int getResultSetType() throws SQLException {
    checkOpen();
    return form.type();
  }

  @Override
  public int getResultSetHoldability() throws SQLException {
    checkOpen();
    return form.holdability();
  }

  @Override
  public void setPoolable(boolean wanted) throws SQLException {
    checkOpen();
    poolable = wanted;
  }

  @Override
  public boolean isPoolable() throws SQLException {
    checkOpen();
    return poolable;
  }

  @Override
  public void closeOnCompletion() throws SQLException {
    checkOpen();
    closeOnCompletion = true;
  }

  @Override
  public boolean isCloseOnCompletion() throws SQLException {
    checkOpen();
    return closeOnCompletion;
  }

  final Form form() {
    return form;
  }

  final ShardedConnection sharded() {
    return connection;
  }

  // ---- the rest -----------------------------------------------------------------------------

  @Override
  public Connection getConnection() throws SQLException {
    checkOpen();
    return connection;
  }

  /** Stops what this statement does now, from any thread; nothing if it does nothing. */
  @Override
  public void cancel() throws SQLException {
    Statement running = server;
    FanOut.Canceller several = canceller;
    // First what is on several shards: the driver's statement is then that of an earlier execution.
    if (several != null) {
      several.cancel();
    } else if (running != null) {
      running.cancel();
    }
  }

  @Override
  public @Nullable SQLWarning getWarnings() throws SQLException {
    checkOpen();
    Statement on = server;
    return on == null ? warnings : on.getWarnings();
  }

  @Override
  public void clearWarnings() throws SQLException {
    checkOpen();
    warnings = null;
    Statement on = server;
    if (on != null) {
      on.clearWarnings();
    }
  }

  /** Closes the connections under whoever waits for them. */
  final void abort() {
    FanOut.Canceller several = canceller;
    if (several != null) {
      several.cutOff();
    }
    Connection used = serverConnection;
    if (used != null) {
      Lane.cutOffAndCancel(used);
    }
  }

  final void checkOpen() throws SQLException {
    if (isClosed) {
      throw new SQLException("This statement has been closed.", "55000");
    }
    connection.checkOpen();
  }

  @Override
  public boolean isClosed() {
    return isClosed;
  }

  @Override
  public void close() throws SQLException {
    if (!isClosed) {
      isClosed = true;
      connection.closed(this);
      ShardedResultSet open = rows;
      if (lane != null) {
        mayHaveMoreResults = false;
        giveBack();
      } else if (server == null && open != null) {
        // Of several shards.
        rows = null;
        open.rows().close();
      }
      closeServer();
    }
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    checkOpen();
    if (type.isInstance(this)) {
      return type.cast(this);
    }
    Statement on = server;
    if (on == null) {
      throw new SQLFeatureNotSupportedException(
          "The driver's own statement is there only while this one has results", "0A000");
    }
    return on.unwrap(type);
  }

  @Override
  public boolean isWrapperFor(Class<?> type) throws SQLException {
    Statement on = server;
    return type.isInstance(this) || on != null && on.isWrapperFor(type);
  }

  /** The driver's statement, if it has results. */
  final @Nullable Statement server() {
    return server;
  }
}
