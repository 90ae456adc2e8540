package dev.waymark.routing;

import dev.waymark.routing.SqlCatalogue.FunctionRow;
import dev.waymark.routing.SqlCatalogue.Volatility;
import dev.waymark.routing.SqlTree.Expression;
import dev.waymark.routing.SqlTree.Statement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Decides how a write is done on several shards at once, if what all of them do together is exactly
 * what one server with all rows would do. Everything else is refused with the reason. One instance
 * looks at one statement.
 */
final class SpreadWrites {
  private final Statement statement;
  private final List<SqlToken> tokens;
  private final String sql;
  private final TableNames tables;
  private final SqlCatalogue catalogue;
  private final SqlScanner.Markers markers;

  SpreadWrites(
      Statement statement,
      List<SqlToken> tokens,
      String sql,
      TableNames tables,
      SqlCatalogue catalogue,
      SqlScanner.Markers markers) {
    this.statement = statement;
    this.tokens = tokens;
    this.sql = sql;
    this.tables = tables;
    this.catalogue = catalogue;
    this.markers = markers;
  }

  /** The way, or why there is none: exactly one of the two. */
  record Answer(@Nullable SpreadWrite write, @Nullable Refusal refusal) {
    private static Answer no(String reason) {
      return new Answer(
          null,
          new Refusal(
              SqlCode.WRITES_ON_SEVERAL_SHARDS,
              "On several shards this cannot be written exactly: " + reason));
    }
  }

  Answer answer() {
    if (tokens.stream().anyMatch(token -> token.is("returning"))) {
      return Answer.no("RETURNING is answered by one shard only");
    }
    Confinement confinement = Confinement.of(statement, tables);
    if (confinement.refusal() != null) {
      return new Answer(null, confinement.refusal());
    }
    if (statement instanceof SqlTree.Insert insert && insert.ctes().isEmpty()) {
      return isBroadcast(insert.target()) ? everywhere(confinement) : rows(insert);
    } else if (statement instanceof SqlTree.Update update && update.ctes().isEmpty()) {
      return isBroadcast(update.target())
          ? everywhere(confinement)
          : byKey(confinement, update.target());
    } else if (statement instanceof SqlTree.Delete delete && delete.ctes().isEmpty()) {
      return isBroadcast(delete.target())
          ? everywhere(confinement)
          : byKey(confinement, delete.target());
    }
    return Answer.no("it is no INSERT, UPDATE or DELETE without WITH");
  }

  private boolean isBroadcast(SqlTree.Relation target) {
    return tables.of(target.name()) instanceof TableNames.Meaning.Broadcast;
  }

  private Answer everywhere(Confinement confinement) {
    if (confinement.isSharded()) {
      return Answer.no("a broadcast table would get different rows on each shard");
    }
    String[] own = new String[1];
    SqlWalk.over(
        statement,
        part -> {
          if (part instanceof SqlTree.Call call) {
            List<FunctionRow> functions = catalogue.functions(call.name());
            if (functions.isEmpty()
                || functions.stream()
                    .anyMatch(function -> function.volatility() == Volatility.VOLATILE)) {
              own[0] = String.join(".", call.name());
            }
          }
        });
    return own[0] != null
        ? Answer.no(own[0] + " gives each shard a value of its own")
        : new Answer(new SpreadWrite.Everywhere(), null);
  }

  /** Whatever else stands in it must be tied to the key of the row that is written. */
  private Answer byKey(Confinement confinement, SqlTree.Relation target) {
    if (Confinement.assuming(statement, tables, target.reference()).loose() != null) {
      return Answer.no("its tables are not tied to the key of the row that is written");
    }
    return new Answer(
        new SpreadWrite.ByKey(
            confinement.loose() == null ? confinement.keys() : new KeySource.EveryShard()),
        null);
  }

  private Answer rows(SqlTree.Insert insert) {
    boolean[] hasQuery = new boolean[1];
    SqlWalk.over(statement, part -> hasQuery[0] |= part instanceof SqlTree.Sub);
    if (hasQuery[0]
        || insert.rows() == null
        || !(insert.rows().body() instanceof SqlTree.Rows values)
        || !(tables.of(insert.target().name()) instanceof TableNames.Meaning.Sharded sharded)) {
      return Answer.no("only rows that are given one by one are told apart by their keys");
    }
    List<String> columns =
        insert.columns().isEmpty() ? tables.columns(insert.target().name()) : insert.columns();
    int position = columns == null ? -1 : columns.indexOf(sharded.table().keyColumn());
    List<int[]> places = places();
    if (position < 0 || places.size() != values.rows().size()) {
      return Answer.no("its rows and their keys cannot be told apart");
    }
    List<SpreadWrite.Row> rows = new ArrayList<>();
    for (int i = 0; i < places.size(); i++) {
      List<Expression> row = values.rows().get(i);
      KeyTerm key = position < row.size() ? Confinement.term(row.get(position)) : null;
      if (key == null) {
        return Answer.no("a row's key is no parameter and no constant");
      }
      rows.add(
          new SpreadWrite.Row(
              text(places.get(i)[0], places.get(i)[1]),
              key,
              parameters(places.get(i)[0], places.get(i)[1])));
    }
    int first = places.get(0)[0];
    int end = places.get(places.size() - 1)[1];
    return new Answer(
        new SpreadWrite.Rows(
            text(0, first),
            rows,
            end == tokens.size() ? "" : text(end, tokens.size()),
            parameters(0, first),
            parameters(end, tokens.size())),
        null);
  }

  /** The brackets of each row behind VALUES. */
  private List<int[]> places() {
    List<int[]> places = new ArrayList<>();
    int depth = 0;
    int at = 0;
    while (at < tokens.size() && !(depth == 0 && tokens.get(at).is("values"))) {
      depth += tokens.get(at).isSign("(") ? 1 : tokens.get(at).isSign(")") ? -1 : 0;
      at++;
    }
    at++;
    while (at < tokens.size() && tokens.get(at).isSign("(")) {
      int first = at;
      do {
        depth += tokens.get(at).isSign("(") ? 1 : tokens.get(at).isSign(")") ? -1 : 0;
        at++;
      } while (depth > 0 && at < tokens.size());
      places.add(new int[] {first, at});
      if (at < tokens.size() && tokens.get(at).isSign(",")) {
        at++;
      } else {
        break;
      }
    }
    return places;
  }

  private String text(int first, int end) {
    return sql.substring(tokens.get(first).start(), tokens.get(end - 1).end());
  }

  private List<Integer> parameters(int first, int end) {
    List<Integer> numbers = new ArrayList<>();
    for (int i = first; i < end && markers == SqlScanner.Markers.JDBC; i++) {
      if (tokens.get(i).kind() == SqlToken.Kind.PARAMETER) {
        numbers.add(Integer.parseInt(tokens.get(i).text()));
      }
    }
    return numbers;
  }
}
