package dev.waymark.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class GuardTest {
  private static final List<Figure> KEPT = figures(1.02, 2.0, 24);

  @Test
  void sameFiguresPass() {
    assertThat(Guard.dearer(KEPT, KEPT)).isEmpty();
  }

  @Test
  void oneMoreObjectIsFound() {
    assertThat(Guard.dearer(KEPT, figures(1.02, 2.0, 40)))
        .containsExactly(
            "guard: bytes of waymark-keyed: 40.00 B against raw's, kept were 24.00, allowed are"
                + " 32.00");
  }

  @Test
  void dearerCpuIsFound() {
    assertThat(Guard.dearer(KEPT, figures(1.02, 2.6, 24)))
        .containsExactly(
            "guard: cpu_ns of waymark-keyed: 2.60 times against raw's, kept were 2.00, allowed are"
                + " 2.50");
  }

  @Test
  void noisyCpuIsNotJudgedButBytesAre() {
    assertThat(Guard.dearer(KEPT, figures(1.3, 2.6, 24))).isEmpty();
    assertThat(Guard.dearer(KEPT, figures(1.3, 2.6, 40))).hasSize(1);
  }

  @Test
  void contenderThatIsNoLongerMeasuredIsFound() {
    assertThat(Guard.dearer(KEPT, KEPT.subList(0, 2)))
        .containsExactly("waymark-keyed was not measured", "waymark-keyed was not measured");
  }

  private static List<Figure> figures(double control, double cpu, double bytes) {
    return List.of(
        new Figure("routing", "raw", "cpu_ns", "ns", 100.0, 100.0, 100.0, 0.0, 1.0),
        new Figure("routing", "raw2", "cpu_ns", "ns", 100.0, 100.0, 100.0, 0.0, control),
        new Figure("routing", "waymark-keyed", "cpu_ns", "ns", 100 * cpu, null, null, null, cpu),
        new Figure("routing", "waymark-keyed", "bytes", "B", 80 + bytes, null, null, bytes, 1.3));
  }
}
