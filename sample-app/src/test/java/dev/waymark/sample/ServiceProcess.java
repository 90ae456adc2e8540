package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The service in a process of its own, as it is deployed. */
final class ServiceProcess implements AutoCloseable {
  private static final Pattern URL = Pattern.compile("http://127\\.0\\.0\\.1:(\\d+)");

  private final Process process;
  private final Path output;
  private final int port;

  private ServiceProcess(Process process, Path output, int port) {
    this.process = process;
    this.output = output;
    this.port = port;
  }

  /**
   * Starts one and returns when it serves.
   *
   * @param options of the JVM, the class path among them
   */
  static ServiceProcess start(
      Path output, Map<String, String> environment, Stream<String> options, String... arguments)
      throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
            Stream.of(
                    Stream.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()),
                    options,
                    Stream.of(Main.class.getName()),
                    Stream.of(arguments))
                .flatMap(part -> part)
                .toList());
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    builder.environment().putAll(environment);
    Process process = builder.redirectErrorStream(true).redirectOutput(output.toFile()).start();
    try {
      await()
          .atMost(Duration.ofSeconds(120))
          .until(() -> !process.isAlive() || Files.readString(output).contains("Serving on"));
      Matcher url = URL.matcher(Files.readString(output));
      assertThat(url.find()).as(Files.readString(output)).isTrue();
      return new ServiceProcess(process, output, Integer.parseInt(url.group(1)));
    } catch (RuntimeException | Error | IOException failure) {
      process.destroyForcibly();
      throw failure;
    }
  }

  int port() {
    return port;
  }

  String output() throws IOException {
    return Files.readString(output);
  }

  /** Asks it to end, as a cluster does, and returns when it has. */
  void stop() throws InterruptedException {
    process.destroy();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
