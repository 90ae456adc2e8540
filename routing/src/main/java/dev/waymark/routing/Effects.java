package dev.waymark.routing;

import dev.waymark.routing.SqlCatalogue.FunctionRow;
import dev.waymark.routing.SqlCatalogue.RelationKind;
import dev.waymark.routing.SqlCatalogue.RelationRow;
import dev.waymark.routing.SqlCatalogue.Volatility;
import dev.waymark.routing.SqlTree.Statement;
import dev.waymark.routing.Verdict.Effect;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Judges whether a statement only reads. Two witnesses must agree: the tree says what the statement
 * is and which relations and functions it names; its tokens, cut by PostgreSQL's own rules, hold
 * every name that could possibly call something, even where the tree was wrong about it.
 *
 * <p>A pure function of text and catalogue. One instance judges one text, on one thread.
 */
final class Effects {
  /** Volatile, and yet without any effect: they give what is different each time. */
  private static final Set<String> HARMLESS =
      Set.of(
          "random",
          "random_normal",
          "gen_random_uuid",
          "uuidv4",
          "uuidv7",
          "clock_timestamp",
          "timeofday",
          // The methods of TABLESAMPLE, which draw lots.
          "bernoulli",
          "system",
          "array_sample",
          "array_shuffle",
          // They look at files or at the catalogue.
          "pg_relation_size",
          "pg_table_size",
          "pg_indexes_size",
          "pg_total_relation_size",
          "pg_database_size",
          "pg_partition_tree",
          "pg_partition_ancestors",
          "pg_sleep",
          "pg_sleep_for",
          "pg_sleep_until");

  /** Not volatile by the catalogue, and yet they take a transaction id, which a replica has not. */
  private static final Set<String> TAKE_AN_ID = Set.of("txid_current", "pg_current_xact_id");

  private static final Set<String> SESSION =
      Set.of(
          "set",
          "reset",
          "show",
          "begin",
          "start",
          "commit",
          "end",
          "rollback",
          "abort",
          "savepoint",
          "release",
          "prepare",
          "execute",
          "deallocate",
          "declare",
          "fetch",
          "move",
          "close",
          "discard",
          "listen",
          "unlisten",
          "load");

  /** What words of the grammar, rather than signs, call these operators. */
  private static final List<String> OPERATORS_OF_WORDS =
      List.of("=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~");

  /** Views on views on functions, so deep and no deeper. */
  private static final int DEPTH = 20;

  private final SqlCatalogue catalogue;
  private final SqlScanner.Backslash backslash;
  private final SqlReader reader;
  private final Set<String> open = new HashSet<>();

  Effects(SqlCatalogue catalogue, SqlScanner.Backslash backslash, SqlReader reader) {
    this.catalogue = catalogue;
    this.backslash = backslash;
    this.reader = reader;
  }

  /** What a statement does. */
  Verdict of(Statement statement, List<SqlToken> tokens) {
    if (statement instanceof SqlTree.Command command) {
      return command(command.words());
    }
    if (statement instanceof SqlTree.Explain explain) {
      if (explain.mode() == SqlTree.Explain.Mode.PLANS && explain.explained() != null) {
        return new Verdict(Effect.READS, "EXPLAIN only plans");
      }
      if (explain.explained() == null) {
        return tokens.stream().anyMatch(token -> token.is("execute"))
            ? new Verdict(Effect.SESSION, "it explains a prepared statement")
            : new Verdict(Effect.MAY_WRITE, "it explains something other than a statement on rows");
      }
      return rows(explain.explained(), tokens, catalogue);
    }
    return rows(statement, tokens, catalogue);
  }

  private static Verdict command(List<String> words) {
    String first = words.isEmpty() ? "" : words.get(0);
    String second = words.size() > 1 ? words.get(1) : "";
    boolean isTwoPhase =
        second.equals("prepared") || first.equals("prepare") && second.equals("transaction");
    if (SESSION.contains(first) && !isTwoPhase) {
      return new Verdict(Effect.SESSION, first.toUpperCase(java.util.Locale.ROOT));
    }
    return new Verdict(
        Effect.WRITES,
        first.isEmpty() ? "unknown" : first.toUpperCase(java.util.Locale.ROOT) + " is no query");
  }

