package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.WaymarkException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.TransactionState;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The transaction of one write: its hooks, and the one place that commits. */
final class OpenTransaction implements Transaction {
  private static final Logger log = LoggerFactory.getLogger(ShardedDatabase.class);

  /** One round trip: the position is read right after the commit, so it covers the commit. */
  private static final String COMMIT = "COMMIT; " + EndOfLog.SELECT;

  /** With the timeline it belongs to, for whoever remembers the id beyond a promotion. */
  private static final String TRANSACTION_ID =
      "SELECT pg_current_xact_id()::text AS id, log.* FROM (" + EndOfLog.SELECT + ") AS log";

  /** Also where it only looks like it, as in a comment: that costs the next reader a load. */
  private static final Pattern GOES_BACK =
      Pattern.compile("\\brollback\\b[^;]*?\\bto\\b", Pattern.CASE_INSENSITIVE);

  private static final Set<String> OURS = Set.of("commit", "close", "abort", "setAutoCommit");

  private final String shard;
  private final long systemId;
  private final Connection connection;
  private @Nullable Connection guarded;
  private final List<TransactionHook> hooks = new ArrayList<>();
  private long transactionId;
  private int rollbacksToSavepoint;
  private @Nullable LogPosition transactionIdPosition;

  OpenTransaction(String shard, long systemId, Connection connection) {
    this.shard = shard;
    this.systemId = systemId;
    this.connection = connection;
  }

  @Override
  public Connection connection() {
    Connection made = guarded;
    if (made == null) {
      made = guarded(connection);
      guarded = made;
    }
    return made;
  }

  /** The connection itself, for those of ours who leave the end of the transaction to us. */
  Connection server() {
    return connection;
  }

  @Override
  public String shard() {
    return shard;
  }

  long systemId() {
    return systemId;
  }

  @Override
  public @Nullable LogPosition transactionIdPosition() {
    return transactionIdPosition;
  }

  @Override
  public long transactionId() {
    if (transactionId == 0) {
      // Prepared: planned for each write it would take twice as long.
      try (PreparedStatement statement = connection.prepareStatement(TRANSACTION_ID);
          ResultSet answer = statement.executeQuery()) {
        answer.next();
        transactionId = Long.parseUnsignedLong(answer.getString("id"));
        transactionIdPosition = EndOfLog.read(answer, systemId);
      } catch (SQLException failure) {
        throw new WaymarkException(
            "Shard "
                + shard
                + " gave no transaction id. "
                + Outcome.REJECTED.sentence()
                + "; the transaction is rolled back.",
            Outcome.REJECTED,
            failure);
      }
    }
    return transactionId;
  }

  @Override
  public int rollbacksToSavepoint() {
    return rollbacksToSavepoint;
  }

  @Override
  public void join(TransactionHook hook) {
    hooks.add(hook);
  }

  void beforeCommit() throws SQLException {
    refuseIfFailed();
    // By index: a hook may add another one.
    for (int i = 0; i < hooks.size(); i++) {
      try {
        hooks.get(i).beforeCommit(this);
      } catch (RuntimeException refusal) {
        throw refusal;
      } catch (Exception refusal) {
        throw new WaymarkException(
            "A hook refused the commit on shard "
                + shard
                + ": "
                + refusal.getMessage()
                + ". "
                + Outcome.REJECTED.sentence()
                + ".",
            Outcome.REJECTED,
            refusal);
      }
    }
  }

  /** PostgreSQL answers COMMIT of a failed transaction by rolling back, without an error. */
  private void refuseIfFailed() throws SQLException {
    BaseConnection server = connection.unwrap(BaseConnection.class);
    if (server.getTransactionState() == TransactionState.FAILED) {
      throw new SQLException("a statement had failed and the work swallowed its error", "25P02");
    }
  }

