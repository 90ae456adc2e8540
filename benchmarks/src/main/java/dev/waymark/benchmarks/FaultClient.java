package dev.waymark.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A JVM whose threads call one contender without pause while servers fail. Told {@code mark}, it
 * notes the moment; told {@code stop}, it says what each tenth of a second was like: its number
 * from the first mark on, calls that ended in it, failed ones, and the p99 in microseconds of those
 * that were under way in it. A call that hangs so counts for as long as it hangs.
 */
final class FaultClient {
  static final int TICK_MILLIS = 100;

  private static final int CLIENTS = 4;

  private final Contender contender;
  private final Operation operation;
  private final Topology topology;
  private final AtomicBoolean done = new AtomicBoolean();
  private final List<Calls> calls = new ArrayList<>();

  private FaultClient(Contender contender, Operation operation, Topology topology) {
    this.contender = contender;
    this.operation = operation;
    this.topology = topology;
  }

  /**
   * One call.
   *
   * @param began when it did
   * @param ended when it did, whether it succeeded or failed
   */
  private record Call(long began, long ended, boolean hasFailed) {}

  private final class Calls extends Thread {
    private final List<Call> made = new ArrayList<>();
    private final SplittableRandom random;
    private volatile long began;

    Calls(int number) {
      random = new SplittableRandom(number);
      setDaemon(true);
    }

    @Override
    public void run() {
      while (!done.get()) {
        began = System.nanoTime();
        boolean hasFailed = false;
        try {
          operation.run(contender, topology, 1 + random.nextLong(topology.keys()));
        } catch (SQLException | RuntimeException failed) {
          hasFailed = true;
        }
        synchronized (made) {
          made.add(new Call(began, System.nanoTime(), hasFailed));
        }
      }
    }

    /** With the one that still hangs when all is over. */
    List<Call> made(long end) {
      synchronized (made) {
        List<Call> all = new ArrayList<>(made);
        if (isAlive()) {
          all.add(new Call(began, end, false));
        }
        return all;
      }
    }
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Topology topology = Topology.ofProperties();
    FaultClient client =
        new FaultClient(
            Contenders.open(arguments[0], topology), Operation.of(arguments[1]), topology);
    for (int i = 0; i < CLIENTS; i++) {
      client.calls.add(client.new Calls(i));
    }
    client.calls.forEach(Thread::start);
    System.out.println("ready");
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    long mark = System.nanoTime();
    for (String order = orders.readLine(); order != null; order = orders.readLine()) {
      if (order.equals("mark")) {
        mark = System.nanoTime();
        System.out.println("marked");
      } else {
        long end = System.nanoTime();
        client.done.set(true);
        // What hangs, hangs until the end and is not waited for longer.
        for (Calls each : client.calls) {
          each.join(2_000);
        }
        client.say(mark, end);
        Runtime.getRuntime().halt(0);
      }
    }
    Runtime.getRuntime().halt(1);
  }

  private void say(long mark, long end) {
    List<Call> all = new ArrayList<>();
    calls.forEach(each -> all.addAll(each.made(end)));
    long tick = TICK_MILLIS * 1_000_000L;
    long first = all.stream().mapToLong(Call::began).min().orElse(mark);
    for (long number = (first - mark) / tick; mark + number * tick < end; number++) {
      long from = mark + number * tick;
      long to = from + tick;
      long ended = all.stream().filter(call -> call.ended() >= from && call.ended() < to).count();
      long failed =
          all.stream()
              .filter(call -> call.hasFailed() && call.ended() >= from && call.ended() < to)
              .count();
      long[] underWay =
          all.stream()
              .filter(call -> call.began() < to && call.ended() >= from)
              .mapToLong(call -> call.ended() - call.began())
              .sorted()
              .toArray();
      long p99 =
          underWay.length == 0
              ? -1
              : underWay[Math.min(underWay.length - 1, (int) (underWay.length * 0.99))];
      System.out.println(
          "tick " + number + " " + ended + " " + failed + " " + (p99 < 0 ? -1 : p99 / 1_000));
    }
    System.out.println(
        "end "
            + Arrays.stream(
                        all.stream()
                            .filter(call -> call.ended() >= mark)
                            .mapToLong(call -> call.ended() - call.began())
                            .toArray())
                    .max()
                    .orElse(0)
                / 1_000);
  }
}
