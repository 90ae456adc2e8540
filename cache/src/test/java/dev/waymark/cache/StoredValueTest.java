package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class StoredValueTest {
  private static final String LINE = "e-1-2 shard%201 5:7:5,6 g-3 1795749499902\n";

  @Test
  void lineAndValueAreToldApart() {
    StoredValue stored = stored(LINE + "a value\nof two lines");
    assertThat(stored.epoch()).isEqualTo("e-1-2");
    assertThat(stored.label()).isEqualTo("5:7:5,6");
    assertThat(stored.carries(bytes("g-3"))).isTrue();
    assertThat(stored.endsAtMillis()).isEqualTo(1_795_749_499_902L);
    assertThat(new String(stored.payload(), StandardCharsets.UTF_8))
        .isEqualTo("a value\nof two lines");
  }

  @Test
  void epochIsComparedAsAWholeAndUnderItsServerOnly() {
    StoredValue stored = stored(LINE);
    assertThat(stored.isOf(bytes("server e-1-2"), "server")).isTrue();
    for (String other :
        new String[] {
          "server e-1-22", "server e-1-", "server ", "server", "other e-1-2", "serve e-1-2", ""
        }) {
      assertThat(stored.isOf(bytes(other), "server")).as(other).isFalse();
    }
    assertThat(stored.isOf(bytes("server e-1-2"), "serve")).isFalse();
  }

  @Test
  void generationIsComparedAsAWhole() {
    StoredValue stored = stored(LINE);
    assertThat(stored.carries(bytes("g-33"))).isFalse();
    assertThat(stored.carries(bytes("g-"))).isFalse();
    assertThat(stored.carries(bytes("-"))).isFalse();
  }

  @Test
  void whatHasNoSuchLineIsNoValue() {
    for (String text :
        new String[] {"", "poison", "e s l g\nvalue", "e s l g 1 more\nvalue", LINE.trim()}) {
      assertThat(StoredValue.read(bytes(text))).as(text).isNull();
      assertThat(StoredValue.payloadOf(bytes(text))).isEmpty();
    }
  }

  @Test
  void endThatIsNoNumberIsOver() {
    assertThat(stored("e s l g 12x\nvalue").endsAtMillis()).isZero();
  }

  @Property
  void anyBytesCanBeLookedAt(@ForAll byte[] bytes) {
    StoredValue stored = StoredValue.read(bytes);
    if (stored != null) {
      assertThat(stored.isOf(bytes, "server")).isFalse();
      assertThat(stored.payload().length).isLessThan(bytes.length);
      assertThat(stored.carries(bytes)).isFalse();
      stored.endsAtMillis();
    }
  }

  private static StoredValue stored(String text) {
    return Objects.requireNonNull(StoredValue.read(bytes(text)));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
