package dev.waymark.routing;

import dev.waymark.Table;
import dev.waymark.routing.SqlCatalogue.Arity;
import dev.waymark.routing.SqlCatalogue.FunctionRow;
import dev.waymark.routing.SqlCatalogue.RelationKind;
import dev.waymark.routing.SqlCatalogue.RelationRow;
import dev.waymark.routing.SqlCatalogue.Sight;
import dev.waymark.routing.SqlCatalogue.Use;
import dev.waymark.routing.SqlCatalogue.Volatility;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A small database for tests that need no server: users, their orders and payments, countries. */
final class SmallCatalogue {
  static final Map<String, Table> TABLES = tables();
  static final SqlReader READER = new SqlReader();
  static final SqlCatalogueKeeper.Source SOURCE =
      new SqlCatalogueKeeper.Source() {
        @Override
        public SqlCatalogueKeeper.Reading load() {
          return new SqlCatalogueKeeper.Reading(List.of(catalogue()), true);
        }

        @Override
        public BuiltIns loadBuiltIns() {
          return BuiltIns.none();
        }
      };

  private SmallCatalogue() {}

  private static Map<String, Table> tables() {
    Map<String, Table> tables = new LinkedHashMap<>();
    tables.put("users", new Table.Sharded("users", "id"));
    tables.put("orders", new Table.Sharded("orders", "user_id"));
    tables.put("payments", new Table.Sharded("payments", "user_id"));
    tables.put("countries", new Table.Broadcast("countries"));
    return tables;
  }

  static SqlCatalogue catalogue() {
    List<RelationRow> relations =
        List.of(
            table("users", "id", "name", "country"),
            table("orders", "id", "user_id", "total", "placed"),
            table("payments", "id", "user_id", "order_id", "amount"),
            table("countries", "code", "name"),
            table("elsewhere", "id"),
            new RelationRow(
                "public",
                "names",
                RelationKind.VIEW,
                List.of("name"),
                List.of("SELECT users.name FROM public.users")),
            new RelationRow(
                "public",
                "numbers",
                RelationKind.VIEW,
                List.of("n"),
                List.of("SELECT nextval('s'::regclass) AS n")),
            new RelationRow("public", "strangers", RelationKind.FOREIGN, List.of("id"), List.of()),
            new RelationRow(
                "pg_temp_3", "scratch", RelationKind.TEMPORARY, List.of("id"), List.of()),
            new RelationRow("other", "users", RelationKind.STORED, List.of("id"), List.of()),
            new RelationRow(
                "pg_catalog",
                "pg_class",
                RelationKind.STORED,
                List.of("oid", "relname"),
                List.of()),
            new RelationRow(
                "public",
                "guarded",
                RelationKind.STORED,
                List.of("id"),
                List.of("SELECT public.watch(guarded.id)")));
    List<FunctionRow> functions = new ArrayList<>();
    for (String quiet :
        List.of(
            "lower",
            "upper",
            "length",
            "now",
            "coalesce",
            "date_trunc",
            "abs",
            "generate_series",
            "substring",
            "int8")) {
      functions.add(
          function(
              "pg_catalog", quiet, Volatility.QUIET, Arity.ONE, Use.ROW, Sight.ARGUMENTS, null));
    }
    for (String total :
        List.of(
            "count",
            "sum",
            "min",
            "max",
            "avg",
            "string_agg",
            "array_agg",
            "json_agg",
            "json_object_agg",
            "row_number",
            "rank")) {
      functions.add(
          function(
              "pg_catalog", total, Volatility.QUIET, Arity.ONE, Use.ROWS, Sight.ARGUMENTS, null));
    }
    for (String loud :
        List.of(
            "nextval",
            "setval",
            "pg_advisory_lock",
            "set_config",
            "random",
            "array_shuffle",
            "pg_partition_ancestors",
            "lo_unlink",
            "pg_notify")) {
      functions.add(
          function(
              "pg_catalog", loud, Volatility.VOLATILE, Arity.ONE, Use.ROW, Sight.ARGUMENTS, null));
    }
    functions.add(
        function(
            "pg_catalog",
            "txid_current",
            Volatility.QUIET,
            Arity.OTHER,
            Use.ROW,
            Sight.ARGUMENTS,
            null));
    functions.add(
        function("public", "touch", Volatility.VOLATILE, Arity.ONE, Use.ROW, Sight.TABLES, null));
    functions.add(
        function("public", "watch", Volatility.VOLATILE, Arity.ONE, Use.ROW, Sight.TABLES, null));
    functions.add(
        function(
            "public",
            "peek",
            Volatility.VOLATILE,
            Arity.ONE,
            Use.ROW,
            Sight.TABLES,
            "SELECT name FROM users WHERE id = $1"));
    functions.add(
        function(
            "public",
            "poke",
            Volatility.VOLATILE,
            Arity.ONE,
            Use.ROW,
            Sight.TABLES,
            "UPDATE users SET name = 'x' WHERE id = $1; SELECT 1"));
    functions.add(
        function("public", "knows", Volatility.QUIET, Arity.ONE, Use.ROW, Sight.TABLES, null));
    return SqlCatalogue.of(
        1,
        new SqlCatalogue.Rows(
            List.of("pg_temp_3", "pg_catalog", "public"),
            relations,
            functions,
            Set.of(
                "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "||", "->", "->>", "@>", "?",
                "~~", "!!!"),
            Set.of("!!!"),
            Set.of("shady"),
            Map.of(
                "positive",
                List.of("SELECT (VALUE > 0)"),
                "audited",
                List.of("SELECT public.touch(VALUE)")),
            List.of()));
  }

  static Plan plan(String sql) {
    return new Planner(TABLES, catalogue(), SqlScanner.Backslash.LITERAL, SmallCatalogue.READER)
        .plan(sql, SqlScanner.Markers.JDBC);
  }

  private static RelationRow table(String name, String... columns) {
    return new RelationRow("public", name, RelationKind.STORED, List.of(columns), List.of());
  }

  private static FunctionRow function(
      String schema,
      String name,
      Volatility volatility,
      Arity arity,
      Use use,
      Sight sight,
      @Nullable String body) {
    return new FunctionRow(schema, name, volatility, arity, use, sight, body);
  }
}
