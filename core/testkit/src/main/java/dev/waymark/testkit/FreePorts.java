package dev.waymark.testkit;

import java.io.IOException;
import java.net.ServerSocket;
import java.security.SecureRandom;
import java.util.HashSet;
import java.util.Set;

/** Ports of 127.0.0.1 for one cluster's servers, each given once. Threads may share it. */
final class FreePorts {

  /**
   * Below the range from which Linux and macOS take the ports of outgoing connections: otherwise
   * any client may borrow a killed server's port before it comes back.
   */
  private static final int FIRST = 15_000;

  private static final int LAST = 32_000;

  private final Set<Integer> given = new HashSet<>();
  private final SecureRandom random = new SecureRandom();

  /** A port that was free a moment ago; whoever uses it must be ready to come back for another. */
  synchronized int next() {
    for (int attempt = 0; attempt < 1_000; attempt++) {
      int port = FIRST + random.nextInt(LAST - FIRST);
      if (given.contains(port)) {
        continue;
      }
      try (ServerSocket probe = new ServerSocket(port, 1, Address.loopback())) {
        given.add(probe.getLocalPort());
        return port;
      } catch (IOException taken) {
        // Try another one.
      }
    }
    throw new IllegalStateException(
        "No free port between " + FIRST + " and " + LAST + " after 1000 attempts");
  }
}
