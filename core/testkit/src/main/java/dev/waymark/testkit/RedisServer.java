package dev.waymark.testkit;

import java.io.IOException;
import java.time.Duration;

/**
 * A running Redis 7 of a {@link TestCluster}, and the faults it can have. It keeps nothing on disk,
 * so a killed or stopped one comes back empty, on the same port.
 *
 * <p>Threads may share it; its methods take turns.
 */
public final class RedisServer {

  private final Backend.ServerControl control;

  RedisServer(Backend.ServerControl control) {
    this.control = control;
  }

  /** The address clients connect to. */
  public String host() {
    return control.address().host();
  }

  /** The port clients connect to; it stays the same over a restart. */
  public int port() {
    return control.address().port();
  }

  /** {@code redis://host:port}, without credentials: it asks for none. */
  public String url() {
    return "redis://" + control.address();
  }

  /**
   * The id of the server's process. For a container it is the one its engine's machine knows.
   *
   * @throws IllegalStateException if it does not run
   */
  public long pid() {
    return control.pid();
  }

  /** Whether its process exists; a frozen one does. */
  public boolean isRunning() {
    return control.isRunning();
  }

  /** Ends it by SIGKILL and returns when it is gone. Without effect on one that does not run. */
  public synchronized void kill() {
    control.kill();
  }

  /**
   * Starts it again after {@link #kill}, empty, and returns when it answers.
   *
   * @throws IllegalStateException if it runs already or does not answer within 60 s
   */
  public synchronized void start() {
    control.start();
  }

  /**
   * Stops its process by SIGSTOP: connections stay open, new ones are accepted by the kernel, and
   * nothing is answered.
   *
   * @throws IllegalStateException if it does not run
   */
  public synchronized void freeze() {
    control.freeze();
  }

  /**
   * Lets a frozen one go on; it then answers what it was asked meanwhile.
   *
   * @throws IllegalStateException if it does not run
   */
  public synchronized void thaw() {
    control.thaw();
  }

  /**
   * Empties every database ({@code FLUSHALL}).
   *
   * @throws IllegalStateException if it does not answer within 10 s
   */
  public synchronized void flush() {
    command("FLUSHALL");
  }

  /**
   * Ends every connection that listens to a channel ({@code CLIENT KILL TYPE pubsub}); other
   * connections go on.
   *
   * @throws IllegalStateException if it does not answer within 10 s
   */
  public synchronized void killSubscribers() {
    command("CLIENT KILL TYPE pubsub");
  }

  /**
   * Writes down what it holds: the next {@link #kill} and {@link #start} bring it back as it was
   * now, with what came later missing, as after a failover to a replica that was behind. The start
   * after that one is empty again. Not for servers in containers.
   *
   * @throws IllegalStateException if it does not answer within 10 s
   */
  public synchronized void save() {
    command("SAVE");
  }

  /**
   * Removes the keys that match a glob-style pattern, as an eviction does.
   *
   * @param pattern as for {@code KEYS}, without blanks and quotes
   * @throws IllegalStateException if it does not answer within 10 s
   */
  public synchronized void evict(String pattern) {
    if (!pattern.matches("[^\\s\"']+")) {
      throw new IllegalArgumentException("Not a pattern without blanks and quotes: " + pattern);
    }
    command(
        "EVAL \"for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end return 1\" 0 "
            + pattern);
  }

  private void command(String command) {
    try {
      RedisCommand.send(control.address(), Duration.ofSeconds(10), command);
    } catch (IOException e) {
      throw new IllegalStateException(
          "Redis on %s did not do %s within 10 s (running=%s, frozen=%s): %s"
              .formatted(
                  control.address(),
                  command,
                  control.isRunning(),
                  control.isFrozen(),
                  e.getMessage()),
          e);
    }
  }

  @Override
  public String toString() {
    return "Redis on " + control.address();
  }
}
