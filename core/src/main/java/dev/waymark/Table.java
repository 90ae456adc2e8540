package dev.waymark;

import java.util.Objects;

/** How a table is spread over the shards. */
public sealed interface Table {
  /** The table's name, as SQL without quotes would write it. */
  String name();

  /**
   * A table whose rows live on the shard that owns their key.
   *
   * @param name the table's name
   * @param keyColumn the column that holds the sharding key
   */
  record Sharded(String name, String keyColumn) implements Table {
    /** Checks that both are present. */
    public Sharded {
      Objects.requireNonNull(name, "name");
      Objects.requireNonNull(keyColumn, "keyColumn");
    }
  }

  /**
   * A table that every shard holds whole.
   *
   * @param name the table's name
   */
  record Broadcast(String name) implements Table {
    /** Checks that the name is present. */
    public Broadcast {
      Objects.requireNonNull(name, "name");
    }
  }
}
