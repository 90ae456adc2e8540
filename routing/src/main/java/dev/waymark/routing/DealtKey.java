package dev.waymark.routing;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The text of an INSERT whose row has no key, with a parameter for the key that it is dealt. A
 * value; the only text that is ever changed on the way to one shard.
 *
 * @param parameter the number of that parameter in the new text
 * @param at where its question mark stands
 */
record DealtKey(String sql, int parameter, int at) {
  private DealtKey(String before, String after, int parameter) {
    this(before + "?" + after, parameter, before.length());
  }

  /**
   * Adds the key to an INSERT of one row; null if the text is not of a form that it can be added to
   * for certain.
   *
   * @param tokens of the one statement
   * @param keyColumn as the map names it
   */
  static @Nullable DealtKey in(String sql, List<SqlToken> tokens, String keyColumn) {
    if (tokens.isEmpty() || !tokens.get(0).is("insert")) {
      return null;
    }
    int values = at(tokens, "values", 0);
    int defaults = at(tokens, "default", 0);
    String column = quoted(keyColumn);
    if (defaults >= 0
        && defaults + 1 == values
        && (values + 1 == tokens.size() || !tokens.get(values + 1).isSign("("))) {
      return new DealtKey(
          sql.substring(0, tokens.get(defaults).start()) + "(" + column + ") VALUES (",
          ")" + sql.substring(tokens.get(values).end()),
          1);
    }
    if (values < 0 || values + 1 >= tokens.size() || !tokens.get(values + 1).isSign("(")) {
      return null;
    }
    int columns = columnList(tokens, values);
    if (columns < 0) {
      return null;
    }
    int given = position(tokens, columns, keyColumn);
    SqlToken row = tokens.get(values + 1);
    int parameter = 1 + parametersBefore(tokens, row.end());
    if (given < 0) {
      SqlToken list = tokens.get(columns);
      return new DealtKey(
          sql.substring(0, list.end()) + column + ", " + sql.substring(list.end(), row.end()),
          ", " + sql.substring(row.end()),
          parameter);
    }
    SqlToken value = valueAt(tokens, values + 1, given);
    if (value == null || !value.is("default")) {
      return null;
    }
    return new DealtKey(
        sql.substring(0, value.start()),
        sql.substring(value.end()),
        1 + parametersBefore(tokens, value.start()));
  }

  /** Where the list of columns opens, between the table's name and VALUES; -1 if there is none. */
  private static int columnList(List<SqlToken> tokens, int values) {
    for (int i = 0; i < values; i++) {
      if (tokens.get(i).isSign("(")) {
        return i;
      }
    }
    return -1;
  }

  /** The place of a column in a flat list; -1 if it is not in it. */
  private static int position(List<SqlToken> tokens, int open, String column) {
    int place = 0;
    for (int i = open + 1; i < tokens.size() && !tokens.get(i).isSign(")"); i++) {
      if (tokens.get(i).isSign(",")) {
        place++;
      } else if (tokens.get(i).isName() && tokens.get(i).text().equals(column)) {
        return place;
      }
    }
    return -1;
  }

  /** The value at a place of a row, if it is a single token. */
  private static @Nullable SqlToken valueAt(List<SqlToken> tokens, int open, int place) {
    int depth = 0;
    int seen = 0;
    for (int i = open + 1; i < tokens.size(); i++) {
      SqlToken token = tokens.get(i);
      if (token.isSign("(")) {
        depth++;
      } else if (token.isSign(")")) {
        depth--;
      } else if (depth == 0 && token.isSign(",")) {
        seen++;
      } else if (depth == 0 && seen == place) {
        return token;
      }
      if (depth < 0) {
        return null;
      }
    }
    return null;
  }

  private static int at(List<SqlToken> tokens, String word, int from) {
    for (int i = from; i < tokens.size(); i++) {
      if (tokens.get(i).is(word)) {
        return i;
      }
    }
    return -1;
  }

  private static int parametersBefore(List<SqlToken> tokens, int place) {
    int count = 0;
    for (SqlToken token : tokens) {
      if (token.kind() == SqlToken.Kind.PARAMETER && token.start() < place) {
        count++;
      }
    }
    return count;
  }

  private static String quoted(String name) {
    return '"' + name.replace("\"", "\"\"") + '"';
  }
}
