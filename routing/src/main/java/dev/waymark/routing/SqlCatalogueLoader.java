package dev.waymark.routing;

import dev.waymark.routing.SqlCatalogue.Arity;
import dev.waymark.routing.SqlCatalogue.FunctionRow;
import dev.waymark.routing.SqlCatalogue.RelationKind;
import dev.waymark.routing.SqlCatalogue.RelationRow;
import dev.waymark.routing.SqlCatalogue.Sight;
import dev.waymark.routing.SqlCatalogue.Use;
import dev.waymark.routing.SqlCatalogue.Volatility;
import java.sql.Array;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Reads a {@link SqlCatalogue} from a server. What users made is read each time, in two round
 * trips. What the server brings along, objects below 16384 (PostgreSQL's FirstNormalObjectId), is
 * read once, when it is first needed. Safe to share.
 */
final class SqlCatalogueLoader {
  /** The major one: what a server brings along is made with its data, and stays over minor ones. */
  private static final String VERSION = "current_setting('server_version_num')::int / 10000";

  /** With the server's version, which the driver's metadata would tell by many more classes. */
  private static final String SEARCH_PATH =
      """
      SELECT %s, schema
      FROM unnest(current_schemas(true)) WITH ORDINALITY AS path (schema, place) ORDER BY place
      """
          .formatted(VERSION);

  private static final String RELATIONS =
      """
      SELECT n.nspname, c.relname, c.relkind, c.relpersistence,
             (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
             CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END,
             CASE WHEN c.relrowsecurity THEN
               (SELECT array_agg('SELECT ' || pg_get_expr(p.polqual, p.polrelid))
                FROM pg_policy p WHERE p.polrelid = c.oid AND p.polqual IS NOT NULL) END
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 't') AND %s
        (c.oid < 16384 AND (n.nspname IN ('information_schema', 'pg_toast')
                            OR n.nspname = 'pg_catalog' AND starts_with(c.relname::text, 'pg_')))
      """;

  /** An aggregate is as volatile as the functions that it is made of, whatever it says itself. */
  private static final String FUNCTIONS =
      """
      SELECT n.nspname, p.proname,
             p.provolatile = 'v' OR EXISTS (
               SELECT FROM pg_aggregate g JOIN pg_proc s ON s.oid IN (
                 g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn,
                 g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn)
               WHERE g.aggfnoid = p.oid AND s.provolatile = 'v'),
             p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1 OR p.provariadic <> 0,
             p.prokind IN ('a', 'w'),
             p.oid >= 16384 AND p.provolatile <> 'i'
               AND p.prolang NOT IN (SELECT oid FROM pg_language WHERE lanname IN ('c', 'internal'))
               OR p.oid < 16384 AND p.proname ~ '^((table|schema|database|query|cursor)_to_xml|ts_stat)',
             CASE WHEN p.provolatile = 'v' AND p.prokind = 'f' AND p.proconfig IS NULL
                    AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql')
                  THEN coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) END
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE p.oid %s 16384
      """;

  /**
   * The types that {@code name(x)} casts to, if no function of the name takes x: for that the
   * server looks at functions first, and then at types of the name (parse_func.c, {@code
   * FuncNameAsType}). Such a cast calls what any cast does: what reads and writes the types, or a
   * function of a user's cast, which is looked for by the type's name.
   */
  private static final String BUILT_IN_CASTS =
      """
      SELECT n.nspname, t.typname, false, true, false, false, NULL
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE t.oid < 16384 AND t.typtype = 'b' AND NOT EXISTS (
          SELECT FROM pg_proc p
          WHERE p.oid IN (t.typinput, t.typoutput, t.typmodin) AND p.provolatile = 'v')
        AND NOT EXISTS (
          SELECT FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc
          WHERE c.casttarget = t.oid AND c.oid < 16384 AND p.provolatile = 'v')
      """;

  private static final String OPERATORS =
      """
      SELECT o.oprname, bool_or(p.provolatile = 'v')
      FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
      WHERE o.oid >= 16384 OR p.provolatile = 'v'
      GROUP BY o.oprname
      """;

  private static final String BUILT_IN_OPERATORS =
      "SELECT DISTINCT oprname FROM pg_operator WHERE oid < 16384";

  private static final String TYPES =
      """
      SELECT t.typname FROM pg_type t JOIN pg_proc p
        ON p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout)
      WHERE p.provolatile = 'v' AND t.typtype = 'b' AND t.oid >= 16384
      UNION
      SELECT t.typname FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc
        JOIN pg_type t ON t.oid IN (c.castsource, c.casttarget)
      WHERE p.provolatile = 'v' AND c.oid >= 16384
      """;

  private static final String DOMAINS =
      """
      SELECT t.typname, 'SELECT ' || pg_get_expr(c.conbin, 0)
      FROM pg_constraint c JOIN pg_type t ON t.oid = c.contypid
      WHERE c.contypid <> 0 AND c.contype = 'c' AND c.oid >= 16384
      """;

  private static final String ALARMS =
      """
      SELECT 'an implicit cast calls the volatile function ' || p.proname
      FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc
      WHERE p.provolatile = 'v' AND c.castcontext = 'i' AND c.oid >= 16384
      """;

  /**
   * So that the server prints every other name with its schema; and so that nothing waits for a
   * migration, which may hold the lock that the server takes to print a view.
   */
  private static final String SETTINGS =
      "SET LOCAL search_path = pg_catalog; SET LOCAL lock_timeout = '500ms'";

  /** Everything that users made, in one text: one round trip. The search path comes first. */
  private static final String MADE =
      String.join(
          ";",
          SEARCH_PATH,
          SETTINGS,
          RELATIONS.formatted("NOT"),
          FUNCTIONS.formatted(">="),
          OPERATORS,
          TYPES,
          DOMAINS,
          ALARMS);

  private final AtomicLong version = new AtomicLong();
  private volatile @Nullable BuiltIns builtIns;

  /**
   * Reads the catalogue as the connection's session sees it, without what the server brings along
   * unless that has been read before.
   *
   * @param connection in auto-commit mode; its search path is as before when this returns or throws
   * @throws SQLException also if a schema change in progress keeps a view locked for more than half
   *     a second
   */
  SqlCatalogue loadMade(Connection connection) throws SQLException {
    return inTransaction(connection, this::made);
  }

  /** Reads everything; otherwise as {@link #loadMade}. */
  SqlCatalogue load(Connection connection) throws SQLException {
    SqlCatalogue made = loadMade(connection);
    return made.builtIns().areRead() ? made : made.with(loadBuiltIns(connection));
  }

  /** Reads what the server brings along; otherwise as {@link #loadMade}. */
  BuiltIns loadBuiltIns(Connection connection) throws SQLException {
    BuiltIns read =
        inTransaction(
            connection,
            statement -> {
              statement.execute(SETTINGS);
              return BuiltIns.of(
                  column(statement.executeQuery("SELECT " + VERSION)).get(0),
                  relations(statement.executeQuery(RELATIONS.formatted(""))),
                  functions(
                      statement.executeQuery(
                          FUNCTIONS.formatted("<") + " UNION ALL " + BUILT_IN_CASTS)),
                  Set.copyOf(column(statement.executeQuery(BUILT_IN_OPERATORS))));
            });
    builtIns = read;
    return read;
  }

  /** Reads something. */
  private interface Reading<T> {
    T read(Statement statement) throws SQLException;
  }

  private static <T> T inTransaction(Connection connection, Reading<T> reading)
      throws SQLException {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      return reading.read(statement);
    } finally {
      connection.rollback();
      connection.setAutoCommit(true);
    }
  }

  private SqlCatalogue made(Statement statement) throws SQLException {
    statement.execute(MADE);
    String majorVersion = "";
    List<String> searchPath = new ArrayList<>();
    ResultSet path = statement.getResultSet();
    while (path.next()) {
      majorVersion = path.getString(1);
      searchPath.add(path.getString(2));
    }
    BuiltIns known = builtIns;
    BuiltIns below =
        known != null && known.majorVersion().equals(majorVersion)
            ? known
            : BuiltIns.unread(majorVersion);
    // The two settings have no rows.
    statement.getMoreResults();
    statement.getMoreResults();
    List<RelationRow> relations = relations(next(statement));
    List<FunctionRow> functions = functions(next(statement));
    Set<String> operators = new HashSet<>();
    Set<String> volatileOperators = new HashSet<>();
    ResultSet answer = next(statement);
    while (answer.next()) {
      operators.add(answer.getString(1));
      if (answer.getBoolean(2)) {
        volatileOperators.add(answer.getString(1));
      }
    }
    Set<String> types = new HashSet<>(column(next(statement)));
    Map<String, List<String>> checks = new HashMap<>();
    answer = next(statement);
    while (answer.next()) {
      checks
          .computeIfAbsent(answer.getString(1), name -> new ArrayList<>())
          .add(answer.getString(2));
    }
    return SqlCatalogue.of(
        version.incrementAndGet(),
        new SqlCatalogue.Rows(
            searchPath,
            relations,
            functions,
            operators,
            volatileOperators,
            types,
            checks,
            column(next(statement))),
        below);
  }

  private static ResultSet next(Statement statement) throws SQLException {
    if (!statement.getMoreResults()) {
      throw new SQLException("The server's catalogue came without one of its parts", "XX000");
    }
    return statement.getResultSet();
  }

  private static List<RelationRow> relations(ResultSet answer) throws SQLException {
    List<RelationRow> rows = new ArrayList<>();
    try (answer) {
      while (answer.next()) {
        List<String> behind = new ArrayList<>(strings(answer.getArray(7)));
        String view = answer.getString(6);
        if (view != null) {
          behind.add(view);
        }
        rows.add(
            new RelationRow(
                answer.getString(1),
                answer.getString(2),
                kind(answer.getString(3), answer.getString(4)),
                strings(answer.getArray(5)),
                behind));
      }
    }
    return rows;
  }

  private static RelationKind kind(String kind, String persistence) {
    if (persistence.equals("t")) {
      return RelationKind.TEMPORARY;
    } else if (persistence.equals("u")) {
      return RelationKind.UNLOGGED;
    }
    return switch (kind) {
      case "v" -> RelationKind.VIEW;
      case "f" -> RelationKind.FOREIGN;
      default -> RelationKind.STORED;
    };
  }

  private static List<FunctionRow> functions(ResultSet answer) throws SQLException {
    List<FunctionRow> rows = new ArrayList<>();
    try (answer) {
      while (answer.next()) {
        rows.add(
            new FunctionRow(
                answer.getString(1),
                answer.getString(2),
                answer.getBoolean(3) ? Volatility.VOLATILE : Volatility.QUIET,
                answer.getBoolean(4) ? Arity.ONE : Arity.OTHER,
                answer.getBoolean(5) ? Use.ROWS : Use.ROW,
                answer.getBoolean(6) ? Sight.TABLES : Sight.ARGUMENTS,
                body(answer.getString(7))));
      }
    }
    return rows;
  }

  /** A body in the standard's notation, as statements. */
  private static @Nullable String body(@Nullable String body) {
    if (body == null) {
      return null;
    }
    String text = body.strip();
    if (text.startsWith("RETURN ")) {
      return "SELECT " + text.substring("RETURN ".length());
    } else if (text.startsWith("BEGIN ATOMIC") && text.endsWith("END")) {
      return text.substring("BEGIN ATOMIC".length(), text.length() - "END".length());
    }
    return text;
  }

  private static List<String> column(ResultSet answer) throws SQLException {
    List<String> values = new ArrayList<>();
    try (answer) {
      while (answer.next()) {
        values.add(answer.getString(1));
      }
    }
    return values;
  }

  private static List<String> strings(@Nullable Array array) throws SQLException {
    return array == null ? List.of() : List.of((String[]) array.getArray());
  }
}
