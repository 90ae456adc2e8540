package dev.waymark.benchmarks;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** What a contender puts on an application's class path: jars and megabytes. */
final class Weight {
  private static final String GROUP = "weight";

  private static final List<String> RAW =
      List.of("HikariCP", "postgresql", "slf4j-api", "checker-qual");
  private static final List<String> KEYED =
      List.of("waymark-core", "waymark-routing", "snakeyaml-engine", "jspecify");
  private static final List<String> PARSER = List.of("pgcodekeeper-core", "antlr4-runtime");
  private static final List<String> CACHE =
      List.of(
          "waymark-cache",
          "caffeine",
          "error_prone_annotations",
          "redisson",
          "netty-",
          "rxjava",
          "reactive-streams",
          "reactor-core",
          "cache-api",
          "kryo",
          "minlog",
          "objenesis",
          "reflectasm",
          "byte-buddy",
          "jodd-util",
          "snakeyaml-2",
          "jackson-");
  private static final List<String> SPRING =
      List.of("spring-jdbc", "spring-tx", "spring-beans", "spring-core", "commons-logging");
  private static final List<String> OF_THE_BENCHMARK =
      List.of("jmh-core", "jopt-simple", "commons-math3", "logback");

  private Weight() {}

  static void run(Bench bench) throws IOException {
    bench.measure(GROUP, () -> weigh(bench));
  }

  private static void weigh(Bench bench) {
    String own = bench.classPaths().own();
    Map<String, List<Path>> parts = new LinkedHashMap<>();
    parts.put(Summary.RAW, parts(own, isOf(RAW)));
    parts.put("waymark-keyed", parts(own, isOf(RAW).or(isOf(KEYED))));
    parts.put("waymark-datasource", parts(own, isOf(RAW).or(isOf(KEYED)).or(isOf(PARSER))));
    parts.put("waymark-with-cache", parts(own, isOf(RAW).or(isOf(KEYED)).or(isOf(CACHE))));
    parts.put("spring", parts(own, isOf(RAW).or(isOf(SPRING)).or(isOf(List.of("jspecify")))));
    parts.put("aws", parts(own, isOf(RAW).or(isOf(List.of("aws-advanced")))));
    parts.put(
        "shardingsphere",
        parts(
            bench.classPaths().shardingSphere(),
            isOf(OF_THE_BENCHMARK).negate().and(name -> name.endsWith(".jar"))));
    parts.forEach(
        (contender, files) -> {
          bench.summary().add(GROUP, contender, Metric.counted("jars", "jars"), files.size());
          bench
              .summary()
              .add(
                  GROUP,
                  contender,
                  Metric.counted("mb", "MB"),
                  files.stream().mapToLong(Weight::bytes).sum() / 1e6);
        });
  }

  private static Predicate<String> isOf(List<String> prefixes) {
    return name -> prefixes.stream().anyMatch(name::startsWith);
  }

  private static List<Path> parts(String classPath, Predicate<String> isWanted) {
    return Arrays.stream(classPath.split(File.pathSeparator))
        .map(Path::of)
        .filter(path -> isWanted.test(name(path)))
        .toList();
  }

  /** A jar's name; for the classes of one of our modules that of its jar. */
  private static String name(Path path) {
    int parts = path.getNameCount();
    return parts > 2 && path.endsWith(Path.of("target", "classes"))
        ? "waymark-" + path.getName(parts - 3)
        : String.valueOf(path.getFileName());
  }

  private static long bytes(Path path) {
    try (Stream<Path> files = Files.walk(path)) {
      return files.filter(Files::isRegularFile).mapToLong(file -> file.toFile().length()).sum();
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }
}
