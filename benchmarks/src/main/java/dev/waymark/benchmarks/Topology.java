package dev.waymark.benchmarks;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Where the users are: the same nodes for every contender. The first shard owns the keys from 1,
 * each of them as many.
 *
 * @param shards in the order of their keys
 * @param poolSize of each pool of each contender
 */
record Topology(List<Nodes> shards, String user, String password, long keysPerShard, int poolSize) {
  private static final String PROPERTY = "bench.";

  /**
   * The nodes of one shard.
   *
   * @param replicas at least one
   */
  record Nodes(String primary, List<String> replicas) {
    Nodes {
      replicas = List.copyOf(replicas);
      if (replicas.isEmpty()) {
        throw new IllegalArgumentException("The shard of " + primary + " has no replica to read");
      }
    }
  }

  Topology {
    shards = List.copyOf(shards);
  }

  long keys() {
    return keysPerShard * shards.size();
  }

  int shardOf(long key) {
    return (int) ((key - 1) / keysPerShard);
  }

  /** As options of a JVM that calls {@link #ofProperties()}. */
  List<String> asProperties() {
    String nodes =
        shards.stream()
            .map(shard -> shard.primary() + "," + String.join(",", shard.replicas()))
            .collect(Collectors.joining("+"));
    return List.of(
        "-D" + PROPERTY + "nodes=" + nodes,
        "-D" + PROPERTY + "user=" + user,
        "-D" + PROPERTY + "password=" + password,
        "-D" + PROPERTY + "keysPerShard=" + keysPerShard,
        "-D" + PROPERTY + "poolSize=" + poolSize);
  }

  static Topology ofProperties() {
    return new Topology(
        Arrays.stream(System.getProperty(PROPERTY + "nodes").split("\\+"))
            .map(shard -> List.of(shard.split(",")))
            .map(urls -> new Nodes(urls.get(0), urls.subList(1, urls.size())))
            .toList(),
        System.getProperty(PROPERTY + "user"),
        System.getProperty(PROPERTY + "password"),
        Long.getLong(PROPERTY + "keysPerShard"),
        Integer.getInteger(PROPERTY + "poolSize"));
  }

  /** On the stub driver, which answers to any number of hosts. */
  static Topology stub(int shards) {
    return new Topology(
        java.util.stream.IntStream.rangeClosed(1, shards)
            .mapToObj(
                shard ->
                    new Nodes(
                        "jdbc:postgresql://primary-" + shard + ":5432/app",
                        List.of(
                            "jdbc:postgresql://replica-" + shard + "-1:5432/app",
                            "jdbc:postgresql://replica-" + shard + "-2:5432/app")))
            .toList(),
        "app",
        "",
        // As many keys whatever the number of shards.
        1_000_000 / shards,
        10);
  }
}
