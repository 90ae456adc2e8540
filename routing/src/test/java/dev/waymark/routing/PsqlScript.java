package dev.waymark.routing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The statements of a script for psql, such as PostgreSQL's own regression tests: without psql's
 * commands, without the data of COPY, and without statements that need psql's variables. What was
 * left out is counted.
 */
final class PsqlScript {
  private static final Pattern COPY_IN = Pattern.compile("(?is)^\\s*copy\\s.*from\\s+stdin\\b.*");
  private static final Pattern STATEMENT_ENDS =
      Pattern.compile("(?m)[\\w)'\"][ \\t]*;[ \\t]*(--.*)?$");
  private static final Pattern VARIABLE =
      Pattern.compile("(?<![:\\w]):(?:[a-z_]\\w*|'[a-z_]\\w*'|\"[a-z_]\\w*\"|\\{\\?[a-z_]\\w*\\})");
  private static final Pattern DOLLAR =
      Pattern.compile("\\$([A-Za-z_\\x80-\\uffff][\\w\\x80-\\uffff]*)?\\$");

  private final String text;
  private final List<String> statements = new ArrayList<>();
  private final Map<String, Integer> leftOut = new TreeMap<>();
  private StringBuilder statement = new StringBuilder();
  private boolean needsVariable;
  private int at;

  private PsqlScript(String text) {
    this.text = text;
  }

  static PsqlScript of(Path file) throws IOException {
    PsqlScript script =
        new PsqlScript(new String(Files.readAllBytes(file), StandardCharsets.UTF_8));
    script.read();
    return script;
  }

  /** Those that a server can be sent as they are, in their order. */
  List<String> statements() {
    return statements;
  }

  /** How many statements were left out, by the reason. */
  Map<String, Integer> leftOut() {
    return leftOut;
  }

  private void read() {
    int brackets = 0;
    int atomic = 0;
    StringBuilder bare = new StringBuilder();
    while (at < text.length()) {
      char c = text.charAt(at);
      needsVariable |= c == ':' && isVariable();
      if (text.startsWith("--", at)) {
        int end = text.indexOf('\n', at);
        take(end < 0 ? text.length() : end);
      } else if (text.startsWith("/*", at)) {
        take(endOfComment());
      } else if (c == '\'' || c == '"') {
        boolean escapes =
            c == '\''
                && at > 0
                && "eE".indexOf(text.charAt(at - 1)) >= 0
                && (at < 2 || !Character.isLetterOrDigit(text.charAt(at - 2)));
        take(endOfQuote(c, escapes));
        bare.append("''");
      } else if (c == '$' && dollar() != null) {
        String tag = dollar();
        int end = text.indexOf(tag, at + tag.length());
        take(end < 0 ? text.length() : end + tag.length());
        bare.append("''");
      } else if (c == '\\') {
        int end = text.indexOf('\n', at);
        end = end < 0 ? text.length() : end;
        String command = text.substring(at, end);
        at = end;
        if (command.startsWith("\\;")) {
          at -= command.length() - 2;
          finish();
        } else if (command.matches("\\\\(g|gset|gexec|gdesc|gx|watch|crosstabview|parse|bind).*")) {
          finish();
        }
        bare.setLength(0);
        brackets = 0;
      } else if (c == ';' && brackets == 0 && atomic == 0) {
        at++;
        finish();
        bare.setLength(0);
      } else {
        brackets += c == '(' ? 1 : c == ')' && brackets > 0 ? -1 : 0;
        bare.append(c);
        take(at + 1);
        String soFar = bare.toString();
        if (soFar.matches("(?is).*\\bbegin\\s+atomic\\s")) {
          atomic++;
        } else if (atomic > 0 && soFar.matches("(?is).*\\bcase\\s")) {
          atomic++;
        } else if (atomic > 0
            && at < text.length()
            && !Character.isLetterOrDigit(text.charAt(at))
            && soFar.matches("(?is).*\\bend")) {
          atomic--;
        }
      }
    }
    finish();
  }

  private void take(int end) {
    statement.append(text, at, end);
    at = end;
  }

  private int endOfComment() {
    int depth = 0;
    int i = at;
    while (i < text.length()) {
      if (text.startsWith("/*", i)) {
        depth++;
        i += 2;
      } else if (text.startsWith("*/", i)) {
        depth--;
        i += 2;
        if (depth == 0) {
          return i;
        }
      } else {
        i++;
      }
    }
    return i;
  }

  private int endOfQuote(char quote, boolean escapes) {
    int i = at + 1;
    while (i < text.length()) {
      if (text.charAt(i) == '\\' && escapes) {
        i += 2;
      } else if (text.charAt(i) == quote) {
        return i + 1;
      } else {
        i++;
      }
    }
    return i;
  }

  private String dollar() {
    Matcher matcher = DOLLAR.matcher(text);
    matcher.region(at, text.length());
    boolean insideOfAWord =
        at > 0 && (Character.isLetterOrDigit(text.charAt(at - 1)) || text.charAt(at - 1) == '_');
    return !insideOfAWord && matcher.lookingAt() ? matcher.group() : null;
  }

  private boolean isVariable() {
    Matcher matcher = VARIABLE.matcher(text);
    matcher.region(at, text.length()).useTransparentBounds(true);
    return matcher.lookingAt();
  }

  private void finish() {
    String sql = statement.toString().strip();
    String bare = withoutComments(sql);
    boolean isIncomplete = needsVariable;
    statement = new StringBuilder();
    needsVariable = false;
    if (COPY_IN.matcher(bare).matches()) {
      leftOut.merge("COPY FROM STDIN, whose data psql would send", 1, Integer::sum);
      skipData();
      return;
    }
    if (isIncomplete) {
      leftOut.merge("it needs a variable of psql's", 1, Integer::sum);
    } else if (!bare.isBlank()) {
      statements.add(sql);
    }
  }

  /** What follows is data up to a full stop, unless statements come first: that COPY fails. */
  private void skipData() {
    int end = text.indexOf("\n\\.", at);
    if (end >= 0 && !STATEMENT_ENDS.matcher(text.substring(at, end)).find()) {
      int line = text.indexOf('\n', end + 1);
      at = line < 0 ? text.length() : line;
    }
  }

  private static String withoutComments(String sql) {
    return sql.replaceAll("(?s)/\\*.*?\\*/|--[^\\n]*", "");
  }
}
