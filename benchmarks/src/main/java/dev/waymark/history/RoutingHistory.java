package dev.waymark.history;

import dev.waymark.history.Checker.Findings;
import dev.waymark.history.FaultSchedule.Fault;
import dev.waymark.history.FaultSchedule.Step;
import dev.waymark.history.Operation.Result;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * Runs sessions in two processes on a cluster that fails by a schedule, and checks what they saw.
 */
final class RoutingHistory {
  private static final int SHARDS = 2;
  private static final int REPLICAS = 2;
  private static final int PROCESSES = 2;
  private static final Duration DEADLINE = Duration.ofSeconds(15);

  /** The watchdog's grace and the machine's own pauses. */
  private static final Duration ALLOWANCE = Duration.ofSeconds(3);

  /** Between two faults: everything has recovered, and the next starts from there. */
  private static final Duration BREATH = Duration.ofMillis(300);

  /**
   * What to run.
   *
   * @param operations how many calls at least
   * @param seed decides in which order the faults come, and whom they meet
   * @param faults which ones
   */
  record Plan(long operations, long seed, Guards guards, Set<Fault> faults) {}

  /** What came of it. */
  record Summary(Plan plan, List<Operation> history, Findings findings, int faults) {
    String line() {
      Map<Result, Integer> results = new EnumMap<>(Result.class);
      history.forEach(call -> results.merge(call.result(), 1, Integer::sum));
      long reads = history.stream().filter(call -> call.kind().isRead()).count();
      return String.format(
          Locale.ROOT,
          "history: operations=%d violations=%d seed=%d guards=%s faults=%d reads=%d writes=%d"
              + " notSent=%d rejected=%d unknown=%d",
          history.size(),
          findings.count(),
          plan.seed(),
          plan.guards().name().toLowerCase(Locale.ROOT),
          faults,
          reads,
          history.size() - reads,
          results.getOrDefault(Result.NOT_SENT, 0),
          results.getOrDefault(Result.REJECTED, 0),
          results.getOrDefault(Result.UNKNOWN, 0));
    }
  }

  private final Plan plan;
  private final Consumer<String> progress;
  private final Map<PostgresServer, TcpProxy> proxies = new HashMap<>();
  private final AtomicLong[] counts = new AtomicLong[PROCESSES];
  private final AtomicBoolean running = new AtomicBoolean(true);

  private RoutingHistory(Plan plan, Consumer<String> progress) {
    this.plan = plan;
    this.progress = progress;
    for (int i = 0; i < PROCESSES; i++) {
      counts[i] = new AtomicLong();
    }
  }

  static Summary run(Plan plan, Consumer<String> progress)
      throws IOException, InterruptedException, SQLException {
    return new RoutingHistory(plan, progress).run();
  }

