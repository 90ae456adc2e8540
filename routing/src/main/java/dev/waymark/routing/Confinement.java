package dev.waymark.routing;

import dev.waymark.routing.KeySource.Span;
import dev.waymark.routing.SqlTree.Block;
import dev.waymark.routing.SqlTree.Body;
import dev.waymark.routing.SqlTree.Column;
import dev.waymark.routing.SqlTree.Columns;
import dev.waymark.routing.SqlTree.Constant;
import dev.waymark.routing.SqlTree.Cte;
import dev.waymark.routing.SqlTree.Expression;
import dev.waymark.routing.SqlTree.Query;
import dev.waymark.routing.SqlTree.Relation;
import dev.waymark.routing.SqlTree.Side;
import dev.waymark.routing.SqlTree.Source;
import dev.waymark.routing.SqlTree.Statement;
import dev.waymark.routing.TableNames.Meaning;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Proves to which keys a statement's tables are confined.
 *
 * <p>A place where a table stands is <em>confined</em> to a set of keys if its rows with other keys
 * could be taken away, or added, without any change to the result. If every place is confined and
 * all the keys live on one shard, the statement gives there what it would give on all rows,
 * whatever else it does. A place is confined by
 *
 * <ul>
 *   <li>a condition that must hold for every row that gets out: {@code key = constant}, a list, a
 *       range, or an equation with the key of a place that is confined. WHERE is such a condition,
 *       for every table of its block; so is the ON of an inner join, for the tables it joins;
 *   <li>the ON of an outer join, but only for the tables that may be missing from the result, never
 *       for those whose rows come in any case.
 * </ul>
 *
 * <p>NOT, functions, CASE and whatever else is not listed prove nothing; OR proves what all of its
 * branches prove. A subquery must be confined by itself, or by an equation with a table of the
 * query around it. Where a name is not certain, nothing is proved.
 *
 * <p>One instance looks at one statement, on one thread.
 */
final class Confinement {
  /** One place where a sharded table stands. */
  static final class Place {
    private final String table;
    private final String keyColumn;
    private final @Nullable String reference;
    private final List<KeyTerm> terms = new ArrayList<>();
    private final List<Span> spans = new ArrayList<>();

    /** If one of these is confined, so is this. */
    private final List<Place> follows = new ArrayList<>();

    private boolean isTied;
    private boolean isAnchor;
    private boolean isConfined;

    private Place(String table, String keyColumn, @Nullable String reference) {
      this.table = table;
      this.keyColumn = keyColumn;
      this.reference = reference;
    }

    String table() {
      return table;
    }

    String keyColumn() {
      return keyColumn;
    }

    private void tie(List<KeyTerm> keys) {
      // Any one condition is enough; the first equation is the narrowest most often.
      if (!isTied || terms.isEmpty() && !spans.isEmpty()) {
        terms.clear();
        spans.clear();
        terms.addAll(keys);
        isTied = true;
      }
    }

    private void tie(Span span) {
      if (!isTied) {
        spans.add(span);
        isTied = true;
      }
    }
  }

  /** The tables of one block, and of the blocks around it. */
  private static final class Level {
    private final @Nullable Level outer;
    private final List<Place> places = new ArrayList<>();

    /** What each name stands for; null for what is no sharded table, or not certain. */
    private final Map<String, @Nullable Place> names = new HashMap<>();

    /** Columns that a join has made one of, and whether that is certain for each. */
    private final Map<String, Side> merged = new HashMap<>();

    /** Something here has a name that is not certain, and may hide those outside. */
    private boolean isOpaque;

    /** A natural join may have made one of any columns. */
    private boolean isNatural;

    /** Places whose rows an outer join may leave out. */
    private final Set<Place> absentees = new HashSet<>();

    private Level(@Nullable Level outer) {
      this.outer = outer;
    }

    void add(@Nullable String name, @Nullable Place place) {
      if (place != null) {
        places.add(place);
      }
      if (name != null) {
        names.put(name, names.containsKey(name) ? null : place);
      }
    }
  }

