package dev.waymark.history;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.Outcome;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import dev.waymark.history.CachedRegisters.Change;
import dev.waymark.history.CachedRegisters.Register;
import dev.waymark.history.CachedRegisters.Seen;
import dev.waymark.history.Operation.Kind;
import dev.waymark.history.Operation.Result;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A process full of sessions that read registers through a cache, write them, and record what they
 * see, so that the record outlives the process.
 *
 * <p>Prints {@code ops N} now and then, {@code redis up} or {@code redis down} when that changes,
 * {@code token S T} when it hands session S on, {@code done} when it has done its part, and {@code
 * rested} when it has read every register in the quiet at the end. Takes {@code token S T} to go on
 * with a session of another process, {@code stop STEP} to stop its next write at a step of it,
 * which it says with {@code at STEP} and is then killed, {@code slow MS} to be slow at its steps
 * for a while, {@code enough}, {@code rest}, and {@code end}.
 */
final class CacheWorker {
  static final int GROUPS = TieredRegisters.Group.values().length;
  private static final int KEYS_PER_GROUP = 20;
  static final int KEYS_PER_SHARD = GROUPS * KEYS_PER_GROUP;

  /** How old an answer of L1 may be. */
  static final Duration BOUND = Duration.ofSeconds(1);

  /** What the recording needs room for beyond the calls that were asked for. */
  static final int SPARE_CALLS = 4_096;

  private static final int THREADS = 4;
  private static final int CALLS_WITHOUT_BREAK = 25;

  /** Where a write can be stopped for good. */
  enum Step {
    BEFORE_INTENT,
    BEFORE_COMMIT,
    AFTER_COMMIT,
    AFTER_ALL
  }

  /** What a worker is to be. */
  record Orders(
      int number,
      int incarnation,
      long quota,
      long seed,
      String guards,
      WithoutRedis withoutRedis,
      CacheKind kind,
      Path config,
      String redisUrl,
      Path recording) {

    String[] asArguments() {
      return new String[] {
        String.valueOf(number),
        String.valueOf(incarnation),
        String.valueOf(quota),
        String.valueOf(seed),
        guards,
        withoutRedis.name(),
        kind.name(),
        config.toString(),
        redisUrl,
        recording.toString()
      };
    }

    static Orders of(String[] arguments) {
      return new Orders(
          Integer.parseInt(arguments[0]),
          Integer.parseInt(arguments[1]),
          Long.parseLong(arguments[2]),
          Long.parseLong(arguments[3]),
          arguments[4],
          WithoutRedis.valueOf(arguments[5]),
          CacheKind.valueOf(arguments[6]),
          Path.of(arguments[7]),
          arguments[8],
          Path.of(arguments[9]));
    }

    /** Numbers of sessions and writes start here, so that no two processes share one. */
    long firstNumber() {
      return (number * 1_000L + incarnation) * 1_000_000_000L;
    }
  }

  /** Thrown by a write that is meant to leave no trace. */
  private static final class ChangedItsMind extends Exception {
    private static final long serialVersionUID = 1;
  }

  private final Orders orders;
  private final ShardedDatabase database;
  private final CachedRegisters cache;
  private final Recording recording;
  private final ThreadLocal<@Nullable Session> bound;
  private final Dawdling dawdling;
  private final long[] firstKeys;
  private final AtomicLong done = new AtomicLong();
  private final AtomicLong sessions = new AtomicLong();
  private final AtomicLong writes = new AtomicLong();
  private final BlockingQueue<Handed> handed = new LinkedBlockingQueue<>();
  private final AtomicReference<@Nullable Step> doom = new AtomicReference<>();
  private volatile boolean enough;
  private final CountDownLatch rest = new CountDownLatch(1);
  private final CountDownLatch end = new CountDownLatch(1);

  /** A session that comes from another process. */
  private record Handed(long session, String token) {}

  private CacheWorker(
      Orders orders,
      ShardedDatabase database,
      CachedRegisters cache,
      Recording recording,
      ThreadLocal<@Nullable Session> bound,
      Dawdling dawdling) {
    this.orders = orders;
    this.database = database;
    this.cache = cache;
    this.recording = recording;
    this.bound = bound;
    this.dawdling = dawdling;
    this.firstKeys =
        database.map().ranges().stream().mapToLong(owned -> owned.range().from()).toArray();
  }

