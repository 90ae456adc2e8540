package dev.waymark.benchmarks;

import dev.waymark.Consistency;
import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Role;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/** Figures of routing on real servers: offload, a promotion. */
final class RoutingFigures {
  private static final int KEYS = 10_000;
  private static final int CLIENTS = 4;

  private final Bench bench;
  private final boolean quick;

  private RoutingFigures(Bench bench) {
    this.bench = bench;
    this.quick = bench.effort() == Effort.QUICK;
  }

  static void run(Bench bench) throws IOException {
    RoutingFigures figures = new RoutingFigures(bench);
    try {
      bench.measure("offload", figures::offload);
      bench.measure("promotion", figures::promotion);
    } finally {
      bench.cores().release();
    }
  }

  private void row(String group, String contender, Metric metric, double... samples) {
    bench.summary().add(group, contender, metric, samples);
  }

  // ---- offload --------------------------------------------------------------------------------

  /** How a client decides how to read. */
  private interface Reader {
    Consistency next(long lastWriteNanos);
  }

  private void offload() throws InterruptedException {
    try (TestCluster cluster = start();
        ShardedDatabase database = ShardedDatabase.open(config(cluster.shard(0)))) {
      Reader session = written -> Consistency.session();
      Reader any = written -> Consistency.eventual();
      Reader sticky =
          written ->
              written != 0 && System.nanoTime() - written < Duration.ofSeconds(2).toNanos()
                  ? Consistency.strong()
                  : Consistency.eventual();
      int rounds = quick ? 1 : 2;
      double[][] shares = new double[4][rounds];
      for (int round = 0; round < rounds; round++) {
        shares[0][round] = share(database, true, session);
        shares[1][round] = share(database, false, session);
        shares[2][round] = share(database, true, any);
        shares[3][round] = share(database, true, sticky);
      }
      Metric share = Metric.counted("reads_on_replicas", "share");
      // The baseline asks for nothing, so it may always read from a replica.
      row("offload", Summary.RAW, share, shares[2]);
      row("offload", "waymark-session", share, shares[0]);
      row("offload", "waymark-keyed", share, shares[1]);
      row("offload", "sticky-2s", share, shares[3]);
    }
  }

  /** Clients with 10 % writes and about 5 ms between two calls; the share of reads on replicas. */
  private double share(ShardedDatabase database, boolean isBound, Reader reader)
      throws InterruptedException {
    AtomicLong onReplicas = new AtomicLong();
    AtomicLong reads = new AtomicLong();
    long end = System.nanoTime() + Duration.ofSeconds(quick ? 1 : 5).toNanos();
    inParallel(
        client -> {
          SplittableRandom random = new SplittableRandom(client);
          Session session = database.newSession();
          long written = 0;
          while (System.nanoTime() < end) {
            long key = 1 + random.nextInt(KEYS);
            try (Session.Binding bound = isBound ? session.bind() : () -> {}) {
              if (random.nextInt(10) == 0) {
                database.<Integer, SQLException>write(key, c -> save(c, key));
                written = System.nanoTime();
              } else {
                Role role =
                    database
                        .<String, SQLException>readPositioned(
                            key, reader.next(written), c -> find(c, key))
                        .route()
                        .role();
                reads.incrementAndGet();
                onReplicas.addAndGet(role == Role.REPLICA ? 1 : 0);
              }
            }
            Thread.sleep(random.nextInt(10));
          }
        });
    return onReplicas.get() / (double) reads.get();
  }

  // ---- promotion ------------------------------------------------------------------------------

