package dev.waymark.routing;

import dev.waymark.NoShardForKeyException;
import dev.waymark.OwnedRange;
import dev.waymark.ShardMap;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/** Where a statement goes once its parameters are known. Immutable values; deciding is pure. */
sealed interface Destination {
  /** One key's shard, by its place in the map. */
  record OfKey(int shard, long key) implements Destination {}

  /**
   * Several keys, or ranges of keys, that one shard owns; {@code keys} are those told one by one.
   */
  record OfShard(int shard, List<Long> keys, Others others) implements Destination {
    /** Copies. */
    public OfShard {
      keys = List.copyOf(keys);
      Objects.requireNonNull(others, "others");
    }
  }

  /** Whether keys may be concerned that are not told one by one. */
  enum Others {
    NONE,
    SOME
  }

  /** Any shard gives the answer. */
  record Any() implements Destination {}

  /** Whichever shard deals the row its key. */
  record Dealt() implements Destination {}

  /** Several shards, whose answers are merged. */
  record Several() implements Destination {}

  /**
   * Several shards, for an engine to ask and to merge; {@code unless} is what is told otherwise.
   */
  record Delegated(Refusal unless) implements Destination {}

  Destination ANY = new Any();
  Destination DEALT = new Dealt();
  Destination SEVERAL = new Several();

  /**
   * Where a statement goes.
   *
   * @throws SQLException the refusal, if it goes nowhere
   */
  static Destination of(StatementPlan plan, BoundValues parameters, ShardMap map)
      throws SQLException {
    try {
      int only = plan.keyParameter();
      if (only != 0 && parameters instanceof Parameters set && set.isWhole(only)) {
        long key = set.whole(only);
        return new OfKey(map.indexOfShardFor(key), key);
      }
      return decide(plan, parameters, map);
    } catch (NoShardForKeyException nobodys) {
      throw Refusal.of(nobodys).exception();
    } catch (KeyTerm.NotAKeyException notAKey) {
      throw Refusal.of(notAKey).exception();
    }
  }

  private static Destination decide(StatementPlan plan, BoundValues parameters, ShardMap map)
      throws SQLException {
    Long named = plan.plan().hints().key();
    if (named != null) {
      return new OfShard(
          map.indexOfShardFor(named),
          List.of(named),
          // The application vouches for the shard, not for the keys.
          plan.reads() ? Others.NONE : Others.SOME);
    }
    if (plan.plan().refusal() != null) {
      return delegatedUnless(plan, plan.plan().refusal());
    }
    KeySource source = plan.plan().keys();
    if (source instanceof KeySource.AnyShard) {
      return ANY;
    } else if (source instanceof KeySource.Dealt) {
      if (plan.dealtParameter() == 0) {
        throw new Refusal(
                SqlCode.NO_KEY_TO_INSERT,
                "The INSERT gives no key, and one can be added only where it lists its columns and"
                    + " has one row of VALUES")
            .exception();
      }
      return DEALT;
    } else if (source instanceof KeySource.Keys keys) {
      return ofKeys(plan, keys, parameters, map);
    }
    return map.shards().size() == 1
        ? new OfShard(0, List.of(), Others.SOME)
        : severalIfMerged(plan);
  }

  private static Destination ofKeys(
      StatementPlan plan, KeySource.Keys source, BoundValues parameters, ShardMap map)
      throws SQLException {
    TreeSet<Long> keys = new TreeSet<>();
    for (KeyTerm term : source.terms()) {
      List<Long> found = KeyTerm.keys(term, parameters);
      if (found.isEmpty() && plan.inserts()) {
        throw new Refusal(SqlCode.NO_KEY_TO_INSERT, "The key of a row to insert is NULL")
            .exception();
      }
      keys.addAll(found);
    }
    TreeSet<Integer> shards = new TreeSet<>();
    for (long key : keys) {
      shards.add(map.indexOfShardFor(key));
    }
    boolean isSpan = false;
    Map<String, Integer> places = new HashMap<>();
    for (KeySource.Span span : source.spans()) {
      long[] ends = span.ends(parameters);
      if (ends == null || ends[0] > ends[1]) {
        continue;
      }
      isSpan = true;
      for (int i = 0; places.size() < map.shards().size(); i++) {
        places.put(map.shards().get(i).name(), i);
      }
      for (OwnedRange owned : map.ranges()) {
        if (owned.range().from() <= ends[1] && ends[0] < owned.range().to()) {
          shards.add(Objects.requireNonNull(places.get(owned.shard())));
        }
      }
    }
    if (shards.isEmpty()) {
      // No row is asked for: every shard knows as much.
      return ANY;
    } else if (shards.size() > 1) {
      return severalIfMerged(plan);
    } else if (keys.size() == 1 && !isSpan) {
      return new OfKey(shards.first(), keys.first());
    }
    return new OfShard(shards.first(), new ArrayList<>(keys), isSpan ? Others.SOME : Others.NONE);
  }

  private static Destination severalIfMerged(StatementPlan plan) throws SQLException {
    if (plan.plan().spread() != null) {
      return delegatedUnless(plan, plan.plan().spread());
    }
    if (plan.plan().merged() == null) {
      throw new Refusal(SqlCode.NOT_MERGED_EXACTLY, "Over several shards this has no exact answer")
          .exception();
    }
    return SEVERAL;
  }

  private static Destination delegatedUnless(StatementPlan plan, Refusal refusal)
      throws SQLException {
    if (plan.plan().delegated() == null || !plan.reads()) {
      throw refusal.exception();
    }
    return new Delegated(refusal);
  }
}
