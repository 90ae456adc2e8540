package dev.waymark.cache;

import static dev.waymark.cache.CacheAnswer.Tier.DATABASE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.PositionedRead;
import dev.waymark.Role;
import dev.waymark.Route;
import dev.waymark.SessionToken;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.TransactionSnapshot;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two processes, a primary with a replica, and a Redis, all real. */
@Timeout(180)
class TieredCacheIT {
  private static TestCluster cluster;
  private static long systemId;

  private final Threads threads = new Threads();
  private final Users users = new Users();
  private final AtomicReference<SessionToken> session = new AtomicReference<>(SessionToken.empty());
  private RedisTier one;
  private RedisTier two;

  record User(long id, String name) {}

  record UserOfTomorrow(long id, String name, @Nullable String nickname) {}

  @BeforeAll
  static void startServers() throws SQLException {
    cluster = TestCluster.builder().replicas(1).redis().start();
    PostgresServer primary = cluster.shard(0).primary();
    primary.execute("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL)");
    try (Connection connection = primary.connect();
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery("SELECT system_identifier FROM pg_control_system()")) {
      row.next();
      systemId = row.getLong(1);
    }
  }

  @AfterAll
  static void stopServers() {
    cluster.close();
  }

  @BeforeEach
  void start() {
    cluster.redis().flush();
    primary().execute("TRUNCATE users");
    primary().execute("INSERT INTO users VALUES (7, 'old')");
    one = RedisTier.connect(settings());
    two = RedisTier.connect(settings());
    await().until(() -> one.isAvailable() && two.isAvailable());
  }

  @AfterEach
  void stop() {
    one.close();
    two.close();
    threads.assertNoneLeft();
  }

  private static WaymarkConfig.Redis settings() {
    // Room for a busy machine: no test here is about Redis being slow.
    WaymarkConfig.Redis plain = WaymarkConfig.Redis.at(cluster.redis().url());
    return new WaymarkConfig.Redis(
        plain.url(),
        plain.credentials(),
        plain.trustStore(),
        Duration.ofSeconds(5),
        plain.namespace());
  }

  private static PostgresServer primary() {
    return cluster.shard(0).primary();
  }

  private static PostgresServer replica() {
    return cluster.shard(0).replicas().get(0);
  }

  private TieredCache.Builder<Long, User> users(RedisTier tier) {
    return TieredCache.<Long, User>builder("users", users)
        .redis(tier)
        .codec(Codec.json(User.class, 1))
        .horizons(TieredCacheIT::horizon)
        .l1TimeToLive(Duration.ofMinutes(1))
        .sessionToken(session::get);
  }

  /** What the application would write with the routing module's reads. */
  private static final class Users implements Loader<Long, User> {
    final AtomicInteger loads = new AtomicInteger();
    volatile Role role = Role.PRIMARY;
    volatile Runnable beforeReturning = () -> {};

    @Override
    public PositionedRead<@Nullable User> load(Long key) throws SQLException {
      loads.incrementAndGet();
      PostgresServer server = role == Role.PRIMARY ? primary() : replica();
      try (Connection connection = server.connect();
          Statement statement = connection.createStatement()) {
        // First: what is read after it is at least as new.
        TransactionSnapshot snapshot = role == Role.PRIMARY ? snapshot(statement) : null;
        LogPosition position =
            position(
                statement,
                role == Role.PRIMARY ? "pg_current_wal_insert_lsn()" : "pg_last_wal_replay_lsn()");
        User user = null;
        try (ResultSet row =
            statement.executeQuery("SELECT id, name FROM users WHERE id = " + key)) {
          if (row.next()) {
            user = new User(row.getLong(1), row.getString(2));
          }
        }
        beforeReturning.run();
        return new PositionedRead<>(
            user,
            new Route("shard-1", server.name(), role, Route.Reason.REPLICA_IS_FRESH, 1),
            position,
            snapshot);
      }
    }
  }

  private static TransactionSnapshot snapshot(Statement statement) throws SQLException {
    try (ResultSet row = statement.executeQuery("SELECT pg_current_snapshot()::text")) {
      row.next();
      return TransactionSnapshot.parse(row.getString(1));
    }
  }

  private static Horizon horizon(String shard) throws SQLException {
    try (Connection connection = primary().connect();
        Statement statement = connection.createStatement()) {
      connection.setAutoCommit(false);
      long id;
      try (ResultSet row = statement.executeQuery("SELECT pg_current_xact_id()::text")) {
        row.next();
        id = Long.parseUnsignedLong(row.getString(1));
      }
      Horizon horizon =
          new Horizon(id, snapshot(statement), position(statement, "pg_current_wal_insert_lsn()"));
      connection.commit();
      return horizon;
    }
  }

