package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.SqlScanner.Markers;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SpreadWritesTest {
  private static SpreadWrites.Answer answer(String sql) {
    return new Planner(
            SmallCatalogue.TABLES,
            SmallCatalogue.catalogue(),
            SqlScanner.Backslash.LITERAL,
            SmallCatalogue.READER)
        .acrossShards(sql, Markers.JDBC);
  }

  private static SpreadWrite write(String sql) {
    SpreadWrites.Answer answer = answer(sql);
    return Objects.requireNonNull(answer.write(), () -> sql + ": " + answer.refusal());
  }

  @Test
  void rowsGoWhereTheirKeysLive() {
    SpreadWrite.Rows rows =
        (SpreadWrite.Rows)
            write(
                "INSERT INTO users (name, id) VALUES (?, 1), (lower('(?'), ?)"
                    + " ON CONFLICT (id) DO UPDATE SET name = ?");

    assertThat(rows.head()).isEqualTo("INSERT INTO users (name, id) VALUES");
    assertThat(rows.rows())
        .containsExactly(
            new SpreadWrite.Row("(?, 1)", new KeyTerm.Fixed(1), List.of(1)),
            new SpreadWrite.Row("(lower('(?'), ?)", new KeyTerm.InParameter(2), List.of(2)));
    assertThat(rows.tail()).isEqualTo("ON CONFLICT (id) DO UPDATE SET name = ?");
    assertThat(rows.behind()).containsExactly(3);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "DELETE FROM users /* waymark: key=4x2 */",
        "DELETE FROM users /* waymark: replica */",
      })
  void aHintThatCannotBeFollowedIsNotPassedOver(String sql) {
    assertThat(Objects.requireNonNull(answer(sql).refusal()).code()).isEqualTo(SqlCode.BAD_HINT);
  }

  @Test
  void whatIsTiedToTheRowsOwnKeyRunsOnEachShard() {
    assertThat(((SpreadWrite.ByKey) write("DELETE FROM users WHERE id IN (1, ?)")).keys())
        .isInstanceOf(KeySource.Keys.class);
    assertThat(((SpreadWrite.ByKey) write("UPDATE users SET name = upper(name)")).keys())
        .isEqualTo(new KeySource.EveryShard());
    write(
        "UPDATE orders SET total = p.amount FROM payments p WHERE p.user_id = orders.user_id AND"
            + " orders.id > 5");
    write("DELETE FROM users u WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id)");
  }

  @Test
  void broadcastTablesAreWrittenEverywhere() {
    assertThat(write("INSERT INTO countries VALUES ('x', ?)"))
        .isEqualTo(new SpreadWrite.Everywhere());
    assertThat(write("UPDATE countries SET name = lower(name)"))
        .isEqualTo(new SpreadWrite.Everywhere());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "INSERT INTO countries VALUES ('x', random()::text)",
        "INSERT INTO countries SELECT country, name FROM users",
        "UPDATE countries SET name = u.name FROM users u WHERE u.id = 1",
        "UPDATE orders SET total = p.amount FROM payments p WHERE p.id = orders.id",
        "UPDATE orders SET total = p.amount FROM payments p"
            + " WHERE p.user_id IN (1, 2) AND orders.user_id IN (1, 2)",
        "DELETE FROM users WHERE id > (SELECT max(user_id) FROM orders)",
        "DELETE FROM users RETURNING id",
        "WITH x AS (DELETE FROM orders WHERE user_id = 1) DELETE FROM users WHERE id = 1",
        "INSERT INTO users (id, name) SELECT user_id, 'x' FROM orders",
        "INSERT INTO users (id, name) VALUES (1, (SELECT 'x')), (2, 'y')",
        "INSERT INTO users (name) VALUES ('x'), ('y')",
        "UPDATE users SET id = 5 WHERE id IN (1, 2)",
        "SELECT 1; DELETE FROM users",
        "SELECT id FROM users",
      })
  void isRefused(String sql) {
    assertThat(answer(sql).write()).as(sql).isNull();
    assertThat(answer(sql).refusal()).isNotNull();
  }
}
