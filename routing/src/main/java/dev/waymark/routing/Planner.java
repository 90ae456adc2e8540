package dev.waymark.routing;

import dev.waymark.Table;
import dev.waymark.routing.Confinement.Place;
import dev.waymark.routing.SqlCatalogue.FunctionRow;
import dev.waymark.routing.SqlCatalogue.Sight;
import dev.waymark.routing.SqlTree.Statement;
import dev.waymark.routing.Verdict.Effect;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Makes {@link Plan}s: a pure function of a text, the shard map's tables and a catalogue. What is
 * not understood is never guessed at; it is refused, or runs on the primary of the shard that the
 * application names. Safe to share.
 */
final class Planner {
  private static final Hints NO_HINTS = Hints.none();

  private final SqlCatalogue catalogue;
  private final TableNames tables;
  private final SqlScanner.Backslash backslash;
  private final SqlReader reader;

  Planner(
      Map<String, Table> tables,
      SqlCatalogue catalogue,
      SqlScanner.Backslash backslash,
      SqlReader reader) {
    this.catalogue = catalogue;
    this.tables = new TableNames(tables, catalogue);
    this.backslash = backslash;
    this.reader = reader;
  }

  /**
   * The plan of a text. What cannot be planned is a plan that is refused.
   *
   * @throws BuiltIns.UnreadException only if the catalogue has not read what the server brings
   *     along, and the plan depends on it
   */
  Plan plan(String sql, SqlScanner.Markers markers) {
    Hints hints = NO_HINTS;
    try {
      SqlTokens tokens = SqlScanner.scan(sql, markers, backslash);
      hints = Hints.of(tokens.comments());
      List<List<SqlToken>> statements = tokens.statements();
      if (statements.isEmpty()) {
        return plan(new Verdict(Effect.SESSION, "it is empty"), hints);
      } else if (statements.size() > 1) {
        return refused(
            Effect.MAY_WRITE,
            new Refusal(SqlCode.SEVERAL_STATEMENTS, "The text holds several statements"),
            hints);
      }
      return plan(reader.read(statements.get(0)), statements.get(0), sql, hints);
    } catch (Hints.BadHintException bad) {
      return refused(
          Effect.MAY_WRITE,
          new Refusal(SqlCode.BAD_HINT, "The hint cannot be followed: " + bad.getMessage()),
          NO_HINTS);
    } catch (UnreadableSqlException unreadable) {
      return refused(
          Effect.MAY_WRITE,
          new Refusal(
              SqlCode.UNREADABLE, "The statement is not understood: " + unreadable.getMessage()),
          hints);
    }
  }

  /**
   * How a write is done in a transaction over several shards, if its plan says that it concerns
   * several or ties its rows to no key.
   *
   * @throws BuiltIns.UnreadException as {@link #plan(String, SqlScanner.Markers)} does
   */
  SpreadWrites.Answer acrossShards(String sql, SqlScanner.Markers markers) {
    try {
      SqlTokens scanned = SqlScanner.scan(sql, markers, backslash);
      if (Hints.of(scanned.comments()).node() == Hints.Node.REPLICA) {
        return new SpreadWrites.Answer(
            null, new Refusal(SqlCode.BAD_HINT, "The hint says replica, and the statement writes"));
      }
      List<List<SqlToken>> statements = scanned.statements();
      if (statements.size() != 1) {
        return new SpreadWrites.Answer(
            null, new Refusal(SqlCode.SEVERAL_STATEMENTS, "The text does not hold one statement"));
      }
      List<SqlToken> tokens = statements.get(0);
      Statement statement = reader.read(tokens);
      String hidden = seesTables(statement);
      return hidden != null
          ? new SpreadWrites.Answer(
              null,
              new Refusal(
                  SqlCode.HIDDEN_TABLES,
                  "The function " + hidden + " may read tables that are not named"))
          : new SpreadWrites(statement, tokens, sql, tables, catalogue, markers).answer();
    } catch (Hints.BadHintException bad) {
      return new SpreadWrites.Answer(
          null, new Refusal(SqlCode.BAD_HINT, "The hint cannot be followed: " + bad.getMessage()));
    } catch (UnreadableSqlException unreadable) {
      return new SpreadWrites.Answer(
          null,
          new Refusal(
              SqlCode.UNREADABLE, "The statement is not understood: " + unreadable.getMessage()));
    }
  }

  private Plan plan(Statement statement, List<SqlToken> tokens, String sql, Hints hints) {
    Verdict verdict = new Effects(catalogue, backslash, reader).of(statement, tokens);
    if (hints.node() == Hints.Node.REPLICA && verdict.effect() == Effect.WRITES) {
      return refused(
          verdict,
          new Refusal(
              SqlCode.BAD_HINT,
              "The hint says replica, and the statement writes: " + verdict.why()),
          hints);
    }
    if (verdict.effect() == Effect.SESSION) {
      return plan(verdict, hints);
    }
    Confinement confinement = Confinement.of(statement, tables);
    Refusal refusal = refusal(statement, verdict, confinement);
    if (refusal != null) {
      return new Plan(
          verdict,
          new KeySource.EveryShard(),
          null,
          refusal,
          null,
          null,
          confinement.used(),
          hints,
          catalogue.version());
    }
    return spread(statement, tokens, sql, verdict, confinement, hints);
  }

