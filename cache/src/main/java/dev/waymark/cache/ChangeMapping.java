package dev.waymark.cache;

import dev.waymark.RowChange;
import dev.waymark.RowImage;
import dev.waymark.TableName;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which keys of one cache a change in the database is about. Safe to share if the functions are.
 */
final class ChangeMapping {
  private static final Logger log = LoggerFactory.getLogger(CacheChanges.class);

  /** What a change of a row is about. */
  sealed interface About {
    /** These keys; none if the table is no concern of the cache. */
    record Keys(Set<CacheKey> keys) implements About {}

    /** Any key: the row's images do not tell. */
    record AnyKey() implements About {}
  }

  /** Whether the cache keeps only what is proven to show every writer that was announced. */
  enum Proof {
    FENCED,
    UNFENCED
  }

  private final String cache;
  private final Proof proof;
  private final @Nullable Sweeper sweeper;

  /**
   * By the table's name as the application writes it: the keys, or the tags as keys of their own.
   */
  private final Map<String, Function<RowImage, List<CacheKey>>> tables;

  private final AtomicBoolean toldOfUnreadable = new AtomicBoolean();

  ChangeMapping(
      String cache,
      Proof proof,
      @Nullable Sweeper sweeper,
      Map<String, Function<RowImage, List<CacheKey>>> tables) {
    this.cache = cache;
    this.proof = proof;
    this.sweeper = sweeper;
    this.tables = new LinkedHashMap<>(tables);
  }

  /** Which cache, and the tables it depends on: another process may have another idea of them. */
  String description() {
    return cache
        + tables.keySet().stream()
            .map(table -> "/" + URLEncoder.encode(table, StandardCharsets.UTF_8))
            .sorted()
            .collect(Collectors.joining());
  }

  Proof proof() {
    return proof;
  }

  /** Who proves the transactions over that the stream has put in doubt: nobody else may. */
  void isInDoubt(String shard, CacheKey key) {
    if (sweeper != null) {
      sweeper.mayBeDue(shard, key);
    }
  }

  /** Whether a change of a table may change values of this cache. */
  boolean isAbout(TableName table) {
    return tables.keySet().stream().anyMatch(table::isCalled);
  }

  /** Whether all tables that this cache depends on are among these. */
  boolean isCoveredBy(Collection<TableName> followed) {
    return tables.keySet().stream()
        .allMatch(written -> followed.stream().anyMatch(table -> table.isCalled(written)));
  }

  /** What a row had and has: a row that moves from one key to another changes both. */
  About about(RowChange change) {
    Set<CacheKey> found = new LinkedHashSet<>();
    for (var each : tables.entrySet()) {
      if (change.table().isCalled(each.getKey())) {
        try {
          collect(change.before(), each.getValue(), found);
          collect(change.after(), each.getValue(), found);
        } catch (RuntimeException unreadable) {
          if (toldOfUnreadable.compareAndSet(false, true)) {
            log.warn(
                "Cache {} cannot tell which of its keys a change of {} is about, and drops all of"
                    + " them for each such change ({}). If a column is missing from the old row,"
                    + " give the table REPLICA IDENTITY FULL",
                cache,
                change.table(),
                unreadable.toString());
          }
          return new About.AnyKey();
        }
      }
    }
    return new About.Keys(found);
  }

  private static void collect(
      @Nullable RowImage image, Function<RowImage, List<CacheKey>> keysOf, Set<CacheKey> found) {
    if (image != null) {
      found.addAll(keysOf.apply(image));
    }
  }
}
