package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class ShardMapTest {
  private final Shard one = shard("shard-1", "pg1a", "pg1b");
  private final Shard two = shard("shard-2", "pg2a");

  @Test
  void keyBelongsToTheRangeThatStartsAtIt() {
    ShardMap map = map(range(1, 500, "shard-1"), range(500, 1000, "shard-2"));

    assertThat(map.shardFor(1)).isEqualTo(one);
    assertThat(map.shardFor(499)).isEqualTo(one);
    assertThat(map.shardFor(500)).isEqualTo(two);
    assertThat(map.indexOfShardFor(999)).isEqualTo(1);
  }

  @Test
  void rangesMayBeGivenInAnyOrderAndComeBackAscending() {
    ShardMap map = map(range(500, 1000, "shard-2"), range(1, 500, "shard-1"));

    assertThat(map.ranges()).containsExactly(range(1, 500, "shard-1"), range(500, 1000, "shard-2"));
    assertThat(map.shardFor(1)).isEqualTo(one);
  }

  @Test
  void shardMayOwnSeveralRangesOrNone() {
    ShardMap map = map(range(1, 5, "shard-1"), range(5, 9, "shard-1"));

    assertThat(map.rangesOf("shard-1")).containsExactly(new KeyRange(1, 5), new KeyRange(5, 9));
    assertThat(map.rangesOf("shard-2")).isEmpty();
    assertThat(map.rangesOf("shard-3")).isEmpty();
  }

  @Test
  void keyBeforeTheFirstRangeIsRefusedWithoutNamingIt() {
    ShardMap map = map(range(1, 500, "shard-1"), range(500, 1000, "shard-2"));

    assertThatThrownBy(() -> map.shardFor(0))
        .isInstanceOf(NoShardForKeyException.class)
        .hasMessage(
            "No shard owns the key: it lies before the first range, [1, 500) on shard-1 (shard map"
                + " version 7). Nothing was sent, so the call may be repeated once the map has a"
                + " range for it.");
  }

  @Test
  void keyAfterTheLastRangeIsRefusedWithoutNamingIt() {
    ShardMap map = map(range(1, 500, "shard-1"), range(500, 1000, "shard-2"));

    assertThatThrownBy(() -> map.shardFor(1000))
        .isInstanceOf(NoShardForKeyException.class)
        .hasMessage(
            "No shard owns the key: it lies after the last range, [500, 1000) on shard-2 (shard"
                + " map version 7). Nothing was sent, so the call may be repeated once the map has"
                + " a range for it.");
  }

  @Test
  void everyFaultIsListedAtOnce() {
    List<Shard> shards = List.of(one, two, shard("shard-2", "PG1A"));
    List<OwnedRange> ranges = List.of(range(1, 5, "shard-1"), range(8, 9, "shard-9"));

    assertThatThrownBy(() -> ShardMap.of(7, shards, ranges, List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "Not a valid shard map: shard shard-2 is defined twice; give the second one a name of"
                + " its own; server PG1A:5432 is listed twice; each node must be a server of its"
                + " own; no shard is called shard-9; define it under 'shards' or name another; no"
                + " range owns the keys [5, 8); let the range before end at 8");
  }

  @Test
  void emptyMapHasNeitherShardsNorRanges() {
    assertThat(ShardMap.faults(List.of(), List.of()))
        .containsExactly(new MapFault.Missing("shards"), new MapFault.Missing("ranges"));
  }

  @Test
  void longRangeOverlapsEveryRangeInsideIt() {
    List<OwnedRange> ranges =
        List.of(
            range(1, 100, "shard-1"),
            range(10, 20, "shard-2"),
            range(30, 40, "shard-2"),
            range(100, 200, "shard-2"));

    assertThat(ShardMap.faults(List.of(one, two), ranges))
        .containsExactly(
            new MapFault.Overlap(0, 1, new KeyRange(10, 20)),
            new MapFault.Overlap(0, 2, new KeyRange(30, 40)));
  }

  @Test
  void faultsSayWhatToWriteInstead() {
    assertThat(new MapFault.Missing("shards").message())
        .isEqualTo("the map has no shards; write at least one");
    assertThat(new MapFault.DuplicateNode(0, 0, 1, 0, "pg").message())
        .isEqualTo("node pg is defined twice; give the second one a name of its own");
    assertThat(new MapFault.Overlap(0, 1, new KeyRange(3, 5)).message())
        .isEqualTo("two ranges own the keys [3, 5); let only one of them own these");
  }

  @Test
  void nodesOfTwoShardsMayNotShareAName() {
    Shard three = new Shard("shard-3", List.of(new Node("pg1a:5432", "jdbc:postgresql://pg3/app")));

    assertThat(ShardMap.faults(List.of(one, three), List.of(range(1, 2, "shard-1"))))
        .containsExactly(new MapFault.DuplicateNode(0, 0, 1, 0, "pg1a:5432"));
  }

  @Test
  void shardWithoutNodesIsRefused() {
    assertThatThrownBy(() -> new Shard("shard-1", List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("Shard shard-1 has no nodes");
  }

  @Test
  void mapIsAValue() {
    ShardMap map = map(range(1, 5, "shard-1"));

    assertThat(map)
        .isEqualTo(map(range(1, 5, "shard-1")))
        .hasSameHashCodeAs(map(range(1, 5, "shard-1")));
    assertThat(map).isNotEqualTo(map(range(1, 6, "shard-1")));
    assertThat(map).hasToString("ShardMap[version=7, ranges=[[1, 5) on shard-1]]");
    assertThat(one).hasToString("shard-1[pg1a:5432, pg1b:5432]");
  }

  private ShardMap map(OwnedRange... ranges) {
    return ShardMap.of(7, List.of(one, two), List.of(ranges), List.of());
  }

  static Shard shard(String name, String... hosts) {
    return new Shard(
        name,
        List.of(hosts).stream()
            .map(host -> Node.at("jdbc:postgresql://" + host + "/app"))
            .toList());
  }

  static OwnedRange range(long from, long to, String shard) {
    return new OwnedRange(new KeyRange(from, to), shard);
  }
}
