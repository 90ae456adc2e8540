package dev.waymark.testkit;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A short-lived command and what came of it. */
final class Command {

  /** What a finished command left: its exit status and all it printed. */
  record Result(int status, String output) {
    boolean succeeded() {
      return status == 0;
    }
  }

  private Command() {}

  /**
   * Runs a command to its end; one that cannot be started at all has status 127, as in a shell.
   *
   * @param directory where it runs; null for the JVM's own
   */
  static Result run(@Nullable Path directory, Duration limit, List<String> command) {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.redirectInput(ProcessBuilder.Redirect.from(NULL_DEVICE));
    if (directory != null) {
      builder.directory(directory.toFile());
      cleanEnvironment(builder.environment(), directory);
    }
    Process process;
    try {
      process = builder.start();
    } catch (IOException e) {
      return new Result(127, String.valueOf(e.getMessage()));
    }
    try (var output = process.getInputStream()) {
      // The end of its output comes before its exit; a watchdog ends a command that hangs.
      var watchdog =
          process
              .onExit()
              .orTimeout(limit.toMillis(), TimeUnit.MILLISECONDS)
              .exceptionally(
                  timeout -> {
                    process.destroyForcibly();
                    return process;
                  });
      String text = new String(output.readAllBytes(), StandardCharsets.UTF_8).strip();
      watchdog.join();
      return new Result(process.waitFor(), text);
    } catch (IOException e) {
      throw new UncheckedIOException("Reading the output of " + command.get(0), e);
    } catch (InterruptedException e) {
      process.destroyForcibly();
      throw Waiting.interrupted(e);
    }
  }

  static final File NULL_DEVICE = new File("/dev/null");

  /**
   * Takes out what would steer the servers from outside: libpq in a standby reads PGHOST,
   * PGPASSWORD and their kin, and PostgreSQL on macOS does not start without a locale.
   */
  static void cleanEnvironment(Map<String, String> environment, Path home) {
    environment.keySet().removeIf(name -> name.startsWith("PG") || name.startsWith("LC_"));
    environment.put("LC_ALL", "C");
    environment.put("HOME", home.toString());
  }
}
