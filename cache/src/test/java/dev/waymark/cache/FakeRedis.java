package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** What the scripts do, in memory; each {@link #process} is a client of its own. */
final class FakeRedis {
  private final TestTime time;
  private final Map<String, Cell> cells = new HashMap<>();
  private final Map<String, Integer> epochs = new HashMap<>();
  private int lastEpoch;
  private final List<Process> processes = new CopyOnWriteArrayList<>();

  /** Nothing can be reached. */
  volatile boolean down;

  /** Round trips that were tried. */
  volatile int calls;

  private static final class Cell {
    byte @Nullable [] value;
    int valueEpoch;
    long valueUntil;
    @Nullable String lease;
    int leaseEpoch;
    long leaseUntil;
    final Map<String, Long> marks = new HashMap<>();
    @Nullable String intent;
    long intentUntil;
    @Nullable LogPosition floor;
    long floorUntil;
  }

  FakeRedis(TestTime time) {
    this.time = time;
  }

  Process process() {
    return new Process();
  }

  synchronized void flush() {
    cells.clear();
    epochs.clear();
  }

  synchronized void poison(CacheKey key, Function<byte[], byte[]> change) {
    Cell cell = cell(key);
    cell.value = change.apply(cell.value == null ? new byte[0] : cell.value);
    cell.valueEpoch = epoch(key);
    cell.valueUntil = time.millis() + 60_000;
  }

  private Cell cell(CacheKey key) {
    Cell cell = cells.computeIfAbsent(key.cache() + "/" + key.text(), same -> new Cell());
    long now = time.millis();
    cell.marks.values().removeIf(until -> until <= now);
    if (cell.valueUntil <= now) {
      cell.value = null;
    }
    if (cell.leaseUntil <= now) {
      cell.lease = null;
    }
    if (cell.intentUntil <= now) {
      cell.intent = null;
    }
    if (cell.floorUntil <= now) {
      cell.floor = null;
    }
    return cell;
  }

  private int epoch(CacheKey key) {
    return epochs.computeIfAbsent(key.cache() + "/" + key.bucket(), same -> ++lastEpoch);
  }

  /** One process' client. */
  final class Process implements SharedTier {
    private @Nullable Listener listener;
    private boolean listening;

    /** This process alone cannot reach Redis. */
    volatile boolean cutOff;

    /** This process' messages get lost. */
    volatile boolean deaf;

    /** What others do while this process' settlement is on its way. */
    volatile Runnable beforeSettling = () -> {};

    boolean closed;

    private void call() {
      calls++;
      if (down || cutOff || closed) {
        throw new SharedTierException("the fake is down", new IllegalStateException("down"));
      }
    }

    @Override
    public void open(Listener listener) {
      call();
      if (!listening) {
        listening = true;
        this.listener = listener;
        processes.add(this);
      }
    }

    private void tell(java.util.function.Consumer<Listener> message) {
      for (Process process : processes) {
        if (process != this && !process.deaf && process.listener != null) {
          message.accept(process.listener);
        }
      }
    }

    void loseConnection() {
      if (listener != null) {
        listener.messagesMayBeLost();
      }
    }

    @Override
    public Lookup read(CacheKey key, String leaseToken, Asking asking) {
      call();
      synchronized (FakeRedis.this) {
        Cell cell = cell(key);
        if (!cell.marks.isEmpty()) {
          return new Lookup.InDoubt();
        }
        int epoch = epoch(key);
        if (asking == Asking.READ && cell.value != null && cell.valueEpoch == epoch) {
          return new Lookup.Hit(
              cell.value.clone(), Duration.ofMillis(cell.valueUntil - time.millis()));
        }
        if (cell.lease != null) {
          return new Lookup.Awaited();
        }
        cell.lease = leaseToken;
        cell.leaseEpoch = epoch;
        cell.leaseUntil = time.millis() + LEASE.toMillis();
        return new Lookup.Leased();
      }
    }

    private boolean holds(CacheKey key, Cell cell, String leaseToken) {
      return leaseToken.equals(cell.lease)
          && epochs.containsKey(key.cache() + "/" + key.bucket())
          && cell.leaseEpoch == epoch(key);
    }

    @Override
    public Fill fill(
        CacheKey key,
        String leaseToken,
        byte[] value,
        Duration timeToLive,
        Role role,
        @Nullable LogPosition position) {
      call();
      synchronized (FakeRedis.this) {
        Cell cell = cell(key);
        if (!holds(key, cell, leaseToken)) {
          return Fill.LEASE_LOST;
        }
        cell.lease = null;
        if (!cell.marks.isEmpty()) {
          return Fill.IN_DOUBT;
        }
        if (role == Role.REPLICA
            && (position == null || (cell.floor != null && !position.covers(cell.floor)))) {
          return Fill.NOT_NEW_ENOUGH;
        }
        store(key, cell, value, timeToLive);
        return Fill.STORED;
      }
    }

    private void store(CacheKey key, Cell cell, byte[] value, Duration timeToLive) {
      cell.value = value.clone();
      cell.valueEpoch = epoch(key);
      cell.valueUntil = time.millis() + timeToLive.toMillis();
    }

    @Override
    public void release(CacheKey key, String leaseToken) {
      call();
      synchronized (FakeRedis.this) {
        Cell cell = cell(key);
        if (holds(key, cell, leaseToken)) {
          cell.lease = null;
        }
      }
    }

    @Override
    public void announce(List<CacheKey> keys, String writer, String intent) {
      call();
      synchronized (FakeRedis.this) {
        for (CacheKey key : keys) {
          Cell cell = cell(key);
          cell.value = null;
          cell.lease = null;
          cell.marks.put(writer, time.millis() + MARK.toMillis());
          cell.intent = intent;
          cell.intentUntil = time.millis() + MARK.toMillis();
          epoch(key);
        }
      }
    }

    @Override
    public List<Boolean> settle(List<Settlement> settlements) {
      call();
      beforeSettling.run();
      List<Boolean> answers = new ArrayList<>();
      for (Settlement settlement : settlements) {
        answers.add(settle(settlement));
        tell(listener -> listener.invalidated(settlement.key().cache(), settlement.key().hash()));
      }
      return answers;
    }

    private boolean settle(Settlement settlement) {
      synchronized (FakeRedis.this) {
        Cell cell = cell(settlement.key());
        boolean standing =
            settlement.writer() != null && cell.marks.remove(settlement.writer()) != null;
        cell.value = null;
        cell.lease = null;
        LogPosition position = settlement.position();
        if (position != null) {
          if (cell.floor == null || !laterOnSameSystem(cell.floor, position)) {
            cell.floor = position;
          }
          cell.floorUntil = time.millis() + FLOOR.toMillis();
        }
        Put put = settlement.put();
        if (put == null
            || !standing
            || !put.intent().equals(cell.intent)
            || !cell.marks.isEmpty()
            || !epochs.containsKey(settlement.key().cache() + "/" + settlement.key().bucket())) {
          return false;
        }
        store(settlement.key(), cell, put.value(), put.timeToLive());
        return true;
      }
    }

    private static boolean laterOnSameSystem(LogPosition old, LogPosition now) {
      return old.systemId() == now.systemId()
          && (old.timeline() > now.timeline()
              || (old.timeline() == now.timeline()
                  && Long.compareUnsigned(old.lsn(), now.lsn()) > 0));
    }

    @Override
    public void withdraw(List<CacheKey> keys, String writer) {
      call();
      synchronized (FakeRedis.this) {
        keys.forEach(key -> cell(key).marks.remove(writer));
      }
    }

    @Override
    public void forget(String cache) {
      call();
      synchronized (FakeRedis.this) {
        for (int bucket = 0; bucket < CacheKey.BUCKETS; bucket++) {
          epochs.put(cache + "/" + bucket, ++lastEpoch);
        }
      }
      tell(listener -> listener.everythingInvalidated(cache));
    }

    @Override
    public void close() {
      closed = true;
      processes.remove(this);
    }
  }
}
