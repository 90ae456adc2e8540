package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.waymark.Consistency;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** When an engine is started and closed. No shard is asked: each query ends as one refused. */
class EngineQueriesTest {
  private static final String SQL = "SELECT count(DISTINCT country) FROM users";
  private static final Map<String, List<String>> OLD = Map.of("users", List.of("id", "country"));
  private static final Map<String, List<String>> NEW =
      Map.of("users", List.of("id", "country", "size"));

  /** What has happened to the engines, which have numbers from 1 on. */
  private final List<String> log = new CopyOnWriteArrayList<>();

  /** Runs within the next query, while it uses its engine. */
  private @Nullable Within within;

  private final EngineQueries queries = queries();

  /** Runs within the next start of an engine. */
  private volatile @Nullable Within starting;

  private FanOut.Canceller canceller = new FanOut.Canceller();

  /** Whether engines fail to close. */
  private boolean isStuck;

  private final AtomicLong clock = new AtomicLong();
  private final AtomicLong step = new AtomicLong();

  private interface Within {
    void run() throws SQLException;
  }

  /** An engine that asks nobody. */
  private final class Asking implements CrossShardEngine {
    private int number;

    @Override
    public Merger start(Layout layout) throws SQLException {
      number++;
      int own = number;
      log.add("start " + own);
      Within once = starting;
      starting = null;
      if (once != null) {
        once.run();
      }
      return new Merger() {
        @Override
        public List<List<@Nullable Object>> merge(String sql, List<Object> values, Shards shards)
            throws SQLException {
          log.add("ask " + own);
          Within once = within;
          within = null;
          if (once != null) {
            once.run();
          }
          if (Thread.currentThread().isInterrupted()) {
            // As ShardingSphere does: with what it has.
            return List.of();
          }
          throw new IllegalStateException("Not understood");
        }

        @Override
        public void close() {
          log.add("close " + own);
          if (isStuck) {
            throw new IllegalStateException("Stuck");
          }
        }
      };
    }
  }

  @SuppressWarnings("NullAway") // Nothing is read.
  private EngineQueries queries() {
    ShardMap map =
        ShardMap.of(
            1,
            List.of(new Shard("one", List.of(Node.at("jdbc:postgresql://a/app")))),
            List.of(new OwnedRange(new KeyRange(1, 100), "one")),
            List.copyOf(SmallCatalogue.TABLES.values()));
    return new EngineQueries(
        new Asking(),
        map,
        List.of(),
        null,
        () -> clock.getAndAdd(step.get()),
        Duration.ofMinutes(1));
  }

  private void query(Map<String, List<String>> columns, long version) {
    assertThat((Throwable) failure(columns, version)).isNotNull();
  }

  private SQLException failure(Map<String, List<String>> columns, long version) {
    Plan plan = SmallCatalogue.plan(SQL);
    Plan at =
        new Plan(
            plan.verdict(),
            plan.keys(),
            plan.merged(),
            plan.refusal(),
            plan.spread(),
            new Delegated(SQL, null, null, columns, List.of()),
            plan.tables(),
            plan.hints(),
            version);
    return catchThrowableOfType(
        SQLException.class,
        () ->
            queries.query(
                SQL,
                at,
                Objects.requireNonNull(at.delegated()),
                BoundValues.none(),
                new FanOut.Options(
                    SqlScanner.Markers.JDBC, 0, 0, 0, null, Consistency.strong(), canceller),
                Objects.requireNonNull(at.refusal())));
  }

  @Test
  void anEngineServesEveryVersionWithItsColumns() {
    query(OLD, 3);
    query(OLD, 4);
    query(OLD, 3);
    assertThat(log).containsExactly("start 1", "ask 1", "ask 1", "ask 1");
  }

  @Test
  void otherColumnsStartAnotherAndOlderPlansDoNotStartTheOldOne() {
    query(OLD, 3);
    query(NEW, 4);
    query(OLD, 3);
    assertThat(log).containsExactly("start 1", "ask 1", "start 2", "close 1", "ask 2", "ask 2");
  }

  @Test
  void whoeverUsesTheOldOneGoesOnWithIt() {
    within = () -> query(NEW, 4);
    query(OLD, 3);
    assertThat(log).containsExactly("start 1", "ask 1", "start 2", "ask 2", "close 1");
  }