  private Verdict rows(Statement statement, List<SqlToken> tokens, SqlCatalogue names) {
    Judgement judgement = new Judgement();
    Set<String> ctes = new HashSet<>();
    List<SqlTree.Relation> relations = new ArrayList<>();
    SqlWalk.over(statement, part -> look(part, judgement, ctes, relations, names));
    if (judgement.writes == null && judgement.unsure == null) {
      tokens(tokens, judgement, names);
      relations.forEach(relation -> relation(relation, ctes, judgement, names));
    }
    if (judgement.writes != null) {
      return new Verdict(Effect.WRITES, judgement.writes);
    } else if (judgement.unsure != null) {
      return new Verdict(Effect.MAY_WRITE, judgement.unsure);
    }
    return new Verdict(Effect.READS, "a query that calls nothing volatile");
  }

  /** What was found against a statement, null if nothing. */
  private static final class Judgement {
    private @Nullable String writes;
    private @Nullable String unsure;

    void writes(String why) {
      writes = writes == null ? why : writes;
    }

    void unsure(String why) {
      unsure = unsure == null ? why : unsure;
    }
  }

  private void look(
      Object part,
      Judgement judgement,
      Set<String> ctes,
      List<SqlTree.Relation> relations,
      SqlCatalogue names) {
    if (part instanceof SqlTree.Insert
        || part instanceof SqlTree.Update
        || part instanceof SqlTree.Delete
        || part instanceof SqlTree.Merge) {
      judgement.writes(
          "it is, or has inside, "
              + part.getClass().getSimpleName().toUpperCase(java.util.Locale.ROOT));
    } else if (part instanceof SqlTree.Query query) {
      query.ctes().forEach(cte -> ctes.add(cte.name()));
      if (query.tails().contains(SqlTree.Tail.LOCK)) {
        judgement.writes("it locks rows");
      }
    } else if (part instanceof SqlTree.Block block) {
      if (block.traits().contains(SqlTree.Trait.INTO)) {
        judgement.writes("SELECT INTO makes a table");
      }
    } else if (part instanceof SqlTree.Relation relation) {
      relations.add(relation);
    } else if (part instanceof SqlTree.Call call) {
      call(call, judgement, names);
    }
  }

  private void call(SqlTree.Call call, Judgement judgement, SqlCatalogue names) {
    List<FunctionRow> found = names.functions(call.name());
    if (found.isEmpty()) {
      judgement.unsure("the function " + String.join(".", call.name()) + " is not known");
    }
  }

  /** Looks at every name that may call something, whatever the tree takes it for. */
  private void tokens(List<SqlToken> tokens, Judgement judgement, SqlCatalogue names) {
    if (!names.alarms().isEmpty()) {
      judgement.unsure(names.alarms().get(0));
    }
    for (String operator : OPERATORS_OF_WORDS) {
      if (names.volatileOperators().contains(operator)) {
        judgement.unsure("an operator " + operator + " calls a volatile function");
      }
    }
    for (int i = 0; i < tokens.size() && judgement.unsure == null; i++) {
      SqlToken token = tokens.get(i);
      if (token.kind() == SqlToken.Kind.OPERATOR) {
        if (names.volatileOperators().contains(token.text())
            || !isPartOfSyntax(token) && !names.isQuietOperator(token.text())) {
          judgement.unsure("the operator " + token.text() + " is not known to be quiet");
        }
      } else if (token.isName()) {
        name(tokens, i, judgement, names);
      }
    }
  }

  /** A star may stand for all columns, an equals sign for an assignment. */
  private static boolean isPartOfSyntax(SqlToken token) {
    return token.text().equals("*") || token.text().equals("=");
  }

