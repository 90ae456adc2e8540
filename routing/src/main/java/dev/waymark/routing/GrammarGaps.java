package dev.waymark.routing;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Forms of PostgreSQL's that the grammar does not know, each put into another one that it does
 * know, which names the same tables and ties their rows in the same way. That is only tried at the
 * very token that the grammar stumbled on, so what it reads by itself is never changed. What is
 * left out calls nothing of a user's; and {@link Effects} looks at every name of the text as it is
 * anyhow. Stateless.
 */
final class GrammarGaps {
  private static final Set<String> BEFORE_A_QUERY = Set.of("from", "join", "using", "lateral");
  private static final Set<String> BEGIN_A_QUERY = Set.of("select", "values", "with", "table");
  private static final List<String> NORMAL_FORMS = List.of("nfc", "nfd", "nfkc", "nfkd");

  private static final List<String> JSON_TOTALS = List.of("json_arrayagg", "json_objectagg");

  private final List<SqlToken> tokens;
  private final int stop;

  private GrammarGaps(List<SqlToken> tokens, int stop) {
    this.tokens = tokens;
    this.stop = stop;
  }

  /**
   * The statement without the gap that the grammar stumbled on, null if it is none of these.
   *
   * @param stop the number of the token that could not be read, which may be the one behind the
   *     last: the end
   */
  static @Nullable List<SqlToken> filled(List<SqlToken> statement, int stop) {
    GrammarGaps gaps = new GrammarGaps(statement, stop);
    List<SqlToken> filled = gaps.filledInFrom();
    filled = filled == null ? gaps.filledInExpression() : filled;
    return filled == null ? gaps.filledInJson() : filled;
  }

  private @Nullable List<SqlToken> filledInFrom() {
    int opening = opening();
    if (opening > 0 && isQueryInFrom(opening)) {
      // FROM (SELECT …) without a name, as of PostgreSQL 16: it gets one that nobody can write.
      return replaced(0, made(SqlToken.Kind.QUOTED, "\0" + stop));
    } else if (opening > 0 && tokens.get(opening - 1).is("using") && stands(0, "as")) {
      // JOIN … USING (…) AS x: one more row beside the others, so that x hides what it hides.
      return replaced(1, word("cross"), word("join"), word("current_date"));
    } else if (stands(-2, "group", "by", "distinct")) {
      // Which of equal grouping sets is left out.
      return replaced(1);
    } else if (stands(-3, "group", "by", "all")) {
      // The grammar goes one further, for ALL of an array.
      return new GrammarGaps(tokens, stop - 1).replaced(1);
    }
    return null;
  }

  private @Nullable List<SqlToken> filledInExpression() {
    if (stands(0, "at", "local") || stands(0, "is")) {
      // Inside of brackets the grammar stops one earlier.
      return new GrammarGaps(tokens, stop + 1).filledInExpression();
    } else if (stands(-1, "at", "local")) {
      return replaced(1, word("time"), word("zone"), made(SqlToken.Kind.STRING, ""));
    } else if (stands(-1, "is") || stands(-2, "is", "not")) {
      // IS NFC NORMALIZED asks about a text, as IS UNKNOWN does about a truth.
      int form = NORMAL_FORMS.stream().anyMatch(each -> stands(0, each)) ? 1 : 0;
      return stands(form, "normalized") ? replaced(form + 1, word("unknown")) : null;
    } else if (stands(0, "indent", ")")) {
      // XMLSERIALIZE (… AS type INDENT)
      return replaced(1);
    } else if (stands(0, "no", "indent", ")")) {
      return replaced(2);
    }
    return null;
  }

  private @Nullable List<SqlToken> filledInJson() {
    int opening = opening();
    if (stands(-1, "filter", "(") || stands(-1, "over", "(")) {
      // The grammar takes the word for a name of the result and stops behind it.
      return new GrammarGaps(tokens, stop - 1).filledInJson();
    } else if (opening > 0
        && (stands(0, "filter", "(") || stands(0, "over"))
        && JSON_TOTALS.stream().anyMatch(tokens.get(opening - 1)::is)) {
      // Only of other functions: it becomes the argument of one that spans rows as it does.
      List<SqlToken> wrapped = replaced(0, sign(")"));
      wrapped.addAll(
          opening - 1, List.of(word("pg_catalog"), sign("."), word("json_agg"), sign("(")));
      return wrapped;
    } else if (stands(0, "format", "json")) {
      return replaced(stands(2, "encoding") ? 4 : 2);
    } else if (stands(0, "with", "unique") || stands(0, "without", "unique")) {
      return replaced(stands(2, "keys") ? 3 : 2);
    } else if (stands(-2, "json_array", "(")) {
      // JSON_ARRAY() and JSON_ARRAY(RETURNING type) are of no elements.
      return replaced(0, word("null"));
    }
    return null;
  }

  /** The bracket that the one before the stop closes, or -1. */
  private int opening() {
    int depth = 0;
    for (int i = stop - 1; i >= 0 && (depth > 0 || i == stop - 1); i--) {
      if (tokens.get(i).isSign(")")) {
        depth++;
      } else if (tokens.get(i).isSign("(") && --depth == 0) {
        return i;
      }
    }
    return -1;
  }

  private boolean isQueryInFrom(int opening) {
    SqlToken before = tokens.get(opening - 1);
    SqlToken first = tokens.get(opening + 1);
    return (before.isSign("(")
            || before.isSign(",")
            || BEFORE_A_QUERY.stream().anyMatch(before::is))
        && (first.isSign("(") || BEGIN_A_QUERY.stream().anyMatch(first::is));
  }

  /** Whether these words and signs stand there, counted from the stop. */
  private boolean stands(int from, String... texts) {
    for (int i = 0; i < texts.length; i++) {
      int at = stop + from + i;
      if (at < 0
          || at >= tokens.size()
          || !tokens.get(at).is(texts[i]) && !tokens.get(at).isSign(texts[i])) {
        return false;
      }
    }
    return true;
  }

  /** So many tokens from the stop on replaced. */
  private List<SqlToken> replaced(int count, SqlToken... by) {
    List<SqlToken> replaced = new ArrayList<>(tokens.subList(0, stop));
    replaced.addAll(List.of(by));
    replaced.addAll(tokens.subList(Math.min(stop + count, tokens.size()), tokens.size()));
    return replaced;
  }

  private SqlToken word(String text) {
    return made(SqlToken.Kind.WORD, text);
  }

  private SqlToken sign(String text) {
    return made(SqlToken.Kind.PUNCTUATION, text);
  }

  private SqlToken made(SqlToken.Kind kind, String text) {
    int place = tokens.get(stop - 1).end();
    return new SqlToken(kind, text, place, place);
  }
}
