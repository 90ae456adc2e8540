package dev.waymark.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The static Redis binary as a process of this machine. It keeps nothing on disk. */
final class LocalRedis extends LocalServer {

  private final Path program;
  private final Path data;

  /** Which save the running server has loaded; null for none. */
  private @Nullable FileTime loaded;

  LocalRedis(LocalBackend backend, String name, Path program) {
    super(backend, name);
    this.program = program;
    this.data = backend.directory().resolve(name);
    try {
      Files.createDirectory(data);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  String title() {
    return "Redis";
  }

  @Override
  String quickEnd() {
    return "KILL";
  }

  @Override
  String orderlyEnd() {
    return "TERM";
  }

  /** What was saved is loaded once; a later start without another save is an empty one again. */
  @Override
  void prepare() {
    if (loaded != null && loaded.equals(savedAt())) {
      try {
        Files.delete(saved());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private Path saved() {
    return data.resolve("dump.rdb");
  }

  private @Nullable FileTime savedAt() {
    try {
      return Files.getLastModifiedTime(saved());
    } catch (IOException nothingSaved) {
      return null;
    }
  }

  @Override
  List<String> command() {
    return List.of(
        program.toString(),
        "--bind",
        address().host(),
        "--port",
        Integer.toString(address().port()),
        "--dir",
        data.toString(),
        "--save",
        "",
        "--appendonly",
        "no",
        "--daemonize",
        "no");
  }

  @Override
  boolean isReady(long pid) {
    try {
      // The pid, because another cluster's Redis could sit on a port that was taken meanwhile.
      boolean ready =
          RedisCommand.send(address(), Duration.ofSeconds(2), "INFO server")
              .contains("process_id:" + pid + "\r");
      if (ready) {
        loaded = savedAt();
      }
      return ready;
    } catch (IOException e) {
      return false;
    }
  }
}
