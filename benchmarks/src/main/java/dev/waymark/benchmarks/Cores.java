package dev.waymark.benchmarks;

import dev.waymark.testkit.TestCluster;

/**
 * Keeps servers and clients off each other's processors, where the system has {@code taskset}:
 * otherwise identical work has measured 0.54 to 0.59 times itself on two processors, sticky for a
 * contender.
 *
 * <p>A process inherits the processors of who starts it. So this JVM takes the servers' before it
 * starts them, and the clients' afterwards, for itself and for the JVMs that it starts.
 */
final class Cores {
  private final int processors;
  private final boolean canPin;

  Cores() {
    processors = Runtime.getRuntime().availableProcessors();
    canPin = processors > 1 && pin(range(0, processors - 1));
  }

  int processors() {
    return processors;
  }

  /** Starts servers on their processors; afterwards this JVM is on the clients'. */
  TestCluster start(TestCluster.Builder servers) {
    if (!canPin) {
      return servers.start();
    }
    pin(range(processors / 2, processors - 1));
    try {
      return servers.start();
    } finally {
      pin(range(0, processors / 2 - 1));
    }
  }

  /** Without servers, all processors are the clients'. */
  void release() {
    if (canPin) {
      pin(range(0, processors - 1));
    }
  }

  private static String range(int first, int last) {
    return first + "-" + last;
  }

  private static boolean pin(String processors) {
    return !Machine.output(
            "taskset",
            "--all-tasks",
            "--cpu-list",
            "--pid",
            processors,
            Long.toString(ProcessHandle.current().pid()))
        .isEmpty();
  }

  @Override
  public String toString() {
    return canPin
        ? "clients on "
            + range(0, processors / 2 - 1)
            + ", servers on "
            + range(processors / 2, processors - 1)
        : "none";
  }
}
