package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Consistency;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** When an engine is started and closed. No shard is asked: each query ends as one refused. */
class EngineQueriesTest {
  private static final String SQL = "SELECT count(DISTINCT country) FROM users";
  private static final Map<String, List<String>> OLD = Map.of("users", List.of("id", "country"));
  private static final Map<String, List<String>> NEW =
      Map.of("users", List.of("id", "country", "size"));

  /** What has happened to the engines, which have numbers from 1 on. */
  private final List<String> log = new ArrayList<>();

  /** Runs within the next query, while it uses its engine. */
  private @Nullable Within within;

  private final EngineQueries queries = queries();

  private interface Within {
    void run() throws SQLException;
  }

  /** An engine that asks nobody. */
  private final class Asking implements CrossShardEngine {
    private int number;

    @Override
    public Merger start(Layout layout) {
      number++;
      int own = number;
      log.add("start " + own);
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
          throw new IllegalStateException("Not understood");
        }

        @Override
        public void close() {
          log.add("close " + own);
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
        new Asking(), map, List.of(), null, System::nanoTime, Duration.ofMinutes(1));
  }

  private void query(Map<String, List<String>> columns, long version) {
    Plan plan = SmallCatalogue.plan(SQL);
    Plan at =
        new Plan(
            plan.verdict(),
            plan.keys(),
            plan.merged(),
            plan.refusal(),
            plan.spread(),
            new Delegated(null, null, columns, List.of()),
            plan.tables(),
            plan.hints(),
            version);
    assertThatThrownBy(
            () ->
                queries.query(
                    SQL,
                    at,
                    Objects.requireNonNull(at.delegated()),
                    BoundValues.none(),
                    new FanOut.Options(
                        SqlScanner.Markers.JDBC,
                        0,
                        0,
                        0,
                        null,
                        Consistency.strong(),
                        new FanOut.Canceller()),
                    Objects.requireNonNull(at.refusal())))
        .isInstanceOf(SQLException.class);
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
  void aClosedDatabaseStartsNone() {
    query(OLD, 3);
    queries.close();
    query(OLD, 4);
    assertThat(log).containsExactly("start 1", "ask 1", "close 1");
  }
}
