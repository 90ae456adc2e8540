package dev.waymark.routing;

import static dev.waymark.routing.Clusters.count;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.RoutingListener.StreamState;
import dev.waymark.ShardChange;
import dev.waymark.ShardChange.Altered;
import dev.waymark.ShardChange.Committed;
import dev.waymark.ShardChange.Message;
import dev.waymark.ShardChange.Reached;
import dev.waymark.ShardChange.StartedAnew;
import dev.waymark.ShardChange.WholeTable;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.TableName;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkConfig.ChangedTables;
import dev.waymark.WaymarkConfig.Changes;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a stream tells of one healthy server. Each test has tables, slot and publication anew. */
class ChangeStreamIT {
  private static final AtomicInteger TESTS = new AtomicInteger();
  private static TestCluster cluster;
  private static PostgresServer server;

  private final String name = "stream" + TESTS.incrementAndGet();
  private final RecordedChanges consumer = new RecordedChanges();
  private @Nullable ShardedDatabase database;

  @BeforeAll
  static void startCluster() {
    cluster = TestCluster.builder().shards(1).setting("max_replication_slots", "40").start();
    server = cluster.servers().get(0);
  }

  @AfterAll
  static void stopCluster() {
    cluster.close();
  }

  @BeforeEach
  void createTables() {
    server.execute(
        """
        CREATE TABLE users (id bigint PRIMARY KEY, name text, biography text);
        CREATE TABLE orders (id bigint, user_id bigint, total int, PRIMARY KEY (user_id, id));
        CREATE TABLE countries (code text PRIMARY KEY, name text);
        ALTER TABLE users OWNER TO waymark; ALTER TABLE orders OWNER TO waymark;
        ALTER TABLE countries OWNER TO waymark;
        """);
  }

