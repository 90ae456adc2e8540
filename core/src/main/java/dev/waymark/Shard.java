package dev.waymark;

import java.util.List;
import java.util.Objects;

/**
 * One PostgreSQL replica set: a primary and its streaming replicas, which of them is which being
 * observed.
 *
 * @param name unique in the map
 * @param nodes at least one
 */
public record Shard(String name, List<Node> nodes) {
  /** Checks that there is a node, and copies the list. */
  public Shard {
    Objects.requireNonNull(name, "name");
    nodes = List.copyOf(nodes);
    if (nodes.isEmpty()) {
      throw new IllegalArgumentException("Shard " + name + " has no nodes");
    }
  }

  @Override
  public String toString() {
    return name + nodes;
  }
}
