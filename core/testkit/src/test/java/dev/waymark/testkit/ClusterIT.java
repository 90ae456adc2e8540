package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

class ClusterIT {

  private static final List<String> PROGRESS = new CopyOnWriteArrayList<>();
  private static TestCluster cluster;

  @BeforeAll
  static void start() {
    cluster =
        TestCluster.builder()
            .shards(2)
            .replicas(1)
            .redis()
            .database("shop")
            .setting("work_mem", "5MB")
            .progress(PROGRESS::add)
            .start();
  }

  @AfterAll
  static void close() {
    cluster.close();
  }

  @Test
  void everyShardHasAPrimaryAndReplicasThatStream() throws SQLException {
    assertThat(cluster.shards())
        .extracting(ShardServers::name)
        .containsExactly("shard-1", "shard-2");
    assertThat(cluster.servers())
        .extracting(PostgresServer::name)
        .containsExactly("shard-1-a", "shard-1-b", "shard-2-a", "shard-2-b");
    for (ShardServers shard : cluster.shards()) {
      assertThat(shard.primary().name()).isEqualTo(shard.name() + "-a");
      assertThat(shard.replicas())
          .extracting(PostgresServer::name)
          .containsExactly(shard.name() + "-b");
      assertThat(
              ask(
                  shard.primary(),
                  "SELECT string_agg(application_name || state, ',') FROM pg_stat_replication"))
          .isEqualTo(shard.name() + "-bstreaming");
    }
  }

  @Test
  void shardsHaveDifferentSystemIdentifiersAndReplicasTheirPrimarys() throws SQLException {
    String sql = "SELECT system_identifier FROM pg_control_system()";
    ShardServers one = cluster.shard("shard-1");
    assertThat(ask(one.primary(), sql)).isNotEqualTo(ask(cluster.shard(1).primary(), sql));
    assertThat(ask(one.replicas().get(0), sql)).isEqualTo(ask(one.primary(), sql));
  }

  @Test
  void applicationUserOwnsItsDatabaseAndIsNoSuperuser() throws SQLException {
    PostgresServer primary = cluster.shard(0).primary();
    assertThat(primary.url()).endsWith("/shop");
    try (Connection connection =
            DriverManager.getConnection(primary.url(), primary.user(), primary.password());
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE TABLE owned (id bigint PRIMARY KEY)");
      statement.execute("DROP TABLE owned");
      try (ResultSet rows =
          statement.executeQuery(
              "SELECT current_setting('is_superuser'), pg_has_role('pg_monitor', 'MEMBER'), rolreplication FROM pg_roles WHERE rolname = current_user")) {
        assertThat(rows.next()).isTrue();
        assertThat(rows.getString(1)).isEqualTo("off");
        assertThat(rows.getBoolean(2)).isTrue();
        assertThat(rows.getBoolean(3)).isTrue();
      }
    }
  }

  @Test
  void wrongPasswordIsRefused() {
    PostgresServer primary = cluster.shard(0).primary();
    for (String user : List.of(primary.user(), "postgres")) {
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(() -> DriverManager.getConnection(primary.url(), user, "wrong"))
          .satisfies(e -> assertThat(e.getSQLState()).isEqualTo("28P01"));
    }
  }

  @Test
  void settingsReachEveryNode() throws SQLException {
    for (PostgresServer server : cluster.servers()) {
      assertThat(ask(server, "SHOW work_mem")).isEqualTo("5MB");
      assertThat(ask(server, "SHOW wal_level")).isEqualTo("logical");
      assertThat(ask(server, "SHOW cluster_name")).isEqualTo(server.name());
    }
  }

  @Test
  void progressTellsOfEveryServer() {
    assertThat(PROGRESS)
        .anyMatch(
            line ->
                line.matches("shard-2-b on 127\\.0\\.0\\.1:\\d+: streaming replica, after .* s"))
        .anyMatch(line -> line.startsWith("Redis on 127.0.0.1:"));
  }

  @Test
  void unknownShardIsRefusedWithTheKnownOnes() {
    assertThatThrownBy(() -> cluster.shard("shard-9"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("No shard 'shard-9'; there are [shard-1, shard-2]");
  }

  @Test
  void nodesOfAnotherShardCannotBeFollowed() {
    PostgresServer replica = cluster.shard(0).replicas().get(0);
    assertThatThrownBy(() -> replica.follow(cluster.shard(1).primary()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("shard-1-b can follow another node of shard-1, not shard-2-a");
  }

  @Test
  void standbyTasksAreRefusedOnAPrimary() {
    PostgresServer primary = cluster.shard(0).primary();
    assertThatThrownBy(primary::promote)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageEndingWith("is a primary; only a standby can be promoted");
  }

  @Test
  void refusedStatementSaysWhereAndWhy() {
    PostgresServer primary = cluster.shard(0).primary();
    assertThatThrownBy(() -> primary.execute("SELECT 1/0"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith(
            "shard-1-a on 127.0.0.1:%d [running=true, frozen=false] did not run: SELECT 1/0 (SQLSTATE 22012"
                .formatted(primary.port()))
        .hasCauseInstanceOf(SQLException.class);
  }

  @Test
  @DisabledIfSystemProperty(
      named = ServerHome.PROPERTY,
      matches = "docker",
      disabledReason = "Containers have no directory of ours: see DockerIT")
  void closedClusterLeavesNoProcessAndNoFile(@TempDir Path directory) throws Exception {
    openToServers(directory);
    List<Long> pids = new ArrayList<>();
    System.setProperty(LocalBackend.DIRECTORY_PROPERTY, directory.toString());
    try (TestCluster small = TestCluster.builder().replicas(1).redis().start()) {
      assertThat(directory).isNotEmptyDirectory();
      PostgresServer primary = small.shard(0).primary();
      PostgresServer replica = small.shard(0).replicas().get(0);
      for (long pid : new long[] {primary.pid(), replica.pid(), small.redis().pid()}) {
        pids.add(pid);
        ProcessHandle.of(pid).orElseThrow().descendants().forEach(child -> pids.add(child.pid()));
      }
      // A frozen one must go as well, and one that was killed leaves nothing of its own.
      replica.freeze();
      primary.kill();
      small.close();
      small.close();
      assertThatThrownBy(primary::start).hasMessageContaining("The cluster is closed");
    } finally {
      System.clearProperty(LocalBackend.DIRECTORY_PROPERTY);
    }
    assertThat(pids).hasSizeGreaterThan(8).noneMatch(RunningProcesses::exists);
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void failedStartShowsTheServersLogAndLeavesNothing(@TempDir Path directory) throws Exception {
    openToServers(directory);
    System.setProperty(LocalBackend.DIRECTORY_PROPERTY, directory.toString());
    try {
      TestCluster.Builder broken = TestCluster.builder().redis().setting("work_mem", "plenty");
      assertThatThrownBy(broken::start)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageMatching(
              "(?s)PostgreSQL shard-1-a on 127\\.0\\.0\\.1:\\d+ ended while starting after .*")
          .hasMessageContaining("invalid value for parameter \"work_mem\": \"plenty\"");
    } finally {
      System.clearProperty(LocalBackend.DIRECTORY_PROPERTY);
    }
    assertThat(directory).isEmptyDirectory();
  }

  /** JUnit's directories are the tester's own, and PostgreSQL may run under another account. */
  static void openToServers(Path directory) throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  static String ask(PostgresServer server, String sql) throws SQLException {
    try (Connection connection = server.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      assertThat(rows.next()).isTrue();
      return String.valueOf(rows.getString(1));
    }
  }
}
