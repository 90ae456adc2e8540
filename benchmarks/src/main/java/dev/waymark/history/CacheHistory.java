package dev.waymark.history;

import dev.waymark.history.CacheWorker.Orders;
import dev.waymark.history.Checker.Findings;
import dev.waymark.history.FaultSchedule.Step;
import dev.waymark.history.Operation.Kind;
import dev.waymark.history.Operation.Result;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.RedisServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TcpProxy;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Runs sessions in two processes that read through a cache, while Redis, PostgreSQL, the network
 * and the processes themselves fail by a schedule, and checks what they saw.
 */
final class CacheHistory {
  private static final int SHARDS = 2;
  private static final int REPLICAS = 1;
  private static final int PROCESSES = 2;
  private static final Duration DEADLINE = Duration.ofSeconds(15);

  /** The watchdog's grace, a stopped process, and the machine's own pauses. */
  private static final Duration ALLOWANCE = Duration.ofSeconds(6);

  /** How long processes dawdle while Redis loses data again and again. */
  private static final Duration SLOW = Duration.ofMillis(1_000);

  /** Between two faults. */
  private static final Duration BREATH = Duration.ofMillis(800);

  /** What is done to Redis, to PostgreSQL, to the network or to a process. */
  enum Fault {
    REDIS_KILLED,
    REDIS_HUNG,
    REDIS_FLUSHED,
    REDIS_FLUSHED_OFTEN,
    REDIS_BACK_WITH_OLD_DATA,
    STATE_EVICTED,
    REDIS_SLOW,
    REDIS_CUT_OFF_FROM_ONE,
    CONNECTIONS_TO_REDIS_CUT,
    SUBSCRIBERS_KILLED,
    MESSAGES_LOST,
    SAWTOOTH_LAG,
    REPLAY_PAUSED,
    PROCESS_STOPPED,
    PROCESS_KILLED,
    WRITER_KILLED_BEFORE_INTENT,
    WRITER_KILLED_BEFORE_COMMIT,
    WRITER_KILLED_AFTER_COMMIT,
    WRITER_KILLED_AFTER_ALL,
    PRIMARY_HUNG,
    PRIMARY_STOPPED_AND_REPLICA_PROMOTED,
    PRIMARY_KILLED_AND_REPLICA_PROMOTED;

    /** The others happen to Redis, to its network or to a process. */
    boolean isOfPostgres() {
      return switch (this) {
        case SAWTOOTH_LAG,
            REPLAY_PAUSED,
            PRIMARY_HUNG,
            PRIMARY_STOPPED_AND_REPLICA_PROMOTED,
            PRIMARY_KILLED_AND_REPLICA_PROMOTED ->
            true;
        default -> false;
      };
    }
  }

  /**
   * What to run.
   *
   * @param operations how many calls at least
   * @param seed decides in which order the faults come, and whom they meet
   * @param guards "on", "off", or the one guard that is taken out
   * @param faults which ones
   * @param withoutRedis what becomes of writes that Redis cannot be told of
   * @param limit what is done by then is enough
   */
  record Plan(
      long operations,
      long seed,
      String guards,
      WithoutRedis withoutRedis,
      CacheKind kind,
      Set<Fault> faults,
      Duration limit) {}

