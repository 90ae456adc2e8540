package dev.waymark.history;

import java.io.IOException;
import java.sql.SQLException;
import java.util.EnumSet;
import java.util.Locale;

/** Runs a suite of fault histories and ends with one line of counts. */
public final class HistoryRun {
  private static final String SUITE = "routing";

  private HistoryRun() {}

  /**
   * Runs a suite.
   *
   * @param arguments suite, number of operations, seed, and {@code on} or {@code off} for the
   *     guards
   */
  public static void main(String[] arguments)
      throws IOException, InterruptedException, SQLException {
    if (!arguments[0].equals(SUITE)) {
      System.err.println(
          "There is no suite '" + arguments[0] + "'; write -Dhistory.suite=" + SUITE);
      System.exit(2);
    }
    RoutingHistory.Plan plan =
        new RoutingHistory.Plan(
            Long.parseLong(arguments[1].replace("_", "")),
            Long.parseLong(arguments[2]),
            Guards.valueOf(arguments[3].toUpperCase(Locale.ROOT)),
            EnumSet.allOf(FaultSchedule.Fault.class));
    RoutingHistory.Summary summary = RoutingHistory.run(plan, System.out::println);
    summary.findings().report().forEach(System.out::println);
    System.out.println(summary.line());
    boolean asExpected = (summary.findings().count() == 0) == (plan.guards() == Guards.ON);
    System.exit(asExpected ? 0 : 1);
  }
}
