package dev.waymark.testkit;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Servers as processes of this machine, in one directory, with one guard process that outlives this
 * JVM just long enough to end them.
 *
 * <p>There is no shutdown hook on purpose: hooks run at the same time, so the servers would go
 * while the application's own hooks still finish their work on them. The guard sees the end of the
 * JVM itself, after the last hook, and after SIGKILL too.
 */
final class LocalBackend implements Backend {

  static final String DIRECTORY_PROPERTY = "waymark.testkit.directory";

  private static final Duration QUICK = Duration.ofSeconds(10);

  private final Path directory;
  private final ServerAccount account;
  private final Binaries binaries;
  private final List<String> ownSession;
  private final Process guard;
  private final FreePorts ports = new FreePorts();
  private volatile boolean closed;

  LocalBackend(Consumer<String> progress) {
    this.account = ServerAccount.find();
    this.binaries =
        new Binaries(Binaries.cacheDirectory(account), Binaries.Platform.current(), progress);
    this.ownSession = ownSession();
    this.directory = createDirectory(account);
    try {
      Files.createDirectory(directory.resolve("pids"));
      copyScript("launch.sh");
      copyScript("guard.sh");
      List<String> command = new ArrayList<>(ownSession);
      command.addAll(List.of("sh", directory.resolve("guard.sh").toString(), directory.toString()));
      this.guard =
          new ProcessBuilder(command)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
    } catch (IOException e) {
      try {
        Binaries.deleteTree(directory);
      } catch (IOException stays) {
        e.addSuppressed(stays);
      }
      throw new UncheckedIOException("Preparing the cluster's directory " + directory, e);
    }
  }

  private static Path createDirectory(ServerAccount account) {
    String chosen = System.getProperty(DIRECTORY_PROPERTY);
    List<Path> parents =
        chosen == null || chosen.isBlank()
            ? Binaries.temporaryDirectories()
            : List.of(Path.of(chosen).toAbsolutePath());
    for (Path parent : parents) {
      if (Files.isWritable(parent) && account.canEnter(parent)) {
        try {
          Path directory = Files.createTempDirectory(parent, "waymark-testkit-").toRealPath();
          Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
          account.own(directory);
          return directory;
        } catch (IOException e) {
          throw new UncheckedIOException("Making a directory in " + parent, e);
        }
      }
    }
    throw new IllegalStateException(
        "No directory for the cluster's data: each of %s is missing, not writable, or closed to the account PostgreSQL runs under. Choose one by -D%s=…"
            .formatted(parents, DIRECTORY_PROPERTY));
  }

  /**
   * How to keep the terminal's Ctrl-C away from the servers, which would begin to shut down while
   * the JVM still works with them. macOS has no setsid command but a Perl.
   */
  private static List<String> ownSession() {
    List<List<String>> ways =
        List.of(List.of("setsid"), List.of("perl", "-MPOSIX", "-e", "POSIX::setsid(); exec @ARGV"));
    for (List<String> way : ways) {
      List<String> attempt = new ArrayList<>(way);
      attempt.add("true");
      if (Command.run(null, QUICK, attempt).succeeded()) {
        return way;
      }
    }
    return List.of();
  }

  private void copyScript(String script) throws IOException {
    try (InputStream in = LocalBackend.class.getResourceAsStream(script)) {
      if (in == null) {
        throw new IOException(script + " is missing from the testkit's jar");
      }
      Files.copy(in, directory.resolve(script));
    }
  }

  Path directory() {
    return directory;
  }

  ServerAccount account() {
    return account;
  }

  @Override
  public PostgresControl postgres(String name, PostgresSettings settings) {
    return new LocalPostgres(this, name, settings, binaries.postgres());
  }

  @Override
  public ServerControl redis(String name) {
    return new LocalRedis(this, name, binaries.redis());
  }

  int freePort() {
    return ports.next();
  }

  void requireOpen(String server) {
    if (closed) {
      throw new IllegalStateException(
          "The cluster is closed; " + server + " cannot start any more");
    }
  }

  Process launch(String server, String quickEnd, Path log, List<String> command) {
    List<String> all = new ArrayList<>(ownSession);
    all.addAll(
        List.of(
            "sh",
            directory.resolve("launch.sh").toString(),
            directory.toString(),
            server,
            quickEnd));
    all.addAll(command);
    File output = log.toFile();
    // In the cluster's directory, because the account PostgreSQL runs under may not enter ours.
    ProcessBuilder builder =
        new ProcessBuilder(all)
            .directory(directory.toFile())
            .redirectInput(Command.NULL_DEVICE)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(output));
    Command.cleanEnvironment(builder.environment(), directory);
    try {
      return builder.start();
    } catch (IOException e) {
      throw new UncheckedIOException("Starting " + server, e);
    }
  }

  /** Sends a signal; processes that are gone already are no error. */
  void signal(String signal, List<Long> pids) {
    List<String> command = new ArrayList<>(List.of("sh", "-c", "kill -s \"$0\" \"$@\"", signal));
    pids.forEach(pid -> command.add(pid.toString()));
    Command.run(null, QUICK, command);
  }

  /** Takes a process that ended off the guard's list, unless its successor is on it already. */
  synchronized void forget(String server, long pid) {
    Path file = directory.resolve("pids").resolve(server);
    try {
      if (Files.exists(file) && Files.readString(file).strip().endsWith(" " + pid)) {
        Files.deleteIfExists(file);
      }
    } catch (IOException closing) {
      // The guard is removing the directory.
    }
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      guard.getOutputStream().close();
      if (!guard.waitFor(30, TimeUnit.SECONDS)) {
        throw new IllegalStateException(
            "The servers in %s did not end within 30 s. Look for their processes and remove the directory"
                .formatted(directory));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Ending the servers in " + directory, e);
    } catch (InterruptedException e) {
      // The guard goes on by itself.
      throw Waiting.interrupted(e);
    }
    if (Files.exists(directory)) {
      throw new IllegalStateException(
          "The directory %s could not be removed; remove it by hand".formatted(directory));
    }
  }
}
