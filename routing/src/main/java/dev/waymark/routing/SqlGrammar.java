package dev.waymark.routing;

import dev.waymark.routing.SqlTree.Assignment;
import dev.waymark.routing.SqlTree.Block;
import dev.waymark.routing.SqlTree.Body;
import dev.waymark.routing.SqlTree.Call;
import dev.waymark.routing.SqlTree.Column;
import dev.waymark.routing.SqlTree.Columns;
import dev.waymark.routing.SqlTree.Constant;
import dev.waymark.routing.SqlTree.Cte;
import dev.waymark.routing.SqlTree.Expression;
import dev.waymark.routing.SqlTree.Item;
import dev.waymark.routing.SqlTree.Other;
import dev.waymark.routing.SqlTree.Query;
import dev.waymark.routing.SqlTree.Relation;
import dev.waymark.routing.SqlTree.Side;
import dev.waymark.routing.SqlTree.Source;
import dev.waymark.routing.SqlTree.Statement;
import dev.waymark.routing.SqlTree.Tail;
import dev.waymark.routing.SqlTree.Trait;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.antlr.v4.runtime.BailErrorStrategy;
import org.antlr.v4.runtime.CommonToken;
import org.antlr.v4.runtime.CommonTokenStream;
import org.antlr.v4.runtime.ListTokenSource;
import org.antlr.v4.runtime.ParserRuleContext;
import org.antlr.v4.runtime.RecognitionException;
import org.antlr.v4.runtime.Token;
import org.antlr.v4.runtime.atn.ParserATNSimulator;
import org.antlr.v4.runtime.atn.PredictionContextCache;
import org.antlr.v4.runtime.atn.PredictionMode;
import org.antlr.v4.runtime.dfa.DFA;
import org.antlr.v4.runtime.misc.ParseCancellationException;
import org.antlr.v4.runtime.tree.ParseTree;
import org.jspecify.annotations.Nullable;
import org.pgcodekeeper.core.parsers.antlr.pg.generated.SQLParser;
import org.pgcodekeeper.core.parsers.antlr.pg.generated.SQLParser.*;

/**
 * Reads one statement on rows by pgCodeKeeper's PostgreSQL grammar, and is the only class that
 * knows it. To load it takes a process tens of milliseconds, and its first reading most of a
 * second.
 *
 * <p>The grammar gets {@link SqlScanner}'s tokens and not its own scanner's, which takes a
 * backslash in an escape string for itself and so could be shown another statement than the server
 * runs.
 *
 * <p>Safe to share. What it learns while reading makes the next reading faster, and is forgotten
 * now and then: ANTLR keeps it in static tables that only grow, by 1 kB and more for each statement
 * of a new form, so that a service which makes up its statements would never stop growing.
 */
final class SqlGrammar {
  /**
   * So many brackets inside of each other, and no more: beyond some hundreds the grammar's
   * prediction takes minutes, and nobody shall be able to spend them by sending a text.
   */
  private static final int DEPTH = 100;

  /** After so many readings what was learnt is forgotten. */
  private static final int READINGS = 1_000;

  /** So many places are mended that the grammar does not know: it reads the text anew for each. */
  private static final int GAPS = 10;

  /** Null until a statement is read. */
  private volatile @Nullable Learnt learnt;

  /** Loaded with the grammar, and like it only when needed. */
  private static final class Types {
    private static final Map<String, Integer> ALL = types();
  }

  /** ANTLR's tables of what it has learnt of the grammar; safe to share, as ANTLR makes them. */
  private static final class Learnt {
    private final DFA[] decisions;
    private final PredictionContextCache contexts = new PredictionContextCache();
    private final AtomicInteger readings = new AtomicInteger();

    private Learnt() {
      decisions = new DFA[SQLParser._ATN.getNumberOfDecisions()];
      for (int i = 0; i < decisions.length; i++) {
        decisions[i] = new DFA(SQLParser._ATN.getDecisionState(i), i);
      }
    }
  }

