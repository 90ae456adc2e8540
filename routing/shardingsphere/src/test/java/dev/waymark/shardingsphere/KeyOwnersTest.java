package dev.waymark.shardingsphere;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.Range;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.routing.CrossShardEngine;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import javax.sql.DataSource;
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
  private final KeyOwners owners = new KeyOwners();

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

  @BeforeEach
  void open() {
    KeyOwners.open(
        "mine",
        new CrossShardEngine.Layout() {
          @Override
          public ShardMap map() {
            return map.get();
          }

          @Override
          public DataSource catalogue(String shard) {
            throw new IllegalStateException("Nobody asks for " + shard);
          }
        });
    Properties properties = new Properties();
    properties.setProperty("database", "mine");
    owners.init(properties);
  }

  @AfterEach
  void close() {
    KeyOwners.close("mine");
  }

  private String of(Comparable<?> key) {
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
}
