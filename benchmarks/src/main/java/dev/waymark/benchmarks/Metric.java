package dev.waymark.benchmarks;

/**
 * What a figure is of.
 *
 * @param name as it stands in the summary
 * @param unit of the figure
 * @param basis whether the machine's mood can change it
 */
record Metric(String name, String unit, Basis basis) {
  static final Metric CPU = new Metric("cpu_ns", "ns", Basis.COUNTED);
  static final Metric BYTES = new Metric("bytes", "B", Basis.COUNTED);
  static final Metric WALL = new Metric("wall_ns", "ns", Basis.WALL);
  static final Metric P50 = new Metric("p50_us", "us", Basis.WALL);
  static final Metric P99 = new Metric("p99_us", "us", Basis.WALL);
  static final Metric OPERATIONS = new Metric("ops", "1/s", Basis.WALL);
  static final Metric LOADS = new Metric("loads", "loads", Basis.COUNTED);

  /**
   * A time on the wall is compared with another only while the null control agrees with itself; a
   * count, bytes or a thread's own processor time are compared always.
   */
  enum Basis {
    WALL,
    COUNTED
  }

  Metric {
    if (!name.matches("[a-z0-9_]+")) {
      throw new IllegalArgumentException("'" + name + "' is no name for a metric: a-z, 0-9, _");
    }
  }

  static Metric counted(String name, String unit) {
    return new Metric(name, unit, Basis.COUNTED);
  }

  static Metric wall(String name, String unit) {
    return new Metric(name, unit, Basis.WALL);
  }
}
