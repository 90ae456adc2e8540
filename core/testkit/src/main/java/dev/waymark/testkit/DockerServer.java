package dev.waymark.testkit;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A server that is the first process of a container. The container is made at the first start and
 * stays the same one, stopped or not, until the cluster closes.
 */
abstract class DockerServer implements Backend.ServerControl {

  private static final int FIRST_START_PORTS = 10;
  private static final int LOG_LINES = 20;

  /** How long a server that comes back waits for whoever took its port meanwhile. */
  private static final Duration IN_USE_PATIENCE = Duration.ofSeconds(5);

  final DockerBackend backend;
  final DockerEngine engine;
  final String name;

  private volatile Address address;
  private boolean published;
  private volatile @Nullable String container;

  DockerServer(DockerBackend backend, String name) {
    this.backend = backend;
    this.engine = backend.engine();
    this.name = name;
    this.address = new Address("127.0.0.1", backend.freePort());
  }

  /** What the server is, for messages: "PostgreSQL shard-1-a". */
  abstract String title();

  /** The container to make, with this port of 127.0.0.1 leading to it. */
  abstract DockerEngine.Plan plan(int port);

  /** Whether the server accepts connections; its port is nobody else's while it runs. */
  abstract boolean isReady();

  /** The signal that asks the server to end in an orderly way. */
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
    startContainer();
    boolean answered = Waiting.until(Waiting.LONG, () -> !isRunning() || isReady());
    if (!answered || !isRunning()) {
      Duration waited = Duration.ofNanos(System.nanoTime() - begin);
      String log = logTail();
      kill();
      throw new IllegalStateException(
          "%s on %s %s after %s. The last lines of its log:%n%s%nIf the machine is merely slow, start fewer nodes; otherwise the log says what to mend."
              .formatted(
                  title(),
                  address,
                  answered ? "ended while starting" : "did not accept connections",
                  Waiting.inSeconds(waited),
                  log));
    }
    published = true;
  }

  private void startContainer() {
    long begin = System.nanoTime();
    for (int attempt = 1; ; attempt++) {
      String made = container;
      if (made == null) {
        made = engine.create(plan(address.port()));
        container = made;
      }
      try {
        engine.start(made);
        return;
      } catch (DockerEngine.PortTaken e) {
        Duration waited = Duration.ofNanos(System.nanoTime() - begin);
        if (published ? waited.compareTo(IN_USE_PATIENCE) > 0 : attempt == FIRST_START_PORTS) {
          throw new IllegalStateException(
              "%s cannot have its port: %s. Find who holds it, and start it again"
                  .formatted(title(), e.getMessage()),
              e);
        }
        if (published) {
          Waiting.pause(200);
        } else {
          container = null;
          engine.remove(made);
          address = new Address(address.host(), backend.freePort());
        }
      }
    }
  }

  @Override
  public final synchronized void kill() {
    if (isRunning()) {
      end("KILL");
    }
  }

  @Override
  public final synchronized void stop() {
    DockerEngine.State state = state();
    if (!state.running()) {
      return;
    }
    if (state.paused()) {
      throw new IllegalStateException(title() + " is frozen and cannot stop; thaw it, or kill it");
    }
    end(orderlyEnd());
  }

  private void end(String signal) {
    engine.signal(running(), signal);
    Waiting.until(
        Waiting.LONG,
        () -> !isRunning(),
        () ->
            "%s on %s did not end within %s. The last lines of its log:%n%s"
                .formatted(title(), address, Waiting.inSeconds(Waiting.LONG), logTail()));
  }

  @Override
  public final synchronized void freeze() {
    String running = running();
    if (!isFrozen()) {
      engine.pause(running);
    }
  }

  @Override
  public final synchronized void thaw() {
    String running = running();
    if (isFrozen()) {
      engine.unpause(running);
    }
  }

  private String running() {
    String made = container;
    if (made == null || !engine.state(made).running()) {
      throw new IllegalStateException(title() + " on " + address + " does not run; start it first");
    }
    return made;
  }

  private DockerEngine.State state() {
    String made = container;
    return made == null ? DockerEngine.State.NONE : engine.state(made);
  }

  @Override
  public final boolean isRunning() {
    return state().running();
  }

  @Override
  public final boolean isFrozen() {
    return state().paused();
  }

  /** As the engine's machine counts; inside its container it is 1. */
  @Override
  public final long pid() {
    return engine.state(running()).pid();
  }

  @Override
  public final String logTail() {
    String made = container;
    String log = made == null ? "" : engine.log(made, LOG_LINES);
    return log.isEmpty() ? "(empty)" : log;
  }
}
