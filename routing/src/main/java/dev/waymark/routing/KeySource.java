package dev.waymark.routing;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** Where a statement's keys come from. Immutable values. */
sealed interface KeySource {
  /** No table is sharded: any shard gives the same answer, or its own. */
  record AnyShard() implements KeySource {}

  /**
   * Every sharded table is confined to these keys and ranges of keys, taken together. If all of
   * them lie on one shard, the statement means there what it means on all rows.
   */
  record Keys(List<KeyTerm> terms, List<Span> spans) implements KeySource {
    /** Copies. */
    public Keys {
      terms = List.copyOf(terms);
      spans = List.copyOf(spans);
    }

    /** Whether it is one key or none, whatever the parameters hold. */
    boolean isAtMostOne() {
      return spans.isEmpty()
          && terms.size() <= 1
          && terms.stream().noneMatch(KeyTerm.InArray.class::isInstance);
    }

    /**
     * The keys asked for, ascending; none if they are all NULL.
     *
     * @param parameters the value of each parameter by its number
     */
    TreeSet<Long> keys(IntFunction<@Nullable Object> parameters) {
      TreeSet<Long> keys = new TreeSet<>();
      terms.forEach(term -> keys.addAll(KeyTerm.keys(term, parameters)));
      return keys;
    }
  }

  /** A row without a key is inserted: its shard is chosen, and deals the key. */
  record Dealt() implements KeySource {}

  /** Rows of every shard may be concerned. */
  record EveryShard() implements KeySource {}

  /**
   * A range of keys, both ends included; null is an open end. A strict comparison is taken as if it
   * were not, which asks for one key too many and is right all the same.
   */
  record Span(@Nullable KeyTerm low, @Nullable KeyTerm high) {
    /** Checks that one end at least is there. */
    public Span {
      if (low == null && high == null) {
        throw new IllegalArgumentException("A range without ends is no range");
      }
    }

    /** The lowest and the highest key, or null if an end is NULL and so no key is in it. */
    long @Nullable [] ends(IntFunction<@Nullable Object> parameters) {
      List<Long> ends = new ArrayList<>();
      for (KeyTerm end : new @Nullable KeyTerm[] {low, high}) {
        if (end != null) {
          List<Long> keys = KeyTerm.keys(Objects.requireNonNull(end), parameters);
          if (keys.isEmpty()) {
            return null;
          }
          ends.add(keys.get(0));
        }
      }
      return new long[] {
        low == null ? Long.MIN_VALUE : ends.get(0),
        high == null ? Long.MAX_VALUE : ends.get(ends.size() - 1)
      };
    }
  }
}
