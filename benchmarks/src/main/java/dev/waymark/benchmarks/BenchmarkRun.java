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
          new Family(GrowthRun.groups(), GrowthRun::run),
          new Family(List.of("weight"), Weight::run),
          new Family(List.of("start-up"), StartUp::run),
          new Family(DatabaseRun.groups(), DatabaseRun::run),
          new Family(CacheRun.groups(), CacheRun::run),
          new Family(List.of("mixed"), MixedRun::run),
          new Family(List.of("offload", "promotion"), RoutingFigures::run),
          new Family(FaultRun.groups(), FaultRun::run),
          new Family(List.of("stampede", "hit-ratio", "invalidation"), CacheFigures::run));

  /** What is asked for by the same option and measures no group. */
  private static final List<String> ERRANDS = List.of("report", "compare", Guard.CHECK, Guard.KEEP);

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
   *     run), the names of the groups to measure, by commas, or {@code all}, the file with
   *     ShardingSphere's class path, the project's folder, and an older summary to compare with,
   *     relative to that, or {@code none}
   */
  public static void main(String[] arguments) throws IOException {
    Path folder = Files.createDirectories(Path.of(arguments[0]));
    Effort effort = Effort.valueOf(arguments[1].toUpperCase(Locale.ROOT));
    List<String> groups = FAMILIES.stream().flatMap(family -> family.groups().stream()).toList();
    List<String> wanted =
        arguments[2].equals("all") ? groups : List.of(arguments[2].split("\\s*,\\s*"));
    if (!groups.containsAll(wanted) && !ERRANDS.containsAll(wanted)) {
      System.err.println(
          "-Dbench="
              + arguments[2]
              + ": there are "
              + String.join(", ", groups)
              + ", and one at a time "
              + String.join(", ", ERRANDS));
      System.exit(2);
    }
    Path project = Path.of(arguments[4]);
    if (wanted.contains("report")) {
      Report.write(folder, project, project.resolve("docs"), groups, Report.Charting.SVG);
      return;
    }
    Cores cores = new Cores();
    Summary summary = new Summary(folder, effort, new Machine(cores));
    Bench bench =
        new Bench(
            folder,
            effort,
            wanted,
            ClassPaths.of(Path.of(arguments[3])),
            cores,
            summary,
            new Failures());
    if (wanted.contains(Guard.CHECK) || wanted.contains(Guard.KEEP)) {
      System.exit(Guard.run(bench, project.resolve("benchmarks/guard.json")));
    }
    if (!wanted.contains("compare")) {
      measure(bench);
      // Only what measures everything replaces the project's page.
      boolean isWhole = effort == Effort.FULL && wanted.equals(groups);
      Path docs = isWhole ? project.resolve("docs") : folder.resolve("docs");
      try {
        Report.write(folder, project, docs, groups, Report.Charting.SVG);
      } catch (IOException | RuntimeException | Error failed) {
        // Without fonts, for one: the figures are there all the same.
        bench.failures().add("report", failed);
      }
    }
    if (!arguments[5].equals("none")) {
      Comparison.print(project.resolve(arguments[5]), folder.resolve("summary.json"));
    }
    if (!bench.failures().areNone()) {
      System.err.println(bench.failures().list());
      System.exit(1);
    }
  }

  private static void measure(Bench bench) throws IOException {
    Files.deleteIfExists(bench.folder().resolve("jmh.log"));
    Files.deleteIfExists(bench.folder().resolve("clients.log"));
    long began = System.nanoTime();
    for (Family family : FAMILIES) {
      try {
        family.work().run(bench);
      } catch (IOException | RuntimeException failed) {
        // Its servers have not started, or not stopped: the groups themselves catch their own.
        bench.failures().add(String.join(", ", family.groups()), failed);
      }
    }
    System.out.printf(
        Locale.ROOT,
        "All took %d s. Figures: %s%n",
        Bench.secondsSince(began),
        bench.folder().resolve("summary.json"));
  }
}
