package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Assume;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/** Laws of {@link ShardMap} over random maps that have no gap and no overlap. */
class ShardMapPropertiesTest {
  private static final int SHARDS = 4;
  private static final List<Shard> ALL =
      IntStream.range(0, SHARDS).mapToObj(i -> ShardMapTest.shard("shard-" + i, "pg" + i)).toList();

  @Property(tries = 300)
  void exactlyOneRangeOwnsEachKeyOfTheMap(
      @ForAll("wholeMaps") List<OwnedRange> ranges, @ForAll long key) {
    ShardMap map = ShardMap.of(1, ALL, ranges, List.of());
    List<OwnedRange> owners = ranges.stream().filter(r -> r.range().contains(key)).toList();

    if (owners.isEmpty()) {
      assertThatThrownBy(() -> map.shardFor(key)).isInstanceOf(NoShardForKeyException.class);
    } else {
      assertThat(owners).hasSize(1);
      assertThat(map.shardFor(key).name()).isEqualTo(owners.get(0).shard());
    }
  }

  @Property(tries = 300)
  void bothEndsOfEveryRangeBelongWhereTheyShould(@ForAll("wholeMaps") List<OwnedRange> ranges) {
    ShardMap map = ShardMap.of(1, ALL, ranges, List.of());

    for (OwnedRange owned : ranges) {
      assertThat(map.shardFor(owned.range().from()).name()).isEqualTo(owned.shard());
      assertThat(map.shardFor(owned.range().to() - 1).name()).isEqualTo(owned.shard());
    }
  }

  @Property(tries = 200)
  void orderOfTheRangesDoesNotMatter(
      @ForAll("wholeMaps") List<OwnedRange> ranges, @ForAll Random random) {
    List<OwnedRange> shuffled = new ArrayList<>(ranges);
    Collections.shuffle(shuffled, random);

    assertThat(ShardMap.of(1, ALL, shuffled, List.of()))
        .isEqualTo(ShardMap.of(1, ALL, ranges, List.of()));
  }

  @Property(tries = 300)
  void rangeTakenOutLeavesAGap(
      @ForAll("wholeMaps") List<OwnedRange> ranges, @ForAll @IntRange(max = 100) int pick) {
    Assume.that(ranges.size() >= 3);
    int victim = 1 + pick % (ranges.size() - 2);
    List<OwnedRange> rest = new ArrayList<>(ranges);
    OwnedRange gone = rest.remove(victim);

    assertThat(ShardMap.faults(ALL, rest))
        .containsExactly(new MapFault.Gap(victim - 1, victim, gone.range()));
  }

  @Property(tries = 300)
  void rangeWithinAnotherOverlapsIt(
      @ForAll("wholeMaps") List<OwnedRange> ranges, @ForAll @IntRange(max = 100) int pick) {
    int host = pick % ranges.size();
    KeyRange whole = ranges.get(host).range();
    KeyRange intruder = new KeyRange(whole.to() - 1, whole.to());
    List<OwnedRange> more = new ArrayList<>(ranges);
    more.add(new OwnedRange(intruder, "shard-0"));

    assertThat(ShardMap.faults(ALL, more))
        .singleElement()
        .isInstanceOfSatisfying(
            MapFault.Overlap.class, overlap -> assertThat(overlap.keys()).isEqualTo(intruder));
  }

  @Property(tries = 200)
  void unknownShardIsFoundAtItsRange(
      @ForAll("wholeMaps") List<OwnedRange> ranges, @ForAll @IntRange(max = 100) int pick) {
    int victim = pick % ranges.size();
    List<OwnedRange> changed = new ArrayList<>(ranges);
    changed.set(victim, new OwnedRange(ranges.get(victim).range(), "elsewhere"));

    assertThat(ShardMap.faults(ALL, changed))
        .containsExactly(new MapFault.UnknownShard(victim, "elsewhere"));
  }

  @Property(tries = 100)
  void repeatedShardAndServerAreFoundWhereverTheyStand(
      @ForAll @IntRange(max = SHARDS - 1) int original) {
    List<Shard> shards = new ArrayList<>(ALL);
    shards.add(ALL.get(original));

    assertThat(ShardMap.faults(shards, List.of(ShardMapTest.range(1, 2, "shard-0"))))
        .containsExactly(
            new MapFault.DuplicateShard(original, SHARDS, "shard-" + original),
            new MapFault.DuplicateServer(original, 0, SHARDS, 0, "pg" + original + ":5432"));
  }

  /**
   * Ranges without gap and overlap, in ascending order: cuts of the keys, and an owner for each.
   */
  @Provide
  Arbitrary<List<OwnedRange>> wholeMaps() {
    Arbitrary<List<Long>> cuts =
        Arbitraries.longs().list().uniqueElements().ofMinSize(2).ofMaxSize(30);
    Arbitrary<List<Integer>> owners =
        Arbitraries.integers().between(0, SHARDS - 1).list().ofSize(30);
    return Combinators.combine(cuts, owners)
        .as(
            (unsorted, shards) -> {
              List<Long> sorted = unsorted.stream().sorted().toList();
              return IntStream.range(0, sorted.size() - 1)
                  .mapToObj(
                      i ->
                          ShardMapTest.range(
                              sorted.get(i), sorted.get(i + 1), "shard-" + shards.get(i)))
                  .toList();
            });
  }
}
