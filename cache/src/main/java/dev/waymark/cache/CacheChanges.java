package dev.waymark.cache;

import dev.waymark.ChangeConsumer;
import dev.waymark.Outcome;
import dev.waymark.RowChange;
import dev.waymark.RowImage;
import dev.waymark.ShardChange;
import dev.waymark.TableName;
import dev.waymark.WaymarkException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns what a change stream tells of rows into changes of the keys that caches have made of them.
 * Safe to share.
 *
 * <p>Every change is applied as a late announcement: dropped, and its transaction in doubt until it
 * is proven over. So it does not matter that the stream is ahead of what the primary shows, nor
 * that changes come twice or late.
 */
final class CacheChanges implements ChangeConsumer {
  private static final Logger log = LoggerFactory.getLogger(TieredCache.class);

  private final RedisTier redis;
  private final List<Followed> followed = new CopyOnWriteArrayList<>();

  /** Caches whose keys could not be told from a row; told of once. */
  private final Set<String> toldOf = ConcurrentHashMap.newKeySet();

  /**
   * A table that a cache's values are made of.
   *
   * @param keys the keys that a row has a part in; throws if the image does not tell
   */
  private record Followed(String cache, String table, Function<RowImage, List<CacheKey>> keys) {}

  CacheChanges(RedisTier redis) {
    this.redis = redis;
  }

  void follow(String cache, String table, Function<RowImage, List<CacheKey>> keys) {
    followed.add(new Followed(cache, table, keys));
  }

  /**
   * In the order of the log; what was applied before a failure is applied again, which does no
   * harm.
   */
  @Override
  public void take(List<ShardChange> changes) throws Exception {
    for (ShardChange change : changes) {
      if (change instanceof ShardChange.Committed committed) {
        take(committed);
      } else if (change instanceof ShardChange.StartedAnew) {
        for (String cache : caches()) {
          forget(cache);
        }
      } else if (change instanceof ShardChange.Altered altered) {
        for (TableName table : altered.tables()) {
          forgetAllMadeOf(table);
        }
      }
      // How far the stream has come bounds the age of hits; nothing here asks for that yet.
    }
  }

  private void take(ShardChange.Committed committed) {
    for (ShardChange.WholeTable whole : committed.tables()) {
      // Its transaction has an id below the horizon of the new epoch.
      forgetAllMadeOf(whole.table());
    }
    Map<String, Set<CacheKey>> keys = new LinkedHashMap<>();
    Set<String> unclear = new LinkedHashSet<>();
    for (RowChange row : committed.rows()) {
      for (Followed each : followed) {
        if (row.table().isCalled(each.table)) {
          try {
            keys.computeIfAbsent(each.cache, unused -> new LinkedHashSet<>())
                .addAll(keysOf(row, each));
          } catch (RuntimeException notTold) {
            unclear.add(each.cache);
            tellOnce(each, row, notTold);
          }
        }
      }
    }
    unclear.forEach(this::forget);
    SharedTier.Writer writer =
        new SharedTier.Writer(committed.shard(), committed.transactionId(), committed.position());
    keys.forEach(
        (cache, changed) -> {
          if (!unclear.contains(cache) && !changed.isEmpty()) {
            redis.apply(new ArrayList<>(changed), writer, committed.position());
          }
        });
  }

  /** Of the row as it was and as it is: it may have moved from one key's value to another's. */
  private static List<CacheKey> keysOf(RowChange row, Followed by) {
    List<CacheKey> keys = new ArrayList<>();
    RowImage before = row.before();
    RowImage after = row.after();
    if (before != null) {
      keys.addAll(by.keys.apply(before));
    }
    if (after != null) {
      keys.addAll(by.keys.apply(after));
    }
    return keys;
  }

  private void tellOnce(Followed by, RowChange row, RuntimeException notTold) {
    if (toldOf.add(by.cache + " " + by.table)) {
      log.warn(
          "Cache {} cannot tell which keys a change of {} touches ({}); it drops all of them each"
              + " time. Give the table a REPLICA IDENTITY that has the columns, or ask for columns"
              + " that every change tells",
          by.cache,
          row.table(),
          notTold.getMessage());
    }
  }

  private void forgetAllMadeOf(TableName table) {
    Set<String> caches = new LinkedHashSet<>();
    for (Followed each : followed) {
      if (table.isCalled(each.table)) {
        caches.add(each.cache);
      }
    }
    caches.forEach(this::forget);
  }

  private Set<String> caches() {
    Set<String> caches = new LinkedHashSet<>();
    followed.forEach(each -> caches.add(each.cache));
    return caches;
  }

  private void forget(String cache) {
    if (!redis.forget(cache)) {
      throw notTaken();
    }
  }

  static WaymarkException notTaken() {
    return new WaymarkException(
        "Redis cannot be used, so changes from the stream were not taken over. They are kept by"
            + " the shard's slot and will be given again.",
        Outcome.REJECTED,
        null);
  }

  /** Redis' own time would do; nobody asks for the age of hits yet. */
  @Override
  public long time() {
    throw new UnsupportedOperationException("This consumer keeps no watermark");
  }
}
