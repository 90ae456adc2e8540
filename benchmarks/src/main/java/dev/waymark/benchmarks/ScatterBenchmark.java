package dev.waymark.benchmarks;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.ShardedDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.jspecify.annotations.NullUnmarked;
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
 * A query over three shards: by Waymark, and by hand with three pools, an executor and a merge. By
 * hand each shard is asked for its own key only, and the calling thread asks the last one itself.
 *
 * <p>The servers are started by {@link ScatterRun}, which passes their addresses on.
 */
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
@NullUnmarked // JMH fills the fields before it calls a benchmark.
public class ScatterBenchmark {
  static final int SHARDS = 3;
  static final int USERS_PER_SHARD = 10_000;
  private static final int POOL_SIZE = 4;
  private static final int NEWEST = 20;
  private static final String BY_KEY = "SELECT id, name FROM users WHERE id IN (?, ?, ?)";
  private static final String OWN_KEY = "SELECT id, name FROM users WHERE id IN (?)";
  private static final String BY_AGE = "SELECT id, name FROM users ORDER BY id DESC LIMIT 20";

  /** Three keys, one on each shard; or the newest 20 of all. */
  @Param({"in", "newest"})
  public String query;

  private final List<HikariDataSource> pools = new ArrayList<>();
  private ExecutorService executor;
  private ShardedDatabase database;
  private DataSource dataSource;

  /** What is made of a row. */
  public record User(long id, String name) {}

  /** Opens both contenders. */
  @Setup(Level.Trial)
  public void open() throws SQLException {
    Credentials credentials =
        new Credentials(System.getProperty("bench.user"), System.getProperty("bench.password"));
    List<Shard> shards = new ArrayList<>();
    List<OwnedRange> ranges = new ArrayList<>();
    for (int i = 0; i < SHARDS; i++) {
      String url = System.getProperty("bench.shard." + i);
      HikariConfig hikari = new HikariConfig();
      hikari.setJdbcUrl(url);
      hikari.setUsername(credentials.user());
      hikari.setPassword(credentials.password());
      hikari.setMaximumPoolSize(POOL_SIZE);
      pools.add(new HikariDataSource(hikari));
      shards.add(new Shard("shard-" + i, List.of(Node.at(url))));
      long from = 1 + i * (long) USERS_PER_SHARD;
      ranges.add(new OwnedRange(new KeyRange(from, from + USERS_PER_SHARD), "shard-" + i));
    }
    executor = Executors.newCachedThreadPool();
    Table users = new Table.Sharded("users", "id");
    database =
        ShardedDatabase.open(
            WaymarkConfig.of(ShardMap.of(1, shards, ranges, List.of(users)), credentials)
                .withPool(
                    new WaymarkConfig.Pool(
                        POOL_SIZE, Duration.ofSeconds(1), Duration.ofSeconds(1))));
    dataSource = database.dataSource();
  }

  /** Closes both contenders. */
  @TearDown(Level.Trial)
  public void close() {
    database.close();
    pools.forEach(HikariDataSource::close);
    executor.shutdownNow();
  }

  /** The baseline. */
  @Benchmark
  public List<User> raw() throws SQLException {
    return byHand();
  }

  /** The null control: the same as {@link #raw} once more. Its ratio to raw is the noise. */
  @Benchmark
  public List<User> raw2() throws SQLException {
    return byHand();
  }

  /** Waymark's data source. */
  @Benchmark
  public List<User> waymark() throws SQLException {
    boolean isByKey = query.equals("in");
    try (Connection connection = dataSource.getConnection();
        PreparedStatement statement = connection.prepareStatement(isByKey ? BY_KEY : BY_AGE)) {
      if (isByKey) {
        for (int shard = 0; shard < SHARDS; shard++) {
          statement.setLong(shard + 1, key(shard));
        }
      }
      try (ResultSet rows = statement.executeQuery()) {
        return users(rows);
      }
    }
  }

  private static long key(int shard) {
    return 1
        + shard * (long) USERS_PER_SHARD
        + ThreadLocalRandom.current().nextInt(USERS_PER_SHARD);
  }

  private List<User> byHand() throws SQLException {
    List<CompletableFuture<List<User>>> running = new ArrayList<>(SHARDS);
    for (int i = 0; i < SHARDS - 1; i++) {
      int shard = i;
      running.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return ask(shard);
                } catch (SQLException failure) {
                  throw new CompletionException(failure);
                }
              },
              executor));
    }
    List<User> found = new ArrayList<>(ask(SHARDS - 1));
    for (CompletableFuture<List<User>> each : running) {
      found.addAll(each.join());
    }
    if (query.equals("in")) {
      return found;
    }
    found.sort(Comparator.comparingLong(User::id).reversed());
    return found.subList(0, NEWEST);
  }

  private List<User> ask(int shard) throws SQLException {
    boolean isByKey = query.equals("in");
    try (Connection connection = pools.get(shard).getConnection();
        PreparedStatement statement = connection.prepareStatement(isByKey ? OWN_KEY : BY_AGE)) {
      if (isByKey) {
        statement.setLong(1, key(shard));
      }
      try (ResultSet rows = statement.executeQuery()) {
        return users(rows);
      }
    }
  }

  private static List<User> users(ResultSet rows) throws SQLException {
    List<User> users = new ArrayList<>();
    while (rows.next()) {
      users.add(new User(rows.getLong(1), rows.getString(2)));
    }
    return users;
  }
}
