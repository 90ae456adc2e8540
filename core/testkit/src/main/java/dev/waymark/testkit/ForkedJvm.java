package dev.waymark.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A second JVM with the same Java, class path and {@code waymark.*} system properties, to be talked
 * to by lines and killed. It ends with this JVM at the latest.
 *
 * <p>Threads may share it, though each line of output goes to one of them.
 */
public final class ForkedJvm implements AutoCloseable {

  private static final int ERROR_LINES = 30;

  /** Stands for the end of the output; compared by identity, so no line can be taken for it. */
  @SuppressWarnings("StringOperationCanBeSimplified")
  private static final String END = new String("end of output");

  private final String main;
  private final Process process;
  private final Writer input;
  private final BlockingQueue<String> output = new LinkedBlockingQueue<>();
  private final Deque<String> errors = new ArrayDeque<>();

  private ForkedJvm(String main, Process process) {
    this.main = main;
    this.process = process;
    this.input = process.outputWriter(StandardCharsets.UTF_8);
    drain("out", process.getInputStream(), output::add);
    drain("err", process.getErrorStream(), this::keepError);
  }

  /**
   * Starts a JVM and returns at once. It has a standard input for {@link #send} and a standard
   * output for {@link #readLine}; the last lines of its standard error come with our error
   * messages.
   *
   * @param main a class with a {@code static void main(String[])}; neither need be public
   * @throws UncheckedIOException if the JVM cannot be started
   */
  public static ForkedJvm start(Class<?> main, String... args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Short-lived: start quickly rather than run fast, and leave the memory to the servers.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"));
    for (String property : System.getProperties().stringPropertyNames()) {
      if (property.startsWith("waymark.")) {
        command.add("-D" + property + "=" + System.getProperty(property));
      }
    }
    command.add("-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(ForkedMain.class.getName());
    command.add(Long.toString(ProcessHandle.current().pid()));
    command.add(main.getName());
    command.addAll(List.of(args));
    try {
      return new ForkedJvm(main.getSimpleName(), new ProcessBuilder(command).start());
    } catch (IOException e) {
      throw new UncheckedIOException("Starting a JVM for " + main.getName(), e);
    }
  }

  /** Its process id. */
  public long pid() {
    return process.pid();
  }

  /** Whether it runs. */
  public boolean isAlive() {
    return process.isAlive();
  }

  /**
   * The next line of its standard output, waiting for it.
   *
   * @throws IllegalStateException if none came within the time, or none will come any more
   */
  public String readLine(Duration limit) {
    String line;
    try {
      line = output.poll(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      throw Waiting.interrupted(e);
    }
    if (line == null) {
      throw new IllegalStateException(
          "%s printed no line within %s%s".formatted(this, Waiting.inSeconds(limit), errorTail()));
    }
    if (isEnd(line)) {
      output.add(line);
      throw new IllegalStateException(this + " prints no more lines" + errorTail());
    }
    return line;
  }

  /**
   * Sends a line to its standard input.
   *
   * @throws UncheckedIOException if it does not read any more
   */
  public synchronized void send(String line) {
    try {
      input.write(line + "\n");
      input.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(this + " does not read any more" + errorTail(), e);
    }
  }

  /** Ends it by SIGKILL and returns when it is gone. */
  public void kill() {
    process.destroyForcibly();
    waitFor(Waiting.LONG);
  }

  /**
   * Stops it by SIGSTOP, as a long pause does: its connections stay open, nothing of it moves.
   *
   * @throws IllegalStateException if it does not run
   */
  public void freeze() {
    signal("STOP");
  }

  /**
   * Lets a frozen one go on by SIGCONT.
   *
   * @throws IllegalStateException if it does not run
   */
  public void thaw() {
    signal("CONT");
  }

  private void signal(String signal) {
    Command.Result sent =
        Command.run(
            null,
            Duration.ofSeconds(10),
            List.of("sh", "-c", "kill -s \"$0\" \"$1\"", signal, Long.toString(pid())));
    if (!sent.succeeded()) {
      throw new IllegalStateException(
          "%s did not get SIG%s: %s".formatted(this, signal, sent.output()));
    }
  }

  /** Asks it to end by SIGTERM, as a container engine or Ctrl-C does; returns at once. */
  public void terminate() {
    process.destroy();
  }

  /**
   * Waits for its end and returns its exit status.
   *
   * @throws IllegalStateException if it still runs after that time
   */
  public int waitFor(Duration limit) {
    try {
      if (!process.waitFor(limit.toNanos(), TimeUnit.NANOSECONDS)) {
        throw new IllegalStateException(
            this + " still runs after " + Waiting.inSeconds(limit) + errorTail());
      }
    } catch (InterruptedException e) {
      throw Waiting.interrupted(e);
    }
    return process.exitValue();
  }

  /** Kills it if it still runs. */
  @Override
  public void close() {
    kill();
  }

  @Override
  public String toString() {
    return "JVM " + process.pid() + " of " + main;
  }

  @SuppressWarnings("ReferenceEquality")
  private static boolean isEnd(String line) {
    return line == END;
  }

  private void drain(String what, InputStream stream, Consumer<String> lines) {
    Thread thread =
        new Thread(
            () -> {
              try (var reader =
                  new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                  lines.accept(line);
                }
              } catch (IOException killed) {
                // The end as well.
              }
              lines.accept(END);
            },
            "waymark-testkit-forked-" + process.pid() + "-" + what);
    thread.setDaemon(true);
    thread.start();
  }

  private void keepError(String line) {
    if (isEnd(line)) {
      return;
    }
    synchronized (errors) {
      if (errors.size() == ERROR_LINES) {
        errors.removeFirst();
      }
      errors.addLast(line);
    }
  }

  private String errorTail() {
    synchronized (errors) {
      return errors.isEmpty()
          ? " (alive=" + isAlive() + ", nothing on its standard error)"
          : "%s%n%s"
              .formatted(
                  " (alive=" + isAlive() + "). The last lines of its standard error:",
                  String.join(System.lineSeparator(), errors));
    }
  }
}
