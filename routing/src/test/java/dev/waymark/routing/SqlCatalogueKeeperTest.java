package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SqlCatalogueKeeperTest {
  private static final long MAXIMUM_AGE = 1_000;
  private static final long PAUSE = 10;

  private long now;
  private long loads;
  private boolean isDown;
  private SqlCatalogue second;

  private final SqlCatalogueKeeper keeper =
      new SqlCatalogueKeeper(this::load, () -> now, MAXIMUM_AGE, PAUSE);

  private List<SqlCatalogue> load() throws SQLException {
    if (isDown) {
      throw new SQLException("down");
    }
    loads++;
    SqlCatalogue first = catalogue(loads, Set.of("="));
    return second == null ? List.of(first) : List.of(first, second);
  }

  private static SqlCatalogue catalogue(long version, Set<String> operators) {
    return SqlCatalogue.of(
        version,
        new SqlCatalogue.Rows(
            List.of(), List.of(), List.of(), operators, Set.of(), Set.of(), Map.of(), List.of()));
  }

  @Test
  void itIsReadOnceAndThenHeld() {
    assertThat(keeper.current()).isSameAs(keeper.current());
    assertThat(loads).isEqualTo(1);
  }

  @Test
  void itIsReadAgainAfterAChange() {
    keeper.current();
    keeper.changed();

    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void itIsReadAgainNowAndThen() {
    keeper.current();
    now += MAXIMUM_AGE - 1;
    assertThat(keeper.current().version()).isEqualTo(1);
    now++;
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void errorsThatTellOfAnotherSchemaHaveItReadAgain() {
    keeper.current();
    now += PAUSE;

    assertThat(keeper.failed(new SQLException("no such table", "42P01"))).isTrue();
    assertThat(keeper.current().version()).isEqualTo(2);
    assertThat(keeper.failed(new SQLException("duplicate", "23505"))).isFalse();
    assertThat(keeper.failed(new SQLException("without a state"))).isFalse();
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void aStatementThatAlwaysFailsDoesNotHaveItReadEachTime() {
    keeper.current();

    assertThat(keeper.failed(new SQLException("no such table", "42P01"))).isTrue();
    assertThat(keeper.current().version()).isEqualTo(1);
  }

  @Test
  void whileItCannotBeReadNothingIsProved() {
    keeper.current();
    keeper.changed();
    isDown = true;

    assertThat(keeper.current().version()).isZero();
    isDown = false;
    assertThat(keeper.current().version()).isZero();
    now += PAUSE;
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void nothingIsProvedWhileTheShardsDiffer() {
    second = catalogue(1, Set.of("=", "<>"));
    assertThat(keeper.current().alarms()).containsExactly("the shards' schemas differ");

    second = catalogue(1, Set.of("="));
    keeper.changed();
    assertThat(keeper.current().alarms()).isEmpty();
  }
}