  private Summary run() throws IOException, InterruptedException, SQLException {
    Path folder = Files.createTempDirectory("waymark-history-");
    try (TestCluster cluster = Registers.cluster(SHARDS, REPLICAS).start()) {
      try {
        Registers registers = Registers.create(cluster, Worker.KEYS_PER_SHARD, REPLICAS, proxies);
        Path config =
            Files.writeString(folder.resolve("waymark.yaml"), registers.yaml(6, DEADLINE));
        int faults = runWorkers(cluster, registers, folder, config);
        List<Operation> history = new ArrayList<>();
        for (int i = 0; i < PROCESSES; i++) {
          history.addAll(read(folder.resolve("history-" + i)));
        }
        progress.accept("checking " + history.size() + " operations");
        return new Summary(plan, history, check(registers, history), faults);
      } finally {
        proxies.values().forEach(TcpProxy::close);
      }
    } finally {
      try (var files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
  }

  private int runWorkers(TestCluster cluster, Registers registers, Path folder, Path config)
      throws InterruptedException {
    List<ForkedJvm> workers = new ArrayList<>();
    List<Thread> readers = new ArrayList<>();
    try {
      for (int i = 0; i < PROCESSES; i++) {
        workers.add(
            ForkedJvm.start(
                Worker.class,
                String.valueOf(i),
                String.valueOf(plan.operations() / PROCESSES + 1),
                String.valueOf(plan.seed()),
                plan.guards().name(),
                config.toString(),
                folder.resolve("history-" + i).toString()));
      }
      for (int i = 0; i < PROCESSES; i++) {
        int number = i;
        Thread reader = new Thread(() -> follow(number, workers), "history-reader-" + i);
        reader.start();
        readers.add(reader);
      }
      int faults = injectFaults(cluster, registers, workers);
      for (Thread reader : readers) {
        reader.join();
      }
      for (ForkedJvm worker : workers) {
        int status = worker.waitFor(Duration.ofMinutes(1));
        if (status != 0) {
          throw new IllegalStateException(worker + " ended with status " + status);
        }
      }
      return faults;
    } finally {
      running.set(false);
      workers.forEach(ForkedJvm::close);
    }
  }

  /** Takes a worker's lines; sessions it hands on go to the other one. */
  private void follow(int number, List<ForkedJvm> workers) {
    ForkedJvm worker = workers.get(number);
    while (true) {
      String line;
      try {
        line = worker.readLine(Duration.ofMinutes(2));
      } catch (IllegalStateException ended) {
        progress.accept("worker " + number + ": " + ended.getMessage());
        return;
      }
      if (line.startsWith("ops ")) {
        counts[number].set(Long.parseLong(line.substring(4)));
      } else if (line.startsWith("token ")) {
        try {
          workers.get((number + 1) % PROCESSES).send(line);
        } catch (UncheckedIOException done) {
          // The other one has done its part.
        }
      } else if (line.equals("done")) {
        counts[number].set(Long.MAX_VALUE / PROCESSES);
        return;
      }
    }
  }

  private int injectFaults(TestCluster cluster, Registers registers, List<ForkedJvm> workers)
      throws InterruptedException {
    int faults = 0;
    long told = 0;
    while (isAnyBusy(workers)) {
      Step<Fault> step =
          FaultSchedule.of(plan.seed(), faults + 1, SHARDS, plan.faults()).get(faults);
      inject(registers, cluster.shard(step.shard()), step);
      faults++;
      Thread.sleep(BREATH.toMillis());
      long now = System.nanoTime();
      if (now - told > Duration.ofSeconds(2).toNanos()) {
        told = now;
        long operations = 0;
        for (AtomicLong count : counts) {
          operations += Math.min(count.get(), plan.operations() / PROCESSES + 1);
        }
        progress.accept("operations=" + operations + " faults=" + faults + " last=" + step.fault());
      }
    }
    return faults;
  }

  private boolean isAnyBusy(List<ForkedJvm> workers) {
    for (int i = 0; i < PROCESSES; i++) {
      if (workers.get(i).isAlive() && counts[i].get() < Long.MAX_VALUE / PROCESSES) {
        return true;
      }
    }
    return false;
  }

  private static void inject(Registers registers, ShardServers shard, Step<Fault> step)
      throws InterruptedException {
    PostgresServer primary = shard.primary();
    List<PostgresServer> replicas = shard.replicas();
    PostgresServer replica = replicas.get(step.victim());
    PostgresServer other = replicas.get(1 - step.victim());
    switch (step.fault()) {
      case REPLAY_PAUSED -> {
        replica.pauseReplay();
        Thread.sleep(800);
        replica.resumeReplay();
      }
      case SAWTOOTH_LAG -> {
        for (int i = 0; i < 8; i++) {
          replica.pauseReplay();
          Thread.sleep(100);
          replica.resumeReplay();
          Thread.sleep(40);
        }
      }
      case REPLICA_KILLED -> {
        replica.kill();
        Thread.sleep(500);
        replica.start();
      }
      case REPLICA_HUNG -> {
        replica.freeze();
        Thread.sleep(2_000);
        replica.thaw();
      }
      case REPLICA_CUT_OFF -> {
        registers.proxy(replica).blackHole();
        Thread.sleep(1_500);
        registers.proxy(replica).heal();
      }
      case REPLICA_SLOW -> {
        registers.proxy(replica).latency(Duration.ofMillis(20));
        Thread.sleep(1_000);
        registers.proxy(replica).heal();
      }
      case PRIMARY_HUNG -> {
        primary.freeze();
        Thread.sleep(1_500);
        primary.thaw();
      }
      case PRIMARY_STOPPED_AND_REPLICA_PROMOTED, PRIMARY_KILLED_AND_REPLICA_PROMOTED -> {
        if (step.fault() == Fault.PRIMARY_KILLED_AND_REPLICA_PROMOTED) {
          primary.kill();
        } else {
          primary.stop();
        }
        // With any one replica synchronous, only the one that has received most has everything.
        PostgresServer heir = received(replica) >= received(other) ? replica : other;
        PostgresServer follower = heir == replica ? other : replica;
        heir.promote();
        follower.follow(heir);
        primary.rejoin(heir);
      }
      case ROLLING_RESTART -> {
        for (PostgresServer each : replicas) {
          each.stop();
          each.start();
          registers.awaitStreaming(shard);
        }
        primary.stop();
        primary.start();
      }
    }
    registers.awaitStreaming(shard);
  }

  private static long received(PostgresServer replica) {
    return Registers.ask(
        replica,
        "SELECT (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0')::bigint");
  }

  private static List<Operation> read(Path file) throws IOException {
    List<Operation> operations = new ArrayList<>();
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(Files.newInputStream(file), 1 << 16))) {
      while (true) {
        operations.add(Operation.read(in));
      }
    } catch (EOFException end) {
      return operations;
    }
  }

  private static Findings check(Registers registers, List<Operation> history) throws SQLException {
    Findings findings =
        Checker.check(
            history, new Checker.Terms(Worker.BOUND, DEADLINE.plus(ALLOWANCE), registers::shardOf));
    registers.checkRows(history, findings);
    return findings;
  }
}
