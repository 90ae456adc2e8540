package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.routing.Parameters.Kind;
import java.sql.SQLException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Where statements go, by their texts and parameters; no server is needed for that. */
class DestinationTest {
  private static final ShardMap MAP =
      ShardMap.of(
          1,
          List.of(
              new Shard("shard-1", List.of(Node.at("jdbc:postgresql://a/app"))),
              new Shard("shard-2", List.of(Node.at("jdbc:postgresql://b/app")))),
          List.of(
              new OwnedRange(new KeyRange(1, 100), "shard-1"),
              new OwnedRange(new KeyRange(100, 200), "shard-2")),
          SmallCatalogue.TABLES.values());

  private final Plans plans =
      new Plans(SmallCatalogue.TABLES, SmallCatalogue.SOURCE, System::nanoTime);

  private Destination to(String sql, @Nullable Object... values) throws SQLException {
    Parameters parameters = new Parameters();
    for (int i = 0; i < values.length; i++) {
      parameters.put(i + 1, Kind.OBJECT, values[i]);
    }
    return Destination.of(plans.of(sql), parameters, MAP);
  }

  @Test
  void oneKeyHasOneShard() throws SQLException {
    assertThat(to("SELECT name FROM users WHERE id = ?", 7L))
        .isEqualTo(new Destination.OfKey(0, 7));
    assertThat(to("UPDATE users SET name = ? WHERE id = ?", "x", "107"))
        .isEqualTo(new Destination.OfKey(1, 107));
    assertThat(to("SELECT name FROM users WHERE id = 7 AND id = 8"))
        .isInstanceOfAny(Destination.OfKey.class, Destination.OfShard.class);
  }

  @Test
  void severalKeysOfOneShardAreToldOneByOne() throws SQLException {
    assertThat(to("UPDATE users SET name = 'x' WHERE id IN (?, ?)", 7L, 8L))
        .isEqualTo(new Destination.OfShard(0, List.of(7L, 8L), Destination.Others.NONE));
    assertThat(to("UPDATE users SET name = 'x' WHERE id BETWEEN ? AND 9", 7L))
        .isEqualTo(new Destination.OfShard(0, List.of(), Destination.Others.SOME));
  }

  @Test
  void keysOfSeveralShardsAreMergedOrRefused() throws SQLException {
    assertThat(to("SELECT name FROM users WHERE id IN (?, ?)", 7L, 107L))
        .isEqualTo(Destination.SEVERAL);
    assertThat(to("SELECT name FROM users WHERE id BETWEEN 90 AND 110"))
        .isEqualTo(Destination.SEVERAL);
    assertThatThrownBy(() -> to("DELETE FROM users WHERE id IN (7, 107)"))
        .hasMessageStartingWith("WM-008");
    assertThatThrownBy(() -> to("SELECT row_number() OVER () FROM users WHERE id IN (7, 107)"))
        .hasMessageStartingWith("WM-009");
  }

  @Test
  void aHintNamesTheShardOfWhatIsRefusedOtherwise() throws SQLException {
    assertThat(to("/* waymark: key=107 */ UPDATE users SET name = 'x'"))
        .isEqualTo(new Destination.OfShard(1, List.of(107L), Destination.Others.SOME));
    assertThatThrownBy(() -> to("UPDATE users SET name = 'x'")).hasMessageStartingWith("WM-003");
  }

  @Test
  void nullIsNoKey() throws SQLException {
    assertThat(to("SELECT name FROM users WHERE id = ?", new Object[] {null}))
        .isEqualTo(Destination.ANY);
    assertThatThrownBy(() -> to("INSERT INTO users (id, name) VALUES (?, 'x'), (?, 'y')", 7L, null))
        .hasMessageStartingWith("WM-006");
  }

  @Test
  void whatIsNoKeyIsRefused() {
    assertThatThrownBy(() -> to("SELECT name FROM users WHERE id = ?", 7.5))
        .hasMessageStartingWith("WM-007: Parameter 1 is compared with a key and holds a Double");
    assertThatThrownBy(() -> to("SELECT name FROM users WHERE id = ?", 777L))
        .hasMessageStartingWith("WM-017")
        .hasMessageEndingWith("Nothing was sent. " + SqlCode.UNOWNED_KEY.hint());
  }

  @Test
  void broadcastTablesAndNoTablesAreAnyShards() throws SQLException {
    assertThat(to("SELECT name FROM countries")).isEqualTo(Destination.ANY);
    assertThat(to("SELECT 1")).isEqualTo(Destination.ANY);
  }

  @Test
  void aRowWithoutAKeyIsDealtOne() throws SQLException {
    assertThat(to("INSERT INTO users (name) VALUES (?)", "x")).isEqualTo(Destination.DEALT);
    dealt(
        "INSERT INTO users (name, country) VALUES (?, ?) RETURNING id",
        "INSERT INTO users (\"id\", name, country) VALUES (?, ?, ?) RETURNING id",
        1);
    dealt(
        "INSERT INTO users AS u (name, id) VALUES (upper(?), DEFAULT)",
        "INSERT INTO users AS u (name, id) VALUES (upper(?), ?)",
        2);
    dealt("INSERT INTO users DEFAULT VALUES", "INSERT INTO users (\"id\") VALUES (?)", 1);
  }

  private void dealt(String sql, String sent, int parameter) throws SQLException {
    StatementPlan plan = plans.of(sql);
    assertThat(plan.sql()).isEqualTo(sent);
    assertThat(plan.dealtParameter()).isEqualTo(parameter);
    assertThat(plan.sql().charAt(plan.dealtAt())).isEqualTo('?');
  }

  @Test
  void whatTurnedOutToWriteStaysSo() throws SQLException {
    String sql = "SELECT name FROM users WHERE id = ?";
    assertThat(plans.of(sql).reads()).isTrue();
    plans.wrote(plans.of(sql), sql);
    assertThat(plans.of(sql).reads()).isFalse();
    plans.changed();
    assertThat(plans.of(sql).reads()).isFalse();
  }

  @Test
  void whatLastsInASessionIsTold() throws SQLException {
    assertThat(plans.of("SET search_path = x").session()).isEqualTo(SessionStatement.LASTING);
    assertThat(plans.of("SET LOCAL x = 1").session()).isEqualTo(SessionStatement.LOCAL);
    assertThat(plans.of("SHOW x").session()).isEqualTo(SessionStatement.SHOWS);
    assertThat(plans.of("").session()).isEqualTo(SessionStatement.SHOWS);
    assertThat(plans.of("ROLLBACK TO SAVEPOINT x").session())
        .isEqualTo(SessionStatement.OF_TRANSACTION);
    assertThat(plans.of("ROLLBACK").session()).isEqualTo(SessionStatement.BEGINS_OR_ENDS);
    assertThat(plans.of("SELECT set_config('x', 'y', false)").leavesState()).isTrue();
    assertThat(plans.of("SELECT name FROM users WHERE id = 1").leavesState()).isFalse();
  }

  @Test
  void aCallIsPlannedWithoutItsBraces() throws SQLException {
    assertThat(plans.ofCall("/* waymark: key=7 */ {? = call f(?)}").plan().hints().key())
        .isEqualTo(7);
    assertThat(plans.ofCall("{call f(?)}").plan().refusal()).isNotNull();
  }
}
