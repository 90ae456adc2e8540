package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import dev.waymark.RowImage;
import dev.waymark.TableName;
import dev.waymark.routing.PgOutputMessage.Begin;
import dev.waymark.routing.PgOutputMessage.Cell;
import dev.waymark.routing.PgOutputMessage.Column;
import dev.waymark.routing.PgOutputMessage.Commit;
import dev.waymark.routing.PgOutputMessage.Delete;
import dev.waymark.routing.PgOutputMessage.Insert;
import dev.waymark.routing.PgOutputMessage.OldRow;
import dev.waymark.routing.PgOutputMessage.Other;
import dev.waymark.routing.PgOutputMessage.Relation;
import dev.waymark.routing.PgOutputMessage.Sent;
import dev.waymark.routing.PgOutputMessage.Told;
import dev.waymark.routing.PgOutputMessage.Truncate;
import dev.waymark.routing.PgOutputMessage.Update;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

class PgOutputMessageTest {

  @Example
  void everyMessageIsReadAsTheManualLaysItOut() {
    assertThat(read(PgOutputBytes.begin(0x16_B374D848L, -5)))
        .isEqualTo(new Begin(0x16_B374D848L, -5));
    assertThat(read(PgOutputBytes.commit(7, 9))).isEqualTo(new Commit(7, 9));
    assertThat(read(PgOutputBytes.relation(-1, "users", "id*", "name")))
        .isEqualTo(
            new Relation(
                -1,
                new TableName("public", "users"),
                List.of(new Column("id", true, 25, -1), new Column("name", false, 25, -1))));
    assertThat(read(PgOutputBytes.insert(1, "7", null, "?")))
        .isEqualTo(new Insert(1, List.of(text("7"), Cell.NULL, Cell.UNTOLD)));
    assertThat(read(PgOutputBytes.update(1, "7")))
        .isEqualTo(new Update(1, null, List.of(text("7"))));
    assertThat(read(PgOutputBytes.update(1, 'K', new String[] {"6"}, "7")))
        .isEqualTo(new Update(1, new OldRow(false, List.of(text("6"))), List.of(text("7"))));
    assertThat(read(PgOutputBytes.update(1, 'O', new String[] {"6"}, "7")))
        .isEqualTo(new Update(1, new OldRow(true, List.of(text("6"))), List.of(text("7"))));
    assertThat(read(PgOutputBytes.delete(1, 'K', "7")))
        .isEqualTo(new Delete(1, new OldRow(false, List.of(text("7")))));
    assertThat(read(PgOutputBytes.truncate(1, 2))).isEqualTo(new Truncate(List.of(1, 2)));
    assertThat(read(PgOutputBytes.sent(1, 5, "waymark.cache", "ü")))
        .isEqualTo(new Sent(true, 5, "waymark.cache", "ü"));
    assertThat(read(PgOutputBytes.sent(0, 5, "waymark.mark", "")))
        .isEqualTo(new Sent(false, 5, "waymark.mark", ""));
  }

  /** One transaction as PostgreSQL 18 sent it: insert, update of the key, delete, truncate. */
  @Example
  void bytesOfARealServerAreRead() {
    assertThat(real("420000000001c553f000030434d4a8256a000002f7"))
        .isEqualTo(new Begin(0x1C553F0, 759));
    assertThat(
            real(
                "52000040077075626c6963007573657273006400030169640000000014ffffffff006e616d65"
                    + "0000000019ffffffff0062696f6772617068790000000019ffffffff"))
        .isEqualTo(
            new Relation(
                0x4007,
                new TableName("public", "users"),
                List.of(
                    new Column("id", true, 20, -1),
                    new Column("name", false, 25, -1),
                    new Column("biography", false, 25, -1))));
    assertThat(real("49000040074e00037400000001317400000003416e6e6e"))
        .isEqualTo(new Insert(0x4007, List.of(text("1"), text("Ann"), Cell.NULL)));
    assertThat(real("55000040074b00037400000001316e6e4e00037400000001327400000003416e6e6e"))
        .isEqualTo(
            new Update(
                0x4007,
                new OldRow(false, List.of(text("1"), Cell.NULL, Cell.NULL)),
                List.of(text("2"), text("Ann"), Cell.NULL)));
    assertThat(real("44000040074b00037400000001326e6e"))
        .isEqualTo(new Delete(0x4007, new OldRow(false, List.of(text("2"), Cell.NULL, Cell.NULL))));
    assertThat(real("54000000010000004007")).isEqualTo(new Truncate(List.of(0x4007)));
    assertThat(real("4d010000000001c553f07761796d61726b2e7800000000026869"))
        .isEqualTo(new Sent(true, 0x1C553F0, "waymark.x", "hi"));
    assertThat(real("43000000000001c553f00000000001c5556000030434d4a8256a"))
        .isEqualTo(new Commit(0x1C553F0, 0x1C55560));
  }

