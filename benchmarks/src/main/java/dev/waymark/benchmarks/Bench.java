package dev.waymark.benchmarks;

import java.nio.file.Path;
import java.util.List;

/**
 * What every benchmark is given.
 *
 * @param folder for the results
 * @param effort how much to do
 * @param wanted names of the groups that are asked for
 * @param classPaths where the contenders' JVMs find their classes
 * @param cores who runs where
 * @param summary of all figures
 */
record Bench(
    Path folder,
    Effort effort,
    List<String> wanted,
    ClassPaths classPaths,
    Cores cores,
    Summary summary) {

  boolean wants(String group) {
    return wanted.contains(group);
  }
}
