package dev.waymark;

import java.nio.file.Path;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Reads {@code waymark.yaml}. */
final class ConfigReader {
  private ConfigReader() {}

  static WaymarkConfig load(Path file, Function<String, @Nullable String> environment) {
    throw new UnsupportedOperationException(file + " " + environment);
  }

  static WaymarkConfig parse(
      String yaml, String fileName, Function<String, @Nullable String> environment) {
    throw new UnsupportedOperationException(yaml + fileName + environment);
  }
}
