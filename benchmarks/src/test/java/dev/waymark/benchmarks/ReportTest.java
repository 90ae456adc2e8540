package dev.waymark.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  @TempDir Path results;
  @TempDir Path docs;

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
    Report.write(results, docs, Report.Charting.NONE);
    return Files.readString(docs.resolve("benchmarks.md"));
  }
}