  /** Arguments: see {@link Orders}. */
  public static void main(String[] arguments) {
    try {
      carryOut(Orders.of(arguments));
    } catch (Throwable failure) {
      failure.printStackTrace();
      // Threads of a client that was half opened would keep the process, and everybody waiting.
      Runtime.getRuntime().halt(1);
    }
  }

  private static void carryOut(Orders orders) throws IOException, InterruptedException {
    WaymarkConfig config = WaymarkConfig.load(orders.config());
    Recording recording =
        Recording.create(orders.recording(), Math.toIntExact(orders.quota() + SPARE_CALLS));
    ThreadLocal<@Nullable Session> bound = new ThreadLocal<>();
    Dawdling dawdling = new Dawdling();
    try (ShardedDatabase database = ShardedDatabase.open(config);
        CachedRegisters cache =
            orders
                .kind()
                .open(
                    new CacheKind.Setting(
                        database,
                        orders.redisUrl(),
                        orders.guards(),
                        orders.withoutRedis(),
                        CacheWorker::read,
                        bound::get,
                        BOUND,
                        CacheWorker::groupOf,
                        dawdling))) {
      CacheWorker worker = new CacheWorker(orders, database, cache, recording, bound, dawdling);
      worker.run();
      System.out.println("done");
      worker.rest.await();
      worker.readAtRest();
      System.out.println("rested");
      worker.end.await();
    }
  }

  private static int groupOf(long key) {
    return (int) ((key - 1) % KEYS_PER_SHARD) / KEYS_PER_GROUP;
  }

