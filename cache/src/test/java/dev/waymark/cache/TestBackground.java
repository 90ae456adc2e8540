package dev.waymark.cache;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** A background whose tasks run when the test says so. */
final class TestBackground implements Background {
  record Task(Duration delay, Runnable work) {}

  final Deque<Task> tasks = new ArrayDeque<>();
  final List<Runnable> repeated = new ArrayList<>();
  boolean closed;

  @Override
  public void after(Duration delay, Runnable work) {
    if (delay.isZero()) {
      work.run();
    } else {
      tasks.add(new Task(delay, work));
    }
  }

  @Override
  public void every(Duration pause, Runnable task) {
    repeated.add(task);
  }

  /** Runs once what runs again and again. */
  void tick() {
    repeated.forEach(Runnable::run);
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
