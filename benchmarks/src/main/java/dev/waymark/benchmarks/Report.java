package dev.waymark.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Writes {@code docs/benchmarks.md} with its charts from the figures of the last runs, and keeps
 * those figures beside it. What is ahead of what is read from the figures, never written by hand;
 * why, each section says.
 */
final class Report {
  private final List<Figure> figures;
  private final Map<String, Map<String, String>> environments;
  private final Map<String, Map<String, FaultRun.Line>> timelines;
  private final List<String> groups;
  private final String notMeasured;
  private final Path docs;
  private final Charting charting;
  private final StringBuilder page = new StringBuilder();
  private final Map<Section, List<String>> ahead = new LinkedHashMap<>();

  private Report(
      List<Figure> figures,
      Map<String, Map<String, String>> environments,
      Map<String, Map<String, FaultRun.Line>> timelines,
      List<String> groups,
      String notMeasured,
      Path docs,
      Charting charting) {
    this.figures = figures;
    this.environments = environments;
    this.timelines = timelines;
    this.groups = groups;
    this.notMeasured = notMeasured;
    this.docs = docs;
    this.charting = charting;
  }

  /** Charts need the letters' widths, so fonts: a machine without any can still write the page. */
  enum Charting {
    SVG,
    NONE
  }

  /**
   * Writes what is in the folder of the results.
   *
   * @param project in which benchmarks/README.md says what no group measures
   * @param docs the folder for the page
   * @param groups all that there are, so that those without figures are named
   */
  static void write(Path results, Path project, Path docs, List<String> groups, Charting charting)
      throws IOException {
    // Fonts, but no screen.
    System.setProperty("java.awt.headless", "true");
    Path summary = results.resolve("summary.json");
    if (!Files.exists(summary)) {
      throw new IllegalStateException(
          "There are no figures in " + summary + ": run mvn -Pbench first");
    }
    // Also the parent of the page itself.
    Path kept = Files.createDirectories(docs.resolve("benchmarks"));
    new Report(
            Summary.read(summary),
            Summary.environments(results.resolve("environment.json")),
            FaultRun.read(results.resolve("timelines.json")),
            groups,
            notMeasured(Files.readString(project.resolve("benchmarks/README.md"))),
            docs,
            charting)
        .write();
    for (String file : List.of("summary.json", "environment.json", "timelines.json")) {
      if (Files.exists(results.resolve(file))) {
        Files.copy(results.resolve(file), kept.resolve(file), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    System.out.println("Report: " + docs.resolve("benchmarks.md"));
  }

  /** What stands under that heading, up to the next one. */
  private static String notMeasured(String readme) {
    Matcher part =
        Pattern.compile("^## Not measured$(.*?)(?=^## |\\z)", Pattern.MULTILINE | Pattern.DOTALL)
            .matcher(readme);
    if (!part.find()) {
      throw new IllegalStateException("benchmarks/README.md does not say what is not measured");
    }
    return part.group(1).strip();
  }

  private void write() throws IOException {
    line("# Benchmarks");
    line("");
    line(
        """
        Written by `mvn -Pbench -Dbench=report` from the figures of `mvn -Pbench`, which are kept in
        [benchmarks/summary.json](benchmarks/summary.json); no figure on this page is typed in. What each benchmark does, how to
        run it and what is not measured stands in [benchmarks/README.md](../benchmarks/README.md).

        Figures are medians over rounds, with the least and the most; contenders take turns in an order drawn by lot. **Ratios
        are to `raw`**, which is what one would write without any library. `raw2` is `raw` once more: what it differs by is
        noise, and where it leaves 0.9–1.1 no ratio of wall times is given (–). CPU time is the calling thread's own.
        """
            .strip());
    line("");
    environment();
    goals();
    int here = page.length();
    for (Section section : Section.ALL) {
      section(section);
    }
    faults();
    line("## Not measured");
    line("");
    List<String> missing =
        groups.stream()
            .filter(group -> figures.stream().noneMatch(each -> each.group().equals(group)))
            .toList();
    if (!missing.isEmpty()) {
      line("**Without figures yet**: " + String.join(", ", missing) + ".");
      line("");
    }
    line(notMeasured);
    // Only now known, but what a reader wants to know first.
    String sections = page.substring(here);
    page.setLength(here);
    line("## Where a peer is ahead");
    line("");
    if (ahead.isEmpty()) {
      line("Nowhere in every round, of what is judged below the tables.");
    } else {
      line("In every round. Where the ranges of the rounds overlap, it is said below the table.");
      line("");
    }
    ahead.forEach(
        (section, sentences) -> {
          sentences.forEach(this::line);
          if (!section.behind().isEmpty()) {
            line("");
            line(section.behind());
            line("");
          }
        });
    line("");
    page.append(sections);
    Files.writeString(docs.resolve("benchmarks.md"), page);
  }

  private void line(String text) {
    page.append(text).append('\n');
  }

  // ---- on what --------------------------------------------------------------------------------

  private void environment() {
    Map<Map<String, String>, List<String>> groups = new LinkedHashMap<>();
    environments.forEach(
        (group, environment) -> {
          Map<String, String> same = new LinkedHashMap<>(environment);
          same.remove("at");
          groups.computeIfAbsent(same, each -> new ArrayList<>()).add(group);
        });
    line("| measured | commit | JDK | machine | pinned |");
    line("|---|---|---|---|---|");
    groups.forEach(
        (environment, names) ->
            line(
                "| "
                    + String.join(", ", names)
                    + (Effort.QUICK.name().equals(environment.get("effort"))
                        ? " (**a quick run: these figures mean nothing**)"
                        : "")
                    + " | "
                    + environment.get("commit")
                    + " | "
                    + environment.get("jdk")
                    + " | "
                    + environment.get("processors")
                    + " × "
                    + environment.get("processor")
                    + ", "
                    + environment.get("os")
                    + " | "
                    + environment.get("pinning")
                    + " |"));
    line("");
  }

  // ---- goals ----------------------------------------------------------------------------------

  private void goals() {
    line("## Goals");
    line("");
    line("| goal | measured | reached |");
    line("|---|---|---|");
    for (Section.Goal goal : Section.Goal.ALL) {
      Figure figure = figure(goal.group(), goal.contender(), goal.metric());
      Double value =
          figure == null
              ? null
              : switch (goal.bound()) {
                case OVER -> figure.over();
                case RATIO -> figure.ratio();
                case MEDIAN -> figure.median();
              };
      String measured =
          figure == null || value == null
              ? figure == null ? "not measured yet" : "refused: the null control was not quiet"
              : number(value)
                  + (goal.bound() == Section.Goal.Bound.RATIO ? "×" : " " + figure.unit());
      line(
          "| "
              + goal.text()
              + " | "
              + measured
              + " | "
              + (value == null ? "–" : value <= goal.most() ? "yes" : "**no**")
              + " |");
    }
    line("");
  }

  private @Nullable Figure figure(String group, String contender, String metric) {
    return figures.stream()
        .filter(
            each ->
                each.group().equals(group)
                    && each.contender().equals(contender)
                    && each.metric().equals(metric))
        .findFirst()
        .orElse(null);
  }

  // ---- one section ----------------------------------------------------------------------------

  private void section(Section section) throws IOException {
    List<Figure> own =
        figures.stream().filter(each -> section.groups().contains(each.group())).toList();
    if (own.isEmpty()) {
      return;
    }
    line("## " + section.title());
    line("");
    line(section.text());
    line("");
    if (!section.metric().isEmpty()) {
      String name = section.groups().get(0) + ".svg";
      if (charting == Charting.SVG) {
        Charts.bars(
            docs.resolve("benchmarks").resolve(name),
            section.title() + ": " + section.metric(),
            section.metric(),
            own);
      }
      line("![" + section.title() + "](benchmarks/" + name + ")");
      line("");
    }
    for (String group : section.groups()) {
      List<Figure> rows = own.stream().filter(each -> each.group().equals(group)).toList();
      if (!rows.isEmpty()) {
        table(group, rows);
        verdict(section, rows);
      }
    }
  }

  private void table(String group, List<Figure> rows) {
    Set<String> metrics = new LinkedHashSet<>();
    Map<String, Map<String, Figure>> byContender = new LinkedHashMap<>();
    for (Figure row : rows) {
      metrics.add(row.metric());
      byContender
          .computeIfAbsent(row.contender(), each -> new LinkedHashMap<>())
          .put(row.metric(), row);
    }
    StringBuilder head = new StringBuilder("| " + group + " |");
    StringBuilder rule = new StringBuilder("|---|");
    metrics.forEach(
        metric -> {
          head.append(' ').append(metric).append(" | ratio |");
          rule.append("---:|---:|");
        });
    line(head.toString());
    line(rule.toString());
    byContender.forEach(
        (contender, own) -> {
          StringBuilder line = new StringBuilder("| " + contender + " |");
          for (String metric : metrics) {
            Figure figure = own.get(metric);
            line.append(' ').append(figure == null ? "" : spread(figure)).append(" | ");
            line.append(figure == null ? "" : ratio(figure)).append(" |");
          }
          line(line.toString());
        });
    line("");
  }

  private static String spread(Figure figure) {
    if (figure.median() == null || figure.min() == null || figure.max() == null) {
      return "–";
    }
    String median = number(figure.median());
    return figure.min().equals(figure.max())
        ? median
        : median + " (" + number(figure.min()) + "–" + number(figure.max()) + ")";
  }

  private static String ratio(Figure figure) {
    return figure.ratio() == null ? "–" : String.format(Locale.ROOT, "%.2f×", figure.ratio());
  }

  private static String number(double value) {
    return String.format(
        Locale.ROOT,
        Math.abs(value) >= 1_000 ? "%,.0f" : Math.abs(value) >= 10 ? "%.1f" : "%.2f",
        value);
  }

  /** Says where a peer is ahead of us, and where nothing can be said. */
  private void verdict(Section section, List<Figure> rows) {
    List<String> metrics = new ArrayList<>();
    metrics.add(section.metric());
    metrics.addAll(section.judged());
    List<String> sentences = new ArrayList<>();
    for (String metric : metrics) {
      List<Figure> same = rows.stream().filter(each -> each.metric().equals(metric)).toList();
      boolean isRefused =
          same.stream().anyMatch(each -> each.contender().equals(Summary.NULL_CONTROL))
              && same.stream().allMatch(each -> each.ratio() == null);
      if (isRefused) {
        sentences.add(
            "Nothing is said of "
                + metric
                + ": the null control was not quiet ("
                + control(same)
                + ").");
        continue;
      }
      for (Figure ours : same) {
        if (!ours.contender().startsWith("waymark")) {
          continue;
        }
        for (Figure peer : same) {
          if (isPeer(peer.contender()) && isAhead(peer, ours)) {
            String sentence =
                "**"
                    + peer.contender()
                    + " is ahead of "
                    + ours.contender()
                    + "** in "
                    + metric
                    + ": "
                    + Summary.text(peer.median(), "%,.2f")
                    + " against "
                    + Summary.text(ours.median(), "%,.2f")
                    + " "
                    + ours.unit()
                    + (Comparison.areApart(peer, ours)
                        ? "."
                        : "; the ranges of their rounds overlap.");
            sentences.add(sentence);
            if (Comparison.areApart(peer, ours)) {
              ahead
                  .computeIfAbsent(section, each -> new ArrayList<>())
                  .add("- " + ours.group() + ": " + sentence);
            }
          }
        }
      }
    }
    sentences.forEach(sentence -> line("- " + sentence));
    if (!sentences.isEmpty()) {
      line("");
    }
  }

  private static String control(List<Figure> same) {
    Double raw = median(same, Summary.RAW);
    Double control = median(same, Summary.NULL_CONTROL);
    return raw == null || control == null
        ? "it was not measured"
        : String.format(Locale.ROOT, "%.2f×", control / raw);
  }

  private static @Nullable Double median(List<Figure> same, String contender) {
    return same.stream()
        .filter(each -> each.contender().equals(contender))
        .findFirst()
        .map(Figure::median)
        .orElse(null);
  }

  private static boolean isPeer(String contender) {
    return !contender.startsWith("waymark")
        && !contender.startsWith(Summary.RAW)
        && !contender.matches("[a-z]+-[0-9]+");
  }

  /** Less is better, but of what is done in a second, of hits and of reads on replicas. */
  private static boolean isAhead(Figure peer, Figure ours) {
    if (peer.median() == null || ours.median() == null) {
      return false;
    }
    boolean isMoreBetter = ours.unit().equals("1/s") || ours.unit().equals("share");
    return isMoreBetter ? peer.median() > ours.median() : peer.median() < ours.median();
  }

  // ---- faults ---------------------------------------------------------------------------------

  private void faults() throws IOException {
    if (timelines.isEmpty()) {
      return;
    }
    line("## Faults");
    line("");
    line(
        """
        Four threads call without pause on one shard with two replicas. The fault comes at 0 (red); after five seconds it is
        undone (green, dashed). The line is the p99 of the calls that were under way in each tenth of a second, so a call that
        hangs counts for as long as it hangs; below are the calls that failed. `raw` is two HikariCP pools with their defaults and a
        last bit: it knows nothing of health. `aws-rw` and `shardingsphere-rw` are set up as above. Recovered is who has no
        failed call from then on and a p99 of at most five times that before.
        """
            .strip());
    line("");
    for (Map.Entry<String, Map<String, FaultRun.Line>> each : timelines.entrySet()) {
      String group = each.getKey();
      String name = "timeline-" + group + ".svg";
      if (charting == Charting.SVG) {
        Charts.timeline(
            docs.resolve("benchmarks").resolve(name), group.replace('-', ' '), each.getValue());
      }
      line("![" + group + "](benchmarks/" + name + ")");
      line("");
      table(group, figures.stream().filter(row -> row.group().equals(group)).toList());
    }
  }
}
