package dev.waymark.routing;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a statement says, as far as routing has to know: which tables stand where, and what their
 * rows are tied to. What has no bearing on that is kept as {@link Other} with the parts inside of
 * it. Immutable values.
 */
final class SqlTree {
  private SqlTree() {}

  /** One statement. */
  sealed interface Statement permits Query, Insert, Update, Delete, Merge, Explain, Command {}

  /** Anything but a statement on rows: its leading words tell what it is. */
  record Command(List<String> words) implements Statement {
    Command {
      words = List.copyOf(words);
    }
  }

  /** EXPLAIN, which runs the statement only in one of its modes. */
  record Explain(Mode mode, @Nullable Statement explained) implements Statement {
    /** Whether the statement runs. */
    enum Mode {
      PLANS,
      RUNS
    }
  }

  /** A query, with what stands before and behind its body. */
  record Query(
      List<Cte> ctes,
      Body body,
      List<Sort> order,
      @Nullable Expression limit,
      @Nullable Expression offset,
      List<Tail> tails)
      implements Statement {
    Query {
      ctes = List.copyOf(ctes);
      order = List.copyOf(order);
      tails = List.copyOf(tails);
    }
  }

  /** One expression that a query is sorted by. */
  record Sort(Expression value, Direction direction, Nulls nulls) {
    /** Which way. */
    enum Direction {
      ASCENDING,
      DESCENDING
    }

    /** Where nulls come. */
    enum Nulls {
      FIRST,
      LAST
    }
  }

  /** What a query ends in, beside its order and its limit. */
  enum Tail {
    /** FOR UPDATE, FOR SHARE and their like. */
    LOCK,
    /** FETCH FIRST … WITH TIES. */
    TIES,
    /** ORDER BY … USING. */
    SORT_OPERATOR
  }

  /** A query of a WITH list. */
  record Cte(String name, Statement statement, Visibility visibility) {
    /** Who sees the name. */
    enum Visibility {
      /** What comes behind it. */
      BEHIND,
      /** The whole list, itself included: WITH RECURSIVE. */
      EVERYWHERE
    }
  }

  /** The body of a query. */
  sealed interface Body permits Block, Rows, Combined, Nested {}

  /** SELECT … FROM … WHERE; TABLE is one of these as well. */
  record Block(
      List<Trait> traits,
      List<Item> items,
      List<Source> from,
      @Nullable Expression where,
      List<Expression> groups,
      @Nullable Expression having,
      List<Expression> windows)
      implements Body {
    Block {
      traits = List.copyOf(traits);
      items = List.copyOf(items);
      from = List.copyOf(from);
      groups = List.copyOf(groups);
      windows = List.copyOf(windows);
    }
  }

  /** What is special about a block. */
  enum Trait {
    DISTINCT,
    DISTINCT_ON,
    INTO,
    GROUPED,
    /** ROLLUP, CUBE or GROUPING SETS. */
    GROUPING_SETS
  }

  /** One column of a result. */
  record Item(Expression value, @Nullable String alias) {}

  /** VALUES. */
  record Rows(List<List<Expression>> rows) implements Body {
    Rows {
      rows = rows.stream().map(List::copyOf).toList();
    }
  }

  /** UNION, INTERSECT or EXCEPT. Which of them binds closer is not kept. */
  record Combined(Body left, Body right) implements Body {}

  /** A query in brackets. */
  record Nested(Query query) implements Body {}

  /** What stands in FROM. */
  sealed interface Source permits Relation, Derived, Called, Join, Renamed {}

  /** A table, view, or the name of a {@link Cte}. */
  record Relation(List<String> name, @Nullable String alias, Columns columns) implements Source {
    Relation {
      name = List.copyOf(name);
      if (name.isEmpty()) {
        throw new IllegalArgumentException("A relation has a name");
      }
    }

    /** The name that columns are qualified with. */
    String reference() {
      return alias == null ? name.get(name.size() - 1) : alias;
    }
  }

  /** Whether an alias gives columns other names. */
  enum Columns {
    OWN,
    RENAMED
  }

  /** A query in FROM. */
  record Derived(Query query, @Nullable String alias, Sight sight) implements Source {
    /** Whether it sees the tables beside it. */
    enum Sight {
      OUTER_ONLY,
      LATERAL
    }
  }

  /** Functions in FROM, whose name hides others. */
  record Called(List<Expression> calls, @Nullable String alias) implements Source {
    Called {
      calls = List.copyOf(calls);
    }
  }

  /** A join in brackets with a name of its own, which hides the names inside. */
  record Renamed(Source source, String alias) implements Source {}

  /** A join. */
  record Join(Side side, Source left, Source right, @Nullable Expression on, List<String> using)
      implements Source {
    Join {
      using = List.copyOf(using);
    }
  }

  /** Which rows of a join come even without a partner. */
  enum Side {
    INNER,
    LEFT,
    RIGHT,
    FULL,
    /** Any join that is NATURAL: its columns are not told. */
    NATURAL
  }

