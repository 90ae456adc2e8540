package dev.waymark.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * What every benchmark is given.
 *
 * @param folder for the results
 * @param effort how much to do
 * @param wanted names of the groups that are asked for
 * @param classPaths where the contenders' JVMs find their classes
 * @param cores who runs where
 * @param summary of all figures
 * @param failures of groups
 */
record Bench(
    Path folder,
    Effort effort,
    List<String> wanted,
    ClassPaths classPaths,
    Cores cores,
    Summary summary,
    Failures failures) {

  /** Measures one group. */
  interface Work {
    void run() throws IOException, InterruptedException;
  }

  boolean wants(String group) {
    return wanted.contains(group);
  }

  boolean wantsAny(List<String> groups) {
    return groups.stream().anyMatch(this::wants);
  }

  /**
   * Measures a group if it is asked for, and keeps its figures. If it fails, that is remembered and
   * its figures of an earlier run stay: it must not cost those that come after it.
   */
  void measure(String group, Work work) throws IOException {
    if (!wants(group)) {
      return;
    }
    long began = System.nanoTime();
    try {
      work.run();
      summary.save();
      System.out.printf(Locale.ROOT, "%s took %d s%n", group, secondsSince(began));
    } catch (IOException | RuntimeException failed) {
      summary.forget();
      failures.add(group, failed);
    } catch (InterruptedException interrupted) {
      summary.forget();
      failures.add(group, interrupted);
      Thread.currentThread().interrupt();
    }
  }

  static long secondsSince(long nanos) {
    return Math.round((System.nanoTime() - nanos) / 1e9);
  }
}
