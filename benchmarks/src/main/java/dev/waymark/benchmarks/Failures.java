package dev.waymark.benchmarks;

import java.util.LinkedHashMap;
import java.util.Map;

/** What could not be measured, and why. Not for several threads at once. */
final class Failures {
  private final Map<String, Throwable> byGroup = new LinkedHashMap<>();

  void add(String group, Throwable why) {
    System.err.println(group + " failed:");
    why.printStackTrace();
    byGroup.put(group, why);
  }

  boolean areNone() {
    return byGroup.isEmpty();
  }

  /** A line for each. */
  String list() {
    StringBuilder lines = new StringBuilder("Failed, and without new figures:");
    byGroup.forEach((group, why) -> lines.append("\n  ").append(group).append(": ").append(why));
    return lines.toString();
  }
}
