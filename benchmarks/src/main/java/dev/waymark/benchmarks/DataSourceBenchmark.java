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
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.jspecify.annotations.NullUnmarked;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.CompilerControl;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What a keyed SELECT costs from taking a connection to closing it: through Waymark's data source
 * (the plan by its text, the key from a parameter, shard, freshness, replica, deadline), and
 * through an {@code if} and two HikariCP pools. The driver is a stub that answers at once, the same
 * for all.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
@NullUnmarked // JMH fills the fields before it calls a benchmark.
public class DataSourceBenchmark {
  private static final String SQL = StubDriver.KEYED + " WHERE id = ?";
  private static final long SPLIT = 1_000_000;

  private HikariDataSource lower;
  private HikariDataSource upper;
  private ShardedDatabase database;
  private DataSource dataSource;

  /** Opens all contenders. */
  @Setup(Level.Trial)
  public void open() throws SQLException {
    StubDriver.takeOver();
    lower = pool("jdbc:postgresql://replica-1:5432/app");
    upper = pool("jdbc:postgresql://replica-2:5432/app");
    ShardMap map =
        ShardMap.of(
            1,
            List.of(
                new Shard(
                    "shard-1",
                    List.of(
                        Node.at("jdbc:postgresql://primary:5432/app"),
                        Node.at("jdbc:postgresql://replica-1:5432/app"),
                        Node.at("jdbc:postgresql://replica-2:5432/app")))),
            List.of(new OwnedRange(new KeyRange(1, Long.MAX_VALUE), "shard-1")),
            List.of(new Table.Sharded("users", "id")));
    database = ShardedDatabase.open(WaymarkConfig.of(map, new Credentials("app", "")));
    dataSource = database.dataSource();
  }

  private static HikariDataSource pool(String url) {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(url);
    config.setUsername("app");
    config.setMaximumPoolSize(10);
    return new HikariDataSource(config);
  }

  /** Closes all contenders. */
  @TearDown(Level.Trial)
  public void close() {
    database.close();
    lower.close();
    upper.close();
  }

  /** The baseline. */
  @Benchmark
  public int raw(RoutingBenchmark.Calls calls) throws SQLException {
    long key = calls.next();
    return use(key < SPLIT / 2 ? lower : upper, key);
  }

  /** The null control: the same as {@link #raw} once more. Its difference to raw is the noise. */
  @Benchmark
  public int raw2(RoutingBenchmark.Calls calls) throws SQLException {
    long key = calls.next();
    return use(key < SPLIT / 2 ? lower : upper, key);
  }

  /** Waymark's data source with session consistency. */
  @Benchmark
  public int waymarkDataSource(RoutingBenchmark.Calls calls) throws SQLException {
    return use(dataSource, calls.next());
  }

  /** What an application does, the same for each. */
  @CompilerControl(CompilerControl.Mode.DONT_INLINE)
  private static int use(DataSource source, long key) throws SQLException {
    try (Connection connection = source.getConnection();
        PreparedStatement select = connection.prepareStatement(SQL)) {
      select.setLong(1, key);
      try (ResultSet rows = select.executeQuery()) {
        return rows.next() ? rows.getString(1).length() : -1;
      }
    }
  }
}
