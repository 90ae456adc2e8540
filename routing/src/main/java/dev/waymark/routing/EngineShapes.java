package dev.waymark.routing;

import dev.waymark.routing.Confinement.Place;
import dev.waymark.routing.SqlCatalogue.FunctionRow;
import dev.waymark.routing.SqlCatalogue.Use;
import dev.waymark.routing.SqlTree.Block;
import dev.waymark.routing.SqlTree.Body;
import dev.waymark.routing.SqlTree.Call;
import dev.waymark.routing.SqlTree.Column;
import dev.waymark.routing.SqlTree.Constant;
import dev.waymark.routing.SqlTree.Expression;
import dev.waymark.routing.SqlTree.Item;
import dev.waymark.routing.SqlTree.Query;
import dev.waymark.routing.SqlTree.Statement;
import dev.waymark.routing.SqlTree.Trait;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Decides which queries over several shards, among those that are not merged here, ShardingSphere
 * answers exactly. What is admitted is what the differential test has shown, written down as
 * narrowly: it reads the text by a grammar of its own, so everything that the two might understand
 * differently is left out. A pure function.
 */
final class EngineShapes {
  /** Words after which a call is not what it looks like, or rows are cut in another way. */
  private static final Set<String> STRANGE =
      Set.of(
          "filter", "within", "over", "window", "fetch", "intersect", "except", "having", "only");

  private static final Pattern PLAIN_NAME = Pattern.compile("[a-z_][a-z0-9_]*");

  private static final Set<String> TOTALS = Set.of("count", "sum", "min", "max");

  private final Query query;
  private final List<SqlToken> tokens;

  /** The query without its comments. */
  private final String text;

  private final TableNames tables;
  private final SqlCatalogue catalogue;

  private EngineShapes(
      Query query, List<SqlToken> tokens, String sql, TableNames tables, SqlCatalogue catalogue) {
    this.query = query;
    this.tokens = tokens;
    this.text = withoutComments(tokens, sql);
    this.tables = tables;
    this.catalogue = catalogue;
  }

  /** How a query is left to an engine; null if it must not be. */
  static @Nullable Delegated of(
      Statement statement,
      List<SqlToken> tokens,
      String sql,
      TableNames tables,
      SqlCatalogue catalogue) {
    if (!(statement instanceof Query query)) {
      return null;
    }
    EngineShapes shapes = new EngineShapes(query, tokens, sql, tables, catalogue);
    return shapes.isExact()
        ? new Delegated(
            shapes.text, query.limit(), query.offset(), tables.columns(), shapes.conditions())
        : null;
  }

  /** Spaces are kept, as texts of expressions are compared with each other. */
  private static String withoutComments(List<SqlToken> tokens, String sql) {
    StringBuilder text = new StringBuilder();
    int end = tokens.get(0).start();
    for (SqlToken token : tokens) {
      String between = sql.substring(end, token.start());
      text.append(between.isBlank() ? between : " ").append(sql, token.start(), token.end());
      end = token.end();
    }
    return text.toString();
  }

  /** An engine may go by all of them at once, and ask fewer shards than the plan would. */
  private List<KeySource.Keys> conditions() {
    List<KeySource.Keys> found = new ArrayList<>();
    if (query.body() instanceof Block block
        && block.where() instanceof SqlTree.Logic all
        && all.connective() == SqlTree.Logic.Connective.AND) {
      for (Expression condition : all.parts()) {
        Block alone =
            new Block(
                block.traits(),
                block.items(),
                block.from(),
                condition,
                block.groups(),
                block.having(),
                block.windows());
        Confinement by =
            Confinement.of(new Query(List.of(), alone, List.of(), null, null, List.of()), tables);
        if (by.loose() == null) {
          found.add(by.keys());
        }
      }
    }
    return found;
  }

  private boolean isExact() {
    return query.ctes().isEmpty()
        && query.tails().isEmpty()
        && isPlain(query.limit())
        && isPlain(query.offset())
        && isPlainText()
        && (query.body() instanceof Block block ? isExact(block) : isUnion());
  }

