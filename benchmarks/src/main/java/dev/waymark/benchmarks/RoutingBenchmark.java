package dev.waymark.benchmarks;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.sql.SQLException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.NullUnmarked;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * One user by key through a contender, on a driver that answers at once: what is more than through
 * {@code raw} is what the contender costs. One contender is open in a JVM, so none pays for what
 * another does beside, and none shares another's profile.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
@NullUnmarked // JMH fills the fields before it calls a benchmark.
public class RoutingBenchmark {

  /** Its name in the summary. */
  @Param("raw")
  public String contender;

  /** Shards, each a primary and two replicas. */
  @Param("3")
  public int shards;

  /** Ranges of keys, dealt to the shards in turn; 0: one for each shard. Waymark by key only. */
  @Param("0")
  public int ranges;

  /** Sessions that take turns; 0: none is bound. Waymark by key only. */
  @Param("0")
  public int sessions;

  /** Keys that are asked for; 0: all. */
  @Param("0")
  public long keys;

  private Topology topology;
  private Contender opened;

  /** The key of each operation, and what the thread has used of the processor. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.EVENTS)
  public static class Calls {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** Nanoseconds of the processor in this iteration. */
    public long cpuNanos;

    /** Operations in this iteration. */
    public long operations;

    private long cpuBefore;
    private long seed;

    /** Starts the iteration's clock. */
    @Setup(Level.Iteration)
    public void begin() {
      operations = 0;
      cpuBefore = THREADS.getCurrentThreadCpuTime();
    }

    /** Reads the iteration's clock. */
    @TearDown(Level.Iteration)
    public void end() {
      cpuNanos = THREADS.getCurrentThreadCpuTime() - cpuBefore;
    }

    long next(long keys) {
      operations++;
      seed = seed * 6364136223846793005L + 1442695040888963407L;
      return 1 + (seed >>> 33) % keys;
    }
  }

  /** Opens the contender. */
  @Setup(Level.Trial)
  public void open() throws SQLException {
    StubDriver.takeOver();
    topology = Topology.stub(shards);
    opened =
        ranges == 0 && sessions == 0
            ? Contenders.open(contender, topology)
            : sessions == 0
                ? WaymarkKeyed.inRanges(topology, ranges)
                : WaymarkKeyed.inSessions(topology, sessions);
    keys = keys == 0 ? topology.keys() : keys;
    // Pools open their connections when they are first used: of a thousand shards, not soon.
    for (int round = 0; round < 8; round++) {
      for (int shard = 0; shard < shards; shard++) {
        opened.find(1 + shard * topology.keysPerShard() + round);
      }
    }
  }

  /** Closes it. */
  @TearDown(Level.Trial)
  public void close() {
    opened.close();
  }

  /** One user by key. */
  @Benchmark
  public User find(Calls calls) throws SQLException {
    long key = calls.next(keys);
    User found = opened.find(key);
    if (found.id() != key) {
      throw new IllegalStateException("Asked for user " + key + ", got " + found);
    }
    return found;
  }
}
