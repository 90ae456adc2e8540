package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class ListCodecTest {
  private static final class Text implements Codec<String> {
    @Override
    public byte[] encode(String value) {
      return value.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String decode(byte[] bytes) {
      return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public String fingerprint() {
      return "text 1";
    }
  }

  private final Codec<List<String>> codec = new Text().ofLists();

  @Test
  void listComesBackInOrder() {
    List<String> values = List.of("b", "", "a", "Ł", "a");
    assertThat(codec.decode(codec.encode(values))).isEqualTo(values);
    assertThat(codec.decode(codec.encode(List.of()))).isEmpty();
  }

  @Test
  void fingerprintIsNotThatOfTheElement() {
    assertThat(codec.fingerprint()).isEqualTo("list of text 1");
  }

  @Test
  void numbersThatAreMadeUpReserveNoMemory() {
    for (int[] lie : new int[][] {{Integer.MAX_VALUE}, {-1}, {1, Integer.MAX_VALUE}, {1, -5}}) {
      ByteBuffer bytes = ByteBuffer.allocate(lie.length * Integer.BYTES);
      for (int number : lie) {
        bytes.putInt(number);
      }
      assertThatThrownBy(() -> codec.decode(bytes.array()))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Property(tries = 300)
  void anyBytesEndInAListOrAnException(@ForAll byte[] anything) {
    try {
      assertThat(codec.encode(codec.decode(anything))).hasSameSizeAs(anything);
    } catch (RuntimeException refused) {
      assertThat(refused).isNotNull();
    }
  }

  @Test
  void whatIsCutShortOrTooLongIsRefused() {
    byte[] bytes = codec.encode(List.of("abc", "d"));
    for (int length = 0; length < bytes.length; length++) {
      byte[] cut = Arrays.copyOf(bytes, length);
      assertThatThrownBy(() -> codec.decode(cut)).isInstanceOf(RuntimeException.class);
    }
    assertThatThrownBy(() -> codec.decode(Arrays.copyOf(bytes, bytes.length + 1)))
        .hasMessage("1 bytes are left over");
  }
}
