package dev.waymark.routing;

import java.util.List;
import java.util.Set;

/**
 * What a statement about the session, not about rows, may do on a connection that others use next.
 */
enum SessionStatement {
  /** The statement is about rows. */
  NONE,
  /** It only shows something, or is empty. */
  SHOWS,
  /** What it sets ends with the transaction. */
  LOCAL,
  /** It names savepoints or portals of the transaction. */
  OF_TRANSACTION,
  /** It begins or ends a transaction, which is JDBC's to do. */
  BEGINS_OR_ENDS,
  /** It leaves something behind: a setting, a subscription, a prepared statement. */
  LASTING;

  /**
   * Functions that leave something behind in the session. Those of a user may do as much: that is
   * so with any pool.
   */
  private static final Set<String> LASTING_FUNCTIONS =
      Set.of(
          "set_config",
          "pg_advisory_lock",
          "pg_advisory_lock_shared",
          "pg_try_advisory_lock",
          "pg_try_advisory_lock_shared");

  /** What a statement is, of which it is known that it is about the session. */
  static SessionStatement of(List<SqlToken> tokens) {
    String first = word(tokens, 0);
    String second = word(tokens, 1);
    return switch (first) {
      case "", "show" -> SHOWS;
      case "set" -> isLocal(second) ? LOCAL : LASTING;
      case "savepoint", "release", "fetch", "move", "close" -> OF_TRANSACTION;
      case "rollback" -> isToSavepoint(tokens) ? OF_TRANSACTION : BEGINS_OR_ENDS;
      case "begin", "start", "commit", "end", "abort" -> BEGINS_OR_ENDS;
      default -> LASTING;
    };
  }

  private static boolean isLocal(String second) {
    return second.equals("local") || second.equals("transaction") || second.equals("constraints");
  }

  private static boolean isToSavepoint(List<SqlToken> tokens) {
    return word(tokens, 1).equals("to") || word(tokens, 2).equals("to");
  }

  private static String word(List<SqlToken> tokens, int place) {
    return place < tokens.size() && tokens.get(place).kind() == SqlToken.Kind.WORD
        ? tokens.get(place).text()
        : "";
  }

  /** Whether a statement about rows, or of a kind that is not told, may leave something behind. */
  static boolean mayLeaveSomething(List<SqlToken> tokens) {
    String first = word(tokens, 0);
    if (first.equals("do") || first.equals("call")) {
      return true;
    }
    for (int i = 0; i < tokens.size(); i++) {
      SqlToken token = tokens.get(i);
      if (token.isName() && LASTING_FUNCTIONS.contains(token.text())
          || token.is("temp")
          || token.is("temporary")) {
        return true;
      }
    }
    return false;
  }
}
