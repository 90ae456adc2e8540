package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class RangeIndexTest {
  @Property(tries = 500)
  void findsWhatABinarySearchFinds(
      @ForAll("ascending") List<Long> starts, @ForAll List<Long> more) {
    agrees(starts.stream().mapToLong(Long::longValue).toArray(), more);
  }

  /** Of about one size, of very different ones, and all in a corner of what a key can be. */
  @Provide
  Arbitrary<List<Long>> ascending() {
    Arbitrary<Long> even = Arbitraries.longs().between(0, 1_000);
    Arbitrary<Long> skewed = Arbitraries.integers().between(0, 62).map(bit -> 1L << bit);
    Arbitrary<Long> corner = Arbitraries.longs().between(Long.MAX_VALUE - 100, Long.MAX_VALUE);
    return Arbitraries.oneOf(even, skewed, corner, Arbitraries.longs())
        .list()
        .ofMinSize(1)
        .ofMaxSize(200)
        .map(all -> all.stream().sorted().distinct().toList());
  }

  @Test
  void findsEachOfAHundredThousand() {
    agrees(LongStream.range(0, 100_000).map(i -> 1 + i * 10_000).toArray(), List.of());
  }

  @Test
  void findsInTheLargestSpanThereIs() {
    agrees(new long[] {Long.MIN_VALUE, -1, 0, 1, Long.MAX_VALUE}, List.of());
  }

  private static void agrees(long[] starts, List<Long> more) {
    RangeIndex index = new RangeIndex(starts);
    LongStream.concat(
            Arrays.stream(starts).flatMap(start -> LongStream.of(start - 1, start, start + 1)),
            more.stream().mapToLong(Long::longValue))
        .forEach(
            key -> {
              int found = Arrays.binarySearch(starts, key);
              int expected = found >= 0 ? found : -found - 2;
              assertThat(index.find(key)).as("key %d", key).isEqualTo(expected);
            });
  }
}
