package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.routing.Verdict.Effect;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SqlCatalogueLoaderIT {
  private SqlCatalogueLoader loader;
  private TestCluster cluster;

  @BeforeAll
  void startCluster() {
    cluster = TestCluster.builder().shards(1).replicas(0).start();
  }

  @AfterAll
  void stopCluster() {
    cluster.close();
  }

  @BeforeEach
  void clean() {
    loader = new SqlCatalogueLoader();
    server().execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  }

  private PostgresServer server() {
    return cluster.shard(0).primary();
  }

  private Verdict verdict(String sql) throws SQLException {
    try (Connection connection = server().connect()) {
      return plan(sql, loader.load(connection)).verdict();
    }
  }

  private static Plan plan(String sql, SqlCatalogue catalogue) {
    return new Planner(Map.of(), catalogue, SqlScanner.Backslash.LITERAL, SmallCatalogue.READER)
        .plan(sql, SqlScanner.Markers.JDBC);
  }

  private void assertReads(String sql) throws SQLException {
    Verdict verdict = verdict(sql);
    assertThat(verdict.effect()).as("%s: %s", sql, verdict.why()).isEqualTo(Effect.READS);
  }

  private void assertMayWrite(String sql) throws SQLException {
    assertThat(verdict(sql).effect()).as(sql).isEqualTo(Effect.MAY_WRITE);
  }

  @Test
  void whatTheServerBringsAlongIsJudged() throws SQLException {
    assertReads("SELECT upper(relname), count(*) FROM pg_class GROUP BY 1 ORDER BY 2");
    assertReads("SELECT * FROM information_schema.tables");
    assertReads("SELECT * FROM pg_stat_activity");
    assertReads("SELECT jsonb '{}' ?? 'a', now() - interval '1 day', ARRAY[1] @> ARRAY[2]");
    assertReads("SELECT tsquery('a'), inet(text('::1')), json('{}'), regtype('int4')");
    assertReads("SELECT pg_catalog.regclass('pg_class'), int4range('[1,2)'), _int4('{1}')");
    assertReads("SELECT normalize('a', NFC), normalize('a') IS NFD NORMALIZED");
    assertReads("SELECT json('{}' FORMAT JSON), json('{}' WITH UNIQUE KEYS)");
    assertMayWrite("SELECT nextval('s')");
    assertMayWrite("SELECT pg_advisory_lock(1)");
    assertMayWrite("SELECT lo_create(0)");
    assertMayWrite("SELECT pg_current_xact_id()");
    assertMayWrite("SELECT query_to_xml('DELETE FROM t', true, true, '')");
  }

  @Test
  void viewsAreLookedThrough() throws SQLException {
    server()
        .execute(
            """
            CREATE SEQUENCE s;
            CREATE TABLE t (a int);
            CREATE VIEW quiet AS SELECT a, lower('X') FROM t;
            CREATE VIEW loud AS SELECT nextval('s');
            CREATE VIEW above_loud AS SELECT * FROM loud, quiet;
            CREATE MATERIALIZED VIEW stored AS SELECT 1 AS a;
            """);

    assertReads("SELECT * FROM quiet");
    assertReads("SELECT * FROM stored");
    assertMayWrite("SELECT * FROM loud");
    assertMayWrite("SELECT * FROM above_loud");
  }

  @Test
  void functionsOfUsersAreJudgedByTheirBodies() throws SQLException {
    server()
        .execute(
            """
            CREATE TABLE t (a int);
            CREATE FUNCTION reads(int) RETURNS int LANGUAGE sql AS 'SELECT a FROM t WHERE a = $1';
            CREATE FUNCTION reads_too(x int) RETURNS int LANGUAGE sql RETURN x + 1;
            CREATE FUNCTION writes(int) RETURNS int LANGUAGE sql
              AS 'INSERT INTO t VALUES ($1) RETURNING a';
            CREATE FUNCTION calls_writes(int) RETURNS int LANGUAGE sql AS 'SELECT writes($1)';
            CREATE FUNCTION other_language(int) RETURNS int LANGUAGE plpgsql
              AS 'BEGIN RETURN 1; END';
            CREATE FUNCTION promised(int) RETURNS int LANGUAGE plpgsql STABLE
              AS 'BEGIN RETURN 1; END';
            CREATE FUNCTION of_row(t) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
            CREATE FUNCTION row_reads(t) RETURNS int LANGUAGE sql AS 'SELECT $1.a';
            CREATE FUNCTION row_writes(t) RETURNS int LANGUAGE sql
              AS 'INSERT INTO t VALUES ($1.a) RETURNING a';
            CREATE FUNCTION tsquery(t) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
            CREATE AGGREGATE loud_sum (int) (sfunc = loud_plus, stype = int);
            """
                .replace(
                    "CREATE AGGREGATE",
                    "CREATE FUNCTION loud_plus(int, int) RETURNS int LANGUAGE plpgsql"
                        + " AS 'BEGIN RETURN $1; END'; CREATE AGGREGATE"));

    // On its own: the driver would cut it at the semicolons inside beside other statements.
    server()
        .execute(
            """
            CREATE FUNCTION reads_twice(x int) RETURNS int LANGUAGE sql
              BEGIN ATOMIC SELECT 1; SELECT a FROM t WHERE a = x; END
            """);

    assertReads("SELECT reads(1), reads_too(2), reads_twice(3), promised(4)");
    assertMayWrite("SELECT writes(1)");
    assertMayWrite("SELECT calls_writes(1)");
    assertMayWrite("SELECT other_language(1)");
    assertMayWrite("SELECT t.of_row FROM t");
    assertMayWrite("SELECT (t).of_row FROM t");
    assertReads("SELECT t.row_reads, (t).row_reads FROM t");
    assertMayWrite("SELECT t.row_writes FROM t");
    assertMayWrite("SELECT tsquery('x')");
    assertMayWrite("SELECT loud_sum(a) FROM t");
  }

  @Test
  void whatHidesInTypesOperatorsAndPoliciesIsFound() throws SQLException {
    server()
        .execute(
            """
            CREATE FUNCTION loud(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
            CREATE FUNCTION loud2(int, int) RETURNS boolean LANGUAGE plpgsql
              AS 'BEGIN RETURN true; END';
            CREATE DOMAIN quiet_domain AS int CHECK (VALUE > 0);
            CREATE DOMAIN loud_domain AS int CHECK (loud(VALUE));
            CREATE OPERATOR <!> (leftarg = int, rightarg = int, function = loud2);
            CREATE TABLE guarded (a int);
            ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
            CREATE POLICY p ON guarded USING (loud(a));
            CREATE TABLE fenced (a int);
            ALTER TABLE fenced ENABLE ROW LEVEL SECURITY;
            CREATE POLICY p ON fenced USING (a > 0);
            """);

    assertReads("SELECT 1::quiet_domain");
    assertReads("SELECT * FROM fenced");
    assertMayWrite("SELECT 1::loud_domain");
    assertMayWrite("SELECT 1 <!> 2");
    assertMayWrite("SELECT * FROM guarded");
  }

  @Test
  void namesAreLookedForAlongTheSearchPath() throws SQLException {
    server()
        .execute(
            """
            DROP SCHEMA IF EXISTS first CASCADE;
            CREATE SCHEMA first;
            CREATE TABLE public.t (a int, b int);
            CREATE VIEW first.t AS SELECT pg_backend_pid() AS c, random() AS d;
            """);
    try (Connection connection = server().connect();
        Statement statement = connection.createStatement()) {
      assertThat(loader.load(connection).columns(List.of("t"))).containsExactly("a", "b");
      statement.execute("SET search_path = first, public");
      assertThat(loader.load(connection).columns(List.of("t"))).containsExactly("c", "d");
      statement.execute("CREATE TEMP TABLE t (e int)");
      assertThat(loader.load(connection).columns(List.of("t"))).containsExactly("e");
      assertThat(loader.load(connection).columns(List.of("public", "t"))).containsExactly("a", "b");
      try (ResultSet path = statement.executeQuery("SHOW search_path")) {
        path.next();
        assertThat(path.getString(1)).isEqualTo("first, public");
      }
      assertThat(connection.getAutoCommit()).isTrue();
    }
  }

  @Test
  void eachLoadHasAGreaterVersion() throws SQLException {
    try (Connection connection = server().connect()) {
      assertThat(loader.load(connection).version()).isLessThan(loader.load(connection).version());
    }
  }

  @Test
  void aSchemaChangeInProgressIsNotWaitedFor() throws SQLException {
    server().execute("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t");
    try (Connection changing = server().connect();
        Connection loading = server().connect()) {
      changing.setAutoCommit(false);
      try (Statement statement = changing.createStatement()) {
        statement.execute("ALTER TABLE t ADD COLUMN b int");
        statement.execute("LOCK TABLE v IN ACCESS EXCLUSIVE MODE");

        assertThatThrownBy(() -> loader.load(loading))
            .isInstanceOfSatisfying(
                SQLException.class, locked -> assertThat(locked.getSQLState()).isEqualTo("55P03"));
      } finally {
        changing.rollback();
      }
      assertThat(loader.load(loading).columns(List.of("v"))).containsExactly("a");
    }
  }

  @Test
  void aTableOfUsersIsKnownWithoutWhatTheServerBringsAlong() throws SQLException {
    server()
        .execute(
            "CREATE TABLE t (a int);"
                + " CREATE VIEW v AS SELECT now();"
                + " CREATE TABLE pg_like (a int)");
    String sql = "SELECT a FROM t WHERE a = ?";
    try (Connection connection = server().connect()) {
      SqlCatalogue made = loader.loadMade(connection);

      assertThat(made.builtIns().areRead()).isFalse();
      assertThat(plan(sql, made).verdict().effect()).isEqualTo(Effect.READS);
      for (String more :
          List.of(
              "SELECT a FROM v WHERE a = ?",
              "SELECT a FROM pg_like WHERE a = ?",
              "SELECT oid FROM pg_class WHERE oid = ?",
              "SELECT lower(a) FROM t WHERE a = ?",
              "SELECT t.a FROM t WHERE a = ?",
              "SELECT a FROM t WHERE a > ?")) {
        assertThatThrownBy(() -> plan(more, made)).isInstanceOf(BuiltIns.UnreadException.class);
        assertThat(plan(more, loader.load(connection)).verdict().effect())
            .as(more)
            .isEqualTo(Effect.READS);
      }
      assertThat(loader.loadMade(connection).builtIns().areRead()).isTrue();
    }
  }

  @Test
  void noTableOfTheServersOwnHasANameThatAUsersTableMayHave() throws SQLException {
    try (Connection connection = server().connect();
        Statement statement = connection.createStatement();
        ResultSet answer =
            statement.executeQuery(
                "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace"
                    + " AND oid < 16384 AND relkind <> 'i' AND NOT starts_with(relname, 'pg_')")) {
      assertThat(answer.next()).isFalse();
    }
  }
}