  private final TableNames tables;
  private final @Nullable String assumed;
  private final List<Place> all = new ArrayList<>();
  private final LinkedHashSet<String> broadcast = new LinkedHashSet<>();
  private final Map<String, String> used = new LinkedHashMap<>();
  private @Nullable Refusal refusal;
  private @Nullable Level top;
  private boolean isDealt;

  private Confinement(TableNames tables, @Nullable String assumed) {
    this.tables = tables;
    this.assumed = assumed;
  }

  /** Looks at a statement. */
  static Confinement of(Statement statement, TableNames tables) {
    Confinement confinement = new Confinement(tables, null);
    confinement.statement(statement, null, Set.of());
    return confinement;
  }

  /**
   * The same, taking for granted that the place of this name in the outermost block is confined. If
   * everything else follows, the answer of all shards is the sum of each shard's answer.
   */
  static Confinement assuming(Statement statement, TableNames tables, String reference) {
    Confinement confinement = new Confinement(tables, reference);
    confinement.statement(statement, null, Set.of());
    return confinement;
  }

  /** Why nothing can be proved, null if there is no obstacle. */
  @Nullable Refusal refusal() {
    return refusal;
  }

  /** Whether a sharded table stands anywhere. */
  boolean isSharded() {
    return !all.isEmpty();
  }

  /** The names of the broadcast tables. */
  Set<String> broadcast() {
    return broadcast;
  }

  /** The first table that is not confined, null if all are. */
  @Nullable Place loose() {
    return all.stream().filter(place -> !place.isConfined).findFirst().orElse(null);
  }

  /** The places of the outermost block that no outer join may leave out, by their names. */
  List<Place> anchors() {
    Level level = top;
    return level == null
        ? List.of()
        : level.places.stream()
            .filter(place -> !level.absentees.contains(place) && place.reference != null)
            .toList();
  }

  /** The name by which an anchor is assumed. */
  static String reference(Place anchor) {
    return anchor.reference == null ? anchor.table : anchor.reference;
  }

  /** The place that a column of the outermost block is the key of, null if of none. */
  @Nullable Place keyOf(Expression expression) {
    return top != null && expression instanceof Column column ? resolve(column, top) : null;
  }

  /** All the keys together; only if nothing is loose. */
  KeySource.Keys keys() {
    if (all.size() == 1 && all.get(0).terms.size() <= 1) {
      // Nothing can stand there twice; and a set would have the runtime put records' hashes
      // together, which takes a process that starts tens of milliseconds.
      Place only = all.get(0);
      return new KeySource.Keys(only.terms, only.spans);
    }
    LinkedHashSet<KeyTerm> terms = new LinkedHashSet<>();
    LinkedHashSet<Span> spans = new LinkedHashSet<>();
    all.forEach(
        place -> {
          terms.addAll(place.terms);
          spans.addAll(place.spans);
        });
    return new KeySource.Keys(List.copyOf(terms), List.copyOf(spans));
  }

  /** Each table that stands in it, and what it is in the shard map. */
  Map<String, String> used() {
    return used;
  }

  private void refuse(SqlCode code, String reason) {
    if (refusal == null) {
      refusal = new Refusal(code, reason);
    }
  }

  // ---- statements ---------------------------------------------------------------------------

  /** Whether it inserts one row whose key the shard is to deal. */
  boolean isDealt() {
    return isDealt;
  }