  /** INSERT. */
  record Insert(
      List<Cte> ctes,
      Relation target,
      List<String> columns,
      @Nullable Query rows,
      List<Assignment> onConflict,
      List<Expression> more)
      implements Statement {
    Insert {
      ctes = List.copyOf(ctes);
      columns = List.copyOf(columns);
      onConflict = List.copyOf(onConflict);
      more = List.copyOf(more);
    }
  }

  /** What a column is set to; null stands for DEFAULT or a part of a row. */
  record Assignment(String column, @Nullable Expression value) {}

  /** UPDATE. */
  record Update(
      List<Cte> ctes,
      Relation target,
      List<Assignment> set,
      List<Source> from,
      @Nullable Expression where,
      List<Expression> more)
      implements Statement {
    Update {
      ctes = List.copyOf(ctes);
      set = List.copyOf(set);
      from = List.copyOf(from);
      more = List.copyOf(more);
    }
  }

  /** DELETE. */
  record Delete(
      List<Cte> ctes,
      Relation target,
      List<Source> from,
      @Nullable Expression where,
      List<Expression> more)
      implements Statement {
    Delete {
      ctes = List.copyOf(ctes);
      from = List.copyOf(from);
      more = List.copyOf(more);
    }
  }

  /** MERGE, whose rows are not tied to keys here. */
  record Merge(List<Cte> ctes, Relation target, List<Source> from, List<Expression> more)
      implements Statement {
    Merge {
      ctes = List.copyOf(ctes);
      from = List.copyOf(from);
      more = List.copyOf(more);
    }
  }

  /** An expression. */
  sealed interface Expression
      permits Column,
          Parameter,
          Constant,
          Cast,
          Negative,
          Logic,
          Compare,
          In,
          Between,
          AnyOf,
          Tuple,
          Call,
          Sub,
          Star,
          Default,
          Other {
    /** The expressions it is made of. */
    default List<Expression> parts() {
      return List.of();
    }

    /** It and everything inside of it, but not inside of its queries. */
    default Stream<Expression> all() {
      return Stream.concat(Stream.of(this), parts().stream().flatMap(Expression::all));
    }
  }

  /** A column, qualified or not. */
  record Column(List<String> path) implements Expression {
    Column {
      path = List.copyOf(path);
    }
  }

  /** A parameter, counted from 1. */
  record Parameter(int number) implements Expression {}

  /** A constant. */
  record Constant(Kind kind, String text) implements Expression {
    /** What kind of constant. */
    enum Kind {
      INTEGER,
      STRING,
      NULL,
      OTHER
    }

    Constant {
      Objects.requireNonNull(kind, "kind");
      Objects.requireNonNull(text, "text");
    }
  }

  /** A cast to a type, as its words are written, in lower case. */
  record Cast(Expression value, String type) implements Expression {
    @Override
    public List<Expression> parts() {
      return List.of(value);
    }
  }

  /** A minus sign before something. */
  record Negative(Expression value) implements Expression {
    @Override
    public List<Expression> parts() {
      return List.of(value);
    }
  }

  /** Conditions of which all, or one, must be true. */
  record Logic(Connective connective, List<Expression> parts) implements Expression {
    /** How they are connected. */
    enum Connective {
      AND,
      OR
    }

    Logic {
      parts = List.copyOf(parts);
    }
  }

  /** {@code =}, {@code <}, {@code <=}, {@code >} or {@code >=}. */
  record Compare(String operator, Expression left, Expression right) implements Expression {
    @Override
    public List<Expression> parts() {
      return List.of(left, right);
    }
  }

  /** IN with a list. */
  record In(Expression value, List<Expression> options) implements Expression {
    In {
      options = List.copyOf(options);
    }

    @Override
    public List<Expression> parts() {
      return Stream.concat(Stream.of(value), options.stream()).toList();
    }
  }

  /** BETWEEN. */
  record Between(Expression value, Expression low, Expression high) implements Expression {
    @Override
    public List<Expression> parts() {
      return List.of(value, low, high);
    }
  }

  /** ANY of an array, to the right of a comparison. */
  record AnyOf(Expression array) implements Expression {
    @Override
    public List<Expression> parts() {
      return List.of(array);
    }
  }

  /** A row of expressions in brackets. */
  record Tuple(List<Expression> parts) implements Expression {
    Tuple {
      parts = List.copyOf(parts);
    }
  }

  /** A function's call. */
  record Call(List<String> name, List<Expression> parts, Manner manner) implements Expression {
    /** How it is called. */
    enum Manner {
      PLAIN,
      /** With DISTINCT, FILTER, ORDER BY or WITHIN GROUP. */
      AGGREGATING,
      /** Over a window. */
      WINDOWED
    }

    Call {
      name = List.copyOf(name);
      parts = List.copyOf(parts);
    }
  }

  /** A query inside of an expression, of EXISTS and IN as well. */
  record Sub(Query query) implements Expression {}

  /**
   * {@code *}, or {@code x.*}.
   *
   * @param of what stands before it, empty if it stands for all tables
   */
  record Star(List<String> of) implements Expression {
    Star {
      of = List.copyOf(of);
    }
  }

  /** DEFAULT, in place of a value. */
  record Default() implements Expression {}

  /** Anything else, with what it is made of. */
  record Other(List<Expression> parts) implements Expression {
    Other {
      parts = List.copyOf(parts);
    }
  }
}
