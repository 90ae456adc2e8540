package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.KeySource.Keys;
import dev.waymark.routing.Merged.Role;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Holds what is claimed of keys and merges against the truth: a schema with all rows, beside two
 * that hold a half of them each, as shards would.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ConfinementIT {
  private static final int STATEMENTS = 12_000;
  private static final long SEED = 20_261_126;

  private TestCluster cluster;
  private SqlCatalogue catalogue;

  @BeforeAll
  void startCluster() throws SQLException {
    cluster = TestCluster.builder().shards(1).replicas(0).start();
    for (String half : List.of("whole", "lower", "upper")) {
      String keys = half.equals("whole") ? "1, 6" : half.equals("lower") ? "1, 3" : "4, 6";
      server()
          .execute(
              """
              CREATE SCHEMA %1$s;
              SET search_path = %1$s;
              CREATE TABLE users (id bigint PRIMARY KEY, name text, country text);
              CREATE TABLE orders (id bigint, user_id bigint, total int);
              CREATE TABLE payments (id bigint, user_id bigint, amount int);
              CREATE TABLE countries (code text, name text);
              INSERT INTO users SELECT k, 'user ' || k, chr(97 + k %% 3) FROM generate_series(%2$s) k;
              INSERT INTO orders SELECT k * 10 + n, k, (k * 7 + n) %% 5
                FROM generate_series(%2$s) k, generate_series(1, k %% 3) n;
              INSERT INTO payments SELECT k * 10 + n, k, (k * 3 + n) %% 4
                FROM generate_series(%2$s) k, generate_series(1, (k + 1) %% 3) n;
              INSERT INTO countries VALUES ('a', 'A'), ('b', 'B'), ('c', 'C');
              """
                  .formatted(half, keys));
    }
    try (Connection connection = connect("whole")) {
      catalogue = new SqlCatalogueLoader().load(connection);
    }
  }

  @AfterAll
  void stopCluster() {
    cluster.close();
  }

  private PostgresServer server() {
    return cluster.shard(0).primary();
  }

  private Connection connect(String schema) throws SQLException {
    return DriverManager.getConnection(
        server().url()
            + (server().url().contains("?") ? "&" : "?")
            + "currentSchema="
            + schema
            + "&options=-c%20statement_timeout=5s",
        server().user(),
        server().password());
  }

  @Test
  void oneShardGivesWhatAllRowsGiveIfTheKeysAreItsOwn() throws SQLException {
    Planner planner = planner();
    RandomStatements statements = new RandomStatements(SEED);
    int confined = 0;
    int refused = 0;
    try (Connection whole = connect("whole");
        Connection lower = connect("lower")) {
      for (int i = 0; i < STATEMENTS; i++) {
        String sql = statements.query();
        Plan plan = planner.plan(sql, SqlScanner.Markers.NONE);
        if (plan.refusal() != null || !(plan.keys() instanceof Keys keys) || !isLower(keys)) {
          refused++;
          continue;
        }
        List<String> expected = rows(whole, sql);
        if (expected != null) {
          confined++;
          assertThat(rows(lower, sql)).as("%s%n%s", sql, plan.describe()).isEqualTo(expected);
        }
      }
    }
    System.out.printf("%d statements on one shard, %d refused or elsewhere%n", confined, refused);
    assertThat(confined).isGreaterThan(STATEMENTS / 10);
    assertThat(refused).isGreaterThan(STATEMENTS / 10);
  }

  @Test
  void theHalvesMergedGiveWhatAllRowsGive() throws SQLException {
    Planner planner = planner();
    RandomStatements statements = new RandomStatements(SEED + 1);
    int merged = 0;
    try (Connection whole = connect("whole");
        Connection lower = connect("lower");
        Connection upper = connect("upper")) {
      for (int i = 0; i < STATEMENTS; i++) {
        String sql = statements.query();
        Plan plan = planner.plan(sql, SqlScanner.Markers.NONE);
        List<String> expected = plan.merged() == null ? null : rows(whole, sql);
        if (expected != null) {
          merged++;
          List<String> low = Objects.requireNonNull(rows(lower, sql));
          List<String> high = Objects.requireNonNull(rows(upper, sql));
          assertThat(merge(plan.merged(), low, high))
              .as("%s%n%s", sql, plan.describe())
              .isEqualTo(expected);
        }
      }
    }
    System.out.printf("%d statements merged from two shards%n", merged);
    assertThat(merged).isGreaterThan(STATEMENTS / 50);
  }

  private Planner planner() {
    return new Planner(
        SmallCatalogue.TABLES, catalogue, SqlScanner.Backslash.LITERAL, SmallCatalogue.READER);
  }

  private static boolean isLower(Keys keys) {
    TreeSet<Long> asked = keys.keys(number -> null);
    return asked.stream().allMatch(key -> key <= 3)
        && keys.spans().stream()
            .map(span -> span.ends(number -> null))
            .allMatch(ends -> ends == null || ends[0] >= 1 && ends[1] <= 3);
  }

  private static List<String> merge(Merged merged, List<String> low, List<String> high) {
    if (merged.columns().isEmpty()) {
      return Stream.concat(low.stream(), high.stream()).sorted().toList();
    }
    // Totals without groups: one row of each.
    String[] one = low.get(0).split("\\|");
    String[] other = high.get(0).split("\\|");
    List<String> total = new ArrayList<>();
    for (int i = 0; i < one.length; i++) {
      total.add(add(merged.columns().get(i), one[i], other[i]));
    }
    return List.of(String.join("|", total));
  }

  private static String add(Role role, String one, String other) {
    if (one.equals("null")) {
      return other;
    } else if (other.equals("null")) {
      return one;
    }
    return switch (role) {
      case COUNT, SUM -> Long.toString(Long.parseLong(one) + Long.parseLong(other));
      case MIN -> lesser(one, other) ? one : other;
      case MAX -> lesser(one, other) ? other : one;
      case GROUP, AVERAGE -> throw new IllegalStateException("not generated");
    };
  }

  private static boolean lesser(String one, String other) {
    return one.matches("-?\\d+")
        ? Long.parseLong(one) < Long.parseLong(other)
        : one.compareTo(other) < 0;
  }

  /** The rows in an order of our own, null if the server refuses the statement. */
  private static List<String> rows(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet answer = statement.executeQuery(sql)) {
      List<String> rows = new ArrayList<>();
      int columns = answer.getMetaData().getColumnCount();
      while (answer.next()) {
        StringBuilder row = new StringBuilder();
        for (int i = 1; i <= columns; i++) {
          row.append(i == 1 ? "" : "|").append(answer.getString(i));
        }
        rows.add(row.toString());
      }
      Collections.sort(rows);
      return rows;
    } catch (SQLException refused) {
      // A syntax error would mean that the generator is wrong.
      assertThat(refused.getSQLState())
          .as("%s: %s", sql, refused.getMessage())
          .isNotEqualTo("42601");
      return null;
    }
  }
}
