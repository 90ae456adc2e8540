package dev.waymark.routing;

import static dev.waymark.routing.Shards.column;
import static dev.waymark.routing.Shards.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.testkit.PostgresServer;
import java.io.StringReader;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;

/** Transactions, sessions and batches through the data source. */
class DataSourceTransactionsIT {
  private static final String PORT = "SELECT inet_server_port() FROM users WHERE id = ";

  private static Shards shards;
  private Connection connection;

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
    connection.setAutoCommit(false);
  }

  @AfterEach
  void nothingIsLeft() throws SQLException {
    connection.close();
    assertThat(shards.inUse()).isZero();
  }

  private static String replicaPort(int shard) {
    return "" + shards.cluster().shard(shard).replicas().get(0).port();
  }

  private static List<String> names(int shard) throws SQLException {
    try (Connection primary = shards.primary(shard).connect()) {
      return column(primary, "SELECT name FROM users ORDER BY id");
    }
  }

  @Test
  void nothingIsAskedOfAServerBeforeAStatement() throws SQLException {
    connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    connection.setSavepoint();
    connection.prepareStatement("SELECT 1").setLong(1, 1);
    connection.getMetaData().supportsBatchUpdates();
    connection.getMetaData().getDatabaseProductName();

    assertThat(shards.inUse()).isZero();
    connection.rollback();
  }

  @Test
  void settingsThatAreTakenBackAreGone() throws SQLException {
    update(connection, "INSERT INTO users (id, name) VALUES (8, 'Eve')");
    try (PreparedStatement names =
        connection.prepareStatement("SELECT name FROM users WHERE id IN (7, 8)")) {
      names.setMaxRows(1);
      assertThat(rows(names)).isEqualTo(1);
      names.setMaxRows(0);
      assertThat(rows(names)).isEqualTo(2);
    }
  }

  private static int rows(PreparedStatement statement) throws SQLException {
    int count = 0;
    try (ResultSet rows = statement.executeQuery()) {
      while (rows.next()) {
        count++;
      }
    }
    return count;
  }

  @Test
  void whatWasClearedIsMissingAndNotWhatItWasBefore() throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO users (id, name) VALUES (?, ?)")) {
      insert.setLong(1, 20);
      insert.setString(2, "a");
      assertThat(insert.executeUpdate()).isEqualTo(1);
      insert.clearParameters();
      insert.setLong(1, 21);
      assertThatThrownBy(insert::executeUpdate).hasFieldOrPropertyWithValue("SQLState", "22023");

      insert.setString(2, "b");
      insert.addBatch();
      insert.clearParameters();
      insert.setLong(1, 22);
      insert.addBatch();
      assertThatThrownBy(insert::executeBatch).hasFieldOrPropertyWithValue("SQLState", "22023");
    }
    connection.commit();
    assertThat(names(0)).containsExactly("Ada", "a");
  }

  @Test
  void aReadOfNoShardThatTurnsOutToWriteCommitsNothingByItself() throws SQLException {
    for (int i = 0; i < 3; i++) {
      // From the second time on it is known that it writes.
      assertThatThrownBy(() -> column(connection, "SELECT impostor()"))
          .hasMessageStartingWith("WM-012: It writes, though");
      connection.commit();
    }
    update(connection, "UPDATE users SET name = 'x' WHERE id = 8");
    assertThat(column(connection, "SELECT impostor()")).containsExactly("7");
    connection.rollback();
    try (Connection across = shards.database().dataSourceAcrossShards().getConnection()) {
      across.setAutoCommit(false);
      assertThatThrownBy(() -> column(across, "SELECT impostor() AS across"))
          .hasMessageStartingWith("WM-012");
      across.commit();
    }
    connection.setAutoCommit(true);
    assertThatThrownBy(() -> column(connection, "SELECT impostor() AS alone"))
        .hasMessageStartingWith("WM-012");
    assertThat(names(0)).containsExactly("Ada");
  }

  @Test
  void rowsOfAWriteAreAllThereAfterItsCommit() throws SQLException {
    connection.setAutoCommit(true);
    update(connection, "INSERT INTO users (id, name) VALUES (8, 'Eve')");
    try (PreparedStatement write =
        connection.prepareStatement(
            "UPDATE users SET name = name || '!' WHERE id IN (7, 8) RETURNING name")) {
      write.setFetchSize(1);
      assertThat(rows(write)).isEqualTo(2);
    }
  }

  @Test
  void aSavepointThatIsOverCannotBeReleased() throws SQLException {
    Savepoint over = connection.setSavepoint();
    connection.rollback();

    assertThatThrownBy(() -> connection.releaseSavepoint(over))
        .hasFieldOrPropertyWithValue("SQLState", "3B001");
  }

  @Test
  void aReadOnlyConnectionWritesNoBatch() throws SQLException {
    connection.setAutoCommit(true);
    connection.setReadOnly(true);
    try (Statement batch = connection.createStatement()) {
      batch.addBatch("UPDATE users SET name = 'x' WHERE id = 7");
      assertThatThrownBy(batch::executeBatch).hasMessageContaining("read-only");
    }
    assertThat(names(0)).containsExactly("Ada");
  }

  @Test
  void whatIsCommittedStaysAndWhatIsRolledBackDoesNot() throws SQLException {
    update(connection, "UPDATE users SET name = 'Ada L' WHERE id = 7");
    update(connection, "INSERT INTO users (id, name) VALUES (8, 'Eve')");
    assertThat(names(0)).containsExactly("Ada");
    connection.commit();
    assertThat(names(0)).containsExactly("Ada L", "Eve");

    update(connection, "DELETE FROM users WHERE id = 8");
    connection.rollback();
    assertThat(names(0)).containsExactly("Ada L", "Eve");
    assertThat(column(connection, "SELECT name FROM users WHERE id = 8")).containsExactly("Eve");
  }

  @Test
  void aStatementOfAnotherShardIsRefusedAndTheTransactionGoesOn() throws SQLException {
    update(connection, "UPDATE users SET name = 'Ada L' WHERE id = 7");
    assertThatThrownBy(() -> update(connection, "UPDATE users SET name = 'x' WHERE id = 1007"))
        .hasMessageStartingWith("WM-015: The transaction is on shard shard-1")
        .hasFieldOrPropertyWithValue("SQLState", "0A000");
    assertThatThrownBy(() -> column(connection, "SELECT name FROM users"))
        .hasMessageStartingWith("WM-0");
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("Ada L");
    connection.commit();

    assertThat(names(0)).containsExactly("Ada L");
    update(connection, "UPDATE users SET name = 'Grace H' WHERE id = 1007");
    connection.commit();
    assertThat(names(1)).containsExactly("Grace H");
  }

  @Test
  void readsAfterACommitSeeIt() throws SQLException {
    for (int i = 1; i <= 100; i++) {
      update(connection, "UPDATE users SET name = '" + i + "' WHERE id = 7");
      connection.commit();
      connection.setAutoCommit(true);
      assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("" + i);
      connection.setAutoCommit(false);
      connection.setReadOnly(true);
      assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("" + i);
      connection.commit();
      connection.setReadOnly(false);
    }
  }

  @Test
  void aReadOnlyTransactionIsOneSnapshotOfAReplica() throws SQLException {
    connection.setReadOnly(true);
    await()
        .untilAsserted(
            () -> {
              connection.rollback();
              assertThat(column(connection, PORT + 7)).containsExactly(replicaPort(0));
            });
    PostgresServer replica = shards.cluster().shard(0).replicas().get(0);
    shards.primary(0).execute("UPDATE users SET name = 'later' WHERE id = 7");
    await()
        .untilAsserted(
            () -> {
              try (Connection direct = replica.connect()) {
                assertThat(column(direct, "SELECT name FROM users WHERE id = 7"))
                    .containsExactly("later");
              }
            });

    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("Ada");
    assertThatThrownBy(() -> update(connection, "UPDATE users SET name = 'x' WHERE id = 7"))
        .hasFieldOrPropertyWithValue("SQLState", "25006");
    connection.rollback();
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("later");
    connection.commit();
  }

  @Test
  void isolationIsTheTransactionsAlone() throws SQLException {
    connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    update(connection, "UPDATE users SET name = 'x' WHERE id = 7");
    assertThat(column(connection, "SHOW transaction_isolation")).containsExactly("serializable");
    connection.commit();
    connection.close();

    connection = shards.dataSource().getConnection();
    connection.setAutoCommit(false);
    update(connection, "UPDATE users SET name = 'x' WHERE id = 7");
    assertThat(column(connection, "SHOW transaction_isolation")).containsExactly("read committed");
  }

  @Test
  void savepointsAreKeptAlsoBeforeThereIsAServer() throws SQLException {
    Savepoint early = connection.setSavepoint("early");
    update(connection, "UPDATE users SET name = '1' WHERE id = 7");
    Savepoint late = connection.setSavepoint();
    update(connection, "UPDATE users SET name = '2' WHERE id = 7");
    connection.rollback(late);
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("1");
    connection.rollback(early);
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("Ada");
    connection.releaseSavepoint(early);
    connection.commit();
  }

  @Test
  void cursorsFetchInParts() throws SQLException {
    for (int i = 0; i < 50; i++) {
      update(connection, "INSERT INTO orders (id, user_id, total) VALUES (" + i + ", 7, 1.5)");
    }
    try (PreparedStatement select =
        connection.prepareStatement("SELECT id FROM orders WHERE user_id = ? ORDER BY id")) {
      select.setLong(1, 7);
      select.setFetchSize(10);
      int count = 0;
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          assertThat(rows.getInt(1)).isEqualTo(count++);
        }
      }
      assertThat(count).isEqualTo(50);
      assertThat(select.getFetchSize()).isEqualTo(10);
    }
    connection.rollback();
  }

  @Test
  void copyAndLargeObjectsAreReachedThroughUnwrap() throws Exception {
    assertThatThrownBy(() -> connection.unwrap(PGConnection.class))
        .hasFieldOrPropertyWithValue("SQLState", "0A000");
    column(connection, "SELECT name FROM users WHERE id = 7 FOR UPDATE");
    PGConnection server = connection.unwrap(PGConnection.class);
    assertThat(
            server
                .getCopyAPI()
                .copyIn(
                    "COPY users (id, name) FROM STDIN", new StringReader("20\ta\n21\tb\n22\tc\n")))
        .isEqualTo(3);
    connection.commit();
    connection.setAutoCommit(true);
    assertThat(column(connection, "SELECT name FROM users WHERE id = 21")).containsExactly("b");
  }

  @Test
  void settingsOfATransactionEndWithIt() throws SQLException {
    update(connection, "SET LOCAL work_mem = '123kB'");
    update(connection, "UPDATE users SET name = 'x' WHERE id = 7");
    assertThat(column(connection, "SHOW work_mem")).containsExactly("123kB");
    connection.commit();
    update(connection, "UPDATE users SET name = 'x' WHERE id = 7");
    assertThat(column(connection, "SHOW work_mem")).containsExactly("4MB");
    connection.rollback();
  }

  @Test
  void whatLastsInASessionReachesNobodyElse() throws SQLException {
    for (String refused :
        List.of(
            "SET search_path = pg_catalog",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "RESET ALL",
            "LISTEN news",
            "PREPARE p AS SELECT 1",
            "DISCARD ALL",
            "DECLARE c CURSOR FOR SELECT * FROM users",
            "LOAD 'x'")) {
      assertThatThrownBy(() -> update(connection, refused))
          .as(refused)
          .hasMessageStartingWith("WM-014");
    }
    for (String refused : List.of("BEGIN", "COMMIT", "ROLLBACK", "START TRANSACTION")) {
      assertThatThrownBy(() -> update(connection, refused)).hasMessageStartingWith("WM-016");
    }
    connection.setAutoCommit(true);
    for (int i = 0; i < 5; i++) {
      column(
          connection,
          "SELECT set_config('search_path', 'pg_catalog', false) FROM users WHERE id = 7");
      update(connection, "/* waymark: key=7 */ CREATE TEMP TABLE users (id bigint, name text)");
      assertThat(column(connection, "SELECT name FROM users WHERE id = 7 FOR UPDATE"))
          .containsExactly("Ada");
      assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("Ada");
    }
  }

  @Test
  void aBatchIsDealtToItsShards() throws SQLException {
    connection.setAutoCommit(true);
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO users (id, name) VALUES (?, ?)")) {
      for (long id : new long[] {30, 1_030, 31, 1_031, 32}) {
        insert.setLong(1, id);
        insert.setString(2, "b" + id);
        insert.addBatch();
      }
      assertThat(insert.executeBatch()).containsExactly(1, 1, 1, 1, 1);
      assertThat(insert.executeBatch()).isEmpty();
    }
    assertThat(names(0)).containsExactly("Ada", "b30", "b31", "b32");
    assertThat(names(1)).containsExactly("Grace", "b1030", "b1031");
  }

  @Test
  void aBatchWithoutKeysIsDealtKeysAndReturnsThem() throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO users (name) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
      update(connection, "UPDATE users SET name = 'x' WHERE id = 7");
      for (int i = 0; i < 3; i++) {
        insert.setString(1, "n" + i);
        insert.addBatch();
      }
      assertThat(insert.executeBatch()).containsExactly(1, 1, 1);
      try (ResultSet keys = insert.getGeneratedKeys()) {
        for (int i = 0; i < 3; i++) {
          assertThat(keys.next()).isTrue();
          assertThat(keys.getLong(1)).isBetween(1L, 1_000L);
        }
      }
    }
    connection.rollback();
  }

  @Test
  void aFailedBatchTellsWhatBecameOfEachCommand() throws SQLException {
    connection.setAutoCommit(true);
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO users (id, name) VALUES (?, ?)")) {
      for (long id : new long[] {1_040, 40, 7, 1_041}) {
        insert.setLong(1, id);
        insert.setString(2, "b" + id);
        insert.addBatch();
      }
      assertThatThrownBy(insert::executeBatch)
          .isInstanceOfSatisfying(
              BatchUpdateException.class,
              failure -> {
                assertThat(failure.getSQLState()).isEqualTo("23505");
                assertThat(failure.getUpdateCounts())
                    .containsExactly(1, Statement.EXECUTE_FAILED, Statement.EXECUTE_FAILED, 1);
              });
    }
    assertThat(names(0)).containsExactly("Ada");
    assertThat(names(1)).containsExactly("Grace", "b1040", "b1041");
  }

  @Test
  void aBatchOverShardsIsRefusedWithinATransaction() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.addBatch("UPDATE users SET name = 'x' WHERE id = 7");
      statement.addBatch("UPDATE users SET name = 'x' WHERE id = 1007");
      assertThatThrownBy(statement::executeBatch)
          .isInstanceOf(BatchUpdateException.class)
          .hasMessageStartingWith("WM-015");
      statement.addBatch("UPDATE users SET name = 'x' WHERE id = 7");
      statement.addBatch("UPDATE users SET name = name || 'y' WHERE id = 7");
      assertThat(statement.executeBatch()).containsExactly(1, 1);
    }
    connection.commit();
    assertThat(names(0)).containsExactly("xy");
  }

  @Test
  void anErrorWithinATransactionLeavesItFailedAsEver() throws SQLException {
    update(connection, "UPDATE users SET name = 'x' WHERE id = 7");
    assertThatThrownBy(() -> update(connection, "INSERT INTO users (id, name) VALUES (7, 'y')"))
        .hasFieldOrPropertyWithValue("SQLState", "23505");
    assertThatThrownBy(() -> column(connection, "SELECT name FROM users WHERE id = 7"))
        .hasFieldOrPropertyWithValue("SQLState", "25P02");
    assertThatThrownBy(connection::commit).isInstanceOf(SQLException.class);
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("Ada");
  }

  @Test
  void aSchemaChangeMendsItselfWithAutoCommit() throws SQLException {
    connection.setAutoCommit(true);
    shards.primary(0).execute("ALTER TABLE users ADD COLUMN extra int");
    try (PreparedStatement select =
            connection.prepareStatement("SELECT * FROM users WHERE id = ?");
        PreparedStatement returning =
            connection.prepareStatement("UPDATE users SET name = 'x' WHERE id = ? RETURNING *")) {
      for (int i = 0; i < 40; i++) {
        if (i % 10 == 9) {
          shards.primary(0).execute("ALTER TABLE users DROP COLUMN extra");
          shards
              .primary(0)
              .execute("ALTER TABLE users ADD COLUMN extra " + (i > 20 ? "int" : "text"));
        }
        select.setLong(1, 7);
        try (ResultSet rows = select.executeQuery()) {
          assertThat(rows.next()).isTrue();
        }
        returning.setLong(1, 7);
        try (ResultSet rows = returning.executeQuery()) {
          assertThat(rows.next()).isTrue();
        }
      }
    } finally {
      shards.primary(0).execute("ALTER TABLE users DROP COLUMN extra");
    }
  }

  /** Plans of a catalogue whose readings are counted, and a clock that only the test moves. */
  private record Counted(Plans plans, AtomicInteger readings, AtomicLong nanos) {
    static Counted ofShards() {
      CatalogueSource source = new CatalogueSource(shards.database(), System::nanoTime);
      AtomicInteger readings = new AtomicInteger();
      AtomicLong nanos = new AtomicLong();
      return new Counted(
          new Plans(
              shards.database().map().tables(),
              new SqlCatalogueKeeper.Source() {
                @Override
                public SqlCatalogueKeeper.Reading load() throws SQLException {
                  readings.incrementAndGet();
                  return source.load();
                }

                @Override
                public BuiltIns loadBuiltIns() throws SQLException {
                  return source.loadBuiltIns();
                }
              },
              nanos::get),
          readings,
          nanos);
    }

    Connection connect(ShardedConnection.Crossing crossing) throws SQLException {
      return new ShardedDataSource(shards.database(), plans, crossing).getConnection();
    }

    /** Whether it has been read again by the next statement. */
    boolean isReadAgain() throws SQLException {
      int before = readings.get();
      plans.of("SELECT 1");
      return readings.get() > before;
    }
  }

  @Test
  void theCatalogueIsReadAgainAfterWhatMayHaveChangedItAndNothingElse() throws SQLException {
    Counted counted = Counted.ofShards();
    try (Connection own = counted.connect(ShardedConnection.Crossing.REFUSED)) {
      assertThat(counted.isReadAgain()).isTrue();
      for (String harmless :
          List.of(
              "/* waymark: key=7 */ SELECT touch(7)",
              "/* waymark: key=7 */ CALL touched(7)",
              "/* waymark: key=7 */ VACUUM users",
              "/* waymark: key=7 */ SELECT 1 FOR UPDATE")) {
        try (Statement statement = own.createStatement()) {
          statement.execute(harmless);
        }
        assertThat(counted.isReadAgain()).as(harmless).isFalse();
      }
      for (String change :
          List.of(
              "/* waymark: key=7 */ CREATE TABLE passing (id int)",
              "/* waymark: key=7 */ ALTER TABLE passing ADD COLUMN more int",
              "/* waymark: key=7 */ DROP TABLE passing",
              "/* waymark: key=7 */ DO $$ BEGIN END $$")) {
        update(own, change);
        assertThat(counted.isReadAgain()).as(change).isTrue();
      }
      try (Statement batch = own.createStatement()) {
        batch.addBatch("/* waymark: key=7 */ CREATE TABLE passing (id int)");
        batch.addBatch("/* waymark: key=7 */ DROP TABLE passing");
        batch.executeBatch();
      }
      assertThat(counted.isReadAgain()).isTrue();
    }
  }

  @Test
  void aSchemaChangeOfATransactionIsLookedForOnceItIsCommitted() throws SQLException {
    Counted counted = Counted.ofShards();
    for (ShardedConnection.Crossing crossing : ShardedConnection.Crossing.values()) {
      try (Connection own = counted.connect(crossing)) {
        own.setAutoCommit(false);
        counted.isReadAgain();
        update(own, "/* waymark: key=7 */ CREATE TABLE passing (id int)");
        assertThat(counted.isReadAgain()).isFalse();
        own.rollback();
        assertThat(counted.isReadAgain()).isFalse();
        update(own, "/* waymark: key=7 */ CREATE TABLE passing (id int)");
        update(own, "/* waymark: key=7 */ DROP TABLE passing");
        own.commit();
        assertThat(counted.isReadAgain()).isTrue();
        own.commit();
        assertThat(counted.isReadAgain()).isFalse();
      }
    }
  }

  @Test
  void aBatchThatTellsOfAnotherSchemaHasTheCatalogueReadAgain() throws SQLException {
    Counted counted = Counted.ofShards();
    try (Connection own = counted.connect(ShardedConnection.Crossing.REFUSED);
        Statement batch = own.createStatement()) {
      counted.isReadAgain();
      counted.nanos().addAndGet(TimeUnit.SECONDS.toNanos(2));
      batch.addBatch("UPDATE users SET missing = 1 WHERE id = 7");
      assertThatThrownBy(batch::executeBatch).hasFieldOrPropertyWithValue("SQLState", "42703");
      assertThat(counted.isReadAgain()).isTrue();
    }
  }

  @Test
  void whatNeedsNoTransactionRunsWithoutOne() throws SQLException {
    connection.setAutoCommit(true);
    update(connection, "/* waymark: key=7 */ VACUUM users");
    update(connection, "/* waymark: key=7 */ CREATE INDEX CONCURRENTLY i ON users (name)");
    update(connection, "/* waymark: key=7 */ DROP INDEX i");
  }

  @Test
  void aRoutinesBodyAndARulesListAreOneStatement() throws SQLException {
    connection.setAutoCommit(true);
    update(
        connection,
        "/* waymark: key=7 */ CREATE FUNCTION two() RETURNS int"
            + " BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;");
    assertThat(column(connection, "/* waymark: key=7 */ SELECT two()")).containsExactly("2");
    update(connection, "/* waymark: key=7 */ DROP FUNCTION two()");

    update(connection, "/* waymark: key=7 */ CREATE TABLE passing (id int)");
    try (PreparedStatement rule =
        connection.prepareStatement(
            "/* waymark: key=7 */ CREATE RULE twofold AS ON INSERT TO passing"
                + " DO (DELETE FROM passing WHERE id = 0; DELETE FROM passing WHERE id = 1)")) {
      rule.execute();
    }
    assertThat(
            column(
                connection,
                "/* waymark: key=7 */ SELECT rulename FROM pg_rules WHERE tablename = 'passing'"))
        .containsExactly("twofold");
    update(connection, "/* waymark: key=7 */ DROP TABLE passing");
  }
}
