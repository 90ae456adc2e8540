package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.atomic.AtomicInteger;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class MergeTest {
  @Property(tries = 200)
  void sortedListsComeAsOneSortedList(@ForAll @Size(max = 6) List<List<Integer>> lists) {
    List<Integer> all = new ArrayList<>();
    List<Iterator<Integer>> sorted = new ArrayList<>();
    for (List<Integer> list : lists) {
      all.addAll(list);
      sorted.add(list.stream().sorted().iterator());
    }
    List<Integer> merged = new ArrayList<>();
    new Merge<>(Comparator.<Integer>naturalOrder(), sorted).forEachRemaining(merged::add);

    assertThat(merged).isEqualTo(all.stream().sorted().toList());
  }

  @Test
  void eachSourceIsReadOneRowAhead() {
    AtomicInteger read = new AtomicInteger();
    Iterator<Integer> source =
        java.util.stream.Stream.iterate(0, n -> n + 1).peek(n -> read.incrementAndGet()).iterator();
    Merge<Integer> merge = new Merge<>(Comparator.naturalOrder(), List.of(source));

    merge.next();
    merge.next();

    assertThat(read.get()).isLessThanOrEqualTo(4);
  }

  @Test
  void rowsOutOfOrderAreRefusedAndTheEndIsAnEnd() {
    Merge<Integer> merge =
        new Merge<>(Comparator.naturalOrder(), List.of(List.of(2, 1).iterator()));
    assertThatThrownBy(merge::next)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("ORDER BY");

    Merge<Integer> empty = new Merge<>(Comparator.naturalOrder(), List.of());
    assertThat(empty.hasNext()).isFalse();
    assertThatThrownBy(empty::next).isInstanceOf(NoSuchElementException.class);
  }
}
