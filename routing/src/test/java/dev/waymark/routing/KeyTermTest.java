package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.routing.KeyTerm.InArray;
import dev.waymark.routing.KeyTerm.InParameter;
import dev.waymark.routing.KeyTerm.NotAKeyException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class KeyTermTest {
  static List<Object> wholeNumbers() {
    return List.of(
        42L, 42, (short) 42, (byte) 42, new BigDecimal("42.00"), BigInteger.valueOf(42), " 42 ");
  }

  static List<Object> others() {
    return List.of(
        42.0,
        42f,
        new BigDecimal("42.5"),
        BigInteger.ONE.shiftLeft(64),
        "42.0",
        "x",
        "",
        true,
        new UUID(1, 2));
  }

  @ParameterizedTest
  @MethodSource("wholeNumbers")
  void wholeNumbersAreKeys(Object value) {
    assertThat(KeyTerm.keys(new InParameter(1), number -> value)).containsExactly(42L);
  }

  @ParameterizedTest
  @MethodSource("others")
  void othersAreNot(Object value) {
    assertThatThrownBy(() -> KeyTerm.keys(new InParameter(3), number -> value))
        .isInstanceOf(NotAKeyException.class)
        .hasMessage(
            "parameter 3 is compared with a key and holds a "
                + value.getClass().getSimpleName()
                + " that is no whole number of 64 bits");
  }

  @Test
  void nullIsNoKey() {
    assertThat(KeyTerm.keys(new InParameter(1), number -> null)).isEmpty();
    assertThat(KeyTerm.keys(new InArray(1), number -> null)).isEmpty();
    assertThat(KeyTerm.keys(new KeyTerm.Nothing(), number -> 5)).isEmpty();
  }

  @Test
  void arraysAreSeveralKeys() {
    assertThat(KeyTerm.keys(new InArray(1), number -> new long[] {1, 2})).containsExactly(1L, 2L);
    assertThat(KeyTerm.keys(new InArray(1), number -> new int[] {1, 2})).containsExactly(1L, 2L);
    assertThat(KeyTerm.keys(new InArray(1), number -> new Long[] {1L, null})).containsExactly(1L);
    assertThat(KeyTerm.keys(new InArray(1), number -> List.of("1", 2))).containsExactly(1L, 2L);
    assertThatThrownBy(() -> KeyTerm.keys(new InArray(1), number -> "{1,2}"))
        .isInstanceOf(NotAKeyException.class);
  }
}
