package dev.waymark.routing;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Cuts a SQL text into tokens by the rules of PostgreSQL's scanner ({@code scan.l}): nested
 * comments, dollar quotes, escape strings, operators that end before a comment begins. What it
 * cannot cut for certain it refuses; it never guesses. Used by one thread, once.
 */
final class SqlScanner {
  /** What a question mark means. */
  enum Markers {
    /** A parameter of a prepared statement; two of them are the operator {@code ?}. */
    JDBC,
    /** A character of an operator, as everywhere else. */
    NONE
  }

  /** What a backslash means in a plain string. */
  enum Backslash {
    /** Itself: {@code standard_conforming_strings} is on. */
    LITERAL,
    /** The beginning of an escape. */
    ESCAPE
  }

  /** PostgreSQL cuts longer names, at the border of a character. */
  private static final int NAME_BYTES = 63;

  private static final String SELF = ",()[].;:+-*/%^<>=";
  private static final String OPERATOR = "~!@#^&|`?+-*/%<>=";

  /** An operator may end in + or - only if it holds one of these. */
  private static final String UNUSUAL = "~!@#^&|`?%";

  private final String sql;
  private final Markers markers;
  private final Backslash backslash;
  private final List<SqlToken> tokens = new ArrayList<>();
  private final List<String> comments = new ArrayList<>();
  private int at;
  private int parameters;

  private SqlScanner(String sql, Markers markers, Backslash backslash) {
    this.sql = sql;
    this.markers = markers;
    this.backslash = backslash;
  }

  /**
   * Cuts a text.
   *
   * @throws UnreadableSqlException if PostgreSQL would refuse it, or might read it in another way
   */
  static SqlTokens scan(String sql, Markers markers, Backslash backslash) {
    SqlScanner scanner = new SqlScanner(sql, markers, backslash);
    scanner.run();
    return new SqlTokens(sql, scanner.tokens, scanner.comments);
  }

  private void run() {
    while (at < sql.length()) {
      char c = sql.charAt(at);
      if (isSpace(c)) {
        at++;
      } else if (c == '-' && peek(1) == '-') {
        lineComment();
      } else if (c == '/' && peek(1) == '*') {
        blockComment();
      } else if (c == '\'') {
        int start = at;
        add(SqlToken.Kind.STRING, string(backslash), start);
      } else if (c == '"') {
        int start = at;
        add(SqlToken.Kind.QUOTED, name(quotedName()), start);
      } else if (c == '$') {
        dollar();
      } else if (isNameStart(c)) {
        word();
      } else if (isDigit(c) || c == '.' && isDigit(peek(1))) {
        number();
      } else {
        sign(c);
      }
    }
  }

  private void lineComment() {
    int start = at + 2;
    while (at < sql.length() && sql.charAt(at) != '\n' && sql.charAt(at) != '\r') {
      at++;
    }
    comments.add(sql.substring(start, at).strip());
  }

  private void blockComment() {
    int start = at + 2;
    int depth = 0;
    do {
      if (at + 1 >= sql.length()) {
        throw new UnreadableSqlException("a comment does not end");
      }
      if (sql.charAt(at) == '/' && peek(1) == '*') {
        depth++;
        at += 2;
      } else if (sql.charAt(at) == '*' && peek(1) == '/') {
        depth--;
        at += 2;
      } else {
        at++;
      }
    } while (depth > 0);
    comments.add(sql.substring(start, at - 2).strip());
  }

  /** From the opening quote to behind the closing one. */
  private String string(Backslash escapes) {
    StringBuilder value = new StringBuilder();
    at++;
    while (at < sql.length()) {
      char c = sql.charAt(at);
      if (c == '\'') {
        int next = escapes == Backslash.LITERAL ? continuation() : -1;
        if (peek(1) == '\'') {
          value.append('\'');
          at += 2;
        } else if (next > 0) {
          at = next + 1;
        } else {
          at++;
          return value.toString();
        }
      } else if (c == '\\' && escapes == Backslash.ESCAPE) {
        // What the escape stands for matters to nobody here; that it is not the end does.
        value.append(c);
        at++;
        if (at < sql.length()) {
          value.append(sql.charAt(at++));
        }
      } else {
        value.append(c);
        at++;
      }
    }
    throw new UnreadableSqlException("a string does not end");
  }

