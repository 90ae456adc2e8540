package dev.waymark.routing;

import dev.waymark.KeyRange;
import dev.waymark.NoShardForKeyException;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.routing.KeySource.Keys;
import dev.waymark.routing.KeySource.Span;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Which shards a statement's keys lie on. */
final class Concerned {
  private Concerned() {}

  /** Whether a key is owned by the shard at a place in the map. */
  static boolean isOwn(ShardMap map, int shard, long key) {
    try {
      return map.indexOfShardFor(key) == shard;
    } catch (NoShardForKeyException nobody) {
      return false;
    }
  }

  /**
   * The places in the map of the shards that may hold rows of a statement, ascending. A key outside
   * of every range has no rows, and so no shard; if no key has one, none is given.
   *
   * @param parameters the value of each parameter by its number
   * @throws KeyTerm.NotAKeyException if a parameter against a key is none
   */
  static int[] shards(ShardMap map, KeySource source, IntFunction<@Nullable Object> parameters) {
    if (!(source instanceof Keys keys)) {
      return IntStream.range(0, map.shards().size()).toArray();
    }
    Map<String, Integer> places = new HashMap<>();
    for (Shard shard : map.shards()) {
      places.put(shard.name(), places.size());
    }
    TreeSet<Long> asked = keys.keys(parameters);
    List<long[]> spans = new ArrayList<>();
    for (Span span : keys.spans()) {
      long[] ends = span.ends(parameters);
      if (ends != null) {
        spans.add(ends);
      }
    }
    TreeSet<Integer> found = new TreeSet<>();
    for (OwnedRange owned : map.ranges()) {
      KeyRange range = owned.range();
      Long first = asked.ceiling(range.from());
      boolean isAsked = first != null && first < range.to();
      for (long[] ends : spans) {
        isAsked |= ends[0] < range.to() && ends[1] >= range.from() && ends[0] <= ends[1];
      }
      if (isAsked) {
        found.add(Objects.requireNonNull(places.get(owned.shard())));
      }
    }
    return found.stream().mapToInt(Integer::intValue).toArray();
  }
}
