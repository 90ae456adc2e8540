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
   * The statements between semicolons, empty ones left out. A semicolon inside of brackets (of
   * CREATE RULE) or of a BEGIN ATOMIC body cuts too: such a text is never one readable statement
   * anyhow.
   */
  List<List<SqlToken>> statements() {
    List<List<SqlToken>> statements = new ArrayList<>();
    int from = 0;
    for (int i = 0; i <= tokens.size(); i++) {
      if (i == tokens.size() || tokens.get(i).isSign(";")) {
        if (i > from) {
          statements.add(tokens.subList(from, i));
        }
        from = i + 1;
      }
    }
    return statements;
  }
}