  /**
   * The quote behind this one that goes on with the string (scan.l: {@code quotecontinue}), or -1:
   * between them are spaces and at least one end of a line. A comment may stand there as well, but
   * then it is left to be refused; and so is what goes on with an escape string, where pgjdbc no
   * longer takes a backslash for an escape.
   */
  private int continuation() {
    boolean isOnNewLine = false;
    int next = at + 1;
    while (next < sql.length() && isSpace(sql.charAt(next))) {
      isOnNewLine |= sql.charAt(next) == '\n' || sql.charAt(next) == '\r';
      next++;
    }
    return isOnNewLine && next < sql.length() && sql.charAt(next) == '\'' ? next : -1;
  }

  private String quotedName() {
    StringBuilder value = new StringBuilder();
    at++;
    while (at < sql.length()) {
      char c = sql.charAt(at);
      if (c == '"') {
        if (peek(1) != '"') {
          at++;
          if (value.isEmpty()) {
            throw new UnreadableSqlException("a name between quotes is empty");
          }
          return value.toString();
        }
        at++;
      }
      value.append(c);
      at++;
    }
    throw new UnreadableSqlException("a name between quotes does not end");
  }

  private void dollar() {
    int start = at;
    if (isDigit(peek(1))) {
      at++;
      while (isDigit(peek(0))) {
        at++;
      }
      if (isNameStart(peek(0)) || markers == Markers.JDBC) {
        // pgjdbc would send it as it is beside parameters that it numbers itself.
        throw new UnreadableSqlException("a parameter is written with a dollar sign");
      }
      add(SqlToken.Kind.PARAMETER, sql.substring(start + 1, at), start);
      return;
    }
    int tag = at + 1;
    while (tag < sql.length() && sql.charAt(tag) != '$' && isNamePart(sql.charAt(tag))) {
      tag++;
    }
    if (tag >= sql.length() || sql.charAt(tag) != '$') {
      throw new UnreadableSqlException("a dollar sign stands alone");
    }
    String delimiter = sql.substring(at, tag + 1);
    int end = sql.indexOf(delimiter, tag + 1);
    if (end < 0) {
      throw new UnreadableSqlException("a string in dollar quotes does not end");
    }
    at = end + delimiter.length();
    add(SqlToken.Kind.STRING, sql.substring(tag + 1, end), start);
  }

  private void word() {
    int start = at;
    char first = Character.toLowerCase(sql.charAt(at));
    char next = peek(1);
    if (next == '\'' && (first == 'b' || first == 'x')) {
      at++;
      add(SqlToken.Kind.BITS, string(Backslash.LITERAL), start);
    } else if (next == '\'' && (first == 'e' || first == 'n')) {
      at++;
      add(SqlToken.Kind.STRING, string(first == 'e' ? Backslash.ESCAPE : backslash), start);
    } else if (first == 'u' && next == '&' && (peek(2) == '\'' || peek(2) == '"')) {
      unicode(start);
    } else {
      while (at < sql.length() && isNamePart(sql.charAt(at))) {
        at++;
      }
      add(SqlToken.Kind.WORD, name(lowerCase(sql.substring(start, at))), start);
    }
  }

  /** {@code U&'…'}; of {@code U&"…"} even the escape character may be chosen behind the name. */
  private void unicode(int start) {
    at += 2;
    if (sql.charAt(at) == '"') {
      throw new UnreadableSqlException("a name is written with Unicode escapes");
    }
    add(SqlToken.Kind.STRING, string(Backslash.LITERAL), start);
  }

