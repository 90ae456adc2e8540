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
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.NullUnmarked;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * One user by key, from the same replica, with the same pool size, statement and row mapping: once
 * through Waymark (shard map, freshness, replica choice, retry), once through a bare pool.
 *
 * <p>The servers are started by {@link BenchmarkRun}, which passes their addresses on.
 */
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@State(Scope.Benchmark)
@NullUnmarked // JMH fills the fields before it calls a benchmark.
public class KeyedReadBenchmark {
  static final int USERS = 10_000;
  private static final int POOL_SIZE = 4;

  private HikariDataSource pool;
  private ShardedDatabase database;

  /** What a read makes of a row. */
  public record User(long id, String name) {}

  /** Opens both contenders. */
  @Setup(Level.Trial)
  public void open() {
    String primary = System.getProperty("bench.primary");
    String replica = System.getProperty("bench.replica");
    Credentials credentials =
        new Credentials(System.getProperty("bench.user"), System.getProperty("bench.password"));

    HikariConfig hikari = new HikariConfig();
    hikari.setJdbcUrl(replica);
    hikari.setUsername(credentials.user());
    hikari.setPassword(credentials.password());
    hikari.setMaximumPoolSize(POOL_SIZE);
    pool = new HikariDataSource(hikari);

    ShardMap map =
        ShardMap.of(
            1,
            List.of(new Shard("shard-1", List.of(Node.at(primary), Node.at(replica)))),
            List.of(new OwnedRange(new KeyRange(1, Long.MAX_VALUE), "shard-1")),
            List.of(new Table.Sharded("users", "id")));
    database =
        ShardedDatabase.open(
            WaymarkConfig.of(map, credentials)
                .withPool(
                    new WaymarkConfig.Pool(
                        POOL_SIZE, Duration.ofSeconds(1), Duration.ofSeconds(1))));
  }

  /** Closes both contenders. */
  @TearDown(Level.Trial)
  public void close() {
    database.close();
    pool.close();
  }

  /** The baseline: HikariCP and pgjdbc, straight to the replica. */
  @Benchmark
  public User raw() throws SQLException {
    long key = key();
    try (Connection connection = pool.getConnection()) {
      return find(connection, key);
    }
  }

  /** The null control: the same as {@link #raw} once more. Its ratio to raw is the noise. */
  @Benchmark
  public User raw2() throws SQLException {
    long key = key();
    try (Connection connection = pool.getConnection()) {
      return find(connection, key);
    }
  }

  /** Waymark's keyed read. */
  @Benchmark
  public User waymarkKeyed() throws SQLException {
    long key = key();
    return database.read(key, connection -> find(connection, key));
  }

  private static long key() {
    return ThreadLocalRandom.current().nextLong(1, USERS + 1);
  }

  private static User find(Connection connection, long key) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT id, name FROM users WHERE id = ?")) {
      statement.setLong(1, key);
      try (ResultSet row = statement.executeQuery()) {
        if (!row.next()) {
          throw new IllegalStateException("The benchmark's user " + key + " is missing");
        }
        return new User(row.getLong(1), row.getString(2));
      }
    }
  }
}