  private void statement(Statement statement, @Nullable Level outer, Set<String> ctes) {
    if (statement instanceof Query query) {
      query(query, outer, ctes);
    } else if (statement instanceof SqlTree.Insert insert) {
      insert(insert, outer, ctes);
    } else if (statement instanceof SqlTree.Update update) {
      Set<String> names = with(update.ctes(), outer, ctes);
      Level level = level(outer);
      Place target = target(update.target(), level);
      update.from().forEach(source -> source(source, level, names));
      for (SqlTree.Assignment assignment : update.set()) {
        refuseToMove(assignment, target);
      }
      List<Expression> parts = new ArrayList<>(update.more());
      update.set().forEach(each -> add(parts, each.value()));
      block(level, update.from(), update.where(), parts, names);
    } else if (statement instanceof SqlTree.Delete delete) {
      Set<String> names = with(delete.ctes(), outer, ctes);
      Level level = level(outer);
      target(delete.target(), level);
      delete.from().forEach(source -> source(source, level, names));
      block(level, delete.from(), delete.where(), delete.more(), names);
    } else if (statement instanceof SqlTree.Merge) {
      refuse(SqlCode.NO_SHARD_NAMED, "MERGE is not tied to keys");
    } else if (statement instanceof SqlTree.Explain explain && explain.explained() != null) {
      statement(explain.explained(), outer, ctes);
    } else {
      refuse(SqlCode.NO_SHARD_NAMED, "this kind of statement does not tell its shard");
    }
  }

  private Level level(@Nullable Level outer) {
    Level level = new Level(outer);
    if (top == null) {
      top = level;
    }
    return level;
  }

  private void refuseToMove(SqlTree.Assignment assignment, @Nullable Place target) {
    if (target != null && assignment.column().equals(target.keyColumn)) {
      refuse(SqlCode.MOVES_ROW, "it sets " + target.keyColumn + ", the key of " + target.table);
    }
  }

  private @Nullable Place target(Relation target, Level level) {
    Place place = place(target, Set.of());
    if (place != null && level == top && target.reference().equals(assumed)) {
      place.isAnchor = true;
    }
    level.add(target.reference(), place);
    return place;
  }

  private Set<String> with(List<Cte> ctes, @Nullable Level outer, Set<String> known) {
    if (ctes.isEmpty()) {
      return known;
    }
    Set<String> names = new HashSet<>(known);
    for (Cte cte : ctes) {
      if (cte.visibility() == Cte.Visibility.EVERYWHERE) {
        names.add(cte.name());
      }
    }
    for (Cte cte : ctes) {
      statement(cte.statement(), new Level(outer), names);
      names = new HashSet<>(names);
      names.add(cte.name());
    }
    return names;
  }

  private void query(Query query, @Nullable Level outer, Set<String> ctes) {
    // The first block is the outermost one only if nothing stands before it.
    Level before = top;
    Set<String> names = with(query.ctes(), outer, ctes);
    if (before == null && !query.ctes().isEmpty()) {
      top = null;
    }
    Level level = body(query.body(), outer, names);
    List<Expression> ends = new ArrayList<>();
    query.order().forEach(sort -> ends.add(sort.value()));
    add(ends, query.limit());
    add(ends, query.offset());
    subqueries(ends, level, names);
  }

  private static void add(List<Expression> parts, @Nullable Expression part) {
    if (part != null) {
      parts.add(part);
    }
  }

  private Level body(Body body, @Nullable Level outer, Set<String> ctes) {
    Level level = level(outer);
    if (body instanceof Block block) {
      block.from().forEach(source -> source(source, level, ctes));
      List<Expression> parts = new ArrayList<>();
      block.items().forEach(item -> parts.add(item.value()));
      parts.addAll(block.groups());
      add(parts, block.having());
      parts.addAll(block.windows());
      block(level, block.from(), block.where(), parts, ctes);
    } else if (body instanceof SqlTree.Rows rows) {
      rows.rows().forEach(row -> subqueries(row, level, ctes));
    } else if (body instanceof SqlTree.Combined combined) {
      body(combined.left(), outer, ctes);
      body(combined.right(), outer, ctes);
    } else if (body instanceof SqlTree.Nested nested) {
      query(nested.query(), outer, ctes);
    }
    return level;
  }

  /** Draws the conclusions for one block, and then looks at what is inside of it. */
  private void block(
      Level level,
      List<Source> from,
      @Nullable Expression where,
      List<Expression> parts,
      Set<String> ctes) {
    List<Expression> expressions = new ArrayList<>(parts);
    if (where != null) {
      conclude(where, level, level.places);
      expressions.add(where);
    }
    from.forEach(source -> joins(source, level, expressions));
    confine(level);
    from.forEach(source -> insides(source, level, ctes));
    subqueries(expressions, level, ctes);
  }