  @AfterEach
  void dropAll() {
    if (database != null) {
      database.close();
    }
    await()
        .until(() -> count(server, "SELECT count(*) FROM pg_replication_slots WHERE active") == 0);
    server.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots;"
            + " DROP PUBLICATION IF EXISTS "
            + name
            + "; DROP TABLE IF EXISTS users, orders, countries, events, logs CASCADE");
  }

  // ---- what is told -------------------------------------------------------------------------

  @Test
  void rowWrittenPastTheLibraryIsToldWithItsTransactionAndItsPlace() throws SQLException {
    follow();

    long id;
    try (Connection psql = server.connect();
        Statement statement = psql.createStatement()) {
      psql.setAutoCommit(false);
      statement.execute("INSERT INTO users VALUES (1, 'Ann', NULL)");
      statement.execute("INSERT INTO countries VALUES ('at', 'Austria')");
      try (var answer = statement.executeQuery("SELECT pg_current_xact_id()::text")) {
        answer.next();
        id = Long.parseUnsignedLong(answer.getString(1));
      }
      psql.commit();
    }
    awaitAll();

    assertThat(consumer.all(Committed.class)).hasSize(1);
    Committed told = consumer.all(Committed.class).get(0);
    assertThat(told.shard()).isEqualTo("shard-1");
    assertThat(told.transactionId()).isEqualTo(id);
    assertThat(told.position().timeline()).isEqualTo(1);
    assertThat(consumer.lines("users"))
        .containsExactly("INSERTED - -> [biography=NULL, id=1, name=Ann]");
    assertThat(consumer.lines("countries"))
        .containsExactly("INSERTED - -> [code=at, name=Austria]");
    // A server that has replayed up to there shows it, and not before.
    assertThat(
            count(
                server,
                "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '"
                    + dev.waymark.LogPosition.printLsn(told.position().lsn())
                    + "')::bigint"))
        .isGreaterThanOrEqualTo(0);
  }

  @Test
  void writeOfThisLibraryIsToldWithTheIdItsHooksAreGiven() throws SQLException {
    follow();

    Long id =
        database()
            .<Long, SQLException>transaction(
                7,
                transaction -> {
                  try (Statement statement = transaction.connection().createStatement()) {
                    statement.execute("INSERT INTO users VALUES (7, 'Bob', NULL)");
                  }
                  return transaction.transactionId();
                });
    awaitAll();

    assertThat(consumer.all(Committed.class))
        .extracting(Committed::transactionId)
        .containsExactly(id);
  }

  @Test
  void oldKeyIsToldWhenItChangesOrTheRowIsGone() {
    server.execute("INSERT INTO users VALUES (1, 'Ann', NULL), (2, 'Bob', NULL)");
    follow();

    server.execute("UPDATE users SET name = 'Anna' WHERE id = 1");
    server.execute("UPDATE users SET id = 3 WHERE id = 2");
    server.execute("DELETE FROM users WHERE id = 1");
    awaitAll();

    assertThat(consumer.lines("users"))
        .containsExactly(
            "UPDATED - -> [biography=NULL, id=1, name=Anna]",
            "UPDATED [id=2] -> [biography=NULL, id=3, name=Bob]",
            "DELETED [id=1] -> -");
  }

  @Test
  void wholeOldRowIsToldWithFullIdentity() {
    server.execute("INSERT INTO users VALUES (1, 'Ann', NULL)");
    server.execute("ALTER TABLE users REPLICA IDENTITY FULL");
    follow();

    server.execute("UPDATE users SET name = 'Anna'");
    server.execute("DELETE FROM users");
    awaitAll();

    assertThat(consumer.lines("users"))
        .containsExactly(
            "UPDATED [biography=NULL, id=1, name=Ann] -> [biography=NULL, id=1, name=Anna]",
            "DELETED [biography=NULL, id=1, name=Anna] -> -");
  }

  @Test
  void longValueThatWasNotTouchedIsNotToldAndNeitherIsOneTooLongToKeep() {
    server.execute("ALTER TABLE users ALTER biography SET STORAGE EXTERNAL");
    server.execute("INSERT INTO users VALUES (1, 'Ann', repeat('x', 10000))");
    follow();

    server.execute("UPDATE users SET name = 'Anna'");
    server.execute("UPDATE users SET biography = repeat('y', 257)");
    server.execute("UPDATE users SET biography = repeat('y', 256)");
    awaitAll();

    assertThat(consumer.lines("users"))
        .containsExactly(
            "UPDATED - -> [id=1, name=Anna]",
            "UPDATED - -> [id=1, name=Anna]",
            "UPDATED - -> [biography=" + "y".repeat(256) + ", id=1, name=Anna]");
  }

  @Test
  void generatedColumnIsNotTold() {
    server.execute("ALTER TABLE users ADD loud text GENERATED ALWAYS AS (upper(name)) STORED");
    follow();

    server.execute("INSERT INTO users VALUES (1, 'Ann', NULL)");
    awaitAll();

    assertThat(consumer.lines("users"))
        .containsExactly("INSERTED - -> [biography=NULL, id=1, name=Ann]");
  }

  @Test
  void truncateWithCascadeTellsEveryTableThatIsEmptied() {
    server.execute("ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users");
    server.execute(
        "INSERT INTO users VALUES (1, 'Ann', NULL); INSERT INTO orders VALUES (1, 1, 5)");
    follow();

    server.execute("TRUNCATE users CASCADE");
    awaitAll();

    assertThat(consumer.all(Committed.class))
        .singleElement()
        .satisfies(
            told ->
                assertThat(told.tables())
                    .containsExactlyInAnyOrder(
                        new WholeTable(table("users"), WholeTable.Cause.TRUNCATED),
                        new WholeTable(table("orders"), WholeTable.Cause.TRUNCATED)));
  }

  @Test
  void rolledBackAndAbortedPreparedTransactionsAreNotToldAndACommittedOneIs() throws SQLException {
    follow();

    try (Connection psql = server.connect();
        Statement statement = psql.createStatement()) {
      statement.execute("BEGIN; INSERT INTO users VALUES (1, 'rolled back', NULL); ROLLBACK");
      statement.execute(
          "BEGIN; INSERT INTO users VALUES (2, 'aborted', NULL); PREPARE TRANSACTION 'a'");
      statement.execute("ROLLBACK PREPARED 'a'");
      statement.execute(
          "BEGIN; INSERT INTO users VALUES (3, 'kept', NULL); SAVEPOINT s;"
              + " INSERT INTO users VALUES (4, 'undone', NULL); ROLLBACK TO s;"
              + " SAVEPOINT t; INSERT INTO users VALUES (5, 'in a part', NULL); RELEASE t;"
              + " PREPARE TRANSACTION 'b'");
      statement.execute("COMMIT PREPARED 'b'");
    }
    awaitAll();

    assertThat(consumer.lines("users"))
        .containsExactly(
            "INSERTED - -> [biography=NULL, id=3, name=kept]",
            "INSERTED - -> [biography=NULL, id=5, name=in a part]");
  }

  @Test
  void messagesOfACommittedTransactionAreToldWithItsRows() {
    follow();

    server.execute(
        """
        INSERT INTO users VALUES (1, 'Ann', NULL);
        SELECT pg_logical_emit_message(true, 'waymark.cache', 'users:1 ü');
        SELECT pg_logical_emit_message(true, 'other', 'not ours');
        SELECT pg_logical_emit_message(false, 'waymark.cache', 'not of a transaction');
        """);
    awaitAll();

    assertThat(consumer.all(Committed.class))
        .singleElement()
        .satisfies(
            told -> {
              assertThat(told.rows()).hasSize(1);
              assertThat(told.messages())
                  .containsExactly(new Message("waymark.cache", "users:1 ü"));
            });
  }

  @Test
  void transactionOfAHundredThousandRowsIsToldAsItsTable() {
    follow();

    server.execute(
        "INSERT INTO users SELECT n, 'many', repeat('x', 200) FROM generate_series(1, 100000) AS n;"
            + " INSERT INTO countries VALUES ('at', 'Austria')");
    awaitAll();

    assertThat(consumer.all(Committed.class))
        .singleElement()
        .satisfies(
            told -> {
              assertThat(told.tables())
                  .containsExactly(new WholeTable(table("users"), WholeTable.Cause.TOO_MANY_ROWS));
              assertThat(told.rows())
                  .extracting(row -> row.table().name())
                  .containsExactly("countries");
            });
  }

  @Test
  void partitionsAreToldUnderTheNameOfTheWholeTable() {
    server.execute(
        """
        CREATE TABLE events (id bigint PRIMARY KEY, at int) PARTITION BY RANGE (id);
        CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (1) TO (100);
        CREATE TABLE events_high PARTITION OF events FOR VALUES FROM (100) TO (200);
        ALTER TABLE events OWNER TO waymark;
        """);
    follow(with(tables -> tables.add(new Table.Sharded("events", "id"))));

    server.execute("INSERT INTO events VALUES (1, 1), (100, 1)");
    server.execute("UPDATE events SET id = 101 WHERE id = 1");
    awaitAll();

    // An update that moves a row to another partition is a delete and an insert.
    assertThat(consumer.lines("events"))
        .containsExactly(
            "INSERTED - -> [at=1, id=1]",
            "INSERTED - -> [at=1, id=100]",
            "DELETED [id=1] -> -",
            "INSERTED - -> [at=1, id=101]");
  }

  @Test
  void truncatingDetachingAndAttachingAPartitionTellsTheWholeTable() {
    server.execute(
        """
        CREATE TABLE events (id bigint PRIMARY KEY, at int) PARTITION BY RANGE (id);
        CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (1) TO (100);
        ALTER TABLE events OWNER TO waymark;
        """);
    follow(with(tables -> tables.add(new Table.Sharded("events", "id"))));
    awaitAll();

    assertAltered("events", "TRUNCATE events_low");
    assertAltered("events", "ALTER TABLE events DETACH PARTITION events_low");
    assertAltered(
        "events", "ALTER TABLE events ATTACH PARTITION events_low FOR VALUES FROM (1) TO (100)");
  }

  @Test
  void tableThatIsRewrittenOrGetsAnotherColumnIsToldBeforeTheMarkThatFollows() {
    server.execute("INSERT INTO users VALUES (1, 'Ann', NULL)");
    follow();
    awaitAll();

    assertAltered("users", "ALTER TABLE users ADD points int DEFAULT 5");
    assertAltered("users", "ALTER TABLE users ALTER points TYPE bigint USING points * 2");
    assertAltered("users", "ALTER TABLE users RENAME biography TO story");
    // What leaves the rows as they are is no news.
    int before = consumer.all(Altered.class).size();
    server.execute("CREATE INDEX ON users (name)");
    server.execute("VACUUM ANALYZE users");
    awaitAll();
    assertThat(consumer.all(Altered.class)).hasSize(before);
  }

  @Test
  void rowsOfATransactionThatAltersItsTableAreToldAsTheTable() {
    follow();
    server.execute("INSERT INTO users VALUES (1, 'Ann', NULL)");
    awaitAll();

    server.execute(
        "ALTER TABLE users ADD points int; INSERT INTO users VALUES (2, 'Bob', NULL, 3)");
    awaitAll();

    assertThat(consumer.all(Committed.class).get(1).tables())
        .containsExactly(new WholeTable(table("users"), WholeTable.Cause.ALTERED));
  }

  // ---- marks --------------------------------------------------------------------------------

  @Test
  void markComesAfterAllThatWasAcknowledgedBeforeIt() {
    follow();

    for (int i = 1; i <= 50; i++) {
      long moment = consumer.now();
      server.execute(
          "SET synchronous_commit = off; INSERT INTO users VALUES (%d, 'x', NULL)".formatted(i));
      long after = consumer.now();
      await().until(() -> consumer.hasReached(after));

      List<ShardChange> told = consumer.all();
      int row = -1;
      int mark = -1;
      for (int k = 0; k < told.size(); k++) {
        if (told.get(k) instanceof Committed committed
            && committed.rows().get(0).after().value("id").orElseThrow().equals("" + i)) {
          row = k;
        }
        if (mark < 0 && told.get(k) instanceof Reached reached && reached.asOf() > after) {
          mark = k;
        }
      }
      assertThat(row).as("row %d, asked at %d", i, moment).isBetween(0, mark);
    }
  }

  @Test
  void marksNameTheTablesThatTheyHoldFor() {
    follow();
    awaitAll();

    assertThat(consumer.all(Reached.class).get(0).tables())
        .containsExactlyInAnyOrder(table("users"), table("orders"), table("countries"));
  }

  @Test
  void markWaitsForNoOpenTransaction() throws SQLException {
    follow();
    try (Connection psql = server.connect();
        Statement statement = psql.createStatement()) {
      psql.setAutoCommit(false);
      statement.execute("INSERT INTO users VALUES (1, 'open', NULL)");

      awaitAll();

      assertThat(consumer.lines("users")).isEmpty();
      psql.commit();
    }
    awaitAll();
    assertThat(consumer.lines("users")).hasSize(1);
  }

  @Test
  void idleStreamLetsTheServerForgetItsLog() {
    follow();
    awaitAll();
    // The log of other databases and tables, none of which is told.
    server.execute("CREATE TABLE logs AS SELECT n FROM generate_series(1, 200000) AS n");
    server.execute("CHECKPOINT");

    await()
        .untilAsserted(
            () ->
                assertThat(
                        count(
                            server,
                            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint"
                                + " FROM pg_replication_slots"))
                    .isLessThan(100_000));
  }

  @Test
  void idleStreamWritesNothingButItsMarks() {
    Changes plain = changes(ChangedTables.MAP);
    follow(
        config()
            .withChanges(
                new Changes(
                    true,
                    name,
                    name,
                    plain.tables(),
                    Duration.ofHours(1),
                    Duration.ofHours(4),
                    plain.retain(),
                    plain.rows())));
    await().until(() -> !consumer.all(Reached.class).isEmpty());
    long start =
        count(server, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint");

    await()
        .during(Duration.ofSeconds(2))
        .until(
            () ->
                count(server, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
                        - start
                    < 1_000);
  }

  // ---- the tables that are followed ------------------------------------------------------------

  @Test
  void tableWithoutAnIdentityIsLeftOutSoThatItCanStillBeWritten() {
    server.execute(
        "CREATE TABLE logs (user_id bigint, line text); ALTER TABLE logs OWNER TO waymark");
    server.execute("INSERT INTO logs VALUES (1, 'x')");
    follow(with(tables -> tables.add(new Table.Sharded("logs", "user_id"))));
    awaitAll();

    assertThat(status().trouble())
        .isEqualTo(
            "table logs is not followed: it, or a partition of it, has no replica identity; add a"
                + " primary key, or ALTER TABLE … REPLICA IDENTITY FULL");
    server.execute("UPDATE logs SET line = 'y'");
    assertThat(consumer.all(Reached.class).get(0).tables()).doesNotContain(table("logs"));
  }

  @Test
  void tableThatComesIntoBeingLaterIsFollowedFromThenOn() {
    follow(with(tables -> tables.add(new Table.Sharded("logs", "user_id"))));
    assertThat(status().trouble()).isEqualTo("table logs is not followed: it does not exist");

    server.execute(
        "CREATE TABLE logs (user_id bigint PRIMARY KEY, line text); ALTER TABLE logs OWNER TO waymark");
    await()
        .atMost(Duration.ofSeconds(20))
        .until(
            () ->
                consumer.all(Reached.class).stream()
                    .anyMatch(mark -> mark.tables().contains(table("logs"))));
    server.execute("INSERT INTO logs VALUES (1, 'x')");
    awaitAll();

    assertThat(status().trouble()).isNull();
    assertThat(consumer.all(Altered.class))
        .anySatisfy(altered -> assertThat(altered.tables()).contains(table("logs")));
    assertThat(consumer.lines("logs")).containsExactly("INSERTED - -> [line=x, user_id=1]");
  }

  @Test
  void givenPublicationIsUsedAsItIs() {
    server.execute("CREATE PUBLICATION " + name + " FOR TABLE users");
    follow(with(ChangedTables.GIVEN));

    server.execute(
        "INSERT INTO users VALUES (1, 'Ann', NULL); INSERT INTO countries VALUES ('at', 'A')");
    awaitAll();

    assertThat(consumer.all(Committed.class).get(0).rows()).hasSize(1);
    assertThat(status().trouble())
        .isEqualTo(
            "table public.orders is not followed: it is not in publication %1$s; table"
                    .formatted(name)
                + " public.countries is not followed: it is not in publication "
                + name);
  }

  @Test
  void publicationThatIsNotThereIsRefusedWithTheStatementThatMakesIt() {
    start(with(ChangedTables.GIVEN));

    await().until(() -> status().state() == StreamState.REFUSED);
    assertThat(status().trouble())
        .isEqualTo(
            "publication %1$s does not exist, and changes.tables is given; run on this server:"
                    .formatted(name)
                + " CREATE PUBLICATION \"%s\" FOR TABLE \"users\", \"orders\", \"countries\" WITH"
                    .formatted(name)
                + " (publish = 'insert, update, delete, truncate', publish_via_partition_root ="
                + " true)");

    database().changesSql().forEach(server::execute);
    await().atMost(Duration.ofSeconds(20)).until(() -> status().state() == StreamState.FOLLOWING);
  }

  @Test
  void publicationThatHidesChangesIsRefused() {
    server.execute(
        "CREATE PUBLICATION %s FOR TABLE users WITH (publish = 'insert')".formatted(name));
    start(with(ChangedTables.GIVEN));

    await().until(() -> status().state() == StreamState.REFUSED);
    assertThat(status().trouble())
        .isEqualTo(
            "publication %1$s does not publish everything; run on this server: ALTER PUBLICATION \"%1$s\""
                    .formatted(name)
                + " SET (publish = 'insert, update, delete, truncate')");
  }

  @Test
  void allTablesNeedASuperuserAndIdentities() {
    start(with(ChangedTables.ALL));
    await().until(() -> status().state() == StreamState.REFUSED);
    assertThat(status().trouble())
        .contains("the user may not make the publication")
        .contains(
            "as the owner of the tables and superuser: CREATE PUBLICATION \""
                + name
                + "\" FOR ALL TABLES");
    database().close();

    server.execute("CREATE TABLE logs (line text)");
    start(with(ChangedTables.ALL));
    await().until(() -> status().state() == StreamState.REFUSED);
    assertThat(status().trouble())
        .startsWith(
            "with a publication FOR ALL TABLES the server would refuse every UPDATE and"
                + " DELETE of public.logs: they have no replica identity");
  }

  @Test
  void publicationThatIsDroppedIsMadeAgainAndNothingIsMissed() {
    follow();
    server.execute("INSERT INTO users VALUES (1, 'before', NULL)");
    awaitAll();

    server.execute("DROP PUBLICATION " + name);
    server.execute("INSERT INTO users VALUES (2, 'while it was gone', NULL)");
    long moment = consumer.now();
    await().atMost(Duration.ofSeconds(30)).until(() -> consumer.hasReached(moment + 3));
    server.execute("INSERT INTO users VALUES (3, 'after', NULL)");
    awaitAll();

    boolean isTold =
        consumer.lines("users").stream().anyMatch(line -> line.contains("while it was gone"))
            || consumer.all(Altered.class).stream()
                .anyMatch(altered -> altered.tables().contains(table("users")))
            || consumer.all(StartedAnew.class).size() > 1;
    assertThat(isTold).isTrue();
    assertThat(consumer.lines("users")).anyMatch(line -> line.contains("after"));
  }

  // ---- on and off -----------------------------------------------------------------------------

  @Test
  void firstStartIsAnewAndTheNextGoesOnWhereTheLastEnded() {
    follow();
    server.execute("INSERT INTO users VALUES (1, 'followed', NULL)");
    awaitAll();
    database().close();
    server.execute("INSERT INTO users VALUES (2, 'while nobody followed', NULL)");

    follow();
    awaitAll();

    assertThat(consumer.all(StartedAnew.class))
        .extracting(StartedAnew::cause)
        .containsExactly(StartedAnew.Cause.NO_SLOT);
    assertThat(consumer.lines("users"))
        .containsExactly(
            "INSERTED - -> [biography=NULL, id=1, name=followed]",
            "INSERTED - -> [biography=NULL, id=2, name=while nobody followed]");
  }

  @Test
  void tableThatWasRewrittenWhileNobodyFollowedIsToldByTheNextProcess() {
    follow();
    awaitAll();
    database().close();
    server.execute("ALTER TABLE users ADD points int DEFAULT 5");
    // By these the server moves on what it remembers of old rows as soon as they are confirmed.
    for (int i = 1; i <= 5; i++) {
      server.execute("INSERT INTO users VALUES (%d, 'x', NULL)".formatted(i));
      server.execute("SELECT pg_log_standby_snapshot()");
    }

    follow();
    awaitAll();

    assertThat(consumer.all(Altered.class))
        .singleElement()
        .satisfies(altered -> assertThat(altered.tables()).containsExactly(table("users")));
  }

  @Test
  void itIsOffUnlessAskedForAndThenDoesNothing() {
    WaymarkConfig config = Clusters.config(cluster);
    database = ShardedDatabase.open(config);
    ChangeStream stream = database.changes(consumer);

    assertThat(stream.status()).extracting(ChangeStatus::state).containsExactly(StreamState.OFF);
    assertThat(threads()).isEmpty();
    stream.close();
    stream.close();
  }

  @Test
  void closingEndsEveryThreadAndConnection() {
    follow();
    assertThat(threads())
        .containsExactlyInAnyOrder("waymark-changes-shard-1", "waymark-changes-pulse-shard-1");

    stream().close();

    assertThat(threads()).isEmpty();
    await()
        .until(
            () ->
                count(
                        server,
                        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waymark-changes'")
                    == 0);
    assertThat(status().state()).isEqualTo(StreamState.OFF);
  }

  @Test
  void failingConsumerIsGivenTheSameAgain() {
    follow();
    awaitAll();
    consumer.refuse(new IllegalStateException("no room"));
    server.execute("INSERT INTO users VALUES (1, 'x', NULL)");
    long calls = consumer.calls();
    await().until(() -> consumer.calls() > calls + 3);

    assertThat(status().trouble()).isEqualTo("the consumer takes no changes over for now: no room");
    consumer.refuse(null);
    awaitAll();

    assertThat(consumer.lines("users")).hasSize(1);
    assertThat(status().trouble()).isNull();
  }

  @Test
  void noSlotIsKeptBeforeTheConsumerKnowsThatTheStreamStartsAnew() {
    consumer.refuse(new IllegalStateException("not yet"));
    start(config());
    await().until(() -> consumer.calls() > 2);

    assertThat(count(server, "SELECT count(*) FROM pg_replication_slots WHERE NOT temporary"))
        .isZero();
    // As if it had crashed now: nobody would take the slot for one that has missed nothing.
    database().close();
    await().until(() -> count(server, "SELECT count(*) FROM pg_replication_slots") == 0);
    server.execute("INSERT INTO users VALUES (1, 'missed', NULL)");
    consumer.refuse(null);
    follow();
    awaitAll();

    assertThat(consumer.all(StartedAnew.class)).hasSize(1);
    assertThat(consumer.lines("users")).isEmpty();
  }

  @Test
  void rowWrittenBetweenTheStartAnewAndTheSlotIsTold() {
    consumer.refuse(new IllegalStateException("not yet"));
    start(config());
    await().until(() -> consumer.calls() > 2);
    server.execute("INSERT INTO users VALUES (1, 'in between', NULL)");
    consumer.refuse(null);
    awaitAll();

    assertThat(consumer.lines("users"))
        .containsExactly("INSERTED - -> [biography=NULL, id=1, name=in between]");
  }

  @Test
  void slotOfAnotherKindIsRefused() {
    server.execute("SELECT pg_create_physical_replication_slot('" + name + "')");
    start(config());

    await().until(() -> status().state() == StreamState.REFUSED);
    assertThat(status().trouble())
        .isEqualTo(
            "replication slot %s is of another kind or another database; write another name as changes.slot"
                .formatted(name));
  }

  // ---- helpers --------------------------------------------------------------------------------

  private ChangeStream stream;

  private ChangeStream stream() {
    return stream;
  }

  private ShardedDatabase database() {
    return java.util.Objects.requireNonNull(database);
  }

  private ChangeStatus status() {
    return stream.status().get(0);
  }

  private WaymarkConfig config() {
    return with(tables -> {});
  }

  private interface TablesChange {
    void change(List<Table> tables);
  }

  private WaymarkConfig with(TablesChange change) {
    List<Table> tables =
        new ArrayList<>(
            List.of(
                new Table.Sharded("users", "id"),
                new Table.Sharded("orders", "user_id"),
                new Table.Broadcast("countries")));
    change.change(tables);
    WaymarkConfig plain = Clusters.config(cluster);
    return Clusters.withMap(
            plain, map -> ShardMap.of(map.version(), map.shards(), map.ranges(), tables))
        .withChanges(changes(ChangedTables.MAP));
  }

  private WaymarkConfig with(ChangedTables tables) {
    return config().withChanges(changes(tables));
  }

  private Changes changes(ChangedTables tables) {
    return new Changes(
        true,
        name,
        name,
        tables,
        Duration.ofMillis(50),
        Duration.ofSeconds(10),
        Changes.off().retain(),
        Changes.off().rows());
  }

  private void follow() {
    follow(config());
  }

  private void follow(WaymarkConfig config) {
    start(config);
    await()
        .atMost(Duration.ofSeconds(30))
        .untilAsserted(
            () ->
                assertThat(status())
                    .extracting(ChangeStatus::state)
                    .isEqualTo(StreamState.FOLLOWING));
  }

  private void start(WaymarkConfig config) {
    database = ShardedDatabase.open(config);
    stream = database.changes(consumer);
  }

  /** Waits until everything that has been acknowledged by now has been told. */
  private void awaitAll() {
    long moment = consumer.now();
    await()
        .atMost(Duration.ofSeconds(60))
        .untilAsserted(
            () -> assertThat(consumer.hasReached(moment)).as(status().toString()).isTrue());
  }

  private void assertAltered(String altered, String ddl) {
    long known = consumer.all(Altered.class).size();
    server.execute(ddl);
    long moment = consumer.now();
    awaitAll();
    List<ShardChange> told = consumer.all();
    int mark = 0;
    while (!(told.get(mark) instanceof Reached reached) || reached.asOf() <= moment) {
      mark++;
    }
    assertThat(
            told.subList(0, mark).stream()
                .filter(
                    change ->
                        change instanceof Altered some && some.tables().contains(table(altered)))
                .count())
        .as(ddl)
        .isGreaterThan(known);
  }

  private static TableName table(String name) {
    return new TableName("public", name);
  }

  private static List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("waymark-changes"))
        .toList();
  }
}