  private static Map<String, Integer> types() {
    Map<String, Integer> types = new HashMap<>();
    for (int type = 1; type <= SQLParser.VOCABULARY.getMaxTokenType(); type++) {
      String literal = SQLParser.VOCABULARY.getLiteralName(type);
      if (literal != null) {
        types.put(literal.substring(1, literal.length() - 1).toLowerCase(Locale.ROOT), type);
      }
    }
    // Two ways of writing each.
    types.put("<>", SQLParser.NOT_EQUAL);
    types.put("::", SQLParser.CAST_EXPRESSION);
    // A function like any other, which the grammar lets nobody call.
    types.remove("normalize");
    return Map.copyOf(types);
  }

  /**
   * Reads a statement.
   *
   * @throws UnreadableSqlException if the grammar does not know it
   */
  Statement read(List<SqlToken> statement) {
    refuseDepth(statement);
    List<SqlToken> readable = statement;
    for (int gaps = 0; ; gaps++) {
      try {
        return statement(parse(tokens(readable)));
      } catch (IllegalStateException unknown) {
        List<SqlToken> filled =
            gaps < GAPS && unknown.getCause() instanceof RecognitionException stop
                ? GrammarGaps.filled(readable, stop.getOffendingToken().getTokenIndex())
                : null;
        if (filled == null) {
          throw new UnreadableSqlException(
              "PostgreSQL's grammar, as known here, has no such statement");
        }
        readable = filled;
      } catch (StackOverflowError deep) {
        throw new UnreadableSqlException("it is nested too deeply");
      }
    }
  }

  private static void refuseDepth(List<SqlToken> statement) {
    int depth = 0;
    for (SqlToken token : statement) {
      if (token.isSign("(") || token.isSign("[") || token.is("case")) {
        depth++;
      } else if (token.isSign(")") || token.isSign("]") || token.is("end")) {
        depth--;
      }
      if (depth > DEPTH) {
        throw new UnreadableSqlException("it is nested too deeply");
      }
    }
  }

  private static List<CommonToken> tokens(List<SqlToken> statement) {
    List<CommonToken> tokens = new ArrayList<>(statement.size() + 1);
    for (SqlToken token : statement) {
      CommonToken made = new CommonToken(type(token), text(token));
      made.setStartIndex(token.start());
      made.setStopIndex(token.end() - 1);
      tokens.add(made);
    }
    tokens.add(new CommonToken(Token.EOF, ""));
    return tokens;
  }

  private static int type(SqlToken token) {
    return switch (token.kind()) {
      case WORD -> Types.ALL.getOrDefault(token.text(), SQLParser.Identifier);
      case QUOTED -> SQLParser.QuotedIdentifier;
      case STRING, BITS -> SQLParser.StringConstant;
      case INTEGER -> SQLParser.Integer;
      case NUMBER -> SQLParser.Numeric;
      case PARAMETER -> SQLParser.DOLLAR_NUMBER;
      case OPERATOR -> Types.ALL.getOrDefault(token.text(), SQLParser.OP_CHARS);
      case PUNCTUATION -> {
        Integer type = Types.ALL.get(token.text());
        if (type == null) {
          throw new UnreadableSqlException("the sign " + token.text() + " stands in it");
        }
        yield type;
      }
    };
  }

  private static String text(SqlToken token) {
    // A bit string of decimal digits only must not pass for a number.
    return token.kind() == SqlToken.Kind.BITS ? "B'" + token.text() + "'" : token.text();
  }

  private StatementContext parse(List<CommonToken> tokens) {
    Learnt known = learnt;
    if (known == null || known.readings.incrementAndGet() > READINGS) {
      known = new Learnt();
      learnt = known;
    }
    SQLParser parser = new SQLParser(new CommonTokenStream(new ListTokenSource(tokens)));
    parser.setInterpreter(
        new ParserATNSimulator(parser, SQLParser._ATN, known.decisions, known.contexts));
    parser.removeErrorListeners();
    parser.setErrorHandler(new BailErrorStrategy());
    // The simpler prediction reads almost everything; what it refuses, the full one may still read.
    parser.getInterpreter().setPredictionMode(PredictionMode.SLL);
    SqlContext all;
    try {
      all = parser.sql();
    } catch (ParseCancellationException unknown) {
      parser.reset();
      parser.getInterpreter().setPredictionMode(PredictionMode.LL);
      all = parser.sql();
    }
    if (all.statement().size() != 1) {
      throw new IllegalStateException("more than one statement");
    }
    return all.statement(0);
  }