  private static PgOutputMessage real(String hexadecimal) {
    return read(ByteBuffer.wrap(HexFormat.of().parseHex(hexadecimal)));
  }

  @Example
  void whatNothingHereNeedsIsPassedOver() {
    assertThat(read(PgOutputBytes.type('O').int64(1).string("origin").done()))
        .isEqualTo(new Other('O'));
    assertThat(read(PgOutputBytes.type('Y').int32(1).string("public").string("mood").done()))
        .isEqualTo(new Other('Y'));
    assertThat(read(PgOutputBytes.sent(1, 5, "other", "text"))).isEqualTo(new Other('M'));
  }

  @Example
  void tableOfTheCatalogueHasItsSchemaThoughItIsSentWithout() {
    ByteBuffer bytes =
        PgOutputBytes.type('R').int32(1).string("").string("x").int8('n').int16(0).done();

    assertThat(((Relation) read(bytes)).table()).isEqualTo(new TableName("pg_catalog", "x"));
  }

  @Example
  void longAndBinaryValuesAreNotKept() {
    String longest = "ü".repeat(RowImage.LONGEST_VALUE);
    assertThat(((Insert) read(PgOutputBytes.insert(1, longest))).after())
        .containsExactly(text(longest));
    assertThat(((Insert) read(PgOutputBytes.insert(1, longest + "x"))).after())
        .containsExactly(Cell.UNTOLD);
    assertThat(((Insert) read(PgOutputBytes.insert(1, "x".repeat(1_000_000), "7"))).after())
        .containsExactly(Cell.UNTOLD, text("7"));
    ByteBuffer binary =
        PgOutputBytes.type('I').int32(1).int8('N').int16(1).int8('b').int32(2).int16(9).done();
    assertThat(((Insert) read(binary)).after()).containsExactly(Cell.UNTOLD);
  }

  @Example
  void whatIsNoMessageIsRefusedWithWhatWasFoundWhere() {
    assertRefused(
        PgOutputBytes.type('S').int32(1).done(),
        "A message of type S has a type that protocol version 1 does not know, at byte 1 of 5");
    assertRefused(
        ByteBuffer.allocate(0),
        "A message of type ? has an end where 1 more bytes belong, at byte 0 of 0");
    assertRefused(
        PgOutputBytes.type('B').int64(1).done(),
        "A message of type B has an end where 8 more bytes belong, at byte 9 of 9");
    assertRefused(
        PgOutputBytes.type('C').int8(0).int64(1).int64(1).int64(1).int8(1).done(),
        "A message of type C has 1 bytes too many, at byte 26 of 27");
    assertRefused(
        PgOutputBytes.type('I').int32(1).int8('K').row("1").done(),
        "A message of type I has a row of kind K where N belongs, at byte 6 of 14");
    assertRefused(
        PgOutputBytes.type('I').int32(1).int8('N').int16(1).int8('x').done(),
        "A message of type I has a value of kind x, at byte 9 of 9");
    assertRefused(
        PgOutputBytes.type('I').int32(1).int8('N').int16(1).int8('t').int32(-1).done(),
        "A message of type I has a length of -1, at byte 13 of 13");
    assertRefused(
        PgOutputBytes.type('D').int32(1).int8('N').row("1").done(),
        "A message of type D has a row of kind N, at byte 6 of 14");
    assertRefused(
        PgOutputBytes.type('R').int32(1).raw(new byte[] {'a', 'b'}).done(),
        "A message of type R has a name without an end, at byte 5 of 7");
    assertRefused(
        PgOutputBytes.type('T').int32(Integer.MAX_VALUE).int8(0).done(),
        "A message of type T has 2147483647 tables, at byte 5 of 6");
    assertRefused(
        ByteBuffer.wrap(new byte[] {7}),
        "A message of type 0x7 has a type that protocol version 1 does not know, at byte 1 of 1");
  }

