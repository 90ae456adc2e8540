package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.ShardMap;
import dev.waymark.WaymarkException;
import dev.waymark.routing.ShardText.Bound;
import dev.waymark.routing.SqlScanner.Markers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientConnectionException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.LongPredicate;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs a query on every shard that it concerns at the same time, each on a node of its own
 * choosing, and merges the answers as its {@link Merged} says. Safe to share.
 *
 * <p>There is no common snapshot: each shard answers as of its own moment. If one shard fails, the
 * whole query does.
 *
 * <p>The rows stay where the driver has put them, on the connections that they came on, until the
 * result is closed. So that queries which hold some shards' connections and want others' never wait
 * for each other in a circle, no more of them run at a time than a pool has connections; the others
 * wait before they take any.
 */
final class FanOut {
  /** So many texts whose merge is remembered; then all are forgotten. */
  private static final int SHAPES = 1_000;

  /** Groups are merged in memory. */
  static final int MAXIMUM_GROUPS = 100_000;

  /** What a statement that was ended leaves behind. */
  static final String TRANSACTION_FAILED = "; the transaction can only be rolled back";

  private final List<LiveShard> shards;
  private final ShardMap map;
  private final Reads reads;
  private final Executor executor;
  private final LongSupplier nanoClock;
  private final Duration usualDeadline;
  private final SqlScanner.Backslash backslash;
  private final Semaphore turns;
  private final ConcurrentMap<String, Known> shapes = new ConcurrentHashMap<>();

  /** A shape, good for as long as the plan is the same one. */
  private record Known(Plan plan, Markers markers, MergeShape shape) {}

  /**
   * An executor of queries.
   *
   * @param turns how many queries may hold connections at a time: the size of a pool
   */
  FanOut(
      ShardMap map,
      List<LiveShard> shards,
      Reads reads,
      Executor executor,
      LongSupplier nanoClock,
      Duration usualDeadline,
      SqlScanner.Backslash backslash,
      int turns) {
    this.map = map;
    this.shards = shards;
    this.reads = reads;
    this.executor = executor;
    this.nanoClock = nanoClock;
    this.usualDeadline = usualDeadline;
    this.backslash = backslash;
    this.turns = new Semaphore(turns, true);
  }

  /**
   * How a query is to run.
   *
   * @param markers what a question mark means in the text
   * @param fetchSize how many rows a server sends at a time, 0 for all at once
   * @param maxRows how many rows are given at most, 0 for all
   * @param queryTimeoutSeconds until when all first rows must be there, 0 for {@code
   *     calls.deadline}
   * @param session what the reads must not miss, null for what this process has written
   */
  record Options(
      Markers markers,
      int fetchSize,
      long maxRows,
      int queryTimeoutSeconds,
      @Nullable Session session,
      Consistency consistency,
      Canceller canceller) {
    /** Checks each value. */
    Options {
      Objects.requireNonNull(markers, "markers");
      Objects.requireNonNull(consistency, "consistency");
      Objects.requireNonNull(canceller, "canceller");
      if (fetchSize < 0 || maxRows < 0 || queryTimeoutSeconds < 0) {
        throw new IllegalArgumentException(
            "Fetch size, rows and time-out must not be negative: "
                + fetchSize
                + ", "
                + maxRows
                + ", "
                + queryTimeoutSeconds);
      }
    }

    /** Begins now. */
    Deadline deadline(LongSupplier nanoClock, Duration usual) {
      return new Deadline(
          nanoClock, queryTimeoutSeconds == 0 ? usual : Duration.ofSeconds(queryTimeoutSeconds));
    }

    /** A failure that may be the deadline's doing. */
    SQLException inTime(SQLException failure, Deadline deadline) {
      return Failures.isCancelled(failure) && !canceller.isCancelled()
          ? FanOut.inTime(failure, deadline, "")
          : failure;
    }
  }

  /** What can be ended from another thread. */
  interface Running {
    /** Ends the work; what it holds stays usable where that is somebody's transaction. */
    void cancel();

    /** Closes the connections that it uses or holds. */
    void cutOff();
  }

  /** Ends one statement on several shards from another thread. */
  static final class Canceller {
    /** Guarded by this object's lock. Several, where all shards are at work at the same time. */
    private List<? extends Running> running = List.of();

    private volatile boolean isCancelled;