  private void confine(Level level) {
    boolean changed = true;
    while (changed) {
      changed = false;
      for (Place place : level.places) {
        // Over several shards a table that is tied to a constant is on one of them only.
        boolean isGround = assumed == null ? place.isTied : place.isAnchor;
        if (!place.isConfined
            && (isGround || place.follows.stream().anyMatch(other -> other.isConfined))) {
          place.isConfined = true;
          changed = true;
        }
      }
    }
  }

  private void subqueries(List<Expression> expressions, Level level, Set<String> ctes) {
    for (Expression expression : expressions) {
      expression
          .all()
          .filter(SqlTree.Sub.class::isInstance)
          .forEach(sub -> query(((SqlTree.Sub) sub).query(), level, ctes));
    }
  }

  // ---- INSERT -------------------------------------------------------------------------------

  private void insert(SqlTree.Insert insert, @Nullable Level outer, Set<String> ctes) {
    Set<String> names = with(insert.ctes(), outer, ctes);
    Level level = level(outer);
    Place target = target(insert.target(), level);
    if (target != null) {
      insert.onConflict().forEach(assignment -> refuseToMove(assignment, target));
      target.isConfined = isInsertConfined(insert, target, outer, names);
    } else if (insert.rows() != null) {
      query(insert.rows(), outer, names);
    }
    List<Expression> parts = new ArrayList<>(insert.more());
    insert.onConflict().forEach(each -> add(parts, each.value()));
    subqueries(parts, level, names);
  }

  private boolean isInsertConfined(
      SqlTree.Insert insert, Place target, @Nullable Level outer, Set<String> ctes) {
    List<String> columns =
        insert.columns().isEmpty() ? tables.columns(insert.target().name()) : insert.columns();
    Query rows = insert.rows();
    int position = columns == null ? -1 : columns.indexOf(target.keyColumn);
    if (rows != null && columns == null) {
      refuse(
          SqlCode.NO_KEY_TO_INSERT,
          "the order of the columns of " + target.table + " is not known, so list them");
    }
    if (rows != null && rows.body() instanceof SqlTree.Rows values && rows.ctes().isEmpty()) {
      values.rows().forEach(row -> subqueries(row, new Level(outer), ctes));
      return areConfined(values.rows(), position, target);
    }
    if (rows == null) {
      isDealt = true;
      return true;
    }
    if (position < 0) {
      refuse(SqlCode.NO_KEY_TO_INSERT, "the INSERT gives " + target.table + " no keys");
      return false;
    }
    // INSERT … SELECT: what comes out at the key's position must be a key of the same shard.
    Level before = top;
    query(rows, outer, ctes);
    top = before;
    return rows.body() instanceof Block block && isKeyColumn(block, position, target, outer, ctes);
  }

  private boolean areConfined(List<List<Expression>> rows, int position, Place target) {
    boolean isDefault =
        position < 0
            || position < rows.get(0).size()
                && rows.get(0).get(position) instanceof SqlTree.Default;
    if (isDefault && rows.size() == 1) {
      isDealt = true;
      return true;
    }
    List<KeyTerm> terms = new ArrayList<>();
    for (List<Expression> row : rows) {
      KeyTerm term = position >= 0 && position < row.size() ? term(row.get(position)) : null;
      if (term == null || term instanceof KeyTerm.Nothing) {
        refuse(
            SqlCode.NO_KEY_TO_INSERT,
            "a row's " + target.keyColumn + " is no parameter and no constant");
        return false;
      }
      terms.add(term);
    }
    target.tie(terms);
    return true;
  }

