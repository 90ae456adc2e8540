package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.LogPosition;
import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class ValueFormatTest {
  private record Plain(String fingerprint) implements Codec<byte[]> {
    @Override
    public byte[] encode(byte[] value) {
      return value;
    }

    @Override
    public byte[] decode(byte[] bytes) {
      if (bytes.length > 0 && bytes[0] == 13) {
        throw new IllegalArgumentException("thirteen");
      }
      return bytes;
    }
  }

  private final ValueFormat<byte[]> format = new ValueFormat<>(new Plain("plain 1"));
  private static final LogPosition POSITION = new LogPosition(-5, 3, 0xFFFF_0000_0000_0001L);

  @Property(tries = 200)
  void everythingComesBack(@ForAll byte[] value, @ForAll boolean positioned) {
    LogPosition position = positioned ? POSITION : null;
    ValueFormat.Stored<byte[]> stored = format.decode(format.encode(value, position));
    if (value.length > 0 && value[0] == 13) {
      assertThat(stored).isNull();
    } else {
      assertThat(stored).isNotNull();
      assertThat(stored.value()).isEqualTo(value);
      assertThat(stored.position()).isEqualTo(position);
    }
  }

  @Property(tries = 500)
  void anyBytesAreReadWithoutAnException(@ForAll byte[] anything) {
    assertThat(format.decode(anything)).isNull();
  }

  @Property(tries = 500)
  void anyCutOrDamageIsAMiss(
      @ForAll @IntRange(max = 40) int at, @ForAll @IntRange(min = 1, max = 255) int damage) {
    byte[] bytes = format.encode(new byte[] {1, 2, 3, 4, 5}, POSITION);
    int place = at % bytes.length;
    assertThat(format.decode(Arrays.copyOf(bytes, place))).isNull();
    bytes[place] ^= (byte) damage;
    assertThat(format.decode(bytes)).isNull();
  }

  @Test
  void absenceIsAValueOfItsOwn() {
    assertThat(format.decode(format.encode(null, POSITION)))
        .isEqualTo(new ValueFormat.Stored<byte[]>(null, POSITION));
  }

  @Test
  void otherFingerprintIsAMiss() {
    byte[] bytes = format.encode(new byte[] {1}, null);
    assertThat(new ValueFormat<>(new Plain("plain 2")).decode(bytes)).isNull();
  }

  @Test
  void overlongFingerprintIsRefused() {
    assertThatThrownBy(() -> new ValueFormat<>(new Plain("x".repeat(256))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("A codec's fingerprint may take 255 bytes, not 256");
    assertThat(ValueFormat.shortened("x".repeat(256))).hasSizeLessThan(256);
  }
}
