package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.KeySource.Keys;
import dev.waymark.routing.KeySource.Span;
import dev.waymark.routing.KeyTerm.Fixed;
import dev.waymark.routing.KeyTerm.InArray;
import dev.waymark.routing.KeyTerm.InParameter;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfinementTest {
  private static KeySource keys(String sql) {
    Plan plan = SmallCatalogue.plan(sql);
    assertThat(plan.refusal()).as(sql).isNull();
    return plan.keys();
  }

  private static Keys terms(KeyTerm... terms) {
    return new Keys(List.of(terms), List.of());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT * FROM users WHERE id = ?",
        "SELECT * FROM users WHERE ? = id AND name = 'x'",
        "SELECT * FROM users u WHERE u.id = ?::bigint",
        "SELECT * FROM public.users WHERE users.id = CAST(? AS int8)",
        "SELECT * FROM users WHERE name = lower('A') AND (id = ? AND country = 'b')",
        "SELECT * FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = ?",
        "SELECT * FROM users u JOIN orders o ON o.user_id = u.id WHERE o.user_id = ?",
        "SELECT * FROM users u, orders o WHERE o.user_id = u.id AND u.id = ?",
        "SELECT * FROM orders JOIN payments USING (user_id) WHERE user_id = ?",
        "SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.id = ?",
        "SELECT * FROM orders o RIGHT JOIN users u ON o.user_id = u.id WHERE u.id = ?",
        "SELECT * FROM users u LEFT JOIN (orders o JOIN payments p ON p.user_id = o.user_id)"
            + " ON o.user_id = u.id WHERE u.id = ?",
        "SELECT * FROM users u JOIN countries c ON c.code = u.country WHERE u.id = ?",
        "SELECT *, (SELECT count(*) FROM orders o WHERE o.user_id = u.id) FROM users u WHERE u.id = ?",
        "SELECT * FROM users u WHERE u.id = ? AND EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id)",
        "SELECT * FROM users u, LATERAL (SELECT * FROM orders o WHERE o.user_id = u.id LIMIT 1) x WHERE u.id = ?",
        "WITH mine AS (SELECT * FROM orders WHERE user_id = ?) SELECT count(*) FROM mine",
        "SELECT * FROM (SELECT * FROM orders WHERE user_id = ? LIMIT 5) x WHERE total > 3",
        "SELECT max(total) OVER (ORDER BY id) FROM orders WHERE user_id = ?",
        "SELECT string_agg(name, ',') FROM users WHERE id = ?",
        "SELECT * FROM users WHERE id IN (?)",
        "UPDATE users SET name = 'x' WHERE id = ?",
        "UPDATE users SET name = o.id FROM orders o WHERE o.user_id = users.id AND users.id = ?",
        "DELETE FROM orders USING users u WHERE u.id = orders.user_id AND u.id = ?",
        "INSERT INTO users (name, id) VALUES ('x', ?)",
        "INSERT INTO users VALUES (?, 'x', 'y') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        "INSERT INTO orders (id, user_id) SELECT 1, id FROM users WHERE id = ?",
        "INSERT INTO orders (id, user_id) SELECT o.id, o.user_id FROM orders o WHERE user_id = ?",
        "WITH d AS (DELETE FROM orders WHERE user_id = ? RETURNING *) SELECT count(*) FROM d",
        "SELECT * FROM users WHERE (id, name) = (?, 'x')",
        "EXPLAIN SELECT * FROM users WHERE id = ?",
        "SELECT * FROM pg_class, users WHERE id = ?",
      })
  void isOfOneKey(String sql) {
    assertThat(keys(sql)).isEqualTo(terms(new InParameter(1)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT * FROM users",
        "SELECT * FROM users WHERE NOT id = ?",
        "SELECT * FROM users WHERE id <> ?",
        "SELECT * FROM users WHERE id = ? OR name = 'x'",
        "SELECT * FROM users WHERE (id = ?) IS NOT TRUE",
        "SELECT * FROM users WHERE id + 0 = ?",
        "SELECT * FROM users WHERE coalesce(id, 1) = ?",
        "SELECT * FROM users WHERE id = ?::float8",
        "SELECT * FROM users WHERE id = ?::text",
        "SELECT * FROM users WHERE id = 1_000",
        "SELECT * FROM users WHERE id = 4.2e1",
        "SELECT * FROM users WHERE id = B'101'",
        "SELECT * FROM users WHERE id NOT IN (?, ?)",
        "SELECT * FROM users WHERE id = ALL (?)",
        "SELECT * FROM users WHERE id IN (?, ? + 1)",
        "SELECT * FROM users WHERE id IN (SELECT ?)",
        "SELECT * FROM users WHERE id = (SELECT ?)",
        "SELECT * FROM users u WHERE u.name = ?",
        "SELECT * FROM users WHERE id OPERATOR(pg_catalog.=) ?",
        "SELECT * FROM users WHERE CASE WHEN id = ? THEN true END",
        "SELECT * FROM users u (name, id, country) WHERE u.id = ?",
        "SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id AND u.id = ?",
        "SELECT * FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.user_id = ?",
        "SELECT * FROM users u RIGHT JOIN orders o ON o.user_id = u.id WHERE u.id = ?",
        "SELECT * FROM users u LEFT JOIN orders o ON o.id = u.id WHERE u.id = ?",
        "SELECT * FROM users u FULL JOIN orders o ON o.user_id = u.id WHERE u.id = ?",
        "SELECT * FROM orders NATURAL JOIN payments WHERE user_id = ?",
        "SELECT * FROM orders FULL JOIN payments USING (user_id) WHERE user_id = ?",
        "SELECT * FROM orders RIGHT JOIN payments USING (user_id) WHERE user_id = ?",
        "SELECT * FROM users u JOIN orders o ON o.user_id = u.id OR u.id = ? WHERE u.id = ?",
        "SELECT * FROM users u, orders o WHERE u.id = ?",
        "SELECT * FROM users WHERE id = ? UNION SELECT * FROM users",
        "SELECT * FROM users WHERE id = ? AND EXISTS (SELECT 1 FROM orders)",
        "SELECT * FROM users u WHERE id = ? AND EXISTS (SELECT 1 FROM orders o WHERE o.id = u.id)",
        "SELECT (SELECT count(*) FROM orders) FROM users WHERE id = ?",
        "SELECT * FROM users WHERE id = ? ORDER BY (SELECT count(*) FROM orders)",
        "SELECT * FROM users WHERE id = ? LIMIT (SELECT count(*) FROM orders)",
        "SELECT sum(total) OVER (PARTITION BY (SELECT max(id) FROM users)) FROM orders WHERE user_id = ?",
        "SELECT * FROM (SELECT * FROM orders) x WHERE x.user_id = ?",
        "WITH mine AS (SELECT * FROM orders) SELECT * FROM mine WHERE user_id = ?",
        "SELECT * FROM countries u WHERE u.code = 'x' AND EXISTS (SELECT 1 FROM users u, (SELECT * FROM orders o WHERE o.user_id = u.id) x WHERE u.id = ?)",
        "SELECT * FROM users u JOIN countries c ON true JOIN orders o ON o.user_id = c.code WHERE u.id = ?",
        "SELECT * FROM (users u JOIN orders o ON o.user_id = u.id) AS x WHERE x.user_id = ?",
        "SELECT * FROM users u WHERE u.id = ? AND EXISTS (SELECT 1 FROM generate_series(1, 9) AS u (id), orders o WHERE o.user_id = u.id)",
        "SELECT * FROM users generate_series WHERE generate_series.id = ? AND EXISTS (SELECT 1 FROM generate_series(1, 9), orders o WHERE o.user_id = generate_series.id)",
        "SELECT * FROM users x WHERE x.id = ? AND EXISTS (SELECT 1 FROM (countries a CROSS JOIN countries b) AS x (id), orders o WHERE o.user_id = x.id)",
        "SELECT * FROM (orders o CROSS JOIN countries c) AS x (a, b, c, d, user_id) WHERE user_id = ?",
        "UPDATE users SET name = 'x'",
        "UPDATE users SET name = (SELECT max(name) FROM users) WHERE id = ?",
        "DELETE FROM orders USING users u WHERE u.id = ?",
        "INSERT INTO orders (id, user_id) SELECT 1, id FROM users",
        "INSERT INTO orders (id, user_id) SELECT id, id + 1 FROM users WHERE id = ?",
        "INSERT INTO orders (id, user_id) SELECT * FROM users WHERE id = ?",
        "INSERT INTO orders (id, user_id) SELECT o.id, u.id FROM orders o LEFT JOIN users u ON u.id = o.user_id WHERE o.user_id = ?",
        "INSERT INTO users (id, name) VALUES (? + 1, 'x')",
        "INSERT INTO users (id, name) VALUES (?, 'x'), (NULL, 'y')",
        "INSERT INTO users (name) VALUES ('x'), ('y')",
        "WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM users WHERE id = ?",
      })
  void isNotProvedToBeOfOneKey(String sql) {
    Plan plan = SmallCatalogue.plan(sql);

    assertThat(plan.refusal() != null || plan.keys() instanceof KeySource.EveryShard)
        .as("%s: %s", sql, plan.describe())
        .isTrue();
  }

  @Test
  void constantsAreKeysToo() {
    assertThat(keys("SELECT * FROM users WHERE id = 42")).isEqualTo(terms(new Fixed(42)));
    assertThat(keys("SELECT * FROM users WHERE id = -42")).isEqualTo(terms(new Fixed(-42)));
    assertThat(keys("SELECT * FROM users WHERE id = '42'")).isEqualTo(terms(new Fixed(42)));
    assertThat(keys("SELECT * FROM users WHERE id = bigint '42'")).isEqualTo(terms(new Fixed(42)));
    assertThat(keys("SELECT * FROM users WHERE id = '42'::int")).isEqualTo(terms(new Fixed(42)));
  }

  @Test
  void listsAndAlternativesAreSeveralKeys() {
    assertThat(keys("SELECT * FROM users WHERE id IN (1, ?, 3)"))
        .isEqualTo(terms(new Fixed(1), new InParameter(1), new Fixed(3)));
    assertThat(keys("SELECT * FROM users WHERE id = ANY (?)")).isEqualTo(terms(new InArray(1)));
    assertThat(keys("SELECT * FROM users WHERE id = ANY (?::bigint[])"))
        .isEqualTo(terms(new InArray(1)));
    assertThat(keys("SELECT * FROM users WHERE id = 1 OR (id = 2 AND name = 'x') OR id IN (3, 4)"))
        .isEqualTo(terms(new Fixed(1), new Fixed(2), new Fixed(3), new Fixed(4)));
    assertThat(keys("SELECT * FROM users WHERE (name, id) IN (('a', 1), ('b', ?))"))
        .isEqualTo(terms(new Fixed(1), new InParameter(1)));
    assertThat(keys("SELECT * FROM users WHERE id = ? UNION ALL SELECT * FROM users WHERE id = ?"))
        .isEqualTo(terms(new InParameter(1), new InParameter(2)));
    assertThat(keys("INSERT INTO users (id, name) VALUES (1, 'a'), (?, 'b')"))
        .isEqualTo(terms(new Fixed(1), new InParameter(1)));
  }

  @Test
  void rangesAreKept() {
    assertThat(keys("SELECT * FROM users WHERE id BETWEEN ? AND 10"))
        .isEqualTo(new Keys(List.of(), List.of(new Span(new InParameter(1), new Fixed(10)))));
    assertThat(keys("SELECT * FROM users WHERE id >= ? AND id < ?"))
        .isEqualTo(new Keys(List.of(), List.of(new Span(new InParameter(1), new InParameter(2)))));
    assertThat(keys("SELECT * FROM users WHERE 5 < id"))
        .isEqualTo(new Keys(List.of(), List.of(new Span(new Fixed(5), null))));
  }

  @Test
  void tenThousandKeysAreReadInOnePass() {
    String list =
        IntStream.rangeClosed(1, 10_000).mapToObj(i -> "?").collect(Collectors.joining(", "));

    assertThat(((Keys) keys("SELECT * FROM users WHERE id IN (" + list + ")")).terms())
        .hasSize(10_000);
  }

  @Test
  void whatIsNestedTooDeeplyIsRefused() {
    String deep = "(".repeat(50_000) + "1" + ")".repeat(50_000);

    assertThat(SmallCatalogue.plan("SELECT " + deep).refusal().code())
        .isEqualTo(SqlCode.UNREADABLE);
  }

  @Test
  void statementsWithoutShardedTablesRunAnywhere() {
    assertThat(keys("SELECT 1")).isEqualTo(new KeySource.AnyShard());
    assertThat(keys("SELECT * FROM countries")).isEqualTo(new KeySource.AnyShard());
    assertThat(keys("SELECT relname FROM pg_class")).isEqualTo(new KeySource.AnyShard());
  }

  @Test
  void aRowWithoutAKeyIsDealtOne() {
    assertThat(keys("INSERT INTO users (name) VALUES (?)")).isEqualTo(new KeySource.Dealt());
    assertThat(keys("INSERT INTO users (id, name) VALUES (DEFAULT, ?)"))
        .isEqualTo(new KeySource.Dealt());
    assertThat(keys("INSERT INTO users DEFAULT VALUES")).isEqualTo(new KeySource.Dealt());
  }

  @Test
  void keysThatAreNullAskForNothing() {
    Keys keys = (Keys) keys("SELECT * FROM users WHERE id IN (?, NULL)");

    assertThat(keys.keys(number -> null)).isEmpty();
    assertThat(keys.keys(number -> 5)).containsExactly(5L);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "UPDATE users SET id = 5 WHERE id = ?",
        "UPDATE users SET name = 'x', id = id WHERE id = ?",
        "UPDATE users SET (id, name) = (1, 'x') WHERE id = ?",
        "UPDATE orders o SET user_id = ? WHERE o.user_id = ?",
        "INSERT INTO users (id) VALUES (?) ON CONFLICT (id) DO UPDATE SET id = 5",
      })
  void aKeyIsNeverSet(String sql) {
    assertThat(SmallCatalogue.plan(sql).refusal().code()).isEqualTo(SqlCode.MOVES_ROW);
  }

  @Test
  void tablesOutsideOfTheMapAreRefused() {
    assertThat(SmallCatalogue.plan("SELECT * FROM elsewhere").refusal().code())
        .isEqualTo(SqlCode.UNKNOWN_TABLE);
    assertThat(SmallCatalogue.plan("SELECT * FROM other.users WHERE id = 1").refusal().code())
        .isEqualTo(SqlCode.UNKNOWN_TABLE);
    assertThat(SmallCatalogue.plan("SELECT * FROM \"Users\" WHERE id = 1").refusal().code())
        .isEqualTo(SqlCode.UNKNOWN_TABLE);
    assertThat(SmallCatalogue.plan("SELECT * FROM names").refusal().code()).isEqualTo(SqlCode.VIEW);
  }

  @Test
  void theMapNamesTablesAsSqlDoesWithoutQuotes() {
    Planner planner =
        new Planner(
            java.util.Map.of(
                "Users",
                new dev.waymark.Table.Sharded("Users", "id"),
                "other.users",
                new dev.waymark.Table.Sharded("other.users", "id")),
            SmallCatalogue.catalogue(),
            SqlScanner.Backslash.LITERAL,
            SmallCatalogue.READER);

    for (String table : List.of("users", "USERS", "public.users", "other.users")) {
      assertThat(
              planner
                  .plan("SELECT * FROM " + table + " WHERE id = 1", SqlScanner.Markers.JDBC)
                  .keys())
          .as(table)
          .isEqualTo(terms(new Fixed(1)));
    }
  }

  @Test
  void aNameInWithIsTheTableOnlyInsideOfItself() {
    assertThat(keys("WITH users AS (SELECT * FROM users WHERE id = 1) SELECT * FROM users"))
        .isEqualTo(terms(new Fixed(1)));
    assertThat(
            keys(
                "WITH RECURSIVE t AS (SELECT id FROM orders WHERE user_id = 1 UNION ALL"
                    + " SELECT o.id FROM orders o JOIN t ON t.id = o.id WHERE o.user_id = 1)"
                    + " SELECT * FROM t"))
        .isEqualTo(terms(new Fixed(1)));
  }

  @Test
  void functionsThatMayReadTablesAreRefused() {
    assertThat(SmallCatalogue.plan("SELECT knows(1) FROM users WHERE id = 1").refusal().code())
        .isEqualTo(SqlCode.HIDDEN_TABLES);
  }

  @Test
  void whatMayWriteNamesItsShard() {
    assertThat(SmallCatalogue.plan("SELECT nextval('s')").refusal().code())
        .isEqualTo(SqlCode.NO_SHARD_NAMED);
    assertThat(SmallCatalogue.plan("CREATE TABLE t (a int)").refusal().code())
        .isEqualTo(SqlCode.NO_SHARD_NAMED);
  }

  @Test
  void broadcastTablesAreWrittenEverywhere() {
    Plan plan = SmallCatalogue.plan("UPDATE countries SET name = 'x' WHERE code = 'y'");

    assertThat(plan.keys()).isEqualTo(new KeySource.EveryShard());
    assertThat(plan.spread().code()).isEqualTo(SqlCode.WRITES_ON_SEVERAL_SHARDS);
    assertThat(
            SmallCatalogue.plan(
                    "INSERT INTO countries SELECT country, name FROM users WHERE id = 1")
                .refusal()
                .code())
        .isEqualTo(SqlCode.WRITES_ON_SEVERAL_SHARDS);
  }
}
