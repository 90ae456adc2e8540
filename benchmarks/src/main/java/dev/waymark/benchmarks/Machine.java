package dev.waymark.benchmarks;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the figures are measured on. */
final class Machine {
  private final Cores cores;

  Machine(Cores cores) {
    this.cores = cores;
  }

  /**
   * In words.
   *
   * @param java the JDK that measured, if not the running one
   */
  Map<String, String> describe(Effort effort, @Nullable String java) {
    Map<String, String> words = new LinkedHashMap<>();
    words.put("effort", effort.name());
    words.put("at", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    words.put("commit", commit());
    words.put("jdk", java == null ? System.getProperty("java.runtime.version") : java);
    words.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    words.put("processor", processor());
    words.put("processors", Integer.toString(cores.processors()));
    words.put("pinning", cores.toString());
    return words;
  }

  private static String commit() {
    String head = output("git", "rev-parse", "--short=12", "HEAD");
    if (head.isEmpty()) {
      return "unknown";
    }
    return output("git", "status", "--porcelain", "--untracked-files=no").isEmpty()
        ? head
        : head + " and changes";
  }

  private static String processor() {
    try {
      return Files.readString(Path.of("/proc/cpuinfo"))
          .lines()
          .filter(line -> line.toLowerCase(Locale.ROOT).startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).trim())
          .findFirst()
          .orElse("unknown");
    } catch (IOException notLinux) {
      return "unknown";
    }
  }

  /** What a command prints; nothing if it fails or does not exist. */
  static String output(String... command) {
    try {
      Process process =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      process.getOutputStream().close();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return process.waitFor() == 0 ? said.trim() : "";
    } catch (IOException absent) {
      return "";
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return "";
    }
  }
}
