package dev.waymark.routing;

import dev.waymark.routing.Confinement.Place;
import dev.waymark.routing.Merged.Role;
import dev.waymark.routing.SqlCatalogue.FunctionRow;
import dev.waymark.routing.SqlCatalogue.Use;
import dev.waymark.routing.SqlTree.Block;
import dev.waymark.routing.SqlTree.Call;
import dev.waymark.routing.SqlTree.Column;
import dev.waymark.routing.SqlTree.Constant;
import dev.waymark.routing.SqlTree.Expression;
import dev.waymark.routing.SqlTree.Item;
import dev.waymark.routing.SqlTree.Query;
import dev.waymark.routing.SqlTree.Statement;
import dev.waymark.routing.SqlTree.Tail;
import dev.waymark.routing.SqlTree.Trait;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Decides whether the answers of several shards to a query make the exact one, and how. They do if
 * every row of the result comes from rows of one key, so that the result is the sum over the keys,
 * and if what is done to all rows together (sorting, cutting, totals) can be done once more to the
 * shards' results. Everything else is refused with the reason. A pure function.
 */
final class CrossShard {
  private static final Map<String, Role> TOTALS =
      Map.of(
          "count", Role.COUNT,
          "sum", Role.SUM,
          "min", Role.MIN,
          "max", Role.MAX,
          "avg", Role.AVERAGE);

  private final SqlCatalogue catalogue;
  private final TableNames tables;
  private final Query query;
  private final Block block;

