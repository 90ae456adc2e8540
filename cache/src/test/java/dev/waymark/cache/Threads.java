package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.Set;
import java.util.stream.Collectors;

/** Finds threads that a test leaves behind. */
final class Threads {
  private final Set<Thread> before = Thread.getAllStackTraces().keySet();

  /** Waits for all threads started since then to end. Netty's last one lingers for a second. */
  void assertNoneLeft() {
    await()
        .atMost(Duration.ofSeconds(15))
        .untilAsserted(
            () ->
                assertThat(
                        Thread.getAllStackTraces().keySet().stream()
                            .filter(thread -> thread.isAlive() && !before.contains(thread))
                            .map(Thread::getName)
                            .filter(
                                name ->
                                    !name.startsWith("awaitility") && !name.startsWith("junit-"))
                            // The platform's own, started when first needed and kept for ever; a
                            // reaper also
                            // tells in its name of the process it waits for.
                            .filter(
                                name ->
                                    !name.equals("Attach Listener")
                                        && !name.equals("CompletableFutureDelayScheduler")
                                        && !name.startsWith("process reaper")
                                        && !name.startsWith("Cleaner-")
                                        && !name.startsWith("Common-Cleaner"))
                            .collect(Collectors.toSet()))
                    .isEmpty());
  }
}
