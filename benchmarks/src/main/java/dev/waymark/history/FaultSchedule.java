package dev.waymark.history;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/** Which faults meet which shard and replica, in order: a pure function of the seed. */
final class FaultSchedule {
  /** What is done to the cluster and undone again. */
  enum Fault {
    REPLAY_PAUSED,
    SAWTOOTH_LAG,
    REPLICA_KILLED,
    REPLICA_HUNG,
    REPLICA_CUT_OFF,
    REPLICA_SLOW,
    PRIMARY_HUNG,
    PRIMARY_STOPPED_AND_REPLICA_PROMOTED,
    PRIMARY_KILLED_AND_REPLICA_PROMOTED,
    ROLLING_RESTART
  }

  /**
   * One fault.
   *
   * @param replica which of the shard's replicas, in the order they have at that time
   */
  record Step(Fault fault, int shard, int replica) {}

  private FaultSchedule() {}

  /**
   * The first steps of a seed's schedule; each fault comes once in each round, shuffled.
   *
   * @param faults which ones
   */
  static List<Step> of(long seed, int steps, int shards, Set<Fault> faults) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Step> schedule = new ArrayList<>();
    List<Fault> round = new ArrayList<>();
    while (schedule.size() < steps) {
      if (round.isEmpty()) {
        round.addAll(EnumSet.copyOf(faults));
      }
      Fault fault = round.remove(random.nextInt(round.size()));
      schedule.add(new Step(fault, random.nextInt(shards), random.nextInt(2)));
    }
    return schedule;
  }
}