  /** What came of it. */
  record Summary(Plan plan, List<Operation> history, Findings findings, int faults) {
    /** The reads of the caches, by who answered. */
    String tiers() {
      Map<Kind, Integer> kinds = new EnumMap<>(Kind.class);
      history.forEach(call -> kinds.merge(call.kind(), 1, Integer::sum));
      return plan.kind().name().toLowerCase(Locale.ROOT) + ": " + kinds;
    }

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
          plan.guards(),
          faults,
          reads,
          history.size() - reads,
          results.getOrDefault(Result.NOT_SENT, 0),
          results.getOrDefault(Result.REJECTED, 0),
          results.getOrDefault(Result.UNKNOWN, 0));
    }
  }

  /** One place for a process, and whoever fills it at the moment. */
  private static final class Place {
    final int number;
    final TcpProxy redis;
    final List<Path> recordings = new ArrayList<>();
    private @Nullable ForkedJvm process;

    /** What the processes before the present one have done. */
    long doneBefore;

    private long done;
    private boolean redisUp;
    private boolean stopped;
    private boolean finished;
    private boolean rested;
    private final Set<ForkedJvm> killed = new HashSet<>();

    Place(int number, TcpProxy redis) {
      this.number = number;
      this.redis = redis;
    }

    synchronized void filledBy(ForkedJvm newProcess) {
      process = newProcess;
      doneBefore += done;
      done = 0;
      redisUp = false;
      stopped = false;
    }

    synchronized ForkedJvm process() {
      if (process == null) {
        throw new IllegalStateException("No process yet in place " + number);
      }
      return process;
    }

    /** What a process says, unless another one has its place by now. */
    synchronized void heard(ForkedJvm from, String line) {
      if (from != process) {
        return;
      }
      if (line.startsWith("ops ")) {
        done = Long.parseLong(line.substring(4));
      } else if (line.startsWith("redis ")) {
        redisUp = line.endsWith("up");
      } else if (line.startsWith("at ")) {
        stopped = true;
      } else if (line.equals("done")) {
        finished = true;
      } else if (line.equals("rested")) {
        rested = true;
      }
      notifyAll();
    }

    synchronized void wake() {
      notifyAll();
    }

    synchronized long done() {
      return doneBefore + done;
    }

    synchronized boolean isFinished() {
      return finished;
    }

    synchronized boolean hasRested() {
      return rested;
    }

    synchronized boolean isStopped() {
      return stopped;
    }

    synchronized boolean isRedisUp() {
      return redisUp;
    }

    synchronized void kill() {
      killed.add(process());
      process().kill();
    }

    synchronized boolean hasKilled(ForkedJvm one) {
      return killed.contains(one);
    }

    /** Waits for a word that makes a condition true, for a time at most. */
    synchronized boolean await(BooleanSupplier condition, Duration limit)
        throws InterruptedException {
      long end = System.nanoTime() + limit.toNanos();
      while (!condition.getAsBoolean()) {
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return false;
        }
        wait(left);
      }
      return true;
    }
  }

  private final Plan plan;
  private final Consumer<String> progress;
  private final Map<PostgresServer, TcpProxy> proxies = new HashMap<>();
  private final List<Place> places = new ArrayList<>();
  private final List<Thread> readers = new ArrayList<>();
  private volatile @Nullable String broken;
  private volatile boolean enough;

  private CacheHistory(Plan plan, Consumer<String> progress) {
    this.plan = plan;
    this.progress = progress;
  }

  static Summary run(Plan plan, Consumer<String> progress)
      throws IOException, InterruptedException, SQLException {
    return new CacheHistory(plan, progress).run();
  }

  private Summary run() throws IOException, InterruptedException, SQLException {
    Path folder = Files.createTempDirectory("waymark-history-");
    try (TestCluster cluster = Registers.cluster(SHARDS, REPLICAS).redis().start()) {
      try {
        Registers registers =
            Registers.create(cluster, CacheWorker.KEYS_PER_SHARD, REPLICAS, proxies);
        Path config =
            Files.writeString(folder.resolve("waymark.yaml"), registers.yaml(8, DEADLINE));
        RedisServer redis = cluster.redis();
        for (int i = 0; i < PROCESSES; i++) {
          places.add(new Place(i, TcpProxy.to(redis.host(), redis.port())));
        }
        int faults = runWorkers(new Scene(cluster, registers, folder, config));
        List<Operation> history = new ArrayList<>();
        for (Place place : places) {
          for (Path recording : place.recordings) {
            history.addAll(Recording.read(recording));
          }
        }
        progress.accept("checking " + history.size() + " operations");
        return new Summary(plan, history, check(registers, history), faults);
      } finally {
        proxies.values().forEach(TcpProxy::close);
        places.forEach(place -> place.redis.close());
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

  private static Findings check(Registers registers, List<Operation> history) throws SQLException {
    Findings findings =
        Checker.check(
            history,
            new Checker.Terms(CacheWorker.BOUND, DEADLINE.plus(ALLOWANCE), registers::shardOf));
    Map<Long, Long> versions = registers.checkRows(history, findings);
    Checker.checkRest(history, versions, findings);
    return findings;
  }

  /** Where it all happens. */
  private record Scene(TestCluster cluster, Registers registers, Path folder, Path config) {}

  private int runWorkers(Scene scene) throws InterruptedException {
    try {
      for (Place place : places) {
        fill(place, scene);
      }
      int faults = injectFaults(scene);
      places.forEach(place -> place.process().send("rest"));
      for (Place place : places) {
        if (!place.await(() -> place.hasRested() || broken != null, Duration.ofMinutes(2))
            || broken != null) {
          throw new IllegalStateException(place.process() + " has not come to rest");
        }
      }
      for (Place place : places) {
        place.process().send("end");
        int status = place.process().waitFor(Duration.ofMinutes(1));
        if (status != 0) {
          throw new IllegalStateException(place.process() + " ended with status " + status);
        }
      }
      return faults;
    } finally {
      places.forEach(place -> place.process().close());
      for (Thread reader : readers) {
        reader.join();
      }
    }
  }

  private void fill(Place place, Scene scene) {
    int incarnation = place.recordings.size();
    Path recording = scene.folder().resolve("history-" + place.number + "-" + incarnation);
    place.recordings.add(recording);
    long quota = Math.max(1, plan.operations() / PROCESSES + 1 - place.done());
    ForkedJvm process =
        ForkedJvm.start(
            CacheWorker.class,
            new Orders(
                    place.number,
                    incarnation,
                    quota,
                    plan.seed(),
                    plan.guards(),
                    plan.withoutRedis(),
                    plan.kind(),
                    scene.config(),
                    "redis://127.0.0.1:" + place.redis.port(),
                    recording)
                .asArguments());
    place.filledBy(process);
    tellIfEnough(place);
    Thread reader = new Thread(() -> follow(place, process), "history-reader-" + place.number);
    reader.start();
    readers.add(reader);
  }

  /** Whoever comes after this is told by {@link #fill}. */
  private void tellIfEnough(Place place) {
    if (enough) {
      try {
        place.process().send("enough");
      } catch (UncheckedIOException killed) {
        // Its successor is told.
      }
    }
  }

  /** Takes a worker's lines; sessions it hands on go to the other one. */
  private void follow(Place place, ForkedJvm process) {
    while (true) {
      String line;
      try {
        line = process.readLine(Duration.ofMinutes(3));
      } catch (IllegalStateException ended) {
        if (!place.hasKilled(process) && !place.hasRested()) {
          broken = "worker " + place.number + ": " + ended.getMessage();
          progress.accept(broken);
          place.wake();
        }
        return;
      }
      if (line.startsWith("token ")) {
        Place other = places.get((place.number + 1) % PROCESSES);
        try {
          other.process().send(line);
        } catch (UncheckedIOException gone) {
          // It was killed, or has done its part.
        }
      } else {
        place.heard(process, line);
      }
    }
  }

  /**
   * Faults of PostgreSQL and all the others come at the same time, each kind in a schedule of its
   * own: a promotion while Redis is away is another thing than one after the other.
   */
  private int injectFaults(Scene scene) throws InterruptedException {
    settle();
    List<Thread> threads = new ArrayList<>();
    AtomicInteger faults = new AtomicInteger();
    for (boolean ofPostgres : List.of(true, false)) {
      Set<Fault> some =
          plan.faults().stream()
              .filter(fault -> fault.isOfPostgres() == ofPostgres)
              .collect(Collectors.toCollection(() -> EnumSet.noneOf(Fault.class)));
      if (!some.isEmpty()) {
        long seed = plan.seed() * 2 + threads.size();
        Thread thread =
            new Thread(() -> injectAll(scene, seed, some, faults), "history-faults-" + seed);
        thread.start();
        threads.add(thread);
      }
    }
    long end = System.nanoTime() + plan.limit().toNanos();
    while (!isOver()) {
      if (!enough && System.nanoTime() - end > 0) {
        progress.accept("that is enough");
        enough = true;
        places.forEach(this::tellIfEnough);
      }
      progress.accept(
          "operations=" + places.stream().mapToLong(Place::done).sum() + " faults=" + faults);
      for (Place place : places) {
        place.await(() -> place.isFinished() || broken != null, Duration.ofSeconds(2));
      }
    }
    for (Thread thread : threads) {
      thread.join();
    }
    String reason = broken;
    if (reason != null) {
      throw new IllegalStateException(reason);
    }
    return faults.get();
  }

  private boolean isOver() {
    return broken != null || places.stream().allMatch(Place::isFinished);
  }

  private void injectAll(Scene scene, long seed, Set<Fault> some, AtomicInteger faults) {
    try {
      for (int i = 0; !isOver(); i++) {
        inject(scene, FaultSchedule.of(seed, i + 1, SHARDS, some).get(i));
        faults.incrementAndGet();
        settle();
        Thread.sleep(BREATH.toMillis());
      }
    } catch (InterruptedException | RuntimeException failure) {
      failure.printStackTrace();
      broken = "injecting faults: " + failure;
      progress.accept(String.valueOf(broken));
      places.forEach(Place::wake);
    }
  }

  /** Lets every process find its Redis again: a fault that meets a bypassed cache shows nothing. */
  private void settle() throws InterruptedException {
    for (Place place : places) {
      place.await(
          () -> place.isRedisUp() || place.isFinished() || broken != null, Duration.ofSeconds(6));
    }
  }

  private void inject(Scene scene, Step<Fault> step) throws InterruptedException {
    if (step.fault().isOfPostgres()) {
      ShardServers shard = scene.cluster().shard(step.shard());
      injectIntoPostgres(shard, step.fault());
      scene.registers().awaitStreaming(shard);
    } else {
      injectElsewhere(scene, step);
    }
  }

  private static void injectIntoPostgres(ShardServers shard, Fault fault)
      throws InterruptedException {
    PostgresServer primary = shard.primary();
    PostgresServer replica = shard.replicas().get(0);
    switch (fault) {
      case SAWTOOTH_LAG -> {
        for (int i = 0; i < 8; i++) {
          replica.pauseReplay();
          Thread.sleep(100);
          replica.resumeReplay();
          Thread.sleep(40);
        }
      }
      case REPLAY_PAUSED -> {
        replica.pauseReplay();
        Thread.sleep(1_500);
        replica.resumeReplay();
      }
      case PRIMARY_HUNG -> {
        primary.freeze();
        Thread.sleep(1_500);
        primary.thaw();
      }
      case PRIMARY_STOPPED_AND_REPLICA_PROMOTED, PRIMARY_KILLED_AND_REPLICA_PROMOTED -> {
        if (fault == Fault.PRIMARY_KILLED_AND_REPLICA_PROMOTED) {
          primary.kill();
        } else {
          primary.stop();
        }
        replica.promote();
        primary.rejoin(replica);
      }
      default -> throw new IllegalArgumentException(fault + " is not of PostgreSQL");
    }
  }

  private void injectElsewhere(Scene scene, Step<Fault> step) throws InterruptedException {
    RedisServer redis = scene.cluster().redis();
    Place place = places.get(step.victim());
    switch (step.fault()) {
      case REDIS_KILLED -> {
        redis.kill();
        Thread.sleep(300);
        redis.start();
      }
      case REDIS_HUNG -> {
        redis.freeze();
        Thread.sleep(800);
        redis.thaw();
      }
      case REDIS_FLUSHED -> redis.flush();
      case REDIS_FLUSHED_OFTEN -> {
        slowFor(SLOW);
        for (int i = 0; i < 20; i++) {
          redis.flush();
          Thread.sleep(30);
        }
      }
      case REDIS_BACK_WITH_OLD_DATA -> {
        redis.save();
        Thread.sleep(300);
        redis.kill();
        redis.start();
      }
      case STATE_EVICTED -> {
        slowFor(SLOW);
        for (int i = 0; i < 10; i++) {
          redis.evict("*:state");
          Thread.sleep(30);
        }
      }
      case REDIS_SLOW -> {
        places.forEach(each -> each.redis.latency(Duration.ofMillis(30)));
        Thread.sleep(1_000);
        places.forEach(each -> each.redis.heal());
      }
      case REDIS_CUT_OFF_FROM_ONE -> {
        place.redis.blackHole();
        Thread.sleep(1_500);
        place.redis.heal();
      }
      case CONNECTIONS_TO_REDIS_CUT -> {
        for (int i = 0; i < 3; i++) {
          place.redis.cut();
          Thread.sleep(150);
        }
      }
      case SUBSCRIBERS_KILLED -> {
        for (int i = 0; i < 3; i++) {
          redis.killSubscribers();
          Thread.sleep(150);
        }
      }
      case MESSAGES_LOST -> {
        place.redis.loseAnswersContaining("message\r\n");
        Thread.sleep(3_000);
        place.redis.heal();
      }
      case PROCESS_STOPPED -> {
        if (!place.isFinished()) {
          place.process().freeze();
          Thread.sleep(2_000);
          place.process().thaw();
        }
      }
      case PROCESS_KILLED -> replaceKilled(place, scene, null);
      case WRITER_KILLED_BEFORE_INTENT ->
          replaceKilled(place, scene, CacheWorker.Step.BEFORE_INTENT);
      case WRITER_KILLED_BEFORE_COMMIT ->
          replaceKilled(place, scene, CacheWorker.Step.BEFORE_COMMIT);
      case WRITER_KILLED_AFTER_COMMIT -> replaceKilled(place, scene, CacheWorker.Step.AFTER_COMMIT);
      case WRITER_KILLED_AFTER_ALL -> replaceKilled(place, scene, CacheWorker.Step.AFTER_ALL);
      default -> throw new IllegalArgumentException(step.fault() + " is of PostgreSQL");
    }
  }

  /** What is lost then is more often what somebody still needs. */
  private void slowFor(Duration time) {
    for (Place place : places) {
      try {
        place.process().send("slow " + time.toMillis());
      } catch (UncheckedIOException gone) {
        // It has done its part.
      }
    }
  }

  /**
   * Kills a process, at a step of a write of its or at any moment, and starts another one.
   *
   * @param step null for any moment
   */
  private void replaceKilled(Place place, Scene scene, CacheWorker.@Nullable Step step)
      throws InterruptedException {
    if (place.isFinished()) {
      return;
    }
    if (step != null) {
      place.process().send("stop " + step);
      // With nothing to write, or nowhere to, it is killed where it is.
      place.await(() -> place.isStopped() || place.isFinished(), Duration.ofSeconds(5));
    }
    if (place.isFinished()) {
      return;
    }
    place.kill();
    fill(place, scene);
  }
}
