package dev.waymark.testkit;

import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * PostgreSQL shards, each a primary with its streaming replicas, and if wanted a Redis: real
 * servers on free ports of 127.0.0.1, gone without a trace when it is closed or when the JVM ends,
 * however that ends.
 *
 * <pre>{@code
 * try (TestCluster cluster = TestCluster.builder().shards(2).replicas(1).redis().start()) {
 *   PostgresServer primary = cluster.shard("shard-1").primary();
 *   primary.execute("CREATE TABLE users (id bigint PRIMARY KEY)");
 *   primary.kill();
 *   cluster.shard("shard-1").replicas().get(0).promote();
 * }
 * }</pre>
 *
 * <p>With {@code -Dwaymark.testkit=docker} the servers run in containers instead, by
 * Testcontainers; a JVM that is killed then leaves them to Testcontainers' own reaper.
 *
 * <p>Each shard has a system identifier of its own. Threads may share a cluster.
 */
public final class TestCluster implements AutoCloseable {

  private final List<ShardServers> shards;
  private final @Nullable RedisServer redis;
  private final Backend backend;

  private TestCluster(List<ShardServers> shards, @Nullable RedisServer redis, Backend backend) {
    this.shards = List.copyOf(shards);
    this.redis = redis;
    this.backend = backend;
  }

  /** A builder of one shard without replicas and without Redis. */
  public static Builder builder() {
    return new Builder();
  }

  /** The shards in order: {@code shard-1}, {@code shard-2} and so on. */
  public List<ShardServers> shards() {
    return shards;
  }

