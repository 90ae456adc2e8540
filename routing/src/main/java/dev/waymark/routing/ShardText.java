package dev.waymark.routing;

import dev.waymark.routing.Merged.Role;
import dev.waymark.routing.SqlScanner.Markers;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.LongPredicate;

/**
 * What each shard is asked so that the answers can be merged. The text stays as it is, but for two
 * things: where rows are skipped, a shard must send the skipped ones as well, as they may be
 * another's; and beside an average it must tell sum and count, in columns behind all others. An
 * immutable value.
 *
 * @param sql the text, which ends before LIMIT and OFFSET if the shards get another LIMIT
 * @param bound what replaces the text's own LIMIT and OFFSET
 * @param sources for each parameter of the new text the number of the old one
 * @param keyLists the lists of keys in it, of which a shard need be asked for its own only
 * @param averages for each column that is an average the columns with its sum and count, counted
 *     from 1; zeros for the others; empty if there is no average
 */
record ShardText(
    String sql,
    Bound bound,
    List<Integer> sources,
    List<Average> averages,
    List<KeyList> keyLists) {
  /** What becomes of LIMIT and OFFSET. */
  enum Bound {
    /** They are in the text, or there are none. */
    OWN,
    /** The rows to skip are added to LIMIT, which comes behind the text. */
    WIDENED
  }

  /** Where the parts of an average are. */
  record Average(int column, int sum, int count) {}

  /**
   * {@code IN (?, ?, …)} of keys.
   *
   * @param from where its first element begins in the text
   * @param to behind its last one
   * @param first its first parameter, counted from 0
   * @param count how many it has
   */
  record KeyList(int from, int to, int first, int count) {}

  /** Beyond so many keys the text would hardly come twice, and the server prepare it each time. */
  private static final int LONGEST_LIST = 32;

  /** Copies. */
  ShardText {
    sources = List.copyOf(sources);
    averages = List.copyOf(averages);
    keyLists = List.copyOf(keyLists);
  }

  private static final Set<String> TAILS = Set.of("limit", "offset", "fetch");

  /**
   * The text for the shards.
   *
   * @throws UnreadableSqlException if the places to change are not found: the text was planned, so
   *     that is a fault of ours
   */
  static ShardText of(String sql, Merged merged, Markers markers, SqlScanner.Backslash backslash) {
    List<SqlToken> tokens = SqlScanner.scan(sql, markers, backslash).statements().get(0);
    Rewriting rewriting = new Rewriting(sql, merged, markers, tokens);
    return merged.columns().contains(Role.AVERAGE) || merged.offset() != null
        ? rewriting.changed()
        : rewriting.unchanged();
  }

  /**
   * The same with its lists of keys found.
   *
   * @param keys where the plan has keys from: a list that holds one of these parameters confines a
   *     table, so it stands where only rows for which it is true get through; and each question
   *     mark stands in one place
   */
  ShardText withKeyLists(KeySource keys, Markers markers, SqlScanner.Backslash backslash) {
    if (markers == Markers.NONE || !(keys instanceof KeySource.Keys found)) {
      return this;
    }
    List<SqlToken> tokens = SqlScanner.scan(sql, markers, backslash).tokens();
    List<KeyList> lists = new ArrayList<>();
    int parameters = 0;
    for (int i = 0; i < tokens.size(); i++) {
      if (tokens.get(i).kind() == SqlToken.Kind.PARAMETER) {
        parameters++;
      } else if (tokens.get(i).is("in") && i + 2 < tokens.size() && tokens.get(i + 1).isSign("(")) {
        int end = i + 2;
        int count = 0;
        while (end + 1 < tokens.size()
            && tokens.get(end).kind() == SqlToken.Kind.PARAMETER
            && found.terms().contains(new KeyTerm.InParameter(sources.get(parameters + count)))
            && (tokens.get(end + 1).isSign(",") || tokens.get(end + 1).isSign(")"))) {
          count++;
          end += 2;
          if (tokens.get(end - 1).isSign(")")) {
            break;
          }
        }
        if (count > 1 && count <= LONGEST_LIST && tokens.get(end - 1).isSign(")")) {
          lists.add(
              new KeyList(tokens.get(i + 2).start(), tokens.get(end - 2).end(), parameters, count));
        }
      }
    }
    return new ShardText(sql, bound, sources, averages, lists);
  }

  /**
   * What one shard is asked: its own keys of each list, if it has any there. The others' match no
   * row of it.
   *
   * @param isOwn whether a key may be the shard's
   */
  ShardText forShard(BoundValues values, LongPredicate isOwn) {
    if (keyLists.isEmpty()) {
      return this;
    }
    StringBuilder text = new StringBuilder(sql.length());
    List<Integer> left = new ArrayList<>(sources.size());
    int at = 0;
    int parameter = 0;
    for (KeyList list : keyLists) {
      List<Integer> own = new ArrayList<>(list.count());
      for (int number : sources.subList(list.first(), list.first() + list.count())) {
        if (KeyTerm.keys(new KeyTerm.InParameter(number), values).stream().anyMatch(isOwn::test)) {
          own.add(number);
        }
      }
      left.addAll(sources.subList(parameter, list.first()));
      parameter = list.first() + list.count();
      if (own.isEmpty()) {
        left.addAll(sources.subList(list.first(), parameter));
        continue;
      }
      left.addAll(own);
      text.append(sql, at, list.from()).append('?');
      text.append(", ?".repeat(own.size() - 1));
      at = list.to();
    }
    left.addAll(sources.subList(parameter, sources.size()));
    text.append(sql, at, sql.length());
    return new ShardText(text.toString(), bound, left, averages, List.of());
  }

  /** Binds the old text's values to the new one's parameters. */
  void bind(PreparedStatement statement, BoundValues values) throws SQLException {
    for (int i = 0; i < sources.size(); i++) {
      values.set(statement, sources.get(i), i + 1);
    }
  }

  /** One text with its tokens. */
  private static final class Rewriting {
    private final String sql;
    private final Merged merged;
    private final Markers markers;
    private final List<SqlToken> tokens;

    Rewriting(String sql, Merged merged, Markers markers, List<SqlToken> tokens) {
      this.sql = sql;
      this.merged = merged;
      this.markers = markers;
      this.tokens = tokens;
    }

    /** Without a semicolon or a comment behind it, so that it can stand in brackets. */
    ShardText unchanged() {
      List<Integer> sources = new ArrayList<>();
      parameters(sources, 0, tokens.size());
      return new ShardText(
          sql.substring(0, endOf(tokens.size())), Bound.OWN, sources, List.of(), List.of());
    }

    ShardText changed() {
      boolean isWidened = merged.offset() != null;
      int end = isWidened ? tail() : tokens.size();
      StringBuilder text = new StringBuilder();
      List<Average> averages = new ArrayList<>();
      List<Integer> sources = new ArrayList<>();
      int from = from();
      // Behind the last item, so that a comment to the end of its line swallows nothing.
      text.append(sql, 0, tokens.get(from - 1).end());
      parameters(sources, 0, from);
      List<int[]> items = items(from);
      int next = items.size();
      for (int i = 0; i < merged.columns().size(); i++) {
        if (merged.columns().get(i) == Role.AVERAGE) {
          int[] arguments = arguments(items.get(i));
          String what =
              sql.substring(tokens.get(arguments[0]).start(), tokens.get(arguments[1] - 1).end());
          text.append(", pg_catalog.sum(").append(what).append(") AS waymark_sum_").append(i + 1);
          parameters(sources, arguments[0], arguments[1]);
          text.append(", pg_catalog.count(")
              .append(what)
              .append(") AS waymark_count_")
              .append(i + 1);
          parameters(sources, arguments[0], arguments[1]);
          averages.add(new Average(i + 1, next + 1, next + 2));
          next += 2;
        }
      }
      text.append(' ').append(sql, tokens.get(from).start(), endOf(end));
      parameters(sources, from, end);
      return new ShardText(
          text.toString(), isWidened ? Bound.WIDENED : Bound.OWN, sources, averages, List.of());
    }

    private int endOf(int token) {
      return tokens.get(token - 1).end();
    }

    private void parameters(List<Integer> sources, int first, int end) {
      for (int i = first; i < end; i++) {
        if (markers == Markers.JDBC && tokens.get(i).kind() == SqlToken.Kind.PARAMETER) {
          sources.add(Integer.parseInt(tokens.get(i).text()));
        }
      }
    }

    /** The first token of FROM, outside of all brackets. */
    private int from() {
      int depth = 0;
      for (int i = 1; i < tokens.size(); i++) {
        depth += deeper(tokens.get(i));
        if (depth == 0
            && tokens.get(i).is("from")
            && !isLabel(i)
            // IS DISTINCT FROM
            && !tokens.get(i - 1).is("distinct")) {
          return i;
        }
      }
      throw new UnreadableSqlException("it has no FROM");
    }

    /** The first token of what cuts the rows, behind FROM and outside of all brackets. */
    private int tail() {
      int depth = 0;
      for (int i = from(); i < tokens.size(); i++) {
        depth += deeper(tokens.get(i));
        if (depth == 0
            && tokens.get(i).kind() == SqlToken.Kind.WORD
            && TAILS.contains(tokens.get(i).text())
            && !isLabel(i)) {
          return i;
        }
      }
      throw new UnreadableSqlException("it has no LIMIT and no OFFSET");
    }

    /** These words are reserved, but for a label or a field. */
    private boolean isLabel(int i) {
      return tokens.get(i - 1).is("as") || tokens.get(i - 1).isSign(".");
    }

    private static int deeper(SqlToken token) {
      if (token.isSign("(") || token.isSign("[")) {
        return 1;
      }
      return token.isSign(")") || token.isSign("]") ? -1 : 0;
    }

    /** The first token of each item, and the one behind its last. */
    private List<int[]> items(int from) {
      List<int[]> items = new ArrayList<>();
      int first = 1;
      if (tokens.get(1).is("all") || tokens.get(1).is("distinct")) {
        first = 2;
      }
      int depth = 0;
      for (int i = first; i <= from; i++) {
        if (i == from || depth == 0 && tokens.get(i).isSign(",")) {
          items.add(new int[] {first, i});
          first = i + 1;
        } else {
          depth += deeper(tokens.get(i));
        }
      }
      if (!merged.columns().isEmpty() && items.size() != merged.columns().size()) {
        throw new UnreadableSqlException("its columns cannot be told apart");
      }
      return items;
    }

    /** What stands in the brackets of a call. */
    private int[] arguments(int[] item) {
      int open = item[0];
      while (!tokens.get(open).isSign("(")) {
        open++;
      }
      int depth = 0;
      for (int i = open; i < item[1]; i++) {
        depth += deeper(tokens.get(i));
        if (depth == 0) {
          return new int[] {open + 1, i};
        }
      }
      throw new UnreadableSqlException("a call does not end");
    }
  }
}
