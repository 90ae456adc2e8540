package dev.waymark.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * What the contenders did in a group's slices.
 *
 * @param slices of each contender, by its name
 */
record SliceResults(String group, int threads, Map<String, List<ClientJvm.Slice>> slices) {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  void addTo(Summary summary) {
    add(summary, Metric.P50, slice -> slice.p50Nanos() / 1e3);
    add(summary, Metric.P99, slice -> slice.p99Nanos() / 1e3);
    add(summary, Metric.OPERATIONS, slice -> slice.operations() * 1e9 / slice.wallNanos());
    add(summary, Metric.CPU, slice -> (double) slice.cpuNanos() / slice.operations());
    add(summary, Metric.BYTES, slice -> (double) slice.bytes() / slice.operations());
  }

  private void add(Summary summary, Metric metric, ToDoubleFunction<ClientJvm.Slice> figure) {
    slices.forEach(
        (contender, own) ->
            summary.add(group, contender, metric, own.stream().mapToDouble(figure).toArray()));
  }

  /** Writes them in the form of JMH's results, which its viewers read. */
  void write(Path file) throws IOException {
    List<Map<String, Object>> results = new ArrayList<>();
    slices.forEach(
        (contender, own) -> {
          Map<String, Object> result = new LinkedHashMap<>();
          result.put("benchmark", ClientJvm.class.getName() + "." + group + "." + contender);
          result.put("mode", "sample");
          result.put("threads", threads);
          result.put("forks", 1);
          result.put("jdkVersion", System.getProperty("java.version"));
          result.put("vmName", System.getProperty("java.vm.name"));
          result.put("vmVersion", System.getProperty("java.vm.version"));
          result.put("measurementIterations", own.size());
          result.put("primaryMetric", metric("us/op", own, slice -> slice.p50Nanos() / 1e3));
          result.put(
              "secondaryMetrics",
              Map.of(
                  "p99", metric("us/op", own, slice -> slice.p99Nanos() / 1e3),
                  "ops",
                      metric("ops/s", own, slice -> slice.operations() * 1e9 / slice.wallNanos())));
          results.add(result);
        });
    JSON.writeValue(file.toFile(), results);
  }

  private static Map<String, Object> metric(
      String unit, List<ClientJvm.Slice> slices, ToDoubleFunction<ClientJvm.Slice> figure) {
    double[] values = slices.stream().mapToDouble(figure).sorted().toArray();
    double median = values[values.length / 2];
    Map<String, Object> metric = new LinkedHashMap<>();
    metric.put("score", median);
    metric.put("scoreError", (values[values.length - 1] - values[0]) / 2);
    metric.put("scoreConfidence", List.of(values[0], values[values.length - 1]));
    metric.put(
        "scorePercentiles",
        Map.of("0.0", values[0], "50.0", median, "100.0", values[values.length - 1]));
    metric.put("scoreUnit", unit);
    metric.put("rawData", List.of(slices.stream().mapToDouble(figure).boxed().toList()));
    return metric;
  }
}