  /** Why the statement cannot be run without a shard being named. */
  private @Nullable Refusal refusal(Statement statement, Verdict verdict, Confinement confinement) {
    if (confinement.refusal() != null) {
      return confinement.refusal();
    }
    String hidden = seesTables(statement);
    if (hidden != null) {
      return new Refusal(
          SqlCode.HIDDEN_TABLES, "The function " + hidden + " may read tables that are not named");
    }
    if (!confinement.isSharded()
        && confinement.broadcast().isEmpty()
        && verdict.effect() != Effect.READS) {
      return new Refusal(SqlCode.NO_SHARD_NAMED, "It may write, and names no table with a key");
    }
    return null;
  }

  private @Nullable String seesTables(Statement statement) {
    String[] found = new String[1];
    SqlWalk.over(
        statement,
        part -> {
          if (part instanceof SqlTree.Call call) {
            List<FunctionRow> functions = catalogue.functions(call.name());
            if (functions.isEmpty()
                || functions.stream().anyMatch(function -> function.sight() == Sight.TABLES)) {
              found[0] = String.join(".", call.name());
            }
          }
        });
    return found[0];
  }

  private Plan spread(
      Statement statement,
      List<SqlToken> tokens,
      String sql,
      Verdict verdict,
      Confinement confinement,
      Hints hints) {
    Place loose = confinement.loose();
    boolean writesBroadcast = writesBroadcast(statement);
    if (writesBroadcast && confinement.isSharded()) {
      return refusedKeeping(
          verdict,
          confinement,
          new Refusal(
              SqlCode.WRITES_ON_SEVERAL_SHARDS,
              "A broadcast table would get different rows on each shard"),
          hints);
    } else if (writesBroadcast) {
      return new Plan(
          verdict,
          new KeySource.EveryShard(),
          null,
          null,
          new Refusal(
              SqlCode.WRITES_ON_SEVERAL_SHARDS, "A broadcast table is written on every shard"),
          null,
          confinement.used(),
          hints,
          catalogue.version());
    } else if (!confinement.isSharded()) {
      return new Plan(
          verdict,
          new KeySource.AnyShard(),
          null,
          null,
          null,
          null,
          confinement.used(),
          hints,
          catalogue.version());
    }
    KeySource keys = loose == null ? confinement.keys() : new KeySource.EveryShard();
    if (keys instanceof KeySource.Keys found
        && confinement.isDealt()
        && found.terms().isEmpty()
        && found.spans().isEmpty()) {
      keys = new KeySource.Dealt();
    }
    if (verdict.effect() == Effect.WRITES || verdict.effect() == Effect.MAY_WRITE) {
      Refusal several =
          new Refusal(SqlCode.WRITES_ON_SEVERAL_SHARDS, "It may write to keys of several shards");
      if (loose != null) {
        return refusedKeeping(verdict, confinement, noKey(loose), hints);
      }
      return new Plan(
          verdict, keys, null, null, several, null, confinement.used(), hints, catalogue.version());
    }
    if (keys instanceof KeySource.Keys found && found.isAtMostOne()) {
      return new Plan(
          verdict, keys, null, null, null, null, confinement.used(), hints, catalogue.version());
    }
    CrossShard.Answer answer = CrossShard.of(statement, tables, catalogue);
    Refusal refusal = loose != null ? answer.refusal() : null;
    if (refusal != null && loose != null) {
      refusal = new Refusal(refusal.code(), refusal.reason() + "; and " + noKey(loose).reason());
    }
    return new Plan(
        verdict,
        keys,
        answer.merged(),
        refusal,
        refusal == null ? answer.refusal() : null,
        answer.refusal() == null
            ? null
            : EngineShapes.of(statement, tokens, sql, tables, catalogue),
        confinement.used(),
        hints,
        catalogue.version());
  }

  private static Refusal noKey(Place loose) {
    return new Refusal(
        SqlCode.NO_KEY,
        "the rows of " + loose.table() + " are not tied to a key by " + loose.keyColumn());
  }

  private boolean writesBroadcast(Statement statement) {
    boolean[] found = new boolean[1];
    SqlWalk.over(
        statement,
        part -> {
          SqlTree.Relation target =
              part instanceof SqlTree.Insert insert
                  ? insert.target()
                  : part instanceof SqlTree.Update update
                      ? update.target()
                      : part instanceof SqlTree.Delete delete ? delete.target() : null;
          found[0] |=
              target != null && tables.of(target.name()) instanceof TableNames.Meaning.Broadcast;
        });
    return found[0];
  }

  // ---- plans --------------------------------------------------------------------------------

  private Plan plan(Verdict verdict, Hints hints) {
    return new Plan(
        verdict,
        new KeySource.AnyShard(),
        null,
        null,
        null,
        null,
        Map.of(),
        hints,
        catalogue.version());
  }

  private Plan refused(Effect effect, Refusal refusal, Hints hints) {
    return refused(new Verdict(effect, refusal.reason()), refusal, hints);
  }

  private Plan refused(Verdict verdict, Refusal refusal, Hints hints) {
    return new Plan(
        verdict,
        new KeySource.EveryShard(),
        null,
        refusal,
        null,
        null,
        Map.of(),
        hints,
        catalogue.version());
  }

  private Plan refusedKeeping(
      Verdict verdict, Confinement confinement, Refusal refusal, Hints hints) {
    return new Plan(
        verdict,
        new KeySource.EveryShard(),
        null,
        refusal,
        null,
        null,
        confinement.used(),
        hints,
        catalogue.version());
  }
}