  private boolean isKeyColumn(
      Block block, int position, Place target, @Nullable Level outer, Set<String> ctes) {
    List<SqlTree.Item> items = block.items();
    boolean isCertain =
        position < items.size()
            && items.stream()
                .limit(position + 1)
                .noneMatch(item -> item.value() instanceof SqlTree.Star);
    if (!isCertain) {
      return false;
    }
    Expression value = items.get(position).value();
    KeyTerm term = term(value);
    if (term != null) {
      target.tie(List.of(term));
      return !(term instanceof KeyTerm.Nothing);
    }
    if (!(value instanceof Column column)) {
      return false;
    }
    // The same block once more, only to see which of its tables the column is of.
    Confinement again = new Confinement(tables, assumed);
    Level level = again.body(block, outer, ctes);
    Place place = again.resolve(column, level);
    return place != null && place.isConfined && !level.absentees.contains(place);
  }

  // ---- FROM ---------------------------------------------------------------------------------

  /** Enters the names of a source. */
  private void source(Source source, Level level, Set<String> ctes) {
    if (source instanceof Relation relation) {
      Place place = place(relation, ctes);
      if (place != null && relation.columns() == Columns.RENAMED) {
        // Which of its columns is the key cannot be told by a name.
        level.places.add(place);
        level.add(relation.reference(), null);
      } else {
        level.add(relation.reference(), place);
      }
      if (place != null && level == top && relation.reference().equals(assumed)) {
        place.isAnchor = true;
      }
    } else if (source instanceof SqlTree.Derived derived) {
      level.add(derived.alias(), null);
    } else if (source instanceof SqlTree.Join join) {
      source(join.left(), level, ctes);
      source(join.right(), level, ctes);
      for (String column : join.using()) {
        level.merged.merge(column, join.side(), (one, other) -> one == Side.INNER ? other : one);
      }
      absent(join, level);
    } else if (source instanceof SqlTree.Called called) {
      if (called.alias() == null) {
        level.isOpaque = true;
      } else if (!level.names.containsKey(called.alias())) {
        level.add(called.alias(), null);
      }
    } else if (source instanceof SqlTree.Renamed renamed) {
      // The names inside cannot be seen from outside, and the columns may have others: its tables
      // count, and are never confined.
      source(renamed.source(), new Level(null), ctes);
      level.add(renamed.alias(), null);
    }
  }

  private static void absent(SqlTree.Join join, Level level) {
    if (join.side() == Side.LEFT || join.side() == Side.FULL) {
      level.absentees.addAll(inside(join.right(), level));
    }
    if (join.side() == Side.RIGHT || join.side() == Side.FULL) {
      level.absentees.addAll(inside(join.left(), level));
    }
    if (join.side() == Side.NATURAL) {
      // Which side may be missing, and even what is joined with what, is not told for certain.
      level.isNatural = true;
      level.absentees.addAll(inside(join, level));
    }
  }

  private @Nullable Place place(Relation relation, Set<String> ctes) {
    if (relation.name().size() == 1 && ctes.contains(relation.name().get(0))) {
      return null;
    }
    Meaning meaning = tables.of(relation.name());
    if (meaning instanceof Meaning.Sharded sharded) {
      used.put(sharded.table().name(), "sharded by " + sharded.table().keyColumn());
      Place place =
          new Place(
              sharded.table().name(),
              sharded.table().keyColumn(),
              relation.columns() == Columns.OWN ? relation.reference() : null);
      all.add(place);
      return place;
    } else if (meaning instanceof Meaning.Broadcast table) {
      used.put(table.name(), "broadcast");
      broadcast.add(table.name());
    } else if (meaning instanceof Meaning.View view) {
      refuse(SqlCode.VIEW, view.name() + " is a view, whose tables are not looked through");
    } else if (meaning instanceof Meaning.Unknown unknown) {
      refuse(SqlCode.UNKNOWN_TABLE, "the table " + unknown.name() + " is not in the shard map");
    }
    return null;
  }

  /** The places of a source, by the names that it has in the level. */
  private static Set<Place> inside(Source source, Level level) {
    Set<Place> places = new HashSet<>();
    if (source instanceof Relation relation) {
      Place place = level.names.get(relation.reference());
      if (place != null) {
        places.add(place);
      }
    } else if (source instanceof SqlTree.Join join) {
      places.addAll(inside(join.left(), level));
      places.addAll(inside(join.right(), level));
    }
    return places;
  }

