package dev.waymark.routing;

import dev.waymark.routing.SqlToken.Kind;
import dev.waymark.routing.SqlTree.Block;
import dev.waymark.routing.SqlTree.Column;
import dev.waymark.routing.SqlTree.Columns;
import dev.waymark.routing.SqlTree.Compare;
import dev.waymark.routing.SqlTree.Expression;
import dev.waymark.routing.SqlTree.Item;
import dev.waymark.routing.SqlTree.Parameter;
import dev.waymark.routing.SqlTree.Query;
import dev.waymark.routing.SqlTree.Relation;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads one form only, {@code SELECT a, b FROM t WHERE c = ?} of plain names, without the grammar:
 * that takes most of a second of CPU when a process reads its first statement, and this form is
 * what a service that just started is asked for. Everything else is {@link SqlReader}'s, and what
 * is read here is read by it to the same tree.
 */
final class PlainSelect {
  /**
   * PostgreSQL's keywords that are more than a name wherever a column or table stands: reserved
   * ones, and, to be on the safe side, all that are reserved in some places.
   */
  private static final Set<String> NOT_PLAIN =
      Set.of(
          """
          all analyse analyze and any array as asc asymmetric both case cast check collate column
          constraint create current_catalog current_date current_role current_time
          current_timestamp current_user default deferrable desc distinct do else end except false
          fetch for foreign from grant group having in initially intersect into lateral leading
          limit localtime localtimestamp not null offset on only or order placing primary references
          returning select session_user some symmetric system_user table then to trailing true union
          unique user using variadic when where window with

          authorization binary collation concurrently cross current_schema freeze full ilike inner
          is isnull join left like natural notnull outer overlaps right similar tablesample verbose

          between bigint bit boolean char character coalesce dec decimal exists extract float
          greatest grouping inout int integer interval json json_array json_arrayagg json_exists
          json_object json_objectagg json_query json_scalar json_serialize json_table json_value
          least merge_action national nchar none normalize nullif numeric out overlay position
          precision real row setof smallint substring time timestamp treat trim values varchar
          xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi
          xmlroot xmlserialize xmltable
          """
              .strip()
              .split("\\s+"));

  private final List<SqlToken> tokens;
  private int at;

  private PlainSelect(List<SqlToken> tokens) {
    this.tokens = tokens;
  }

  /** The query, or null if it is of another form. */
  static @Nullable Query read(List<SqlToken> statement) {
    return new PlainSelect(statement).query();
  }

  private @Nullable Query query() {
    if (!word("select")) {
      return null;
    }
    List<Item> items = new ArrayList<>();
    do {
      String column = name();
      if (column == null) {
        return null;
      }
      items.add(new Item(new Column(List.of(column)), null));
    } while (sign(","));
    String table = word("from") ? name() : null;
    String key = table != null && word("where") ? name() : null;
    if (table == null || key == null || !sign("=") || at != tokens.size() - 1) {
      return null;
    }
    SqlToken value = tokens.get(at);
    if (value.kind() != Kind.PARAMETER) {
      return null;
    }
    Expression where =
        new Compare("=", new Column(List.of(key)), new Parameter(Integer.parseInt(value.text())));
    Block block =
        new Block(
            List.of(),
            items,
            List.of(new Relation(List.of(table), null, Columns.OWN)),
            where,
            List.of(),
            null,
            List.of());
    return new Query(List.of(), block, List.of(), null, null, List.of());
  }

  private boolean word(String word) {
    return at < tokens.size() && tokens.get(at).is(word) && at++ >= 0;
  }

  private boolean sign(String sign) {
    return at < tokens.size() && tokens.get(at).isSign(sign) && at++ >= 0;
  }

  private @Nullable String name() {
    if (at >= tokens.size()
        || tokens.get(at).kind() != Kind.WORD
        || NOT_PLAIN.contains(tokens.get(at).text())) {
      return null;
    }
    return tokens.get(at++).text();
  }
}
