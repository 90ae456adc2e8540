package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.waymark.Balancing;
import dev.waymark.Consistency;
import dev.waymark.Role;
import dev.waymark.SessionToken;
import dev.waymark.SessionTokenFormat;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.NodeLoad.Zone;
import dev.waymark.routing.NodeView.Choice;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** How each balancer spreads reads: simulations in virtual time, the same in each run. */
class BalancerTest {
  private static final int READS = 30_000;
  private static final long SECOND = 1_000_000_000L;

  private final int[] inFlight = new int[8];
  private final SplittableRandom random = new SplittableRandom(7);

  @ParameterizedTest
  @EnumSource(Balancing.class)
  void equalNodesGetEqualShares(Balancing balancing) {
    double[] shares = shares(balancing, loads(1, 1, 1), 0);

    for (double share : shares) {
      assertThat(share).isCloseTo(1 / 3.0, within(0.02));
    }
  }

  @ParameterizedTest
  @EnumSource(Balancing.class)
  void aNodeOfDoubleWeightGetsAboutDoubleTheReads(Balancing balancing) {
    // The two that look at loads need some, or all nodes look idle: 9 reads are always in flight.
    double[] shares = simulate(balancing, loads(2, 1, 1), 9, node -> 1_000_000, READS).shares();

    assertThat(shares[0]).isCloseTo(0.5, within(0.06));
    assertThat(shares[1]).isCloseTo(0.25, within(0.05));
  }

  @ParameterizedTest
  @EnumSource(Balancing.class)
  void weightZeroServesOnlyWhereNothingElseCan(Balancing balancing) {
    NodeLoad[] loads = loads(1, 0);

    assertThat(shares(balancing, loads, 0)).containsExactly(1, 0);
    assertThat(Balancer.Preference.of(loads).narrow(0b10)).isEqualTo(0b10);
  }

  @ParameterizedTest
  @EnumSource(Balancing.class)
  void nodesOfTheOwnZoneAreTakenWhileThereIsOne(Balancing balancing) {
    NodeLoad[] loads = {
      load(0, 1, Zone.FAR, Duration.ZERO),
      load(1, 1, Zone.NEAR, Duration.ZERO),
      load(2, 1, Zone.NEAR, Duration.ZERO)
    };

    double[] shares = shares(balancing, loads, 0);
    assertThat(shares[0]).isZero();
    assertThat(shares[1]).isCloseTo(0.5, within(0.02));
    assertThat(Balancer.Preference.of(loads).narrow(0b001)).isEqualTo(0b001);
  }

  @ParameterizedTest
  @EnumSource(Balancing.class)
  void aNodeThatCameBackIsGivenItsShareBitByBit(Balancing balancing) {
    double before = 0;
    for (int percent : new int[] {0, 20, 50, 100}) {
      NodeLoad[] loads = {
        load(0, 1, Zone.FAR, Duration.ofSeconds(10)), load(1, 1, Zone.FAR, Duration.ZERO)
      };
      loads[0].cameUp(0);
      long now = SECOND / 10 * percent + percent;
      double share = simulate(balancing, loads, 8, node -> 1_000_000, 3_000, now).shares()[0];

      assertThat(share).as("after %d %% of the time", percent).isGreaterThanOrEqualTo(before);
      before = share - 0.02;
    }
    assertThat(before + 0.02).isCloseTo(0.5, within(0.05));
  }

  @Test
  void rendezvousKeepsAKeyOnItsNodeAndMovesOnlyTheKeysOfANodeThatGoes() {
    Balancer balancer = Balancer.of(Balancing.RENDEZVOUS);
    NodeLoad[] loads = loads(1, 1, 1, 1);
    int moved = 0;
    for (int key = 0; key < READS; key++) {
      int with = balancer.choose(0b1111, loads, key, random.nextLong(), 0);
      int without = balancer.choose(0b1011, loads, key, random.nextLong(), 0);
      assertThat(balancer.choose(0b1111, loads, key, random.nextLong(), 0)).isEqualTo(with);
      if (with != without) {
        assertThat(with).isEqualTo(2);
        moved++;
      }
    }
    assertThat(moved / (double) READS).isCloseTo(0.25, within(0.02));
  }