  /** Draws the conclusions from the conditions of joins. */
  private void joins(Source source, Level level, List<Expression> expressions) {
    if (source instanceof SqlTree.Called called) {
      expressions.addAll(called.calls());
    }
    if (source instanceof SqlTree.Renamed renamed) {
      gatherConditions(renamed.source(), expressions);
    }
    if (!(source instanceof SqlTree.Join join)) {
      return;
    }
    joins(join.left(), level, expressions);
    joins(join.right(), level, expressions);
    Set<Place> tied = new HashSet<>();
    if (join.side() == Side.INNER || join.side() == Side.LEFT) {
      tied.addAll(inside(join.right(), level));
    }
    if (join.side() == Side.INNER || join.side() == Side.RIGHT) {
      tied.addAll(inside(join.left(), level));
    }
    if (join.on() != null) {
      conclude(join.on(), level, tied);
      expressions.add(join.on());
    }
    for (String column : join.using()) {
      using(column, join, level, tied);
    }
  }

  /** Of joins whose names are hidden: their subqueries count, their conditions prove nothing. */
  private static void gatherConditions(Source source, List<Expression> expressions) {
    if (source instanceof SqlTree.Join join) {
      gatherConditions(join.left(), expressions);
      gatherConditions(join.right(), expressions);
      add(expressions, join.on());
    } else if (source instanceof SqlTree.Renamed renamed) {
      gatherConditions(renamed.source(), expressions);
    } else if (source instanceof SqlTree.Called called) {
      expressions.addAll(called.calls());
    }
  }

  private static void using(String column, SqlTree.Join join, Level level, Set<Place> tied) {
    // Of a side that is itself a join it is not certain whose column it is.
    if (join.left() instanceof Relation left && join.right() instanceof Relation right) {
      Place one = level.names.get(left.reference());
      Place other = level.names.get(right.reference());
      if (one != null
          && other != null
          && one.keyColumn.equals(column)
          && other.keyColumn.equals(column)) {
        link(one, other, tied);
      }
    }
  }

  /** Looks into the queries of FROM, which may see the tables beside them. */
  private void insides(Source source, Level level, Set<String> ctes) {
    if (source instanceof SqlTree.Derived derived) {
      query(
          derived.query(),
          derived.sight() == SqlTree.Derived.Sight.LATERAL ? level : level.outer,
          ctes);
    } else if (source instanceof SqlTree.Join join) {
      insides(join.left(), level, ctes);
      insides(join.right(), level, ctes);
    } else if (source instanceof SqlTree.Renamed renamed) {
      insides(renamed.source(), level, ctes);
    }
  }

  // ---- conditions ---------------------------------------------------------------------------

  /** What a condition that must hold proves for some of the level's tables. */
  private void conclude(Expression condition, Level level, java.util.Collection<Place> provable) {
    Set<Place> tied = new HashSet<>(provable);
    if (condition instanceof SqlTree.Logic logic) {
      if (logic.connective() == SqlTree.Logic.Connective.AND) {
        logic.parts().forEach(part -> conclude(part, level, tied));
      } else {
        alternatives(logic, level, tied);
      }
    } else if (condition instanceof SqlTree.Compare compare) {
      compare(compare, level, tied);
    } else if (condition instanceof SqlTree.In in) {
      in(in, level, tied);
    } else if (condition instanceof SqlTree.Between between) {
      Place place = key(between.value(), level);
      KeyTerm low = term(between.low());
      KeyTerm high = term(between.high());
      if (place != null && low != null && high != null && tied.contains(place)) {
        place.tie(new Span(low, high));
      }
    }
  }

  /** Of OR only what every branch proves by constants counts. */
  private void alternatives(SqlTree.Logic or, Level level, Set<Place> tied) {
    for (Place place : tied) {
      List<KeyTerm> together = new ArrayList<>();
      boolean isProved = true;
      for (Expression branch : or.parts()) {
        List<KeyTerm> keys = keys(branch, place, level);
        if (keys == null) {
          isProved = false;
          break;
        }
        together.addAll(keys);
      }
      if (isProved) {
        place.tie(together);
      }
    }
  }

