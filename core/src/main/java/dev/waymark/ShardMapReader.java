package dev.waymark;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Reads the parts of a shard map and says where each of its faults is. A fault that another problem
 * may have caused is not reported: a gap that a broken range may be meant to fill, an unknown shard
 * while the shards cannot be read.
 */
final class ShardMapReader {
  private record NodeInFile(Node node, ConfigValue url, Optional<ConfigValue> name) {
    /** Server and node name as messages may show them: both can come from a variable. */
    String shownServer() {
      return url.isHidden() ? url.shown() : Node.address(node.url());
    }

    String shownName() {
      return name.orElse(url).isHidden() ? name.orElse(url).shown() : node.name();
    }
  }

  private record ShardInFile(Shard shard, List<NodeInFile> nodes) {}

  /** One end of a range. */
  private record Bound(long key, ConfigValue value) {}

  private record RangeInFile(KeyRange range, Bound from, Bound to, Optional<ConfigValue> shard) {
    boolean isHidden() {
      return from.value.isHidden() || to.value.isHidden();
    }

    Problems.Place place() {
      return from.value.place();
    }

    OwnedRange owned() {
      return new OwnedRange(range, shard.map(ConfigValue::text).orElse(""));
    }
  }

  private final Problems problems;
  private final List<ShardInFile> shards = new ArrayList<>();
  private final List<RangeInFile> ranges = new ArrayList<>();

  /** The ranges that cannot be read, each as the keys it may have been meant to own. */
  private final List<Bounds> broken = new ArrayList<>();

  private record Bounds(Optional<Bound> from, Optional<Bound> to) {}

  ShardMapReader(Problems problems) {
    this.problems = problems;
  }

  /** The map; empty if anything in the file so far is wrong. */
  Optional<ShardMap> read(ConfigMap root) {
    Optional<Long> version =
        root.require("version", "version: 1").read("version", ShardMapReader::version);
    List<Table> tables = readTables(root);
    Optional<Set<String>> shardNames = readShards(root);
    readRanges(root);
    reportFaults(shardNames);
    return version.isPresent() && problems.isEmpty()
        ? Optional.of(
            ShardMap.of(
                version.get(),
                shards.stream().map(ShardInFile::shard).toList(),
                ranges.stream().map(RangeInFile::owned).toList(),
                tables))
        : Optional.empty();
  }

  private static long version(ConfigValue value) {
    long version = value.wholeNumber();
    if (version < 1) {
      throw value.refused("at least 1");
    }
    return version;
  }

  private List<Table> readTables(ConfigMap root) {
    List<Table> tables = new ArrayList<>();
    for (ConfigMap table : root.named("tables", ConfigSection.TABLE).orElse(List.of())) {
      Optional<String> key = table.read("key", ConfigValue::nonBlank);
      Optional<Boolean> broadcast = table.read("broadcast", ConfigValue::truth);
      key.ifPresent(column -> tables.add(new Table.Sharded(table.name(), column)));
      if (broadcast.orElse(false)) {
        tables.add(new Table.Broadcast(table.name()));
        if (table.has("key")) {
          problems.add(
              table.placeOf("broadcast"),
              table.path()
                  + " has both a key and broadcast: true; keep the key if each shard holds the rows"
                  + " of its own keys, or broadcast: true if every shard holds all rows");
        }
      } else if (broadcast.isPresent() || !table.has("broadcast")) {
        table.require("key", "key: user_id, or broadcast: true if every shard holds all rows");
      }
    }
    return tables;
  }

  /** Reads the shards and returns the names of all, the broken ones too; empty without a list. */
  private Optional<Set<String>> readShards(ConfigMap root) {
    Optional<List<ConfigMap>> maps =
        root.require("shards", "shards: {shard-1: {nodes: [{url: \"jdbc:postgresql://pg1/app\"}]}}")
            .named("shards", ConfigSection.SHARD);
    if (maps.isPresent() && maps.get().isEmpty()) {
      problems.add(root.placeOf("shards"), new MapFault.Missing("shards").message());
    }
    for (ConfigMap map : maps.orElse(List.of())) {
      List<NodeInFile> nodes = readNodes(map);
      if (!nodes.isEmpty()) {
        shards.add(
            new ShardInFile(
                new Shard(map.name(), nodes.stream().map(NodeInFile::node).toList()), nodes));
      }
    }
    return maps.map(all -> all.stream().map(ConfigMap::name).collect(Collectors.toSet()));
  }

