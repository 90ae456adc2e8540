package dev.waymark.routing;

import static dev.waymark.routing.Shards.column;
import static dev.waymark.routing.Shards.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.testkit.PostgresServer;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.sql.Statement;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Query time-outs, cancels and aborts of what concerns several shards. */
class DataSourceEndingIT {
  private static final String ENDLESS =
      "SELECT count(*) FROM users u, generate_series(1, 1000000000) g WHERE u.id > 0";
  private static final String WRITE = "UPDATE users SET name = name || '!' WHERE id IN (7, 1007)";

  private static Shards shards;
  private final ExecutorService another = Executors.newSingleThreadExecutor();
  private Connection connection;
  private Connection across;
  private Connection locker;

  @BeforeAll
  static void start() throws SQLException {
    shards = Shards.start(0);
  }

  @AfterAll
  static void stop() {
    shards.close();
  }

  @BeforeEach
  void open() throws SQLException {
    shards.clear();
    connection = shards.dataSource().getConnection();
    for (int id : new int[] {7, 8, 9, 1_007, 1_008, 1_009}) {
      update(connection, "INSERT INTO users (id, name) VALUES (" + id + ", 'n')");
    }
    across = shards.database().dataSourceAcrossShards().getConnection();
    across.setAutoCommit(false);
    locker = shards.primary(1).connect();
    locker.setAutoCommit(false);
  }

  @AfterEach
  void nothingIsLeft() throws SQLException {
    another.shutdownNow();
    locker.close();
    across.close();
    connection.close();
    await().untilAsserted(() -> assertThat(shards.inUse()).isZero());
    for (int shard = 0; shard < 2; shard++) {
      int place = shard;
      // Whatever was ended here runs on no server any more.
      await().untilAsserted(() -> assertThat(active(place)).isZero());
    }
  }

  private static long active(int shard) {
    return Clusters.count(
        shards.primary(shard),
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
            + " AND query LIKE '%users%'");
  }

  private void lockSecondShard() throws SQLException {
    column(locker, "SELECT id FROM users WHERE id = 1007 FOR UPDATE");
  }

  /** So that a time-out is the statement's alone. */
  private void openBothParts() throws SQLException {
    assertThat(column(across, "SELECT id FROM users")).hasSize(6);
  }

