package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.ShardText.Average;
import dev.waymark.routing.ShardText.Bound;
import dev.waymark.routing.SqlScanner.Markers;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class ShardTextTest {
  private static ShardText text(String sql) {
    Plan plan = SmallCatalogue.plan(sql);
    return ShardText.of(
        sql,
        Objects.requireNonNull(plan.merged(), plan::describe),
        Markers.JDBC,
        SqlScanner.Backslash.LITERAL);
  }

  @Test
  void withoutOffsetAndAverageTheTextStays() {
    ShardText text = text("SELECT id FROM users WHERE id > ? ORDER BY id LIMIT ? ; -- so");

    assertThat(text.sql()).isEqualTo("SELECT id FROM users WHERE id > ? ORDER BY id LIMIT ?");
    assertThat(text.bound()).isEqualTo(Bound.OWN);
    assertThat(text.sources()).containsExactly(1, 2);
  }

  @Test
  void shardIsAskedForItsOwnKeysOfEachList() {
    String sql = "SELECT id FROM users WHERE name = ? AND id IN (?, ?, ?) AND country IN (?, ?)";
    Plan plan = SmallCatalogue.plan(sql);
    ShardText all = text(sql).withKeyLists(plan.keys(), Markers.JDBC, SqlScanner.Backslash.LITERAL);
    Values values = Values.of("n", 5L, 1_005L, 6L, "a", "b");

    ShardText own = all.forShard(values, key -> key < 1_000);
    assertThat(own.sql())
        .isEqualTo("SELECT id FROM users WHERE name = ? AND id IN (?, ?) AND country IN (?, ?)");
    assertThat(own.sources()).containsExactly(1, 2, 4, 5, 6);
    assertThat(all.forShard(values, key -> false).sources()).containsExactly(1, 2, 3, 4, 5, 6);
  }

  @Test
  void listsThatProveNothingStay() {
    String sql = "SELECT id FROM users WHERE id = ? OR (id = ? AND NOT id IN (?, ?))";
    Plan plan = SmallCatalogue.plan(sql);

    assertThat(
            text(sql)
                .withKeyLists(plan.keys(), Markers.JDBC, SqlScanner.Backslash.LITERAL)
                .keyLists())
        .isEmpty();
  }

  @Test
  void rowsToSkipAreLeftToTheMerge() {
    ShardText text =
        text(
            "SELECT id AS limit, name AS offset FROM users WHERE id > ? ORDER BY 1 LIMIT 5 OFFSET ?");

    assertThat(text.sql())
        .isEqualTo("SELECT id AS limit, name AS offset FROM users WHERE id > ? ORDER BY 1");
    assertThat(text.bound()).isEqualTo(Bound.WIDENED);
    assertThat(text.sources()).containsExactly(1);
  }

  @Test
  void averageIsAskedForWithItsParts() {
    ShardText text =
        text(
            "SELECT country, avg(CASE WHEN id IS DISTINCT FROM ? THEN 1 END) -- all of it"
                + "\nFROM users WHERE id > ? GROUP BY country");

    assertThat(text.sql())
        .isEqualTo(
            "SELECT country, avg(CASE WHEN id IS DISTINCT FROM ? THEN 1 END),"
                + " pg_catalog.sum(CASE WHEN id IS DISTINCT FROM ? THEN 1 END) AS waymark_sum_2,"
                + " pg_catalog.count(CASE WHEN id IS DISTINCT FROM ? THEN 1 END) AS waymark_count_2"
                + " FROM users WHERE id > ? GROUP BY country");
    assertThat(text.sources()).containsExactly(1, 1, 1, 2);
    assertThat(text.averages()).containsExactly(new Average(2, 3, 4));
  }
}
