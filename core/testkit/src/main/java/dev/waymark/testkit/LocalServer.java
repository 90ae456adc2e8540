package dev.waymark.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A server that is a process of this machine and a child of this JVM. */
abstract class LocalServer implements Backend.ServerControl {

  private static final int FIRST_START_PORTS = 10;
  private static final int LOG_LINES = 20;

  /** How long a server that comes back waits for what others still hold of it. */
  private static final Duration IN_USE_PATIENCE = Duration.ofSeconds(5);

  final LocalBackend backend;
  final String name;
  final Path log;

  private Address address;
  private boolean published;
  private volatile boolean frozen;
  private volatile @Nullable Process process;

  LocalServer(LocalBackend backend, String name) {
    this.backend = backend;
    this.name = name;
    this.log = backend.directory().resolve(name + ".log");
    this.address = new Address("127.0.0.1", backend.freePort());
  }

  /** What the server is, for messages: "PostgreSQL shard-1-a". */
  abstract String title();

  /** The signal that makes it end at once without leaving anything behind. */
  abstract String quickEnd();

  abstract List<String> command();

  /** Writes what the server reads when it starts; the address may have changed. */
  abstract void prepare();

  /** Whether the process that was started, and no other one on the port, accepts connections. */
  abstract boolean isReady(long pid);

  /** Asks the server to end in an orderly way. */
  abstract String orderlyEnd();

  @Override
  public final Address address() {
    return address;
  }

  @Override
  public final synchronized void start() {
    backend.requireOpen(title());
    if (isRunning()) {
      throw new IllegalStateException(title() + " runs already, with pid " + pid());
    }
    long begin = System.nanoTime();
    for (int attempt = 1; ; attempt++) {
      long logBefore = logSize();
      Process started = launch();
      boolean ready =
          Waiting.until(Waiting.LONG, () -> !started.isAlive() || isReady(started.pid()));
      if (ready && started.isAlive()) {
        published = true;
        return;
      }
      Duration waited = Duration.ofNanos(System.nanoTime() - begin);
      // The address, or the shared memory while the children of a killed postmaster still end.
      boolean inUse = !started.isAlive() && logSince(logBefore).contains(" in use");
      boolean again =
          inUse
              && (published ? waited.compareTo(IN_USE_PATIENCE) < 0 : attempt < FIRST_START_PORTS);
      if (!again) {
        kill();
        throw new IllegalStateException(
            "%s on %s %s after %s. The last lines of its log:%n%s%n%s"
                .formatted(
                    title(),
                    address,
                    ready ? "ended while starting" : "did not accept connections",
                    Waiting.inSeconds(waited),
                    logTail(),
                    inUse
                        ? "Another process holds its port or its memory: start it again, or find that process."
                        : "If the machine is merely slow, start fewer nodes; otherwise the log says what to mend."));
      }
      if (published) {
        Waiting.pause(200);
      } else {
        address = new Address(address.host(), backend.freePort());
      }
    }
  }

  private Process launch() {
    prepare();
    Process started = backend.launch(name, quickEnd(), log, command());
    frozen = false;
    process = started;
    // A record of a process that ended by itself could one day name somebody else's.
    var unused = started.onExit().thenRun(() -> backend.forget(name, started.pid()));
    return started;
  }

  @Override
  public final synchronized void kill() {
    Process running = process;
    if (running == null || !running.isAlive()) {
      return;
    }
    // Stopped first, so that it cannot make new children while the list is taken.
    backend.signal("STOP", List.of(running.pid()));
    List<ProcessHandle> tree = tree(running);
    backend.signal("KILL", tree.stream().map(ProcessHandle::pid).toList());
    awaitEnd(running, tree);
  }

  @Override
  public final synchronized void stop() {
    Process running = process;
    if (running == null || !running.isAlive()) {
      return;
    }
    if (frozen) {
      throw new IllegalStateException(title() + " is frozen and cannot stop; thaw it, or kill it");
    }
    List<ProcessHandle> tree = tree(running);
    backend.signal(orderlyEnd(), List.of(running.pid()));
    awaitEnd(running, tree);
  }

  private void awaitEnd(Process ended, List<ProcessHandle> tree) {
    Waiting.until(
        Waiting.LONG,
        // Gone for the JVM too, so that isRunning() says so when this returns.
        () -> !ended.isAlive() && tree.stream().noneMatch(LocalServer::exists),
        () ->
            "%s on %s did not end within %s. The last lines of its log:%n%s"
                .formatted(title(), address, Waiting.inSeconds(Waiting.LONG), logTail()));
    frozen = false;
    backend.forget(name, ended.pid());
  }

  /** A zombie is gone for us: in a container nobody may ever collect an orphan. */
  private static boolean exists(ProcessHandle process) {
    if (!process.isAlive()) {
      return false;
    }
    try {
      String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
      return stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
    } catch (IOException noSuchFile) {
      // Not Linux, or gone between the two looks.
      return process.isAlive();
    }
  }

  @Override
  public final synchronized void freeze() {
    Process running = running();
    backend.signal("STOP", List.of(running.pid()));
    backend.signal("STOP", tree(running).stream().map(ProcessHandle::pid).toList());
    frozen = true;
  }

  @Override
  public final synchronized void thaw() {
    Process running = running();
    backend.signal("CONT", tree(running).stream().map(ProcessHandle::pid).toList());
    frozen = false;
  }

  /** The server and its children; stopping a postmaster alone would hang new connections only. */
  private static List<ProcessHandle> tree(Process running) {
    return Stream.concat(Stream.of(running.toHandle()), running.descendants()).toList();
  }

  private Process running() {
    Process running = process;
    if (running == null || !running.isAlive()) {
      throw new IllegalStateException(title() + " on " + address + " does not run; start it first");
    }
    return running;
  }

  @Override
  public final boolean isRunning() {
    Process running = process;
    return running != null && running.isAlive();
  }

  @Override
  public final boolean isFrozen() {
    return frozen && isRunning();
  }

  @Override
  public final long pid() {
    return running().pid();
  }

  @Override
  public final String logTail() {
    String text = logSince(Math.max(0, logSize() - (1 << 14)));
    List<String> lines = new ArrayList<>(text.lines().toList());
    List<String> last = lines.subList(Math.max(0, lines.size() - LOG_LINES), lines.size());
    return last.isEmpty() ? "(empty)" : String.join(System.lineSeparator(), last);
  }

  private long logSize() {
    try {
      return Files.exists(log) ? Files.size(log) : 0;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String logSince(long offset) {
    try (var file = Files.newByteChannel(log)) {
      file.position(offset);
      var in = java.nio.channels.Channels.newInputStream(file);
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      return "(no log: " + e.getMessage() + ")";
    }
  }
}
