package dev.waymark.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  @TempDir Path results;
  @TempDir Path project;

  @BeforeEach
  void saysWhatIsNotMeasured() throws IOException {
    Files.createDirectory(project.resolve("benchmarks"));
    Files.writeString(
        project.resolve("benchmarks/README.md"),
        """
        # Benchmarks
        ## Not measured

        Whatever takes a year.

        ## More
        Another matter.
        """);
  }

  @Test
  void peerThatIsAheadIsNamed() throws IOException {
    measure(120, 118, 150, 130);

    assertThat(page())
        .contains("**aws is ahead of waymark-keyed** in cpu_ns: 130.00 against 150.00");
  }

  @Test
  void peerThatIsBehindIsNot() throws IOException {
    measure(120, 118, 150, 160);

    assertThat(page()).doesNotContain("is ahead of");
  }

  @Test
  void peersThatAreAheadAreNamedFirst() throws IOException {
    measure(120, 118, 150, 130);

    assertThat(page())
        .containsSubsequence(
            "## Where a peer is ahead",
            "- routing: **aws is ahead of waymark-keyed**",
            "route nothing: the caller says where to go",
            "## Routing alone");
  }

  @Test
  void pageSaysThatNoPeerIsAhead() throws IOException {
    measure(120, 118, 150, 160);

    assertThat(page()).contains("## Where a peer is ahead\n\nNowhere");
  }

  @Test
  void pageSaysWhatIsNotMeasuredAndWhatHasNoFiguresYet() throws IOException {
    measure(120, 118, 150, 130);

    assertThat(page())
        .endsWith(
            """
            ## Not measured

            **Without figures yet**: l1-hit.

            Whatever takes a year.
            """);
  }

  @Test
  void missedGoalIsSaid() throws IOException {
    measure(100, 101, 190, 300);

    assertThat(page()).contains("| Routing by key: at most 80 ns over raw | 90.0 ns | **no** |");
  }

  @Test
  void nothingIsSaidOfWallTimesWhenTheNullControlIsNotQuiet() throws IOException {
    Summary summary = summary();
    summary.add("point-read", "raw", Metric.P50, 100);
    summary.add("point-read", "raw2", Metric.P50, 120);
    summary.add("point-read", "waymark-keyed", Metric.P50, 90);
    summary.add("point-read", "aws", Metric.P50, 80);
    summary.save();

    assertThat(page())
        .contains("Nothing is said of p50_us: the null control was not quiet (1.20×).")
        .contains(
            "| Point read by key: within the null control | refused: the null control was not quiet")
        .doesNotContain("is ahead of");
  }

  @Test
  void whyAPeerIsAheadIsSaidOnlyWhereOneIs() throws IOException {
    measure(120, 118, 150, 160);

    assertThat(page()).doesNotContain("route nothing: the caller says where to go");
  }

  private void measure(double raw, double control, double ours, double peer) throws IOException {
    Summary summary = summary();
    summary.add("routing", "raw", Metric.CPU, raw);
    summary.add("routing", "raw2", Metric.CPU, control);
    summary.add("routing", "waymark-keyed", Metric.CPU, ours);
    summary.add("routing", "aws", Metric.CPU, peer);
    summary.save();
  }

  private Summary summary() {
    return new Summary(results, Effort.FULL, new Machine(new Cores()));
  }

  private String page() throws IOException {
    Path docs = project.resolve("docs");
    Report.write(results, project, docs, List.of("routing", "l1-hit"), Report.Charting.NONE);
    return Files.readString(docs.resolve("benchmarks.md"));
  }
}