    /** Stops what runs; what begins later with this canceller fails at once. */
    void cancel() {
      stopped().forEach(Running::cancel);
    }

    /** The same, and no connection can be used any more. */
    void cutOff() {
      stopped().forEach(Running::cutOff);
    }

    private synchronized List<? extends Running> stopped() {
      isCancelled = true;
      return running;
    }

    /** What is begun now. */
    synchronized void runs(List<? extends Running> begun) throws SQLException {
      if (isCancelled) {
        throw cancelled();
      }
      running = begun;
    }

    /** Nothing runs any more. */
    synchronized void ended() {
      running = List.of();
    }

    boolean isCancelled() {
      return isCancelled;
    }

    /** A failure that may be the canceller's doing. */
    SQLException told(SQLException failure) {
      if (!isCancelled) {
        return failure;
      }
      SQLException cancelled = cancelled();
      cancelled.initCause(failure);
      return cancelled;
    }

    static SQLException cancelled() {
      return new SQLException("The query was cancelled by its user", "57014");
    }
  }

  /**
   * Runs a query.
   *
   * @param sql as the plan was made of
   * @return the merged rows; until they are closed, a connection to each shard is in use
   * @throws SQLException if any shard failed: what it told, or SQLSTATE 08006 if no node of it
   *     could answer, or 57014 if one was too slow. Nothing is held then
   */
  ResultSet query(String sql, Plan plan, BoundValues values, Options options) throws SQLException {
    Merged merged = Objects.requireNonNull(plan.merged(), "a plan that is merged");
    Deadline deadline = options.deadline(nanoClock, usualDeadline);
    int[] concerned = concerned(plan, values);
    Bounds bounds = Bounds.of(merged, values);
    awaitTurn(deadline);
    boolean isGiven = false;
    try {
      Access access = new Pooled(options, deadline);
      MergeShape shape = shape(sql, plan, merged, values, options, concerned[0], access);
      Question question = new Question(shape, bounds, values, options);
      ResultSet rows = rows(question, concerned, access, deadline, turns::release);
      isGiven = true;
      return rows;
    } catch (SQLException failure) {
      throw options.inTime(failure, deadline);
    } finally {
      if (!isGiven) {
        turns.release();
      }
    }
  }

  /**
   * Runs a query in a transaction's parts, which are opened for it, and sees what they have
   * written. Nobody waits for a turn: the connections are in use anyway. Its time is up when the
   * query's or the transaction's is, whichever comes first; what runs then is ended, on every shard
   * alike.
   */
  ResultSet queryIn(
      CrossShardTransaction transaction, String sql, Plan plan, BoundValues values, Options options)
      throws SQLException {
    Merged merged = Objects.requireNonNull(plan.merged(), "a plan that is merged");
    Deadline deadline = transaction.deadline(options.queryTimeoutSeconds());
    int[] concerned = concerned(plan, values);
    Bounds bounds = Bounds.of(merged, values);
    Map<Integer, Connection> connections = new HashMap<>();
    for (int index : concerned) {
      connections.put(index, transaction.participant(index, deadline).connection());
    }
    transaction.dueAt(deadline);
    try {
      Access access = new InTransaction(connections);
      MergeShape shape = shape(sql, plan, merged, values, options, concerned[0], access);
      Question question = new Question(shape, bounds, values, options);
      return rows(question, concerned, access, deadline, () -> {});
    } catch (SQLException failure) {
      throw inTime(failure, deadline, TRANSACTION_FAILED);
    } finally {
      transaction.dueAsBefore();
    }
  }

  /**
   * A failure that is the deadline's doing, as one.
   *
   * @param consequence added to the message
   */
  static SQLException inTime(SQLException failure, Deadline deadline, String consequence) {
    if (failure instanceof SQLTimeoutException
        || deadline.nanosLeft() > 0
        || !(Failures.isCancelled(failure) || Failures.isOfNode(failure))) {
      return failure;
    }
    return new SQLTimeoutException(
        "The statement was not done within "
            + deadline.budget().toMillis()
            + " ms, and was ended"
            + consequence,
        "57014",
        failure);
  }

  /** A way to a shard, by its place. */
  private interface Access {
    <T> T read(int index, Work<T, SQLException> work) throws SQLException;

    ShardRows.Owner owner();
  }

