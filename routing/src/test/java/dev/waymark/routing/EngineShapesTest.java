package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.waymark.Table;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EngineShapesTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT count(DISTINCT country) FROM users",
        "SELECT country, count(DISTINCT name) AS n FROM users GROUP BY country ORDER BY n",
        "SELECT country, count(DISTINCT name) AS n FROM users GROUP BY country ORDER BY n DESC LIMIT 3",
        "SELECT DISTINCT country FROM users WHERE name IS NOT NULL",
        "SELECT DISTINCT u.country, o.total FROM users u JOIN orders o ON o.user_id = u.id ORDER BY 2",
        "SELECT name FROM users ORDER BY country, id LIMIT 20 OFFSET 5",
        "SELECT country, count(*) AS n FROM users GROUP BY country ORDER BY n DESC LIMIT 5",
        "SELECT sum(total) FROM orders GROUP BY user_id, placed",
        "SELECT id FROM users UNION ALL SELECT user_id FROM orders ORDER BY 1 LIMIT 7",
      })
  void whatIsShownToBeExactIsLeftToAnEngine(String sql) {
    Plan plan = SmallCatalogue.plan(sql);
    // Groups by the key are merged here, and so is everything that can be.
    assertThat(plan.delegated() != null ^ plan.merged() != null).as(plan.describe()).isTrue();
    if (plan.delegated() != null) {
      assertThat(plan.refusal() != null || plan.spread() != null).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT country, count(*) AS n FROM users GROUP BY country ORDER BY n LIMIT 3",
        "SELECT country, count(DISTINCT name) AS n FROM users GROUP BY country ORDER BY 1 LIMIT 3",
        "SELECT country, count(DISTINCT name) AS n FROM users GROUP BY country LIMIT 3",
        "SELECT country AS é, count(*) AS n FROM users GROUP BY country ORDER BY n DESC LIMIT 3",
        "SELECT id FROM users UNION SELECT user_id FROM orders",
        "SELECT id FROM users UNION ALL SELECT 1 UNION SELECT user_id FROM orders",
        "SELECT id FROM users EXCEPT ALL SELECT user_id FROM orders",
        "SELECT DISTINCT u.country FROM users u JOIN orders o ON o.user_id = u.id",
        "SELECT DISTINCT u.country FROM users u, orders o ORDER BY 1",
        "SELECT DISTINCT lower(name) FROM users",
        "SELECT DISTINCT \"country\" FROM users",
        "SELECT DISTINCT country FROM users WHERE name = 'a''b'",
        "SELECT DISTINCT country FROM users WHERE name = E'a'",
        "SELECT DISTINCT country FROM users WHERE name = 'a\\'",
        "SELECT DISTINCT country FROM users ORDER BY 1 FETCH FIRST 3 ROWS ONLY",
        "SELECT DISTINCT country FROM users FOR UPDATE",
        "SELECT DISTINCT country FROM users WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = id)",
        "SELECT count(DISTINCT country), count(*) FROM users",
        "SELECT count(DISTINCT country) FILTER (WHERE true) FROM users",
        "SELECT count(DISTINCT lower(country)) FROM users",
        "SELECT sum(DISTINCT total) FROM orders",
        "SELECT avg(DISTINCT total) FROM orders",
        "SELECT sum(total) + 1 FROM orders",
        "SELECT country, avg(id) AS a FROM users GROUP BY country ORDER BY a LIMIT 2",
        "SELECT country, count(*) FROM users GROUP BY country HAVING count(*) > 1",
        "SELECT row_number() OVER (ORDER BY id) FROM users",
        "WITH x AS (SELECT id FROM users) SELECT count(DISTINCT id) FROM x",
        "SELECT DISTINCT name FROM names",
        "SELECT DISTINCT country FROM users WHERE name = 'SHARDINGSPHERE_HINT: SKIP_SQL_REWRITE=true'",
        "SELECT DISTINCT country FROM users WHERE name = '/* ShardingSphere hint: x=1 */'",
        "SELECT country AS order_by_derived_0 FROM users ORDER BY name LIMIT 2",
      })
  void everythingElseStaysRefused(String sql) {
    Plan plan = SmallCatalogue.plan(sql);
    assertThat(plan.delegated()).as(plan.describe()).isNull();
    assertThat(plan.merged()).isNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT o.placed AS s, o.total AS t, count(*) AS total FROM orders o GROUP BY o.placed, o.total ORDER BY total DESC LIMIT 5",
        "SELECT country AS c, name AS country FROM users ORDER BY country, id LIMIT 3",
        "SELECT country AS name, count(*) AS n FROM users GROUP BY name, country ORDER BY n DESC LIMIT 3",
        "SELECT country, count(*) AS id FROM users GROUP BY country, id ORDER BY 2 LIMIT 3",
        "SELECT country AS c, count(*) AS n FROM users GROUP BY c ORDER BY n LIMIT 3",
        "SELECT DISTINCT country AS name, name AS country FROM users ORDER BY name",
        "SELECT count(DISTINCT country) AS name FROM users",
        "SELECT country AS name, id FROM users UNION ALL SELECT name, id FROM users ORDER BY name",
        "SELECT country AS n, name AS n FROM users UNION ALL SELECT name, name FROM users",
      })
  void aLabelThatIsAnotherColumnsNameStaysRefused(String sql) {
    assertThat(SmallCatalogue.plan(sql).delegated()).isNull();
  }

  @Test
  void aTotalIsSortedByItsPlaceOrAliasOnly() {
    String groups = "SELECT country, count(*)%s FROM users GROUP BY country ORDER BY %s LIMIT 5";
    assertThat(SmallCatalogue.plan(groups.formatted("", "count DESC")).delegated()).isNull();
    assertThat(SmallCatalogue.plan(groups.formatted("", "2 DESC")).delegated()).isNotNull();
    assertThat(SmallCatalogue.plan(groups.formatted(" AS n", "n DESC")).delegated()).isNotNull();
  }

  @Test
  void aColumnMayKeepItsNameAsItsLabel() {
    assertThat(
            SmallCatalogue.plan("SELECT u.country AS country FROM users u ORDER BY name, country")
                .delegated())
        .isNotNull();
  }

  @Test
  void commentsAreNotHandedOn() {
    Delegated delegated =
        SmallCatalogue.plan(
                "/* SHARDINGSPHERE_HINT: SKIP_SQL_REWRITE=true */ SELECT/* a /* b */ c */count(DISTINCT"
                    + " u.country)  -- all\n FROM users u /* ShardingSphere hint: x=1 */ ; -- end")
            .delegated();
    assertThat(delegated).isNotNull();
    assertThat(delegated.sql()).isEqualTo("SELECT count(DISTINCT u.country) FROM users u");
  }

  @Test
  void onlyTablesWithPlainNamesOfTheirOwnAreLeftToAnEngine() {
    String sql = "SELECT count(DISTINCT country) FROM users";
    assertThat(plan(sql, new Table.Sharded("users", "id")).delegated()).isNotNull();
    assertThat(plan(sql, new Table.Sharded("public.users", "id")).refusal()).isNotNull();
    assertThat(plan(sql, new Table.Sharded("public.users", "id")).delegated()).isNull();
    assertThat(plan(sql, new Table.Sharded("Users", "id")).delegated()).isNull();
    assertThat(plan(sql, new Table.Sharded("users", "i$d")).delegated()).isNull();
  }

  private static Plan plan(String sql, Table table) {
    return new Planner(
            Map.of(table.name(), table),
            SmallCatalogue.catalogue(),
            SqlScanner.Backslash.LITERAL,
            SmallCatalogue.READER)
        .plan(sql, SqlScanner.Markers.JDBC);
  }

  @Test
  void eachConditionThatConfinesTheKeysIsTold() {
    Delegated delegated =
        SmallCatalogue.plan(
                "SELECT DISTINCT u.country, o.total FROM users u JOIN orders o ON o.user_id = u.id"
                    + " WHERE u.id IN (1, 2, 30) AND o.total > 5 AND o.user_id < 9 ORDER BY 1, 2")
            .delegated();
    assertThat(delegated).isNotNull();
    assertThat(delegated.conditions())
        .extracting(keys -> keys.terms().size(), keys -> keys.spans().size())
        .containsExactly(tuple(3, 0), tuple(0, 1));
  }

  @Test
  void aConditionAmongAlternativesIsNone() {
    for (String where : List.of("id = 1 OR name = 'a'", "id IN (1, 2)", "NOT id = 1 AND id <> 2")) {
      Delegated delegated =
          SmallCatalogue.plan("SELECT DISTINCT country FROM users WHERE " + where).delegated();
      assertThat(delegated).isNotNull();
      assertThat(delegated.conditions()).isEmpty();
    }
  }

  @Test
  void theColumnsOfAllTablesOfTheMapAreTold() {
    Delegated delegated =
        SmallCatalogue.plan("SELECT count(DISTINCT country) FROM users").delegated();
    assertThat(delegated).isNotNull();
    assertThat(delegated.columns()).containsOnlyKeys(SmallCatalogue.TABLES.keySet());
    assertThat(delegated.columns()).containsEntry("users", List.of("id", "name", "country"));
  }

  @Test
  void theRefusalNamesWhatWouldAnswer() {
    Plan plan = SmallCatalogue.plan("SELECT count(DISTINCT country) FROM users");
    assertThat(plan.refusal()).isNotNull();
    assertThat((Throwable) EngineQueries.absent(plan.refusal()))
        .hasMessage(
            plan.refusal().message()
                + " Or add dev.waymark:waymark-shardingsphere to the class path, which may answer it.");
  }
}
