package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.Verdict.Effect;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GrammarGapsTest {
  private static Plan plan(String sql) {
    return SmallCatalogue.plan(sql);
  }

  private static SqlTree.Statement tree(String sql) {
    return new SqlGrammar()
        .read(
            SqlScanner.scan(sql, SqlScanner.Markers.JDBC, SqlScanner.Backslash.LITERAL)
                .statements()
                .get(0));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT n FROM (SELECT count(*) AS n FROM users)",
        "SELECT * FROM (SELECT 1), (VALUES (2)) WHERE column1 = 2",
        "SELECT * FROM ((SELECT 1 AS x)), ((SELECT * FROM ((SELECT 2 AS y))))",
        "SELECT * FROM users u JOIN (SELECT user_id FROM orders) ON user_id = u.id LIMIT 1",
        "SELECT * FROM users u, LATERAL (SELECT * FROM orders o WHERE o.user_id = u.id) ORDER BY 1",
        "SELECT * FROM users JOIN orders USING (id) AS x WHERE x.id = 1",
        "SELECT * FROM users LEFT JOIN orders USING (id) AS x LEFT JOIN payments ON x.id = user_id",
        "SELECT country, count(*) FROM users GROUP BY DISTINCT ROLLUP (country), ROLLUP (country)",
        "SELECT country FROM users GROUP BY ALL country",
        "SELECT now() AT LOCAL, (now() AT LOCAL)",
        "VALUES (TIMESTAMP '1978-07-07 19:38' AT LOCAL, 'a' IS NORMALIZED)",
        "SELECT json_arrayagg(name ORDER BY id) FILTER (WHERE id > 2) FROM users",
        "SELECT json_arrayagg(name) FILTER (WHERE id > 2) OVER (PARTITION BY id) FROM users",
        "SELECT json_objectagg(id : name WITH UNIQUE KEYS) OVER (ORDER BY id) AS x FROM users",
        "SELECT name IS NORMALIZED, name IS NOT NFKC NORMALIZED FROM users",
        "SELECT xmlserialize(DOCUMENT '<a/>' AS text INDENT)",
        "SELECT xmlserialize(CONTENT '<a/>' AS text NO INDENT)",
        "SELECT json_array(), json_array(RETURNING jsonb FORMAT JSON)",
        "SELECT json_query(NULL FORMAT JSON, '$')",
        "SELECT json_scalar(1) FROM (SELECT 1)",
      })
  void whatTheGrammarDoesNotKnowIsReadAllTheSame(String sql) {
    assertThat(tree(sql)).isInstanceOf(SqlTree.Query.class);
    assertThat(plan(sql).verdict().effect()).as(plan(sql).verdict().why()).isEqualTo(Effect.READS);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT * FROM (SELECT touch(1))",
        "SELECT * FROM (SELECT * FROM users FOR UPDATE)",
        "SELECT * FROM users JOIN (WITH d AS (DELETE FROM orders RETURNING 1) SELECT 1) ON true",
        "SELECT * FROM users JOIN orders USING (id) AS x WHERE touch(x.id)",
        "SELECT json_array(RETURNING shady)",
        "SELECT json_arrayagg(touch(id)) FILTER (WHERE id > 2) FROM users",
        "SELECT json_arrayagg(id) FILTER (WHERE touch(id)) FROM users",
        "SELECT xmlserialize(CONTENT touch(1) AS text INDENT)",
        "SELECT * FROM (SELECT 1) (SELECT 2)",
        "SELECT (SELECT 1) (SELECT 2)",
        "SELECT 1 INDENT NO",
        "SELECT * FROM users USING (id) AS x",
      })
  void whatMayWriteOrIsNoStatementIsNotHelpedBy(String sql) {
    assertThat(plan(sql).verdict().effect()).as(sql).isNotEqualTo(Effect.READS);
  }

  @Test
  void aQueryWithoutANameIsTiedToKeysAsOneWithAName() {
    String inner = "SELECT o.total FROM (SELECT * FROM orders WHERE user_id = ?)";

    assertThat(plan(inner.replace("o.", "")).keys())
        .isEqualTo(plan(inner + " AS o").keys())
        .isInstanceOf(KeySource.Keys.class);
  }

  /** Inside, x is what USING merged, and not the table outside, whose key it would be. */
  @Test
  void theNameOfAJoinHidesATableOutside() {
    String sql =
        "SELECT * FROM users x WHERE x.id = 1 AND EXISTS (SELECT 1 FROM payments p"
            + " JOIN countries c USING (%s) %s JOIN orders o ON o.user_id = x.id WHERE p.user_id = 1)";

    assertThat(plan(sql.formatted("code", "")).keys()).isInstanceOf(KeySource.Keys.class);
    assertThat(plan(sql.formatted("code", "AS x")).keys()).isNotInstanceOf(KeySource.Keys.class);
  }

  @Test
  void onlySoManyGapsAreFilled() {
    String many = "SELECT * FROM " + "(SELECT 1), ".repeat(50) + "(SELECT 2)";

    assertThat(plan(many).refusal()).isNotNull();
    assertThat(plan(many).refusal().code()).isEqualTo(SqlCode.UNREADABLE);
  }
}
