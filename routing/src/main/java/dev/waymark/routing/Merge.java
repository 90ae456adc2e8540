package dev.waymark.routing;

import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * Sorted iterators as one, the least row first; of equal rows that of the earlier iterator. Each is
 * read one row ahead and no further. Belongs to one thread.
 */
final class Merge<T> implements Iterator<T> {
  private final Comparator<? super T> order;
  private final List<? extends Iterator<T>> sources;
  private @Nullable PriorityQueue<Head<T>> heads;

  Merge(Comparator<? super T> order, List<? extends Iterator<T>> sources) {
    this.order = order;
    this.sources = sources;
  }

  /** The next row of one source. */
  private record Head<T>(T row, int source) {}

  private PriorityQueue<Head<T>> heads() {
    PriorityQueue<Head<T>> known = heads;
    if (known == null) {
      Comparator<Head<T>> byRow = (left, right) -> order.compare(left.row(), right.row());
      known = new PriorityQueue<>(byRow.thenComparingInt(Head::source));
      for (int i = 0; i < sources.size(); i++) {
        if (sources.get(i).hasNext()) {
          known.add(new Head<>(sources.get(i).next(), i));
        }
      }
      heads = known;
    }
    return known;
  }

  @Override
  public boolean hasNext() {
    return !heads().isEmpty();
  }

  @Override
  public T next() {
    Head<T> first = heads().poll();
    if (first == null) {
      throw new NoSuchElementException("All rows have been read");
    }
    Iterator<T> rest = sources.get(first.source());
    if (rest.hasNext()) {
      T next = rest.next();
      if (order.compare(first.row(), next) > 0) {
        throw new IllegalArgumentException(
            "A shard's rows are not in the order they are to be merged in; add the ORDER BY that"
                + " matches the comparator");
      }
      heads().add(new Head<>(next, first.source()));
    }
    return first.row();
  }
}