  private List<NodeInFile> readNodes(ConfigMap shard) {
    Optional<List<ConfigMap>> maps =
        shard
            .require("nodes", "nodes: [{url: \"jdbc:postgresql://pg1:5432/app\"}]")
            .listed("nodes", ConfigSection.NODE);
    if (maps.isPresent() && maps.get().isEmpty()) {
      problems.add(
          shard.placeOf("nodes"), shard.path() + ".nodes is empty; list at least one node");
    }
    List<NodeInFile> nodes = new ArrayList<>();
    for (ConfigMap map : maps.orElse(List.of())) {
      Optional<ConfigValue> url =
          map.require("url", "url: \"jdbc:postgresql://pg1:5432/app\"")
              .read("url", ShardMapReader::url);
      Optional<ConfigValue> name = map.read("name", ShardMapReader::name);
      String zone = map.read("zone", ConfigValue::text).orElse("");
      int weight = map.read("weight", ShardMapReader::weight).orElse(1);
      url.ifPresent(
          given ->
              nodes.add(
                  new NodeInFile(
                      name.map(own -> new Node(own.text(), given.text()))
                          .orElseGet(() -> Node.at(given.text()))
                          .withZone(zone)
                          .withWeight(weight),
                      given,
                      name)));
    }
    return nodes;
  }

  private static ConfigValue url(ConfigValue value) {
    Node.faultOf(value.text())
        .ifPresent(
            fault -> {
              throw new IllegalArgumentException(value.path() + " " + fault);
            });
    return value;
  }

  private static int weight(ConfigValue value) {
    int weight = value.integer();
    if (weight < 0 || weight > 1_000) {
      throw value.refused("from 0 to 1000");
    }
    return weight;
  }

  private static ConfigValue name(ConfigValue value) {
    value.nonBlank();
    return value;
  }

  private void readRanges(ConfigMap root) {
    Optional<List<ConfigMap>> maps =
        root.require("ranges", "ranges: [{from: 1, to: max, shard: shard-1}]")
            .listed("ranges", ConfigSection.RANGE);
    if (maps.isPresent() && maps.get().isEmpty()) {
      problems.add(root.placeOf("ranges"), new MapFault.Missing("ranges").message());
    }
    for (ConfigMap map : maps.orElse(List.of())) {
      Optional<Bound> from =
          map.require("from", "from: 1, or from: min")
              .read("from", value -> new Bound(value.keyOr("min", Long.MIN_VALUE), value));
      Optional<Bound> to =
          map.require("to", "to: 500000, or to: max")
              .read("to", value -> new Bound(value.keyOr("max", Long.MAX_VALUE), value));
      Optional<ConfigValue> shard =
          map.require("shard", "shard: shard-1").read("shard", ShardMapReader::name);
      if (from.isPresent() && to.isPresent() && from.get().key < to.get().key) {
        KeyRange range = new KeyRange(from.get().key, to.get().key);
        ranges.add(new RangeInFile(range, from.get(), to.get(), shard));
      } else {
        broken.add(new Bounds(from, to));
        if (from.isPresent() && to.isPresent()) {
          problems.add(
              to.get().value.place(),
              "the range from %s to %s holds no key; write a 'to' that is greater than its 'from'"
                  .formatted(from.get().value.shown(), to.get().value.shown()));
        }
      }
    }
  }