  // ---- statements ---------------------------------------------------------------------------

  private static Statement statement(StatementContext statement) {
    if (statement.data_statement() != null) {
      return data(statement.data_statement());
    }
    Script_statementContext script = statement.script_statement();
    if (script == null
        || script.script_additional() == null
        || script.script_additional().explain_statement() == null) {
      throw new IllegalStateException("not a statement on rows");
    }
    Explain_statementContext explain = script.script_additional().explain_statement();
    boolean runs = explain.analyze_keyword() != null;
    for (Explain_optionContext option : explain.explain_option()) {
      // ANALYZE false is taken to run: nobody writes it.
      runs |= option.analyze_keyword() != null;
    }
    Explain_queryContext query = explain.explain_query();
    return runs
        ? new SqlTree.Explain(
            SqlTree.Explain.Mode.RUNS,
            query.data_statement() == null ? null : data(query.data_statement()))
        : new SqlTree.Explain(SqlTree.Explain.Mode.PLANS, planned(query));
  }

  /** What is planned: of a cursor and of a table that would be made, the query. */
  private static @Nullable Statement planned(Explain_queryContext explained) {
    if (explained.data_statement() != null) {
      return data(explained.data_statement());
    } else if (explained.declare_statement() != null) {
      return query(explained.declare_statement().select_stmt());
    } else if (explained.create_view_statement() != null) {
      return query(explained.create_view_statement().v_query);
    }
    Create_table_as_statementContext table = explained.create_table_as_statement();
    return table == null || table.select_stmt() == null ? null : query(table.select_stmt());
  }

  private static Statement data(Data_statementContext data) {
    if (data.select_stmt() != null) {
      return query(data.select_stmt());
    } else if (data.insert_stmt_for_psql() != null) {
      return insert(data.insert_stmt_for_psql());
    } else if (data.update_stmt_for_psql() != null) {
      return update(data.update_stmt_for_psql());
    } else if (data.delete_stmt_for_psql() != null) {
      return delete(data.delete_stmt_for_psql());
    }
    return merge(data.merge_stmt_for_psql());
  }

  private static Query query(Select_stmtContext select) {
    return query(select.with_clause(), body(select.select_ops()), select.after_ops());
  }

  private static Query query(Select_stmt_no_parensContext select) {
    return query(select.with_clause(), body(select.select_ops_no_parens()), select.after_ops());
  }

  private static Query query(
      @Nullable With_clauseContext with, Body body, List<After_opsContext> ends) {
    List<SqlTree.Sort> order = new ArrayList<>();
    List<Tail> tails = new ArrayList<>();
    Expression limit = null;
    Expression offset = null;
    for (After_opsContext end : ends) {
      if (end.orderby_clause() != null) {
        for (Sort_specifierContext sort : end.orderby_clause().sort_specifier()) {
          order.add(sort(sort));
          if (sort.order_specification() != null && sort.order_specification().USING() != null) {
            tails.add(Tail.SORT_OPERATOR);
          }
        }
      } else if (end.OFFSET() != null) {
        offset = expression(end.vex());
      } else if (end.FOR() != null) {
        tails.add(Tail.LOCK);
      } else {
        if (end.TIES() != null) {
          tails.add(Tail.TIES);
        }
        if (end.vex() != null) {
          limit = expression(end.vex());
        } else if (end.ALL() == null) {
          limit = new Constant(Constant.Kind.INTEGER, "1");
        }
      }
    }
    return new Query(ctes(with), body, order, limit, offset, tails);
  }

