package dev.waymark.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SummaryTest {
  private static final Machine MACHINE = new Machine(new Cores());

  @TempDir Path folder;

  @Test
  void medianAndSpreadAreOfTheRounds() {
    Figure figure = Figure.of("g", "raw", Metric.P50, 3, 1, 2, Double.NaN);

    assertThat(figure).isEqualTo(new Figure("g", "raw", "p50_us", "us", 2.0, 1.0, 3.0, null, null));
  }

  @Test
  void figuresAreComparedWithRawOfTheirGroup() throws IOException {
    Summary summary = new Summary(folder, Effort.FULL, MACHINE);
    summary.add("routing", "raw", Metric.CPU, 100);
    summary.add("routing", "waymark-keyed", Metric.CPU, 150);
    summary.add("l1-hit", "raw", Metric.CPU, 10);
    summary.save();

    assertThat(kept())
        .contains(
            new Figure("routing", "waymark-keyed", "cpu_ns", "ns", 150.0, 150.0, 150.0, 50.0, 1.5));
  }

  @Test
  void wallTimesAreNotComparedWhenIdenticalWorkTookOtherTimes() throws IOException {
    Summary summary = new Summary(folder, Effort.FULL, MACHINE);
    summary.add("point-read", "raw", Metric.P50, 100);
    summary.add("point-read", "raw2", Metric.P50, 112);
    summary.add("point-read", "aws", Metric.P50, 100);
    summary.add("point-read", "raw", Metric.BYTES, 100);
    summary.add("point-read", "aws", Metric.BYTES, 200);
    summary.save();

    assertThat(kept())
        .filteredOn(figure -> figure.metric().equals("p50_us"))
        .allSatisfy(figure -> assertThat(figure.ratio()).isNull());
    assertThat(kept())
        .filteredOn(figure -> figure.metric().equals("bytes"))
        .extracting(Figure::ratio)
        .containsExactly(1.0, 2.0);
  }

  @Test
  void wallTimesAreNotComparedWithoutNullControl() throws IOException {
    Summary summary = new Summary(folder, Effort.FULL, MACHINE);
    summary.add("point-read", "raw", Metric.P50, 100);
    summary.add("point-read", "aws", Metric.P50, 100);
    summary.save();

    assertThat(kept()).extracting(Figure::ratio).containsOnlyNulls();
  }

  @Test
  void groupThatFailsKeepsItsEarlierFiguresAndCostsNoOtherGroup() throws IOException {
    measure(Effort.FULL, "routing", 1);
    Summary summary = new Summary(folder, Effort.FULL, MACHINE);
    Failures failures = new Failures();
    Bench bench =
        new Bench(
            folder,
            Effort.FULL,
            List.of("routing", "l1-hit"),
            new ClassPaths("", ""),
            new Cores(),
            summary,
            failures);
    bench.measure(
        "routing",
        () -> {
          summary.add("routing", "raw", Metric.CPU, 99);
          throw new IllegalStateException("half-way");
        });
    bench.measure("l1-hit", () -> summary.add("l1-hit", "raw", Metric.CPU, 2));

    assertThat(kept()).extracting(Figure::group).containsExactly("routing", "l1-hit");
    assertThat(kept()).extracting(Figure::median).containsExactly(1.0, 2.0);
    assertThat(failures.list()).contains("routing: java.lang.IllegalStateException: half-way");
  }

  @Test
  void groupsOfEarlierRunsAreKept() throws IOException {
    measure(Effort.FULL, "routing", 1);
    measure(Effort.FULL, "l1-hit", 2);
    measure(Effort.FULL, "routing", 3);

    assertThat(kept()).extracting(Figure::group).containsExactly("l1-hit", "routing");
    assertThat(kept()).extracting(Figure::median).containsExactly(2.0, 3.0);
  }

  @Test
  void quickRunNeverReplacesAFullOne() throws IOException {
    measure(Effort.FULL, "routing", 1);
    measure(Effort.QUICK, "routing", 99);
    measure(Effort.QUICK, "l1-hit", 2);

    assertThat(kept()).extracting(Figure::median).containsExactly(1.0, 2.0);
    assertThat(Summary.environments(folder.resolve("environment.json")).get("routing"))
        .containsEntry("effort", "FULL");
  }

  private void measure(Effort effort, String group, double value) throws IOException {
    Summary summary = new Summary(folder, effort, MACHINE);
    summary.add(group, "raw", Metric.CPU, value);
    summary.save();
  }

  private List<Figure> kept() throws IOException {
    return Summary.read(folder.resolve("summary.json"));
  }
}