  private static boolean isPlain(@Nullable Expression bound) {
    return bound == null
        || bound instanceof SqlTree.Parameter
        || bound instanceof Constant constant && constant.kind() == Constant.Kind.INTEGER;
  }

  /** Nothing that another grammar might cut or fold in another way. */
  private boolean isPlainText() {
    // It finds hints for itself wherever they stand, and names of its own for what it adds.
    String folded = text.toLowerCase(Locale.ROOT);
    if (folded.contains("shardingsphere") || folded.contains("_derived_")) {
      return false;
    }
    for (SqlToken token : tokens) {
      boolean isStrange =
          switch (token.kind()) {
            case QUOTED, BITS -> true;
            // ShardingSphere ignores case where the server does not: beyond ASCII.
            case WORD ->
                STRANGE.contains(token.text()) || token.text().chars().anyMatch(c -> c > 127);
            // Quotes and backslashes within, and notations other than the plain one.
            case STRING ->
                token.end() - token.start() != token.text().length() + 2
                    || token.text().indexOf('\\') >= 0;
            case OPERATOR -> token.text().indexOf('?') >= 0;
            case INTEGER, NUMBER, PARAMETER, PUNCTUATION -> false;
          };
      if (isStrange) {
        return false;
      }
    }
    return true;
  }

  // ---- UNION ALL ------------------------------------------------------------------------------

  private boolean isUnion() {
    for (int i = 0; i < tokens.size(); i++) {
      if (tokens.get(i).is("union") && !(i + 1 < tokens.size() && tokens.get(i + 1).is("all"))) {
        return false;
      }
    }
    List<Block> branches = new ArrayList<>();
    if (!isOfBlocks(query.body(), branches) || branches.size() < 2) {
      return false;
    }
    for (Block branch : branches) {
      if (!branch.traits().isEmpty()
          || !isSimple(branch)
          || !branch.items().stream().allMatch(item -> item.value() instanceof Column)
          || !isAnchored(branch)
          || !areNamesPlain(branch)) {
        return false;
      }
    }
    return hasLabels(branches.get(0)) && isSortedByShown(branches.get(0).items());
  }

  private static boolean isOfBlocks(Body body, List<Block> found) {
    if (body instanceof Block block) {
      return found.add(block);
    }
    return body instanceof SqlTree.Combined combined
        && isOfBlocks(combined.left(), found)
        && isOfBlocks(combined.right(), found);
  }

  // ---- one block ------------------------------------------------------------------------------

  private boolean isExact(Block block) {
    if (!isSimple(block) || !isAnchored(block) || !hasLabels(block) || !areNamesPlain(block)) {
      return false;
    }
    List<Trait> traits = block.traits();
    if (traits.equals(List.of(Trait.DISTINCT))) {
      // Without an order ShardingSphere adds one, and behind a join at a wrong place.
      return isOfColumns(block)
          && isSortedByShown(block.items())
          && (!query.order().isEmpty() || isOfOneTable(block));
    } else if (traits.isEmpty() && isOfColumns(block)) {
      return !query.order().isEmpty()
          && query.order().stream()
              .allMatch(
                  sort -> isShown(sort.value(), block.items()) || sort.value() instanceof Column);
    } else if (traits.isEmpty() || traits.equals(List.of(Trait.GROUPED))) {
      return isOfTotals(block);
    }
    return false;
  }

  private static boolean isOfOneTable(Block block) {
    return block.from().size() == 1 && block.from().get(0) instanceof SqlTree.Relation;
  }

  private static boolean isOfColumns(Block block) {
    return block.items().stream().allMatch(item -> item.value() instanceof Column);
  }