  @Test
  void rendezvousByClientKeepsAClientOnItsNodeWhateverTheKey() {
    NodeLoad[] loads = loads(1, 1, 1);
    Router router =
        new Router(
            new RecentWrites(),
            Balancer.of(Balancing.RENDEZVOUS_BY_CLIENT),
            loads,
            WaymarkConfig.Lag.defaults());
    ShardView view = Views.unseen(3);
    for (int i = 0; i < 3; i++) {
      view = Views.up(view, i, Role.REPLICA, Views.at(1, 10));
    }
    Set<Integer> nodesOfAll = new HashSet<>();
    for (int client = 0; client < 30; client++) {
      Set<Integer> nodes = new HashSet<>();
      for (long key = 1; key <= 20; key++) {
        // Another session each time, as in another process.
        Session session = session().servedFor("client-" + client);
        nodes.add(chosen(router, view, session, key));
      }
      assertThat(nodes).as("client %d", client).hasSize(1);
      nodesOfAll.addAll(nodes);
    }
    assertThat(nodesOfAll).hasSize(3);

    Set<Integer> nameless = new HashSet<>();
    for (long key = 1; key <= 50; key++) {
      int node = chosen(router, view, session(), key);
      assertThat(chosen(router, view, null, key)).isEqualTo(node);
      nameless.add(node);
    }
    assertThat(nameless).as("without a client's name it goes by key").hasSize(3);
  }

  private int chosen(Router router, ShardView view, @Nullable Session session, long key) {
    Choice choice =
        router.choose(view, Consistency.session(), session, key, 0, 1, random.nextLong());
    return Objects.requireNonNull(choice).node().index();
  }

  private static Session session() {
    return new Session(
        new ThreadLocal<>(),
        SessionTokenFormat.unsigned(),
        Consistency.session(),
        SessionToken.empty(),
        () -> 1);
  }

  @Test
  void peakEwmaFleesFromASlowNodeAndComesBackWhenItHasRecovered() {
    NodeLoad[] loads = loads(1, 1, 1);
    // Node 0 is twenty times slower from 2 s to 6 s.
    Latency latency =
        (node, now) -> node == 0 && now > 2 * SECOND && now < 6 * SECOND ? 20_000_000 : 1_000_000;
    Simulation simulation = new Simulation(Balancing.PEAK_EWMA, loads, 12, latency, 0);

    simulation.runUntil(2 * SECOND);
    assertThat(simulation.shares()[0]).isCloseTo(1 / 3.0, within(0.03));

    simulation.forget();
    simulation.runUntil(6 * SECOND);
    assertThat(simulation.shares()[0]).isLessThan(0.02);

    simulation.runUntil(60 * SECOND);
    simulation.forget();
    simulation.runUntil(64 * SECOND);
    assertThat(simulation.shares()[0]).isCloseTo(1 / 3.0, within(0.1));
  }

  @Test
  void withASlowNodePeakEwmaServesManyTimesMoreThanRoundRobin() {
    Latency oneIsSlow = (node, now) -> node == 0 ? 20_000_000 : 1_000_000;
    Simulation ewma = new Simulation(Balancing.PEAK_EWMA, loads(1, 1, 1), 12, oneIsSlow, 0);
    Simulation turns = new Simulation(Balancing.ROUND_ROBIN, loads(1, 1, 1), 12, oneIsSlow, 0);

    ewma.runUntil(4 * SECOND);
    turns.runUntil(4 * SECOND);

    assertThat(ewma.served()).isGreaterThan(4 * turns.served());
  }

  @ParameterizedTest
  @EnumSource(
      value = Balancing.class,
      names = {"PEAK_EWMA", "LEAST_CONNECTIONS"})
  void aNodeThatNeverAnswersIsLeftThroughItsReadsInFlightAlone(Balancing balancing) {
    Simulation simulation =
        new Simulation(
            balancing,
            loads(1, 1, 1),
            30,
            (node, now) -> node == 0 ? SECOND * 1_000 : 1_000_000,
            0);

    simulation.runUntil(4 * SECOND);

    // It holds some of the 30 for ever; the others go on elsewhere.
    assertThat(inFlight[0]).isLessThan(27);
    assertThat(simulation.shares()[0]).isLessThan(0.01);
  }