  /**
   * The shard of that name.
   *
   * @throws IllegalArgumentException if there is none
   */
  public ShardServers shard(String name) {
    return shards.stream()
        .filter(shard -> shard.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "No shard '%s'; there are %s"
                        .formatted(name, shards.stream().map(ShardServers::name).toList())));
  }

  /**
   * The shard at that place, counted from zero.
   *
   * @throws IndexOutOfBoundsException if there is none
   */
  public ShardServers shard(int index) {
    return shards.get(index);
  }

  /** Every PostgreSQL node of every shard, running or not. */
  public List<PostgresServer> servers() {
    return shards.stream().flatMap(shard -> shard.servers().stream()).toList();
  }

  /**
   * The Redis.
   *
   * @throws IllegalStateException if the builder was not asked for one
   */
  public RedisServer redis() {
    if (redis == null) {
      throw new IllegalStateException(
          "This cluster has no Redis; ask for one with TestCluster.builder().redis()");
    }
    return redis;
  }

  /**
   * Ends every server, frozen ones too, and deletes all their files; returns when both are done.
   * Closing again does nothing.
   *
   * @throws IllegalStateException if servers or files were left after 30 s
   */
  @Override
  public void close() {
    backend.close();
  }

  @Override
  public String toString() {
    return "TestCluster" + shards + (redis == null ? "" : ", " + redis);
  }

  /** Collects what a cluster shall be. Not for several threads at once. */
  public static final class Builder {

    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String PASSWORD_CHARACTERS =
        "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

    private int shards = 1;
    private int replicas;
    private boolean redis;
    private String database = "app";
    private final Map<String, String> extra = new LinkedHashMap<>();
    private Consumer<String> progress = line -> {};

    private Builder() {}

    /** The number of shards; default 1. */
    public Builder shards(int count) {
      if (count < 0) {
        throw new IllegalArgumentException("A cluster cannot have " + count + " shards");
      }
      this.shards = count;
      return this;
    }

    /** The number of replicas of each shard; default 0. */
    public Builder replicas(int perShard) {
      if (perShard < 0 || perShard >= ShardServers.MOST_SERVERS) {
        throw new IllegalArgumentException(
            "%d replicas per shard are not in 0..%d"
                .formatted(perShard, ShardServers.MOST_SERVERS - 1));
      }
      this.replicas = perShard;
      return this;
    }

    /** Also start a Redis; default none. */
    public Builder redis() {
      this.redis = true;
      return this;
    }

    /** The application's database on every shard; default {@code app}. */
    public Builder database(String name) {
      if (!name.matches("[a-z][a-z0-9_]{0,62}") || name.matches("postgres|template[01]")) {
        throw new IllegalArgumentException(
            "'%s' is no name for the database: take lower case letters, digits and _, and not one of PostgreSQL's own"
                .formatted(name));
      }
      this.database = name;
      return this;
    }

    /**
     * A setting of {@code postgresql.conf} for every node; it wins over the kit's own.
     *
     * @throws IllegalArgumentException if it is no setting's name, or decides where a node is
     */
    public Builder setting(String name, String value) {
      PostgresSettings.checkExtra(name, value);
      extra.put(name, value);
      return this;
    }

    /** Is told in words what goes on, one line at a time; default nobody. */
    public Builder progress(Consumer<String> listener) {
      this.progress = listener;
      return this;
    }

    /**
     * Starts the cluster and returns when every node accepts connections and every replica streams
     * and shows the application's database.
     *
     * @throws IllegalStateException if that does not come about; nothing is left running then, and
     *     the message carries the end of the server's log, or says what is missing (Testcontainers,
     *     a Docker engine, an image) for servers in containers
     */
    public TestCluster start() {
      Consumer<String> oneAtATime =
          line -> {
            synchronized (this) {
              progress.accept(line);
            }
          };
      Backend backend = ServerHome.chosen().open(oneAtATime);
      try {
        return new Start(this, backend, oneAtATime).run();
      } catch (RuntimeException | Error e) {
        try {
          backend.close();
        } catch (RuntimeException left) {
          e.addSuppressed(left);
        }
        throw e;
      }
    }

    private PostgresSettings settings() {
      return new PostgresSettings(database, newPassword(), newPassword(), extra);
    }

    private static String newPassword() {
      StringBuilder password = new StringBuilder();
      for (int i = 0; i < 20; i++) {
        password.append(PASSWORD_CHARACTERS.charAt(RANDOM.nextInt(PASSWORD_CHARACTERS.length())));
      }
      return password.toString();
    }
  }

  /** One start: servers in parallel, but no more at a time than the machine has processors. */
  private static final class Start {

    private final Builder wanted;
    private final Backend backend;
    private final Consumer<String> progress;
    private final ExecutorService workers;
    private final long begin = System.nanoTime();

    Start(Builder wanted, Backend backend, Consumer<String> progress) {
      this.wanted = wanted;
      this.backend = backend;
      this.progress = progress;
      int threads = Math.max(2, Math.min(8, Runtime.getRuntime().availableProcessors()));
      this.workers =
          Executors.newFixedThreadPool(
              threads,
              task -> {
                Thread thread = new Thread(task, "waymark-testkit-start");
                thread.setDaemon(true);
                return thread;
              });
    }

    TestCluster run() {
      try {
        PostgresSettings settings = wanted.settings();
        List<ShardServers> shards = new ArrayList<>();
        List<Callable<@Nullable Void>> first = new ArrayList<>();
        for (int i = 1; i <= wanted.shards; i++) {
          ShardServers shard = new ShardServers("shard-" + i, settings, backend);
          shards.add(shard);
          first.add(
              () -> {
                shard.startPrimary(wanted.replicas);
                ready(shard.servers().get(0), "primary");
                return null;
              });
        }
        RedisServer redis = null;
        if (wanted.redis) {
          Backend.ServerControl control = backend.redis("redis");
          redis = new RedisServer(control);
          RedisServer starting = redis;
          first.add(
              () -> {
                starting.start();
                ready(starting, "empty");
                return null;
              });
        }
        all(first);
        List<Callable<@Nullable Void>> second = new ArrayList<>();
        for (ShardServers shard : shards) {
          List<PostgresServer> servers = shard.servers();
          for (PostgresServer replica : servers.subList(1, servers.size())) {
            second.add(
                () -> {
                  shard.startReplica(replica);
                  ready(replica, "streaming replica");
                  return null;
                });
          }
        }
        all(second);
        return new TestCluster(shards, redis, backend);
      } finally {
        workers.shutdownNow();
      }
    }

    private void ready(Object server, String as) {
      Duration taken = Duration.ofNanos(System.nanoTime() - begin);
      progress.accept("%s: %s, after %s".formatted(server, as, Waiting.inSeconds(taken)));
    }

    /** Waits for every task, so that a failed start leaves nothing that still starts servers. */
    private void all(List<Callable<@Nullable Void>> tasks) {
      RuntimeException failure = null;
      try {
        for (Future<@Nullable Void> task : workers.invokeAll(tasks)) {
          try {
            task.get();
          } catch (ExecutionException e) {
            RuntimeException cause =
                e.getCause() instanceof RuntimeException known
                    ? known
                    : new IllegalStateException("Starting the cluster failed", e.getCause());
            if (failure == null) {
              failure = cause;
            } else {
              failure.addSuppressed(cause);
            }
          }
        }
      } catch (InterruptedException e) {
        throw Waiting.interrupted(e);
      }
      if (failure != null) {
        throw failure;
      }
    }
  }
}