  /** The constants that a branch ties the place to, null if it does not. */
  private @Nullable List<KeyTerm> keys(Expression branch, Place place, Level level) {
    if (branch instanceof SqlTree.Logic logic) {
      if (logic.connective() == SqlTree.Logic.Connective.AND) {
        for (Expression part : logic.parts()) {
          List<KeyTerm> keys = keys(part, place, level);
          if (keys != null) {
            return keys;
          }
        }
        return null;
      }
      List<KeyTerm> together = new ArrayList<>();
      for (Expression part : logic.parts()) {
        List<KeyTerm> keys = keys(part, place, level);
        if (keys == null) {
          return null;
        }
        together.addAll(keys);
      }
      return together;
    } else if (branch instanceof SqlTree.Compare compare && compare.operator().equals("=")) {
      if (key(compare.left(), level) == place) {
        return equal(compare.right());
      } else if (key(compare.right(), level) == place) {
        return equal(compare.left());
      }
    } else if (branch instanceof SqlTree.In in && key(in.value(), level) == place) {
      return terms(in.options());
    }
    return null;
  }

  private void compare(SqlTree.Compare compare, Level level, Set<Place> tied) {
    Expression left = compare.left();
    Expression right = compare.right();
    if (compare.operator().equals("=")) {
      if (left instanceof SqlTree.Tuple one
          && right instanceof SqlTree.Tuple other
          && one.parts().size() == other.parts().size()) {
        for (int i = 0; i < one.parts().size(); i++) {
          equation(one.parts().get(i), other.parts().get(i), level, tied);
        }
      } else {
        equation(left, right, level, tied);
      }
      return;
    }
    boolean isLow = compare.operator().startsWith(">");
    range(key(left, level), term(right), isLow, tied);
    range(key(right, level), term(left), !isLow, tied);
  }

  private static void range(
      @Nullable Place place, @Nullable KeyTerm end, boolean isLow, Set<Place> tied) {
    if (place == null || end == null || !tied.contains(place)) {
      return;
    }
    if (place.spans.size() == 1 && place.terms.isEmpty()) {
      // The other end of a range that is open there.
      Span span = place.spans.get(0);
      if (isLow && span.low() == null) {
        place.spans.set(0, new Span(end, span.high()));
      } else if (!isLow && span.high() == null) {
        place.spans.set(0, new Span(span.low(), end));
      }
      return;
    }
    place.tie(isLow ? new Span(end, null) : new Span(null, end));
  }

  private void equation(Expression left, Expression right, Level level, Set<Place> tied) {
    Place one = key(left, level);
    Place other = key(right, level);
    if (one != null && other != null) {
      link(one, other, tied);
    } else if (one != null && tied.contains(one)) {
      List<KeyTerm> keys = equal(right);
      if (keys != null) {
        one.tie(keys);
      }
    } else if (other != null && tied.contains(other)) {
      List<KeyTerm> keys = equal(left);
      if (keys != null) {
        other.tie(keys);
      }
    }
  }

  private static void link(Place one, Place other, Set<Place> tied) {
    if (tied.contains(one)) {
      one.follows.add(other);
    }
    if (tied.contains(other)) {
      other.follows.add(one);
    }
  }

  private void in(SqlTree.In in, Level level, Set<Place> tied) {
    if (in.value() instanceof SqlTree.Tuple tuple) {
      for (int i = 0; i < tuple.parts().size(); i++) {
        Place place = key(tuple.parts().get(i), level);
        List<KeyTerm> column = place == null ? null : column(in.options(), i, tuple.parts().size());
        if (place != null && column != null && tied.contains(place)) {
          place.tie(column);
        }
      }
      return;
    }
    Place place = key(in.value(), level);
    List<KeyTerm> terms = terms(in.options());
    if (place != null && terms != null && tied.contains(place)) {
      place.tie(terms);
    }
  }

