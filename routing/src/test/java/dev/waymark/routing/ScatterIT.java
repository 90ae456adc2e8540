package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.UnavailableException;
import dev.waymark.routing.Keyset.Direction;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Reads over three shards without replicas, each with 1,000 keys. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ScatterIT {
  private static final ShardQuery<Long> IDS =
      ShardQuery.of("SELECT id FROM users ORDER BY id", row -> row.getLong(1));
  private static final ScatterOptions MINUTE = ScatterOptions.within(Duration.ofMinutes(1));

  private TestCluster cluster;
  private ShardedDatabase database;

  @BeforeAll
  void startCluster() throws SQLException {
    cluster = TestCluster.builder().shards(3).replicas(0).start();
    try (ShardedDatabase first = ShardedDatabase.open(Clusters.config(cluster))) {
      Clusters.createSchema(cluster, first);
    }
    for (int i = 0; i < 3; i++) {
      cluster
          .shard(i)
          .primary()
          .execute(
              "INSERT INTO users SELECT id, 'group ' || id %% 3 FROM generate_series(%d, %d) AS id"
                  .formatted(i * 1_000 + 1, i * 1_000 + 900));
    }
  }

  @AfterAll
  void stopCluster() {
    cluster.close();
  }

  @BeforeEach
  void open() {
    database = ShardedDatabase.open(Clusters.config(cluster));
  }

  @AfterEach
  void close() {
    database.close();
    // What a test has added.
    for (PostgresServer server : cluster.servers()) {
      server.execute("DELETE FROM users WHERE id % 1000 NOT BETWEEN 1 AND 900");
    }
  }

  @Test
  void aStreamGivesEveryRowInOrder() {
    List<Long> rows = new ArrayList<>();
    try (RowStream<Long> stream =
        database.streamFromEveryShard(MINUTE, IDS.fetching(50), Comparator.naturalOrder())) {
      stream.forEachRemaining(rows::add);
    }

    assertThat(rows).hasSize(2_700).isSorted().doesNotHaveDuplicates();
  }

  @Test
  void aStreamThatIsClosedEarlyGivesItsConnectionsBack() throws SQLException {
    for (int i = 0; i < 20; i++) {
      try (RowStream<Long> stream =
          database.streamFromEveryShard(MINUTE, IDS.fetching(10), Comparator.naturalOrder())) {
        assertThat(stream.next()).isEqualTo(1);
        assertThat(stream.next()).isEqualTo(2);
      }
    }

    // 4 connections to each node: with one kept by each stream, the fifth would have waited.
    await()
        .untilAsserted(
            () ->
                assertThat(database.nodes()).allMatch(node -> node.pools().reads().active() == 0));
    assertThat(database.<Long, SQLException>read(1, ScatterIT::countUsers)).isEqualTo(900);
  }

  @Test
  void aStreamThatIsForgottenGivesItsConnectionsBackAtItsDeadline() {
    RowStream<Long> forgotten =
        database.streamFromEveryShard(
            ScatterOptions.within(Duration.ofSeconds(1)),
            IDS.fetching(10),
            Comparator.naturalOrder());
    assertThat(forgotten.next()).isEqualTo(1);

    await()
        .untilAsserted(
            () ->
                assertThat(database.nodes()).allMatch(node -> node.pools().reads().active() == 0));
    assertThatThrownBy(() -> forgotten.forEachRemaining(row -> {}))
        .isInstanceOf(UnavailableException.class)
        .hasMessageContaining("had no further row");
  }

  @Test
  void closingAStreamEndsTheStatementsThatStillRun() {
    ShardQuery<Long> slow =
        ShardQuery.of("SELECT 1::bigint FROM pg_sleep(600) AS endless", row -> row.getLong(1));
    RowStream<Long> stream = database.streamFromEveryShard(MINUTE, slow, Comparator.naturalOrder());
    await().untilAsserted(() -> assertThat(cluster.servers()).allMatch(ScatterIT::runsEndless));

    stream.close();

    assertThat(database.nodes()).allMatch(node -> node.pools().reads().active() == 0);
    await().untilAsserted(() -> assertThat(cluster.servers()).noneMatch(ScatterIT::runsEndless));
  }

  private static boolean runsEndless(PostgresServer server) {
    return Clusters.count(
            server,
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <>"
                + " pg_backend_pid() AND query LIKE '%endless%'")
        > 0;
  }

  @Test
  void aStreamHoldsNoMoreRowsThanItsBuffers() {
    try (RowStream<Long> stream =
        database.streamFromEveryShard(MINUTE, IDS.fetching(10), Comparator.naturalOrder())) {
      stream.next();
      // The servers' cursors stand still: the statements run, and are not at their end.
      await()
          .untilAsserted(
              () ->
                  assertThat(cluster.servers()).allMatch(server -> idleInTransaction(server) == 1));
    }
  }

  @Test
  void aShardThatFailsUnderAStreamFailsItOrIsReported() {
    String sql =
        "SELECT CASE WHEN id = 1500 THEN id / (id - 1500) ELSE id END"
            // Sorted first, so that the rows before the failing one are sent.
            + " FROM (SELECT id FROM users ORDER BY id OFFSET 0) AS sorted";
    ShardQuery<Long> failing = ShardQuery.<Long>of(sql, row -> row.getLong(1)).fetching(10);

    try (RowStream<Long> stream =
        database.streamFromEveryShard(MINUTE, failing, Comparator.naturalOrder())) {
      assertThatThrownBy(() -> stream.forEachRemaining(row -> {}))
          .isInstanceOf(UnavailableException.class)
          .hasMessageContaining("1 of 3 shards did not answer")
          .hasMessageContaining("shard-2")
          .hasMessageContaining("division by zero");
      assertThatThrownBy(stream::hasNext)
          .as("going on gives no rows without those of the shard that failed")
          .isInstanceOf(UnavailableException.class)
          .hasMessageContaining("division by zero");
    }

    try (RowStream<Long> stream =
        database.streamFromEveryShard(
            MINUTE.reportingMissingShards(), failing, Comparator.naturalOrder())) {
      List<Long> rows = new ArrayList<>();
      stream.forEachRemaining(rows::add);

      assertThat(stream.missing()).containsOnlyKeys("shard-2");
      assertThat(rows).hasSizeBetween(1_800, 2_299).contains(1L, 1_001L, 2_900L);
    }
  }

  @Test
  void aHungShardCostsNoMoreThanTheDeadlineAndIsReported() throws SQLException {
    PostgresServer hung = cluster.shard(1).primary();
    hung.freeze();
    try {
      ScatterOptions options =
          ScatterOptions.within(Duration.ofSeconds(2)).reportingMissingShards();
      Scatter<Long> answer =
          database.onEveryShard(options, connection -> List.of(count(connection)));

      assertThat(answer.toList()).containsExactly(900L, 900L);
      assertThat(answer.missing()).containsOnlyKeys("shard-2");
      assertThat(answer.reduce(0L, Long::sum)).isEqualTo(1_800);

      assertThatThrownBy(
              () ->
                  database.onEveryShard(
                      ScatterOptions.within(Duration.ofSeconds(2)),
                      connection -> List.of(count(connection))))
          .isInstanceOf(UnavailableException.class)
          .hasMessageContaining("1 of 3 shards did not answer");
    } finally {
      hung.thaw();
    }
  }

  @Test
  void pagesGiveEachRowThatWasThereAllTheTimeExactlyOnce() throws SQLException {
    Keyset<Row> list =
        Keyset.of(
                ShardQuery.of(
                    "SELECT id, name FROM users", row -> new Row(row.getLong(1), row.getString(2))))
            .byText("name", Direction.DESCENDING, Row::name)
            .byLong("id", Direction.ASCENDING, Row::id);
    Set<Long> before = new HashSet<>();
    try (RowStream<Long> all =
        database.streamFromEveryShard(MINUTE, IDS, Comparator.naturalOrder())) {
      all.forEachRemaining(before::add);
    }

    List<Long> seen = new ArrayList<>();
    String token = null;
    long insert = 950;
    do {
      Page<Row> page = database.page(list, token, 100);
      page.rows().forEach(row -> seen.add(row.id()));
      token = page.next();
      // Behind, before and amidst what was read.
      long id = insert++;
      String name = "group " + id % 4;
      database.write(id, connection -> Clusters.save(connection, id, name));
    } while (token != null);

    assertThat(seen).doesNotHaveDuplicates().containsAll(before);
    assertThatThrownBy(() -> database.page(list, "nonsense", 10))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Begin with the first page");
    Keyset<Row> other =
        Keyset.of(ShardQuery.of("SELECT id, name FROM users", row -> new Row(row.getLong(1), "")))
            .byLong("id", Direction.ASCENDING, Row::id);
    String foreign = database.page(other, null, 10).next();
    assertThatThrownBy(() -> database.page(list, foreign, 10)).hasMessageContaining("another way");
    assertThat(database.page(other, foreign, 3).rows())
        .extracting(Row::id)
        .containsExactly(11L, 12L, 13L);
  }

  @Test
  void aNullThatIsSortedByIsRefused() {
    Keyset<Row> list =
        Keyset.of(
                ShardQuery.of(
                    "SELECT id, nullif(name, 'group 1') AS name FROM users",
                    row -> new Row(row.getLong(1), row.getString(2))))
            .byText("name", Direction.DESCENDING, Row::name)
            .byLong("id", Direction.ASCENDING, Row::id);

    assertThatThrownBy(() -> database.page(list, null, 10))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("The sorting column name is null in a row");
  }

  @Test
  void theUtmostThatATokenHoldsIsTakenByAServer() {
    Keyset<Moment> moments =
        Keyset.of(
                ShardQuery.of(
                    "SELECT id, now() AS seen, name FROM users",
                    row ->
                        new Moment(
                            row.getLong(1),
                            row.getObject(2, OffsetDateTime.class).toInstant(),
                            row.getString(3))))
            .byInstant("seen", Direction.ASCENDING, Moment::seen)
            .byText("name", Direction.ASCENDING, Moment::name)
            .byLong("id", Direction.ASCENDING, Moment::id);
    String first =
        moments.tokenBehind(new Moment(Long.MIN_VALUE, Instant.parse("-4713-11-24T00:00:00Z"), ""));
    String last =
        moments.tokenBehind(
            new Moment(
                Long.MAX_VALUE,
                Instant.parse("+294276-12-31T23:59:58.999999999Z"),
                "\uDBFF\uDFFF".repeat(2_048)));

    assertThat(database.page(moments, first, 10).rows()).hasSize(10);
    assertThat(database.page(moments, last, 10).rows()).isEmpty();
  }

  private record Moment(long id, Instant seen, String name) {}

  private record Row(long id, String name) {}

  private static long idleInTransaction(PostgresServer server) {
    return Clusters.count(
        server,
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waymark' AND state ="
            + " 'idle in transaction'");
  }

  private static long countUsers(Connection connection) throws SQLException {
    return count(connection);
  }

  private static long count(Connection connection) throws SQLException {
    try (var statement = connection.createStatement();
        ResultSet answer =
            statement.executeQuery(
                "SELECT count(*) FROM users WHERE id % 1000 BETWEEN 1 AND 900")) {
      answer.next();
      return answer.getLong(1);
    }
  }
}
