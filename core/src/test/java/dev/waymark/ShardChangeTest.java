package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.RowChange.Kind;
import dev.waymark.ShardChange.Committed;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ShardChangeTest {
  private static final TableName USERS = new TableName("public", "users");

  @Test
  void tableIsCalledWhatSqlWithoutQuotesWrites() {
    assertThat(USERS.isCalled("users")).isTrue();
    assertThat(USERS.isCalled("Public.Users")).isTrue();
    assertThat(USERS.isCalled("app.users")).isFalse();
    assertThat(USERS.isCalled("orders")).isFalse();
    assertThat(new TableName("public", "Users").isCalled("Users")).isFalse();
    assertThat(USERS).hasToString("public.users");
  }

  @Test
  void nullIsToldAndAnUntouchedLongValueIsNot() {
    RowImage row = new RowImage(Map.of("id", Optional.of("7"), "name", Optional.empty()));

    assertThat(row.value("id")).hasValue("7");
    assertThat(row.tells("name")).isTrue();
    assertThat(row.value("name")).isEmpty();
    assertThat(row.tells("biography")).isFalse();
    assertThatThrownBy(() -> row.value("biography"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("Column biography is not told; told are [id, name]");
  }

  @Test
  void rowChangeHasTheImagesOfItsKind() {
    RowImage row = new RowImage(Map.of("id", Optional.of("7")));

    assertThat(new RowChange(USERS, Kind.UPDATED, null, row).before()).isNull();
    assertThatThrownBy(() -> new RowChange(USERS, Kind.DELETED, row, row))
        .hasMessage("DELETED of public.users with a new row");
    assertThatThrownBy(() -> new RowChange(USERS, Kind.INSERTED, null, null))
        .hasMessage("INSERTED of public.users without a new row");
    assertThatThrownBy(() -> new RowChange(USERS, Kind.INSERTED, row, row))
        .hasMessage("INSERTED of public.users with an old row");
    assertThatThrownBy(() -> new RowChange(USERS, Kind.DELETED, null, null))
        .hasMessage("DELETED of public.users without an old row");
  }

  @Test
  void changesDoNotChangeWithTheListTheyWereMadeOf() {
    List<RowChange> rows = new ArrayList<>();
    Committed committed =
        new Committed("s", 3, new LogPosition(1, 1, 1), rows, List.of(), List.of());
    rows.add(
        new RowChange(USERS, Kind.INSERTED, null, new RowImage(Map.of("id", Optional.of("7")))));

    assertThat(committed.rows()).isEmpty();
  }
}
