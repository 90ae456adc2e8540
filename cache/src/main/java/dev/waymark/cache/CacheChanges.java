package dev.waymark.cache;

import dev.waymark.ChangeConsumer;
import dev.waymark.LogPosition;
import dev.waymark.RowChange;
import dev.waymark.ShardChange;
import dev.waymark.TableName;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes what a database's own log tells over into Redis, for all caches of a {@link RedisTier} that
 * say {@linkplain TieredCache.Builder#changedBy what changes them}: writes by {@code psql}, by
 * other services, and by processes that died before they could tell. Made by {@link
 * RedisTier#changes()}; safe to share.
 *
 * <p>Each commit is announced late, so to speak: the values go from both tiers of every process,
 * and nothing is kept that is not proven to show it. The log runs ahead of what a primary shows, so
 * a deletion alone would let the old row back in.
 *
 * <p>Nothing is taken over while Redis cannot be reached: the stream waits, and the database keeps
 * its log as long as the stream's own settings allow.
 */
public final class CacheChanges implements ChangeConsumer {
  private static final Logger log = LoggerFactory.getLogger(CacheChanges.class);

  private final RedisTier redis;

  /** Who this is; a note by anybody else is not ours, even if it names the same caches. */
  private final String name = UUID.randomUUID().toString();

  private final Set<String> toldOfTables = ConcurrentHashMap.newKeySet();
  private final LongAdder transactions = new LongAdder();
  private final LongAdder keysTold = new LongAdder();
  private final LongAdder keysDropped = new LongAdder();
  private final LongAdder cachesBegunAnew = new LongAdder();

  CacheChanges(RedisTier redis) {
    this.redis = redis;
  }

  /**
   * What this process has taken over since it began. Not of one instant.
   *
   * @param transactions committed transactions, told again ones included
   * @param keysTold keys that they were about, each counted once for each time that changes were
   *     taken over
   * @param keysDropped of these, keys that were not left as they were because their writer had
   *     announced them itself
   * @param cachesBegunAnew times that a cache was emptied as a whole
   */
  public record Statistics(
      long transactions, long keysTold, long keysDropped, long cachesBegunAnew) {}

  /** What this process has taken over. */
  public Statistics statistics() {
    return new Statistics(
        transactions.sum(), keysTold.sum(), keysDropped.sum(), cachesBegunAnew.sum());
  }

  /** Redis' time in microseconds. */
  @Override
  public long time() {
    return redis.askOrThrow(SharedTier::time);
  }

  /**
   * Tells Redis and waits until it has taken everything over.
   *
   * @throws SharedTierException if it has not, or perhaps not all; telling it again does no harm
   */
  @Override
  public void take(List<ShardChange> changes) {
    String shard = changes.get(0).shard();
    Map<String, ChangeMapping> mappings = new TreeMap<>(redis.mappings());
    String before = redis.askOrThrow(tier -> tier.follower(shard));
    String now =
        mappings.values().stream()
            .map(ChangeMapping::description)
            .collect(Collectors.joining(",", name + " ", ""));

    Batch batch = new Batch(shard, mappings);
    Set<String> told = toldBy(before);
    mappings.forEach(
        (cache, mapping) -> {
          if (!told.contains(mapping.description())) {
            batch.anew.add(cache);
          }
        });
    changes.forEach(batch::add);

    for (String cache : batch.anew) {
      redis.askOrThrow(
          tier -> {
            tier.forget(cache);
            return cache;
          });
      cachesBegunAnew.increment();
    }
    batch.tell();
    if (!before.equals(now)
        && !redis.<Boolean>askOrThrow(tier -> tier.follow(shard, before, now))) {
      throw new IllegalStateException(
          "Another process takes the changes of " + shard + " over at the same time");
    }
    // Last: it vouches for all the rest.
    batch.vouch();
  }

  /**
   * {@linkplain ChangeMapping#description The caches} that whoever came before has told of what the
   * stream told it. A cache that is not among them, because that was an older version of the
   * service or because it was built late, may have missed any change.
   */
  private static Set<String> toldBy(String note) {
    int blank = note.indexOf(' ');
    return blank < 0 ? Set.of() : Set.of(note.substring(blank + 1).split(",", -1));
  }

  /** What one call brings, put together: a key that was changed ten times is told once. */
  private final class Batch {
    private final String shard;
    private final Map<String, ChangeMapping> mappings;

    /** Caches of which any key may have changed. */
    private final Set<String> anew = new TreeSet<>();

    private final Map<String, Map<CacheKey, Set<Long>>> keys = new LinkedHashMap<>();
    private @Nullable LogPosition lastCommit;
    private ShardChange.@Nullable Reached reached;

    Batch(String shard, Map<String, ChangeMapping> mappings) {
      this.shard = shard;
      this.mappings = mappings;
    }

    void add(ShardChange change) {
      if (change instanceof ShardChange.StartedAnew) {
        anew.addAll(mappings.keySet());
      } else if (change instanceof ShardChange.Altered altered) {
        addAll(altered.tables());
      } else if (change instanceof ShardChange.Reached mark) {
        reached = mark;
      } else if (change instanceof ShardChange.Committed committed) {
        transactions.increment();
        lastCommit = committed.position();
        addAll(committed.tables().stream().map(ShardChange.WholeTable::table).toList());
        committed.rows().forEach(row -> add(row, committed.transactionId()));
      }
    }

    private void addAll(Collection<TableName> tables) {
      mappings.forEach(
          (cache, mapping) -> {
            if (tables.stream().anyMatch(mapping::isAbout)) {
              anew.add(cache);
            }
          });
    }

    private void add(RowChange row, long transactionId) {
      mappings.forEach(
          (cache, mapping) -> {
            ChangeMapping.About about = mapping.about(row);
            if (about instanceof ChangeMapping.About.Keys some) {
              for (CacheKey key : some.keys()) {
                Set<Long> writers =
                    keys.computeIfAbsent(cache, unused -> new LinkedHashMap<>())
                        .computeIfAbsent(key, unused -> new LinkedHashSet<>());
                // All of them: on the primary a later one may be visible before an earlier one.
                if (mapping.proof() == ChangeMapping.Proof.FENCED) {
                  writers.add(transactionId);
                }
              }
            } else {
              anew.add(cache);
            }
          });
    }

    void tell() {
      // A new epoch does not need to be told of what came before it: nothing is kept until the
      // shard has said where it begins, which is after all that the log has told by now.
      anew.forEach(keys::remove);
      keys.forEach(
          (cache, changed) -> {
            List<SharedTier.Told> told = new ArrayList<>();
            changed.forEach(
                (key, writers) -> told.add(new SharedTier.Told(key, List.copyOf(writers))));
            LogPosition position = lastCommit;
            if (position != null) {
              int dropped = redis.askOrThrow(tier -> tier.changed(cache, shard, position, told));
              keysTold.add(told.size());
              keysDropped.add(dropped);
              ChangeMapping mapping = mappings.get(cache);
              if (dropped > 0 && mapping != null) {
                told.forEach(each -> mapping.isInDoubt(shard, each.key()));
              }
            }
          });
    }

    void vouch() {
      ShardChange.Reached mark = reached;
      if (mark == null) {
        return;
      }
      mappings.forEach(
          (cache, mapping) -> {
            if (mapping.proof() == ChangeMapping.Proof.UNFENCED) {
              return;
            }
            if (mapping.isCoveredBy(mark.tables())) {
              redis.askOrThrow(
                  tier -> {
                    tier.reached(cache, shard, mark.position(), mark.asOf());
                    return cache;
                  });
            } else if (toldOfTables.add(cache + " " + shard)) {
              log.warn(
                  "The change stream of {} does not follow all tables that change cache {}: it"
                      + " follows {}. Changes of the others are not seen, and the age of the cache's"
                      + " values is not known",
                  shard,
                  cache,
                  mark.tables());
            }
          });
    }
  }
}