  private boolean isOfTotals(Block block) {
    List<Item> totals =
        block.items().stream().filter(item -> !(item.value() instanceof Column)).toList();
    boolean isDistinct = false;
    for (Item total : totals) {
      if (!(total.value() instanceof Call call)
          || call.name().size() != 1
          || !isBuiltIn(call)
          || call.parts().size() > 1
          || !call.parts().stream()
              .allMatch(part -> part instanceof Column || part instanceof SqlTree.Star)) {
        return false;
      }
      if (call.manner() == Call.Manner.AGGREGATING) {
        isDistinct = true;
      }
    }
    if (isDistinct && !(totals.size() == 1 && isDistinctCount())) {
      return false;
    }
    for (Expression group : block.groups()) {
      boolean isShown = isShownGroup(group, block.items());
      if (!(group instanceof Column) && !isShown || isDistinct && !isShown) {
        return false;
      }
    }
    boolean isGrouped = block.traits().contains(Trait.GROUPED);
    return !totals.isEmpty()
        && !cutsGroups(block, isDistinct)
        && (isGrouped && !block.groups().isEmpty()
            || totals.size() == block.items().size()
                && query.order().isEmpty()
                && query.limit() == null
                && query.offset() == null)
        && isSortedByShown(block.items());
  }

  /**
   * Each shard would be asked for its own first groups, on which others count: ShardingSphere does
   * that where it takes the order for that of the groups, and it compares by direction and place
   * only. What is counted distinct is asked for as pairs, which even in the groups' order must not
   * be cut.
   */
  private boolean cutsGroups(Block block, boolean isDistinct) {
    boolean isAlike =
        query.order().isEmpty()
            ? isDistinct
            : query.order().size() == block.groups().size()
                && query.order().stream()
                    .allMatch(sort -> sort.direction() == SqlTree.Sort.Direction.ASCENDING);
    return query.limit() != null && isAlike;
  }

  private boolean isBuiltIn(Call call) {
    return TOTALS.contains(call.name().get(0))
        && (call.manner() == Call.Manner.PLAIN || call.manner() == Call.Manner.AGGREGATING)
        && catalogue.functions(call.name()).stream()
            .allMatch(function -> function.schema().equals("pg_catalog"));
  }

  /** The one aggregate of the text is {@code count(DISTINCT column)}, and nothing besides. */
  private boolean isDistinctCount() {
    for (int i = 0; i + 3 < tokens.size(); i++) {
      if (tokens.get(i).is("count")
          && tokens.get(i + 1).isSign("(")
          && tokens.get(i + 2).is("distinct")) {
        int end = i + 4;
        if (end + 1 < tokens.size() && tokens.get(end).isSign(".")) {
          end += 2;
        }
        return end < tokens.size() && tokens.get(end).isSign(")");
      }
    }
    return false;
  }

  /** Names of columns that are told apart by all who look for them by name. */
  private static boolean hasLabels(Block block) {
    Set<String> labels = new HashSet<>();
    return block.items().stream().map(EngineShapes::label).allMatch(labels::add);
  }

  private static String label(Item item) {
    if (item.alias() != null) {
      return item.alias();
    }
    return item.value() instanceof Column column
        ? last(column)
        : item.value() instanceof Call call ? call.name().get(call.name().size() - 1) : "";
  }

  /** What stands for a column, and is no other column's name. */
  private static boolean isOwnName(Item item) {
    return item.value() instanceof Column column && last(column).equals(label(item));
  }

  private static String last(Column column) {
    return column.path().get(column.path().size() - 1);
  }

  /**
   * No label is the name of a column besides: ShardingSphere takes a name in ORDER BY and GROUP BY
   * for the first column of the result that has it in any way, as its label or as its name.
   */
  private boolean areNamesPlain(Block block) {
    Set<String> names = new HashSet<>();
    Stream.concat(block.items().stream().map(Item::value), block.groups().stream())
        .flatMap(Expression::all)
        .forEach(
            part -> {
              if (part instanceof Column column) {
                names.add(last(column));
              }
            });
    for (SqlTree.Source source : block.from()) {
      if (!addColumns(source, names)) {
        return false;
      }
    }
    return block.items().stream().allMatch(item -> isOwnName(item) || !names.contains(label(item)));
  }

  /** False if they are not known. */
  private boolean addColumns(SqlTree.Source source, Set<String> names) {
    if (source instanceof SqlTree.Join join) {
      return addColumns(join.left(), names) && addColumns(join.right(), names);
    }
    List<String> columns =
        source instanceof SqlTree.Relation relation ? tables.columns(relation.name()) : null;
    if (columns != null) {
      names.addAll(columns);
    }
    return columns != null;
  }

