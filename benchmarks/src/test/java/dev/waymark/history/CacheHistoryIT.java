package dev.waymark.history;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.waymark.history.CacheHistory.Fault;
import dev.waymark.history.Checker.Rule;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The short version of the fault histories of cached reads; the long one is {@code -Phistory}. */
class CacheHistoryIT {
  private static final Set<Fault> ALL = EnumSet.allOf(Fault.class);

  @Test
  void noCachedReadBreaksItsPromiseWhileEverythingFails() throws Exception {
    CacheHistory.Summary summary = run("on", Duration.ofSeconds(25));

    assertThat(summary.findings().report()).isEmpty();
    assertThat(summary.history()).hasSizeGreaterThan(1_000);
    assertThat(summary.faults()).isPositive();
  }

  @Test
  void withoutItsGuardsTheCacheServesOldValues() throws Exception {
    CacheHistory.Summary summary = run("off", Duration.ofSeconds(10));

    assertThat(summary.findings().count(Rule.LINEARIZABLE)).isPositive();
  }

  @Test
  void nobodyLeavesOutAGuardThatDoesNotExist() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CacheGuard.leftOutBy("belt,braces"))
        .withMessage(
            "There is no guard 'belt'; there are on, off, lease-token, lease-copy, snapshot,"
                + " position-floor, epoch, incarnation, horizon, assigned-horizon, recovery-token,"
                + " timeline, intent, channel-lease");
  }

  private static CacheHistory.Summary run(String guards, Duration limit) throws Exception {
    CacheHistory.Summary summary =
        CacheHistory.run(
            new CacheHistory.Plan(
                1_000_000, 11, guards, WithoutRedis.REFUSE, CacheKind.WAYMARK, ALL, limit),
            System.out::println);
    System.out.println(summary.tiers());
    summary.findings().report().forEach(System.out::println);
    System.out.println(summary.line());
    return summary;
  }
}