  /** A connection of a node's pool, to be given back. */
  private final class Pooled implements Access {
    private final Options options;
    private final Deadline deadline;

    Pooled(Options options, Deadline deadline) {
      this.options = options;
      this.deadline = deadline;
    }

    /** Never hedged: two runs at the same time would both be held. */
    @Override
    public <T> T read(int index, Work<T, SQLException> work) throws SQLException {
      return reads.readUnhedged(
          shards.get(index),
          Router.NO_KEY,
          options.consistency(),
          options.session(),
          work,
          (value, node, route) -> value,
          deadline.startedAt(),
          deadline.dueAt());
    }

    @Override
    public ShardRows.Owner owner() {
      return ShardRows.Owner.THE_ROWS;
    }
  }

  /** The connections that a transaction has; it keeps them. */
  private record InTransaction(Map<Integer, Connection> connections) implements Access {
    @Override
    public <T> T read(int index, Work<T, SQLException> work) throws SQLException {
      return work.run(Objects.requireNonNull(connections.get(index)));
    }

    @Override
    public ShardRows.Owner owner() {
      return ShardRows.Owner.A_TRANSACTION;
    }
  }

  private int[] concerned(Plan plan, BoundValues values) throws SQLException {
    return concerned(map, plan, values);
  }

  /** The places of the shards to ask: one at least. */
  static int[] concerned(ShardMap map, Plan plan, BoundValues values) throws SQLException {
    int[] places;
    try {
      places = Concerned.shards(map, plan.keys(), values);
    } catch (KeyTerm.NotAKeyException wrong) {
      throw Refusal.of(wrong).exception();
    }
    // Any shard knows that there is no such row, and what the columns are.
    return places.length == 0 ? new int[1] : places;
  }

