package dev.waymark.benchmarks;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The figures of all groups in {@code summary.json}, and beside it in {@code environment.json} on
 * what each group was measured. A run replaces the groups that it measures and keeps all others; a
 * quick run never replaces what a full run has measured.
 *
 * <p>Not for several threads at once.
 */
final class Summary {
  static final String RAW = "raw";
  static final String NULL_CONTROL = "raw2";

  private static final double LEAST = 0.9;
  private static final double MOST = 1.1;
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final Path figuresFile;
  private final Path environmentFile;
  private final Effort effort;
  private final Machine machine;

  private final Map<Figure, Metric> fresh = new LinkedHashMap<>();
  private final Map<String, String> javas = new TreeMap<>();

  Summary(Path folder, Effort effort, Machine machine) {
    this.figuresFile = folder.resolve("summary.json");
    this.environmentFile = folder.resolve("environment.json");
    this.effort = effort;
    this.machine = machine;
  }

  /** Adds one figure, of as many rounds as there are samples. */
  void add(String group, String contender, Metric metric, double... samples) {
    fresh.put(Figure.of(group, contender, metric, samples), metric);
  }

  /** Says which JDK has measured a group, if not the running one. */
  void measuredOn(String group, String java) {
    javas.put(group, java);
  }

  /** Drops what was added since the last {@link #save}: of a group that failed half-way. */
  void forget() {
    fresh.clear();
  }

  /** Prints what was added since the last call and writes it down. */
  void save() throws IOException {
    if (fresh.isEmpty()) {
      return;
    }
    List<Figure> compared = compared();
    print(compared);
    List<Figure> kept = new ArrayList<>(read(figuresFile));
    Map<String, Map<String, String>> environments = environments(environmentFile);
    Set<String> groups = new LinkedHashSet<>();
    compared.forEach(figure -> groups.add(figure.group()));
    for (String group : groups) {
      if (effort == Effort.QUICK && isFull(environments.get(group))) {
        System.out.println(group + ": kept the figures of the full run before");
        continue;
      }
      kept.removeIf(figure -> figure.group().equals(group));
      compared.stream().filter(figure -> figure.group().equals(group)).forEach(kept::add);
      environments.put(group, machine.describe(effort, javas.get(group)));
    }
    JSON.writeValue(figuresFile.toFile(), kept);
    JSON.writeValue(environmentFile.toFile(), environments);
    fresh.clear();
  }

  private static boolean isFull(@Nullable Map<String, String> environment) {
    return environment != null && Effort.FULL.name().equals(environment.get("effort"));
  }

  private List<Figure> compared() {
    List<Figure> compared = new ArrayList<>();
    fresh.forEach(
        (figure, metric) -> {
          Double raw = median(figure.group(), RAW, figure.metric());
          Double control = median(figure.group(), NULL_CONTROL, figure.metric());
          compared.add(
              raw != null && isComparable(metric, raw, control) ? figure.against(raw) : figure);
        });
    return compared;
  }

  private @Nullable Double median(String group, String contender, String metric) {
    return fresh.keySet().stream()
        .filter(
            figure ->
                figure.group().equals(group)
                    && figure.contender().equals(contender)
                    && figure.metric().equals(metric))
        .map(Figure::median)
        .filter(Objects::nonNull)
        .findFirst()
        .orElse(null);
  }

  private static boolean isComparable(Metric metric, double raw, @Nullable Double control) {
    return metric.basis() == Metric.Basis.COUNTED || isQuiet(raw, control);
  }

  /** Whether identical work took the same time, so that different work may be compared. */
  static boolean isQuiet(double raw, @Nullable Double control) {
    return control != null && control / raw >= LEAST && control / raw <= MOST;
  }

  private static void print(List<Figure> figures) {
    String group = "";
    for (Figure figure : figures) {
      if (!figure.group().equals(group)) {
        group = figure.group();
        System.out.printf(
            "%n%s%n%-22s %-24s %12s %12s %12s %12s %8s%n",
            group, "contender", "metric", "median", "min", "max", "over raw", "ratio");
      }
      System.out.printf(
          Locale.ROOT,
          "%-22s %-24s %12s %12s %12s %12s %8s%n",
          figure.contender(),
          figure.metric(),
          text(figure.median(), "%.2f"),
          text(figure.min(), "%.2f"),
          text(figure.max(), "%.2f"),
          text(figure.over(), "%+.2f"),
          text(figure.ratio(), "%.3f"));
    }
  }

  static String text(@Nullable Double value, String format) {
    return value == null ? "-" : String.format(Locale.ROOT, format, value);
  }

  /** The figures of a file; none if there is no such file. */
  static List<Figure> read(Path file) throws IOException {
    return Files.exists(file)
        ? JSON.readValue(file.toFile(), new TypeReference<List<Figure>>() {})
        : List.of();
  }

  /** For each group, what it was measured on; none if there is no such file. */
  static Map<String, Map<String, String>> environments(Path file) throws IOException {
    return Files.exists(file)
        ? JSON.readValue(
            file.toFile(), new TypeReference<LinkedHashMap<String, Map<String, String>>>() {})
        : new LinkedHashMap<>();
  }
}
