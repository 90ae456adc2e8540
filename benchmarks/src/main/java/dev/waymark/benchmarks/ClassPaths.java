package dev.waymark.benchmarks;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where contenders find their classes. ShardingSphere brings older versions of libraries that
 * others use too (Caffeine 2, Guava, Jackson, ANTLR), and is measured with its own.
 *
 * @param own of this JVM, with all contenders but ShardingSphere
 * @param shardingSphere with this module's classes, the pool, the driver and JMH
 */
record ClassPaths(String own, String shardingSphere) {

  /**
   * Reads them.
   *
   * @param shardingSphereFile its class path, written by the build of its module
   */
  static ClassPaths of(Path shardingSphereFile) throws IOException {
    String own = System.getProperty("java.class.path");
    String ownClasses =
        Path.of(ClassPaths.class.getProtectionDomain().getCodeSource().getLocation().getPath())
            .toString();
    return new ClassPaths(
        own,
        String.join(
            File.pathSeparator,
            ownClasses,
            shardingSphereFile.resolveSibling("classes").toString(),
            Files.readString(shardingSphereFile).trim()));
  }

  String of(String contender) {
    return contender.startsWith("shardingsphere") ? shardingSphere : own;
  }
}