  private static SqlTree.Sort sort(Sort_specifierContext sort) {
    boolean descends =
        sort.order_specification() != null && sort.order_specification().DESC() != null;
    boolean nullsFirst =
        sort.null_ordering() == null ? descends : sort.null_ordering().FIRST() != null;
    return new SqlTree.Sort(
        expression(sort.vex()),
        descends ? SqlTree.Sort.Direction.DESCENDING : SqlTree.Sort.Direction.ASCENDING,
        nullsFirst ? SqlTree.Sort.Nulls.FIRST : SqlTree.Sort.Nulls.LAST);
  }

  private static List<Cte> ctes(@Nullable With_clauseContext with) {
    if (with == null) {
      return List.of();
    }
    Cte.Visibility visibility =
        with.RECURSIVE() == null ? Cte.Visibility.BEHIND : Cte.Visibility.EVERYWHERE;
    return with.with_query().stream()
        .map(each -> new Cte(each.query_name.getText(), data(each.data_statement()), visibility))
        .toList();
  }

  private static Body body(Select_opsContext select) {
    if (select.select_primary() != null) {
      return primary(select.select_primary());
    } else if (select.select_stmt() != null) {
      return new SqlTree.Nested(query(select.select_stmt()));
    }
    return new SqlTree.Combined(body(select.select_ops(0)), body(select.select_ops(1)));
  }

  private static Body body(Select_ops_no_parensContext select) {
    if (select.select_ops() == null) {
      return primary(select.select_primary());
    }
    Body right =
        select.select_primary() != null
            ? primary(select.select_primary())
            : new SqlTree.Nested(query(select.select_stmt()));
    return new SqlTree.Combined(body(select.select_ops()), right);
  }

  private static Body primary(Select_primaryContext select) {
    if (select.values_stmt() != null) {
      return values(select.values_stmt());
    }
    if (select.TABLE() != null) {
      Relation table = new Relation(name(select.schema_qualified_name()), null, Columns.OWN);
      return new Block(
          List.of(),
          List.of(new Item(new SqlTree.Star(List.of()), null)),
          List.of(table),
          null,
          List.of(),
          null,
          List.of());
    }
    List<Trait> traits = new ArrayList<>();
    List<Expression> windows = new ArrayList<>();
    // The conditions stand in the order of the text: those of DISTINCT ON, WHERE, HAVING.
    List<VexContext> conditions = new ArrayList<>(select.vex());
    if (select.set_qualifier() != null && select.set_qualifier().DISTINCT() != null) {
      traits.add(select.ON() == null ? Trait.DISTINCT : Trait.DISTINCT_ON);
    }
    Expression having =
        select.HAVING() == null ? null : expression(conditions.remove(conditions.size() - 1));
    Expression where =
        select.WHERE() == null ? null : expression(conditions.remove(conditions.size() - 1));
    conditions.forEach(each -> windows.add(expression(each)));
    if (select.into_table() != null) {
      traits.add(Trait.INTO);
    }
    select.window_definition().forEach(each -> windows.add(other(each)));
    List<Expression> groups = new ArrayList<>();
    if (select.groupby_clause() != null) {
      traits.add(Trait.GROUPED);
      for (Grouping_elementContext element :
          select.groupby_clause().grouping_element_list().grouping_element()) {
        Expression group = element.vex() == null ? other(element) : expression(element.vex());
        // The grammar takes these two for functions, which in this place they never are.
        if (group instanceof Call call
            && (call.name().equals(List.of("rollup")) || call.name().equals(List.of("cube")))) {
          traits.add(Trait.GROUPING_SETS);
          groups.add(new Other(call.parts()));
        } else if (element.vex() != null) {
          groups.add(group);
        } else {
          traits.add(Trait.GROUPING_SETS);
          groups.add(group);
        }
      }
    }
    return new Block(
        traits,
        select.select_list() == null ? List.of() : items(select.select_list()),
        select.from_item().stream().map(SqlGrammar::source).toList(),
        where,
        groups,
        having,
        windows);
  }

  private static List<Item> items(Select_listContext list) {
    List<Item> items = new ArrayList<>();
    for (Select_sublistContext each : list.select_sublist()) {
      String alias =
          each.col_label() != null
              ? each.col_label().getText()
              : each.bare_col_label() != null ? each.bare_col_label().getText() : null;
      items.add(new Item(expression(each.vex()), alias));
    }
    return items;
  }