  private void reportFaults(Optional<Set<String>> shardNames) {
    List<MapFault> faults =
        ShardMap.faults(
            shards.stream().map(ShardInFile::shard).toList(),
            ranges.stream().map(RangeInFile::owned).toList());
    for (MapFault fault : faults) {
      if (fault instanceof MapFault.DuplicateServer same) {
        NodeInFile first = node(same.firstShard(), same.firstNode());
        NodeInFile second = node(same.secondShard(), same.secondNode());
        // Rendered anew: the address may come from a variable.
        MapFault shown =
            new MapFault.DuplicateServer(
                same.firstShard(),
                same.firstNode(),
                same.secondShard(),
                same.secondNode(),
                first.url.isHidden() ? first.shownServer() : second.shownServer());
        report(second.url.place(), shown, first.url.place());
      } else if (fault instanceof MapFault.DuplicateNode same) {
        NodeInFile first = node(same.firstShard(), same.firstNode());
        NodeInFile second = node(same.secondShard(), same.secondNode());
        MapFault shown =
            new MapFault.DuplicateNode(
                same.firstShard(),
                same.firstNode(),
                same.secondShard(),
                same.secondNode(),
                first.name.orElse(first.url).isHidden() ? first.shownName() : second.shownName());
        report(second.name.orElse(second.url).place(), shown, first.name.orElse(first.url).place());
      } else if (fault instanceof MapFault.UnknownShard unknown) {
        ranges
            .get(unknown.range())
            .shard
            .filter(shard -> shardNames.isPresent() && !shardNames.get().contains(shard.text()))
            .ifPresent(
                shard ->
                    problems.add(
                        shard.place(),
                        new MapFault.UnknownShard(unknown.range(), shard.shown()).message()));
      } else if (fault instanceof MapFault.Gap gap) {
        RangeInFile before = ranges.get(gap.before());
        RangeInFile after = ranges.get(gap.after());
        if (broken.stream().noneMatch(bounds -> mayOwn(bounds, gap.keys()))) {
          if (before.isHidden() || after.isHidden()) {
            problems.add(
                after.place(),
                "no range owns the keys between the range on line "
                    + before.place().line()
                    + " and this one; let the range before end where this one starts");
          } else {
            report(after.place(), gap, before.place());
          }
        }
      } else if (fault instanceof MapFault.Overlap overlap) {
        RangeInFile first = ranges.get(overlap.first());
        RangeInFile second = ranges.get(overlap.second());
        if (first.isHidden() || second.isHidden()) {
          problems.add(
              second.place(),
              "this range and the one on line "
                  + first.place().line()
                  + " own the same keys; let only one of them own each key");
        } else {
          report(second.place(), overlap, first.place());
        }
      }
      // What is left cannot happen or is reported where it was read: an empty list, a name twice.
    }
  }

  private NodeInFile node(int shard, int node) {
    return shards.get(shard).nodes.get(node);
  }

  private void report(Problems.Place place, MapFault fault, Problems.Place other) {
    problems.add(place, fault.message() + " (the other is on line " + other.line() + ")");
  }

  /**
   * Whether a range of which one bound, or both, cannot be trusted may have been meant to own one
   * of the keys: from its sound bound it then reaches as far as the next sound range.
   */
  private boolean mayOwn(Bounds bounds, KeyRange keys) {
    Optional<Bound> from = bounds.from;
    Optional<Bound> to = bounds.to;
    if (from.isPresent() && to.isPresent()) {
      // Inverted: either bound may be wrong, or both are swapped.
      return mayOwn(new Bounds(from, Optional.empty()), keys)
          || mayOwn(new Bounds(Optional.empty(), to), keys)
          || (to.get().key < keys.to() && from.get().key > keys.from());
    }
    long start =
        from.map(Bound::key)
            .orElseGet(
                () ->
                    ranges.stream()
                        .mapToLong(sound -> sound.range.to())
                        .filter(end -> to.isPresent() && end <= to.get().key)
                        .max()
                        .orElse(Long.MIN_VALUE));
    long end =
        to.map(Bound::key)
            .orElseGet(
                () ->
                    ranges.stream()
                        .mapToLong(sound -> sound.range.from())
                        .filter(next -> from.isPresent() && next >= from.get().key)
                        .min()
                        .orElse(Long.MAX_VALUE));
    return start < keys.to() && end > keys.from();
  }
}
