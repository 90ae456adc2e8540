package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.waymark.Consistency;
import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.NodeState;
import dev.waymark.OwnedRange;
import dev.waymark.RoutingListener;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.sql.DataSource;
import org.apache.shardingsphere.infra.hint.HintManager;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Queries that are left to ShardingSphere, over three shards with rows and one without, held
 * against one server that has all rows: each must give the same, or be refused.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ShardingSphereIT {
  private static final int STATEMENTS =
      Integer.getInteger("waymark.differential.statements", 4_000);
  private static final long SEED = Long.getLong("waymark.differential.seed", 20_261_127);

  private TestCluster cluster;
  private final List<RoutingListener.NodeChange> changes = new CopyOnWriteArrayList<>();
  private ShardedDatabase database;
  private DataSource source;
  private Connection whole;

  @BeforeAll
  void start() throws SQLException {
    // One shard without rows; the last server is the one that has all.
    cluster = TestCluster.builder().shards(5).replicas(0).start();
    List<Shard> shards = new ArrayList<>();
    List<OwnedRange> ranges = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      ShardServers servers = cluster.shard(i);
      int first = i * 3 + 1;
      servers
          .primary()
          .execute(SCHEMA + (i == 3 ? "" : rows(i == 4 ? 1 : first, i == 4 ? 9 : first + 2)));
      if (i < 4) {
        shards.add(new Shard(servers.name(), List.of(Node.at(servers.primary().url()))));
        ranges.add(new OwnedRange(new KeyRange(first, first + 3), servers.name()));
      }
    }
    PostgresServer all = cluster.shard(4).primary();
    database =
        ShardedDatabase.open(
            WaymarkConfig.of(
                    ShardMap.of(
                        1,
                        shards,
                        ranges,
                        List.of(
                            new Table.Sharded("users", "id"),
                            new Table.Sharded("orders", "user_id"),
                            new Table.Broadcast("countries"))),
                    new Credentials(all.user(), all.password()))
                // Of the wait for ShardingSphere's start.
                .withCalls(new WaymarkConfig.Calls(Duration.ofMinutes(1), Consistency.session())),
            new RoutingListener() {
              @Override
              public void nodeChanged(RoutingListener.NodeChange change) {
                if (change.after() == NodeState.SUSPECT) {
                  changes.add(change);
                }
              }
            });
    source = database.dataSource();
    whole = DriverManager.getConnection(all.url(), all.user(), all.password());
  }

  @AfterAll
  void stop() throws SQLException {
    whole.close();
    database.close();
    cluster.close();
  }

  @BeforeEach
  void startOnce() throws SQLException {
    try (Connection connection = source.getConnection()) {
      column(connection, "SELECT DISTINCT age FROM users");
    }
    changes.clear();
  }

  /** Nothing here is a node's fault. */
  @AfterEach
  void noNodeIsBlamed() {
    org.awaitility.Awaitility.await().until(() -> connectionsInUse() == 0);
    assertThat(changes).isEmpty();
  }

  // ---- one by one -----------------------------------------------------------------------------

  private List<String> column(Connection connection, String sql) throws SQLException {
    try (var statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> found = new ArrayList<>();
      while (rows.next()) {
        found.add(rows.getString(1));
      }
      return found;
    }
  }

  @Test
  void shapesThatAreNotMergedHereAreAnswered() throws SQLException {
    try (Connection connection = source.getConnection()) {
      assertThat(column(connection, "SELECT count(DISTINCT name) FROM users")).containsExactly("4");
      assertThat(column(connection, "SELECT DISTINCT country FROM users ORDER BY country"))
          .containsExactly("a", "b", "c");
      assertThat(column(connection, "SELECT id FROM users ORDER BY age DESC, id LIMIT 2"))
          .containsExactly("2", "7");
      assertThat(
              column(
                  connection,
                  "SELECT user_id, sum(total) AS s FROM orders GROUP BY user_id, small ORDER BY s DESC, user_id"
                      + " LIMIT 1"))
          .hasSize(1);
      assertThat(column(connection, "SELECT id FROM users UNION ALL SELECT user_id FROM orders"))
          .hasSize(22);
    }
  }

  @Test
  void namesOfAnotherCollationAreCountedButNotSorted() throws SQLException {
    try (Connection connection = source.getConnection()) {
      assertThat(column(connection, "SELECT count(DISTINCT local_name) FROM users"))
          .containsExactly("3");
      assertThatThrownBy(
              () -> column(connection, "SELECT id FROM users ORDER BY local_name LIMIT 3"))
          .isInstanceOf(SQLFeatureNotSupportedException.class)
          .hasMessageStartingWith("WM-020: ");
    }
  }

  @Test
  void whatShardingSphereAnswersWronglyIsNotAskedOfIt() throws SQLException {
    try (Connection connection = source.getConnection()) {
      for (String sql :
          List.of(
              "SELECT country FROM users UNION SELECT status FROM orders",
              "SELECT country FROM users INTERSECT SELECT 'a'",
              "SELECT country, count(*) FROM users GROUP BY country HAVING count(*) > 2",
              "SELECT sum(age) + 1 FROM users",
              "SELECT avg(DISTINCT age) FROM users",
              "SELECT count(DISTINCT age), count(*) FROM users",
              "SELECT country, avg(age) AS a FROM users GROUP BY country ORDER BY a, country LIMIT 2",
              "SELECT row_number() OVER (ORDER BY id) FROM users")) {
        assertThatThrownBy(() -> column(connection, sql))
            .as(sql)
            .isInstanceOf(SQLFeatureNotSupportedException.class)
            .hasMessageStartingWith("WM-009: ")
            .hasMessageNotContaining("ShardingSphere");
      }
    }
  }

  @Test
  void aLabelThatIsAnotherColumnsNameIsRefused() throws SQLException {
    try (Connection connection = source.getConnection()) {
      for (String sql :
          List.of(
              "SELECT o.status AS s, o.total AS t, count(*) AS total FROM orders o"
                  + " GROUP BY o.status, o.total ORDER BY total DESC LIMIT 5",
              "SELECT country AS c, name AS country FROM users ORDER BY country, age LIMIT 3",
              "SELECT country, count(*) AS age FROM users GROUP BY country, age ORDER BY 2 LIMIT 3",
              "SELECT country, count(*) FROM users GROUP BY country ORDER BY count DESC LIMIT 5")) {
        assertThatThrownBy(() -> column(connection, sql))
            .as(sql)
            .isInstanceOf(SQLFeatureNotSupportedException.class)
            .hasMessageStartingWith("WM-009: ");
      }
    }
  }

  @Test
  void groupsThatOtherShardsCountOnAreNotCut() throws SQLException {
    try (Connection connection = source.getConnection()) {
      for (String sql :
          List.of(
              "SELECT country, count(*) AS n FROM users GROUP BY country ORDER BY n LIMIT 1",
              "SELECT sum(age) AS n FROM users GROUP BY country ORDER BY n NULLS FIRST LIMIT 2",
              "SELECT country, count(DISTINCT age) AS n FROM users GROUP BY country"
                  + " ORDER BY country LIMIT 2",
              "SELECT country, count(DISTINCT age) AS n FROM users GROUP BY country LIMIT 2")) {
        assertThatThrownBy(() -> column(connection, sql))
            .as(sql)
            .isInstanceOf(SQLFeatureNotSupportedException.class)
            .hasMessageStartingWith("WM-009: ");
      }
      assertThat(
              column(
                  connection,
                  "SELECT count(*) AS n FROM users GROUP BY country ORDER BY n DESC LIMIT 1"))
          .isEqualTo(
              column(
                  whole,
                  "SELECT max(n) FROM (SELECT count(*) AS n FROM users GROUP BY country) x"));
    }
  }

  @Test
  void floatingPointNumbersAreWrittenAsTheServerDoes() throws SQLException {
    String sql = "SELECT exact FROM users ORDER BY age, id";
    try (Connection connection = source.getConnection()) {
      assertThat(column(connection, sql)).isEqualTo(column(whole, sql)).contains("-0", "5e-324");
    }
  }

  @Test
  void lettersThatTheServerTellsApartByCaseAreLeftToIt() throws SQLException {
    try (Connection connection = source.getConnection()) {
      assertThatThrownBy(
              () ->
                  column(
                      connection,
                      "SELECT count(*) AS É, sum(age) AS é, country FROM users GROUP BY country"
                          + " ORDER BY é DESC, country LIMIT 3"))
          .isInstanceOf(SQLFeatureNotSupportedException.class)
          .hasMessageStartingWith("WM-009: ");
    }
  }

  @Test
  void aTextThatIsWrongAnywayIsToldAsTheServerDoes() throws SQLException {
    try (Connection connection = source.getConnection()) {
      assertThatThrownBy(
              () ->
                  column(
                      connection,
                      "SELECT name, count(*) AS n FROM users GROUP BY country ORDER BY 2 DESC LIMIT 1"))
          .isInstanceOfSatisfying(
              SQLException.class, failure -> assertThat(failure.getSQLState()).isEqualTo("42803"));
    }
  }

  /** What stands there for our grammar to know is not what ShardingSphere reads. */
  @Test
  void whatTheGrammarIsHelpedToReadIsAnsweredExactlyOrRefused() throws SQLException {
    try (Connection connection = source.getConnection()) {
      for (String sql :
          List.of(
              "SELECT country, count(*) AS n FROM users GROUP BY DISTINCT country"
                  + " ORDER BY n DESC, country LIMIT 2",
              "SELECT country, count(*) AS n FROM users GROUP BY ALL country"
                  + " ORDER BY n DESC, country LIMIT 2",
              "SELECT count(DISTINCT country) FROM users WHERE name IS NORMALIZED",
              "SELECT DISTINCT country FROM users WHERE name IS NOT NFKC NORMALIZED ORDER BY country",
              "SELECT count(DISTINCT country) FROM users WHERE normalize(name, NFKC) = 'adam'",
              "SELECT count(DISTINCT country) FROM users WHERE joined AT LOCAL > '2026-01-01 01:00'",
              "SELECT count(DISTINCT country) FROM (SELECT country FROM users)",
              "SELECT DISTINCT country FROM users WHERE name = 'ad'\n'am' ORDER BY country")) {
        List<String> expected;
        try {
          expected = column(whole, sql);
        } catch (SQLException notOfThisServer) {
          // Some came with later versions of PostgreSQL.
          continue;
        }
        try {
          assertThat(column(connection, sql)).as(sql).isEqualTo(expected);
        } catch (SQLFeatureNotSupportedException refused) {
          assertThat((Throwable) refused).as(sql).hasMessageStartingWith("WM-0");
        }
      }
    }
  }

  @Test
  void hintsForShardingSphereChangeNothing() throws SQLException {
    String sql = "SELECT count(DISTINCT name) FROM users";
    try (Connection connection = source.getConnection()) {
      for (String hint : List.of("SKIP_SQL_REWRITE=true", "DATA_SOURCE_NAME=shard_0")) {
        assertThat(column(connection, "/* SHARDINGSPHERE_HINT: " + hint + " */ " + sql))
            .containsExactly("4");
      }
      HintManager hints = HintManager.getInstance();
      try (hints) {
        hints.setDataSourceName("shard_0");
        assertThatThrownBy(() -> column(connection, sql))
            .isInstanceOf(SQLFeatureNotSupportedException.class)
            .hasMessageContaining("ShardingSphere does not answer it");
      }
      assertThat(column(connection, sql)).containsExactly("4");
    }
  }

  @Test
  void columnsThatNumberThemselvesHaveTheServersTypes() throws SQLException {
    try (Connection connection = source.getConnection();
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery("SELECT DISTINCT number FROM orders ORDER BY number LIMIT 1")) {
      assertThat(rows.next()).isTrue();
      assertThat(rows.getObject(1)).isInstanceOf(Long.class);
    }
  }

  @Test
  void aBatchRefusesItAsWithoutShardingSphere() throws SQLException {
    try (Connection connection = source.getConnection();
        Statement statement = connection.createStatement()) {
      statement.addBatch("SELECT count(DISTINCT age) FROM users");
      assertThatThrownBy(statement::executeBatch)
          .isInstanceOf(SQLException.class)
          .hasMessageContaining("WM-009: ");
    }
  }

  @Test
  void anOpenTransactionRefusesIt() throws SQLException {
    try (Connection connection = source.getConnection()) {
      connection.setAutoCommit(false);
      assertThat(column(connection, "SELECT name FROM users WHERE id = 1")).hasSize(1);
      assertThatThrownBy(() -> column(connection, "SELECT count(DISTINCT age) FROM users"))
          .isInstanceOf(SQLFeatureNotSupportedException.class)
          .hasMessageStartingWith("WM-009: ");
      connection.rollback();
    }
  }

  @Test
  void aQueryTimeoutEndsEveryShard() throws SQLException {
    try (Connection connection = source.getConnection();
        var statement = connection.createStatement()) {
      StringBuilder slow = new StringBuilder("SELECT count(DISTINCT u.age) FROM users u");
      for (int i = 0; i < 22; i++) {
        slow.append(" LEFT JOIN countries c" + i + " ON c" + i + ".code IS NOT NULL");
      }
      statement.setQueryTimeout(1);
      assertThatThrownBy(() -> statement.executeQuery(slow.toString()))
          .isInstanceOf(SQLException.class)
          .extracting(failure -> ((SQLException) failure).getSQLState())
          .isEqualTo("57014");
    }
    org.awaitility.Awaitility.await().until(() -> connectionsInUse() == 0);
  }

  /** Ends a query while one shard's question waits for a lock. */
  private interface Ending {
    void end(Connection connection, Statement statement) throws SQLException;
  }

  /** Whether the last query that was ended has left its thread interrupted. */
  private boolean isInterrupted;

  private SQLException endedBy(Ending ending) throws SQLException {
    return endedBy("SELECT count(DISTINCT age) FROM users", ending);
  }

  private SQLException endedBy(String sql, Ending ending) throws SQLException {
    PostgresServer server = cluster.shard(1).primary();
    try (Connection holder = server.connect();
        Connection watcher = server.connect();
        Connection connection = source.getConnection();
        Statement statement = connection.createStatement()) {
      holder.setAutoCommit(false);
      try (Statement locks = holder.createStatement()) {
        locks.execute("LOCK TABLE users");
      }
      CompletableFuture<Void> other =
          CompletableFuture.runAsync(
              () -> {
                org.awaitility.Awaitility.await()
                    .until(
                        () ->
                            column(
                                    watcher,
                                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'relation'")
                                .equals(List.of("1")));
                try {
                  ending.end(connection, statement);
                } catch (SQLException failed) {
                  throw new IllegalStateException(failed);
                }
              });
      SQLException failure =
          catchThrowableOfType(SQLException.class, () -> statement.executeQuery(sql));
      // What waits below must not end by it.
      isInterrupted = Thread.interrupted();
      other.join();
      holder.rollback();
      return failure;
    } finally {
      org.awaitility.Awaitility.await().until(() -> connectionsInUse() == 0);
    }
  }

  @Test
  void cancellingEndsEveryShard() throws SQLException {
    SQLException failure = endedBy((connection, statement) -> statement.cancel());
    assertThat((Throwable) failure).isNotNull();
    assertThat(failure.getSQLState()).isEqualTo("57014");
    try (Connection connection = source.getConnection()) {
      assertThat(column(connection, "SELECT count(DISTINCT age) FROM users")).hasSize(1);
    }
  }

  @Test
  void anAbortEndsEveryShard() throws SQLException {
    assertThat((Throwable) endedBy((connection, statement) -> connection.abort(Runnable::run)))
        .isNotNull();
  }

  /** ShardingSphere would give the rows that it has until then for all. */
  @Test
  void anInterruptedCallerGetsNoAnswer() throws SQLException {
    Thread caller = Thread.currentThread();
    SQLException failure = endedBy((connection, statement) -> caller.interrupt());
    assertThat((Throwable) failure).isNotNull();
    assertThat(failure.getSQLState()).isEqualTo("57014");
    assertThat(isInterrupted).isTrue();
    try (Connection connection = source.getConnection()) {
      assertThat(column(connection, "SELECT count(DISTINCT age) FROM users")).hasSize(1);
    }
  }

  @Test
  void aShardThatFailsEndsTheOthers() throws SQLException {
    try (Connection holder = cluster.shard(0).primary().connect()) {
      holder.setAutoCommit(false);
      try (Statement locks = holder.createStatement()) {
        locks.execute("LOCK TABLE users");
      }
      SQLException failure =
          endedBy(
              "SELECT count(DISTINCT age) FROM users WHERE 10 / (id - 1) < 100",
              (connection, statement) -> holder.rollback());
      assertThat((Throwable) failure).isNotNull();
      assertThat(failure.getSQLState()).isEqualTo("22012");
    }
  }

  /** ShardingSphere finds its parts by the thread's loader, and keeps what it has not found. */
  @Test
  void aThreadWithAnotherLoaderMayAsk() throws SQLException {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(ClassLoader.getPlatformClassLoader());
    try (Connection connection = source.getConnection()) {
      assertThat(column(connection, "SELECT count(DISTINCT name) FROM users")).containsExactly("4");
      assertThat(thread.getContextClassLoader()).isSameAs(ClassLoader.getPlatformClassLoader());
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private long connectionsInUse() {
    return database.nodes().stream().mapToLong(node -> node.pools().reads().active()).sum();
  }

  private static final String SCHEMA =
      """
      CREATE TYPE mood AS ENUM ('glad', 'angry');
      CREATE DOMAIN label AS text;
      CREATE COLLATION other (provider = icu, locale = 'und');
      CREATE TABLE users (
        id bigint PRIMARY KEY, name text, country text, age int, score numeric,
        joined timestamptz, born date, ratio double precision, active boolean, tag uuid,
        initial char(4), mood mood, nick label, local_name text COLLATE other, share real,
        extra jsonb, letters text[], raw bytea, at time,
        place int GENERATED BY DEFAULT AS IDENTITY, exact double precision);
      CREATE TABLE orders (
        id bigint, user_id bigint, total int, price numeric(10, 2), placed timestamp,
        status varchar(20), small smallint, number bigserial);
      CREATE TABLE countries (code text, name text);
      INSERT INTO countries VALUES ('a', 'A'), ('b', 'B'), ('c', 'C');
      GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
      """;

  private static String rows(int from, int to) {
    return """
        INSERT INTO users SELECT k,
          CASE k %% 4 WHEN 0 THEN U&'\\+01F600' WHEN 1 THEN U&'\\FF41' WHEN 2 THEN 'Zoë' ELSE 'adam' END,
          chr(97 + (k %% 3)::int), nullif(k %% 5, 2) * 7,
          CASE k %% 6 WHEN 5 THEN NULL WHEN 4 THEN 'NaN' ELSE round(k %% 3, (k %% 4)::int) END,
          '2026-01-01 00:00+00'::timestamptz + k %% 4 * interval '1 hour 0.000001 second',
          CASE k %% 4 WHEN 3 THEN '-infinity'::date ELSE '2000-01-01'::date + (k %% 3)::int END,
          CASE k %% 4 WHEN 0 THEN 'NaN' WHEN 1 THEN 1e20 ELSE k %% 3 * 0.1 END, nullif(k %% 3, 0) = 1,
          ((ARRAY['0', '9', 'f'])[1 + k %% 3] || '0000000-0000-0000-f000-000000000000')::uuid,
          CASE WHEN k %% 2 = 0 THEN 'ab' ELSE 'b' END,
          CASE WHEN k %% 2 = 0 THEN 'glad'::mood ELSE 'angry' END, 'n' || k %% 2, 'é' || k %% 3, k %% 3 * 0.1,
          jsonb_build_object('k', k %% 3), ARRAY['a', (k %% 3)::text], decode(to_hex(254 + k %% 3), 'escape'),
          '10:00'::time + k %% 3 * interval '1 hour 0.5 second', k %% 4,
          (ARRAY['-0', '5e-324', '2e23'])[1 + k %% 3]::float8
          FROM generate_series(%1$s, %2$s) k;
        INSERT INTO orders SELECT k * 10 + n, k, nullif((k * 7 + n) %% 5, 3), (k * 7 + n) %% 4 * 1.1,
          '2026-01-01'::timestamp + (k * 5 + n) %% 4 * interval '1 day',
          (ARRAY['open', 'paid', NULL])[1 + (k + n) %% 3], n, (k + n) %% 3
          FROM generate_series(%1$s, %2$s) k, generate_series(1, k %% 4) n;
        """
        .formatted(from, to);
  }

  // ---- against the truth ----------------------------------------------------------------------

  /** What became of many statements. */
  private static final class Tally {
    private int here;
    private int byEngine;
    private int failed;
    private final List<String> narrower = new ArrayList<>();
    private final Map<String, Integer> refused = new TreeMap<>();
    private final List<String> wrong = new ArrayList<>();

    @Override
    public String toString() {
      return here
          + " equal without ShardingSphere, "
          + byEngine
          + " equal by ShardingSphere, refused "
          + refused
          + ", "
          + failed
          + " refused by the server as well, "
          + wrong.size()
          + " wrong";
    }
  }

  @Test
  void everyAnswerIsThatOfOneServer() throws SQLException {
    Tally tally = new Tally();
    RandomEngineQueries queries = new RandomEngineQueries(SEED);
    for (int i = 0; i < STATEMENTS; i++) {
      compare(i % 10 == 0 ? queries.queryWithComments() : queries.query(), tally);
    }
    System.out.println("Random statements beside ShardingSphere: " + tally);

    assertThat(tally.wrong).isEmpty();
    assertThat(tally.byEngine).isGreaterThan(STATEMENTS / 5);
  }

  private void compare(RandomEngineQueries.Query query, Tally tally) throws SQLException {
    List<List<String>> expected;
    try {
      expected = answer(whole, query);
    } catch (SQLException refused) {
      // A syntax error would mean that the generator is wrong.
      assertThat(refused.getSQLState()).as("%s: %s", query, refused).isNotEqualTo("42601");
      tally.failed++;
      return;
    }
    Plan plan = database.plans().of(query.sql()).plan();
    List<List<String>> found;
    try (Connection connection = source.getConnection()) {
      found = answer(connection, query);
    } catch (SQLFeatureNotSupportedException refused) {
      String reason = String.valueOf(refused.getMessage());
      if (reason.contains("would not ask")) {
        tally.narrower.add(query.toString());
      }
      tally.refused.merge(
          reason.substring(0, 6)
              + (reason.contains("ShardingSphere does not answer it")
                  ? ": " + deepest(refused)
                  : reason.contains("ShardingSphere") ? ": " + reason : ""),
          1,
          Integer::sum);
      return;
    } catch (SQLException failure) {
      tally.wrong.add(query + ": " + failure + " " + deepest(failure));
      return;
    }
    if (isSame(expected, found, query) && isOfTheUncut(found, query)) {
      if (plan.delegated() != null) {
        tally.byEngine++;
      } else {
        tally.here++;
      }
    } else {
      tally.wrong.add(query + "%n  expected %s%n  found    %s".formatted(expected, found));
    }
  }

  private static String deepest(Throwable failure) {
    Throwable cause = failure;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause.getClass().getSimpleName()
        + " "
        + String.valueOf(cause.getMessage()).replaceAll("\\s+", " ").replaceAll("@[0-9a-f]+", "");
  }

  /** Columns and rows. */
  private static List<List<String>> answer(Connection connection, RandomEngineQueries.Query query)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(query.sql())) {
      for (int i = 0; i < query.values().size(); i++) {
        Object value = query.values().get(i);
        if (value instanceof Long[] list) {
          statement.setArray(i + 1, connection.createArrayOf("bigint", list));
        } else if (value instanceof Long number) {
          statement.setLong(i + 1, number);
        } else if (value == null) {
          statement.setNull(i + 1, java.sql.Types.BIGINT);
        } else {
          statement.setInt(i + 1, (Integer) value);
        }
      }
      try (ResultSet rows = statement.executeQuery()) {
        ResultSetMetaData columns = rows.getMetaData();
        List<List<String>> all = new ArrayList<>();
        List<String> head = new ArrayList<>();
        for (int i = 1; i <= columns.getColumnCount(); i++) {
          head.add(
              columns.getColumnLabel(i)
                  + ":"
                  + columns.getColumnName(i)
                  + ":"
                  + columns.getColumnTypeName(i)
                  + ":"
                  + columns.getPrecision(i)
                  + ":"
                  + columns.getScale(i));
        }
        all.add(head);
        while (rows.next()) {
          List<String> row = new ArrayList<>();
          for (int i = 1; i <= columns.getColumnCount(); i++) {
            Object value = rows.getObject(i);
            row.add(
                value == null
                    ? "null"
                    // Of equal numbers with other digits any one stands for them all.
                    : value instanceof BigDecimal decimal
                        ? decimal.stripTrailingZeros().toPlainString()
                        : value instanceof byte[] bytes
                            ? java.util.Arrays.toString(bytes)
                            : value.getClass().getSimpleName() + " " + value);
          }
          all.add(row);
        }
        return all;
      }
    }
  }

  /** Whether rows that a LIMIT has left are rows at all. */
  private boolean isOfTheUncut(List<List<String>> found, RandomEngineQueries.Query query)
      throws SQLException {
    if (query.cut() == null) {
      return true;
    }
    List<List<String>> all = answer(whole, query.cut().of());
    return found.stream().allMatch(all::remove);
  }

  private static List<String> column(List<List<String>> rows, int place) {
    return rows.stream().skip(1).map(row -> place == 0 ? "a row" : row.get(place - 1)).toList();
  }

  private static boolean isSame(
      List<List<String>> expected, List<List<String>> found, RandomEngineQueries.Query query) {
    if (query.cut() != null) {
      int place = query.cut().place();
      return column(expected, place).equals(column(found, place));
    } else if (query.order() == RandomEngineQueries.Order.TOTAL) {
      return expected.equals(found);
    }
    return expected.get(0).equals(found.get(0))
        && expected.stream()
            .map(Object::toString)
            .sorted()
            .toList()
            .equals(found.stream().map(Object::toString).sorted().toList());
  }
}