  private static SqlTree.Rows values(Values_stmtContext values) {
    List<List<Expression>> rows = new ArrayList<>();
    for (Values_valuesContext row : values.values_values()) {
      List<Expression> cells = new ArrayList<>();
      for (ParseTree cell : children(row)) {
        if (cell instanceof VexContext vex) {
          cells.add(expression(vex));
        } else if (cell.getText().equalsIgnoreCase("default")) {
          cells.add(new SqlTree.Default());
        }
      }
      rows.add(cells);
    }
    return new SqlTree.Rows(rows);
  }

  private static Statement insert(Insert_stmt_for_psqlContext insert) {
    List<String> columns = new ArrayList<>();
    if (insert.insert_columns() != null) {
      insert.insert_columns().indirection_identifier().forEach(each -> columns.add(column(each)));
    }
    List<Assignment> onConflict = new ArrayList<>();
    List<Expression> more = new ArrayList<>();
    if (insert.conflict_object() != null) {
      more.add(other(insert.conflict_object()));
    }
    if (insert.conflict_action() != null) {
      insert.conflict_action().update_set().forEach(each -> assign(each, onConflict, more));
      if (insert.conflict_action().vex() != null) {
        more.add(expression(insert.conflict_action().vex()));
      }
    }
    returning(insert.returning_select_list_with_alias(), more);
    return new SqlTree.Insert(
        ctes(insert.with_clause()),
        target(insert.insert_table_name, insert.alias),
        columns,
        insert.select_stmt() == null ? null : query(insert.select_stmt()),
        onConflict,
        more);
  }

  private static Statement update(Update_stmt_for_psqlContext update) {
    List<Assignment> set = new ArrayList<>();
    List<Expression> more = new ArrayList<>();
    update.update_set().forEach(each -> assign(each, set, more));
    returning(update.returning_select_list_with_alias(), more);
    return new SqlTree.Update(
        ctes(update.with_clause()),
        target(update.update_table_name, update.alias),
        set,
        update.from_item().stream().map(SqlGrammar::source).toList(),
        update.vex() == null ? null : expression(update.vex()),
        more);
  }

  private static Statement delete(Delete_stmt_for_psqlContext delete) {
    List<Expression> more = new ArrayList<>();
    returning(delete.returning_select_list_with_alias(), more);
    return new SqlTree.Delete(
        ctes(delete.with_clause()),
        target(delete.delete_table_name, delete.alias),
        delete.from_item().stream().map(SqlGrammar::source).toList(),
        delete.vex() == null ? null : expression(delete.vex()),
        more);
  }

  private static Statement merge(Merge_stmt_for_psqlContext merge) {
    List<Expression> more = new ArrayList<>();
    more.add(expression(merge.vex()));
    merge.when_condition().forEach(each -> more.add(other(each)));
    returning(merge.returning_select_list_with_alias(), more);
    return new SqlTree.Merge(
        ctes(merge.with_clause()),
        target(merge.merge_table_name, merge.alias),
        List.of(source(merge.from_item())),
        more);
  }

  private static Relation target(
      Schema_qualified_nameContext name, @Nullable IdentifierContext alias) {
    return new Relation(name(name), alias == null ? null : alias.getText(), Columns.OWN);
  }

  private static void assign(
      Update_setContext set, List<Assignment> assignments, List<Expression> more) {
    if (set.LEFT_PAREN().isEmpty()) {
      assignments.add(
          new Assignment(
              column(set.column.get(0)),
              set.value.isEmpty() ? null : expression(set.value.get(0))));
      return;
    }
    // Which value goes where is not told apart; that the column is set is what matters.
    set.column.forEach(each -> assignments.add(new Assignment(column(each), null)));
    more.add(other(set));
  }

  private static void returning(
      @Nullable Returning_select_list_with_aliasContext returning, List<Expression> more) {
    if (returning != null) {
      items(returning.select_list()).forEach(item -> more.add(item.value()));
    }
  }

