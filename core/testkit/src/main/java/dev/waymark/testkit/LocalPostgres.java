package dev.waymark.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** A PostgreSQL whose postmaster is a child of this JVM. */
final class LocalPostgres extends LocalServer implements Backend.PostgresControl {

  /** Line 8 of {@code postmaster.pid}: connections are accepted (a hot standby says so as well). */
  private static final int STATUS_LINE = 7;

  private final PostgresSettings settings;
  private final ServerAccount account;
  private final Path programs;
  private final Path data;

  LocalPostgres(LocalBackend backend, String name, PostgresSettings settings, Path programs) {
    super(backend, name);
    this.settings = settings;
    this.account = backend.account();
    this.programs = programs;
    this.data = backend.directory().resolve(name);
  }

  @Override
  String title() {
    return "PostgreSQL " + name;
  }

  @Override
  String quickEnd() {
    return "QUIT";
  }

  @Override
  String orderlyEnd() {
    return "INT";
  }

  @Override
  List<String> command() {
    return account.command(programs.resolve("bin/postgres").toString(), "-D", data.toString());
  }

  @Override
  public Address peerAddress() {
    return address();
  }

  @Override
  public void initialise() {
    createDataDirectory();
    Path password = backend.directory().resolve(name + ".password");
    write(password, settings.superuserPassword() + "\n");
    List<String> initdb = new ArrayList<>();
    initdb.add(programs.resolve("bin/initdb").toString());
    initdb.addAll(List.of("-D", data.toString(), "-U", PostgresSettings.SUPERUSER));
    initdb.addAll(List.of("-A", "scram-sha-256", "--pwfile", password.toString()));
    initdb.addAll(List.of("-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"));
    initdb.addAll(settings.initdbArguments());
    Command.Result result = Command.run(backend.directory(), Waiting.LONG, account.command(initdb));
    if (!result.succeeded()) {
      throw new IllegalStateException(
          "initdb for %s ended with status %d:%n%s"
              .formatted(name, result.status(), result.output()));
    }
    delete(password);
    // Passwords everywhere: on a machine of many users, loopback is open to all of them, and a
    // superuser may run programs in the tester's name.
    write(
        data.resolve("pg_hba.conf"),
        """
        host all         all 127.0.0.1/32 scram-sha-256
        host replication all 127.0.0.1/32 scram-sha-256
        """);
  }

  @Override
  public void copyNeverStarted(Backend.PostgresControl source) {
    createDataDirectory();
    copyData(((LocalPostgres) source).data, Set.of());
  }

  @Override
  public void copyOnline(Backend.PostgresControl source, Connection superuser) {
    releaseSharedMemory();
    deleteData();
    createDataDirectory();
    try (Statement statement = superuser.createStatement()) {
      statement.execute("SELECT pg_backup_start('copy for " + name + "', fast => true)");
      copyData(((LocalPostgres) source).data, Set.of("pg_wal", "pg_replslot", "postmaster.pid"));
      try (ResultSet label =
          statement.executeQuery("SELECT labelfile FROM pg_backup_stop(false)")) {
        label.next();
        // Without the label the copy would start from the wrong checkpoint and be silently broken.
        write(data.resolve("backup_label"), label.getString(1));
      }
    } catch (SQLException e) {
      throw new IllegalStateException(
          "Copying " + ((LocalPostgres) source).name + " to " + name + " failed: " + e.getMessage(),
          e);
    }
  }

  @Override
  public void standbyOf(Backend.PostgresControl primary) {
    write(data.resolve("standby.signal"), "");
    String connection =
        PostgresSettings.primaryConnection(
            name, primary.peerAddress(), settings.superuserPassword());
    // The file ALTER SYSTEM writes, so that a later follow() replaces this and does not lose to it.
    write(
        data.resolve("postgresql.auto.conf"),
        PostgresSettings.assignment("primary_conninfo", connection));
  }

  @Override
  void prepare() {
    write(data.resolve("postgresql.conf"), settings.configurationFile(name, address()));
  }

  @Override
  boolean isReady(long pid) {
    List<String> lock = lockFile();
    // The first line tells our process from the remains of one that was killed.
    return lock.size() > STATUS_LINE
        && lock.get(0).strip().equals(Long.toString(pid))
        && lock.get(STATUS_LINE).strip().equals("ready");
  }

  private List<String> lockFile() {
    try {
      return Files.readAllLines(data.resolve("postmaster.pid"));
    } catch (IOException e) {
      return List.of();
    }
  }

  /** A killed postmaster leaves a small System V segment; only a restart or we remove it. */
  private void releaseSharedMemory() {
    List<String> lock = lockFile();
    if (lock.size() >= STATUS_LINE) {
      String[] keyAndId = lock.get(STATUS_LINE - 1).strip().split(" +", -1);
      if (keyAndId.length == 2) {
        Command.run(null, Waiting.LONG, List.of("ipcrm", "-m", keyAndId[1]));
      }
    }
  }

  private void createDataDirectory() {
    try {
      Files.createDirectory(
          data, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    account.own(data);
  }

  private void deleteData() {
    try {
      Binaries.deleteTree(data);
    } catch (IOException e) {
      throw new UncheckedIOException("Deleting the data of " + name, e);
    }
  }

  /**
   * Copies a data directory; the contents of the named directories stay behind, as do the files.
   */
  private void copyData(Path source, Set<String> without) {
    try {
      Files.walkFileTree(source, new Copy(source, without));
    } catch (IOException e) {
      throw new UncheckedIOException("Copying " + source + " to " + data, e);
    }
  }

  private final class Copy extends SimpleFileVisitor<Path> {
    private final Path source;
    private final Set<String> without;

    Copy(Path source, Set<String> without) {
      this.source = source;
      this.without = without;
    }

    @Override
    public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
        throws IOException {
      Path relative = source.relativize(directory);
      Path target = data.resolve(relative.toString());
      if (!directory.equals(source)) {
        Files.createDirectory(target);
        Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwx------"));
        account.own(target);
      }
      return without.contains(relative.toString())
          ? FileVisitResult.SKIP_SUBTREE
          : FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      if (without.contains(source.relativize(file).toString())) {
        return FileVisitResult.CONTINUE;
      }
      Path target = data.resolve(source.relativize(file).toString());
      try {
        Files.copy(file, target);
      } catch (NoSuchFileException goneMeanwhile) {
        // A running server drops files; replaying the log from the backup's start drops them too.
        return FileVisitResult.CONTINUE;
      }
      account.own(target);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
      if (e instanceof NoSuchFileException) {
        return FileVisitResult.CONTINUE;
      }
      throw e;
    }
  }

  /** Owner-only: the files hold passwords. */
  private void write(Path file, String text) {
    try {
      Files.deleteIfExists(file);
      Files.createFile(
          file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.writeString(file, text);
    } catch (IOException e) {
      throw new UncheckedIOException("Writing " + file, e);
    }
    account.own(file);
  }

  private static void delete(Path file) {
    try {
      Files.delete(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