  private static LogPosition position(Statement statement, String function) throws SQLException {
    try (ResultSet row = statement.executeQuery("SELECT " + function + "::text")) {
      row.next();
      return new LogPosition(systemId, 1, LogPosition.parseLsn(row.getString(1)));
    }
  }

  /** A transaction as the routing module runs it; returns the position of its commit. */
  private static LogPosition rename(String name, TieredCache<Long, User> cache) throws Exception {
    try (Work work = new Work()) {
      work.statement.execute("UPDATE users SET name = '" + name + "' WHERE id = 7");
      cache.put(work, 7L, new User(7, name));
      return work.commit();
    }
  }

  private static final class Work implements Transaction, AutoCloseable {
    private final Connection connection;
    private final Statement statement;
    private final List<TransactionHook> hooks = new ArrayList<>();

    Work() throws SQLException {
      connection = primary().connect();
      connection.setAutoCommit(false);
      statement = connection.createStatement();
    }

    @Override
    public Connection connection() {
      return connection;
    }

    @Override
    public String shard() {
      return "shard-1";
    }

    @Override
    public long transactionId() {
      try (ResultSet row = statement.executeQuery("SELECT pg_current_xact_id()::text")) {
        row.next();
        return Long.parseUnsignedLong(row.getString(1));
      } catch (SQLException failure) {
        throw new AssertionError(failure);
      }
    }

    @Override
    public void join(TransactionHook hook) {
      hooks.add(hook);
    }

    LogPosition commit() throws Exception {
      for (TransactionHook hook : hooks) {
        hook.beforeCommit(this);
      }
      connection.commit();
      connection.setAutoCommit(true);
      LogPosition position = position(statement, "pg_current_wal_insert_lsn()");
      hooks.forEach(hook -> hook.afterCommit(position));
      return position;
    }

    void rollBack() throws SQLException {
      connection.rollback();
      hooks.forEach(TransactionHook::afterRollback);
    }

    @Override
    public void close() throws SQLException {
      connection.close();
    }
  }

