package dev.waymark.routing;

import dev.waymark.WaymarkException;
import java.net.SocketTimeoutException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.sql.SQLWarning;
import org.jspecify.annotations.Nullable;
import org.postgresql.util.PSQLWarning;

/** Tells the failures of a node from the errors of a statement. */
final class Failures {
  private static final int DEEPEST_CAUSE = 16;

  private Failures() {}

  /** The first SQL exception in a chain of causes: frameworks wrap what they throw. */
  static @Nullable SQLException sqlException(Throwable failure) {
    Throwable cause = failure;
    for (int depth = 0; cause != null && depth < DEEPEST_CAUSE; depth++) {
      if (cause instanceof SQLException found) {
        return found;
      }
      if (cause instanceof WaymarkException) {
        // Another call's failure, perhaps of another shard: it says nothing about this node.
        return null;
      }
      cause = cause.getCause();
    }
    return null;
  }

  /** Whether the node, not the statement, failed: it went away, is going, or is just starting. */
  static boolean isOfNode(Throwable failure) {
    SQLException sql = sqlException(failure);
    if (sql == null) {
      return false;
    }
    if (sql instanceof SQLTransientConnectionException) {
      return true;
    }
    String state = sql.getSQLState();
    return state != null && (state.startsWith("08") || state.startsWith("57P0"));
  }

  /**
   * Whether the node went away under the work, as opposed to some other server that it talks to.
   */
  static boolean tookNodeAway(Throwable failure, Connection connection) {
    try {
      return isOfNode(failure) && !isTimeout(failure) && connection.isClosed();
    } catch (SQLException unclear) {
      return true;
    }
  }

  /**
   * Whether a lost connection is the calling thread's own doing: the JDK closes the socket that a
   * virtual thread waits on when that is interrupted. Nothing is wrong with the node then, and
   * whoever interrupts does not want the call to go on elsewhere.
   */
  static boolean isOwnInterrupt() {
    return Thread.currentThread().isInterrupted();
  }

  /**
   * Whether no answer came in time. That says nothing about the node: the statement may just be
   * slow. A node that hangs is found by the monitor, which asks something quick.
   */
  static boolean isTimeout(Throwable failure) {
    Throwable cause = failure;
    for (int depth = 0; cause != null && depth < DEEPEST_CAUSE; depth++) {
      if (cause instanceof SocketTimeoutException) {
        return true;
      }
      if (cause instanceof WaymarkException) {
        return false;
      }
      cause = cause.getCause();
    }
    return false;
  }

  /**
   * Whether an error that came back for {@code COMMIT; SELECT …} can only be COMMIT's own, so that
   * nothing was written: a constraint checked late, a serialization failure, a trigger's refusal.
   * Any other one, a cancel for instance, may have met the SELECT behind a commit that succeeded.
   */
  static boolean isOfCommitAlone(SQLException failure) {
    String state = failure.getSQLState();
    return state != null && state.matches("(21|22|23|25|27|2D|40|44|P0)...");
  }

  /**
   * Whether a commit was acknowledged before a synchronous replica had it. A server whose wait for
   * one is cancelled, by us at the deadline or by an operator, answers COMMIT as if all were well,
   * and only warns. The text is translated and the SQLSTATE common, so it is told by the place in
   * the server's sources, which every answer carries ({@code SyncRepWaitForLSN} in {@code
   * syncrep.c}).
   */
  static boolean isOfSynchronousReplication(@Nullable SQLWarning warning) {
    for (SQLWarning each = warning; each != null; each = each.getNextWarning()) {
      if (each instanceof PSQLWarning ofServer
          && ofServer.getServerErrorMessage() != null
          && "SyncRepWaitForLSN".equals(ofServer.getServerErrorMessage().getRoutine())) {
        return true;
      }
    }
    return false;
  }

  /**
   * Whether a replica had to choose between a read and the replay of its log, and chose the replay:
   * the same read may go through elsewhere. Reads are not serializable there, so nothing else gives
   * this error.
   */
  static boolean isOfReplay(Throwable failure) {
    SQLException sql = sqlException(failure);
    return sql != null && "40001".equals(sql.getSQLState());
  }

  /** Whether the server stopped a statement on request or by its own limit. */
  static boolean isCancelled(Throwable failure) {
    SQLException sql = sqlException(failure);
    return sql != null && "57014".equals(sql.getSQLState());
  }

  /** Whether a replica refused to write: the node is not, or no longer, the primary. */
  static boolean isReadOnly(Throwable failure) {
    SQLException sql = sqlException(failure);
    return sql != null && "25006".equals(sql.getSQLState());
  }

  /**
   * Whether trying again cannot help: the log-in is refused, the database does not exist, or what
   * answers is no PostgreSQL.
   */
  static boolean isOfConfiguration(SQLException failure) {
    String state = failure.getSQLState();
    return state != null
        && (state.startsWith("28") || state.equals("3D000") || state.equals("08P01"));
  }
}
