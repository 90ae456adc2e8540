package dev.waymark.history;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.history.FaultSchedule.Fault;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The short version of the fault histories; the long one is {@code mvn -Phistory}. */
class HistoryIT {
  private static final Set<Fault> FAULTS = EnumSet.allOf(Fault.class);

  @Test
  void noGuaranteeIsBrokenWhileNodesFail() throws Exception {
    RoutingHistory.Summary summary =
        RoutingHistory.run(
            new RoutingHistory.Plan(40_000, 11, Guards.ON, FAULTS), System.out::println);

    System.out.println(summary.line());
    assertThat(summary.findings().report()).isEmpty();
    assertThat(summary.history()).hasSizeGreaterThanOrEqualTo(40_000);
    assertThat(summary.faults()).isPositive();
  }

  @Test
  void theCheckerCatchesTheNaiveRouter() throws Exception {
    RoutingHistory.Summary summary =
        RoutingHistory.run(
            new RoutingHistory.Plan(10_000, 12, Guards.OFF, FAULTS), System.out::println);

    System.out.println(summary.line());
    assertThat(summary.findings().count(Checker.Rule.READ_YOUR_WRITES)).isPositive();
    assertThat(summary.findings().count(Checker.Rule.STRONG)).isPositive();
  }
}
