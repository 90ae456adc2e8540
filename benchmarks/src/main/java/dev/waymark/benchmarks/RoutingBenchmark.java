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
import dev.waymark.routing.RoutingMetrics;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.NullUnmarked;
import org.openjdk.jmh.annotations.AuxCounters;
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
 * What the way to a connection costs: through Waymark (shard map, freshness, replica choice,
 * deadline, retry), and through an {@code if} and two HikariCP pools. The driver is a stub that
 * answers at once, and nothing is asked of the connection but which one it is.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
@NullUnmarked // JMH fills the fields before it calls a benchmark.
public class RoutingBenchmark {
  private static final long SPLIT = 1_000_000;

  private HikariDataSource lower;
  private HikariDataSource upper;
  private ShardedDatabase database;
  private ShardedDatabase observed;
  private Session session;

  /** The key of each operation, and what the thread has used of the processor. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.EVENTS)
  public static class Calls {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** Nanoseconds of the processor in this iteration. */
    public long cpuNanos;

    /** Operations in this iteration. */
    public long operations;

    private long cpuBefore;
    private long key;

    /** Starts the iteration's clock. */
    @Setup(Level.Iteration)
    public void begin() {
      operations = 0;
      cpuBefore = THREADS.getCurrentThreadCpuTime();
    }

    /** Reads the iteration's clock. */
    @TearDown(Level.Iteration)
    public void end() {
      cpuNanos = THREADS.getCurrentThreadCpuTime() - cpuBefore;
    }

    long next() {
      operations++;
      key = key * 6364136223846793005L + 1442695040888963407L;
      return 1 + (key >>> 44);
    }
  }

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
    session = database.newSession();
    RoutingMetrics metrics = new RoutingMetrics(new SimpleMeterRegistry());
    observed = ShardedDatabase.open(WaymarkConfig.of(map, new Credentials("app", "")), metrics);
    metrics.watch(observed);
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
    observed.close();
    lower.close();
    upper.close();
  }

  /** The baseline. */
  @Benchmark
  public int raw(Calls calls) throws SQLException {
    long key = calls.next();
    try (Connection connection = (key < SPLIT / 2 ? lower : upper).getConnection()) {
      return use(connection, key);
    }
  }

  /** The null control: the same as {@link #raw} once more. Its difference to raw is the noise. */
  @Benchmark
  public int raw2(Calls calls) throws SQLException {
    long key = calls.next();
    try (Connection connection = (key < SPLIT / 2 ? lower : upper).getConnection()) {
      return use(connection, key);
    }
  }

  /** Waymark's keyed read with session consistency. */
  @Benchmark
  public int waymarkKeyed(Calls calls) throws SQLException {
    long key = calls.next();
    return database.<Integer, SQLException>read(key, connection -> use(connection, key));
  }

  /** The same with everything counted and timed in a Micrometer registry. */
  @Benchmark
  public int waymarkObserved(Calls calls) throws SQLException {
    long key = calls.next();
    return observed.<Integer, SQLException>read(key, connection -> use(connection, key));
  }

  /** The same within a bound session, which must not go back in time either. */
  @Benchmark
  public int waymarkInSession(Calls calls) throws SQLException {
    long key = calls.next();
    try (Session.Binding bound = session.bind()) {
      return database.<Integer, SQLException>read(key, connection -> use(connection, key));
    }
  }

  /** Never inlined: what an application does with a connection is far too much for that. */
  @CompilerControl(CompilerControl.Mode.DONT_INLINE)
  private static int use(Connection connection, long key) throws SQLException {
    return connection.isClosed() ? -1 : (int) (key & 127);
  }
}
