package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.LogPosition;
import dev.waymark.RowChange;
import dev.waymark.ShardChange.Committed;
import dev.waymark.ShardChange.Message;
import dev.waymark.ShardChange.WholeTable;
import dev.waymark.TableName;
import java.nio.ByteBuffer;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.jspecify.annotations.Nullable;

class ChangeAssemblerTest {
  private static final TableName USERS = new TableName("public", "users");
  private static final TableName ORDERS = new TableName("public", "orders");

  private final ChangeAssembler assembler =
      new ChangeAssembler("shard-1", new LogPosition(42, 3, 0), 10, () -> 0x7_0000_0100L);

  @Example
  void transactionIsToldWhenItEndsWithTheEndOfItsCommit() {
    assertThat(add(PgOutputBytes.begin(90, 0x105))).isNull();
    assertThat(assembler.isInside()).isTrue();
    assertThat(add(PgOutputBytes.relation(1, "users", "id*", "name"))).isNull();
    assertThat(add(PgOutputBytes.insert(1, "7", "Ann"))).isNull();
    assertThat(add(PgOutputBytes.sent(1, 80, "waymark.x", "hello"))).isNull();

    Committed committed = add(PgOutputBytes.commit(90, 100));

    assertThat(assembler.isInside()).isFalse();
    assertThat(committed.shard()).isEqualTo("shard-1");
    assertThat(committed.transactionId()).isEqualTo(0x7_0000_0105L);
    assertThat(committed.position()).isEqualTo(new LogPosition(42, 3, 100));
    assertThat(committed.rows())
        .extracting(RowChange::kind)
        .containsExactly(RowChange.Kind.INSERTED);
    assertThat(committed.messages()).containsExactly(new Message("waymark.x", "hello"));
    assertThat(committed.tables()).isEmpty();
  }

  @Example
  void columnsOutsideTheIdentityOfAnOldKeyAreNotTakenForNull() {
    add(PgOutputBytes.begin(1, 1));
    add(PgOutputBytes.relation(1, "users", "id*", "name"));
    add(PgOutputBytes.delete(1, 'K', "7", null));
    add(PgOutputBytes.update(1, 'O', new String[] {"8", null}, "9", "x"));

    Committed committed = add(PgOutputBytes.commit(1, 2));

    assertThat(committed.rows().get(0).before().tells("name")).isFalse();
    assertThat(committed.rows().get(0).before().value("id")).hasValue("7");
    assertThat(committed.rows().get(1).before().value("name")).isEmpty();
  }

  @Example
  void transactionThatChangedNothingIsNotTold() {
    add(PgOutputBytes.begin(1, 1));
    add(PgOutputBytes.sent(1, 1, "other", "x"));

    assertThat(add(PgOutputBytes.commit(1, 2))).isNull();
  }

  @Example
  void tableWithTooManyRowsStandsForThemAndTheOthersAreKept() {
    add(PgOutputBytes.begin(1, 1));
    add(PgOutputBytes.relation(1, "users", "id*"));
    add(PgOutputBytes.relation(2, "orders", "id*"));
    add(PgOutputBytes.insert(2, "0"));
    for (int i = 0; i < 1_000; i++) {
      add(PgOutputBytes.insert(1, "" + i));
    }
    add(PgOutputBytes.insert(2, "1"));

    Committed committed = add(PgOutputBytes.commit(1, 2));

    assertThat(committed.tables())
        .containsExactly(new WholeTable(USERS, WholeTable.Cause.TOO_MANY_ROWS));
    assertThat(committed.rows()).hasSize(2).extracting(RowChange::table).containsOnly(ORDERS);
  }

  @Example
  void manyTablesWithFewRowsEachStandForAllTheirRows() {
    add(PgOutputBytes.begin(1, 1));
    for (int i = 0; i < 100; i++) {
      add(PgOutputBytes.relation(i, "t" + i, "id*"));
      add(PgOutputBytes.insert(i, "1"));
    }

    Committed committed = add(PgOutputBytes.commit(1, 2));

    assertThat(committed.rows().size() + committed.tables().size()).isEqualTo(100);
    assertThat(committed.rows()).hasSizeLessThanOrEqualTo(10);
  }