  @Property(tries = 500)
  void aCandidateIsChosenWhateverTheLoads(
      @ForAll Balancing balancing,
      @ForAll long mask,
      @ForAll long affinity,
      @ForAll long bits,
      @ForAll long seed) {
    SplittableRandom any = new SplittableRandom(seed);
    NodeLoad[] loads = new NodeLoad[64];
    Arrays.setAll(
        loads,
        i -> {
          int busy = any.nextInt(5);
          return new NodeLoad(
              any.nextInt(3),
              any.nextInt(2) == 0 ? Zone.NEAR : Zone.FAR,
              Duration.ofSeconds(any.nextInt(2)),
              () -> busy);
        });
    long candidates = Balancer.Preference.of(loads).narrow(mask == 0 ? 1 : mask);
    assertThat(candidates & (mask == 0 ? 1 : mask)).isEqualTo(candidates).isNotZero();

    int chosen = Balancer.of(balancing).choose(candidates, loads, affinity, bits, 1);

    assertThat(candidates >>> chosen & 1).isEqualTo(1);
  }

  private static long all(NodeLoad[] loads) {
    return Balancer.Preference.of(loads).narrow((1L << loads.length) - 1);
  }

  private interface Latency {
    long nanos(int node, long now);
  }

  private interface SteadyLatency {
    long nanos(int node);
  }

  private NodeLoad[] loads(int... weights) {
    NodeLoad[] loads = new NodeLoad[weights.length];
    Arrays.setAll(loads, i -> load(i, weights[i], Zone.FAR, Duration.ZERO));
    return loads;
  }

  private NodeLoad load(int node, int weight, Zone zone, Duration slowStart) {
    return new NodeLoad(weight, zone, slowStart, () -> inFlight[node]);
  }

  /** One read at a time, each of another key. */
  private double[] shares(Balancing balancing, NodeLoad[] loads, long now) {
    Balancer balancer = Balancer.of(balancing);
    int[] counts = new int[loads.length];
    for (int i = 0; i < READS; i++) {
      counts[balancer.choose(all(loads), loads, i, random.nextLong(), now)]++;
    }
    return Arrays.stream(counts).mapToDouble(count -> count / (double) READS).toArray();
  }

  private Simulation simulate(
      Balancing balancing, NodeLoad[] loads, int clients, SteadyLatency latency, int reads) {
    return simulate(balancing, loads, clients, latency, reads, 0);
  }

  private Simulation simulate(
      Balancing balancing,
      NodeLoad[] loads,
      int clients,
      SteadyLatency latency,
      int reads,
      long now) {
    Simulation simulation =
        new Simulation(balancing, loads, clients, (node, at) -> latency.nanos(node), now);
    simulation.run(reads);
    return simulation;
  }

  /** Clients that each send the next read when the last one is answered. */
  private final class Simulation {
    private final Balancer balancer;
    private final NodeLoad[] loads;
    private final Latency latency;
    private final PriorityQueue<long[]> events =
        new PriorityQueue<>((left, right) -> Long.compare(left[0], right[0]));
    private int[] counts;
    private long now;
    private long key;

    Simulation(Balancing balancing, NodeLoad[] loads, int clients, Latency latency, long now) {
      this.balancer = Balancer.of(balancing);
      this.loads = loads;
      this.latency = latency;
      this.counts = new int[loads.length];
      this.now = now;
      Arrays.fill(inFlight, 0);
      for (int i = 0; i < clients; i++) {
        send();
      }
    }

    private void send() {
      int node = balancer.choose(all(loads), loads, key++, random.nextLong(), now);
      counts[node]++;
      inFlight[node]++;
      // Up to a tenth more or less, so that clients do not march in step.
      long took = latency.nanos(node, now);
      took += (long) (took * 0.1 * (random.nextDouble() - 0.5));
      events.add(new long[] {now + took, node, now});
    }

    private void step() {
      long[] answer = events.remove();
      now = answer[0];
      int node = (int) answer[1];
      inFlight[node]--;
      if (random.nextInt(8) == 0) {
        loads[node].answered(answer[2], now);
      }
      send();
    }

    void run(int reads) {
      for (int i = 0; i < reads; i++) {
        step();
      }
    }

    void runUntil(long end) {
      while (events.element()[0] < end) {
        step();
      }
    }

    void forget() {
      counts = new int[loads.length];
    }

    int served() {
      return Arrays.stream(counts).sum();
    }

    double[] shares() {
      double all = served();
      return Arrays.stream(counts).mapToDouble(count -> count / all).toArray();
    }
  }
}
