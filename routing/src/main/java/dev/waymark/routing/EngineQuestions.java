package dev.waymark.routing;

import dev.waymark.WaymarkException;
import dev.waymark.routing.SqlScanner.Markers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGStatement;
import org.postgresql.core.QueryExecutor;

/**
 * What an engine asks the shards for one query, and whether it has got all of it. Safe to share.
 */
final class EngineQuestions implements CrossShardEngine.Shards, FanOut.Running {
  /** From one shard; they are held in memory. */
  static final int MAXIMUM_ROWS = 100_000;

  /**
   * What a server says to a text that was rewritten wrongly: syntax, grouping, order of DISTINCT.
   */
  private static final Set<String> MISWRITTEN = Set.of("42601", "42803", "42P10");

  private final Map<String, LiveShard> shards;
  private final Reads reads;
  private final KnownKinds kinds;
  private final long catalogueVersion;
  private final BoundValues values;
  private final FanOut.Options options;
  private final Deadline deadline;

  /** What is told if the engine does not answer. */
  private final Refusal unless;

  /** Guarded by this object's lock, as are those below. */
  private final Set<Connection> running = Collections.newSetFromMap(new IdentityHashMap<>());

  /** Those whose rows have come. */
  private final Set<String> answered = new HashSet<>();

  /** Those that have begun, without those that have ended. */
  private int underWay;

  private @Nullable SQLException failure;
  private boolean hasAsked;
  private boolean isOver;

  EngineQuestions(
      Map<String, LiveShard> shards,
      Reads reads,
      KnownKinds kinds,
      long catalogueVersion,
      BoundValues values,
      FanOut.Options options,
      Deadline deadline,
      Refusal unless) {
    this.shards = shards;
    this.reads = reads;
    this.kinds = kinds;
    this.catalogueVersion = catalogueVersion;
    this.values = values;
    this.options = options;
    this.deadline = deadline;
    this.unless = unless;
  }

  /** The kinds of questions' columns, as servers have told them. Safe to share. */
  static final class KnownKinds {
    /** So many questions; then all are forgotten. */
    private static final int QUESTIONS = 1_000;

    private final ConcurrentMap<String, Told> told = new ConcurrentHashMap<>();

    /** Good for one version of the catalogue. */
    private record Told(long catalogueVersion, List<ColumnKind> columns) {}

    @Nullable List<ColumnKind> of(String sql, long catalogueVersion) {
      Told known = told.get(sql);
      return known != null && known.catalogueVersion() == catalogueVersion ? known.columns() : null;
    }

    void keep(String sql, long catalogueVersion, List<ColumnKind> columns) {
      if (told.size() >= QUESTIONS) {
        told.clear();
      }
      told.put(sql, new Told(catalogueVersion, columns));
    }
  }

  static Refusal notUnderstood(String reason) {
    return new Refusal(
        SqlCode.NOT_MERGED_EXACTLY, "Over several shards this has no exact answer: " + reason);
  }

  @Override
  public CrossShardEngine.Answer ask(String shard, String sql, List<Object> parameters)
      throws SQLException {
    synchronized (this) {
      underWay++;
      hasAsked = true;
    }
    try {
      CrossShardEngine.Answer answer =
          reads.readUnhedged(
              Objects.requireNonNull(shards.get(shard), shard),
              Router.NO_KEY,
              options.consistency(),
              options.session(),
              (Work<CrossShardEngine.Answer, SQLException>)
                  connection -> answer(connection, shard, sql, parameters),
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
    } catch (StoppedException unwanted) {
      throw failed(FanOut.Canceller.cancelled());
    } catch (IllegalStateException closing) {
      throw failed(new SQLException("The database is closed", "08003", closing));
    } finally {
      synchronized (this) {
        underWay--;
      }
    }
  }

  private CrossShardEngine.Answer answer(
      Connection connection, String shard, String sql, List<Object> parameters)
      throws SQLException {
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
            labels, read(shard, rows, kinds(sql, labels.size(), bound, connection)));
      }
    } catch (SQLException failed) {
      synchronized (this) {
        if (isOver) {
          // It is we who have cut it off: no node is to blame.
          throw new StoppedException();
        }
      }
      throw failed;
    } finally {
      synchronized (this) {
        running.remove(connection);
      }
    }
  }

  private static List<List<@Nullable Object>> read(
      String shard, ResultSet rows, List<ColumnKind> kinds) throws SQLException {
    List<List<@Nullable Object>> read = new ArrayList<>();
    while (rows.next()) {
      if (read.size() == MAXIMUM_ROWS) {
        throw new Refusal(
                SqlCode.TOO_MANY_GROUPS,
                "Shard "
                    + shard
                    + " has more than "
                    + MAXIMUM_ROWS
                    + " rows to be put together with others'")
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

  private List<ColumnKind> kinds(String sql, int columns, BoundValues bound, Connection connection)
      throws SQLException {
    List<ColumnKind> known = kinds.of(sql, catalogueVersion);
    if (known != null) {
      return known;
    }
    ShardText text =
        new ShardText(
            sql,
            ShardText.Bound.OWN,
            IntStream.rangeClosed(1, bound.count()).boxed().toList(),
            List.of(),
            List.of());
    List<ColumnKind> found = MergeShape.kinds(text, columns, Markers.JDBC, bound, connection);
    kinds.keep(sql, catalogueVersion, found);
    return found;
  }

  private synchronized void runs(Connection connection) {
    if (isOver) {
      throw new StoppedException();
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
  SQLException failure(Throwable broken) {
    SQLException own;
    synchronized (this) {
      own = failure;
    }
    stop();
    if (own != null && isMiswritten()) {
      return notAnswered(own);
    } else if (own != null) {
      return options.canceller().told(options.inTime(own, deadline));
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
    return notAnswered(broken);
  }

  /** Whether a server has refused what the engine made of the text. */
  synchronized boolean isMiswritten() {
    return failure != null && MISWRITTEN.contains(String.valueOf(failure.getSQLState()));
  }

  /** The engine has failed of itself, and so it is as without it. */
  private SQLException notAnswered(Throwable cause) {
    Refusal refusal =
        new Refusal(unless.code(), unless.reason() + "; and ShardingSphere does not answer it");
    boolean isRead;
    synchronized (this) {
      isRead = hasAsked;
    }
    SQLException refused = isRead ? refusal.exceptionAfterReading() : refusal.exception();
    refused.initCause(cause);
    return refused;
  }

  /**
   * A last look: an engine that has understood a condition in another way than the plan would leave
   * out shards, or rows.
   */
  void check(Set<String> needed, Bounds bounds, List<List<@Nullable Object>> rows)
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
      throw notUnderstood("ShardingSphere does not wait for what it asks").exceptionAfterReading();
    }
    for (String shard : needed) {
      if (!known.contains(shard)) {
        throw notUnderstood("ShardingSphere would not ask shard " + shard + " for it")
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
  void stop() {
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
}
