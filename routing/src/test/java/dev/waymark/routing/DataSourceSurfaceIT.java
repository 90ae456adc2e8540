package dev.waymark.routing;

import static dev.waymark.routing.Shards.column;
import static dev.waymark.routing.Shards.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.util.PGobject;

/** The rest of JDBC: types, meta data, closing, cancelling, the driver; and what is refused. */
class DataSourceSurfaceIT {
  private static Shards shards;
  private Connection connection;
  @TempDir Path folder;

  @BeforeAll
  static void start() throws SQLException {
    shards = Shards.start(1);
  }

  @AfterAll
  static void stop() {
    shards.close();
  }

  @BeforeEach
  void open() throws SQLException {
    shards.clear();
    connection = shards.dataSource().getConnection();
    update(connection, "INSERT INTO users (id, name) VALUES (7, 'Ada')");
    update(connection, "INSERT INTO users (id, name) VALUES (1007, 'Grace')");
  }

  @AfterEach
  void nothingIsLeft() throws SQLException {
    connection.close();
    // The decision of a transaction across shards is forgotten in the background.
    await().untilAsserted(() -> assertThat(shards.inUse()).isZero());
  }

  // ---- types --------------------------------------------------------------------------------

  @Test
  void valuesComeBackAsTheyWereSent() throws SQLException {
    OffsetDateTime seen = OffsetDateTime.of(2026, 11, 27, 3, 4, 5, 0, ZoneOffset.UTC);
    PGobject json = new PGobject();
    json.setType("jsonb");
    json.setValue("{\"a\": 1}");
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO users (id, name, data, tags, born, seen) VALUES (?, ?, ?, ?, ?, ?)")) {
      insert.setObject(1, 8L);
      insert.setCharacterStream(2, new java.io.StringReader("Eve"));
      insert.setObject(3, json);
      insert.setArray(4, connection.createArrayOf("text", new String[] {"x", "y"}));
      insert.setObject(5, LocalDate.of(1815, 12, 10));
      insert.setObject(6, seen);
      assertThat(insert.executeUpdate()).isEqualTo(1);
    }
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT name, data, tags, born, seen FROM users WHERE id = ANY (?)")) {
      select.setArray(1, connection.createArrayOf("bigint", new Long[] {8L}));
      try (ResultSet rows = select.executeQuery()) {
        assertThat(rows.next()).isTrue();
        assertThat(rows.getString(1)).isEqualTo("Eve");
        assertThat(rows.getObject("data").toString()).isEqualTo("{\"a\": 1}");
        assertThat((String[]) rows.getArray(3).getArray()).containsExactly("x", "y");
        assertThat(rows.getObject(4, LocalDate.class)).isEqualTo(LocalDate.of(1815, 12, 10));
        assertThat(rows.getObject(5, OffsetDateTime.class)).isEqualTo(seen);
      }
    }
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO orders VALUES (?, ?, ?)")) {
      insert.setInt(1, 1);
      insert.setObject(2, "8", Types.BIGINT);
      insert.setBigDecimal(3, new BigDecimal("12.50"));
      assertThat(insert.executeUpdate()).isEqualTo(1);
    }
    assertThat(column(connection, "SELECT total FROM orders WHERE user_id = 8"))
        .containsExactly("12.50");
  }

  @Test
  void aStreamIsReadOnceSoItIsNotSentToSeveralShards() throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT name FROM users WHERE name = ?")) {
      select.setCharacterStream(1, new java.io.StringReader("Ada"));
      assertThatThrownBy(select::executeQuery).hasMessageStartingWith("WM-018");
    }
  }

  // ---- several shards -----------------------------------------------------------------------

  @Test
  void answersOfSeveralShardsAreMerged() throws SQLException {
    assertThat(column(connection, "SELECT id FROM users ORDER BY id DESC"))
        .containsExactly("1007", "7");
    assertThat(column(connection, "SELECT count(*) FROM users")).containsExactly("2");
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT id, name FROM users WHERE id IN (?, ?) ORDER BY id LIMIT ?")) {
      select.setLong(1, 7);
      select.setLong(2, 1_007);
      select.setInt(3, 5);
      try (ResultSet rows = select.executeQuery()) {
        assertThat(rows.getStatement()).isSameAs(select);
        assertThat(rows.next()).isTrue();
        assertThat(rows.getLong("id")).isEqualTo(7);
        assertThat(rows.next()).isTrue();
        assertThat(rows.getString(2)).isEqualTo("Grace");
        assertThat(rows.next()).isFalse();
      }
      select.executeQuery();
    }
  }

  @Test
  void aTransactionAcrossShardsIsAllOrNothing() throws SQLException {
    try (Connection across = shards.database().dataSourceAcrossShards().getConnection()) {
      across.setAutoCommit(false);
      assertThat(update(across, "UPDATE users SET name = 'x' WHERE id = 7")).isEqualTo(1);
      assertThat(update(across, "UPDATE users SET name = 'y' WHERE id = 1007")).isEqualTo(1);
      assertThat(update(across, "UPDATE users SET name = name || '!' WHERE id IN (7, 1007)"))
          .isEqualTo(2);
      assertThat(column(across, "SELECT name FROM users")).containsExactlyInAnyOrder("x!", "y!");
      across.rollback();
      assertThat(column(across, "SELECT name FROM users"))
          .containsExactlyInAnyOrder("Ada", "Grace");
      update(across, "UPDATE users SET name = name || '?' WHERE id IN (7, 1007)");
      across.commit();
    }
    assertThat(column(connection, "SELECT name FROM users"))
        .containsExactlyInAnyOrder("Ada?", "Grace?");
  }

  @Test
  void aTransactionAcrossShardsDropsNothingThatWasAskedOfIt() throws SQLException {
    try (Connection across = shards.database().dataSourceAcrossShards().getConnection()) {
      across.setAutoCommit(false);
      assertThatThrownBy(() -> update(across, "SET LOCAL lock_timeout = '1s'"))
          .hasMessageStartingWith("WM-018");
      assertThatThrownBy(() -> update(across, "DELETE FROM users /* waymark: key=4x2 */"))
          .hasMessageStartingWith("WM-010");
      across.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
      assertThatThrownBy(() -> update(across, "UPDATE users SET name = 'x' WHERE id = 7"))
          .hasMessageStartingWith("WM-018");
      across.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
      update(across, "UPDATE users SET name = 'x' WHERE id = 7");
      assertThatThrownBy(() -> across.setReadOnly(true))
          .hasFieldOrPropertyWithValue("SQLState", "25001");
      across.rollback();
    }
    assertThat(column(connection, "SELECT name FROM users"))
        .containsExactlyInAnyOrder("Ada", "Grace");
  }

  // ---- bad input ----------------------------------------------------------------------------

  @Test
  void aCommentHidesNoWrite() throws SQLException {
    assertThat(update(connection, "/* SELECT */ UPDATE users SET name = 'x' WHERE id = 7 -- y"))
        .isEqualTo(1);
    assertThatThrownBy(() -> update(connection, "SELECT 1 /* /* */ */ ; DELETE FROM users"))
        .hasMessageStartingWith("WM-002");
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("x");
  }

  @Test
  void severalStatementsInOneTextAreRefused() {
    assertThatThrownBy(() -> update(connection, "SELECT 1; SELECT 2"))
        .hasMessageStartingWith("WM-002");
  }

  @Test
  void quotedAndQualifiedNamesAreTheSameTables() throws SQLException {
    assertThat(column(connection, "SELECT \"name\" FROM \"public\".\"users\" WHERE \"id\" = 7"))
        .containsExactly("Ada");
    assertThatThrownBy(() -> column(connection, "SELECT * FROM \"Users\" WHERE id = 7"))
        .hasMessageStartingWith("WM-004");
    assertThatThrownBy(() -> column(connection, "SELECT * FROM other.users WHERE id = 7"))
        .hasMessageStartingWith("WM-004");
  }

  @Test
  void theSearchPathCannotBeChanged() {
    assertThatThrownBy(() -> update(connection, "SET search_path = other"))
        .hasMessageStartingWith("WM-014");
    assertThatThrownBy(() -> connection.setSchema("other")).hasMessageStartingWith("WM-014");
  }

  @Test
  void aKeyOfTheWrongTypeIsRefused() throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT name FROM users WHERE id = ?")) {
      for (Object wrong : Arrays.asList(7.5, "seven", new BigDecimal("7.1"), true)) {
        select.setObject(1, wrong);
        assertThatThrownBy(select::executeQuery).hasMessageStartingWith("WM-007");
      }
      select.setObject(1, new BigDecimal("7"));
      try (ResultSet rows = select.executeQuery()) {
        assertThat(rows.next()).isTrue();
      }
    }
  }

  @Test
  void aNullKeyFindsNothingAndInsertsNothing() throws SQLException {
    try (PreparedStatement select =
            connection.prepareStatement("SELECT name FROM users WHERE id = ?");
        PreparedStatement insert =
            connection.prepareStatement("INSERT INTO users (id, name) VALUES (?, 'x')");
        PreparedStatement two =
            connection.prepareStatement("INSERT INTO users (id, name) VALUES (?, 'x'), (?, 'y')")) {
      select.setNull(1, Types.BIGINT);
      try (ResultSet rows = select.executeQuery()) {
        assertThat(rows.next()).isFalse();
      }
      insert.setObject(1, null);
      assertThatThrownBy(insert::executeUpdate).hasMessageStartingWith("WM-006");
      two.setLong(1, 9);
      two.setNull(2, Types.BIGINT);
      assertThatThrownBy(two::executeUpdate).hasMessageStartingWith("WM-006");
    }
  }

  @Test
  void anUpdateThatMovesARowIsRefused() {
    assertThatThrownBy(() -> update(connection, "UPDATE users SET id = 8 WHERE id = 7"))
        .hasMessageStartingWith("WM-005");
  }

  @Test
  void aListOfTenThousandKeysFindsItsRows() throws SQLException {
    StringBuilder sql = new StringBuilder("SELECT name FROM users WHERE id IN (?");
    sql.append(", ?".repeat(9_999)).append(")");
    try (PreparedStatement select = connection.prepareStatement(sql.toString())) {
      for (int i = 0; i < 10_000; i++) {
        select.setLong(i + 1, 1 + i % 900);
      }
      try (ResultSet rows = select.executeQuery()) {
        assertThat(rows.next()).isTrue();
        assertThat(rows.getString(1)).isEqualTo("Ada");
        assertThat(rows.next()).isFalse();
      }
      select.setLong(10_000, 1_007);
      try (ResultSet rows = select.executeQuery()) {
        assertThat(rows.next()).isTrue();
        assertThat(rows.next()).isTrue();
        assertThat(rows.next()).isFalse();
      }
    }
  }

  @Test
  void aKeyThatNobodyOwnsIsRefused() {
    assertThatThrownBy(() -> column(connection, "SELECT name FROM users WHERE id = 999999"))
        .hasMessageStartingWith("WM-017");
  }

  @Test
  void aMissingParameterIsToldByTheDriver() throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO users (id, name) VALUES (?, ?)")) {
      insert.setLong(1, 9);
      assertThatThrownBy(insert::executeUpdate).hasFieldOrPropertyWithValue("SQLState", "22023");
      assertThatThrownBy(() -> insert.setLong(0, 1))
          .hasFieldOrPropertyWithValue("SQLState", "22023");
    }
  }

  // ---- calls --------------------------------------------------------------------------------

  @Test
  void aCallNamesItsShardByAHint() throws SQLException {
    assertThatThrownBy(
            () -> {
              try (CallableStatement call = connection.prepareCall("{? = call touch(?)}")) {
                call.registerOutParameter(1, Types.BIGINT);
                call.setLong(2, 7);
                call.execute();
              }
            })
        .hasMessageStartingWith("WM-0");
    try (CallableStatement call =
        connection.prepareCall("/* waymark: key=7 */ {? = call touch(?)}")) {
      call.registerOutParameter(1, Types.BIGINT);
      call.setLong(2, 7);
      call.execute();
      assertThat(call.getLong(1)).isEqualTo(7);
    }
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("Ada!");
  }

  // ---- meta data ----------------------------------------------------------------------------

  @Test
  void metaDataIsThatOfAServerAndTouchesNoWriter() throws SQLException {
    try (Connection direct = shards.primary(0).connect()) {
      DatabaseMetaData expected = direct.getMetaData();
      DatabaseMetaData ours = connection.getMetaData();
      List<String> own =
          List.of(
              "getURL",
              "getUserName",
              "getDriverName",
              "getDriverVersion",
              "getDriverMajorVersion",
              "getDriverMinorVersion",
              "getConnection",
              "getRowIdLifetime");
      int compared = 0;
      for (Method method : DatabaseMetaData.class.getMethods()) {
        if (method.getParameterCount() == 0
            && method.getReturnType() != ResultSet.class
            && method.getDeclaringClass() == DatabaseMetaData.class
            && !own.contains(method.getName())) {
          assertThat(call(method, ours)).as(method.getName()).isEqualTo(call(method, expected));
          compared++;
        }
      }
      assertThat(compared).isGreaterThan(120);
    }
    try (ResultSet tables = connection.getMetaData().getTables(null, "public", "%", null)) {
      int count = 0;
      while (tables.next()) {
        count++;
      }
      assertThat(count).isGreaterThan(3);
    }
    assertThat(connection.getCatalog()).isNotEmpty();
    assertThat(connection.getSchema()).isEqualTo("public");
  }

  private static Object call(Method method, DatabaseMetaData of) throws SQLException {
    try {
      return method.invoke(of);
    } catch (ReflectiveOperationException failure) {
      throw new SQLException(failure);
    }
  }

  @Test
  void aStatementIsDescribedBeforeItRuns() throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT id, name AS n FROM users WHERE id = ?")) {
      ResultSetMetaData columns = select.getMetaData();
      assertThat(columns.getColumnCount()).isEqualTo(2);
      assertThat(columns.getColumnLabel(2)).isEqualTo("n");
      assertThat(columns.getColumnType(1)).isEqualTo(Types.BIGINT);
      assertThat(select.getParameterMetaData().getParameterType(1)).isEqualTo(Types.BIGINT);
      assertThat(select.getParameterMetaData().getParameterCount()).isEqualTo(1);
    }
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE users SET name = 'x' WHERE id = ?")) {
      assertThat(update.getMetaData()).isNull();
    }
  }

  // ---- settings and warnings ----------------------------------------------------------------

  @Test
  void maximaAndWarningsArePassedOn() throws SQLException {
    update(connection, "INSERT INTO users (id, name) VALUES (8, 'Eve')");
    try (Statement statement = connection.createStatement()) {
      statement.setMaxRows(1);
      try (ResultSet rows =
          statement.executeQuery("SELECT id FROM users WHERE id BETWEEN 1 AND 900")) {
        assertThat(rows.next()).isTrue();
        assertThat(rows.next()).isFalse();
      }
      assertThat((Throwable) statement.getWarnings()).isNull();
      statement.execute("/* waymark: key=7 */ DO $$ BEGIN RAISE WARNING 'careful'; END $$");
      assertThat((Throwable) statement.getWarnings()).hasMessageContaining("careful");
    }
  }

  @Test
  void aQueryTimeOutEndsAStatement() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      assertThatThrownBy(
              () -> statement.executeQuery("SELECT pg_sleep(30) FROM users WHERE id = 7"))
          .hasFieldOrPropertyWithValue("SQLState", "57014");
    }
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      assertThatThrownBy(
              () -> statement.executeQuery("SELECT pg_sleep(30) FROM users WHERE id = 7"))
          .hasFieldOrPropertyWithValue("SQLState", "57014");
    }
    connection.rollback();
  }

  @Test
  void aStatementIsCancelledFromAnotherThread() throws Exception {
    ExecutorService another = Executors.newSingleThreadExecutor();
    try (Statement statement = connection.createStatement()) {
      CountDownLatch begun = new CountDownLatch(1);
      Future<?> running =
          another.submit(
              () -> {
                begun.countDown();
                return statement.executeQuery("SELECT pg_sleep(4) FROM users WHERE id = 7");
              });
      begun.await();
      await()
          .until(
              () -> {
                statement.cancel();
                return running.isDone();
              });
      assertThatThrownBy(running::get).hasRootCauseInstanceOf(SQLException.class);
    } finally {
      another.shutdownNow();
    }
  }

  // ---- closing ------------------------------------------------------------------------------

  @Test
  void closingTwiceDoesNothingAndWhatIsClosedSaysSo() throws SQLException {
    Statement statement = connection.createStatement();
    PreparedStatement prepared = connection.prepareStatement("SELECT name FROM users WHERE id = 7");
    ResultSet rows = prepared.executeQuery();
    assertThat(shards.inUse()).isEqualTo(1);
    connection.close();
    connection.close();

    assertThat(shards.inUse()).isZero();
    assertThat(connection.isClosed()).isTrue();
    assertThat(connection.isValid(1)).isFalse();
    assertThat(statement.isClosed()).isTrue();
    assertThat(prepared.isClosed()).isTrue();
    assertThat(rows.isClosed()).isTrue();
    statement.close();
    for (Attempt attempt :
        List.<Attempt>of(
            connection::createStatement,
            connection::commit,
            () -> connection.prepareStatement("SELECT 1"),
            connection::getMetaData,
            () -> connection.setReadOnly(true))) {
      assertThatThrownBy(attempt::run).hasFieldOrPropertyWithValue("SQLState", "08003");
    }
    assertThatThrownBy(prepared::executeQuery).isInstanceOf(SQLException.class);
  }

  private interface Attempt {
    void run() throws Exception;
  }

  @Test
  void anOpenResultHoldsAConnectionUntilItIsClosed() throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT name FROM users WHERE id = ?")) {
      select.closeOnCompletion();
      select.setLong(1, 7);
      ResultSet first = select.executeQuery();
      assertThat(shards.inUse()).isEqualTo(1);
      ResultSet second = select.executeQuery();
      assertThat(first.isClosed()).isTrue();
      assertThat(shards.inUse()).isEqualTo(1);
      second.close();
      assertThat(shards.inUse()).isZero();
      assertThat(select.isClosed()).isTrue();
    }
  }

  @Test
  void abortEndsAtOnce() throws SQLException {
    connection.setAutoCommit(false);
    update(connection, "UPDATE users SET name = 'x' WHERE id = 7");
    connection.abort(Runnable::run);
    assertThat(connection.isClosed()).isTrue();
    connection.close();
    shards.database().nodes();
    try (Connection other = shards.dataSource().getConnection()) {
      assertThat(column(other, "SELECT name FROM users WHERE id = 7 FOR UPDATE"))
          .containsExactly("Ada");
    }
  }

  // ---- the driver ---------------------------------------------------------------------------

  @Test
  void theDriverOpensAFileOnceForAllItsConnections() throws Exception {
    Path file = folder.resolve("waymark.yaml");
    Files.writeString(file, yaml());
    String url = "jdbc:waymark:file:" + file;
    ShardedDatabase opened;
    try (Connection first = DriverManager.getConnection(url);
        Connection second = DriverManager.getConnection(url)) {
      opened = first.unwrap(ShardedDatabase.class);
      assertThat(second.unwrap(ShardedDatabase.class)).isSameAs(opened);
      assertThat(column(first, "SELECT name FROM users WHERE id = 7")).containsExactly("Ada");
      assertThat(first.getMetaData().getURL()).startsWith("jdbc:waymark:");
    }
    opened.close();
    try (Connection anew = DriverManager.getConnection(url)) {
      assertThat(anew.unwrap(ShardedDatabase.class)).isNotSameAs(opened);
      assertThat(column(anew, "SELECT name FROM users WHERE id = 1007")).containsExactly("Grace");
      anew.unwrap(ShardedDatabase.class).close();
      assertThatThrownBy(() -> column(anew, "SELECT name FROM users WHERE id = 7"))
          .hasFieldOrPropertyWithValue("SQLState", "08003");
    }
    assertThatThrownBy(() -> DriverManager.getConnection("jdbc:waymark:file:/no/such.yaml"))
        .hasFieldOrPropertyWithValue("SQLState", "08001");
    assertThatThrownBy(() -> DriverManager.getConnection("jdbc:waymark:memory"))
        .hasFieldOrPropertyWithValue("SQLState", "08001");
  }

  private static String yaml() {
    StringBuilder yaml = new StringBuilder("version: 1\n");
    yaml.append(
        "tables: {users: {key: id}, orders: {key: user_id}, countries: {broadcast: true}}\n");
    yaml.append("shards:\n");
    shards
        .database()
        .map()
        .shards()
        .forEach(
            shard -> {
              yaml.append("  ").append(shard.name()).append(": {nodes: [");
              shard
                  .nodes()
                  .forEach(node -> yaml.append("{url: \"").append(node.url()).append("\"}, "));
              yaml.setLength(yaml.length() - 2);
              yaml.append("]}\n");
            });
    yaml.append("ranges:\n");
    shards
        .database()
        .map()
        .ranges()
        .forEach(
            owned ->
                yaml.append("  - {from: ")
                    .append(owned.range().from())
                    .append(", to: ")
                    .append(owned.range().to())
                    .append(", shard: ")
                    .append(owned.shard())
                    .append("}\n"));
    yaml.append("credentials: {user: ")
        .append(shards.primary(0).user())
        .append(", password: \"")
        .append(shards.primary(0).password())
        .append("\"}\n");
    return yaml.toString();
  }
}