  private void run() throws InterruptedException {
    daemon("orders", this::listen);
    daemon("redis-watch", this::watchRedis);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      SplittableRandom random =
          new SplittableRandom(
              orders.seed() * 31 + orders.number() * 7L + orders.incarnation() * 1_009L + i);
      Thread thread = new Thread(() -> work(random), "worker-" + i);
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join();
    }
  }

  private static void daemon(String name, Runnable task) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
  }

  private void listen() {
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] words = line.split(" ");
        switch (words[0]) {
          case "token" -> handed.add(new Handed(Long.parseLong(words[1]), words[2]));
          case "stop" -> doom.set(Step.valueOf(words[1]));
          case "slow" -> dawdling.slowFor(Duration.ofMillis(Long.parseLong(words[1])));
          case "enough" -> enough = true;
          case "rest" -> rest.countDown();
          case "end" -> end.countDown();
          default -> throw new IllegalStateException(line);
        }
      }
    } catch (IOException closed) {
      // The run is over.
    }
  }

  private void watchRedis() {
    boolean told = false;
    while (true) {
      boolean up = cache.isUp();
      if (up != told) {
        say(up ? "redis up" : "redis down");
        told = up;
      }
      LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
    }
  }

  private void work(SplittableRandom random) {
    while (done.get() < orders.quota() && !enough) {
      if (random.nextInt(10) < 4) {
        calls(0, random);
      } else {
        workInSession(random);
      }
    }
  }

  private void workInSession(SplittableRandom random) {
    Handed other = handed.poll();
    Session session = other == null ? database.newSession() : database.resumeSession(other.token());
    long id = other == null ? orders.firstNumber() + sessions.incrementAndGet() : other.session();
    try (Session.Binding binding = session.bind()) {
      bound.set(session);
      calls(id, random);
    } finally {
      bound.remove();
    }
    if (random.nextInt(2) == 0) {
      say("token " + id + " " + session.token());
    }
  }

  private void calls(long session, SplittableRandom random) {
    // Few keys at a time, so that calls meet each other; some keys far more often than others.
    long[] keys = new long[4];
    for (int i = 0; i < keys.length; i++) {
      int place = random.nextInt(1 + random.nextInt(1 + random.nextInt(KEYS_PER_GROUP)));
      keys[i] =
          firstKeys[random.nextInt(firstKeys.length)]
              + random.nextInt(GROUPS) * KEYS_PER_GROUP
              + place;
    }
    for (int i = 0; i < CALLS_WITHOUT_BREAK; i++) {
      long key = keys[random.nextInt(keys.length)];
      int dice = random.nextInt(100);
      if (dice < 4) {
        write(session, List.of(key), random);
      } else if (dice < 5) {
        long sibling = key == firstKeyOfShard(key) ? key + 1 : firstKeyOfShard(key);
        // In the order of the keys, so that no two transactions wait for each other.
        write(session, List.of(Math.min(key, sibling), Math.max(key, sibling)), random);
      } else if (dice < 7) {
        readStrongly(session, key);
      } else {
        readCached(session, key);
      }
    }
  }

  private static long firstKeyOfShard(long key) {
    return key - (key - 1) % KEYS_PER_SHARD;
  }

  private void readCached(long session, long key) {
    long start = System.nanoTime();
    Result result = Result.OK;
    Seen seen = new Seen(new Register(0, 0), Kind.L1_READ);
    try {
      seen = cache.read(key);
    } catch (WaymarkException failure) {
      result = resultOf(failure);
      System.err.println(failure);
    }
    long finish = System.nanoTime();
    record(recording.begin(), session, seen.kind(), result, key, seen.register(), start, finish);
  }

  private void readStrongly(long session, long key) {
    long start = System.nanoTime();
    Result result = Result.OK;
    Register register = new Register(0, 0);
    try {
      register =
          database.<Register, SQLException>read(
              key, Consistency.strong(), connection -> read(connection, key));
    } catch (WaymarkException failure) {
      result = resultOf(failure);
      System.err.println(failure);
    } catch (SQLException failure) {
      result = resultOf(failure);
    }
    long finish = System.nanoTime();
    record(recording.begin(), session, Kind.STRONG_READ, result, key, register, start, finish);
  }

  private static Result resultOf(WaymarkException failure) {
    return failure.outcome() == Outcome.NOT_SENT
        ? Result.NOT_SENT
        : failure.outcome() == Outcome.REJECTED ? Result.REJECTED : Result.UNKNOWN;
  }

  /** The work's own failure: it was rolled back. */
  private static Result resultOf(SQLException failure) {
    System.err.println(failure);
    return "25006".equals(failure.getSQLState()) ? Result.READ_ONLY : Result.REJECTED;
  }

  /** One transaction that writes registers, as it is recorded. */
  private final class Write {
    final long session;
    final List<Long> keys;
    final int[] places;
    final long[] writers;
    final Register[] made;
    final long start = System.nanoTime();
    final @Nullable Step stop = doom.getAndSet(null);

    Write(long session, List<Long> keys) {
      this.session = session;
      this.keys = keys;
      this.places = new int[keys.size()];
      this.writers = new long[keys.size()];
      this.made = new Register[keys.size()];
      for (int i = 0; i < places.length; i++) {
        places[i] = recording.begin();
        writers[i] = orders.firstNumber() + writes.incrementAndGet();
        made[i] = new Register(0, writers[i]);
      }
      // Now, so that a killed process has said what it was about.
      record(Result.UNKNOWN, Operation.NEVER);
    }

    void record(Result result, long finish) {
      for (int i = 0; i < places.length; i++) {
        Register register = result == Result.OK ? made[i] : new Register(0, writers[i]);
        recording.put(
            places[i],
            new Operation(
                session,
                orders.number(),
                Kind.WRITE,
                result,
                keys.get(i),
                register.version(),
                register.writer(),
                start,
                finish));
      }
    }

    void stopAt(Step step) {
      if (stop == step) {
        say("at " + step);
        LockSupport.parkNanos(Duration.ofSeconds(30).toNanos());
        throw new IllegalStateException("Nobody has killed this process");
      }
    }
  }

  private void write(long session, List<Long> keys, SplittableRandom random) {
    Change change = random.nextInt(3) == 0 ? Change.INVALIDATE : Change.PUT;
    int mind = random.nextInt(20);
    boolean dawdles = random.nextInt(4) == 0;
    Write write = new Write(session, keys);
    Result result = Result.OK;
    try {
      database.<Integer, Exception>transaction(
          keys.get(0),
          transaction -> {
            run(write, transaction, change);
            if (mind == 0) {
              throw new ChangedItsMind();
            }
            if (mind == 1) {
              // After everybody was told of it.
              transaction.join(new Refusal());
            }
            if (dawdles) {
              dawdling.dawdle();
            }
            return keys.size();
          });
    } catch (WaymarkException failure) {
      result = resultOf(failure);
    } catch (ChangedItsMind meant) {
      result = Result.REJECTED;
    } catch (SQLException failure) {
      result = resultOf(failure);
    } catch (RuntimeException failure) {
      throw failure;
    } catch (Exception failure) {
      throw new IllegalStateException(failure);
    }
    write.record(result, System.nanoTime());
    count(keys.size());
  }

  private void run(Write write, Transaction transaction, Change change) throws SQLException {
    // The first to hear of the commit: nothing else has been done after it.
    transaction.join(
        new TransactionHook() {
          @Override
          public void beforeCommit(Transaction ending) {
            write.stopAt(Step.BEFORE_INTENT);
          }

          @Override
          public void afterCommit(LogPosition position) {
            if (write.stop == Step.AFTER_COMMIT) {
              // Committed and acknowledged, if only to a process that has no time to say so.
              write.record(Result.OK, System.nanoTime());
              write.stopAt(Step.AFTER_COMMIT);
            }
          }
        });
    for (int i = 0; i < write.keys.size(); i++) {
      long key = write.keys.get(i);
      Register register = write(transaction.connection(), key, write.writers[i]);
      write.made[i] = register;
      cache.changed(transaction, key, register, change);
    }
    transaction.join(
        new TransactionHook() {
          @Override
          public void beforeCommit(Transaction ending) {
            // Announced and not committed: here a careless reader may keep what is about to be old.
            dawdling.dawdle();
            write.stopAt(Step.BEFORE_COMMIT);
          }

          @Override
          public void afterCommit(LogPosition position) {
            if (write.stop == Step.AFTER_ALL) {
              write.record(Result.OK, System.nanoTime());
              write.stopAt(Step.AFTER_ALL);
            }
          }
        });
  }

  /** Rolls back what is about to be committed. */
  private static final class Refusal implements TransactionHook {
    @Override
    public void beforeCommit(Transaction transaction) throws ChangedItsMind {
      throw new ChangedItsMind();
    }
  }

  private static Register write(Connection connection, long key, long writer) throws SQLException {
    try (PreparedStatement update =
            connection.prepareStatement(
                "UPDATE registers SET version = version + 1, writer = ? WHERE id = ?"
                    + " RETURNING version");
        PreparedStatement apply =
            connection.prepareStatement("INSERT INTO applied (id, writer) VALUES (?, ?)")) {
      update.setLong(1, writer);
      update.setLong(2, key);
      long version;
      try (ResultSet answer = update.executeQuery()) {
        answer.next();
        version = answer.getLong(1);
      }
      apply.setLong(1, key);
      apply.setLong(2, writer);
      apply.executeUpdate();
      return new Register(version, writer);
    }
  }

  private static Register read(Connection connection, long key) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT version, writer FROM registers WHERE id = ?")) {
      select.setLong(1, key);
      try (ResultSet answer = select.executeQuery()) {
        answer.next();
        return new Register(answer.getLong(1), answer.getLong(2));
      }
    }
  }

  /** Every register twice: as this process' memory has it, and as Redis has it. */
  private void readAtRest() throws InterruptedException {
    long patience = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!cache.isUp() && System.nanoTime() < patience) {
      Thread.sleep(20);
    }
    // What is being tested: after this time nothing old is left.
    Thread.sleep(BOUND.toMillis());
    for (int round = 0; round < 2; round++) {
      for (long first : firstKeys) {
        for (long key = first; key < first + KEYS_PER_SHARD; key++) {
          long start = System.nanoTime();
          Register register = cache.read(key).register();
          recording.put(
              recording.begin(),
              new Operation(
                  0,
                  orders.number(),
                  Kind.REST_READ,
                  Result.OK,
                  key,
                  register.version(),
                  register.writer(),
                  start,
                  System.nanoTime()));
        }
      }
      cache.forgetOwnMemory();
    }
  }

  private void record(
      int place,
      long session,
      Kind kind,
      Result result,
      long key,
      Register register,
      long start,
      long finish) {
    recording.put(
        place,
        new Operation(
            session,
            orders.number(),
            kind,
            result,
            key,
            register.version(),
            register.writer(),
            start,
            finish));
    count(1);
  }

  private void count(int calls) {
    long before = done.getAndAdd(calls);
    if ((before + calls) / 500 != before / 500) {
      say("ops " + (before + calls));
    }
  }

  private static void say(String line) {
    synchronized (System.out) {
      System.out.println(line);
    }
  }
}