  private void number() {
    int start = at;
    boolean isDecimal = true;
    if (sql.charAt(at) == '0' && "xXoObB".indexOf(peek(1)) >= 0) {
      isDecimal = false;
      at += 2;
      while (isDigit(peek(0)) || isNamePart(peek(0))) {
        at++;
      }
    } else {
      digits();
      // Two dots are a range in PL/pgSQL, not a fraction.
      if (peek(0) == '.' && peek(1) != '.') {
        at++;
        digits();
      }
      if ((peek(0) == 'e' || peek(0) == 'E')
          && (isDigit(peek(1)) || (peek(1) == '+' || peek(1) == '-') && isDigit(peek(2)))) {
        at += 2;
        digits();
      }
      if (isNameStart(peek(0))) {
        throw new UnreadableSqlException("a number runs into a name");
      }
    }
    String text = sql.substring(start, at);
    for (int i = 0; i < text.length() && isDecimal; i++) {
      isDecimal = isDigit(text.charAt(i));
    }
    add(isDecimal ? SqlToken.Kind.INTEGER : SqlToken.Kind.NUMBER, text, start);
  }

  private void digits() {
    while (isDigit(peek(0)) || peek(0) == '_' && isDigit(peek(1))) {
      at++;
    }
  }

  private void sign(char c) {
    int start = at;
    if (c == ':' && (peek(1) == ':' || peek(1) == '=') || c == '.' && peek(1) == '.') {
      at += 2;
      add(SqlToken.Kind.PUNCTUATION, sql.substring(start, at), start);
    } else if (c == '?' && markers == Markers.JDBC && peek(1) != '?') {
      at++;
      parameters++;
      add(SqlToken.Kind.PARAMETER, Integer.toString(parameters), start);
    } else if (OPERATOR.indexOf(c) >= 0) {
      operator();
    } else if (SELF.indexOf(c) >= 0) {
      at++;
      add(SqlToken.Kind.PUNCTUATION, sql.substring(start, at), start);
    } else {
      throw new UnreadableSqlException("the character '" + c + "' has no meaning in SQL");
    }
  }

  private void operator() {
    int start = at;
    StringBuilder text = new StringBuilder();
    while (at < sql.length() && OPERATOR.indexOf(sql.charAt(at)) >= 0) {
      char c = sql.charAt(at);
      if (c == '-' && peek(1) == '-' || c == '/' && peek(1) == '*') {
        break;
      }
      if (c == '?' && markers == Markers.JDBC) {
        if (peek(1) != '?') {
          break;
        }
        at++;
      }
      text.append(c);
      at++;
    }
    // 1+-2 is a sum of a negative number, @- is an operator.
    int length = text.length();
    if (length > 1 && text.chars().noneMatch(c -> UNUSUAL.indexOf(c) >= 0)) {
      while (length > 1 && (text.charAt(length - 1) == '+' || text.charAt(length - 1) == '-')) {
        length--;
        at--;
      }
    }
    String operator = text.substring(0, length);
    if (operator.equals("=>")) {
      // Whatever came behind it: a sign, a comment or a parameter. It names an argument.
      add(SqlToken.Kind.PUNCTUATION, operator, start);
    } else {
      add(SqlToken.Kind.OPERATOR, operator.equals("!=") ? "<>" : operator, start);
    }
  }

  private void add(SqlToken.Kind kind, String text, int start) {
    tokens.add(new SqlToken(kind, text, start, at));
  }

  private static String name(String name) {
    if (name.length() * 3 > NAME_BYTES
        && name.getBytes(StandardCharsets.UTF_8).length > NAME_BYTES) {
      throw new UnreadableSqlException("a name is longer than " + NAME_BYTES + " bytes");
    }
    return name;
  }

  /** Only ASCII letters: what PostgreSQL does to the others depends on the server's locale. */
  private static String lowerCase(String word) {
    for (int i = 0; i < word.length(); i++) {
      if (word.charAt(i) > 127) {
        StringBuilder lower = new StringBuilder(word);
        for (int j = 0; j < word.length(); j++) {
          char c = word.charAt(j);
          if (c >= 'A' && c <= 'Z') {
            lower.setCharAt(j, (char) (c + 32));
          }
        }
        return lower.toString();
      }
    }
    return word.toLowerCase(Locale.ROOT);
  }

  private char peek(int ahead) {
    return at + ahead < sql.length() ? sql.charAt(at + ahead) : '\0';
  }

  private static boolean isSpace(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\u000b';
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private static boolean isNameStart(char c) {
    return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c > 127;
  }

  private static boolean isNamePart(char c) {
    return isNameStart(c) || isDigit(c) || c == '$';
  }
}
