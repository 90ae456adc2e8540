package dev.waymark.routing;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;

/**
 * What every shard answered. There is no common snapshot: each shard answered as of its own moment.
 *
 * @param <T> a row
 */
public final class Scatter<T> {
  private final List<List<T>> answers;

  private Scatter(List<List<T>> answers) {
    this.answers = answers;
  }

  /** What one shard is asked. */
  interface Question<T, X extends Exception> {
    List<T> ask(LiveShard shard) throws X;
  }

  static <T, X extends Exception> Scatter<T> run(
      List<LiveShard> shards, ExecutorService executor, Question<T, X> question) throws X {
    List<CompletableFuture<List<T>>> running = new ArrayList<>();
    for (LiveShard shard : shards) {
      running.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return question.ask(shard);
                } catch (Exception failure) {
                  throw new CompletionException(failure);
                }
              },
              executor));
    }
    List<List<T>> answers = new ArrayList<>();
    Throwable failed = null;
    // All are awaited, each bounded by its own deadline: no work outlives the call.
    for (CompletableFuture<List<T>> one : running) {
      try {
        answers.add(one.join());
      } catch (CompletionException failure) {
        Throwable cause = failure.getCause() == null ? failure : failure.getCause();
        if (failed == null) {
          failed = cause;
        } else if (failed != cause) {
          failed.addSuppressed(cause);
        }
      }
    }
    if (failed != null) {
      throw Scatter.<X>thrown(failed);
    }
    return new Scatter<>(answers);
  }

  /** What a question throws is an X, a runtime exception or an error: the cast cannot go wrong. */
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
  private static <X extends Exception> X thrown(Throwable failure) {
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure instanceof RuntimeException unchecked) {
      throw unchecked;
    }
    return (X) failure;
  }

  /**
   * The first {@code limit} rows over all shards in the given order.
   *
   * @param order the order that each shard's rows already are in
   * @throws IllegalArgumentException if a shard's rows are not in that order
   */
  public List<T> merge(Comparator<? super T> order, int limit) {
    PriorityQueue<Cursor<T>> cursors =
        new PriorityQueue<>((left, right) -> order.compare(left.row(), right.row()));
    for (List<T> answer : answers) {
      Iterator<T> rows = answer.iterator();
      if (rows.hasNext()) {
        cursors.add(new Cursor<>(rows.next(), rows));
      }
    }
    List<T> merged = new ArrayList<>();
    while (merged.size() < limit) {
      Cursor<T> first = cursors.poll();
      if (first == null) {
        break;
      }
      merged.add(first.row());
      if (first.rest().hasNext()) {
        T next = first.rest().next();
        if (order.compare(first.row(), next) > 0) {
          throw new IllegalArgumentException(
              "A shard's rows are not in the order they are to be merged in; add the ORDER BY that"
                  + " matches the comparator");
        }
        cursors.add(new Cursor<>(next, first.rest()));
      }
    }
    return merged;
  }

  /** All rows, shard by shard in the order of the shard map. */
  public List<T> toList() {
    return answers.stream().flatMap(List::stream).toList();
  }

  private record Cursor<T>(T row, Iterator<T> rest) {}
}