  private static boolean waitsForLock() {
    return Clusters.count(
            shards.primary(1),
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        == 1;
  }

  private static boolean runsOn(int shard) {
    return active(shard) == 1;
  }

  /** The failure of work on the other thread, once something has ended it. */
  private static Throwable failureOf(Future<?> running) throws InterruptedException {
    try {
      running.get();
    } catch (ExecutionException failure) {
      return failure.getCause();
    }
    throw new AssertionError("It was not ended");
  }

  private interface Ending {
    void end() throws SQLException;
  }

  /** Once the condition holds, ends the work over and over until it is over. */
  private Throwable ended(Callable<?> work, Callable<Boolean> isAtWork, Ending ending)
      throws InterruptedException {
    Future<?> running = another.submit(work);
    await().until(() -> isAtWork.call() || running.isDone());
    await()
        .until(
            () -> {
              ending.end();
              return running.isDone();
            });
    return failureOf(running);
  }

  // ---- time-outs ----------------------------------------------------------------------------

  @Test
  void aQueryTimeOutEndsAQueryOfSeveralShardsWithinATransaction() throws SQLException {
    update(across, "UPDATE users SET name = 'x' WHERE id = 7");
    openBothParts();
    try (Statement statement = across.createStatement()) {
      statement.setQueryTimeout(1);
      assertThatThrownBy(() -> statement.executeQuery(ENDLESS))
          .isInstanceOf(SQLTimeoutException.class)
          .hasFieldOrPropertyWithValue("SQLState", "57014");
    }
    across.rollback();
    assertThat(column(across, "SELECT name FROM users WHERE id = 7")).containsExactly("n");
  }

  @Test
  void aQueryTimeOutEndsAQueryOfSeveralShardsWithAutoCommit() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      assertThatThrownBy(() -> statement.executeQuery(ENDLESS))
          .isInstanceOf(SQLTimeoutException.class)
          .hasFieldOrPropertyWithValue("SQLState", "57014");
    }
  }

  @Test
  void aQueryTimeOutEndsAWriteOnSeveralShards() throws SQLException {
    openBothParts();
    lockSecondShard();
    try (Statement statement = across.createStatement()) {
      statement.setQueryTimeout(1);
      assertThatThrownBy(() -> statement.executeUpdate(WRITE))
          .isInstanceOf(SQLTimeoutException.class)
          .hasFieldOrPropertyWithValue("SQLState", "57014");
    }
    assertThatThrownBy(() -> across.commit()).isInstanceOf(SQLException.class);
    locker.rollback();
    assertThat(column(connection, "SELECT name FROM users WHERE id IN (7, 1007)"))
        .containsExactly("n", "n");
  }

  @Test
  void aWriteThatDoesNotReachItsSecondShardIsNotCommittedOnItsFirst() throws SQLException {
    PostgresServer second = shards.primary(1);
    second.stop();
    try (Statement statement = across.createStatement()) {
      statement.setQueryTimeout(2);
      assertThatThrownBy(() -> statement.executeUpdate(WRITE)).isInstanceOf(SQLException.class);
    } finally {
      second.start();
    }
    await().until(() -> shards.database().nodes().stream().allMatch(NodeStatus::isUp));
    for (String next :
        new String[] {WRITE, "UPDATE users SET name = 'x' WHERE id = 8", "SELECT id FROM users"}) {
      assertThatThrownBy(() -> across.createStatement().execute(next))
          .as(next)
          .hasFieldOrPropertyWithValue("SQLState", "25P02");
    }
    assertThatThrownBy(across::commit).hasFieldOrPropertyWithValue("SQLState", "25P02");
    assertThat(column(connection, "SELECT name FROM users WHERE name <> 'n'")).isEmpty();
    assertThat(update(across, WRITE)).isEqualTo(2);
    across.commit();
    assertThat(column(connection, "SELECT name FROM users WHERE id IN (7, 1007)"))
        .containsExactly("n!", "n!");
  }

  @Test
  void aTransactionGoesOnAfterAStatementThatWasDoneInTime() throws SQLException {
    try (Statement statement = across.createStatement()) {
      statement.setQueryTimeout(30);
      assertThat(statement.executeUpdate(WRITE)).isEqualTo(2);
      try (ResultSet rows = statement.executeQuery("SELECT count(*) FROM users")) {
        assertThat(rows.next()).isTrue();
        assertThat(rows.getLong(1)).isEqualTo(6);
      }
    }
    across.commit();
    assertThat(column(connection, "SELECT name FROM users WHERE id IN (7, 1007)"))
        .containsExactly("n!", "n!");
  }

  // ---- cancelling ---------------------------------------------------------------------------

  @Test
  void cancellingEndsAQueryWithinATransactionAndNotItsConnections() throws Exception {
    update(across, "UPDATE users SET name = 'x' WHERE id = 7");
    try (Statement statement = across.createStatement()) {
      assertThat(
              ended(
                  () -> statement.executeQuery(ENDLESS),
                  () -> runsOn(0) && runsOn(1),
                  statement::cancel))
          .hasFieldOrPropertyWithValue("SQLState", "57014");
    }
    assertThatThrownBy(() -> column(across, "SELECT name FROM users WHERE id = 7"))
        .hasFieldOrPropertyWithValue("SQLState", "25P02");
    across.rollback();
    assertThat(column(across, "SELECT name FROM users WHERE id = 7")).containsExactly("n");
  }

  @Test
  void cancellingEndsAWriteOnSeveralShards() throws Exception {
    lockSecondShard();
    try (Statement statement = across.createStatement()) {
      assertThat(
              ended(
                  () -> statement.executeUpdate(WRITE),
                  DataSourceEndingIT::waitsForLock,
                  statement::cancel))
          .hasFieldOrPropertyWithValue("SQLState", "57014");
    }
    across.rollback();
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7")).containsExactly("n");
  }

  @Test
  void cancellingReachesRowsThatAreStillSent() throws SQLException {
    for (Connection either : new Connection[] {connection, across}) {
      try (Statement statement = either.createStatement()) {
        statement.setFetchSize(1);
        ResultSet rows = statement.executeQuery("SELECT id FROM users ORDER BY id");
        assertThat(rows.next()).isTrue();
        statement.cancel();
        assertThatThrownBy(rows::next).hasFieldOrPropertyWithValue("SQLState", "57014");
        rows.close();
        try (ResultSet anew = statement.executeQuery("SELECT id FROM users ORDER BY id")) {
          assertThat(anew.next()).isTrue();
        }
      }
    }
    across.rollback();
  }

  @Test
  void cancellingLeavesRowsThatAreHere() throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT id FROM users ORDER BY id")) {
      statement.cancel();
      int count = 0;
      while (rows.next()) {
        count++;
      }
      assertThat(count).isEqualTo(6);
    }
  }

  // ---- aborting -----------------------------------------------------------------------------

  @Test
  void abortEndsAStatementInAPartAndTheTransactionWithIt() throws Exception {
    update(across, "UPDATE users SET name = 'x' WHERE id = 7");
    lockSecondShard();
    assertThat(
            ended(
                () -> update(across, "UPDATE users SET name = 'x' WHERE id = 1007"),
                DataSourceEndingIT::waitsForLock,
                () -> across.abort(Runnable::run)))
        .isNotNull();
    assertThat(across.isClosed()).isTrue();
    across.close();
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7 FOR UPDATE"))
        .containsExactly("n");
  }

  @Test
  void abortEndsAWriteOnSeveralShards() throws Exception {
    lockSecondShard();
    assertThat(
            ended(
                () -> update(across, WRITE),
                DataSourceEndingIT::waitsForLock,
                () -> across.abort(Runnable::run)))
        .isNotNull();
    across.close();
    assertThat(column(connection, "SELECT name FROM users WHERE id = 7 FOR UPDATE"))
        .containsExactly("n");
  }

  @Test
  void abortEndsAQueryOfSeveralShards() throws Exception {
    for (Connection either : new Connection[] {connection, across}) {
      assertThat(
              ended(
                  () -> column(either, ENDLESS),
                  () -> runsOn(0) && runsOn(1),
                  () -> either.abort(Runnable::run)))
          .isNotNull();
      assertThat(either.isClosed()).isTrue();
      either.close();
    }
  }

  @Test
  void abortEndsRowsThatAreStillSent() throws SQLException {
    for (Connection either : new Connection[] {connection, across}) {
      Statement statement = either.createStatement();
      statement.setFetchSize(1);
      ResultSet rows = statement.executeQuery("SELECT id FROM users ORDER BY id");
      assertThat(rows.next()).isTrue();
      either.abort(Runnable::run);
      assertThatThrownBy(rows::next).isInstanceOf(SQLException.class);
      either.close();
    }
  }

  @Test
  void abortAfterTheEndOfATransactionLeavesWhoeverHasItsConnectionNow() throws SQLException {
    update(across, WRITE);
    connection.setAutoCommit(false);
    update(connection, "UPDATE users SET name = 'x' WHERE id = 8");
    // The executor runs what abort gives it when the lanes are others' already.
    Runnable[] late = new Runnable[2];
    across.abort(task -> late[0] = task);
    connection.abort(task -> late[1] = task);
    across.close();
    connection.close();
    try (Connection other = shards.database().dataSourceAcrossShards().getConnection()) {
      other.setAutoCommit(false);
      assertThat(update(other, WRITE)).isEqualTo(2);
      late[0].run();
      late[1].run();
      other.commit();
    }
    try (Connection reader = shards.dataSource().getConnection()) {
      assertThat(column(reader, "SELECT name FROM users WHERE id IN (7, 8, 1007)"))
          .containsExactly("n!", "n", "n!");
    }
  }

  // ---- keys ---------------------------------------------------------------------------------

  @Test
  void aKeyThatNobodyOwnsIsRefusedAcrossShardsToo() throws SQLException {
    for (String write :
        new String[] {
          "UPDATE users SET name = 'x' WHERE id = 999999",
          "UPDATE users SET name = 'x' WHERE id IN (7, 1007, 999999)",
          "DELETE FROM users WHERE id IN (7, 999999)",
          "INSERT INTO users (id, name) VALUES (10, 'x'), (999999, 'x')",
          "/* waymark: key=999999 */ UPDATE users SET name = 'x' WHERE id IN (7, 1007)",
        }) {
      assertThatThrownBy(() -> update(across, write)).as(write).hasMessageStartingWith("WM-017");
    }
    across.commit();
    assertThat(column(connection, "SELECT name FROM users WHERE name <> 'n'")).isEmpty();
    assertThat(column(connection, "SELECT count(*) FROM users")).containsExactly("6");
  }
}
