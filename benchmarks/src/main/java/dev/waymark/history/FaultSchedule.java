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
   * @param victim which of two: of the shard's replicas, in the order they have at that time, or of
   *     the processes
   */
  record Step<F extends Enum<F>>(F fault, int shard, int victim) {}

  private FaultSchedule() {}

  /**
   * The first steps of a seed's schedule; each fault comes once in each round, shuffled.
   *
   * @param faults which ones
   */
  static <F extends Enum<F>> List<Step<F>> of(long seed, int steps, int shards, Set<F> faults) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Step<F>> schedule = new ArrayList<>();
    List<F> round = new ArrayList<>();
    while (schedule.size() < steps) {
      if (round.isEmpty()) {
        round.addAll(EnumSet.copyOf(faults));
      }
      F fault = round.remove(random.nextInt(round.size()));
      schedule.add(new Step<>(fault, random.nextInt(shards), random.nextInt(2)));
    }
    return schedule;
  }
}