  /** Where the reason against it is thrown to {@link #of}. */
  private static final class NotExactException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private NotExactException(String reason) {
      super(reason);
    }
  }

  private CrossShard(SqlCatalogue catalogue, TableNames tables, Query query, Block block) {
    this.catalogue = catalogue;
    this.tables = tables;
    this.query = query;
    this.block = block;
  }

  /** The answer: how to merge, or why not. Exactly one of the two is there. */
  record Answer(@Nullable Merged merged, @Nullable Refusal refusal) {}

  /** Looks at a statement that stands on its own. */
  static Answer of(Statement statement, TableNames tables, SqlCatalogue catalogue) {
    try {
      if (!(statement instanceof Query query)) {
        throw new NotExactException("it is no query");
      }
      if (!query.ctes().isEmpty() || !(query.body() instanceof Block block)) {
        throw new NotExactException("WITH, set operations and VALUES are run on one shard only");
      }
      Confinement anchored = anchored(query, tables);
      return new Answer(new CrossShard(catalogue, tables, query, block).merged(anchored), null);
    } catch (NotExactException reason) {
      return new Answer(
          null,
          new Refusal(
              SqlCode.NOT_MERGED_EXACTLY,
              "Over several shards this has no exact answer: " + reason.getMessage()));
    }
  }

  /**
   * One table of which every row of the result has one row, and to whose key all others are tied.
   */
  private static Confinement anchored(Query query, TableNames tables) {
    for (Place anchor : Confinement.of(query, tables).anchors()) {
      Confinement assumed = Confinement.assuming(query, tables, Confinement.reference(anchor));
      if (assumed.loose() == null) {
        return assumed;
      }
    }
    throw new NotExactException("its tables are not joined by their keys");
  }

  private Merged merged(Confinement anchored) {
    if (query.tails().contains(Tail.LOCK)) {
      throw new NotExactException("it locks rows");
    } else if (query.tails().contains(Tail.TIES) || query.tails().contains(Tail.SORT_OPERATOR)) {
      throw new NotExactException("WITH TIES and ORDER BY USING cannot be merged");
    } else if (!block.windows().isEmpty()) {
      throw new NotExactException("windows and DISTINCT ON span rows of several shards");
    }
    boolean isByKey = block.groups().stream().anyMatch(group -> isKey(output(group), anchored));
    boolean hasKey = block.items().stream().anyMatch(item -> isKey(item.value(), anchored));
    if (block.traits().contains(Trait.DISTINCT_ON)
        || block.traits().contains(Trait.DISTINCT) && !hasKey) {
      throw new NotExactException("DISTINCT without the key spans rows of several shards");
    } else if (block.traits().contains(Trait.GROUPING_SETS)
        || block.traits().contains(Trait.INTO)) {
      throw new NotExactException("GROUPING SETS and INTO cannot be merged");
    }
    List<Expression> everything = new ArrayList<>();
    block.items().forEach(item -> everything.add(item.value()));
    query.order().forEach(sort -> everything.add(sort.value()));
    for (Expression expression : everything) {
      calls(expression)
          .forEach(
              call -> {
                if (call.manner() == Call.Manner.WINDOWED) {
                  throw new NotExactException("a window spans rows of several shards");
                }
              });
    }
    // A group with its own key has all its rows on one shard, and may do with them what it likes.
    List<Role> roles = isByKey ? List.of() : roles();
    if (block.having() != null && !isByKey) {
      throw new NotExactException("HAVING looks at totals of one shard");
    }
    List<Merged.SortKey> sorts = query.order().stream().map(this::sort).toList();
    if (!roles.isEmpty() && block.traits().contains(Trait.GROUPED) && query.limit() != null) {
      boundedGroups(roles, sorts);
    }
    if (!roles.isEmpty() && query.offset() != null) {
      throw new NotExactException("OFFSET over groups cannot be merged");
    }
    return new Merged(roles, sorts, plain(query.limit()), plain(query.offset()));
  }

  /** GROUP BY 1 means the first column. */
  private Expression output(Expression group) {
    if (group instanceof Constant constant && constant.kind() == Constant.Kind.INTEGER) {
      int position = position(constant);
      return position >= 1 && position <= block.items().size()
          ? block.items().get(position - 1).value()
          : group;
    }
    return group;
  }

  private static boolean isKey(Expression expression, Confinement anchored) {
    // Every place that is confined once the anchor is has the anchor's key, or none at all.
    Place place = anchored.keyOf(expression);
    return place != null && anchored.anchors().contains(place);
  }

  private static List<Call> calls(Expression expression) {
    return expression.all().filter(Call.class::isInstance).map(Call.class::cast).toList();
  }

  private boolean spansRows(Call call) {
    List<FunctionRow> functions = catalogue.functions(call.name());
    return functions.isEmpty()
        || call.manner() != Call.Manner.PLAIN
        || functions.stream().anyMatch(function -> function.use() == Use.ROWS);
  }

  private List<Role> roles() {
    boolean isGrouped = block.traits().contains(Trait.GROUPED);
    boolean isTotal =
        isGrouped
            || block.items().stream()
                .anyMatch(item -> calls(item.value()).stream().anyMatch(this::spansRows))
            || query.order().stream()
                .anyMatch(sort -> calls(sort.value()).stream().anyMatch(this::spansRows));
    if (!isTotal) {
      return List.of();
    }
    List<Role> roles = new ArrayList<>();
    for (Item item : block.items()) {
      roles.add(role(item));
    }
    if (!isGrouped && roles.contains(Role.GROUP)) {
      throw new NotExactException("a total stands beside something that is none");
    }
    for (Expression group : block.groups()) {
      Expression meant = output(group);
      if (block.items().stream().noneMatch(item -> isGroup(item, meant))) {
        throw new NotExactException("a group's own values are not in the result");
      }
    }
    return roles;
  }

  private Role role(Item item) {
    if (item.value() instanceof SqlTree.Star) {
      throw new NotExactException("* beside totals hides its columns");
    }
    if (item.value() instanceof Call call && spansRows(call)) {
      Role role = TOTALS.get(call.name().get(call.name().size() - 1));
      boolean isBuiltIn =
          catalogue.functions(call.name()).stream()
              .allMatch(function -> function.schema().equals("pg_catalog"));
      boolean isFlat =
          call.parts().stream().noneMatch(part -> calls(part).stream().anyMatch(this::spansRows));
      if (role == null || !isBuiltIn || !isFlat || call.manner() != Call.Manner.PLAIN) {
        throw new NotExactException(
            call.name().get(call.name().size() - 1)
                + " cannot be computed from the shards' results");
      }
      return role;
    }
    if (calls(item.value()).stream().anyMatch(this::spansRows)) {
      throw new NotExactException("something is computed from a total");
    }
    return Role.GROUP;
  }

  /** Whether an item is what GROUP BY means: a bare name is a column first, and an alias second. */
  private boolean isGroup(Item item, Expression meant) {
    return item.value().equals(meant)
        || meant instanceof Column column
            && column.path().size() == 1
            && column.path().get(0).equals(item.alias())
            && !mayBeInput(column.path().get(0));
  }

  private boolean mayBeInput(String name) {
    for (SqlTree.Source source : block.from()) {
      if (!(source instanceof SqlTree.Relation relation)) {
        return true;
      }
      List<String> columns = tables.columns(relation.name());
      if (columns == null || columns.contains(name)) {
        return true;
      }
    }
    return false;
  }

  private Merged.SortKey sort(SqlTree.Sort sort) {
    List<Item> items = block.items();
    boolean hasStar = items.stream().anyMatch(item -> item.value() instanceof SqlTree.Star);
    if (sort.value() instanceof Constant constant && constant.kind() == Constant.Kind.INTEGER) {
      if (hasStar) {
        throw new NotExactException("ORDER BY counts columns that * hides");
      }
      int position = position(constant);
      if (position < 1 || position > items.size()) {
        throw new NotExactException("ORDER BY counts columns that are not there");
      }
      return new Merged.SortKey(position, "", sort.direction(), sort.nulls());
    }
    if (hasStar) {
      if (sort.value() instanceof Column column
          && items.size() == 1
          && items.get(0).value() instanceof SqlTree.Star star
          && isUnder(column, star)) {
        return new Merged.SortKey(
            0, column.path().get(column.path().size() - 1), sort.direction(), sort.nulls());
      }
      throw new NotExactException("it is sorted by something that stands beside *");
    }
    // A bare name is a column of the result first, and of a table second.
    if (sort.value() instanceof Column column && column.path().size() == 1) {
      for (int i = 0; i < items.size(); i++) {
        if (column.path().get(0).equals(label(items.get(i)))) {
          return new Merged.SortKey(i + 1, "", sort.direction(), sort.nulls());
        }
      }
      if (items.stream().anyMatch(item -> label(item) == null)) {
        throw new NotExactException(
            "a column of the result without a name may be what it is sorted by");
      }
    }
    for (int i = 0; i < items.size(); i++) {
      if (items.get(i).value().equals(sort.value())) {
        return new Merged.SortKey(i + 1, "", sort.direction(), sort.nulls());
      }
    }
    throw new NotExactException("it is sorted by something that is not in the result");
  }

  /**
   * Whether a column that is sorted by is the one of its name under the star. With USING, {@code *}
   * shows one column for two; it may be another than the one that is meant.
   */
  private boolean isUnder(Column column, SqlTree.Star star) {
    List<String> table = column.path().subList(0, column.path().size() - 1);
    if (table.isEmpty()) {
      // The result's own column, as PostgreSQL has it; whoever merges refuses one that is not
      // there.
      return true;
    }
    return star.of().isEmpty()
        ? block.from().stream().noneMatch(CrossShard::makesOneOfTwo)
        : star.of().equals(table);
  }

  private static boolean makesOneOfTwo(SqlTree.Source source) {
    return source instanceof SqlTree.Join join
        && (!join.using().isEmpty()
            || join.side() == SqlTree.Side.NATURAL
            || makesOneOfTwo(join.left())
            || makesOneOfTwo(join.right()));
  }

  /** The name of a column of the result, null if it is not certain. */
  private static @Nullable String label(Item item) {
    if (item.alias() != null) {
      return item.alias();
    } else if (item.value() instanceof Column column) {
      return column.path().get(column.path().size() - 1);
    } else if (item.value() instanceof Call call) {
      return call.name().get(call.name().size() - 1);
    }
    return null;
  }

  private static int position(Constant constant) {
    return constant.text().length() > 4 ? 0 : Integer.parseInt(constant.text());
  }

  /**
   * Each shard cuts its groups. That is right only if the order is one of the groups' own values,
   * and tells all groups apart: then what belongs to the first n of all is among the first n of
   * each.
   */
  private void boundedGroups(List<Role> roles, List<Merged.SortKey> sorts) {
    boolean isByGroups =
        sorts.stream()
            .allMatch(sort -> sort.position() > 0 && roles.get(sort.position() - 1) == Role.GROUP);
    long groups = roles.stream().filter(role -> role == Role.GROUP).count();
    long sorted = sorts.stream().mapToInt(Merged.SortKey::position).distinct().count();
    if (!isByGroups || sorted < groups) {
      throw new NotExactException("LIMIT cuts groups that other shards count on");
    }
  }

  private static @Nullable Expression plain(@Nullable Expression bound) {
    Expression inside = bound instanceof SqlTree.Cast cast ? cast.value() : bound;
    if (inside == null
        || inside instanceof SqlTree.Parameter
        || inside instanceof Constant constant
            && (constant.kind() == Constant.Kind.INTEGER
                || constant.kind() == Constant.Kind.NULL)) {
      return inside instanceof Constant constant && constant.kind() == Constant.Kind.NULL
          ? null
          : inside;
    }
    throw new NotExactException("LIMIT and OFFSET must be constants or parameters");
  }
}
