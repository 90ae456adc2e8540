package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.routing.Keyset.Direction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class KeysetTest {
  private record Row(String name) {}

  private static Keyset<Row> byName(ShardQuery<Row> query) {
    return Keyset.of(query).byText("name", Direction.ASCENDING, Row::name);
  }

  private static ShardQuery<Row> query() {
    return ShardQuery.of("SELECT name FROM users WHERE city = ?", row -> new Row(row.getString(1)));
  }

  @Test
  void textIsMergedAsTheServersSortItsBytes() {
    // A character beyond the basic plane, whose halves Java sorts before the one at U+FF5E.
    List<Row> rows =
        new ArrayList<>(
            List.of(
                new Row("\uFF5E"),
                new Row("\uD83D\uDE00"),
                new Row("\uD83D\uDE01"),
                new Row("a\uD83D\uDE00"),
                new Row("a"),
                new Row("B"),
                new Row("\u00E9")));
    List<Row> byBytes = new ArrayList<>(rows);
    byBytes.sort(
        (left, right) ->
            Arrays.compareUnsigned(
                left.name().getBytes(StandardCharsets.UTF_8),
                right.name().getBytes(StandardCharsets.UTF_8)));

    rows.sort(byName(query()).order());

    assertThat(rows).isEqualTo(byBytes);
  }

  @Test
  void textIsSortedAndComparedByCodePointsWhateverTheColumnsCollation() {
    String sql = byName(query()).page(List.of("a"), 10).sql();

    assertThat(sql)
        .contains("WHERE (name COLLATE \"C\") > (?)")
        .contains("ORDER BY name COLLATE \"C\" ASC LIMIT 10");
  }

  @Test
  void aTokenIsOnlyForTheListWithTheSameParameters() {
    Keyset<Row> here = byName(query().with(statement -> statement.setString(1, "here")));
    Keyset<Row> again = byName(query().with(statement -> statement.setString(1, "here")));
    Keyset<Row> there = byName(query().with(statement -> statement.setString(1, "there")));

    String token = here.tokenBehind(new Row("a"));

    assertThat(again.parse(token)).isEqualTo(List.of("a"));
    assertThatThrownBy(() -> there.parse(token))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("another way");
  }

  @Test
  void arraysThatTheConnectionMakesAreParametersToo() {
    Keyset<Row> some = byName(ofCities("a", "b"));

    String token = some.tokenBehind(new Row("a"));

    assertThat(byName(ofCities("a", "b")).parse(token)).isEqualTo(List.of("a"));
    assertThatThrownBy(() -> byName(ofCities("a", "c")).parse(token))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static ShardQuery<Row> ofCities(String... cities) {
    return query()
        .with(
            statement ->
                statement.setArray(1, statement.getConnection().createArrayOf("text", cities)));
  }
}
