package dev.waymark.routing;

import java.util.ArrayList;
import java.util.List;

/**
 * A SQL text cut into tokens, its comments apart. An immutable value, safe to share.
 *
 * @param sql the text
 * @param comments what stands in each comment, without the signs around it, nested ones included
 */
record SqlTokens(String sql, List<SqlToken> tokens, List<String> comments) {
  /** Copies. */
  SqlTokens {
    tokens = List.copyOf(tokens);
    comments = List.copyOf(comments);
  }

  /**
   * The statements between semicolons, empty ones left out.
   *
   * @throws UnreadableSqlException if a statement that has semicolons inside does not end
   */
  List<List<SqlToken>> statements() {
    List<List<SqlToken>> statements = new ArrayList<>();
    int from = 0;
    while (from < tokens.size()) {
      int end = endOf(from);
      if (end > from) {
        statements.add(tokens.subList(from, end));
      }
      from = end + 1;
    }
    return statements;
  }

  /**
   * Where the statement that begins there ends: before a semicolon, or with the text. Semicolons
   * inside of brackets (of CREATE RULE) and of a routine's BEGIN ATOMIC … END do not end it. That
   * is psql's rule (psqlscan.l: {@code paren_depth}, {@code begin_depth}), but only for what begins
   * with CREATE, which is never a query, and only for a BEGIN that ATOMIC follows.
   *
   * <p>pgjdbc counts the brackets as well, and cuts nothing behind BEGIN ATOMIC. So it never cuts
   * what is one statement here, and what it sends whole and is several here is refused.
   */
  private int endOf(int from) {
    boolean isCreate = tokens.get(from).is("create");
    boolean isRoutine = isCreate && isRoutine(from + 1);
    int brackets = 0;
    int blocks = 0;
    boolean hasInside = false;
    for (int i = from; i < tokens.size(); i++) {
      SqlToken token = tokens.get(i);
      if (token.isSign(";")) {
        if (blocks > 1) {
          // A label may be called case. Whoever counts it would miss the real end.
          throw new UnreadableSqlException("a CASE in a routine's body does not end");
        } else if (brackets == 0 && blocks == 0) {
          return i;
        }
        hasInside = true;
      } else if (isCreate && token.isSign("(")) {
        brackets++;
      } else if (isCreate && token.isSign(")")) {
        brackets--;
      } else if (isRoutine && brackets == 0) {
        blocks = Math.max(0, blocks + step(i, blocks));
      }
    }
    if (hasInside && (brackets != 0 || blocks > 0)) {
      throw new UnreadableSqlException("a bracket or a routine's body does not end");
    }
    return tokens.size();
  }

  /** What a token adds to the number of open BEGIN ATOMIC and CASE. */
  private int step(int at, int blocks) {
    SqlToken token = tokens.get(at);
    if (token.is("begin") && at + 1 < tokens.size() && tokens.get(at + 1).is("atomic")
        || token.is("case") && blocks > 0) {
      return 1;
    }
    return token.is("end") ? -1 : 0;
  }

  /** Whether [OR REPLACE] FUNCTION or PROCEDURE stands there. */
  private boolean isRoutine(int at) {
    int what = at + 1 < tokens.size() && tokens.get(at).is("or") ? at + 2 : at;
    return what < tokens.size()
        && (tokens.get(what).is("function") || tokens.get(what).is("procedure"));
  }
}
