package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.routing.Keyset.Direction;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
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

  // ---- tokens that somebody made up -----------------------------------------------------------

  private record Wide(long id, Instant seen, String name) {}

  private static Keyset<Wide> wide() {
    ShardQuery<Wide> query =
        ShardQuery.of(
            "SELECT id, seen, name FROM users",
            row -> {
              throw new AssertionError("no row is read");
            });
    return Keyset.of(query)
        .byLong("id", Direction.ASCENDING, Wide::id)
        .byInstant("seen", Direction.DESCENDING, Wide::seen)
        .byText("name", Direction.ASCENDING, Wide::name);
  }

  /** A token whose checksum is right and which is of the list, holding whatever is wanted. */
  private static String forged(byte[] held) {
    byte[] genuine =
        Base64.getUrlDecoder().decode(wide().tokenBehind(new Wide(1, Instant.EPOCH, "a")));
    ByteBuffer payload = ByteBuffer.allocate(4 + held.length);
    payload.put(genuine, 0, 4).put(held);
    CRC32C checksum = new CRC32C();
    checksum.update(payload.array());
    ByteBuffer whole = ByteBuffer.allocate(payload.capacity() + 4);
    whole.put(payload.array()).putInt((int) checksum.getValue());
    return Base64.getUrlEncoder().withoutPadding().encodeToString(whole.array());
  }

  private static byte[] whole(long value) {
    return ByteBuffer.allocate(9).put((byte) 'l').putLong(value).array();
  }

  private static byte[] instant(long seconds, int nanos) {
    return ByteBuffer.allocate(13).put((byte) 'i').putLong(seconds).putInt(nanos).array();
  }

  private static byte[] text(int length, byte[] bytes) {
    return ByteBuffer.allocate(3 + bytes.length)
        .put((byte) 't')
        .putShort((short) length)
        .put(bytes)
        .array();
  }

  private static byte[] joined(byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }

  private static byte[] text(String value) {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    return text(bytes.length, bytes);
  }

  private static final byte[] ID = whole(7);
  private static final byte[] SEEN = instant(1_700_000_000, 5_000);
  private static final byte[] NAME = text("Ada");

  @Test
  void aRefusalOfATokenSaysWhichPartIsWrong() {
    assertThat(wide().parse(forged(joined(ID, SEEN, NAME))))
        .isEqualTo(List.of(7L, Instant.ofEpochSecond(1_700_000_000, 5_000), "Ada"));
    Map<String, String> expected = new LinkedHashMap<>();
    expected.put("nonsense!", "it has characters that are in none, or lacks some");
    expected.put("", "it is too short");
    expected.put("AAAAAAAA", "it is too short");
    expected.put("AAAAAAAAAAAAAAAA", "its checksum does not fit, so it is damaged");
    expected.put(forged(joined()), "it ends within what it holds for id");
    expected.put(forged(joined(NAME, SEEN, NAME)), "what it holds for id is no whole number");
    expected.put(forged(joined(ID, ID, NAME)), "what it holds for seen is no instant");
    expected.put(forged(joined(ID, SEEN, SEEN)), "what it holds for name is no text");
    expected.put(
        forged(joined(ID, instant(Long.MAX_VALUE, 0), NAME)),
        "what it holds for seen is no instant of a server's");
    expected.put(
        forged(joined(ID, instant(0, -1), NAME)),
        "what it holds for seen is no instant of a server's");
    expected.put(
        forged(joined(ID, SEEN, text("a\0b"))), "what it holds for name is no text of a server's");
    expected.put(
        forged(joined(ID, SEEN, text(2, new byte[] {(byte) 0xC3, 0x28}))),
        "what it holds for name is no text of a server's");
    expected.put(
        forged(joined(ID, SEEN, text(9, new byte[3]))), "it ends within what it holds for name");
    expected.put(
        forged(joined(ID, SEEN, NAME, ID)), "it goes on behind what it holds for the last column");
    expected.forEach(
        (token, why) ->
            assertThatThrownBy(() -> wide().parse(token))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The page token was refused: " + why + ". Begin with the first page."));
  }

  @Property
  void anyTextIsAPageTokenOrRefusedAsOne(@ForAll String token) {
    parsedOrRefused(token);
  }

  @Property
  void anyBytesArePageTokensOrRefusedAsOne(@ForAll byte[] held) {
    parsedOrRefused(Base64.getUrlEncoder().encodeToString(held));
    parsedOrRefused(forged(held));
  }

  @Property(tries = 5_000)
  void whatIsTakenFromAForgedTokenIsWhatAServerTakes(@ForAll("parts") List<byte[]> parts) {
    List<Comparable<?>> values = parsedOrRefused(forged(joined(parts.toArray(byte[][]::new))));
    if (values.isEmpty()) {
      return;
    }
    Instant seen = (Instant) values.get(1);
    String name = (String) values.get(2);
    assertThat(seen)
        .isBetween(
            Instant.parse("-4713-11-24T00:00:00Z"), Instant.parse("+294276-12-31T23:59:59Z"));
    assertThat(name).doesNotContain("\0");
    assertThat(StandardCharsets.UTF_8.newEncoder().canEncode(name)).isTrue();
    assertThat(wide().parse(wide().tokenBehind(new Wide((Long) values.get(0), seen, name))))
        .isEqualTo(values);
  }

  /** Three columns as they should be, mostly; at times wrong ones, or another number of them. */
  @Provide
  Arbitrary<List<byte[]>> parts() {
    Arbitrary<byte[]> id = Arbitraries.longs().map(KeysetTest::whole);
    Arbitrary<byte[]> seen =
        Combinators.combine(
                Arbitraries.oneOf(
                    Arbitraries.longs(),
                    Arbitraries.longs().between(-300_000_000_000L, 10_000_000_000_000L)),
                Arbitraries.integers())
            .as((seconds, nanos) -> instant(seconds, nanos % 2 == 0 ? nanos : (nanos & 0xFFFF)));
    Arbitrary<byte[]> name =
        Arbitraries.oneOf(
            Arbitraries.strings().ofMaxLength(20).map(KeysetTest::text),
            Arbitraries.bytes()
                .array(byte[].class)
                .ofMaxSize(10)
                .map(bytes -> text(bytes.length, bytes)));
    Arbitrary<byte[]> any = Arbitraries.bytes().array(byte[].class).ofMaxSize(20);
    Arbitrary<List<byte[]>> right =
        Combinators.combine(id, seen, name).as((one, two, three) -> List.of(one, two, three));
    return Arbitraries.frequencyOf(
        Tuple.of(5, right),
        Tuple.of(1, Arbitraries.oneOf(id, seen, name, any).list().ofMaxSize(5)));
  }

  /** What a token holds; nothing if it is refused, as it must be if it is not taken. */
  private static List<Comparable<?>> parsedOrRefused(String token) {
    try {
      return wide().parse(token);
    } catch (IllegalArgumentException refused) {
      assertThat(refused)
          .hasMessageStartingWith("The page token was refused: ")
          .hasMessageEndingWith(". Begin with the first page.");
      return List.of();
    }
  }
}