  private static String column(Indirection_identifierContext column) {
    return column.identifier().getText();
  }

  private static List<String> name(Schema_qualified_nameContext name) {
    List<String> parts = new ArrayList<>();
    parts.add(name.identifier().getText());
    name.identifier_reserved().forEach(each -> parts.add(each.getText()));
    return parts;
  }

  // ---- FROM ---------------------------------------------------------------------------------

  private static Source source(From_itemContext item) {
    if (item.from_primary() != null) {
      return primary(item.from_primary());
    }
    if (item.LEFT_PAREN() != null) {
      Source inner = source(item.from_item(0));
      return item.alias_clause() == null
          ? inner
          : new SqlTree.Renamed(inner, item.alias_clause().alias.getText());
    }
    Source left = source(item.from_item(0));
    Source right = source(item.from_item(1));
    List<String> using = new ArrayList<>();
    if (item.USING() != null) {
      item.names_in_parens()
          .names_references()
          .schema_qualified_name()
          .forEach(each -> using.add(each.getText()));
    }
    Side side =
        item.NATURAL() != null
            ? Side.NATURAL
            : item.LEFT() != null
                ? Side.LEFT
                : item.RIGHT() != null ? Side.RIGHT : item.FULL() != null ? Side.FULL : Side.INNER;
    return new SqlTree.Join(
        side, left, right, item.vex() == null ? null : expression(item.vex()), using);
  }

  private static Source primary(From_primaryContext primary) {
    if (primary.schema_qualified_name() != null) {
      Alias_clauseContext alias = primary.alias_clause();
      Relation relation =
          new Relation(
              name(primary.schema_qualified_name()),
              alias == null ? null : alias.alias.getText(),
              alias == null || alias.column_alias.isEmpty() ? Columns.OWN : Columns.RENAMED);
      if (primary.TABLESAMPLE() == null) {
        return relation;
      }
      // Its method is a function, its arguments expressions.
      List<Expression> parts = new ArrayList<>();
      primary.vex().forEach(each -> parts.add(expression(each)));
      return new SqlTree.Join(
          Side.INNER, relation, new SqlTree.Called(parts, relation.reference()), null, List.of());
    }
    if (primary.table_subquery() != null) {
      Alias_clauseContext alias = primary.alias_clause();
      return new SqlTree.Derived(
          query(primary.table_subquery().select_stmt()),
          alias == null ? null : alias.alias.getText(),
          primary.LATERAL() == null
              ? SqlTree.Derived.Sight.OUTER_ONLY
              : SqlTree.Derived.Sight.LATERAL);
    }
    List<Expression> calls = new ArrayList<>();
    collect(primary, calls);
    return new SqlTree.Called(calls, nameOfCalled(primary));
  }

  /** A function in FROM is called by its alias, or by its own name; null if that is not certain. */
  private static @Nullable String nameOfCalled(From_primaryContext primary) {
    IdentifierContext alias =
        primary.from_rows_with_alias() == null
            ? primary.alias
            : primary.from_rows_with_alias().alias;
    if (alias != null) {
      return alias.getText();
    }
    Function_callContext call = primary.function_call();
    if (call == null || call.schema_qualified_name_nontype() == null) {
      return null;
    }
    List<ParseTree> parts = children(call.schema_qualified_name_nontype());
    return parts.get(parts.size() - 1).getText();
  }

  // ---- expressions --------------------------------------------------------------------------

