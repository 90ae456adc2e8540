package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.TransactionSnapshot;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A database of one table, small enough for a unit test; counts what it is asked. */
final class Rows implements Loader<Long, String> {
  private static final long SYSTEM = 42;

  final Map<Long, String> rows = new ConcurrentHashMap<>();
  final AtomicInteger loads = new AtomicInteger();

  /** Who answers, and how far it is. */
  volatile Role role = Role.PRIMARY;

  volatile @Nullable LogPosition position = at(100);

  /** What happens between the database's answer and the return of the loader. */
  volatile Runnable afterReading = () -> {};

  static LogPosition at(long lsn) {
    return new LogPosition(SYSTEM, 1, lsn);
  }

  /** What the routing module would draw. */
  Horizon horizon(String shard) {
    LogPosition now = position;
    return FakeTransaction.horizon(now == null ? at(100) : now);
  }

  @Override
  public PositionedRead<@Nullable String> load(Long key) {
    loads.incrementAndGet();
    TransactionSnapshot snapshot = role == Role.PRIMARY ? FakeTransaction.snapshot() : null;
    String value = rows.get(key);
    Route route =
        new Route(
            "shard-1",
            role == Role.PRIMARY ? "pg1a" : "pg1b",
            role,
            role == Role.PRIMARY ? Route.Reason.STRONG : Route.Reason.REPLICA_IS_FRESH,
            1);
    PositionedRead<@Nullable String> read = new PositionedRead<>(value, route, position, snapshot);
    afterReading.run();
    return read;
  }
}
