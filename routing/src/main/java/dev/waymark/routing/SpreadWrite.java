package dev.waymark.routing;

import java.util.List;

/**
 * How a write is done on several shards inside of a cross-shard transaction. Immutable values, safe
 * to share.
 */
sealed interface SpreadWrite {
  /** The same text on every shard: a table that all of them hold whole. */
  record Everywhere() implements SpreadWrite {}

  /**
   * The same text on each shard that the keys lie on: whatever it does to a row, it does by rows of
   * the same key.
   */
  record ByKey(KeySource keys) implements SpreadWrite {}

  /**
   * Rows that are inserted, each where its key lives.
   *
   * @param head the text before the rows
   * @param tail the text behind them
   * @param before the parameters in the head, by their numbers
   * @param behind those in the tail
   */
  record Rows(String head, List<Row> rows, String tail, List<Integer> before, List<Integer> behind)
      implements SpreadWrite {
    /** Copies. */
    public Rows {
      rows = List.copyOf(rows);
      before = List.copyOf(before);
      behind = List.copyOf(behind);
    }
  }

  /**
   * One row with its brackets.
   *
   * @param parameters those in it, by their numbers
   */
  record Row(String text, KeyTerm key, List<Integer> parameters) {
    /** Copies. */
    public Row {
      parameters = List.copyOf(parameters);
    }
  }
}
