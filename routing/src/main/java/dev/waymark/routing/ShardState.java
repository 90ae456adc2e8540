package dev.waymark.routing;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.UnaryOperator;

/**
 * The current view of one shard. Reading it is one volatile load; changing it is serialised, so no
 * observation is lost to another. Safe to share.
 */
final class ShardState {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private volatile ShardView view;
  private volatile boolean closed;

  /** How many calls wait for another view; guarded by the lock, read without. */
  private volatile int waiting;

  ShardState(ShardView first) {
    view = first;
  }

  ShardView view() {
    return view;
  }

  void update(UnaryOperator<ShardView> change) {
    lock.lock();
    try {
      view = change.apply(view);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits until the view is another one than {@code seen}.
   *
   * @return false if it still is {@code seen} after {@code nanos}, or the shard is closed
   */
  @SuppressWarnings("ReferenceEquality") // A new observation is news even if it says the same.
  boolean awaitOther(ShardView seen, long nanos) throws InterruptedException {
    long left = nanos;
    lock.lockInterruptibly();
    try {
      waiting = waiting + 1;
      while (view == seen) {
        if (left <= 0 || closed) {
          return false;
        }
        left = changed.awaitNanos(left);
      }
      return !closed;
    } finally {
      waiting = waiting - 1;
      lock.unlock();
    }
  }

  /** Whether some call can go on only once something else is observed. */
  boolean isWaitedFor() {
    return waiting > 0;
  }

  boolean isClosed() {
    return closed;
  }

  /** Nobody waits any longer. */
  void close() {
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