  private void promotion() throws InterruptedException {
    int rounds = quick ? 1 : 5;
    double[] gaps = new double[rounds];
    AtomicLong refusals = new AtomicLong();
    for (int round = 0; round < rounds; round++) {
      try (TestCluster cluster = start();
          ShardedDatabase database = ShardedDatabase.open(config(cluster.shard(0)))) {
        AtomicBoolean done = new AtomicBoolean();
        Queue<Long> written = new ConcurrentLinkedQueue<>();
        Thread writer =
            new Thread(
                () -> {
                  while (!done.get()) {
                    try {
                      database.<Integer, SQLException>write(7, c -> save(c, 7));
                      written.add(System.nanoTime());
                    } catch (SQLException | RuntimeException failure) {
                      for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
                        if (cause instanceof SQLException sql
                            && "25006".equals(sql.getSQLState())) {
                          refusals.incrementAndGet();
                        }
                      }
                    }
                  }
                });
        writer.start();
        Thread.sleep(1_000);
        PostgresServer heir = cluster.shard(0).replicas().get(0);
        cluster.shard(0).primary().kill();
        AtomicLong acceptedAt = new AtomicLong();
        Thread witness =
            new Thread(
                () -> {
                  while (acceptedAt.get() == 0) {
                    try (Connection own = heir.connect()) {
                      while (acceptedAt.get() == 0) {
                        try {
                          save(own, 8);
                          acceptedAt.set(System.nanoTime());
                        } catch (SQLException notYet) {
                          Thread.onSpinWait();
                        }
                      }
                    } catch (SQLException notYet) {
                      Thread.onSpinWait();
                    }
                  }
                });
        witness.start();
        heir.promote();
        witness.join();
        long accepted = acceptedAt.get();
        while (written.stream().noneMatch(at -> at > accepted)) {
          Thread.sleep(1);
        }
        long first =
            written.stream().mapToLong(Long::longValue).filter(at -> at > accepted).min().orElse(0);
        gaps[round] = (first - accepted) / 1e6;
        done.set(true);
        writer.join();
      }
    }
    row("promotion", "waymark-keyed", Metric.wall("to_first_write_ms", "ms"), gaps);
    row("promotion", "waymark-keyed", Metric.counted("refused_25006", "errors"), refusals.get());
  }

  // ---- the rest -------------------------------------------------------------------------------

  private TestCluster start() {
    TestCluster cluster = bench.cores().start(TestCluster.builder().shards(1).replicas(2));
    cluster
        .shard(0)
        .primary()
        .execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL); INSERT INTO users"
                + " SELECT id, 'user ' || id FROM generate_series(1, "
                + KEYS
                + ") AS id");
    return cluster;
  }

  private static WaymarkConfig config(ShardServers shard) {
    PostgresServer any = shard.servers().get(0);
    ShardMap map =
        ShardMap.of(
            1,
            List.of(
                new Shard(
                    shard.name(),
                    shard.servers().stream()
                        .map(server -> new Node(server.name(), server.url()))
                        .toList())),
            List.of(new OwnedRange(new KeyRange(1, KEYS + 1), shard.name())),
            List.of(new Table.Sharded("users", "id")));
    return WaymarkConfig.of(map, new Credentials(any.user(), any.password()));
  }

  private static int save(Connection connection, long key) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE users SET name = 'changed' WHERE id = ?")) {
      update.setLong(1, key);
      return update.executeUpdate();
    }
  }

  private static String find(Connection connection, long key) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT name FROM users WHERE id = ?")) {
      select.setLong(1, key);
      try (ResultSet answer = select.executeQuery()) {
        answer.next();
        return answer.getString(1);
      }
    }
  }

  private interface Client {
    void run(int number) throws SQLException, InterruptedException;
  }

  private static void inParallel(Client client) throws InterruptedException {
    List<Thread> threads = new ArrayList<>();
    Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    for (int i = 0; i < CLIENTS; i++) {
      int number = i;
      Thread thread =
          new Thread(
              () -> {
                try {
                  client.run(number);
                } catch (SQLException | InterruptedException | RuntimeException failure) {
                  failures.add(failure);
                }
              });
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join();
    }
    if (!failures.isEmpty()) {
      throw new IllegalStateException("A client failed", failures.peek());
    }
  }
}