  @Test
  void anInterruptedQueryIsNotAnswered() {
    query(OLD, 3);
    within = () -> Thread.currentThread().interrupt();
    SQLException failure = failure(OLD, 3);
    assertThat(Thread.interrupted()).isTrue();
    assertThat(failure.getSQLState()).isEqualTo("57014");
  }

  /** A start that goes on until it may end. */
  private CountDownLatch slowStart() {
    CountDownLatch mayEnd = new CountDownLatch(1);
    starting =
        () -> {
          try {
            mayEnd.await();
          } catch (InterruptedException interrupted) {
            throw new SQLException("Interrupted", interrupted);
          }
        };
    return mayEnd;
  }

  @Test
  void whoeverWaitsForAStartMayBeInterruptedAndItGoesOn() {
    CountDownLatch mayEnd = slowStart();
    Thread.currentThread().interrupt();
    SQLException failure = failure(OLD, 3);
    assertThat(Thread.interrupted()).isTrue();
    assertThat(failure.getSQLState()).isEqualTo("57014");

    mayEnd.countDown();
    query(OLD, 3);
    assertThat(log).containsExactly("start 1", "ask 1");
  }

  @Test
  void whoeverWaitsForAStartMayBeCancelledAndItGoesOn() {
    CountDownLatch mayEnd = slowStart();
    FanOut.Canceller first = canceller;
    CompletableFuture<SQLException> waiting = CompletableFuture.supplyAsync(() -> failure(OLD, 3));
    await().until(() -> log.equals(List.of("start 1")));
    first.cancel();
    assertThat(waiting.join().getSQLState()).isEqualTo("57014");

    canceller = new FanOut.Canceller();
    mayEnd.countDown();
    query(OLD, 3);
    assertThat(log).containsExactly("start 1", "ask 1");
  }

  @Test
  void whoeverWaitsForAStartHasADeadlineAndItGoesOn() {
    CountDownLatch mayEnd = slowStart();
    // Each look at the clock is later than any deadline.
    step.set(Duration.ofHours(1).toNanos());
    assertThat((Throwable) failure(OLD, 3))
        .isInstanceOf(SQLTimeoutException.class)
        .hasMessageContaining("goes on starting");

    step.set(0);
    mayEnd.countDown();
    query(OLD, 3);
    assertThat(log).containsExactly("start 1", "ask 1");
  }

  @Test
  void closingDoesNotWaitForAStartAndClosesWhatComesOfIt() {
    CountDownLatch mayEnd = slowStart();
    CompletableFuture<SQLException> waiting = CompletableFuture.supplyAsync(() -> failure(OLD, 3));
    await().until(() -> log.equals(List.of("start 1")));
    queries.close();
    assertThat(waiting.join().getSQLState()).isEqualTo("08003");
    assertThat(log).containsExactly("start 1");

    mayEnd.countDown();
    await().until(() -> log.equals(List.of("start 1", "close 1")));
  }

  @Test
  void aStartThatHasFailedIsTriedAgainAfterAWhile() {
    starting =
        () -> {
          throw new SQLException("Nobody is there", "08006");
        };
    assertThat((Throwable) failure(OLD, 3)).hasMessage("Nobody is there");
    clock.addAndGet(Duration.ofSeconds(9).toNanos());
    assertThat((Throwable) failure(OLD, 3))
        .hasMessageContaining("is tried again in 1 s: Nobody is there")
        .extracting(failure -> ((SQLException) failure).getSQLState())
        .isEqualTo("08006");
    assertThat(log).containsExactly("start 1");

    clock.addAndGet(Duration.ofSeconds(2).toNanos());
    query(OLD, 3);
    assertThat(log).containsExactly("start 1", "start 2", "ask 2");
  }

  @Test
  void anEngineThatBreaksWhenItStartsIsAnSqlException() {
    starting =
        () -> {
          throw new IllegalArgumentException("A rule");
        };
    assertThat((Throwable) failure(OLD, 3))
        .hasMessage("ShardingSphere did not start")
        .hasRootCauseMessage("A rule");
  }

  @Test
  void anEngineThatDoesNotCloseKeepsNothingElseOpen() {
    query(OLD, 3);
    isStuck = true;
    queries.close();
    queries.close();
    assertThat(log).containsExactly("start 1", "ask 1", "close 1");
  }

  @Test
  void aClosedDatabaseStartsNone() {
    query(OLD, 3);
    queries.close();
    query(OLD, 4);
    assertThat(log).containsExactly("start 1", "ask 1", "close 1");
  }
}
