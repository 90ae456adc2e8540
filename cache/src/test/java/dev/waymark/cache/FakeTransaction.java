package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;

/** A transaction that ends as the test says. */
final class FakeTransaction implements Transaction {
  private static long lastId = 700;

  final List<TransactionHook> hooks = new ArrayList<>();
  private final long id = ++lastId;
  int idsAsked;

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
    return id;
  }

  @Override
  public void join(TransactionHook hook) {
    hooks.add(hook);
  }

  void beforeCommit() {
    for (TransactionHook hook : hooks) {
      try {
        hook.beforeCommit(this);
      } catch (Exception refused) {
        throw new AssertionError(refused);
      }
    }
  }

  void afterCommit(LogPosition position) {
    hooks.forEach(hook -> hook.afterCommit(position));
  }

  void commit(LogPosition position) {
    beforeCommit();
    afterCommit(position);
  }

  void rollBack() {
    hooks.forEach(TransactionHook::afterRollback);
  }

  void loseTheAnswer() {
    beforeCommit();
    hooks.forEach(TransactionHook::outcomeUnknown);
  }
}
