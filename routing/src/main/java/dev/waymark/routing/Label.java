package dev.waymark.routing;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.TransactionSnapshot;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/**
 * What a primary said before a read, on the read's own connection: which transactions were over,
 * and where the log ended after that was established. The read's own snapshot is taken later and
 * shows at least as much.
 */
record Label(TransactionSnapshot snapshot, LogPosition position) {
  /**
   * One statement: its snapshot is taken before its functions run, so the position is not before
   * the commit of any transaction that the snapshot calls over.
   */
  static final String QUESTION =
      "SELECT pg_current_snapshot()::text AS snapshot, log.* FROM (" + EndOfLog.SELECT + ") AS log";

  /**
   * A transaction that writes nothing commits without waiting for a synchronous replica. This
   * record makes it wait, so that a primary which has been replaced without knowing it draws no
   * line.
   */
  private static final String REPLICATED =
      "SELECT pg_logical_emit_message(true, 'waymark.horizon', '')";

  /** "Recovery is in progress": the node has become a standby, whose snapshots prove nothing. */
  private static final String NOT_IN_THIS_STATE = "55000";

  /** An answer and its label. */
  record Labelled<T extends @Nullable Object>(T value, @Nullable Label label) {}

  /** Work that is labelled where it runs on a primary. */
  static <T extends @Nullable Object, X extends Exception> PlacedWork<Labelled<T>, X> before(
      Work<T, X> work) {
    return (connection, node) -> {
      Label label = null;
      LogPosition known = node.position();
      if (node.isUp(Role.PRIMARY) && known != null) {
        try {
          label = ask(connection, known.systemId());
        } catch (SQLException failure) {
          if (!NOT_IN_THIS_STATE.equals(failure.getSQLState())) {
            // Met on the work's connection, and treated like a failure of the work's own.
            throw Label.<X>unchecked(failure);
          }
        }
      }
      return new Labelled<>(work.run(connection), label);
    };
  }

  private static @Nullable Label ask(Connection connection, long systemId) throws SQLException {
    if (!connection.getAutoCommit()) {
      // Inside a transaction the snapshot may be as old as its first statement.
      return null;
    }
    try (PreparedStatement statement = connection.prepareStatement(QUESTION);
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      return read(answer, systemId);
    }
  }

  /** A line through the shard's transactions, drawn by one that has no other purpose. */
  static Horizon drawnIn(OpenTransaction transaction) throws SQLException {
    // The id first: every transaction that had one before now has a smaller one.
    long id = transaction.transactionId();
    try (PreparedStatement statement = transaction.connection().prepareStatement(REPLICATED)) {
      statement.execute();
    }
    try (PreparedStatement statement = transaction.connection().prepareStatement(QUESTION);
        ResultSet answer = statement.executeQuery()) {
      answer.next();
      Label label = read(answer, transaction.systemId());
      return new Horizon(id, label.snapshot, label.position);
    }
  }

  /** The label in the current row of an answer to {@link #QUESTION}. */
  static Label read(ResultSet answer, long systemId) throws SQLException {
    return new Label(
        TransactionSnapshot.parse(answer.getString("snapshot")), EndOfLog.read(answer, systemId));
  }

  @SuppressWarnings("unchecked") // The compiler need not know; whoever catches it does.
  private static <X extends Exception> X unchecked(Exception failure) throws X {
    throw (X) failure;
  }
}
