package dev.waymark.history;

import dev.waymark.Consistency;
import dev.waymark.Outcome;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import dev.waymark.history.Operation.Kind;
import dev.waymark.history.Operation.Result;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
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
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A process full of sessions that read and write and record what they see. Prints {@code ops N} now
 * and then, {@code token S T} when it hands session S on, and {@code done} at the end; takes {@code
 * token S T} to go on with a session of the other process.
 */
final class Worker {
  static final int KEYS_PER_SHARD = 500;
  static final Duration BOUND = Duration.ofSeconds(1);
  private static final int THREADS = 3;
  private static final int CALLS_WITHOUT_BREAK = 25;

  private final int number;
  private final Guards guards;
  private final ShardedDatabase database;
  private final DataOutputStream out;
  private final long quota;
  private final long[] firstKeys;
  private final AtomicLong done = new AtomicLong();
  private final AtomicLong sessions = new AtomicLong();
  private final AtomicLong writes = new AtomicLong();
  private final BlockingQueue<Handed> handed = new LinkedBlockingQueue<>();

  /** A session that comes from the other process. */
  private record Handed(long session, String token) {}

  private Worker(
      int number, Guards guards, ShardedDatabase database, DataOutputStream out, long quota) {
    this.number = number;
    this.guards = guards;
    this.database = database;
    this.out = out;
    this.quota = quota;
    this.firstKeys =
        database.map().ranges().stream().mapToLong(owned -> owned.range().from()).toArray();
  }

  /** Arguments: number, operations, seed, guards, configuration file, file to record in. */
  public static void main(String[] arguments)
      throws IOException, InterruptedException, SQLException {
    int number = Integer.parseInt(arguments[0]);
    WaymarkConfig config = WaymarkConfig.load(Path.of(arguments[4]));
    try (ShardedDatabase database = ShardedDatabase.open(config);
        DataOutputStream out =
            new DataOutputStream(
                new BufferedOutputStream(Files.newOutputStream(Path.of(arguments[5])), 1 << 16))) {
      Worker worker =
          new Worker(
              number, Guards.valueOf(arguments[3]), database, out, Long.parseLong(arguments[1]));
      worker.requireSynchronousCommits();
      worker.run(Long.parseLong(arguments[2]));
    }
    System.out.println("done");
  }

  /**
   * Refuses a run in which a lost write would be nobody's fault: the checker takes it for granted
   * that an acknowledged write is on a replica.
   */
  private void requireSynchronousCommits() throws SQLException {
    for (long key : firstKeys) {
      String setting =
          database.<String, SQLException>write(
              key,
              connection -> {
                try (PreparedStatement ask =
                        connection.prepareStatement(
                            "SELECT current_setting('synchronous_commit') || ' '"
                                + " || current_setting('synchronous_standby_names')");
                    ResultSet answer = ask.executeQuery()) {
                  answer.next();
                  return answer.getString(1);
                }
              });
      if (!setting.equals("on ANY 1 (*)")) {
        throw new IllegalStateException(
            "The workers' commits do not wait for a replica (" + setting + ")");
      }
    }
  }

  private void run(long seed) throws InterruptedException {
    Thread listener = new Thread(this::listen, "tokens");
    listener.setDaemon(true);
    listener.start();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      SplittableRandom random = new SplittableRandom(seed * 31 + number * 7 + i);
      Thread thread = new Thread(() -> work(random), "worker-" + i);
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join();
    }
  }

  private void listen() {
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] words = line.split(" ");
        handed.add(new Handed(Long.parseLong(words[1]), words[2]));
      }
    } catch (IOException closed) {
      // The run is over.
    }
  }

  private void work(SplittableRandom random) {
    while (done.get() < quota) {
      Handed other = handed.poll();
      Session session =
          other == null ? database.newSession() : database.resumeSession(other.token());
      long id =
          other == null ? number * 1_000_000_000L + sessions.incrementAndGet() : other.session();
      try (Session.Binding bound = session.bind()) {
        // Few keys for each session, so that its calls meet each other.
        long[] keys = new long[4];
        for (int i = 0; i < keys.length; i++) {
          keys[i] = firstKeys[random.nextInt(firstKeys.length)] + random.nextInt(KEYS_PER_SHARD);
        }
        for (int i = 0; i < CALLS_WITHOUT_BREAK; i++) {
          call(id, keys[random.nextInt(keys.length)], random);
        }
      }
      if (random.nextInt(2) == 0) {
        say("token " + id + " " + session.token());
      }
    }
  }

  private void call(long session, long key, SplittableRandom random) {
    int dice = random.nextInt(100);
    Kind kind = Kind.SESSION_READ;
    if (dice < 15) {
      kind = Kind.WRITE;
    } else if (dice < 23) {
      kind = Kind.STRONG_READ;
    } else if (dice < 30) {
      kind = Kind.BOUNDED_READ;
    } else if (dice < 33) {
      kind = Kind.EVENTUAL_READ;
    }
    long writer = kind == Kind.WRITE ? number * 1_000_000_000L + writes.incrementAndGet() : 0;
    Result result = Result.OK;
    long[] row = {0, writer};
    long start = System.nanoTime();
    try {
      if (kind == Kind.WRITE) {
        row[0] = database.<Long, SQLException>write(key, c -> write(c, key, writer));
      } else {
        row = database.<long[], SQLException>read(key, consistency(kind), c -> read(c, key));
      }
    } catch (WaymarkException failure) {
      result = resultOf(failure);
    } catch (SQLException failure) {
      result = resultOf(failure);
    }
    long end = System.nanoTime();
    record(new Operation(session, number, kind, result, key, row[0], row[1], start, end));
  }

  private Consistency consistency(Kind kind) {
    if (guards == Guards.OFF) {
      return Consistency.eventual();
    }
    return switch (kind) {
      case STRONG_READ -> Consistency.strong();
      case BOUNDED_READ -> Consistency.boundedStaleness(BOUND);
      case EVENTUAL_READ -> Consistency.eventual();
      case SESSION_READ, WRITE -> Consistency.session();
      case L1_READ, NEAR_READ, L2_READ, LOADED_READ, REPLICA_READ, OWED_READ, REST_READ ->
          throw new IllegalArgumentException("There is no cache here to ask for " + kind);
    };
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

  private static long write(Connection connection, long key, long writer) throws SQLException {
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
      return version;
    }
  }

  private static long[] read(Connection connection, long key) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT version, writer FROM registers WHERE id = ?")) {
      select.setLong(1, key);
      try (ResultSet answer = select.executeQuery()) {
        answer.next();
        return new long[] {answer.getLong(1), answer.getLong(2)};
      }
    }
  }

  private void record(Operation operation) {
    long count = done.incrementAndGet();
    synchronized (out) {
      try {
        operation.write(out);
      } catch (IOException failure) {
        throw new IllegalStateException("The history cannot be recorded", failure);
      }
    }
    if (count % 500 == 0) {
      say("ops " + count);
    }
  }

  private static void say(@Nullable String line) {
    synchronized (System.out) {
      System.out.println(line);
    }
  }
}