  private void awaitTurn(Deadline deadline) throws SQLException {
    if (turns.tryAcquire()) {
      return;
    }
    try {
      if (turns.tryAcquire(Math.max(0, deadline.nanosLeft()), TimeUnit.NANOSECONDS)) {
        return;
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    throw new SQLTransientConnectionException(
        "As many queries over several shards as a pool has connections were open for all of "
            + deadline.waited().toMillis()
            + " ms. Nothing was sent; close result sets earlier, or raise pool.size",
        "08001");
  }

  private MergeShape shape(
      String sql,
      Plan plan,
      Merged merged,
      BoundValues values,
      Options options,
      int asked,
      Access access)
      throws SQLException {
    Known known = shapes.get(sql);
    if (known != null && known.plan() == plan && known.markers() == options.markers()) {
      return known.shape();
    }
    ShardText text;
    try {
      text =
          ShardText.of(sql, merged, options.markers(), backslash)
              .withKeyLists(plan.keys(), options.markers(), backslash);
    } catch (UnreadableSqlException unreadable) {
      throw new Refusal(
              SqlCode.NOT_MERGED_EXACTLY,
              "Over several shards it must be rewritten, and " + unreadable.getMessage())
          .exception();
    }
    MergeShape shape =
        MergeShape.needsTypes(merged)
            ? onShard(
                asked,
                access,
                connection -> MergeShape.of(text, merged, options.markers(), values, connection))
            : MergeShape.ofPlainRows(text, merged);
    if (shapes.size() >= SHAPES) {
      shapes.clear();
    }
    shapes.put(sql, new Known(plan, options.markers(), shape));
    return shape;
  }

  private static <T> T onShard(int index, Access access, Work<T, SQLException> work)
      throws SQLException {
    try {
      return access.read(index, work);
    } catch (WaymarkException failure) {
      throw asSql(failure);
    }
  }

  private ResultSet rows(
      Question question, int[] concerned, Access access, Deadline deadline, Runnable afterwards)
      throws SQLException {
    Options options = question.options();
    List<ShardRows> running = new ArrayList<>();
    for (int index : concerned) {
      running.add(
          new ShardRows(
              shards.get(index),
              question,
              key -> Concerned.isOwn(map, index, key),
              access.owner()));
    }
    options.canceller().runs(running);
    // The caller's own thread asks the last shard: one hand-over less.
    int last = running.size() - 1;
    for (int i = 0; i < last; i++) {
      ShardRows each = running.get(i);
      int index = concerned[i];
      try {
        executor.execute(() -> each.ask(work -> access.read(index, work), running));
      } catch (RejectedExecutionException closing) {
        each.notAsked(new SQLException("The database is closed", "08003", closing));
      }
    }
    running.get(last).ask(work -> access.read(concerned[last], work), running);
    SQLException failure = null;
    for (ShardRows each : running) {
      SQLException own = each.await(deadline);
      if (own != null) {
        if (failure == null) {
          failure = own;
        } else if (isBetter(own, failure)) {
          own.addSuppressed(failure);
          failure = own;
        } else {
          failure.addSuppressed(own);
        }
      }
    }
    ShardAnswers answers = new ShardAnswers(running, options.canceller(), afterwards);
    if (failure != null) {
      running.forEach(ShardRows::close);
      throw options.canceller().told(failure);
    }
    try {
      return question.shape().isTotal()
          ? TotalRows.of(question.shape(), question.bounds(), answers, options.maxRows())
          : new SortedRows(question.shape(), question.bounds(), answers, options.maxRows());
    } catch (SQLException | RuntimeException | Error broken) {
      running.forEach(ShardRows::close);
      throw broken;
    }
  }

  static boolean isBetter(SQLException one, SQLException than) {
    return worth(one) > worth(than);
  }

  /**
   * One that is cancelled because another has failed tells nothing, unless that it was too slow.
   */
  private static int worth(SQLException failure) {
    if (!Failures.isCancelled(failure)) {
      return 2;
    }
    return failure instanceof SQLTimeoutException ? 1 : 0;
  }

  static SQLException asSql(WaymarkException failure) {
    Throwable cause = failure.getCause();
    if (cause != null && (Failures.isTimeout(cause) || Failures.isCancelled(cause))) {
      return new SQLTimeoutException(failure.getMessage(), "57014", failure);
    }
    return new SQLTransientConnectionException(failure.getMessage(), "08006", failure);
  }

  /** What a shard is asked. */
  interface Asked {
    /** Whether the server sends the rows as they are wanted. */
    boolean isStreamed();

    /** Asks, and keeps the answer open. */
    Open on(Connection connection, LongPredicate isOwn) throws SQLException;
  }

  /** What every shard is asked. Made once for all of them. */
  record Question(MergeShape shape, Bounds bounds, BoundValues values, Options options)
      implements Asked {
    @Override
    public boolean isStreamed() {
      return options.fetchSize() > 0 && !shape.isTotal();
    }

    @Override
    public Open on(Connection connection, LongPredicate isOwn) throws SQLException {
      if (isStreamed()) {
        connection.setAutoCommit(false);
      }
      // Totals go back to rows that they have passed.
      int type = shape.isTotal() ? ResultSet.TYPE_SCROLL_INSENSITIVE : ResultSet.TYPE_FORWARD_ONLY;
      ShardText text = shape.text().forShard(values, isOwn);
      boolean isWidened = text.bound() == Bound.WIDENED && bounds.limit() >= 0;
      Statement statement;
      ResultSet rows;
      if (options.markers() == Markers.JDBC) {
        PreparedStatement prepared =
            connection.prepareStatement(
                isWidened ? text.sql() + "\nLIMIT ?" : text.sql(),
                type,
                ResultSet.CONCUR_READ_ONLY);
        statement = prepared;
        text.bind(prepared, values);
        if (isWidened) {
          prepared.setLong(text.sources().size() + 1, bounds.wide());
        }
        limit(statement);
        rows = prepared.executeQuery();
      } else {
        statement = connection.createStatement(type, ResultSet.CONCUR_READ_ONLY);
        limit(statement);
        rows =
            statement.executeQuery(
                isWidened ? text.sql() + "\nLIMIT " + bounds.wide() : text.sql());
      }
      return new Open(connection, statement, rows);
    }

    private void limit(Statement statement) throws SQLException {
      if (shape.isTotal()) {
        statement.setMaxRows(MAXIMUM_GROUPS + 1);
      } else {
        statement.setFetchSize(options.fetchSize());
        if (options.maxRows() > 0 && options.maxRows() + bounds.offset() <= Integer.MAX_VALUE) {
          statement.setMaxRows((int) (options.maxRows() + bounds.offset()));
        }
      }
    }
  }

  /** An open answer. */
  record Open(Connection connection, Statement statement, ResultSet rows) {}
}
