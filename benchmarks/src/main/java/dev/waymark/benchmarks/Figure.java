package dev.waymark.benchmarks;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One row of the summary.
 *
 * @param median over the rounds; none if nothing was measured
 * @param min of the rounds
 * @param max of the rounds
 * @param over the median less that of the group's {@code raw}; none without one, or if the null
 *     control forbids the comparison
 * @param ratio the median to that of the group's {@code raw}, with the same exceptions
 */
@JsonPropertyOrder({
  "group",
  "contender",
  "metric",
  "unit",
  "median",
  "min",
  "max",
  "over",
  "ratio"
})
record Figure(
    String group,
    String contender,
    String metric,
    String unit,
    @Nullable Double median,
    @Nullable Double min,
    @Nullable Double max,
    @Nullable Double over,
    @Nullable Double ratio) {

  static Figure of(String group, String contender, Metric metric, double... samples) {
    double[] sorted = Arrays.stream(samples).filter(Double::isFinite).sorted().toArray();
    return sorted.length == 0
        ? new Figure(group, contender, metric.name(), metric.unit(), null, null, null, null, null)
        : new Figure(
            group,
            contender,
            metric.name(),
            metric.unit(),
            rounded(median(sorted)),
            rounded(sorted[0]),
            rounded(sorted[sorted.length - 1]),
            null,
            null);
  }

  Figure against(double raw) {
    return median == null
        ? this
        : new Figure(
            group,
            contender,
            metric,
            unit,
            median,
            min,
            max,
            rounded(median - raw),
            raw == 0 ? null : rounded(median / raw));
  }

  private static double median(double[] sorted) {
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /** Four decimals: more would pretend to be known. */
  private static double rounded(double value) {
    return Math.round(value * 10_000) / 10_000.0;
  }
}