  @Example
  void valuesThatAmountToTooMuchAreNotKeptThoughTheRowsAreFew() {
    ChangeAssembler roomy = new ChangeAssembler("s", new LogPosition(1, 1, 0), 1_000_000, () -> 1L);
    roomy.add(PgOutputMessage.read(PgOutputBytes.begin(1, 1)));
    roomy.add(PgOutputMessage.read(PgOutputBytes.relation(1, "users", "id*")));
    ByteBuffer row = PgOutputBytes.insert(1, "x".repeat(256));
    for (int i = 0; i <= ChangeAssembler.MOST_CHARACTERS / 256; i++) {
      roomy.add(PgOutputMessage.read(row.duplicate()));
    }

    Committed committed = roomy.add(PgOutputMessage.read(PgOutputBytes.commit(1, 2)));

    assertThat(committed.tables())
        .containsExactly(new WholeTable(USERS, WholeTable.Cause.TOO_MANY_ROWS));
    assertThat(committed.rows()).isEmpty();
  }

  @Example
  void truncatedTableStandsForItsRowsWhicheverCameFirst() {
    add(PgOutputBytes.begin(1, 1));
    add(PgOutputBytes.relation(1, "users", "id*"));
    add(PgOutputBytes.insert(1, "1"));
    add(PgOutputBytes.truncate(1));
    add(PgOutputBytes.insert(1, "2"));

    Committed committed = add(PgOutputBytes.commit(1, 2));

    assertThat(committed.tables())
        .containsExactly(new WholeTable(USERS, WholeTable.Cause.TRUNCATED));
    assertThat(committed.rows()).isEmpty();
  }

  @Example
  void tableThatLooksOtherwiseThanBeforeIsToldByBothItsNames() {
    add(PgOutputBytes.begin(1, 1));
    add(PgOutputBytes.relation(1, "users", "id*"));
    add(PgOutputBytes.insert(1, "1"));
    add(PgOutputBytes.commit(1, 2));
    add(PgOutputBytes.begin(3, 2));
    // The same again is no news.
    add(PgOutputBytes.relation(1, "users", "id*"));
    assertThat(add(PgOutputBytes.commit(3, 4))).isNull();
    add(PgOutputBytes.begin(5, 3));
    add(PgOutputBytes.relation(1, "orders", "id*", "more"));
    add(PgOutputBytes.insert(1, "1", "2"));

    assertThat(add(PgOutputBytes.commit(5, 6)).tables())
        .containsExactly(
            new WholeTable(USERS, WholeTable.Cause.ALTERED),
            new WholeTable(ORDERS, WholeTable.Cause.ALTERED));
  }

  @Example
  void whatCannotComeNextIsRefused() {
    assertRefused(PgOutputBytes.insert(9, "1"), "A change of table 9 came before its description");
    add(PgOutputBytes.relation(1, "users", "id*"));
    assertRefused(PgOutputBytes.insert(1, "1"), "A change came outside of any transaction");
    assertRefused(PgOutputBytes.commit(1, 2), "A change came outside of any transaction");
    add(PgOutputBytes.begin(1, 1));
    assertRefused(PgOutputBytes.begin(1, 1), "A transaction began inside another");
    assertRefused(
        PgOutputBytes.insert(1, "1", "2"), "A row of public.users has 2 values for 1 columns");
  }

  @Property(tries = 2_000)
  void idIsTheOneWithinHalfACircleOfARecentOne(
      @ForAll @LongRange(min = 1L << 32, max = Long.MAX_VALUE - (1L << 32)) long recent,
      @ForAll @LongRange(min = -(1L << 31) + 1, max = (1L << 31) - 1) long distance) {
    long id = recent + distance;

    assertThat(ChangeAssembler.widen((int) id, recent)).isEqualTo(id);
  }

  @Example
  void idIsWidenedOnBothSidesOfAWraparound() {
    long wrap = 5L << 32;

    assertThat(ChangeAssembler.widen(3, wrap - 1)).isEqualTo(wrap + 3);
    assertThat(ChangeAssembler.widen(-1, wrap + 3)).isEqualTo(wrap - 1);
    assertThat(ChangeAssembler.widen(-1, wrap - 1)).isEqualTo(wrap - 1);
    assertThat(ChangeAssembler.widen(7, 7)).isEqualTo(7);
  }

  private @Nullable Committed add(ByteBuffer bytes) {
    return assembler.add(PgOutputMessage.read(bytes));
  }

  private void assertRefused(ByteBuffer bytes, String message) {
    assertThatThrownBy(() -> add(bytes))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }
}
