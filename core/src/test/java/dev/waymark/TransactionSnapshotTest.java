package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TransactionSnapshotTest {
  @Test
  void whoWasOverIsKnown() {
    TransactionSnapshot snapshot = TransactionSnapshot.parse("100:110:100,105");
    assertThat(snapshot.hasFinished(99)).isTrue();
    assertThat(snapshot.hasFinished(100)).isFalse();
    assertThat(snapshot.hasFinished(101)).isTrue();
    assertThat(snapshot.hasFinished(105)).isFalse();
    assertThat(snapshot.hasFinished(109)).isTrue();
    assertThat(snapshot.hasFinished(110)).isFalse();
    assertThat(snapshot.hasFinished(-1)).isFalse();
  }

  @Test
  void idsAreUnsigned() {
    TransactionSnapshot snapshot =
        TransactionSnapshot.parse("9223372036854775807:9223372036854775810:9223372036854775808");
    assertThat(snapshot.hasFinished(Long.MAX_VALUE)).isTrue();
    assertThat(snapshot.hasFinished(Long.MIN_VALUE)).isFalse();
    assertThat(snapshot.hasFinished(Long.MIN_VALUE + 1)).isTrue();
    assertThat(snapshot.hasFinished(Long.MIN_VALUE + 2)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"1:1:", "5:9:5,7", "0:18446744073709551615:"})
  void textComesBack(String text) {
    TransactionSnapshot snapshot = TransactionSnapshot.parse(text);
    assertThat(snapshot).hasToString(text).isEqualTo(TransactionSnapshot.parse(text));
    assertThat(snapshot).hasSameHashCodeAs(TransactionSnapshot.parse(text));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "1", "1:2", "1:2:3:4", "a:2:", "3:2:", "1:5:5", "2:5:1", "1:9:4,3", "1:9:3,"})
  void otherTextIsRefused(String text) {
    assertThatThrownBy(() -> TransactionSnapshot.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Not a transaction snapshot: " + text);
  }
}
