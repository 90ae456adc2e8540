package dev.waymark.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A JVM of ours that takes orders from its input and answers on its output; it ends when its input
 * does, also if we are killed.
 */
final class ClientProcess implements AutoCloseable {
  /** Far more than any answer takes; one that hangs must not keep all groups after it waiting. */
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  private final Process process;
  private final PrintWriter orders;
  private final BufferedReader answers;
  private final Path log;

  private ClientProcess(Process process, Path log) {
    this.process = process;
    this.log = log;
    this.orders = new PrintWriter(process.getOutputStream(), true, StandardCharsets.UTF_8);
    this.answers =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  /**
   * Starts a JVM.
   *
   * @param log gets its errors
   */
  static ClientProcess start(
      Class<?> main, String classPath, Path log, List<String> properties, List<String> arguments)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(JmhRun.runningJava().toString());
    command.add("-Xmx1g");
    command.addAll(properties);
    command.addAll(List.of("-cp", classPath, main.getName()));
    command.addAll(arguments);
    return new ClientProcess(
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start(),
        log);
  }

  void send(String order) {
    orders.println(order);
  }

  /**
   * The next line that is for us: peers print banners too.
   *
   * @throws IllegalStateException if the JVM ends, or says nothing for so long that it is killed
   */
  String answer(String expected) throws IOException {
    CompletableFuture<Void> tooLong =
        CompletableFuture.runAsync(
            process::destroyForcibly,
            CompletableFuture.delayedExecutor(PATIENCE.toSeconds(), TimeUnit.SECONDS));
    try {
      for (String line = answers.readLine(); line != null; line = answers.readLine()) {
        if (line.matches(expected)) {
          return line;
        }
      }
    } finally {
      tooLong.cancel(false);
    }
    throw new IllegalStateException(
        "A client JVM ended, or was killed after "
            + PATIENCE.toSeconds()
            + " s without an answer; see the end of "
            + log);
  }

  @Override
  public void close() {
    orders.close();
    try {
      if (!process.waitFor(20, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException interrupted) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
