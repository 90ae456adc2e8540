package dev.waymark;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Which shard owns which keys: a gap-free, non-overlapping list of key ranges, with a version that
 * only grows.
 *
 * <p>An immutable value, safe to share. Looking a key up takes about as long with a hundred
 * thousand ranges as with three, unless their sizes differ by orders of magnitude, and allocates
 * nothing.
 */
public final class ShardMap {
  private final long version;
  private final List<Shard> shards;
  private final List<OwnedRange> ranges;
  private final Map<String, Table> tables;

  /** Of the ranges as they are sorted; range i ends where range i + 1 starts. */
  private final RangeIndex index;

  /** The first key after the last range. */
  private final long end;

  /** For each range the position of its owner in {@link #shards}. */
  private final int[] owners;

  private ShardMap(
      long version, List<Shard> shards, List<OwnedRange> sortedRanges, Map<String, Table> tables) {
    this.version = version;
    this.shards = List.copyOf(shards);
    this.ranges = List.copyOf(sortedRanges);
    this.tables = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(tables));
    this.index =
        new RangeIndex(sortedRanges.stream().mapToLong(owned -> owned.range().from()).toArray());
    this.end = sortedRanges.get(sortedRanges.size() - 1).range().to();
    Map<String, Integer> positions = new HashMap<>();
    for (int i = 0; i < shards.size(); i++) {
      positions.put(shards.get(i).name(), i);
    }
    this.owners =
        sortedRanges.stream()
            .mapToInt(owned -> Objects.requireNonNull(positions.get(owned.shard())))
            .toArray();
  }

  /**
   * A map of these parts.
   *
   * @param version the epoch; a later map has a greater one
   * @param ranges in any order
   * @throws IllegalArgumentException if anything is wrong with the parts; the message lists every
   *     fault
   */
  public static ShardMap of(
      long version, List<Shard> shards, List<OwnedRange> ranges, Collection<Table> tables) {
    List<MapFault> faults = faults(shards, ranges);
    if (!faults.isEmpty()) {
      throw new IllegalArgumentException(
          faults.stream()
              .map(MapFault::message)
              .collect(Collectors.joining("; ", "Not a valid shard map: ", "")));
    }
    Map<String, Table> byName = new LinkedHashMap<>();
    tables.forEach(table -> byName.put(table.name(), table));
    List<OwnedRange> sorted = new ArrayList<>(ranges);
    sorted.sort(Comparator.comparing(OwnedRange::range));
    return new ShardMap(version, shards, sorted, byName);
  }

  /** Everything that is wrong with these parts of a map; empty if they make one. */
  public static List<MapFault> faults(List<Shard> shards, List<OwnedRange> ranges) {
    List<MapFault> faults = new ArrayList<>();
    if (shards.isEmpty()) {
      faults.add(new MapFault.Missing("shards"));
    }
    if (ranges.isEmpty()) {
      faults.add(new MapFault.Missing("ranges"));
    }
    Map<String, Integer> names = new HashMap<>();
    Map<String, int[]> servers = new HashMap<>();
    Map<String, int[]> nodes = new HashMap<>();
    for (int s = 0; s < shards.size(); s++) {
      Integer earlier = names.putIfAbsent(shards.get(s).name(), s);
      if (earlier != null) {
        faults.add(new MapFault.DuplicateShard(earlier, s, shards.get(s).name()));
      }
      for (int n = 0; n < shards.get(s).nodes().size(); n++) {
        Node node = shards.get(s).nodes().get(n);
        String address = Node.address(node.url());
        // Host names know no upper and lower case.
        String server = address.toLowerCase(Locale.ROOT);
        int[] sameServer = servers.putIfAbsent(server, new int[] {s, n});
        int[] sameName = nodes.putIfAbsent(node.name(), new int[] {s, n});
        if (sameServer != null) {
          faults.add(new MapFault.DuplicateServer(sameServer[0], sameServer[1], s, n, address));
        } else if (sameName != null) {
          faults.add(new MapFault.DuplicateNode(sameName[0], sameName[1], s, n, node.name()));
        }
      }
    }
    for (int r = 0; r < ranges.size(); r++) {
      if (!names.containsKey(ranges.get(r).shard())) {
        faults.add(new MapFault.UnknownShard(r, ranges.get(r).shard()));
      }
    }
    int[] order =
        IntStream.range(0, ranges.size())
            .boxed()
            .sorted(Comparator.comparing((Integer r) -> ranges.get(r).range()))
            .mapToInt(Integer::intValue)
            .toArray();
    // The range that reaches furthest so far: a long range may overlap more than its neighbour.
    int furthest = order.length == 0 ? -1 : order[0];
    for (int i = 1; i < order.length; i++) {
      KeyRange reach = ranges.get(furthest).range();
      KeyRange next = ranges.get(order[i]).range();
      if (next.from() > reach.to()) {
        faults.add(new MapFault.Gap(furthest, order[i], new KeyRange(reach.to(), next.from())));
      } else if (next.from() < reach.to()) {
        KeyRange shared = new KeyRange(next.from(), Math.min(next.to(), reach.to()));
        faults.add(new MapFault.Overlap(furthest, order[i], shared));
      }
      if (next.to() > reach.to()) {
        furthest = order[i];
      }
    }
    return faults;
  }

  /** The epoch of this map; a later map has a greater one. */
  public long version() {
    return version;
  }

  /** The shards, in the order they were given. */
  public List<Shard> shards() {
    return shards;
  }

  /** The ranges, ascending by key. */
  public List<OwnedRange> ranges() {
    return ranges;
  }

  /** The tables by name. */
  public Map<String, Table> tables() {
    return tables;
  }

  /** The ranges that one shard owns, ascending; empty for a shard that is not in the map. */
  public List<KeyRange> rangesOf(String shard) {
    return ranges.stream()
        .filter(owned -> owned.shard().equals(shard))
        .map(OwnedRange::range)
        .toList();
  }

  /**
   * The shard that owns the key.
   *
   * @throws NoShardForKeyException if no range holds the key
   */
  public Shard shardFor(long key) {
    return shards.get(indexOfShardFor(key));
  }

  /**
   * The position in {@link #shards()} of the shard that owns the key.
   *
   * @throws NoShardForKeyException if no range holds the key
   */
  public int indexOfShardFor(long key) {
    int range = index.find(key);
    if (range < 0 || key >= end) {
      throw NoShardForKeyException.of(key, this);
    }
    return owners[range];
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ShardMap that
        && version == that.version
        && shards.equals(that.shards)
        && ranges.equals(that.ranges)
        && tables.equals(that.tables);
  }

  @Override
  public int hashCode() {
    return Objects.hash(version, shards, ranges, tables);
  }

  @Override
  public String toString() {
    return "ShardMap[version=" + version + ", ranges=" + ranges + "]";
  }
}
