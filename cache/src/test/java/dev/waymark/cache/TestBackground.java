package dev.waymark.cache;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/** A background whose tasks run when the test says so. */
final class TestBackground implements Background {
  record Task(Duration delay, Runnable work) {}

  final Deque<Task> tasks = new ArrayDeque<>();
  boolean closed;

  @Override
  public void after(Duration delay, Runnable work) {
    if (delay.isZero()) {
      work.run();
    } else {
      tasks.add(new Task(delay, work));
    }
  }

  /** Runs the one task that waits; returns for how long it was to wait. */
  Duration runNext() {
    Task task = tasks.remove();
    task.work.run();
    return task.delay;
  }

  @Override
  public void close() {
    closed = true;
  }
}
