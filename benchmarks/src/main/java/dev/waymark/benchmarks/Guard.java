package dev.waymark.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Whether a change has made a read on the stub driver dearer: bytes over raw, and CPU time as a
 * multiple of raw's, against the figures that are kept in {@code benchmarks/guard.json}. Times
 * themselves are never compared: they are the machine's.
 */
final class Guard {
  static final String CHECK = "guard";
  static final String KEEP = "guard-keep";

  /** Bytes are exact but for what the pools do in the background. */
  private static final double MORE_BYTES = 8;

  /** Between forks the ratio of CPU times varies by some per cent. */
  private static final double TIMES_CPU = 1.25;

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private Guard() {}

  /**
   * Measures for about a minute.
   *
   * @return the exit code: 0 if nothing has become dearer
   */
  static int run(Bench bench, Path keptFile) throws IOException {
    Path folder = Files.createDirectories(bench.folder().resolve("guard"));
    Summary summary = new Summary(folder, Effort.FULL, new Machine(bench.cores()));
    Bench own =
        new Bench(
            folder,
            bench.effort(),
            List.of("routing"),
            bench.classPaths(),
            bench.cores(),
            summary,
            bench.failures());
    List<JmhRun.Contender> contenders = new ArrayList<>();
    for (String name :
        List.of(
            Summary.RAW,
            Summary.NULL_CONTROL,
            "waymark-keyed",
            "waymark-session",
            "waymark-datasource")) {
      contenders.add(RoutingRun.contender(name));
    }
    new JmhRun(own, "routing", JmhRun.newestJava())
        .run(bench.effort().of(3, 1), 2, contenders)
        .addCpu()
        .addBytes();
    summary.save();
    List<Figure> now = Summary.read(folder.resolve("summary.json"));
    if (bench.wants(KEEP)) {
      JSON.writeValue(keptFile.toFile(), now);
      System.out.println("Kept in " + keptFile);
      return 0;
    }
    List<Figure> kept = Summary.read(keptFile);
    if (kept.isEmpty()) {
      System.err.println("guard: nothing is kept in " + keptFile + "; run -Dbench=" + KEEP);
      return 1;
    }
    List<String> dearer = dearer(kept, now);
    dearer.forEach(System.err::println);
    System.out.println(dearer.isEmpty() ? "guard: nothing has become dearer" : "guard: dearer");
    return dearer.isEmpty() ? 0 : 1;
  }

  /** What has become dearer, a sentence for each. */
  static List<String> dearer(List<Figure> kept, List<Figure> now) {
    List<String> sentences = new ArrayList<>();
    Double control = ratio(now, Summary.NULL_CONTROL, Metric.CPU.name());
    boolean isQuiet = control != null && Summary.isQuiet(1, control);
    if (!isQuiet) {
      System.err.println(
          "guard: raw2 took " + control + " times raw's CPU, so CPU times are not judged");
    }
    for (Figure then : kept) {
      if (then.contender().startsWith(Summary.RAW)) {
        continue;
      }
      Figure same =
          now.stream()
              .filter(
                  each ->
                      each.contender().equals(then.contender())
                          && each.metric().equals(then.metric()))
              .findFirst()
              .orElse(null);
      if (same == null) {
        sentences.add(then.contender() + " was not measured");
      } else if (then.metric().equals(Metric.BYTES.name())) {
        judge(sentences, then, then.over(), same.over(), plus(then.over(), MORE_BYTES), "B");
      } else if (isQuiet) {
        judge(sentences, then, then.ratio(), same.ratio(), times(then.ratio(), TIMES_CPU), "times");
      }
    }
    return sentences;
  }

  private static void judge(
      List<String> sentences,
      Figure then,
      @Nullable Double before,
      @Nullable Double now,
      double most,
      String unit) {
    if (now == null || now > most) {
      sentences.add(
          String.format(
              Locale.ROOT,
              "guard: %s of %s: %s %s against raw's, kept were %s, allowed are %.2f",
              then.metric(),
              then.contender(),
              Summary.text(now, "%.2f"),
              unit,
              Summary.text(before, "%.2f"),
              most));
    }
  }

  private static double plus(@Nullable Double kept, double more) {
    return kept == null ? Double.NEGATIVE_INFINITY : kept + more;
  }

  private static double times(@Nullable Double kept, double factor) {
    return kept == null ? Double.NEGATIVE_INFINITY : kept * factor;
  }

  private static @Nullable Double ratio(List<Figure> figures, String contender, String metric) {
    return figures.stream()
        .filter(each -> each.contender().equals(contender) && each.metric().equals(metric))
        .findFirst()
        .map(Figure::ratio)
        .orElse(null);
  }
}