  @Test
  void changeReachesTheOtherProcessL1() throws Exception {
    TieredCache<Long, User> here = users(one).build();
    TieredCache<Long, User> there = users(two).build();
    assertThat(here.get(7L)).isEqualTo(new User(7, "old"));
    assertThat(there.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
    await().until(() -> there.lookup(7L).tier() == CacheAnswer.Tier.L1);

    rename("new", here);

    assertThat(here.get(7L)).isEqualTo(new User(7, "new"));
    await().untilAsserted(() -> assertThat(there.get(7L)).isEqualTo(new User(7, "new")));
  }

  @Test
  void sessionSeesItsWriteOnAProcessThatHasNotHeardOfIt() throws Exception {
    TieredCache<Long, User> here = users(one).build();
    TieredCache<Long, User> there = users(two).build();
    there.get(7L);
    // Closed to messages, as if its connection hung: its L1 keeps what it has.
    two.close();
    there.get(7L);
    LogPosition written = rename("new", here);
    assertThat(there.get(7L)).isEqualTo(new User(7, "old"));
    session.set(SessionToken.of(written));
    assertThat(there.get(7L)).isEqualTo(new User(7, "new"));
  }

  @Test
  void writtenValueTakesTheOldOnesPlace() throws Exception {
    TieredCache<Long, User> here = users(one).writeThrough().build();
    TieredCache<Long, User> there = users(two).build();
    LogPosition written = rename("new", here);
    session.set(SessionToken.of(written));
    // What the writer says after its commit is not waited for.
    await().untilAsserted(() -> assertThat(here.lookup(7L).tier()).isNotEqualTo(DATABASE));
    assertThat(there.lookup(7L))
        .isEqualTo(new CacheAnswer<>(new User(7, "new"), CacheAnswer.Tier.L2, written, null));
  }

  @Test
  void rollbackTellsNobody() throws Exception {
    TieredCache<Long, User> here = users(one).build();
    TieredCache<Long, User> there = users(two).build();
    await().until(() -> there.lookup(7L).tier() == CacheAnswer.Tier.L1);
    try (Work work = new Work()) {
      work.statement.execute("UPDATE users SET name = 'never' WHERE id = 7");
      here.invalidate(work, 7L);
      work.rollBack();
    }
    assertThat(there.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1);
    assertThat(here.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
  }

  @Test
  void readDuringTheCommitIsNotKept() throws Exception {
    TieredCache<Long, User> here = users(one).build();
    TieredCache<Long, User> there = users(two).build();
    try (Work work = new Work()) {
      work.statement.execute("UPDATE users SET name = 'new' WHERE id = 7");
      here.invalidate(work, 7L);
      for (TransactionHook hook : work.hooks) {
        hook.beforeCommit(work);
      }
      assertThat(there.get(7L)).isEqualTo(new User(7, "old"));
      assertThat(there.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
      // The verdict is not waited for.
      await().untilAsserted(() -> assertThat(there.statistics().unshared()).isEqualTo(2));
      work.commit();
    }
    await().untilAsserted(() -> assertThat(there.get(7L)).isEqualTo(new User(7, "new")));
  }

  @Test
  void slowLoadFromBeforeTheCommitIsKeptByNobody() throws Exception {
    TieredCache<Long, User> here = users(one).build();
    TieredCache<Long, User> there = users(two).build();
    users.beforeReturning =
        () -> {
          users.beforeReturning = () -> {};
          try {
            rename("new", here);
          } catch (Exception failure) {
            throw new AssertionError(failure);
          }
        };
    assertThat(there.get(7L)).isEqualTo(new User(7, "old"));
    assertThat(there.get(7L)).isEqualTo(new User(7, "new"));
    assertThat(here.get(7L)).isEqualTo(new User(7, "new"));
  }

  @Test
  void laggingReplicaDoesNotBringTheOldValueBack() throws Exception {
    TieredCache<Long, User> here = users(one).build();
    TieredCache<Long, User> there = users(two).build();
    users.role = Role.REPLICA;
    await().untilAsserted(() -> assertThat(here.get(7L)).isEqualTo(new User(7, "old")));
    replica().pauseReplay();
    try {
      rename("new", here);
      assertThat(there.get(7L)).isEqualTo(new User(7, "old"));
      // Read, but not kept by anybody.
      assertThat(there.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
      assertThat(here.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    } finally {
      replica().resumeReplay();
    }
    await().untilAsserted(() -> assertThat(there.get(7L)).isEqualTo(new User(7, "new")));
    await().untilAsserted(() -> assertThat(there.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1));
  }

  @Test
  void stampedeOfTwoProcessesIsOneLoad() throws Exception {
    TieredCache<Long, User> here = users(one).build();
    TieredCache<Long, User> there = users(two).build();
    CountDownLatch start = new CountDownLatch(1);
    ExecutorService readers = Executors.newFixedThreadPool(32);
    try {
      List<Future<User>> answers = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        TieredCache<Long, User> cache = i % 2 == 0 ? here : there;
        answers.add(
            readers.submit(
                () -> {
                  start.await();
                  return cache.get(7L);
                }));
      }
      start.countDown();
      for (Future<User> answer : answers) {
        assertThat(answer.get(30, TimeUnit.SECONDS)).isEqualTo(new User(7, "old"));
      }
    } finally {
      readers.shutdownNow();
      assertThat(readers.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(users.loads).hasValue(1);
  }

  @Test
  void valueOfAnotherSchemaIsAMissForBoth() {
    users(one).build().get(7L);
    TieredCache<Long, UserOfTomorrow> tomorrow =
        TieredCache.<Long, UserOfTomorrow>builder(
                "users",
                key -> {
                  PositionedRead<@Nullable User> read = users.load(key);
                  User user = read.value();
                  return new PositionedRead<>(
                      user == null ? null : new UserOfTomorrow(user.id(), user.name(), null),
                      read.route(),
                      read.position(),
                      read.snapshot());
                })
            .redis(two)
            .codec(Codec.json(UserOfTomorrow.class, 2))
            .horizons(TieredCacheIT::horizon)
            .build();
    assertThat(tomorrow.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tomorrow.get(7L)).isEqualTo(new UserOfTomorrow(7, "old", null));
  }

  @Test
  void writersOfOneKeyLeaveTheLastCommitEverywhere() throws Exception {
    TieredCache<Long, User> here = users(one).writeThrough().build();
    TieredCache<Long, User> there = users(two).writeThrough().build();
    ExecutorService writers = Executors.newFixedThreadPool(4);
    try {
      List<Future<?>> ends = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        int writer = i;
        ends.add(
            writers.submit(
                () -> {
                  for (int turn = 0; turn < 25; turn++) {
                    TieredCache<Long, User> cache = writer % 2 == 0 ? here : there;
                    rename("w" + writer + "-" + turn, cache);
                    cache.get(7L);
                  }
                  return null;
                }));
      }
      for (Future<?> end : ends) {
        end.get(60, TimeUnit.SECONDS);
      }
    } finally {
      writers.shutdownNow();
      assertThat(writers.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
    }
    User last = users.load(7L).value();
    await().untilAsserted(() -> assertThat(here.get(7L)).isEqualTo(last));
    await().untilAsserted(() -> assertThat(there.get(7L)).isEqualTo(last));
  }
}
