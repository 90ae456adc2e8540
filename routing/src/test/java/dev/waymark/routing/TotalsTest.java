package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.NotEmpty;
import org.junit.jupiter.api.Test;

class TotalsTest {
  @Property(tries = 200)
  void partsPutTogetherAreTheWhole(
      @ForAll @NotEmpty List<Integer> left, @ForAll List<Integer> right) {
    Totals<String> whole = total(left);
    for (int value : right) {
      whole = whole.plus(Totals.of("g", BigDecimal.valueOf(value)));
    }
    List<Long> all =
        java.util.stream.Stream.concat(left.stream(), right.stream())
            .map(Integer::longValue)
            .toList();

    assertThat(whole.count()).isEqualTo(all.size());
    assertThat(whole.sum().longValueExact()).isEqualTo(all.stream().mapToLong(n -> n).sum());
    assertThat(whole.least().orElseThrow().longValue())
        .isEqualTo(all.stream().mapToLong(n -> n).min().orElseThrow());
    assertThat(whole.greatest().orElseThrow().longValue())
        .isEqualTo(all.stream().mapToLong(n -> n).max().orElseThrow());
  }

  @Test
  void groupsAreCombinedEachForItself() {
    List<Totals<String>> combined =
        Totals.combine(
            List.of(
                Totals.of("a", BigDecimal.ONE),
                Totals.of("b", BigDecimal.TEN),
                Totals.of("a", new BigDecimal("2"))));

    assertThat(combined).extracting(Totals::group).containsExactly("a", "b");
    assertThat(combined.get(0).mean(1)).hasValue(new BigDecimal("1.5"));
    assertThatThrownBy(() -> combined.get(0).plus(combined.get(1)))
        .hasMessage("Totals of a and of b cannot be put together");
  }

  @Test
  void nothingHasNoMeanAndNoLeast() {
    Totals<String> none = new Totals<>("g", 0, BigDecimal.ZERO, Optional.empty(), Optional.empty());

    assertThat(none.mean(2)).isEmpty();
    assertThat(none.plus(Totals.of("g", BigDecimal.ONE)).least()).hasValue(BigDecimal.ONE);
    assertThatThrownBy(
            () -> new Totals<>("g", 1, BigDecimal.ZERO, Optional.empty(), Optional.empty()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static Totals<String> total(List<Integer> values) {
    Totals<String> total =
        new Totals<>("g", 0, BigDecimal.ZERO, Optional.empty(), Optional.empty());
    for (int value : values) {
      total = total.plus(Totals.of("g", BigDecimal.valueOf(value)));
    }
    return total;
  }
}