  private void name(List<SqlToken> tokens, int i, Judgement judgement, SqlCatalogue names) {
    SqlToken token = tokens.get(i);
    boolean isQualified = i > 0 && tokens.get(i - 1).isSign(".");
    boolean isCalled = i + 1 < tokens.size() && tokens.get(i + 1).isSign("(");
    if (names.isVolatileType(token.text())
        || !names.domainChecks(token.text()).stream().allMatch(this::onlyReadsStrictly)) {
      judgement.unsure("casts to " + token.text() + " may call a volatile function");
    }
    if (isQualified && !isCalled && !isQuietField(token.text(), names)) {
      judgement.unsure("." + token.text() + " may call a volatile function");
    }
    if (isCalled) {
      List<String> called =
          isQualified && i > 1 && tokens.get(i - 2).isName()
              ? List.of(tokens.get(i - 2).text(), token.text())
              : List.of(token.text());
      for (FunctionRow function : names.functions(called)) {
        function(function, judgement);
      }
    }
  }

  private void function(FunctionRow function, Judgement judgement) {
    boolean isBuiltIn = function.schema().equals("pg_catalog");
    if (isBuiltIn && TAKE_AN_ID.contains(function.name())) {
      judgement.unsure(function.name() + " takes a transaction id");
    } else if (!isQuiet(function)) {
      judgement.unsure("the function " + function.name() + " is volatile");
    }
  }

  private boolean isQuiet(FunctionRow function) {
    return function.volatility() == Volatility.QUIET
        || function.schema().equals("pg_catalog") && HARMLESS.contains(function.name())
        || function.body() != null && onlyReads(function.body(), catalogue);
  }

  /**
   * Whether {@code x.name} calls nothing that may write. The server looks for it on the path, like
   * any function; a volatile one that is only elsewhere, or not known, proves nothing.
   */
  private boolean isQuietField(String name, SqlCatalogue names) {
    if (!names.isVolatileField(name)) {
      return true;
    }
    List<FunctionRow> behind = names.functions(List.of(name));
    return !behind.isEmpty() && behind.stream().allMatch(this::isQuiet);
  }

  private void relation(
      SqlTree.Relation relation, Set<String> ctes, Judgement judgement, SqlCatalogue names) {
    RelationRow row = names.relation(relation.name());
    if (row == null) {
      if (relation.name().size() > 1 || !ctes.contains(relation.name().get(0))) {
        judgement.unsure("the table " + String.join(".", relation.name()) + " is not known");
      }
    } else if (row.kind() == RelationKind.FOREIGN) {
      judgement.unsure(row.name() + " is a foreign table");
    } else if (row.kind() == RelationKind.TEMPORARY || row.kind() == RelationKind.UNLOGGED) {
      judgement.unsure(row.name() + " is not on replicas");
    } else {
      for (String behind : row.behind()) {
        if (!onlyReadsStrictly(behind)) {
          judgement.unsure("what is behind " + row.name() + " may write");
        }
      }
    }
  }

  /** Of a text that the server printed, with every name qualified. */
  private boolean onlyReadsStrictly(String sql) {
    return onlyReads(sql, catalogue.withSearchPath(List.of("pg_catalog")));
  }

  /** Whether every statement of a text only reads. */
  private boolean onlyReads(String sql, SqlCatalogue names) {
    // What calls itself adds nothing to what it does.
    if (!open.add(sql)) {
      return true;
    }
    if (open.size() > DEPTH) {
      return false;
    }
    try {
      for (List<SqlToken> statement :
          SqlScanner.scan(sql, SqlScanner.Markers.NONE, backslash).statements()) {
        Statement tree = reader.read(statement);
        if (!(tree instanceof SqlTree.Query)
            || rows(tree, statement, names).effect() != Effect.READS) {
          return false;
        }
      }
      return true;
    } catch (UnreadableSqlException unreadable) {
      return false;
    }
  }
}