  /** A group is a column of the tables first, and only then what the result calls so. */
  private static boolean isShownGroup(Expression group, List<Item> items) {
    return group instanceof Column
        ? items.stream().anyMatch(item -> item.value().equals(group))
        : isShown(group, items)
            && items.get(Integer.parseInt(((Constant) group).text()) - 1).value() instanceof Column;
  }

  private boolean isSortedByShown(List<Item> items) {
    return query.order().stream().allMatch(sort -> isShown(sort.value(), items));
  }

  private static boolean isShown(Expression value, List<Item> items) {
    if (value instanceof Constant constant) {
      return constant.kind() == Constant.Kind.INTEGER
          && constant.text().length() < 4
          && Integer.parseInt(constant.text()) >= 1
          && Integer.parseInt(constant.text()) <= items.size();
    }
    return value instanceof Column column
        && items.stream()
            .anyMatch(
                item ->
                    item.value().equals(column)
                        // What a total is called without an alias, ShardingSphere does not know.
                        || (item.alias() != null || item.value() instanceof Column)
                            && column.path().size() == 1
                            && last(column).equals(label(item)));
  }

  /** Tables joined by conditions, and a condition, without queries inside. */
  private boolean isSimple(Block block) {
    List<Expression> parts = new ArrayList<>();
    for (Item item : block.items()) {
      parts.addAll(item.value() instanceof Column ? List.of(item.value()) : item.value().parts());
    }
    if (block.where() != null) {
      parts.add(block.where());
    }
    return block.having() == null
        && block.windows().isEmpty()
        && !block.from().isEmpty()
        && block.from().stream().allMatch(source -> isSimple(source, parts))
        && parts.stream().flatMap(Expression::all).allMatch(this::isSimple)
        && block.items().stream().noneMatch(item -> item.value() instanceof SqlTree.Star);
  }

  private boolean isSimple(SqlTree.Source source, List<Expression> conditions) {
    if (source instanceof SqlTree.Relation relation) {
      return relation.name().size() == 1
          && relation.columns() == SqlTree.Columns.OWN
          && isKnown(relation.name().get(0));
    } else if (source instanceof SqlTree.Join join && join.on() != null) {
      conditions.add(join.on());
      return (join.side() == SqlTree.Side.INNER || join.side() == SqlTree.Side.LEFT)
          && join.using().isEmpty()
          && isSimple(join.left(), conditions)
          && isSimple(join.right(), conditions);
    }
    return false;
  }

  /**
   * A table that the map calls by the name that the query does, as ShardingSphere knows it by that
   * alone. It takes names for expressions as well, so they have nothing but letters, digits and
   * underscores.
   */
  private boolean isKnown(String name) {
    TableNames.Meaning meaning = tables.of(List.of(name));
    if (meaning instanceof TableNames.Meaning.Sharded sharded) {
      return isPlain(name)
          && sharded.table().name().equals(name)
          && isPlain(sharded.table().keyColumn());
    }
    return meaning instanceof TableNames.Meaning.Broadcast broadcast
        && isPlain(name)
        && broadcast.name().equals(name);
  }

  private static boolean isPlain(String name) {
    return PLAIN_NAME.matcher(name).matches();
  }

  private boolean isSimple(Expression expression) {
    if (expression instanceof Column column) {
      return column.path().size() <= 2;
    } else if (expression instanceof Call call) {
      List<FunctionRow> functions = catalogue.functions(call.name());
      return call.manner() == Call.Manner.PLAIN
          && !functions.isEmpty()
          && functions.stream().allMatch(function -> function.use() == Use.ROW);
    }
    return !(expression instanceof SqlTree.Sub) && !(expression instanceof SqlTree.Default);
  }

  /** Every row of the result has its rows on one shard. */
  private boolean isAnchored(Block block) {
    Query alone = new Query(List.of(), block, List.of(), null, null, List.of());
    for (Place anchor : Confinement.of(alone, tables).anchors()) {
      Confinement assumed = Confinement.assuming(alone, tables, Confinement.reference(anchor));
      if (assumed.loose() == null) {
        return true;
      }
    }
    return false;
  }
}