  /**
   * Commits and returns a position at or after the commit.
   *
   * @throws SQLException SQLSTATE 08007 if the commit is only the primary's: it lasts unless a
   *     replica takes over that has not received it
   */
  LogPosition commit() throws SQLException {
    refuseIfFailed();
    try (PreparedStatement statement = connection.prepareStatement(COMMIT)) {
      statement.execute();
      if (Failures.isOfSynchronousReplication(statement.getWarnings())) {
        throw new SQLException(
            "it was committed there, but its wait for a synchronous replica was cut short, and a"
                + " replica that is promoted now may not have it",
            "08007");
      }
      statement.getMoreResults();
      try (ResultSet answer = statement.getResultSet()) {
        answer.next();
        return EndOfLog.read(answer, systemId);
      }
    }
  }

  /** Whether the node turned out to be a replica; asked after a refusal to write. */
  boolean runsOnReplica() {
    rollback();
    try (Statement statement = connection.createStatement();
        ResultSet answer = statement.executeQuery("SELECT pg_is_in_recovery()")) {
      answer.next();
      return answer.getBoolean(1);
    } catch (SQLException unclear) {
      return true;
    }
  }

  void rollback() {
    try {
      connection.rollback();
    } catch (SQLException lost) {
      // The server rolls back what loses its connection.
      log.debug("The connection to {} was lost while rolling back", shard, lost);
    }
  }

  void afterCommit(LogPosition position) {
    for (TransactionHook hook : hooks) {
      tell(() -> hook.afterCommit(position));
    }
  }

  void afterRollback() {
    for (TransactionHook hook : hooks) {
      tell(hook::afterRollback);
    }
  }

  void outcomeUnknown() {
    for (TransactionHook hook : hooks) {
      tell(hook::outcomeUnknown);
    }
  }

  /** The transaction is over whatever a hook does: its failure is told, and stops no other hook. */
  private void tell(Runnable hook) {
    try {
      hook.run();
    } catch (RuntimeException | Error failure) {
      log.warn("A hook failed after a transaction on {} had ended", shard, failure);
    }
  }

  private Connection guarded(Connection connection) {
    return (Connection)
        Proxy.newProxyInstance(
            OpenTransaction.class.getClassLoader(),
            new Class<?>[] {Connection.class},
            (proxy, method, arguments) -> {
              // Rolling back to a savepoint is the work's own business.
              boolean isRollback = method.getName().equals("rollback");
              boolean whole = isRollback && arguments == null;
              if (isRollback && !whole) {
                // Before it is sent: one whose answer is lost may have been carried out.
                rollbacksToSavepoint++;
              }
              if (whole || OURS.contains(method.getName())) {
                throw new SQLException(
                    "Waymark ends the transaction when the work returns or throws; "
                        + method.getName()
                        + "() is not for the work to call",
                    "2D000");
              }
              return passOn(connection, method, arguments);
            });
  }

  /** Looks at what is sent, so that a savepoint gone back to in SQL is noticed as well. */
  private @Nullable Object passOn(Object target, Method method, Object @Nullable [] arguments)
      throws Throwable {
    boolean goesBack =
        arguments != null
            && arguments.length > 0
            && arguments[0] instanceof String sql
            && GOES_BACK.matcher(sql).find();
    if (goesBack) {
      rollbacksToSavepoint++;
    }
    Object answer = invoked(target, method, arguments);
    if (method.getName().equals("createStatement")) {
      return watched(answer, Statement.class, this::passOn);
    }
    // Any other prepared statement's text is seen once, and says nothing of the kind.
    return goesBack && method.getName().startsWith("prepare")
        ? watched(answer, method.getReturnType(), this::executed)
        : answer;
  }

  private @Nullable Object executed(Object target, Method method, Object @Nullable [] arguments)
      throws Throwable {
    if (method.getName().startsWith("execute")) {
      rollbacksToSavepoint++;
    }
    return invoked(target, method, arguments);
  }

  private static @Nullable Object invoked(
      Object target, Method method, Object @Nullable [] arguments) throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException failure) {
      throw failure.getTargetException();
    }
  }

  private interface Call {
    @Nullable Object on(Object target, Method method, Object @Nullable [] arguments)
        throws Throwable;
  }

  private static Object watched(@Nullable Object statement, Class<?> as, Call call) {
    Object target = Objects.requireNonNull(statement);
    return Proxy.newProxyInstance(
        OpenTransaction.class.getClassLoader(),
        new Class<?>[] {as},
        (proxy, method, arguments) -> call.on(target, method, arguments));
  }
}
