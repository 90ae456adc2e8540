package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

class LoadReportTest {
  @Test
  void saysRateLatencyTiersNodesAndWhatFailed() {
    Histogram reads = new Histogram(3);
    reads.recordValueWithCount(1_000, 899);
    reads.recordValue(50_000);
    Histogram writes = new Histogram(3);
    writes.recordValueWithCount(4_000, 100);

    LoadReport report =
        new LoadReport(
            Duration.ofSeconds(10),
            4,
            reads,
            writes,
            Map.of("L1", 600L, "L2", 100L, "DATABASE", 200L),
            Map.of("shard-1-b", 150L, "shard-1-c", 50L),
            Map.of("shard-1-a", 99L),
            Map.of("503 unavailable", 1L));

    assertThat(report)
        .hasToString(
            """
            1,000 requests in 10.0 s by 4 clients: 100 requests/s, 10.0 % writes, 1 failed

            milliseconds      p50      p90      p99    p99.9      max
              reads          1.00     1.00     1.00    50.02    50.02
              writes         4.00     4.00     4.00     4.00     4.00

            users read from
              L1                  600   66.7 %
              L2                  100   11.1 %
              DATABASE            200   22.2 %

            node              reads      share     writes
              shard-1-a           0      0.0 %         99
              shard-1-b         150     75.0 %          0
              shard-1-c          50     25.0 %          0

            failed
                     1  503 unavailable
            """);
  }
}
