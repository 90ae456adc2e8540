package dev.waymark.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;

/**
 * A JVM that reads and changes profiles through one contender, which is opened twice: as in two
 * processes, each with caches of its own, so that one must hear of the other's changes. Told how
 * many milliseconds and calls at most, it does so until either is over and answers with a {@link
 * Counted}.
 *
 * <p>Both being in one JVM, it is known what had been committed when a read began: a read that
 * shows less is counted as stale.
 */
final class MixedClient {
  private static final int PROCESSES = 2;
  private static final int THREADS_OF_EACH = 2;
  private static final double SKEW = 0.99;
  private static final int WRITES_OF_100 = 10;

  private final Topology topology;
  private final List<Profiles> processes = new ArrayList<>();
  private final Zipf zipf;

  /** The version of each key that is known to be committed. */
  private final AtomicLongArray committed;

  private int started;

  private MixedClient(Topology topology) {
    this.topology = topology;
    this.zipf = new Zipf((int) topology.keys(), SKEW);
    this.committed = new AtomicLongArray((int) topology.keys() + 1);
  }

  /**
   * What was done.
   *
   * @param stale reads that showed less than was committed when they began
   * @param cpuNanos of the whole process
   */
  record Counted(
      long reads,
      long writes,
      long stale,
      long wallNanos,
      long cpuNanos,
      long readP50,
      long readP99,
      long writeP50,
      long writeP99) {
    String toLine() {
      return String.join(
          " ",
          LongStream.of(
                  reads, writes, stale, wallNanos, cpuNanos, readP50, readP99, writeP50, writeP99)
              .mapToObj(Long::toString)
              .toList());
    }

    static Counted ofLine(String line) {
      long[] n = Arrays.stream(line.split(" ")).mapToLong(Long::parseLong).toArray();
      return new Counted(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]);
    }

    long operations() {
      return reads + writes;
    }
  }

  /** Told the contender, the address of Redis and a name for what is kept there. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    Topology topology = Topology.ofProperties();
    MixedClient client = new MixedClient(topology);
    ProfileContenders contenders = new ProfileContenders(topology, arguments[1], arguments[2]);
    for (int i = 0; i < PROCESSES; i++) {
      client.processes.add(contenders.open(arguments[0]));
    }
    System.out.println("ready");
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String order = orders.readLine(); order != null; order = orders.readLine()) {
      String[] words = order.split(" ");
      System.out.println(client.run(Integer.parseInt(words[0]), Long.parseLong(words[1])).toLine());
    }
    client.processes.forEach(Profiles::close);
    // Peers leave threads that would keep the JVM.
    System.exit(0);
  }

  private Counted run(int millis, long calls) throws InterruptedException {
    OperatingSystemMXBean system =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    List<Caller> callers = new ArrayList<>();
    long cpu = system.getProcessCpuTime();
    long began = System.nanoTime();
    for (int i = 0; i < PROCESSES * THREADS_OF_EACH; i++) {
      callers.add(
          new Caller(
              processes.get(i % PROCESSES),
              new SplittableRandom(31L * ++started),
              began + millis * 1_000_000L,
              calls / (PROCESSES * THREADS_OF_EACH)));
    }
    callers.forEach(Thread::start);
    long stale = 0;
    for (Caller caller : callers) {
      caller.join();
      Throwable failed = caller.failure.get();
      if (failed != null) {
        throw new IllegalStateException("A client failed", failed);
      }
      stale += caller.stale;
    }
    long wall = System.nanoTime() - began;
    cpu = system.getProcessCpuTime() - cpu;
    long[] reads = sorted(callers.stream().map(caller -> caller.reads).toList());
    long[] writes = sorted(callers.stream().map(caller -> caller.writes).toList());
    return new Counted(
        reads.length,
        writes.length,
        stale,
        wall,
        cpu,
        at(reads, 0.5),
        at(reads, 0.99),
        at(writes, 0.5),
        at(writes, 0.99));
  }

  /** Negative if there is none. */
  private static long at(long[] sorted, double share) {
    return sorted.length == 0 ? -1 : sorted[(int) (sorted.length * share)];
  }

  private static long[] sorted(List<Times> all) {
    return all.stream().flatMapToLong(Times::stream).sorted().toArray();
  }

  /** Nanoseconds of calls, however many there are. */
  private static final class Times {
    private long[] nanos = new long[100_000];
    private int count;

    void add(long each) {
      if (count == nanos.length) {
        nanos = Arrays.copyOf(nanos, 2 * count);
      }
      nanos[count++] = each;
    }

    LongStream stream() {
      return Arrays.stream(nanos, 0, count);
    }
  }

  private final class Caller extends Thread {
    private final Profiles process;
    private final SplittableRandom random;
    private final long end;
    private final long most;
    private final Times reads = new Times();
    private final Times writes = new Times();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private long stale;

    Caller(Profiles process, SplittableRandom random, long end, long most) {
      this.process = process;
      this.random = random;
      this.end = end;
      this.most = most;
    }

    @Override
    public void run() {
      try {
        long done = 0;
        for (long now = System.nanoTime(); now < end && done < most; done++) {
          // Dealt to the shards alike: neighbours in rank are no neighbours by key.
          long key = 1 + zipf.next(random) * 7_919L % topology.keys();
          long before = now;
          if (random.nextInt(100) < WRITES_OF_100) {
            long version = process.change(key);
            now = System.nanoTime();
            writes.add(now - before);
            committed.accumulateAndGet((int) key, version, Math::max);
          } else {
            long known = committed.get((int) key);
            Profile profile = process.read(key);
            now = System.nanoTime();
            reads.add(now - before);
            if (profile.id() != key) {
              throw new IllegalStateException("Asked for profile " + key + ", got " + profile);
            }
            if (profile.version() < known) {
              stale++;
            }
          }
        }
      } catch (SQLException | RuntimeException failed) {
        failure.set(failed);
      }
    }
  }
}
