package dev.waymark.routing;

import dev.waymark.Table;
import dev.waymark.routing.SqlScanner.Markers;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** The plan of every statement that comes by JDBC, made once for each text. Safe to share. */
final class Plans {
  private static final int MAXIMUM_PLANS = 10_000;
  private static final long MAXIMUM_CHARACTERS = 16_000_000;

  /** A schema changes rarely, and what goes wrong until that is noticed is told by the servers. */
  private static final long MAXIMUM_AGE_NANOS = TimeUnit.MINUTES.toNanos(5);

  private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** Beyond so many texts that turned out to write, all are forgotten and found out anew. */
  private static final int MAXIMUM_WRITING = 1_000;

  private static final Set<String> SCHEMA_CHANGES =
      Set.of("create", "alter", "drop", "import", "do");

  private final SqlCatalogueKeeper keeper;
  private final Map<String, Table> tables;
  private final SqlReader reader = new SqlReader();
  private final PlanCache<StatementPlan> cache =
      new PlanCache<>(MAXIMUM_PLANS, MAXIMUM_CHARACTERS, StatementPlan::catalogueVersion);

  /**
   * Texts that a server has refused to run as reads, whatever the catalogue says: they stay so over
   * its versions.
   */
  private final Set<String> writing = ConcurrentHashMap.newKeySet();

  /** Plans over tables, by the catalogue that a source gives. */
  Plans(Map<String, Table> tables, SqlCatalogueKeeper.Source source, LongSupplier nanoClock) {
    this.tables = tables;
    this.keeper = new SqlCatalogueKeeper(source, nanoClock, MAXIMUM_AGE_NANOS, PAUSE_NANOS);
  }

  /**
   * The plan of a text with JDBC's question marks.
   *
   * @throws SQLException if it cannot be judged now, as no server tells what it needs
   */
  StatementPlan of(String sql) throws SQLException {
    SqlCatalogue catalogue = keeper.current();
    StatementPlan known = cache.find(sql, catalogue.version());
    return known != null
        ? known
        : cache.get(sql, catalogue.version(), text -> make(text, Markers.JDBC, catalogue));
  }

  /** As {@link #of}, of a text sent without parameters, in which a question mark is itself. */
  StatementPlan ofLiteral(String sql) throws SQLException {
    // Rare, and not kept: the same text may be that of a prepared statement.
    return sql.indexOf('?') < 0 ? of(sql) : make(sql, Markers.NONE, keeper.current());
  }

  /**
   * The plan of a call as JDBC writes it: {@code {? = call f(?)}}. It is planned by what stands in
   * the braces, so that a hint is found and what the call touches is not.
   */
  StatementPlan ofCall(String sql) throws SQLException {
    String inner = sql.replace('{', ' ').replace('}', ' ');
    int call = inner.toLowerCase(java.util.Locale.ROOT).indexOf("call");
    int equals = inner.lastIndexOf('=', call);
    if (equals >= 0 && inner.substring(0, equals).strip().endsWith("?")) {
      inner =
          inner.substring(0, inner.lastIndexOf('?', equals)) + " " + inner.substring(equals + 1);
    }
    return of(inner);
  }

  private StatementPlan make(String sql, Markers markers, SqlCatalogue catalogue)
      throws SQLException {
    SqlScanner.Backslash backslash = SqlScanner.Backslash.LITERAL;
    Plan plan =
        completing(
            catalogue, known -> new Planner(tables, known, backslash, reader).plan(sql, markers));
    StatementPlan made;
    try {
      List<List<SqlToken>> statements = SqlScanner.scan(sql, markers, backslash).statements();
      List<SqlToken> tokens = statements.isEmpty() ? List.of() : statements.get(0);
      made =
          StatementPlan.of(
              sql,
              plan,
              plan.verdict().effect() == Verdict.Effect.SESSION
                  ? SessionStatement.of(tokens)
                  : SessionStatement.NONE,
              plan.keys() instanceof KeySource.Dealt ? dealt(sql, tokens, plan) : null,
              tokens.stream().anyMatch(token -> token.is("insert")),
              statements.size() > 1 || SessionStatement.mayLeaveSomething(tokens),
              statements.stream().anyMatch(Plans::mayChangeSchema));
    } catch (UnreadableSqlException unreadable) {
      made = StatementPlan.of(sql, plan, SessionStatement.NONE, null, true, true, true);
    }
    return writing.contains(sql) ? made.thatWrites() : made;
  }

  /**
   * Whether a statement is one that changes what plans are made by, or a block of code, as
   * migrations are. Functions and procedures are not taken for that: services call them for every
   * request, and a catalogue is read from every shard. What one of them changes is noticed as a
   * change from elsewhere is.
   */
  private static boolean mayChangeSchema(List<SqlToken> statement) {
    return !statement.isEmpty() && SCHEMA_CHANGES.stream().anyMatch(statement.get(0)::is);
  }

  private @Nullable DealtKey dealt(String sql, List<SqlToken> tokens, Plan plan) {
    Table.Sharded target = null;
    for (String table : plan.tables().keySet()) {
      if (tables.get(table) instanceof Table.Sharded sharded) {
        if (target != null) {
          return null;
        }
        target = sharded;
      }
    }
    return target == null ? null : DealtKey.in(sql, tokens, target.keyColumn());
  }

  /** How a write is done on several shards, or why not; throws as {@link #of} does. */
  SpreadWrites.Answer acrossShards(String sql, Markers markers) throws SQLException {
    return completing(
        keeper.current(),
        known ->
            new Planner(tables, known, SqlScanner.Backslash.LITERAL, reader)
                .acrossShards(sql, markers));
  }

  /** Plans by what is known, and once more by all that can be known if that is asked for. */
  private <T> T completing(SqlCatalogue catalogue, Function<SqlCatalogue, T> planning)
      throws SQLException {
    try {
      return planning.apply(catalogue);
    } catch (BuiltIns.UnreadException needed) {
      return planning.apply(keeper.completed(catalogue));
    }
  }

  /** A server has refused to run a text as a read. */
  void wrote(StatementPlan plan, String sql) {
    if (writing.size() >= MAXIMUM_WRITING) {
      writing.clear();
    }
    writing.add(sql);
    cache.keep(sql, plan.thatWrites());
  }

  /** A statement has failed, which may tell of a schema that is not known. */
  void failed(SQLException failure) {
    if (!"25006".equals(failure.getSQLState())) {
      keeper.failed(failure);
    }
  }

  /** The schema may have changed: by a statement of {@link StatementPlan#mayChangeSchema}. */
  void changed() {
    keeper.changed();
  }
}
