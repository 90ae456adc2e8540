package dev.waymark.benchmarks;

import com.sun.management.ThreadMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A JVM with the contenders of one class path. Told {@code contender operation threads millis}, it
 * does the operation for that long and answers with a {@link Slice}. Who gives the orders can so
 * let contenders take turns, in several JVMs as well.
 */
final class ClientJvm {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final Topology topology;
  private final Map<String, Contender> contenders = new LinkedHashMap<>();
  private int started;

  private ClientJvm(Topology topology) {
    this.topology = topology;
  }

  /**
   * What was done in one slice.
   *
   * @param operations in all threads
   * @param wallNanos from the first to the last
   * @param cpuNanos of the calling threads; of all threads if others work for them too
   * @param bytes allocated by the same
   * @param p50Nanos half of the operations took no longer
   * @param p99Nanos of 100 operations 99 took no longer
   */
  record Slice(
      long operations, long wallNanos, long cpuNanos, long bytes, long p50Nanos, long p99Nanos) {
    String toLine() {
      return operations
          + " "
          + wallNanos
          + " "
          + cpuNanos
          + " "
          + bytes
          + " "
          + p50Nanos
          + " "
          + p99Nanos;
    }

    static Slice ofLine(String line) {
      long[] n = Arrays.stream(line.split(" ")).mapToLong(Long::parseLong).toArray();
      return new Slice(n[0], n[1], n[2], n[3], n[4], n[5]);
    }
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    ClientJvm client = new ClientJvm(Topology.ofProperties());
    for (String name : arguments[0].split(",")) {
      client.contenders.put(name, Contenders.open(name, client.topology));
    }
    System.out.println("ready");
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String order = orders.readLine(); order != null; order = orders.readLine()) {
      String[] words = order.split(" ");
      Contender contender = client.contenders.get(words[0]);
      if (contender == null) {
        throw new IllegalArgumentException(words[0] + " is not open in this JVM");
      }
      System.out.println(
          client
              .slice(
                  contender,
                  Operation.of(words[1]),
                  Integer.parseInt(words[2]),
                  Integer.parseInt(words[3]))
              .toLine());
    }
    client.contenders.values().forEach(Contender::close);
    // Peers leave threads that would keep the JVM.
    System.exit(0);
  }

  private Slice slice(Contender contender, Operation operation, int threads, int millis)
      throws InterruptedException {
    started++;
    List<Client> clients = new ArrayList<>();
    CyclicBarrier together = new CyclicBarrier(threads);
    for (int i = 0; i < threads; i++) {
      // Other keys in each slice, and the same ones for each run of the benchmark.
      SplittableRandom keys = new SplittableRandom(31L * started + i);
      clients.add(new Client(contender, operation, keys, together, millis));
    }
    Map<Long, long[]> before = usedByThread();
    clients.forEach(Thread::start);
    for (Client client : clients) {
      client.join();
    }
    Map<Long, long[]> after = usedByThread();
    long operations = 0;
    long cpu = 0;
    long bytes = 0;
    long began = Long.MAX_VALUE;
    long ended = Long.MIN_VALUE;
    for (Client client : clients) {
      Throwable failed = client.failure.get();
      if (failed != null) {
        throw new IllegalStateException(operation + " failed", failed);
      }
      operations += client.done;
      cpu += client.cpuNanos;
      bytes += client.bytes;
      began = Math.min(began, client.began);
      ended = Math.max(ended, client.ended);
    }
    if (operation.reach() == Operation.Reach.ALL_SHARDS) {
      // Executors' threads outlive a slice; the clients' own are gone by now, and counted above.
      for (Map.Entry<Long, long[]> thread : after.entrySet()) {
        long[] then = before.getOrDefault(thread.getKey(), new long[2]);
        cpu += thread.getValue()[0] - then[0];
        bytes += thread.getValue()[1] - then[1];
      }
    }
    long[] times = new long[(int) operations];
    int at = 0;
    for (Client client : clients) {
      System.arraycopy(client.times, 0, times, at, client.done);
      at += client.done;
    }
    Arrays.sort(times);
    return new Slice(
        operations,
        ended - began,
        cpu,
        bytes,
        times[times.length / 2],
        times[(int) (times.length * 0.99)]);
  }

  /**
   * CPU nanoseconds and bytes of each living thread so far, but for the one that asks. The whole
   * process' time, with what the JVM itself does, is only told in steps of 10 ms.
   */
  private static Map<Long, long[]> usedByThread() {
    long[] threads = THREADS.getAllThreadIds();
    long[] cpu = THREADS.getThreadCpuTime(threads);
    long[] allocated = THREADS.getThreadAllocatedBytes(threads);
    Map<Long, long[]> used = new HashMap<>();
    for (int i = 0; i < threads.length; i++) {
      if (threads[i] != Thread.currentThread().getId() && cpu[i] >= 0 && allocated[i] >= 0) {
        used.put(threads[i], new long[] {cpu[i], allocated[i]});
      }
    }
    return used;
  }

  private final class Client extends Thread {

    private final Contender contender;
    private final Operation operation;
    private final SplittableRandom keys;
    private final CyclicBarrier together;
    private final long nanos;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    // More than any thread does in a slice of some seconds; made before the clock starts.
    private final long[] times;
    private int done;
    private long began;
    private long ended;
    private long cpuNanos;
    private long bytes;

    Client(
        Contender contender,
        Operation operation,
        SplittableRandom keys,
        CyclicBarrier together,
        int millis) {
      this.contender = contender;
      this.operation = operation;
      this.keys = keys;
      this.together = together;
      this.nanos = millis * 1_000_000L;
      this.times = new long[200 * millis + 1_000];
    }

    @Override
    public void run() {
      try {
        together.await();
        long cpuBefore = THREADS.getCurrentThreadCpuTime();
        long bytesBefore = THREADS.getCurrentThreadAllocatedBytes();
        began = System.nanoTime();
        long now = began;
        while (now - began < nanos && done < times.length) {
          long before = now;
          operation.run(contender, topology, 1 + keys.nextLong(topology.keys()));
          now = System.nanoTime();
          times[done++] = now - before;
        }
        ended = now;
        bytes = THREADS.getCurrentThreadAllocatedBytes() - bytesBefore;
        cpuNanos = THREADS.getCurrentThreadCpuTime() - cpuBefore;
      } catch (SQLException | RuntimeException failed) {
        failure.set(failed);
      } catch (Exception interrupted) {
        failure.set(interrupted);
        Thread.currentThread().interrupt();
      }
    }
  }
}
