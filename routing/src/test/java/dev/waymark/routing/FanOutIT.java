package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.KeyRange;
import dev.waymark.OwnedRange;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.Merged.Role;
import dev.waymark.routing.Merged.SortKey;
import dev.waymark.routing.SqlScanner.Markers;
import dev.waymark.routing.SqlTree.Sort;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Queries over three shards, held against one server that has all rows: each must give the same, or
 * be refused.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FanOutIT {
  private static final int MERGES = Integer.getInteger("waymark.differential.merges", 6_000);
  private static final int STATEMENTS =
      Integer.getInteger("waymark.differential.statements", 6_000);
  private static final long SEED = Long.getLong("waymark.differential.seed", 20_261_127);

  private static final Map<String, Table> TABLES =
      Map.of(
          "users", new Table.Sharded("users", "id"),
          "orders", new Table.Sharded("orders", "user_id"),
          "payments", new Table.Sharded("payments", "user_id"),
          "countries", new Table.Broadcast("countries"));

  private TestCluster cluster;
  private ShardedDatabase database;
  private Connection whole;
  private final List<Connection> one = new ArrayList<>();
  private Planner planner;

  @BeforeAll
  void start() throws SQLException {
    cluster = TestCluster.builder().shards(4).replicas(0).start();
    for (int i = 0; i < 4; i++) {
      String keys = i == 3 ? "1, 9" : (i * 3 + 1) + ", " + (i * 3 + 3);
      cluster
          .shard(i)
          .primary()
          .execute(
              """
              CREATE TYPE mood AS ENUM ('glad', 'angry');
              CREATE DOMAIN label AS text;
              CREATE COLLATION other (provider = icu, locale = 'und');
              CREATE TABLE users (
                id bigint PRIMARY KEY, name text, country text, age int, score numeric,
                joined timestamptz, born date, ratio double precision, active boolean, tag uuid,
                initial char(4), mood mood, nick label, local_name text COLLATE other, share real,
                extra jsonb, letters text[]);
              CREATE TABLE orders (
                id bigint, user_id bigint, total int, price numeric(10, 2), placed timestamp,
                status varchar(20), small smallint);
              CREATE TABLE payments (id bigint, user_id bigint, amount int);
              CREATE TABLE countries (code text, name text);
              INSERT INTO users SELECT k,
                CASE k %% 4 WHEN 0 THEN U&'\\+01F600' || k WHEN 1 THEN U&'\\FF41' WHEN 2 THEN 'Zoë' ELSE 'adam' END,
                chr(97 + (k %% 3)::int), nullif(k %% 5, 2) * 7,
                CASE k %% 6 WHEN 5 THEN NULL ELSE round(k * 10.0 / 7, (k %% 4)::int) END,
                '2026-01-01 00:00+00'::timestamptz + k %% 4 * interval '1 hour 0.000001 second',
                CASE k %% 4 WHEN 3 THEN '-infinity'::date ELSE '2000-01-01'::date + (k %% 3)::int END,
                k * 0.25 - 1, nullif(k %% 3, 0) = 1, ('0000000' || k %% 3 || '-0000-0000-f000-000000000000')::uuid,
                CASE WHEN k %% 2 = 0 THEN 'ab' ELSE 'b' END,
                CASE WHEN k %% 2 = 0 THEN 'glad'::mood ELSE 'angry' END, 'n' || k %% 2, 'é' || k, k * 0.5,
                jsonb_build_object('k', k), ARRAY['a', k::text]
                FROM generate_series(%1$s) k;
              INSERT INTO orders SELECT k * 10 + n, k, nullif((k * 7 + n) %% 5, 3), (k * 7 + n) * 1.11,
                '2026-01-01'::timestamp + (k * 5 + n) %% 4 * interval '1 day', (ARRAY['open', 'paid', NULL])[1 + (k + n) %% 3], n
                FROM generate_series(%1$s) k, generate_series(1, k %% 4) n;
              INSERT INTO payments SELECT k * 10 + n, k, (k * 3 + n) %% 4
                FROM generate_series(%1$s) k, generate_series(1, (k + 1) %% 3) n;
              INSERT INTO countries VALUES ('a', 'A'), ('b', 'B'), ('c', 'C');
              GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
              """
                  .formatted(keys));
    }
    WaymarkConfig config = Clusters.config(cluster, FanOutIT::url);
    ShardMap map =
        ShardMap.of(
            1,
            config.map().shards().subList(0, 3),
            List.of(
                new OwnedRange(new KeyRange(1, 4), "shard-1"),
                new OwnedRange(new KeyRange(4, 7), "shard-2"),
                new OwnedRange(new KeyRange(7, 10), "shard-3")),
            List.copyOf(TABLES.values()));
    database = ShardedDatabase.open(Clusters.withMap(config, old -> map));
    PostgresServer all = cluster.shard(3).primary();
    whole = connect(all);
    for (int i = 0; i < 3; i++) {
      one.add(connect(cluster.shard(i).primary()));
    }
    planner =
        new Planner(
            TABLES,
            new SqlCatalogueLoader().load(whole),
            SqlScanner.Backslash.LITERAL,
            SmallCatalogue.READER);
  }

  /** The driver prints some values in another way once it gets them in binary form. */
  private static String url(PostgresServer server) {
    return server.url() + (server.url().contains("?") ? "&" : "?") + "binaryTransfer=false";
  }

  private static Connection connect(PostgresServer server) throws SQLException {
    return DriverManager.getConnection(url(server), server.user(), server.password());
  }

  @AfterAll
  void stop() throws SQLException {
    whole.close();
    for (Connection connection : one) {
      connection.close();
    }
    database.close();
    cluster.close();
  }

  // ---- against the truth --------------------------------------------------------------------

  /** What became of many statements. */
  private static final class Tally {
    private int onOneShard;
    private int merged;
    private int refused;
    private int failed;
    private final List<String> wrong = new ArrayList<>();

    @Override
    public String toString() {
      return onOneShard
          + " equal on one shard, "
          + merged
          + " equal and merged, "
          + refused
          + " refused, "
          + failed
          + " refused by the server as well, "
          + wrong.size()
          + " wrong";
    }
  }

  @Test
  void everyMergeGivesWhatOneServerGives() throws SQLException {
    Tally tally = new Tally();
    RandomMerges queries = new RandomMerges(SEED);
    for (int i = 0; i < MERGES; i++) {
      compare(queries.query(), tally, plan -> plan);
    }
    System.out.println("Random merges: " + tally);

    assertThat(tally.wrong).isEmpty();
    assertThat(tally.merged).isGreaterThan(MERGES / 3);
    assertThat(tally.refused).isGreaterThan(MERGES / 20);
  }

  @Test
  void everyStatementGivesWhatOneServerGives() throws SQLException {
    Tally tally = new Tally();
    RandomStatements statements = new RandomStatements(SEED);
    for (int i = 0; i < STATEMENTS; i++) {
      compare(
          new RandomMerges.Query(statements.query(), List.of(), List.of()), tally, plan -> plan);
    }
    System.out.println("Random statements: " + tally);

    assertThat(tally.wrong).isEmpty();
    assertThat(tally.merged).isGreaterThan(STATEMENTS / 50);
    assertThat(tally.onOneShard).isGreaterThan(STATEMENTS / 20);
  }

  /** Faults put into what is decided, each of which the comparison has to find. */
  @Test
  void aWrongMergeIsFound() throws SQLException {
    Map<String, UnaryOperator<Merged>> mutants = new LinkedHashMap<>();
    mutants.put(
        "sums are maxima", merged -> roles(merged, role -> role == Role.SUM ? Role.MAX : role));
    mutants.put(
        "minima are maxima", merged -> roles(merged, role -> role == Role.MIN ? Role.MAX : role));
    mutants.put(
        "totals are groups",
        merged -> roles(merged, role -> role == Role.COUNT ? Role.GROUP : role));
    mutants.put(
        "nulls come elsewhere",
        merged ->
            sorts(
                merged,
                sort ->
                    new SortKey(
                        sort.position(),
                        sort.label(),
                        sort.direction(),
                        sort.nulls() == Sort.Nulls.FIRST ? Sort.Nulls.LAST : Sort.Nulls.FIRST)));
    mutants.put("rows are not sorted", merged -> sorts(merged, List.of()));
    mutants.put(
        "rows are not cut",
        merged -> new Merged(merged.columns(), merged.sorts(), null, merged.offset()));
    mutants.put(
        "each shard skips for itself",
        merged -> new Merged(merged.columns(), merged.sorts(), merged.limit(), null));
    for (Map.Entry<String, UnaryOperator<Merged>> mutant : mutants.entrySet()) {
      Tally tally = new Tally();
      RandomMerges queries = new RandomMerges(SEED + 1);
      for (int i = 0; i < 1_000 && tally.wrong.isEmpty(); i++) {
        compare(queries.query(), tally, mutant.getValue());
      }
      assertThat(tally.wrong).as(mutant.getKey()).isNotEmpty();
    }
  }

  private static Merged roles(Merged merged, UnaryOperator<Role> change) {
    return new Merged(
        merged.columns().stream().map(change).toList(),
        merged.sorts(),
        merged.limit(),
        merged.offset());
  }

  private static Merged sorts(Merged merged, UnaryOperator<SortKey> change) {
    return sorts(merged, merged.sorts().stream().map(change).toList());
  }

  private static Merged sorts(Merged merged, List<SortKey> sorts) {
    return new Merged(merged.columns(), sorts, merged.limit(), merged.offset());
  }

  private void compare(RandomMerges.Query query, Tally tally, UnaryOperator<Merged> mutant)
      throws SQLException {
    Plan plan = planner.plan(query.sql(), Markers.JDBC);
    Values values = Values.of(query.values().toArray());
    int[] shards = Concerned.shards(database.map(), plan.keys(), values);
    boolean isOfOne =
        plan.keys() instanceof KeySource.AnyShard
            || plan.keys() instanceof KeySource.Keys && shards.length == 1;
    if (plan.refusal() != null || !isOfOne && plan.merged() == null) {
      tally.refused++;
      return;
    }
    List<List<String>> expected;
    try (PreparedStatement statement = whole.prepareStatement(query.sql());
        ResultSet rows = bound(statement, values).executeQuery()) {
      expected = rows(rows);
    } catch (SQLException refused) {
      // A syntax error would mean that the generator is wrong.
      assertThat(refused.getSQLState())
          .as("%s: %s", query.sql(), refused.getMessage())
          .isNotEqualTo("42601");
      tally.failed++;
      return;
    }
    List<List<String>> found;
    try {
      found = isOfOne ? onOne(query, values, shards) : merged(query, plan, values, mutant);
    } catch (SQLFeatureNotSupportedException refused) {
      tally.refused++;
      return;
    } catch (SQLException failure) {
      tally.wrong.add(query + ": " + failure);
      return;
    }
    if (isSame(expected, found, query.sorted())) {
      if (isOfOne) {
        tally.onOneShard++;
      } else {
        tally.merged++;
      }
    } else {
      tally.wrong.add(query + "%n  expected %s%n  found    %s".formatted(expected, found));
    }
  }

  private List<List<String>> onOne(RandomMerges.Query query, Values values, int[] shards)
      throws SQLException {
    Connection connection = one.get(shards.length == 1 ? shards[0] : 0);
    try (PreparedStatement statement = connection.prepareStatement(query.sql());
        ResultSet rows = bound(statement, values).executeQuery()) {
      return rows(rows);
    }
  }

  private List<List<String>> merged(
      RandomMerges.Query query, Plan plan, Values values, UnaryOperator<Merged> mutant)
      throws SQLException {
    Plan mutated =
        new Plan(
            plan.verdict(),
            plan.keys(),
            mutant.apply(Objects.requireNonNull(plan.merged())),
            null,
            null,
            null,
            plan.tables(),
            plan.hints(),
            plan.catalogueVersion());
    try (ResultSet rows =
        database
            .queries()
            .query(query.sql(), mutated, values, options(query.sql().length() % 3, 0))) {
      return rows(rows);
    }
  }

  private static PreparedStatement bound(PreparedStatement statement, Values values)
      throws SQLException {
    for (int i = 1; i <= values.count(); i++) {
      values.set(statement, i, i);
    }
    return statement;
  }

  private static List<List<String>> rows(ResultSet answer) throws SQLException {
    List<List<String>> rows = new ArrayList<>();
    int columns = answer.getMetaData().getColumnCount();
    while (answer.next()) {
      List<String> row = new ArrayList<>();
      for (int i = 1; i <= columns; i++) {
        row.add(String.valueOf(answer.getString(i)));
      }
      rows.add(row);
    }
    return rows;
  }

  /** The same rows, in the same order as far as an order was asked for. */
  private static boolean isSame(
      List<List<String>> expected, List<List<String>> found, List<Integer> sorted) {
    if (!expected.stream()
        .map(Object::toString)
        .sorted()
        .toList()
        .equals(found.stream().map(Object::toString).sorted().toList())) {
      return false;
    }
    return keys(expected, sorted).equals(keys(found, sorted));
  }

  private static List<List<String>> keys(List<List<String>> rows, List<Integer> sorted) {
    return rows.stream()
        .map(row -> sorted.stream().map(column -> row.get(column - 1)).toList())
        .collect(Collectors.toList());
  }

  // ---- one by one -----------------------------------------------------------------------------

  private FanOut.Options options(int fetchSize, long maxRows) {
    return new FanOut.Options(
        Markers.JDBC,
        fetchSize,
        maxRows,
        0,
        null,
        dev.waymark.Consistency.session(),
        new FanOut.Canceller());
  }

  private ResultSet query(String sql, @Nullable Object... values) throws SQLException {
    return query(sql, options(0, 0), values);
  }

  private ResultSet query(String sql, FanOut.Options options, @Nullable Object... values)
      throws SQLException {
    Plan plan = planner.plan(sql, options.markers());
    assertThat(plan.merged()).as(plan.describe()).isNotNull();
    return database.queries().query(sql, plan, Values.of(values), options);
  }

  private long connectionsInUse() {
    return database.nodes().stream().mapToLong(node -> node.pools().reads().active()).sum();
  }

  @Test
  void valuesAreTheDriversOwn() throws SQLException {
    try (ResultSet rows = query("SELECT * FROM users u ORDER BY u.id DESC LIMIT 1")) {
      assertThat(rows.next()).isTrue();
      assertThat(rows.getObject("id")).isEqualTo(9L);
      assertThat(rows.getObject("born", java.time.LocalDate.class)).isEqualTo("2000-01-01");
      assertThat((String[]) rows.getArray("letters").getArray()).containsExactly("a", "9");
      assertThat(rows.getObject("extra")).hasToString("{\"k\": 9}");
      assertThat(rows.getObject("tag")).isInstanceOf(java.util.UUID.class);
      assertThat(rows.getBoolean("active")).isFalse();
      assertThat(rows.wasNull()).isTrue();
      assertThat(rows.next()).isFalse();
    }
    assertThat(connectionsInUse()).isZero();
  }

  @Test
  void totalsHaveTheTypesOfTheServer() throws SQLException {
    try (ResultSet rows =
        query("SELECT count(*), sum(id), avg(age), max(name), avg(ratio) AS mean FROM users")) {
      assertThat(rows.getMetaData().getColumnCount()).isEqualTo(5);
      assertThat(rows.getMetaData().getColumnLabel(5)).isEqualTo("mean");
      assertThat(rows.next()).isTrue();
      assertThat(rows.getInt(1)).isEqualTo(9);
      assertThat(rows.getObject(1)).isEqualTo(9L);
      assertThat(rows.getObject("sum")).isEqualTo(new java.math.BigDecimal("45"));
      assertThat(rows.getBigDecimal(3)).isEqualByComparingTo("16");
      assertThat(rows.getDouble("mean")).isEqualTo(0.25);
      assertThat(rows.getString(4)).startsWith("\uD83D\uDE00");
      assertThatThrownBy(() -> rows.getLong("waymark_sum_3")).hasMessageContaining("not found");
      assertThatThrownBy(() -> rows.getLong(6)).hasMessageContaining("out of range");
    }
  }

  @Test
  void orderThatOnlyTheServerKnowsIsRefused() {
    for (String sql :
        List.of(
            "SELECT local_name FROM users ORDER BY 1",
            "SELECT max(local_name) FROM users",
            "SELECT mood FROM users ORDER BY mood",
            "SELECT avg(share) FROM users",
            "SELECT extra, count(*) FROM users GROUP BY extra",
            "SELECT sum(age * interval '1 day') FROM users")) {
      assertThatThrownBy(() -> query(sql).close())
          .as(sql)
          .isInstanceOf(SQLFeatureNotSupportedException.class)
          .hasMessageStartingWith("WM-020: ");
    }
    assertThat(connectionsInUse()).isZero();
  }

  @Test
  void whatAnEngineWouldAnswerIsRefusedWithItsName() throws SQLException {
    try (Connection connection = database.dataSource().getConnection();
        PreparedStatement statement =
            connection.prepareStatement("SELECT count(DISTINCT age) FROM users")) {
      assertThatThrownBy(statement::executeQuery)
          .isInstanceOf(SQLFeatureNotSupportedException.class)
          .hasMessageStartingWith("WM-009: ")
          .hasMessageEndingWith(
              "Or add dev.waymark:waymark-shardingsphere to the class path, which may answer it.");
    }
  }

  @Test
  void labelsAndTextsOfAnyCollationAreGrouped() throws SQLException {
    try (ResultSet rows = query("SELECT mood, count(*) FROM users GROUP BY mood")) {
      assertThat(rows(rows)).containsExactlyInAnyOrder(List.of("glad", "4"), List.of("angry", "5"));
    }
    try (ResultSet rows = query("SELECT nick, min(nick) FROM users GROUP BY nick ORDER BY nick")) {
      assertThat(rows(rows)).containsExactly(List.of("n0", "n0"), List.of("n1", "n1"));
    }
    try (ResultSet rows =
        query("SELECT local_name COLLATE \"C\" AS l FROM users ORDER BY l LIMIT 2")) {
      assertThat(rows(rows)).containsExactly(List.of("é1"), List.of("é2"));
    }
  }

  @Test
  void quotientsAreTheServers() throws SQLException {
    java.util.Random random = new java.util.Random(SEED);
    try (PreparedStatement statement = whole.prepareStatement("SELECT ?::numeric / ?::bigint")) {
      for (int i = 0; i < 2_000; i++) {
        java.math.BigDecimal sum =
            new java.math.BigDecimal(
                new java.math.BigInteger(1 + random.nextInt(90), random), random.nextInt(20));
        sum = random.nextBoolean() ? sum : sum.negate();
        long count = 1 + (random.nextLong() >>> 1 + random.nextInt(60));
        statement.setBigDecimal(1, sum);
        statement.setLong(2, count);
        try (ResultSet answer = statement.executeQuery()) {
          answer.next();
          assertThat(Sums.divide(sum, java.math.BigDecimal.valueOf(count)))
              .as("%s / %s", sum, count)
              .isEqualTo(answer.getBigDecimal(1));
        }
      }
    }
  }

  @Test
  void rowsAreStreamed() throws SQLException {
    try (ResultSet rows = query("SELECT id FROM users ORDER BY id", options(1, 4))) {
      List<List<String>> ids = rows(rows);
      assertThat(ids).containsExactly(List.of("1"), List.of("2"), List.of("3"), List.of("4"));
    }
    assertThat(connectionsInUse()).isZero();
  }

  @Test
  void closingEarlyGivesEveryConnectionBack() throws SQLException {
    try (ResultSet rows = query("SELECT id FROM users ORDER BY id", options(1, 0))) {
      rows.next();
      assertThat(connectionsInUse()).isEqualTo(3);
    }
    assertThat(connectionsInUse()).isZero();
  }

  @Test
  void errorOfOneShardIsTheErrorOfAll() {
    assertThatThrownBy(() -> query("SELECT 1 / (id - 5) FROM users").close())
        .isInstanceOf(SQLException.class)
        .hasMessageContaining("division by zero");
    assertThat(connectionsInUse()).isZero();
  }

  @Test
  void itIsReadForwardsOnly() throws SQLException {
    try (ResultSet rows = query("SELECT id FROM users")) {
      assertThatThrownBy(rows::previous)
          .isInstanceOf(SQLFeatureNotSupportedException.class)
          .extracting(failure -> ((SQLException) failure).getSQLState())
          .isEqualTo("0A000");
      assertThatThrownBy(() -> rows.updateLong(1, 1)).hasMessageContaining("cannot be changed");
      assertThat(rows.isBeforeFirst()).isTrue();
      assertThatThrownBy(() -> rows.getLong(1)).hasMessageContaining("call next()");
    }
  }

  @Test
  void keysOutsideTheMapHaveNoRows() throws SQLException {
    try (ResultSet rows = query("SELECT id FROM users WHERE id IN (?, ?, ?)", 9L, 77L, 1L)) {
      assertThat(rows(rows)).containsExactlyInAnyOrder(List.of("1"), List.of("9"));
    }
    try (ResultSet rows = query("SELECT count(*) FROM users WHERE id IN (?, ?)", 88L, 77L)) {
      assertThat(rows(rows)).containsExactly(List.of("0"));
    }
  }

  @Test
  void listOfTenThousandKeysIsAsked() throws SQLException {
    String sql =
        "SELECT count(*) FROM users WHERE id IN ("
            + java.util.stream.LongStream.rangeClosed(1, 10_000)
                .mapToObj(Long::toString)
                .collect(Collectors.joining(", "))
            + ")";
    try (ResultSet rows = query(sql)) {
      assertThat(rows(rows)).containsExactly(List.of("9"));
    }
  }

  @Test
  void questionMarkIsAnOperatorInPlainStatements() throws SQLException {
    FanOut.Options plain =
        new FanOut.Options(
            Markers.NONE, 0, 0, 0, null, dev.waymark.Consistency.session(), new FanOut.Canceller());
    try (ResultSet rows =
        query("SELECT id FROM users WHERE extra ? 'k' ORDER BY id LIMIT 2 OFFSET 3", plain)) {
      assertThat(rows(rows)).containsExactly(List.of("4"), List.of("5"));
    }
  }

  @Test
  void cancellingEndsEveryShard() throws InterruptedException {
    FanOut.Options options = options(0, 0);
    Thread canceller =
        new Thread(
            () -> {
              org.awaitility.Awaitility.await()
                  .until(
                      () ->
                          Clusters.count(
                                  cluster.shard(2).primary(),
                                  "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE"
                                      + " '%slow_down%' AND pid <> pg_backend_pid()")
                              == 1);
              options.canceller().cancel();
            });
    canceller.start();
    String slow =
        "SELECT count(*) AS slow_down FROM users u, generate_series(1, 1000000000) g WHERE u.id > 0";
    assertThatThrownBy(() -> query(slow, options).close())
        .isInstanceOf(SQLException.class)
        .extracting(failure -> ((SQLException) failure).getSQLState())
        .isEqualTo("57014");
    canceller.join();
    org.awaitility.Awaitility.await().until(() -> connectionsInUse() == 0);
  }
}
