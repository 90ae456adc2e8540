package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.WaymarkConfig;
import dev.waymark.routing.LookPace.Demand;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How many looks a node gets from many processes: a calculation, printed for the documents. */
class LookPaceTest {
  private static final long SECOND = 1_000_000_000L;
  private final LookPace pace = new LookPace(WaymarkConfig.Monitor.defaults(), 9);

  @ParameterizedTest
  @CsvSource({"1, 20", "10, 200", "1000, 200"})
  void busyProcessesTogetherKeepToTheBudgetOfANode(int processes, long looksPerSecond) {
    assertThat(looks(processes, Demand.SOME)).isEqualTo(looksPerSecond);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "10, 10", "1000, 200"})
  void idleProcessesLookOnceASecondAtMost(int processes, long looksPerSecond) {
    assertThat(looks(processes, Demand.NONE)).isEqualTo(looksPerSecond);
  }

  @ParameterizedTest
  @CsvSource({"1, 40", "10, 400", "1000, 2000"})
  void processesThatWaitMayExceedTheBudgetTenfold(int processes, long looksPerSecond) {
    assertThat(looks(processes, Demand.URGENT)).isEqualTo(looksPerSecond);
  }

  @ParameterizedTest
  @CsvSource({"9, 180", "200, 4000", "3000, 4000"})
  void aProcessKeepsToABudgetOfItsOwnHoweverManyNodesItWatches(int nodes, long looksPerSecond) {
    LookPace own = new LookPace(WaymarkConfig.Monitor.defaults(), nodes);

    assertThat(nodes * SECOND / own.pauseNanos(Demand.SOME, 1)).isEqualTo(looksPerSecond);
    assertThat(own.pauseNanos(Demand.URGENT, 1)).isLessThan(100_000_000);
  }

  @Test
  void aNodeThatIsDownIsLookedAtLessAndLessButForWhoWaits() {
    long first = pace.pauseAfterFailureNanos(Demand.SOME, 1, 50_000_000);
    long second = pace.pauseAfterFailureNanos(Demand.SOME, 1, first);
    long later = pace.pauseAfterFailureNanos(Demand.SOME, 1, SECOND);

    assertThat(first).isEqualTo(100_000_000);
    assertThat(second).isEqualTo(200_000_000);
    assertThat(later).isEqualTo(500_000_000);
    assertThat(pace.pauseAfterFailureNanos(Demand.URGENT, 1, SECOND)).isEqualTo(25_000_000);
  }

  @Test
  void aWishHastensTheNextLookToThePaceOfWaitingCallsAndNoFurther() {
    assertThat(pace.pauseAfterWishNanos(0, 1)).isEqualTo(25_000_000);
    assertThat(pace.pauseAfterWishNanos(20_000_000, 1)).isEqualTo(5_000_000);
    assertThat(pace.pauseAfterWishNanos(25_000_000, 1)).isZero();
    assertThat(pace.pauseAfterWishNanos(SECOND, 1)).isZero();
    assertThat(pace.pauseAfterWishNanos(0, 1_000)).isEqualTo(SECOND / 2);
  }

  private long looks(int processes, Demand demand) {
    long perSecond = processes * SECOND / pace.pauseNanos(demand, processes);
    System.out.printf(
        Locale.ROOT,
        "%d processes, demand %s: %d looks/s at each node%n",
        processes,
        demand,
        perSecond);
    return perSecond;
  }
}
