package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.KeyRendering;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeyFormTest {
  private enum Colour {
    RED
  }

  private record Pair(int left, int right) {}

  private final KeyForm<Object> known = new KeyForm.Known<>();

  /** Another process, built from another commit, must come to the same: these are for ever. */
  @Test
  void textAndHashAreFixed() {
    assertThat(known.text(7L)).isEqualTo("7");
    assertThat(known.text("é")).isEqualTo("é");
    assertThat(known.text(Colour.RED)).isEqualTo("RED");
    UUID uuid = new UUID(1, 2);
    assertThat(known.text(uuid)).isEqualTo("00000000-0000-0001-0000-000000000002");
    assertThat(
            List.of(
                known.hash(7L),
                known.hash(-1L),
                known.hash("seven"),
                known.hash(uuid),
                known.hash(Colour.RED)))
        .containsExactly(415870660, 0, -1565136026, -2047822809, 2115908775);
    assertThat(known.hash(7)).isEqualTo(known.hash(7L)).isEqualTo(known.hash((short) 7));
  }

  @Test
  void typeWithoutAFixedTextIsRefusedWithTheRemedy() {
    assertThatThrownBy(() -> known.hash(new Pair(1, 2)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "Keys of class dev.waymark.cache.KeyFormTest$Pair have no text that is known to be the"
                + " same in every process; give the cache one with keyText(...)");
    assertThatThrownBy(() -> known.text(new Pair(1, 2)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void typeOfOnesOwnIsWrittenByTheApplication() {
    KeyForm<Pair> written = new KeyForm.Written<>(pair -> pair.left() + "/" + pair.right());
    assertThat(written.text(new Pair(1, 2))).isEqualTo("1/2");
    assertThat(written.hash(new Pair(1, 2))).isEqualTo(known.hash("1/2"));
    assertThat(written.render(new Pair(1, 2), KeyRendering.FULL)).isEqualTo("1/2");
    assertThat(written.render(new Pair(1, 2), KeyRendering.NONE)).isEqualTo("(hidden)");
    assertThat(written.render(new Pair(1, 2), KeyRendering.FINGERPRINT)).matches("#[0-9a-f]{6}");
  }

  @Test
  void neighbouringKeysSpreadOverTheBuckets() {
    long buckets =
        java.util.stream.LongStream.range(0, 200)
            .map(i -> new CacheKey("users", "" + i, known.hash(i)).bucket())
            .distinct()
            .count();
    assertThat(buckets).isEqualTo(CacheKey.BUCKETS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a\uD800", "\uDC00a", "\uD800\uD800", "\uDC00\uD800"})
  void halfASurrogatePairIsRefused(String text) {
    assertThatThrownBy(() -> new KeyForm.Known<String>().text(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("half of a surrogate pair");
    assertThatThrownBy(() -> new KeyForm.Written<Long>(key -> text).text(1L))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> KeyForm.Tagged.address("users", text))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void wholeSurrogatePairsAreText() {
    assertThat(new KeyForm.Known<String>().text("a\uD83D\uDE00")).isEqualTo("a\uD83D\uDE00");
  }
}
