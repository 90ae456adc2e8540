package dev.waymark.routing;

import dev.waymark.ChangeConsumer;
import dev.waymark.RowChange;
import dev.waymark.RowImage;
import dev.waymark.ShardChange;
import dev.waymark.ShardChange.Committed;
import dev.waymark.ShardChange.Reached;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A consumer that keeps all it is told in memory; its clock counts how often it was asked. */
final class RecordedChanges implements ChangeConsumer {
  private final List<ShardChange> changes = new CopyOnWriteArrayList<>();
  private final AtomicLong clock = new AtomicLong();
  private final AtomicLong calls = new AtomicLong();
  private volatile @Nullable RuntimeException refusal;

  /** From now on nothing is taken over, for this reason; null to take everything over again. */
  void refuse(@Nullable RuntimeException refusal) {
    this.refusal = refusal;
  }

  long calls() {
    return calls.get();
  }

  @Override
  public void take(List<ShardChange> some) {
    calls.incrementAndGet();
    RuntimeException reason = refusal;
    if (reason != null) {
      throw reason;
    }
    changes.addAll(some);
  }

  @Override
  public long time() {
    return clock.incrementAndGet();
  }

  List<ShardChange> all() {
    return List.copyOf(changes);
  }

  <T> List<T> all(Class<T> kind) {
    return changes.stream().filter(kind::isInstance).map(kind::cast).toList();
  }

  Stream<RowChange> rows(String table) {
    return all(Committed.class).stream()
        .flatMap(committed -> committed.rows().stream())
        .filter(row -> row.table().isCalled(table));
  }

  /** Each changed row in a line: {@code UPDATED {id=1} -> {id=2, name=x}}. */
  List<String> lines(String table) {
    return rows(table)
        .map(row -> row.kind() + " " + print(row.before()) + " -> " + print(row.after()))
        .toList();
  }

  private static String print(@Nullable RowImage image) {
    if (image == null) {
      return "-";
    }
    return image.values().entrySet().stream()
        .sorted(java.util.Map.Entry.comparingByKey())
        .map(value -> value.getKey() + "=" + value.getValue().orElse("NULL"))
        .toList()
        .toString();
  }

  /** What {@link #time()} has to give for a mark to be later than everything before this call. */
  long now() {
    return clock.get();
  }

  /** Whether everything that was acknowledged before a moment of {@link #now()} has been told. */
  boolean hasReached(long moment) {
    return all(Reached.class).stream().anyMatch(mark -> mark.asOf() > moment);
  }
}
