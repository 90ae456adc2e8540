package dev.waymark.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Runs the benchmarks, on servers of their own where they need some, and keeps the figures. */
public final class BenchmarkRun {
  /** In the order in which they run: what needs no servers first. */
  private static final List<Family> FAMILIES =
      List.of(
          new Family(List.of("routing"), RoutingRun::run),
          new Family(DatabaseRun.groups(), DatabaseRun::run),
          new Family(List.of("l1-hit", "l2-hit"), CacheRun::run),
          new Family(List.of("offload", "promotion"), RoutingFigures::run),
          new Family(List.of("stampede", "hit-ratio", "invalidation"), CacheFigures::run));

  private BenchmarkRun() {}

  private interface Work {
    void run(Bench bench) throws IOException;
  }

  /**
   * Groups of the summary that share what they are run on.
   *
   * @param work measures those that are wanted
   */
  private record Family(List<String> groups, Work work) {}

  /**
   * Runs them.
   *
   * @param arguments the folder for the results, {@code full} or {@code quick} (only prove that all
   *     run), the names of the groups to measure, by commas, or {@code all}, and the file with
   *     ShardingSphere's class path
   */
  public static void main(String[] arguments) throws IOException {
    Path folder = Files.createDirectories(Path.of(arguments[0]));
    Effort effort = Effort.valueOf(arguments[1].toUpperCase(Locale.ROOT));
    List<String> groups = FAMILIES.stream().flatMap(family -> family.groups().stream()).toList();
    List<String> wanted =
        arguments[2].equals("all") ? groups : List.of(arguments[2].split("\\s*,\\s*"));
    if (!groups.containsAll(wanted)) {
      System.err.println("-Dbench=" + arguments[2] + ": there are " + String.join(", ", groups));
      System.exit(2);
    }
    Cores cores = new Cores();
    Summary summary = new Summary(folder, effort, new Machine(cores));
    Bench bench =
        new Bench(folder, effort, wanted, ClassPaths.of(Path.of(arguments[3])), cores, summary);
    Files.deleteIfExists(folder.resolve("jmh.log"));
    for (Family family : FAMILIES) {
      family.work().run(bench);
      summary.save();
    }
    System.out.println("Figures: " + folder.resolve("summary.json"));
  }
}
