package dev.waymark.routing;

import static dev.waymark.routing.Shards.column;
import static dev.waymark.routing.Shards.update;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The data source with auto-commit: where each statement goes. */
class DataSourceIT {
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
  }

  @AfterEach
  void nothingIsLeft() throws SQLException {
    connection.close();
    assertThat(shards.inUse()).isZero();
  }

  private void insert(long id, String name) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO users (id, name) VALUES (?, ?)")) {
      insert.setLong(1, id);
      insert.setString(2, name);
      assertThat(insert.executeUpdate()).isEqualTo(1);
    }
  }

  private String name(long id) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT name FROM users WHERE id = ?")) {
      select.setLong(1, id);
      try (ResultSet rows = select.executeQuery()) {
        return rows.next() ? rows.getString(1) : null;
      }
    }
  }

  @Test
  void aKeyedStatementGoesToTheShardOfItsKey() throws SQLException {
    insert(7, "Ada");
    insert(1_007, "Grace");

    assertThat(column(shards.primary(0).connect(), "SELECT name FROM users"))
        .containsExactly("Ada");
    assertThat(column(shards.primary(1).connect(), "SELECT name FROM users"))
        .containsExactly("Grace");
    assertThat(name(7)).isEqualTo("Ada");
    assertThat(name(1_007)).isEqualTo("Grace");
    assertThat(name(8)).isNull();
  }

  @Test
  void aReadSeesTheWriteBeforeIt() throws SQLException {
    insert(7, "0");
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE users SET name = ? WHERE id = ?")) {
      for (int i = 1; i <= 200; i++) {
        update.setString(1, "" + i);
        update.setInt(2, 7);
        assertThat(update.executeUpdate()).isEqualTo(1);
        assertThat(name(7)).isEqualTo("" + i);
      }
    }
  }

  @Test
  void aWriteWithoutASingleKeyIsSeenByKeyedReads() throws SQLException {
    insert(7, "0");
    for (int i = 1; i <= 200; i++) {
      assertThat(
              update(connection, "UPDATE users SET name = '" + i + "' WHERE id BETWEEN 5 AND 10"))
          .isEqualTo(1);
      assertThat(name(7)).isEqualTo("" + i);
    }
  }

  @Test
  void readsGoToReplicas() throws SQLException {
    insert(7, "Ada");
    String port = "SELECT inet_server_port() FROM users WHERE id = 7";
    String primary = "" + shards.primary(0).port();
    String replica = "" + shards.cluster().shard(0).replicas().get(0).port();

    assertThat(column(connection, "/* waymark: primary */ " + port)).containsExactly(primary);
    await().untilAsserted(() -> assertThat(column(connection, port)).containsExactly(replica));
  }

  @Test
  void anInsertWithoutAKeyTakesAGeneratedOne() throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO users (name) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
      for (int i = 0; i < 10; i++) {
        insert.setString(1, "user " + i);
        assertThat(insert.executeUpdate()).isEqualTo(1);
        try (ResultSet keys = insert.getGeneratedKeys()) {
          assertThat(keys.next()).isTrue();
          assertThat(name(keys.getLong("id"))).isEqualTo("user " + i);
        }
      }
    }
    assertThat(Clusters.count(shards.primary(0), "SELECT count(*) FROM users")).isEqualTo(5);
    assertThat(Clusters.count(shards.primary(1), "SELECT count(*) FROM users")).isEqualTo(5);
  }

  @Test
  void returningGivesRows() throws SQLException {
    try (PreparedStatement insert =
            connection.prepareStatement(
                "INSERT INTO users (id, name) VALUES (?, 'x') RETURNING id, name");
        PreparedStatement delete =
            connection.prepareStatement("DELETE FROM users WHERE id = ? RETURNING name")) {
      insert.setLong(1, 1_500);
      try (ResultSet rows = insert.executeQuery()) {
        assertThat(rows.next()).isTrue();
        assertThat(rows.getLong(1)).isEqualTo(1_500);
        assertThat(rows.getStatement()).isSameAs(insert);
      }
      delete.setLong(1, 1_500);
      assertThat(delete.execute()).isTrue();
      try (ResultSet rows = delete.getResultSet()) {
        assertThat(rows.next()).isTrue();
      }
    }
    assertThat(name(1_500)).isNull();
  }

  @Test
  void aFunctionThatLiesIsRunOnThePrimaryOnce() throws SQLException {
    insert(7, "Ada");
    for (int i = 0; i < 3; i++) {
      assertThat(column(connection, "SELECT liar(id) FROM users WHERE id = 7 /* waymark: key=7 */"))
          .containsExactly("7");
    }
    assertThat(name(7)).isEqualTo("Ada!!!");
  }

  @Test
  void whatConcernsSeveralShardsIsRefusedWithItsCode() {
    assertThatThrownBy(() -> update(connection, "UPDATE users SET name = 'x'"))
        .isInstanceOf(SQLFeatureNotSupportedException.class)
        .hasMessageStartingWith("WM-003")
        .hasFieldOrPropertyWithValue("SQLState", "0A000");
    assertThatThrownBy(
            () -> update(connection, "UPDATE users SET name = 'x' WHERE id IN (7, 1007)"))
        .hasMessageStartingWith("WM-008");
  }
}
