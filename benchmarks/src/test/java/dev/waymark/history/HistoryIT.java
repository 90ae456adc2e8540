package dev.waymark.history;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The short version of the fault histories; the long one is {@code mvn -Phistory}. */
class HistoryIT {
  @Test
  void noGuaranteeIsBrokenWhileNodesFail() throws Exception {
    RoutingHistory.Summary summary =
        RoutingHistory.run(new RoutingHistory.Plan(40_000, 11, Guards.ON), System.out::println);

    System.out.println(summary.line());
    assertThat(summary.findings().report()).isEmpty();
    assertThat(summary.history()).hasSizeGreaterThanOrEqualTo(40_000);
    assertThat(summary.faults()).isPositive();
  }

  @Test
  void theCheckerCatchesTheNaiveRouter() throws Exception {
    RoutingHistory.Summary summary =
        RoutingHistory.run(new RoutingHistory.Plan(10_000, 12, Guards.OFF), System.out::println);

    System.out.println(summary.line());
    assertThat(summary.findings().count(Checker.Rule.READ_YOUR_WRITES)).isPositive();
    assertThat(summary.findings().count(Checker.Rule.STRONG)).isPositive();
  }
}
