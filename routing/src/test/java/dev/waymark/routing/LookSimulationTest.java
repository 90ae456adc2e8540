package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.WaymarkConfig;
import dev.waymark.routing.LookPace.Demand;
import java.util.Arrays;
import java.util.Locale;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * How much many processes ask of one node while they come, stay and go: a simulation in virtual
 * time of what {@link NodeMonitor} does, with the pace it takes. Prints what the documents say.
 */
class LookSimulationTest {
  private static final long SECOND = 1_000_000_000L;
  private static final int SECONDS = 180;

  private final LookPace pace = new LookPace(WaymarkConfig.Monitor.defaults(), 9);
  private final SplittableRandom random = new SplittableRandom(3);

  @ParameterizedTest
  @CsvSource({"1, 22", "10, 220", "100, 230", "1000, 260"})
  void busyProcessesTogetherStayWithinTheBudgetOnceTheyHaveCountedEachOther(int size, int most) {
    Node node = new Node();
    Fleet fleet = new Fleet(node, Demand.SOME);
    fleet.startWithin(size, 0, SECOND);
    fleet.runUntil(SECONDS * SECOND);

    report(size + " busy processes", node);
    assertThat(node.most(60, SECONDS)).isLessThanOrEqualTo(most);
    assertThat(node.counts(60, SECONDS)).isLessThanOrEqualTo(size < 100 ? size / 8.0 + 1 : 25);
  }

  @Test
  void aThousandProcessesThatStartWithinASecondFindTheirPaceWithinTwo() {
    Node node = new Node();
    Fleet fleet = new Fleet(node, Demand.SOME);
    fleet.startWithin(1_000, 0, SECOND);
    fleet.runUntil(SECONDS * SECOND);

    report("1,000 processes start", node);
    assertThat(node.most(3, SECONDS)).isLessThanOrEqualTo(300);
  }

  @Test
  void processesThatAreLeftBehindLookOftenAgain() {
    Node node = new Node();
    Fleet fleet = new Fleet(node, Demand.SOME);
    fleet.startWithin(1_000, 0, SECOND);
    fleet.runUntil(60 * SECOND);
    fleet.stopAllBut(10);
    fleet.runUntil(SECONDS * SECOND);

    report("1,000 processes, 10 from 60 s on", node);
    assertThat(node.most(150, SECONDS)).isBetween(150, 220);
  }

  @ParameterizedTest
  @CsvSource({"1, 45", "10, 450", "1000, 2300"})
  void callsThatWaitAndWishForEachLookAtOnceDriveNoProcessFasterThanItsPace(int size, int most) {
    Node node = new Node();
    Fleet fleet = new Fleet(node, Demand.URGENT);
    fleet.startWithin(size, 0, SECOND);
    fleet.runUntil(SECONDS * SECOND);

    report(size + " processes whose calls wait", node);
    assertThat(node.most(60, SECONDS)).isLessThanOrEqualTo(most);
  }

  private static void report(String what, Node node) {
    System.out.printf(
        Locale.ROOT,
        "%s: looks a second at one node, at most: %d in the first 3 s, %d later; counts %.1f%n",
        what,
        node.most(0, 3),
        node.most(3, SECONDS),
        node.counts(60, SECONDS));
  }

  /** A node that counts what it is asked, second by second. */
  private static final class Node {
    private final int[] looks = new int[SECONDS + 1];
    private final int[] counts = new int[SECONDS + 1];
    private int watchers;

    int most(int from, int to) {
      return Arrays.stream(looks, from, to).max().orElseThrow();
    }

    double counts(int from, int to) {
      return Arrays.stream(counts, from, to).average().orElseThrow();
    }
  }

  /** A process, as far as the node notices it. */
  private static final class Process {
    private final long startsAt;
    private long lookAt;
    private int watchers = 1;
    private int counted;
    private long countAt;
    private long countPause;
    private boolean isStopped;

    Process(long startsAt) {
      this.startsAt = startsAt;
      this.lookAt = startsAt;
      this.countAt = startsAt;
    }
  }

  private final class Fleet {
    private final Node node;
    private final Demand demand;
    private final PriorityQueue<Process> next =
        new PriorityQueue<>((a, b) -> Long.compare(a.lookAt, b.lookAt));

    Fleet(Node node, Demand demand) {
      this.node = node;
      this.demand = demand;
    }

    void startWithin(int processes, long from, long nanos) {
      for (int i = 0; i < processes; i++) {
        next.add(new Process(from + random.nextLong(nanos)));
      }
    }

    void stopAllBut(int left) {
      next.stream().skip(left).forEach(process -> process.isStopped = true);
      node.watchers = left;
    }

    void runUntil(long end) {
      while (!next.isEmpty() && next.peek().lookAt < end) {
        Process process = next.remove();
        if (process.isStopped) {
          continue;
        }
        long now = process.lookAt;
        if (now == process.startsAt) {
          node.watchers++;
        }
        node.looks[(int) (now / SECOND)]++;
        if (now >= process.countAt) {
          node.counts[(int) (now / SECOND)]++;
          process.watchers = node.watchers;
          process.countPause =
              pace.pauseBetweenCountsNanos(process.counted, process.watchers, process.countPause);
          process.counted = process.watchers;
          process.countAt = now + process.countPause;
        }
        long pause = LookPace.jittered(pace.pauseNanos(demand, process.watchers), random);
        // A call that waits wishes for the next look as soon as it has seen this one.
        process.lookAt =
            now + (demand == Demand.URGENT ? pace.pauseAfterWishNanos(0, process.watchers) : pause);
        next.add(process);
      }
    }
  }
}
