package dev.waymark.shardingsphere;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.Range;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.routing.CrossShardEngine;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.shardingsphere.infra.datanode.DataNodeInfo;
import org.apache.shardingsphere.sharding.api.sharding.standard.PreciseShardingValue;
import org.apache.shardingsphere.sharding.api.sharding.standard.RangeShardingValue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class KeyOwnersTest {
  private static final List<String> ALL = List.of("shard_0", "shard_1");
  private static final DataNodeInfo NODES = new DataNodeInfo("shard_", 1, '0');

  private final AtomicReference<ShardMap> map = new AtomicReference<>(map(10));
  private final KeyOwners owners = owners("mine");

  /** Keys up to {@code border} are the first shard's, the others the second's. */
  private static ShardMap map(long border) {
    return ShardMap.of(
        border,
        List.of(
            new Shard("first-shard", List.of(Node.at("jdbc:postgresql://a/app"))),
            new Shard("second.shard", List.of(Node.at("jdbc:postgresql://b/app")))),
        List.of(
            new OwnedRange(new KeyRange(1, border), "first-shard"),
            new OwnedRange(new KeyRange(border, 100), "second.shard")),
        List.of(new Table.Sharded("users", "id")));
  }

  private static CrossShardEngine.Layout layout(AtomicReference<ShardMap> map) {
    return new CrossShardEngine.Layout() {
      @Override
      public ShardMap map() {
        return map.get();
      }

      @Override
      public Connection connect(String shard) throws SQLException {
        throw new SQLTransientConnectionException("Nobody is there", "08006");
      }
    };
  }

  private static KeyOwners owners(String database) {
    KeyOwners owners = new KeyOwners();
    Properties properties = new Properties();
    properties.setProperty("database", database);
    owners.init(properties);
    return owners;
  }

  @BeforeEach
  void open() {
    KeyOwners.open("mine", layout(map));
  }

  @AfterEach
  void close() {
    KeyOwners.close("mine");
    assertThat(KeyOwners.openDatabases()).isEmpty();
  }

  private String of(Comparable<?> key) {
    return of(key, owners);
  }

  private static String of(Comparable<?> key, KeyOwners owners) {
    return owners.doSharding(ALL, new PreciseShardingValue<>("users", "id", NODES, key));
  }

  private Collection<String> in(Range<Comparable<?>> keys) {
    return owners.doSharding(ALL, new RangeShardingValue<>("users", "id", NODES, keys));
  }

  @Test
  void aKeyIsItsOwnersWhateverTypeItHas() {
    assertThat(of(9)).isEqualTo("shard_0");
    assertThat(of(10L)).isEqualTo("shard_1");
    assertThat(of("42")).isEqualTo("shard_1");
  }

  @Test
  void whatNobodyOwnsIsAskedOfAnyShard() {
    assertThat(of(100L)).isIn(ALL);
    assertThat(of("none")).isIn(ALL);
    assertThat(in(Range.atLeast(200L))).hasSize(1);
  }

  @Test
  void aRangeIsOfAllWhoseKeysItTouches() {
    assertThat(in(Range.closed(1L, 9L))).containsExactly("shard_0");
    assertThat(in(Range.atLeast(9))).containsExactly("shard_0", "shard_1");
    assertThat(in(Range.lessThan(5))).containsExactly("shard_0");
    assertThat(in(Range.closed("a", "b"))).containsExactlyElementsOf(ALL);
  }

  @Test
  void aChangedMapIsSeenByTheNextQuestion() {
    assertThat(of(20L)).isEqualTo("shard_1");
    map.set(map(50));
    assertThat(of(20L)).isEqualTo("shard_0");
    assertThat(in(Range.atLeast(50L))).containsExactly("shard_1");
  }

  @Test
  void databasesOfOneProcessKeepApart() {
    KeyOwners.open("other", layout(new AtomicReference<>(map(90))));
    KeyOwners other = owners("other");
    assertThat(of(20L)).isEqualTo("shard_1");
    assertThat(of(20L, other)).isEqualTo("shard_0");

    KeyOwners.close("other");
    assertThatThrownBy(() -> of(20L, other)).hasMessage("The database is closed");
    assertThat(of(20L)).isEqualTo("shard_1");
  }

  @Test
  void anEngineThatDoesNotStartTellsWhyAndLeavesNothing() {
    Set<String> before = KeyOwners.openDatabases();
    assertThatThrownBy(() -> new ShardingSphereEngine().start(layout(map)))
        .isInstanceOf(SQLException.class)
        .extracting(failure -> ((SQLException) failure).getSQLState())
        .isEqualTo("08006");
    assertThat(KeyOwners.openDatabases()).isEqualTo(before);
  }
}
