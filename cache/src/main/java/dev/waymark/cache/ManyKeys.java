package dev.waymark.cache;

import dev.waymark.SessionToken;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * The way of one read of many keys that L1 could not answer: one flight for each, one round trip to
 * Redis for all, loads for each shard. Belongs to the thread that reads.
 */
final class ManyKeys<K, V> {
  private final ReadPath<K, V> path;
  private final Settings<K, V> settings;
  private final RedisTier redis;
  private final DatabaseReads<K, V> database;
  private final SessionToken session;

  private final String leaseToken = UUID.randomUUID().toString();
  private final Map<K, CacheAnswer<V>> answers = new LinkedHashMap<>();
  private final List<Wanted<K, V>> led = new ArrayList<>();

  /** Where the keys of one round trip go from there. */
  private final List<Wanted<K, V>> toLoad = new ArrayList<>();

  private final List<Wanted<K, V>> awaited = new ArrayList<>();
  private final List<Wanted<K, V>> useless = new ArrayList<>();

  ManyKeys(
      ReadPath<K, V> path,
      Settings<K, V> settings,
      RedisTier redis,
      DatabaseReads<K, V> database,
      SessionToken session) {
    this.path = path;
    this.settings = settings;
    this.redis = redis;
    this.database = database;
    this.session = session;
  }

  /** Each key once. */
  Map<K, CacheAnswer<V>> read(List<K> missing, long arrivedAtNanos) {
    Map<K, SingleFlight.Flight<V>> others = new LinkedHashMap<>();
    try {
      for (K key : missing) {
        SingleFlight.Flight<V> flight = path.enter(key, session);
        if (flight.isLedByThisThread()) {
          led.add(new Wanted<>(key, path.address(key), flight));
        } else {
          others.put(key, flight);
        }
      }
      lead();
    } catch (RuntimeException | Error failure) {
      // Those that have landed stay landed.
      led.forEach(each -> each.flight.crash(failure));
      throw failure;
    } finally {
      led.forEach(each -> path.leave(each.key, each.flight));
    }
    // Only now: whoever leads them may be waiting for one of ours.
    others.forEach(
        (key, flight) -> answers.put(key, path.joinOrRead(key, flight, session, arrivedAtNanos)));
    return answers;
  }

  private void lead() {
    if (led.isEmpty()) {
      return;
    }
    ask(led, settings.asking());
    if (!useless.isEmpty()) {
      ask(takeAll(useless), SharedTier.Asking.REFRESH);
    }
    Patience patience = path.patience();
    while (!awaited.isEmpty() && patience.waitOnce()) {
      ask(takeAll(awaited), settings.askingAgain());
    }
    path.hasWaited(patience);
    toLoad.addAll(awaited);
    toLoad.addAll(useless);
    try {
      load();
    } catch (RuntimeException | Error failure) {
      for (Wanted<K, V> each : toLoad) {
        if (each.found instanceof SharedTier.Lookup.Leased && !answers.containsKey(each.key)) {
          redis.release(each.address, leaseToken);
        }
      }
      throw failure;
    }
  }

  private void ask(List<Wanted<K, V>> asked, SharedTier.Asking asking) {
    List<SharedTier.Lookup> found =
        redis.readAll(asked.stream().map(each -> each.address).toList(), leaseToken, asking);
    for (int i = 0; i < asked.size(); i++) {
      Wanted<K, V> each = asked.get(i);
      each.found = found.get(i);
      if (each.found instanceof SharedTier.Lookup.Hit hit) {
        sort(each, path.serve(each.key, each.address, hit, session, each.flight));
      } else if (ReadPath.isWorthWaiting(each.found)) {
        awaited.add(each);
      } else {
        toLoad.add(each);
      }
    }
  }

  private void sort(Wanted<K, V> each, ReadPath.Served<V> served) {
    if (served instanceof ReadPath.Served.Answer<V> answer) {
      answers.put(each.key, answer.answer());
    } else if (served instanceof ReadPath.Served.Unkept<V>) {
      toLoad.add(each);
    } else {
      useless.add(each);
    }
  }

  private void load() {
    BulkLoader<K, V> bulkLoader = settings.bulkLoader();
    Map<String, List<Wanted<K, V>>> byShard = new LinkedHashMap<>();
    for (Wanted<K, V> each : toLoad) {
      if (bulkLoader == null || database.onlyThePrimaryWillDo(each.found)) {
        answers.put(
            each.key,
            database.read(each.key, each.address, leaseToken, each.found, session, each.flight));
      } else {
        byShard
            .computeIfAbsent(settings.shardOf().apply(each.key), shard -> new ArrayList<>())
            .add(each);
      }
    }
    if (bulkLoader != null) {
      byShard
          .values()
          .forEach(
              group -> database.readGroup(bulkLoader, group, leaseToken, session, answers::put));
    }
  }

  private static <T> List<T> takeAll(List<T> from) {
    List<T> taken = new ArrayList<>(from);
    from.clear();
    return taken;
  }
}