  private static @Nullable List<KeyTerm> column(List<Expression> rows, int i, int width) {
    List<KeyTerm> terms = new ArrayList<>();
    for (Expression row : rows) {
      KeyTerm term =
          row instanceof SqlTree.Tuple tuple && tuple.parts().size() == width
              ? term(tuple.parts().get(i))
              : null;
      if (term == null) {
        return null;
      }
      terms.add(term);
    }
    return terms;
  }

  // ---- keys ---------------------------------------------------------------------------------

  /** What a key may be equated with: a term, or ANY of an array in a parameter. */
  private static @Nullable List<KeyTerm> equal(Expression expression) {
    if (expression instanceof SqlTree.AnyOf any) {
      Expression array = any.array() instanceof SqlTree.Cast cast ? cast.value() : any.array();
      return array instanceof SqlTree.Parameter parameter
          ? List.of(new KeyTerm.InArray(parameter.number()))
          : null;
    }
    KeyTerm term = term(expression);
    return term == null ? null : List.of(term);
  }

  private static @Nullable List<KeyTerm> terms(List<Expression> options) {
    List<KeyTerm> terms = new ArrayList<>(options.size());
    for (Expression option : options) {
      KeyTerm term = term(option);
      if (term == null) {
        return null;
      }
      terms.add(term);
    }
    return terms;
  }

  /** Types of whole numbers: a cast to one of them gives the key itself, or an error. */
  private static final Set<String> WHOLE =
      Set.of("bigint", "int8", "integer", "int", "int4", "smallint", "int2");

  /** The key that an expression certainly is, null if it is not certain. */
  static @Nullable KeyTerm term(Expression expression) {
    if (expression instanceof SqlTree.Parameter parameter) {
      return new KeyTerm.InParameter(parameter.number());
    } else if (expression instanceof SqlTree.Cast cast) {
      KeyTerm inside = WHOLE.contains(cast.type()) ? term(cast.value()) : null;
      // '1.5'::int is refused by the server, 1.5::int is 2; the first is no term either.
      return inside;
    } else if (expression instanceof SqlTree.Negative negative) {
      return negative.value() instanceof Constant constant
              && constant.kind() == Constant.Kind.INTEGER
          ? fixed("-" + constant.text())
          : null;
    } else if (expression instanceof Constant constant) {
      return switch (constant.kind()) {
        case INTEGER -> fixed(constant.text());
        case STRING -> constant.text().matches("[+-]?[0-9]{1,19}") ? fixed(constant.text()) : null;
        case NULL -> new KeyTerm.Nothing();
        case OTHER -> null;
      };
    }
    return null;
  }

  private static @Nullable KeyTerm fixed(String digits) {
    try {
      return new KeyTerm.Fixed(Long.parseLong(digits));
    } catch (NumberFormatException tooLarge) {
      return null;
    }
  }

  /** The place whose key an expression certainly is. */
  private static @Nullable Place key(Expression expression, Level level) {
    if (expression instanceof SqlTree.Cast cast && cast.type().equals("bigint")) {
      return key(cast.value(), level);
    }
    return expression instanceof Column column ? resolve(column, level) : null;
  }

  private static @Nullable Place resolve(Column column, Level level) {
    if (column.path().size() == 2) {
      String name = column.path().get(0);
      for (Level at = level; at != null; at = at.outer) {
        if (at.names.containsKey(name)) {
          Place place = at.names.get(name);
          return place != null && place.keyColumn.equals(column.path().get(1)) ? place : null;
        } else if (at.isOpaque) {
          return null;
        }
      }
      return null;
    } else if (column.path().size() != 1) {
      return null;
    }
    String name = column.path().get(0);
    Side merged = level.merged.get(name);
    if (level.isNatural || merged != null && merged != Side.INNER) {
      return null;
    }
    // If another table here had such a column too, the server would refuse the bare name, unless a
    // join had made one of them; so whose key it is, is certain.
    return level.places.stream()
        .filter(place -> place.reference != null && place.keyColumn.equals(name))
        .findFirst()
        .orElse(null);
  }
}
