package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class HashRingTest {
  private static final List<Shard> SHARDS =
      List.of(
          new Shard("s1", List.of(new Node("n1", "jdbc:postgresql://h1/d"))),
          new Shard("s2", List.of(new Node("n2", "jdbc:postgresql://h2/d"))));

  private static final ShardMap MAP =
      map(
          new OwnedRange(new KeyRange(1, 500_000), "s1"),
          new OwnedRange(new KeyRange(500_000, Long.MAX_VALUE), "s2"));

  @Test
  void textsSpreadEvenlyOverTheShardsHoweverWideTheirRanges() {
    HashRing ring = HashRing.of(MAP);
    Map<String, Long> counts =
        IntStream.range(0, 10_000)
            .mapToLong(i -> ring.keyOf("user" + i + "@example.org"))
            .boxed()
            .collect(Collectors.groupingBy(key -> MAP.shardFor(key).name(), Collectors.counting()));

    assertThat(counts.get("s1")).isBetween(4_700L, 5_300L);
    assertThat(counts.get("s1") + counts.get("s2")).isEqualTo(10_000);
  }

  @Test
  void keysAreTheFirstOnesOfTheirRange() {
    HashRing ring = HashRing.of(MAP);
    assertThat(IntStream.range(0, 10_000).mapToLong(i -> ring.keyOf("t" + i)))
        .allMatch(key -> (key >= 1 && key < 1_025) || (key >= 500_000 && key < 501_024));
  }

  @Test
  void aNarrowRangeHasNoKeysBeyondItsEnd() {
    HashRing ring =
        HashRing.of(
            map(
                new OwnedRange(new KeyRange(Long.MAX_VALUE - 7, Long.MAX_VALUE - 4), "s1"),
                new OwnedRange(new KeyRange(Long.MAX_VALUE - 4, Long.MAX_VALUE), "s2")));
    assertThat(IntStream.range(0, 1_000).mapToLong(i -> ring.keyOf("t" + i)))
        .allMatch(key -> key >= Long.MAX_VALUE - 7 && key < Long.MAX_VALUE);
  }

  /** Whoever was found by it would be lost. */
  @Test
  void aKeyNeverChanges() {
    assertThat(HashRing.of(MAP).keyOf("ada@example.org")).isEqualTo(641);
  }

  private static ShardMap map(OwnedRange... ranges) {
    return ShardMap.of(1, SHARDS, List.of(ranges), List.of());
  }
}
