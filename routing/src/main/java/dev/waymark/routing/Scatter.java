package dev.waymark.routing;

import dev.waymark.Outcome;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkException;
import dev.waymark.routing.ScatterOptions.MissingShards;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BinaryOperator;
import java.util.stream.Collectors;

/**
 * What every shard answered. There is no common snapshot: each shard answered as of its own moment.
 *
 * @param <T> a row
 */
public final class Scatter<T> {
  private final List<List<T>> answers;
  private final Map<String, WaymarkException> missing;

  private Scatter(List<List<T>> answers, Map<String, WaymarkException> missing) {
    this.answers = answers;
    this.missing = Collections.unmodifiableMap(missing);
  }

  /** What one shard is asked. */
  interface Question<T, X extends Exception> {
    List<T> ask(LiveShard shard) throws X;
  }

  static <T, X extends Exception> Scatter<T> run(
      List<LiveShard> shards,
      ExecutorService executor,
      Deadline deadline,
      MissingShards policy,
      Question<T, X> question)
      throws X {
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
    Map<String, WaymarkException> missing = new LinkedHashMap<>();
    Throwable own = null;
    for (int i = 0; i < running.size(); i++) {
      try {
        answers.add(await(running.get(i), deadline));
      } catch (ExecutionException failure) {
        Throwable cause = failure.getCause() == null ? failure : failure.getCause();
        if (cause instanceof WaymarkException told) {
          missing.put(shards.get(i).name(), told);
        } else if (own == null) {
          own = cause;
        } else if (own != cause) {
          own.addSuppressed(cause);
        }
      } catch (TimeoutException late) {
        // What it still does ends by the same deadline: the watchdog sees to that.
        missing.put(shards.get(i).name(), late(shards.get(i), deadline));
      }
    }
    if (own != null) {
      missing.values().forEach(own::addSuppressed);
      throw Scatter.<X>thrown(own);
    }
    if (!missing.isEmpty() && (policy == MissingShards.FAIL || answers.isEmpty())) {
      throw failed(missing, shards.size(), deadline);
    }
    return new Scatter<>(answers, missing);
  }

  private static <T> List<T> await(CompletableFuture<List<T>> one, Deadline deadline)
      throws ExecutionException, TimeoutException {
    try {
      return one.get(Math.max(0, deadline.nanosLeft()), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new WaymarkException(
          "Waiting for the shards was interrupted. " + Outcome.REJECTED.sentence() + ".",
          Outcome.REJECTED,
          interrupted);
    }
  }

  private static UnavailableException late(LiveShard shard, Deadline deadline) {
    return new UnavailableException(
        shard.name(),
        String.format(
            Locale.ROOT,
            "Shard %s had no answer within the %d ms of the scatter (%s). %s; give it more time, or"
                + " let missing shards be reported.",
            shard.name(),
            deadline.waited().toMillis(),
            shard.describe(),
            Outcome.REJECTED.sentence()),
        Outcome.REJECTED,
        null);
  }

  static UnavailableException failed(
      Map<String, WaymarkException> missing, int shards, Deadline deadline) {
    String names = String.join(", ", missing.keySet());
    UnavailableException failure =
        new UnavailableException(
            names,
            String.format(
                Locale.ROOT,
                "%d of %d shards did not answer after %d ms: %s",
                missing.size(),
                shards,
                deadline.waited().toMillis(),
                missing.values().stream()
                    .map(each -> String.valueOf(each.getMessage()))
                    .collect(Collectors.joining(" "))),
            Outcome.REJECTED,
            missing.values().iterator().next());
    missing.values().stream().skip(1).forEach(failure::addSuppressed);
    return failure;
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
   * The shards that did not answer, by name, and why; always empty unless missing shards were to be
   * reported.
   */
  public Map<String, WaymarkException> missing() {
    return missing;
  }

  /**
   * The first {@code limit} rows over all shards in the given order.
   *
   * @param order the order that each shard's rows already are in
   * @throws IllegalArgumentException if a shard's rows are not in that order
   */
  public List<T> merge(Comparator<? super T> order, int limit) {
    List<T> merged = new ArrayList<>();
    Merge<T> merge = new Merge<>(order, answers.stream().map(List::iterator).toList());
    while (merged.size() < limit && merge.hasNext()) {
      merged.add(merge.next());
    }
    return merged;
  }

  /** All rows put together two by two; {@code identity} where there is none. */
  public T reduce(T identity, BinaryOperator<T> accumulator) {
    return answers.stream().flatMap(List::stream).reduce(identity, accumulator);
  }

  /** All rows, shard by shard in the order of the shard map. */
  public List<T> toList() {
    return answers.stream().flatMap(List::stream).toList();
  }
}
