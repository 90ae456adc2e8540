package dev.waymark.testkit;

import static dev.waymark.testkit.ClusterIT.ask;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The proxy in front of a real PostgreSQL. */
class FaultsOnTheWireIT {

  private static TestCluster cluster;
  private static PostgresServer server;

  @BeforeAll
  static void start() {
    cluster = TestCluster.builder().start();
    server = cluster.shard(0).primary();
    server.execute("CREATE TABLE facts (id bigint)");
  }

  @AfterAll
  static void close() {
    cluster.close();
  }

  @Test
  void transactionWhoseAnswerIsCutIsCommittedAndItsClientNotTold() throws SQLException {
    try (TcpProxy proxy = TcpProxy.to(server.host(), server.port());
        Connection connection = through(proxy)) {
      connection.setAutoCommit(false);
      try (Statement statement = connection.createStatement()) {
        statement.execute("INSERT INTO facts VALUES (1)");
        proxy.cutNextAnswerContaining("COMMIT");
        assertThatExceptionOfType(SQLException.class)
            .isThrownBy(connection::commit)
            .satisfies(e -> assertThat(e.getSQLState()).isEqualTo("08006"));
      }
      assertThat(ask(server, "SELECT count(*) FROM facts WHERE id = 1")).isEqualTo("1");

      try (Connection again = through(proxy)) {
        assertThat(again.isValid(5)).isTrue();
      }
    }
  }

  @Test
  void refusedConnectionIs08001AndCutOneIs08006() throws SQLException {
    try (TcpProxy proxy = TcpProxy.to(server.host(), server.port());
        Connection connection = through(proxy);
        Statement statement = connection.createStatement()) {
      proxy.refuse();
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(() -> through(proxy))
          .satisfies(e -> assertThat(e.getSQLState()).isEqualTo("08001"));

      proxy.cut();
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(() -> statement.execute("SELECT 1"))
          .satisfies(e -> assertThat(e.getSQLState()).isEqualTo("08006"));
    }
  }

  private static Connection through(TcpProxy proxy) throws SQLException {
    String url = server.url().replace(":" + server.port() + "/", ":" + proxy.port() + "/");
    return DriverManager.getConnection(url, server.user(), server.password());
  }
}
