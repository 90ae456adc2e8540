package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.TransactionSnapshot;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** A transaction that ends as the test says; all of them together are one primary's. */
final class FakeTransaction implements Transaction {
  private static final TreeSet<Long> RUNNING = new TreeSet<>();
  private static long lastId = 700;
  private static long lastFinished = 700;

  final List<TransactionHook> hooks = new ArrayList<>();
  private long id;
  int idsAsked;
  int rollbacksToSavepoint;

  /** What the primary would print, {@code xmax} being the latest that is over and one. */
  static TransactionSnapshot snapshot() {
    synchronized (RUNNING) {
      long xmax = lastFinished + 1;
      String running =
          RUNNING.headSet(xmax).stream().map(String::valueOf).collect(Collectors.joining(","));
      long xmin = RUNNING.isEmpty() ? xmax : Math.min(xmax, RUNNING.first());
      return TransactionSnapshot.parse(xmin + ":" + xmax + ":" + running);
    }
  }

  /** A line through them. */
  static Horizon horizon(LogPosition position) {
    synchronized (RUNNING) {
      long id = ++lastId;
      TransactionSnapshot snapshot = snapshot();
      lastFinished = id;
      return new Horizon(id, snapshot, position);
    }
  }

  /** Ends what earlier tests have left open. */
  static void endAll() {
    synchronized (RUNNING) {
      RUNNING.clear();
      lastFinished = lastId;
    }
  }

  /** The server has ended it, whether or not its client knows. */
  void end() {
    synchronized (RUNNING) {
      if (id != 0) {
        RUNNING.remove(id);
        lastFinished = Math.max(lastFinished, id);
      }
    }
  }

  @Override
  public Connection connection() {
    throw new UnsupportedOperationException("no database here");
  }

  @Override
  public String shard() {
    return "shard-1";
  }

  @Override
  public long transactionId() {
    idsAsked++;
    synchronized (RUNNING) {
      if (id == 0) {
        id = ++lastId;
        RUNNING.add(id);
      }
      return id;
    }
  }

  @Override
  public int rollbacksToSavepoint() {
    return rollbacksToSavepoint;
  }

  @Override
  public void join(TransactionHook hook) {
    hooks.add(hook);
  }

  void beforeCommit() {
    for (TransactionHook hook : hooks) {
      try {
        hook.beforeCommit(this);
      } catch (RuntimeException refused) {
        rollBack();
        throw refused;
      } catch (Exception refused) {
        throw new AssertionError(refused);
      }
    }
  }

  void afterCommit(LogPosition position) {
    end();
    hooks.forEach(hook -> hook.afterCommit(position));
  }

  void commit(LogPosition position) {
    beforeCommit();
    afterCommit(position);
  }

  void rollBack() {
    end();
    hooks.forEach(TransactionHook::afterRollback);
  }

  void loseTheAnswer() {
    beforeCommit();
    hooks.forEach(TransactionHook::outcomeUnknown);
  }
}
