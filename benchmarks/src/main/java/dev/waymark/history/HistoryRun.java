package dev.waymark.history;

import java.io.IOException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Runs a suite of fault histories and ends with one line of counts. */
public final class HistoryRun {
  private HistoryRun() {}

  /**
   * Runs a suite.
   *
   * @param arguments suite, number of operations, seed, guards ({@code on}, {@code off}, or for the
   *     suite {@code cache} the name of the one that is taken out), and for that suite whose cache
   *     it is, after how many seconds it is enough, what becomes of writes without Redis ({@code
   *     refuse} or {@code owe}), and which faults there are ({@code all}, or their names with
   *     commas between them)
   */
  public static void main(String[] arguments)
      throws IOException, InterruptedException, SQLException {
    long operations = Long.parseLong(arguments[1].replace("_", ""));
    long seed = Long.parseLong(arguments[2]);
    String guards = arguments[3];
    switch (arguments[0]) {
      case "routing" -> {
        RoutingHistory.Summary summary =
            RoutingHistory.run(
                new RoutingHistory.Plan(
                    operations,
                    seed,
                    Guards.valueOf(guards.toUpperCase(Locale.ROOT)),
                    EnumSet.allOf(FaultSchedule.Fault.class)),
                System.out::println);
        end(summary.findings(), summary.line(), guards.equals("on"));
      }
      case "cache" -> {
        CacheKind kind = CacheKind.valueOf(arguments[4].toUpperCase(Locale.ROOT));
        WithoutRedis withoutRedis = WithoutRedis.valueOf(arguments[6].toUpperCase(Locale.ROOT));
        CacheHistory.Summary summary =
            CacheHistory.run(
                new CacheHistory.Plan(
                    operations,
                    seed,
                    guards,
                    withoutRedis,
                    kind,
                    faults(arguments[7]),
                    Duration.ofSeconds(Long.parseLong(arguments[5]))),
                System.out::println);
        System.out.println(summary.tiers());
        end(summary.findings(), summary.line(), guards.equals("on") && kind == CacheKind.WAYMARK);
      }
      default -> {
        System.err.println(
            "There is no suite '"
                + arguments[0]
                + "'; write -Dhistory.suite=routing or -Dhistory.suite=cache");
        System.exit(2);
      }
    }
  }

  private static Set<CacheHistory.Fault> faults(String names) {
    if (names.equals("all")) {
      return EnumSet.allOf(CacheHistory.Fault.class);
    }
    return Stream.of(names.split(","))
        .map(name -> CacheHistory.Fault.valueOf(name.toUpperCase(Locale.ROOT).replace('-', '_')))
        .collect(Collectors.toCollection(() -> EnumSet.noneOf(CacheHistory.Fault.class)));
  }

  private static void end(Checker.Findings findings, String line, boolean clean) {
    findings.report().forEach(System.out::println);
    System.out.println(line);
    System.exit((findings.count() == 0) == clean ? 0 : 1);
  }
}
