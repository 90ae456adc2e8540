package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.Verdict.Effect;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EffectsTest {
  private static Verdict verdict(String sql) {
    return SmallCatalogue.plan(sql).verdict();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT * FROM users WHERE id = ?",
        "(SELECT 1)",
        "TABLE users",
        "VALUES (1), (2)",
        "WITH u AS (SELECT * FROM users) SELECT * FROM u",
        "SELECT lower(name), now() FROM users",
        "SELECT pg_catalog.lower(name) FROM public.users",
        "SELECT count(*) FILTER (WHERE total > 5) FROM orders",
        "SELECT * FROM names",
        "SELECT random()",
        "SELECT array_shuffle(ARRAY[1, 2])",
        "SELECT * FROM pg_partition_ancestors('users')",
        "SELECT abs(x => ?)",
        "SELECT abs(x =>?)",
        "SELECT abs(x =>-1)",
        "SELECT abs(x =>/* absolute */1)",
        "SELECT peek(5)",
        "SELECT u.peek FROM users u",
        "SELECT (u).peek FROM users u",
        "SELECT 5::positive",
        "SELECT 'nextval(1)', $$ FOR UPDATE $$",
        "SELECT name AS \"nextval\" FROM users /* DELETE FROM users */",
        "EXPLAIN DELETE FROM users",
        "EXPLAIN (COSTS off) SELECT 1",
        "EXPLAIN CREATE TABLE t AS SELECT * FROM users",
        "EXPLAIN (VERBOSE) CREATE MATERIALIZED VIEW v AS SELECT * FROM users WITH NO DATA",
        "EXPLAIN DECLARE c SCROLL CURSOR FOR SELECT * FROM users",
        "EXPLAIN ANALYZE SELECT * FROM users",
        "SELECT * FROM users u (a, b, c)",
        "SELECT CAST(name AS varchar(10)) FROM users WHERE id IN (1, 2)",
      })
  void reads(String sql) {
    assertThat(verdict(sql).effect()).as(verdict(sql).why()).isEqualTo(Effect.READS);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "INSERT INTO users VALUES (?, ?, ?)",
        "UPDATE users SET name = ? WHERE id = ?",
        "DELETE FROM users WHERE id = ?",
        "MERGE INTO users u USING (VALUES (1)) v (id) ON u.id = v.id WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM users RETURNING *) SELECT * FROM gone",
        "SELECT * FROM (SELECT 1) x WHERE EXISTS (WITH d AS (DELETE FROM users RETURNING 1) SELECT * FROM d)",
        "SELECT * FROM users WHERE id = ? FOR UPDATE",
        "SELECT * FROM users FOR NO KEY UPDATE SKIP LOCKED",
        "SELECT * FROM (SELECT * FROM users FOR SHARE) u",
        "SELECT * INTO copy FROM users",
        "/* SELECT */ DELETE FROM users",
        "-- SELECT\nDELETE FROM users",
        "/* /* */ SELECT */ DELETE FROM users",
        "EXPLAIN ANALYZE DELETE FROM users",
        "EXPLAIN (ANALYZE, COSTS off) UPDATE users SET name = ''",
        "CREATE TABLE t (a int)",
        "CREATE TEMP TABLE t AS SELECT 1",
        "TRUNCATE users",
        "COPY users FROM STDIN",
        "CALL p()",
        "DO $$ BEGIN END $$",
        "LOCK TABLE users",
        "PREPARE TRANSACTION 'x'",
        "COMMIT PREPARED 'x'",
        "VACUUM",
        "NOTIFY x",
      })
  void writes(String sql) {
    assertThat(verdict(sql).effect()).as(verdict(sql).why()).isEqualTo(Effect.WRITES);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT nextval('s')",
        "SELECT \"nextval\"('s')",
        "SELECT pg_catalog . nextval ('s')",
        "SELECT NEXTVAL/* */('s')",
        "SELECT * FROM users WHERE id = (SELECT setval('s', 1))",
        "SELECT pg_advisory_lock(1)",
        "SELECT set_config('a', 'b', false)",
        "SELECT txid_current()",
        "SELECT pg_notify('a', 'b')",
        "SELECT touch(1)",
        "SELECT u.touch FROM users u",
        "SELECT u.poke FROM users u",
        "SELECT (u).touch FROM users u",
        "SELECT (u).\"touch\" FROM users u",
        "SELECT poke(1)",
        "SELECT unheard_of(1)",
        "SELECT * FROM unheard_of",
        "SELECT * FROM numbers",
        "SELECT * FROM guarded",
        "SELECT * FROM strangers",
        "SELECT * FROM scratch",
        "SELECT 1 !!! 2",
        "SELECT 1 <<>> 2",
        "SELECT 'x'::shady",
        "SELECT 5::audited",
        "SELECT * FROM users ORDER BY touch(id)",
        "SELECT * FROM users LIMIT touch(1)",
        "SELECT sum(total) OVER (ORDER BY touch(id)) FROM orders",
        "SELECT * FROM users TABLESAMPLE system (touch(1))",
        "SELECT * FROM touch(1) AS t",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM users",
        "SELEKT 1",
        "EXPLAIN ANALYZE EXECUTE p",
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT 1",
        "EXPLAIN (ANALYZE) CREATE MATERIALIZED VIEW v AS SELECT 1",
        "CREATE RULE r AS ON INSERT TO users DO (SELECT 1; SELECT 2)",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
      })
  void isNotProvedToRead(String sql) {
    assertThat(verdict(sql).effect()).as(verdict(sql).why()).isNotEqualTo(Effect.READS);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SET search_path = other",
        "SHOW all",
        "BEGIN",
        "START TRANSACTION",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "LISTEN x",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "FETCH 1 FROM c",
        "DECLARE c CURSOR FOR SELECT 1",
        "DISCARD ALL",
        "",
        " ; "
      })
  void concernsTheSession(String sql) {
    assertThat(verdict(sql).effect()).isEqualTo(Effect.SESSION);
  }

  @Test
  void withoutACatalogueNothingThatCallsAnythingIsProved() {
    Planner planner =
        new Planner(
            SmallCatalogue.TABLES,
            SqlCatalogue.unknown(),
            SqlScanner.Backslash.LITERAL,
            SmallCatalogue.READER);

    // The last one calls something without looking like it.
    for (String sql : List.of("SELECT lower(name) FROM users", "SELECT ('s'::regclass).nextval")) {
      assertThat(planner.plan(sql, SqlScanner.Markers.JDBC).verdict().effect())
          .as(sql)
          .isEqualTo(Effect.MAY_WRITE);
    }
  }

  @Test
  void aVolatileImplicitCastEndsAllProofs() {
    SqlCatalogue.Rows rows =
        new SqlCatalogue.Rows(
            java.util.List.of("public"),
            java.util.List.of(),
            java.util.List.of(),
            java.util.Set.of(),
            java.util.Set.of(),
            java.util.Set.of(),
            java.util.Map.of(),
            java.util.List.of("an implicit cast calls the volatile function f"));
    Planner planner =
        new Planner(
            SmallCatalogue.TABLES,
            SqlCatalogue.of(1, rows),
            SqlScanner.Backslash.LITERAL,
            SmallCatalogue.READER);

    assertThat(planner.plan("SELECT 1", SqlScanner.Markers.JDBC).verdict().why())
        .isEqualTo("an implicit cast calls the volatile function f");
  }

  @Test
  void hintsSayWhereItRuns() {
    assertThat(SmallCatalogue.plan("SELECT 1 /* waymark: primary */").mayRunOnReplica()).isFalse();
    assertThat(SmallCatalogue.plan("/* waymark: replica */ SELECT touch(1)").mayRunOnReplica())
        .isTrue();
    assertThat(SmallCatalogue.plan("-- waymark: key=42, primary\nSELECT 1").hints())
        .isEqualTo(new Hints(Hints.Node.PRIMARY, 42L));
    assertThat(SmallCatalogue.plan("SELECT '/* waymark: primary */'").hints())
        .isEqualTo(Hints.none());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "DELETE FROM users WHERE id = 1 /* waymark: replica */",
        "SELECT 1 /* waymark: nowhere */",
        "SELECT 1 /* waymark: key=x */",
        "SELECT 1 /* waymark: key=1 */ /* waymark: key=2 */",
        "SELECT 1 /* waymark: primary, replica */",
      })
  void aHintThatCannotBeFollowedIsRefused(String sql) {
    assertThat(SmallCatalogue.plan(sql).refusal().code()).isEqualTo(SqlCode.BAD_HINT);
    assertThat(SmallCatalogue.plan(sql).mayRunOnReplica()).isFalse();
  }
}