  private static Expression expression(VexContext vex) {
    if (vex.value_expression_primary() != null) {
      return primary(vex.value_expression_primary());
    } else if (vex.BETWEEN() != null) {
      return vex.NOT() == null && vex.SYMMETRIC() == null
          ? new SqlTree.Between(
              expression(vex.vex(0)), expression(vex.vex_b()), expression(vex.vex(1)))
          : other(vex);
    } else if (vex.AND() != null) {
      return logic(SqlTree.Logic.Connective.AND, vex);
    } else if (vex.OR() != null) {
      return logic(SqlTree.Logic.Connective.OR, vex);
    } else if (vex.IN() != null) {
      return in(vex);
    } else if (vex.CAST_EXPRESSION() != null) {
      return new SqlTree.Cast(expression(vex.vex(0)), type(vex.data_type()));
    } else if (vex.EQUAL() != null
        || vex.LTH() != null
        || vex.LEQ() != null
        || vex.GTH() != null
        || vex.GEQ() != null) {
      return new SqlTree.Compare(
          vex.getChild(1).getText(), expression(vex.vex(0)), expression(vex.vex(1)));
    } else if (vex.MINUS() != null && vex.vex().size() == 1) {
      return new SqlTree.Negative(expression(vex.vex(0)));
    } else if (vex.LEFT_PAREN() != null && vex.OF() == null && vex.indirection_list() == null) {
      List<Expression> inside = new ArrayList<>();
      vex.vex().forEach(each -> inside.add(expression(each)));
      return inside.size() == 1 ? inside.get(0) : new SqlTree.Tuple(inside);
    }
    return other(vex);
  }

  /** Long chains are read without recursion, from the last link to the first. */
  private static Expression logic(SqlTree.Logic.Connective connective, VexContext vex) {
    List<Expression> parts = new ArrayList<>();
    VexContext chain = vex;
    while (isChain(connective, chain)) {
      parts.add(expression(chain.vex(1)));
      chain = chain.vex(0);
    }
    parts.add(expression(chain));
    Collections.reverse(parts);
    return new SqlTree.Logic(connective, parts);
  }

  private static boolean isChain(SqlTree.Logic.Connective connective, VexContext vex) {
    return vex.BETWEEN() == null
        && (connective == SqlTree.Logic.Connective.AND ? vex.AND() : vex.OR()) != null;
  }

  private static Expression in(VexContext vex) {
    if (vex.NOT() != null || vex.select_stmt_no_parens() != null) {
      return other(vex);
    }
    // Once: each look-up by number goes through all the children.
    List<VexContext> inside = vex.vex();
    List<Expression> options = new ArrayList<>(inside.size());
    for (VexContext option : inside.subList(1, inside.size())) {
      options.add(expression(option));
    }
    return new SqlTree.In(expression(inside.get(0)), options);
  }

  private static Expression expression(Vex_bContext vex) {
    if (vex.value_expression_primary() != null) {
      return primary(vex.value_expression_primary());
    } else if (vex.CAST_EXPRESSION() != null) {
      return new SqlTree.Cast(expression(vex.vex_b(0)), type(vex.data_type()));
    } else if (vex.MINUS() != null && vex.vex_b().size() == 1) {
      return new SqlTree.Negative(expression(vex.vex_b(0)));
    }
    return other(vex);
  }

  private static Expression primary(Value_expression_primaryContext primary) {
    if (primary.expr_const() != null) {
      return constant(primary.expr_const());
    } else if (primary.NULL() != null) {
      return new Constant(Constant.Kind.NULL, "null");
    } else if (primary.MULTIPLY() != null) {
      return new SqlTree.Star(List.of());
    } else if (primary.indirection_var() != null) {
      return variable(primary.indirection_var());
    } else if (primary.function_call() != null) {
      return call(primary.function_call());
    } else if (primary.comparison_mod() != null) {
      Comparison_modContext any = primary.comparison_mod();
      return any.ALL() == null && any.vex() != null
          ? new SqlTree.AnyOf(expression(any.vex()))
          : other(any);
    } else if (primary.type_coercion() != null && primary.type_coercion().data_type() != null) {
      Type_coercionContext coercion = primary.type_coercion();
      return new SqlTree.Cast(
          new Constant(Constant.Kind.STRING, coercion.sconst().getText()),
          type(coercion.data_type()));
    }
    return other(primary);
  }

  private static Expression constant(Expr_constContext constant) {
    Constant.Kind kind =
        constant.iconst() != null
            ? Constant.Kind.INTEGER
            : constant.sconst() != null ? Constant.Kind.STRING : Constant.Kind.OTHER;
    return new Constant(kind, constant.getText());
  }

