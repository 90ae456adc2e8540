package dev.waymark.routing;

import dev.waymark.ShardMap;
import dev.waymark.WaymarkException;
import dev.waymark.routing.SqlScanner.Markers;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongPredicate;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGStatement;
import org.postgresql.core.BaseStatement;
import org.postgresql.core.Field;
import org.postgresql.core.QueryExecutor;
import org.postgresql.core.Tuple;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a query over several shards through a {@link CrossShardEngine}: the engine says what to ask,
 * each question is a read as all others are, and the rows that it puts together become a result set
 * of the driver's. Safe to share.
 *
 * <p>Each shard's rows are read to their end and its connection is given back before the engine
 * goes on, so nobody holds one shard's connection while it waits for another's.
 */
final class EngineQueries implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  /** From one shard; they are held in memory. */
  static final int MAXIMUM_ROWS = 100_000;

  /** So many questions whose types are remembered; then all are forgotten. */
  private static final int QUESTIONS = 1_000;

  /**
   * For so long a start that has failed is not tried again: it takes seconds, and leaves things.
   */
  private static final Duration PAUSE = Duration.ofSeconds(10);

  /**
   * What a server says to a text that was rewritten wrongly: syntax, grouping, order of DISTINCT.
   */
  private static final Set<String> MISWRITTEN = Set.of("42601", "42803", "42P10");

  private final @Nullable CrossShardEngine engine;
  private final ShardMap map;
  private final List<LiveShard> shards;
  private final Reads reads;
  private final LongSupplier nanoClock;
  private final Duration usualDeadline;
  private final ConcurrentMap<String, Kinds> kinds = new ConcurrentHashMap<>();

  /** Held while the engine starts, which others wait for. */
  private final ReentrantLock starting = new ReentrantLock();

  private volatile @Nullable Started started;

  /** Guarded by the lock, as is the one below. */
  private boolean isClosed;

  private @Nullable FailedStart failedStart;

  /** A start that has failed, and when by the clock. */
  private record FailedStart(SQLException failure, long at) {}

  /**
   * A started engine. It has read tables and columns once: it serves plans that know the same ones,
   * and plans that are older.
   */
  private static final class Started {
    private final CrossShardEngine.Merger merger;
    private final Map<String, List<String>> columns;

    /** The latest one known to have the same columns; only so that they are compared once. */
    private volatile long catalogueVersion;

    /** Queries that use it. Guarded by this object's lock, as is the one below. */
    private int users;

    private boolean isRetired;

    Started(
        CrossShardEngine.Merger merger, Map<String, List<String>> columns, long catalogueVersion) {
      this.merger = merger;
      this.columns = columns;
      this.catalogueVersion = catalogueVersion;
    }

    boolean serves(Delegated query, long version) {
      if (version <= catalogueVersion) {
        return true;
      } else if (!columns.equals(query.columns())) {
        return false;
      }
      catalogueVersion = version;
      return true;
    }

    /** Begins to use it; false if it is not to be used any more. */
    synchronized boolean enter() {
      if (!isRetired) {
        users++;
      }
      return !isRetired;
    }

    void leave() {
      boolean isLast;
      synchronized (this) {
        users--;
        isLast = isRetired && users == 0;
      }
      if (isLast) {
        close();
      }
    }

    /** Whoever uses it goes on; the last of them closes it. */
    void retire() {
      boolean isUnused;
      synchronized (this) {
        isUnused = !isRetired && users == 0;
        isRetired = true;
      }
      if (isUnused) {
        close();
      }
    }

    private void close() {
      try {
        merger.close();
      } catch (RuntimeException | LinkageError failed) {
        // No reason to fail somebody's query, or to leave the pools open.
        log.warn("The engine for queries over several shards did not close", failed);
      }
    }
  }

  /** The kinds of a question's columns, good for one version of the catalogue. */
  private record Kinds(long catalogueVersion, List<ColumnKind> columns) {}

  /**
   * Queries through an engine.
   *
   * @param engine null if there is none: then none of them is run
   */
  EngineQueries(
      @Nullable CrossShardEngine engine,
      ShardMap map,
      List<LiveShard> shards,
      Reads reads,
      LongSupplier nanoClock,
      Duration usualDeadline) {
    this.engine = engine;
    this.map = map;
    this.shards = shards;
    this.reads = reads;
    this.nanoClock = nanoClock;
    this.usualDeadline = usualDeadline;
  }

  /** The refusal where there is no engine. */
  static SQLException absent(Refusal unless) {
    return unless.exceptionWith(
        "Or add dev.waymark:waymark-shardingsphere to the class path, which may answer it.");
  }

  /** Whether there is an engine, started or not. */
  boolean isThere() {
    return engine != null;
  }

  /**
   * Runs a query. The time for it begins when the engine has started.
   *
   * @return the rows; until they are closed, a connection to one shard is in use
   * @throws SQLException as {@link FanOut#query} does, or if the engine does not start or does not
   *     understand the query. Nothing is held then
   */
  ResultSet query(
      String sql,
      Plan plan,
      Delegated delegated,
      BoundValues values,
      FanOut.Options options,
      Refusal unless)
      throws SQLException {
    Started by = inUse(delegated, plan.catalogueVersion(), options);
    try {
      return query(by, sql, plan, delegated, values, options);
    } catch (NotUnderstoodException unknown) {
      SQLException refused =
          new Refusal(unless.code(), unless.reason() + "; and ShardingSphere does not answer it")
              .exception();
      refused.initCause(unknown.getCause());
      throw refused;
    } finally {
      by.leave();
    }
  }

  /** The engine has failed of itself. */
  private static final class NotUnderstoodException extends RuntimeException {
    private static final long serialVersionUID = 1;

    NotUnderstoodException(Exception cause) {
      super(cause);
    }
  }

  private ResultSet query(
      Started by,
      String sql,
      Plan plan,
      Delegated delegated,
      BoundValues values,
      FanOut.Options options)
      throws SQLException {
    Deadline deadline = deadline(options);
    int[] concerned = FanOut.concerned(map, plan, values);
    Bounds bounds =
        Bounds.of(new Merged(List.of(), List.of(), delegated.limit(), delegated.offset()), values);
    List<Object> parameters = parameters(delegated, bounds, values);
    Asking asking = new Asking(plan.catalogueVersion(), values, options, deadline);
    options.canceller().runs(List.of(asking));
    List<List<@Nullable Object>> rows;
    try {
      rows = by.merger.merge(delegated.sql(), parameters, asking);
    } catch (Exception broken) {
      // Of any kind: ShardingSphere throws checked ones that it does not declare.
      if (Thread.currentThread().isInterrupted()) {
        asking.stop();
        SQLException interrupted = interrupted();
        interrupted.initCause(broken);
        throw interrupted;
      }
      throw asking.failure(broken);
    } catch (Error broken) {
      asking.stop();
      throw broken;
    }
    if (Thread.currentThread().isInterrupted()) {
      // Then ShardingSphere has gone on without the shards that it was still waiting for.
      asking.stop();
      throw interrupted();
    }
    asking.check(needed(plan, delegated, values), bounds, rows);
    return result(sql, concerned[0], values, options, deadline, rows);
  }

  private Deadline deadline(FanOut.Options options) {
    return new Deadline(
        nanoClock,
        options.queryTimeoutSeconds() == 0
            ? usualDeadline
            : Duration.ofSeconds(options.queryTimeoutSeconds()));
  }

  private static SQLException interrupted() {
    return new SQLException("The query was interrupted. Nothing was written", "57014");
  }

  /** The places of the shards that hold something of the answer, if anybody does. */
  private Set<Integer> needed(Plan plan, Delegated delegated, BoundValues values)
      throws SQLException {
    Set<Integer> needed = new HashSet<>();
    try {
      for (int place : Concerned.shards(map, plan.keys(), values)) {
        needed.add(place);
      }
      for (KeySource.Keys keys : delegated.conditions()) {
        needed.retainAll(
            IntStream.of(Concerned.shards(map, keys, values)).boxed().collect(Collectors.toSet()));
      }
    } catch (KeyTerm.NotAKeyException wrong) {
      throw Refusal.of(wrong).exception();
    }
    return needed;
  }

  /** Bounds are numbers to an engine, whatever they were set as. */
  private static List<Object> parameters(Delegated delegated, Bounds bounds, BoundValues values)
      throws SQLException {
    List<Object> parameters = new ArrayList<>();
    for (int i = 1; i <= values.count(); i++) {
      parameters.add(EngineParameter.of(values, i));
    }
    if (delegated.limit() instanceof SqlTree.Parameter limit) {
      if (bounds.limit() < 0) {
        throw notUnderstood("LIMIT is null").exception();
      }
      parameters.set(limit.number() - 1, bounds.limit());
    }
    if (delegated.offset() instanceof SqlTree.Parameter offset) {
      parameters.set(offset.number() - 1, bounds.offset());
    }
    // The two are added up, and cut to 32 bits.
    if (bounds.limit() > Integer.MAX_VALUE / 2 || bounds.offset() > Integer.MAX_VALUE / 2) {
      throw notUnderstood("LIMIT or OFFSET is too large for ShardingSphere").exception();
    }
    return parameters;
  }

  private static Refusal notUnderstood(String reason) {
    return new Refusal(
        SqlCode.NOT_MERGED_EXACTLY, "Over several shards this has no exact answer: " + reason);
  }

  /** The engine, entered. */
  private Started inUse(Delegated query, long catalogueVersion, FanOut.Options options)
      throws SQLException {
    Deadline deadline = deadline(options);
    while (true) {
      Started known = started(query, catalogueVersion, deadline);
      if (known.enter()) {
        return known;
      }
    }
  }

  /** One that serves the query: the first that needs another one starts it, others wait. */
  private Started started(Delegated query, long catalogueVersion, Deadline deadline)
      throws SQLException {
    Started known = started;
    if (known != null && known.serves(query, catalogueVersion)) {
      return known;
    }
    CrossShardEngine absent = engine;
    if (absent == null) {
      throw new IllegalStateException("There is no engine");
    }
    lock(deadline);
    try {
      if (isClosed) {
        throw new SQLException("The database is closed", "08003");
      }
      Started before = started;
      if (before != null && before.serves(query, catalogueVersion)) {
        return before;
      }
      Started next = start(absent, query, catalogueVersion);
      started = next;
      if (before != null) {
        before.retire();
      }
      return next;
    } finally {
      starting.unlock();
    }
  }

  /** Whoever starts an engine takes as long as it takes; who waits for it has a deadline. */
  private void lock(Deadline deadline) throws SQLException {
    try {
      if (starting.tryLock(Math.max(0, deadline.nanosLeft()), TimeUnit.NANOSECONDS)) {
        return;
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw interrupted();
    }
    throw new SQLTimeoutException(
        "ShardingSphere, which another query is starting, was not there within "
            + deadline.budget().toMillis()
            + " ms. Nothing was sent",
        "57014");
  }

  private Started start(CrossShardEngine of, Delegated query, long catalogueVersion)
      throws SQLException {
    FailedStart last = failedStart;
    if (last != null && nanoClock.getAsLong() - last.at() < PAUSE.toNanos()) {
      throw new SQLTransientException(
          "ShardingSphere did not start, and is tried again "
              + PAUSE.toSeconds()
              + " s later: "
              + last.failure().getMessage(),
          last.failure().getSQLState(),
          last.failure());
    }
    CrossShardEngine.Merger merger;
    try {
      // It reads the tables now, later than the plan: what the plan knows of them it knows as well.
      merger = of.start(new Lent());
    } catch (SQLException told) {
      throw notStarted(told);
    } catch (RuntimeException | LinkageError broken) {
      throw notStarted(new SQLException("ShardingSphere did not start", "XX000", broken));
    }
    Started next = new Started(merger, query.columns(), catalogueVersion);
    if (Thread.currentThread().isInterrupted()) {
      // Then ShardingSphere has gone on without the tables that it was still waiting for.
      next.retire();
      throw interrupted();
    }
    failedStart = null;
    return next;
  }

  private SQLException notStarted(SQLException failure) {
    if (Thread.currentThread().isInterrupted()) {
      SQLException interrupted = interrupted();
      interrupted.initCause(failure);
      return interrupted;
    }
    failedStart = new FailedStart(failure, nanoClock.getAsLong());
    return failure;
  }

  @Override
  public void close() {
    starting.lock();
    try {
      isClosed = true;
      Started open = started;
      started = null;
      if (open != null) {
        open.retire();
      }
    } finally {
      starting.unlock();
    }
  }

  // ---- what the engine sees -----------------------------------------------------------------

  /** The shards' primaries, to look at what tables there are. */
  private final class Lent implements CrossShardEngine.Layout {
    @Override
    public ShardMap map() {
      return map;
    }

    @Override
    public DataSource catalogue(String shard) {
      return new ReadDataSource(
          reads,
          shards.stream().filter(each -> each.name().equals(shard)).findFirst().orElseThrow());
    }
  }

  /** One query's questions. */
  private final class Asking implements CrossShardEngine.Shards, FanOut.Running {
    private final long catalogueVersion;
    private final BoundValues values;
    private final FanOut.Options options;
    private final Deadline deadline;

    /** Guarded by this object's lock, as are those below. */
    private final Set<Connection> running = Collections.newSetFromMap(new IdentityHashMap<>());

    /** Those whose rows have come. */
    private final Set<String> answered = new HashSet<>();

    /** Those that have begun, without those that have ended. */
    private int underWay;

    private @Nullable SQLException failure;
    private boolean isOver;

    Asking(long catalogueVersion, BoundValues values, FanOut.Options options, Deadline deadline) {
      this.catalogueVersion = catalogueVersion;
      this.values = values;
      this.options = options;
      this.deadline = deadline;
    }

    @Override
    public CrossShardEngine.Answer ask(String shard, String sql, List<Object> parameters)
        throws SQLException {
      LiveShard live =
          shards.stream().filter(each -> each.name().equals(shard)).findFirst().orElseThrow();
      synchronized (this) {
        underWay++;
      }
      try {
        CrossShardEngine.Answer answer =
            reads.readUnhedged(
                live,
                Router.NO_KEY,
                options.consistency(),
                options.session(),
                (Work<CrossShardEngine.Answer, SQLException>)
                    connection -> answer(connection, sql, parameters),
                (value, node, route) -> value,
                deadline.startedAt(),
                deadline.dueAt());
        synchronized (this) {
          answered.add(shard);
        }
        return answer;
      } catch (SQLException told) {
        throw failed(told);
      } catch (WaymarkException told) {
        throw failed(FanOut.asSql(told));
      } finally {
        synchronized (this) {
          underWay--;
        }
      }
    }

    private CrossShardEngine.Answer answer(
        Connection connection, String sql, List<Object> parameters) throws SQLException {
      runs(connection);
      BoundValues bound = new Handed(values, parameters);
      try (PreparedStatement statement = connection.prepareStatement(sql)) {
        // Always as text, which is what the result is made of.
        statement.unwrap(PGStatement.class).setPrepareThreshold(0);
        statement.setMaxRows(MAXIMUM_ROWS + 1);
        for (int i = 1; i <= parameters.size(); i++) {
          bound.set(statement, i, i);
        }
        try (ResultSet rows = statement.executeQuery()) {
          ResultSetMetaData columns = rows.getMetaData();
          List<String> labels = new ArrayList<>();
          for (int i = 1; i <= columns.getColumnCount(); i++) {
            labels.add(columns.getColumnLabel(i));
          }
          return new CrossShardEngine.Answer(
              labels, read(rows, kinds(sql, labels.size(), bound, connection)));
        }
      } finally {
        synchronized (this) {
          running.remove(connection);
        }
      }
    }

    private List<List<@Nullable Object>> read(ResultSet rows, List<ColumnKind> kinds)
        throws SQLException {
      List<List<@Nullable Object>> read = new ArrayList<>();
      while (rows.next()) {
        if (read.size() == MAXIMUM_ROWS) {
          throw new Refusal(
                  SqlCode.TOO_MANY_GROUPS,
                  "A shard has more than " + MAXIMUM_ROWS + " rows to be put together with others'")
              .exceptionAfterReading();
        }
        List<@Nullable Object> row = new ArrayList<>(kinds.size());
        for (int i = 1; i <= kinds.size(); i++) {
          row.add(EngineValue.of(rows, i, kinds.get(i - 1)));
        }
        read.add(row);
      }
      return read;
    }

    private List<ColumnKind> kinds(
        String sql, int columns, BoundValues bound, Connection connection) throws SQLException {
      Kinds known = kinds.get(sql);
      if (known != null && known.catalogueVersion() == catalogueVersion) {
        return known.columns();
      }
      ShardText text =
          new ShardText(
              sql,
              ShardText.Bound.OWN,
              IntStream.rangeClosed(1, bound.count()).boxed().toList(),
              List.of(),
              List.of());
      List<ColumnKind> found = MergeShape.kinds(text, columns, Markers.JDBC, bound, connection);
      if (kinds.size() >= QUESTIONS) {
        kinds.clear();
      }
      kinds.put(sql, new Kinds(catalogueVersion, found));
      return found;
    }

    private synchronized void runs(Connection connection) throws SQLException {
      if (isOver) {
        throw FanOut.Canceller.cancelled();
      }
      running.add(connection);
    }

    /** Keeps what tells most, and ends what others do. */
    private SQLException failed(SQLException told) {
      synchronized (this) {
        // What fails once it is over has been cut off for that.
        if (failure == null || !isOver && FanOut.isBetter(told, failure)) {
          failure = told;
        }
      }
      stop();
      return told;
    }

    /** Why the query has failed: what a shard told, or else what the engine made of it. */
    SQLException failure(Exception broken) {
      SQLException own;
      synchronized (this) {
        own = failure;
      }
      stop();
      if (own != null && MISWRITTEN.contains(String.valueOf(own.getSQLState()))) {
        throw new NotUnderstoodException(own);
      } else if (own != null) {
        return options.canceller().isCancelled()
            ? options.canceller().told(own)
            : FanOut.inTime(own, deadline, "");
      }
      for (Throwable cause = broken; cause != null; cause = cause.getCause()) {
        if (cause instanceof EngineValue.NotComparableException unknown) {
          SQLException refused =
              new Refusal(
                      SqlCode.TYPE_NOT_MERGED,
                      "Over several shards "
                          + unknown.getMessage()
                          + " would have to be found out here, and only the server knows it for"
                          + " this type or collation")
                  .exceptionAfterReading();
          refused.initCause(broken);
          return refused;
        }
      }
      throw new NotUnderstoodException(broken);
    }

    /**
     * A last look: an engine that has understood a condition in another way than the plan would
     * leave out shards, or rows.
     */
    void check(Set<Integer> needed, Bounds bounds, List<List<@Nullable Object>> rows)
        throws SQLException {
      Set<String> known;
      boolean isDone;
      boolean isFailed;
      synchronized (this) {
        known = Set.copyOf(answered);
        isDone = underWay == 0;
        isFailed = failure != null;
      }
      if (isFailed) {
        throw failure(new IllegalStateException("A shard's failure was passed over"));
      } else if (!isDone) {
        stop();
        throw notUnderstood("ShardingSphere does not wait for what it asks")
            .exceptionAfterReading();
      }
      for (int place : needed) {
        if (!known.contains(shards.get(place).name())) {
          throw notUnderstood(
                  "ShardingSphere would not ask shard " + shards.get(place).name() + " for it")
              .exceptionAfterReading();
        }
      }
      if (bounds.limit() >= 0 && rows.size() > bounds.limit()) {
        throw notUnderstood("ShardingSphere does not cut it to its LIMIT").exceptionAfterReading();
      }
    }

    @Override
    public void cancel() {
      stop();
    }

    @Override
    public void cutOff() {
      stop();
    }

    /** Nobody wants an answer any more. */
    private void stop() {
      List<@Nullable QueryExecutor> servers = new ArrayList<>();
      synchronized (this) {
        isOver = true;
        for (Connection connection : running) {
          servers.add(Lane.server(connection));
          // At once: a cancel alone may arrive when the connection is somebody else's.
          Lane.cutOff(connection);
        }
      }
      servers.forEach(Lane::cancel);
    }
  }

  /** What an engine hands to a shard: the application's parameters, or numbers of its own. */
  private record Handed(BoundValues values, List<Object> parameters) implements BoundValues {
    @Override
    public int count() {
      return parameters.size();
    }

    @Override
    public void set(PreparedStatement statement, int number, int at) throws SQLException {
      Object parameter = parameters.get(number - 1);
      if (parameter instanceof EngineParameter given) {
        values.set(statement, given.number(), at);
      } else {
        statement.setLong(at, ((Number) parameter).longValue());
      }
    }

    @Override
    public @Nullable Object apply(int number) {
      return parameters.get(number - 1) instanceof EngineParameter given
          ? values.apply(given.number())
          : parameters.get(number - 1);
    }
  }

  // ---- the result -----------------------------------------------------------------------------

  private ResultSet result(
      String sql,
      int shard,
      BoundValues values,
      FanOut.Options options,
      Deadline deadline,
      List<List<@Nullable Object>> rows)
      throws SQLException {
    LiveShard live = shards.get(shard);
    ShardRows only =
        new ShardRows(live, new Result(sql, values, rows), key -> true, ShardRows.Owner.THE_ROWS);
    options.canceller().runs(List.of(only));
    only.ask(
        work ->
            reads.readUnhedged(
                live,
                Router.NO_KEY,
                options.consistency(),
                options.session(),
                work,
                (value, node, route) -> value,
                deadline.startedAt(),
                deadline.dueAt()),
        List.of(only));
    SQLException failure = only.await(deadline);
    if (failure != null) {
      only.close();
      boolean isOwn = Failures.isCancelled(failure) && !options.canceller().isCancelled();
      throw isOwn ? FanOut.inTime(failure, deadline, "") : options.canceller().told(failure);
    }
    return new SortedRows(
        MergeShape.ofPlainRows(
            new ShardText(sql, ShardText.Bound.OWN, List.of(), List.of(), List.of()),
            new Merged(List.of(), List.of(), null, null)),
        new Bounds(-1, 0),
        new ShardAnswers(List.of(only), options.canceller(), () -> {}),
        options.maxRows());
  }

  /**
   * The rows as the driver's own, on a connection that its getters may look up types by. A server
   * says what the columns are; it does not run the query.
   */
  private record Result(String sql, BoundValues values, List<List<@Nullable Object>> rows)
      implements FanOut.Asked {
    @Override
    public boolean isStreamed() {
      return false;
    }

    @Override
    public FanOut.Open on(Connection connection, LongPredicate isOwn) throws SQLException {
      List<Field> fields = new ArrayList<>();
      DescribedColumns columns;
      try (PreparedStatement described = connection.prepareStatement(sql)) {
        for (int i = 1; i <= values.count(); i++) {
          values.set(described, i, i);
        }
        ResultSetMetaData told = described.getMetaData();
        columns = DescribedColumns.of(told);
        var types = connection.unwrap(org.postgresql.core.BaseConnection.class).getTypeInfo();
        for (int i = 1; i <= told.getColumnCount(); i++) {
          fields.add(
              new Field(told.getColumnLabel(i), types.getPGType(type(told.getColumnTypeName(i)))));
        }
      }
      List<Tuple> tuples = new ArrayList<>(rows.size());
      for (List<@Nullable Object> row : rows) {
        byte[] @Nullable [] bytes = new byte @Nullable [fields.size()][];
        for (int i = 0; i < fields.size(); i++) {
          Object value = row.get(i);
          if (value != null) {
            bytes[i] = text(value).getBytes(StandardCharsets.UTF_8);
          }
        }
        tuples.add(new Tuple(bytes));
      }
      Statement statement = connection.createStatement();
      ResultSet made =
          statement
              .unwrap(BaseStatement.class)
              .createDriverResultSet(fields.toArray(new Field[0]), tuples);
      return new FanOut.Open(connection, statement, new Described(made, columns));
    }

    /** The driver calls columns that number themselves by types that no server has. */
    private static String type(String name) {
      return switch (name) {
        case "bigserial" -> "int8";
        case "serial" -> "int4";
        case "smallserial" -> "int2";
        default -> name;
      };
    }

    private static String text(Object value) throws SQLException {
      if (value instanceof EngineValue own) {
        return own.text();
      } else if (value instanceof BigDecimal decimal) {
        return decimal.toPlainString();
      } else if (value instanceof Long || value instanceof Integer) {
        return value.toString();
      }
      throw new SQLException(
          "ShardingSphere has made a " + value.getClass().getName() + " of the shards' values",
          "XX000");
    }
  }

  /** Rows that say of their columns what the server does. */
  private static final class Described extends DelegatingResultSet {
    private final DescribedColumns columns;

    Described(ResultSet rows, DescribedColumns columns) {
      super(rows);
      this.columns = columns;
    }

    @Override
    public ResultSetMetaData getMetaData() {
      return columns;
    }
  }
}