  @Property(tries = 2_000)
  void anyBytesAreAMessageOrAreRefused(@ForAll byte[] bytes) {
    readOrRefuse(ByteBuffer.wrap(bytes));
  }

  @Property(tries = 2_000)
  void anyMessageWithAByteChangedIsAMessageOrIsRefused(
      @ForAll("messages") ByteBuffer message, @ForAll int place, @ForAll byte value) {
    byte[] bytes = message.array().clone();
    bytes[Math.floorMod(place, bytes.length)] = value;
    readOrRefuse(ByteBuffer.wrap(bytes));
  }

  @Property(tries = 500)
  void messageThatIsCutAnywhereIsRefused(@ForAll("messages") ByteBuffer message) {
    for (int end = 0; end < message.limit(); end++) {
      ByteBuffer cut = ByteBuffer.wrap(message.array(), 0, end).slice();
      assertThatThrownBy(() -> read(cut)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Property(tries = 500)
  void rowIsReadBackAsItWasWritten(@ForAll("rows") String[] row) {
    List<Cell> cells = ((Insert) read(PgOutputBytes.insert(3, row))).after();

    assertThat(cells).hasSize(row.length);
    for (int i = 0; i < row.length; i++) {
      if (row[i] == null) {
        assertThat(cells.get(i)).isEqualTo(Cell.NULL);
      } else if (!row[i].equals("?")) {
        assertThat(cells.get(i)).isEqualTo(text(row[i]));
      }
    }
  }

  @Provide
  Arbitrary<String[]> rows() {
    // Whole characters only: half of a pair has no bytes in UTF-8.
    Arbitrary<String> values =
        Arbitraries.strings().withCharRange('a', 'z').withChars("äß€ ").ofMaxLength(20);
    return values.injectNull(0.2).array(String[].class).ofMaxSize(6);
  }

  @Provide
  Arbitrary<ByteBuffer> messages() {
    return Combinators.combine(rows(), Arbitraries.integers(), Arbitraries.longs())
        .flatAs(
            (row, id, lsn) ->
                Arbitraries.of(
                    PgOutputBytes.begin(lsn, id),
                    PgOutputBytes.commit(lsn, lsn + 1),
                    PgOutputBytes.relation(id, "users", "id*", "name"),
                    PgOutputBytes.insert(id, row),
                    PgOutputBytes.update(id, row),
                    PgOutputBytes.update(id, 'K', row, row),
                    PgOutputBytes.delete(id, 'O', row),
                    PgOutputBytes.truncate(id, 2, 3),
                    PgOutputBytes.sent(1, lsn, "waymark.x", "text")));
  }

  private static void readOrRefuse(ByteBuffer bytes) {
    try {
      assertThat(read(bytes)).isNotNull();
    } catch (IllegalArgumentException refused) {
      assertThat(refused).hasMessageStartingWith("A message of type ");
    } catch (RuntimeException other) {
      fail("Neither a message nor a refusal", other);
    }
  }

  private static void assertRefused(ByteBuffer bytes, String message) {
    assertThatThrownBy(() -> read(bytes))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  private static PgOutputMessage read(ByteBuffer bytes) {
    return PgOutputMessage.read(bytes);
  }

  private static Cell text(String text) {
    return new Cell(Told.TEXT, text);
  }
}