  private static Expression variable(Indirection_varContext variable) {
    Expression root;
    if (variable.dollar_number() != null) {
      root = new SqlTree.Parameter(Integer.parseInt(variable.getStart().getText()));
      return variable.indirection_list() == null ? root : new Other(List.of(root));
    }
    List<String> path = new ArrayList<>();
    path.add(variable.identifier().getText());
    Indirection_listContext list = variable.indirection_list();
    if (list == null) {
      return new Column(path);
    }
    List<Expression> inside = new ArrayList<>();
    for (IndirectionContext step : list.indirection()) {
      if (step.col_label() != null) {
        path.add(step.col_label().getText());
      } else {
        step.vex().forEach(each -> inside.add(expression(each)));
      }
    }
    if (list.MULTIPLY() != null) {
      return new SqlTree.Star(path);
    }
    if (list.indirection().stream().allMatch(step -> step.col_label() != null)) {
      return new Column(path);
    }
    // A column with a subscript is not the column.
    return new Other(inside);
  }

  private static Expression call(Function_callContext call) {
    if (call.schema_qualified_name_nontype() == null) {
      if (call.system_function() != null
          && call.system_function().cast_specification() != null
          && call.system_function().cast_specification().CAST() != null) {
        Cast_specificationContext cast = call.system_function().cast_specification();
        return new SqlTree.Cast(expression(cast.vex()), type(cast.data_type()));
      }
      List<Expression> parts = new ArrayList<>();
      for (ParseTree child : children(call)) {
        collect(child, parts);
      }
      Json_functionContext json = call.json_function();
      if (json != null && (json.JSON_ARRAYAGG() != null || json.JSON_OBJECTAGG() != null)) {
        // They span rows, as the functions do that the server puts in their place.
        return new Call(
            List.of("pg_catalog", json.JSON_ARRAYAGG() != null ? "json_agg" : "json_object_agg"),
            parts,
            Call.Manner.AGGREGATING);
      }
      return new Other(parts);
    }
    List<Expression> parts = new ArrayList<>();
    for (ParseTree child : children(call)) {
      if (!(child instanceof Schema_qualified_name_nontypeContext)) {
        collect(child, parts);
      }
    }
    Schema_qualified_name_nontypeContext named = call.schema_qualified_name_nontype();
    List<String> name = new ArrayList<>();
    for (ParseTree part : children(named)) {
      if (!part.getText().equals(".")) {
        name.add(part.getText());
      }
    }
    boolean aggregates =
        call.set_qualifier() != null
            || call.WITHIN() != null
            || call.filter_clause() != null
            || !call.orderby_clause().isEmpty();
    return new Call(
        name,
        parts,
        call.OVER() != null
            ? Call.Manner.WINDOWED
            : aggregates ? Call.Manner.AGGREGATING : Call.Manner.PLAIN);
  }

  private static String type(Data_typeContext type) {
    return type.getText().toLowerCase(Locale.ROOT);
  }

  /** What has no bearing itself, with the expressions and queries inside of it. */
  private static Other other(ParserRuleContext context) {
    List<Expression> parts = new ArrayList<>();
    for (ParseTree child : children(context)) {
      collect(child, parts);
    }
    return new Other(parts);
  }

  private static void collect(ParseTree tree, List<Expression> found) {
    if (tree instanceof VexContext vex) {
      found.add(expression(vex));
    } else if (tree instanceof Vex_bContext vex) {
      found.add(expression(vex));
    } else if (tree instanceof Value_expression_primaryContext primary) {
      found.add(primary(primary));
    } else if (tree instanceof Function_callContext call) {
      found.add(call(call));
    } else if (tree instanceof Select_stmtContext select) {
      found.add(new SqlTree.Sub(query(select)));
    } else if (tree instanceof Select_stmt_no_parensContext select) {
      found.add(new SqlTree.Sub(query(select)));
    } else if (tree instanceof ParserRuleContext context) {
      for (ParseTree child : children(context)) {
        collect(child, found);
      }
    }
  }

  private static List<ParseTree> children(ParserRuleContext context) {
    return Objects.requireNonNullElse(context.children, List.of());
  }
}
