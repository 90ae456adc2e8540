package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.Merged.Role;
import dev.waymark.routing.Merged.SortKey;
import dev.waymark.routing.SqlTree.Sort.Direction;
import dev.waymark.routing.SqlTree.Sort.Nulls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CrossShardTest {
  private static Merged merged(String sql) {
    Plan plan = SmallCatalogue.plan(sql);
    assertThat(plan.merged()).as("%s: %s", sql, plan.describe()).isNotNull();
    return plan.merged();
  }

  @Test
  void rowsAreSortedByColumnsOfTheResult() {
    assertThat(merged("SELECT id, name FROM users ORDER BY name DESC, 1 LIMIT 20").sorts())
        .containsExactly(
            new SortKey(2, "", Direction.DESCENDING, Nulls.FIRST),
            new SortKey(1, "", Direction.ASCENDING, Nulls.LAST));
    assertThat(merged("SELECT * FROM orders o ORDER BY o.placed NULLS FIRST").sorts())
        .containsExactly(new SortKey(0, "placed", Direction.ASCENDING, Nulls.FIRST));
    assertThat(merged("SELECT id AS x, name AS id FROM users ORDER BY id").sorts())
        .containsExactly(new SortKey(2, "", Direction.ASCENDING, Nulls.LAST));
    assertThat(merged("SELECT lower(name) AS n FROM users ORDER BY n").sorts())
        .containsExactly(new SortKey(1, "", Direction.ASCENDING, Nulls.LAST));
  }

  @Test
  void totalsAreAddedUp() {
    assertThat(
            merged("SELECT count(*), sum(total), min(id), max(id), avg(total) FROM orders")
                .columns())
        .containsExactly(Role.COUNT, Role.SUM, Role.MIN, Role.MAX, Role.AVERAGE);
    assertThat(merged("SELECT country, count(*) FROM users GROUP BY country").columns())
        .containsExactly(Role.GROUP, Role.COUNT);
    assertThat(
            merged("SELECT country AS c, count(*) FROM users GROUP BY 1 ORDER BY c LIMIT 5")
                .columns())
        .containsExactly(Role.GROUP, Role.COUNT);
  }

  @Test
  void groupsOfOneKeyMayDoAnything() {
    assertThat(
            merged(
                    "SELECT user_id, string_agg(id, ',') FROM orders GROUP BY user_id"
                        + " HAVING count(*) > 3 ORDER BY 1 LIMIT 5")
                .columns())
        .isEmpty();
    assertThat(merged("SELECT user_id, json_arrayagg(id) FROM orders GROUP BY user_id").columns())
        .isEmpty();
  }

  @Test
  void joinsByTheKeyStayTogether() {
    merged("SELECT u.id, o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE o.total > 5");
    merged("SELECT u.id, o.total FROM users u LEFT JOIN orders o ON o.user_id = u.id");
    merged("SELECT o.id FROM orders o RIGHT JOIN users u ON o.user_id = u.id");
    merged("SELECT u.id FROM users u JOIN countries c ON c.code = u.country");
    merged("SELECT u.id FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id)");
    merged("SELECT u.id FROM users u WHERE u.id IN (1, 2, 3) ORDER BY u.id");
    merged("SELECT DISTINCT id, name FROM users");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT row_number() OVER (ORDER BY id) FROM users",
        "SELECT sum(total) OVER w FROM orders WINDOW w AS (ORDER BY id)",
        "SELECT string_agg(name, ',') FROM users",
        "SELECT json_arrayagg(name) FROM users",
        "SELECT 1, coalesce(json_objectagg(id : name), 'null') FROM users",
        "SELECT id FROM users ORDER BY json_arrayagg(name)",
        "SELECT json_arrayagg(name) FILTER (WHERE id > 5) FROM users",
        "SELECT id, json_arrayagg(name) OVER (ORDER BY id) FROM users",
        "SELECT count(DISTINCT country) FROM users",
        "SELECT count(*) FILTER (WHERE id > 5) FROM users",
        "SELECT DISTINCT country FROM users",
        "SELECT DISTINCT ON (country) id FROM users",
        "SELECT count(*) + 1 FROM users",
        "SELECT country, count(*) FROM users GROUP BY country HAVING count(*) > 1",
        "SELECT count(*) FROM users GROUP BY country",
        "SELECT country, count(*) FROM users GROUP BY country ORDER BY 2 LIMIT 5",
        "SELECT country, count(*) FROM users GROUP BY country LIMIT 5",
        "SELECT country, count(*) FROM users GROUP BY country OFFSET 5",
        "SELECT country, count(*) FROM users GROUP BY ROLLUP (country)",
        "SELECT id FROM users ORDER BY name",
        "SELECT * FROM users ORDER BY 1",
        "SELECT id FROM users ORDER BY id FETCH FIRST 5 ROWS WITH TIES",
        "SELECT id FROM users ORDER BY id USING <",
        "SELECT id FROM users LIMIT 1 + 1",
        "SELECT lower(country) AS country, count(*) FROM users GROUP BY country",
        "SELECT * FROM users u, orders o WHERE o.user_id = 5",
        "SELECT o.user_id, count(*) FROM users u, orders o WHERE o.user_id = 5 GROUP BY o.user_id",
        "SELECT name::int, name AS y FROM users ORDER BY name",
        "SELECT id FROM users UNION SELECT id FROM users",
        "WITH u AS (SELECT * FROM users) SELECT * FROM u",
        "SELECT * FROM users u, orders o",
        "SELECT * FROM users u JOIN orders o ON o.id = u.id",
        "SELECT * FROM users u FULL JOIN orders o ON o.user_id = u.id",
        "SELECT * FROM users u NATURAL JOIN orders",
        "SELECT * FROM users u WHERE u.id > (SELECT max(user_id) FROM orders)",
        "SELECT * FROM (SELECT * FROM users LIMIT 5) x",
        "EXPLAIN SELECT * FROM users",
        "SELECT name FROM users ORDER BY name COLLATE \"de-x-icu\"",
        "SELECT name, count(*) FROM users GROUP BY name COLLATE \"de-x-icu\"",
        "SELECT o.* FROM users u JOIN orders o ON o.user_id = u.id ORDER BY u.id",
        "SELECT * FROM orders o LEFT JOIN payments p USING (user_id) ORDER BY p.user_id",
      })
  void isRefused(String sql) {
    Plan plan = SmallCatalogue.plan(sql);

    assertThat(plan.merged()).as(sql).isNull();
    assertThat(plan.refusal().code()).as(sql).isEqualTo(SqlCode.NOT_MERGED_EXACTLY);
  }

  @Test
  void keysOnOneShardMayDoWhatSeveralMayNot() {
    Plan plan = SmallCatalogue.plan("SELECT string_agg(name, ',') FROM users WHERE id IN (?, ?)");

    assertThat(plan.refusal()).isNull();
    assertThat(plan.spread().code()).isEqualTo(SqlCode.NOT_MERGED_EXACTLY);
  }

  @Test
  void writesOnSeveralShardsAreRefused() {
    assertThat(SmallCatalogue.plan("DELETE FROM users WHERE id IN (?, ?)").spread().code())
        .isEqualTo(SqlCode.WRITES_ON_SEVERAL_SHARDS);
    assertThat(SmallCatalogue.plan("SELECT * FROM users FOR UPDATE").refusal().code())
        .isEqualTo(SqlCode.NO_KEY);
  }

  @Test
  void refusalsSayWhatToDo() {
    assertThat(SmallCatalogue.plan("SELECT string_agg(name, ',') FROM users").refusal().message())
        .isEqualTo(
            "WM-009: Over several shards this has no exact answer: string_agg cannot be computed"
                + " from the shards' results; and the rows of users are not tied to a key by id."
                + " Nothing was sent. Restrict it to one key, or ask every shard through"
                + " onEveryShard(…) and combine in the application.");
    assertThat(SmallCatalogue.plan("DELETE FROM users").refusal().exception().getSQLState())
        .isEqualTo("0A000");
  }
}
