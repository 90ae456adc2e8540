package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.TransactionSnapshot;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** What the scripts do, in memory; each {@link #process} is a client of its own. */
final class FakeRedis {
  private static final int REMEMBERED = 1000;

  private final TestTime time;
  private final Map<String, Bucket> buckets = new HashMap<>();
  private int lastEpoch;
  private final Map<String, String> followers = new HashMap<>();
  private final List<Process> processes = new CopyOnWriteArrayList<>();

  /** Nothing can be reached. */
  volatile boolean down;

  /** Round trips that were tried. */
  volatile int calls;

  private static final class Bucket {
    String epoch;
    long seq;
    final TreeMap<Long, int[]> told = new TreeMap<>();
    final Map<Integer, Set<SharedTier.Writer>> doubts = new HashMap<>();
    final Map<String, LogPosition> floors = new HashMap<>();
    final Map<String, Long> horizons = new HashMap<>();
    final Map<String, LogPosition> lowest = new HashMap<>();
    final Map<String, LogPosition> timelines = new HashMap<>();
    final Map<String, Long> toldUpTo = new HashMap<>();
    final Map<String, Stored> values = new HashMap<>();
    final Map<String, String> tags = new HashMap<>();
    final Map<String, Lease> leases = new HashMap<>();
    final Map<String, Intention> intents = new HashMap<>();

    Bucket(String epoch) {
      this.epoch = epoch;
    }

    Set<SharedTier.Writer> doubt(CacheKey key) {
      return doubts.computeIfAbsent(key.cell(), same -> new LinkedHashSet<>());
    }

    void raise(String shard, int cell, LogPosition position) {
      floors.merge(
          cell + ":" + shard, position, (old, now) -> laterOnSameSystem(old, now) ? old : now);
    }
  }

  private record Stored(String epoch, String shard, String generation, byte[] value, long until) {}

  private record Lease(
      String epoch, String token, String generation, Set<SharedTier.Writer> copy, long until) {}

  private record Intention(String epoch, String token, SharedTier.Writer writer, long until) {}

  FakeRedis(TestTime time) {
    this.time = time;
  }

  Process process() {
    return new Process();
  }

  synchronized void flush() {
    buckets.clear();
    followers.clear();
  }

  synchronized void poison(CacheKey key, Function<byte[], byte[]> change) {
    Bucket bucket = bucket(key);
    Stored stored = bucket.values.get(key.text());
    bucket.values.put(
        key.text(),
        new Stored(
            bucket.epoch,
            stored == null ? "shard-1" : stored.shard,
            "-",
            change.apply(stored == null ? new byte[0] : stored.value),
            time.millis() + 60_000));
  }

  private Bucket bucket(CacheKey key) {
    return bucket(key.cache(), key.bucket());
  }

  private Bucket bucket(String cache, int number) {
    Bucket bucket = buckets.computeIfAbsent(cache + "/" + number, same -> new Bucket(fresh()));
    long now = time.millis();
    bucket.values.values().removeIf(stored -> stored.until <= now);
    bucket.leases.values().removeIf(lease -> lease.until <= now);
    bucket.intents.values().removeIf(intent -> intent.until <= now);
    return bucket;
  }

  private void begin(Bucket bucket) {
    bucket.epoch = fresh();
    bucket.horizons.clear();
    bucket.lowest.clear();
    bucket.toldUpTo.clear();
  }

  /** Whether a word is to be believed; the first one of a later timeline begins an epoch. */
  private boolean hear(Bucket bucket, String shard, @Nullable LogPosition position) {
    if (position == null) {
      return true;
    }
    LogPosition known = bucket.timelines.get(shard);
    if (known != null && known.isComparableTo(position)) {
      return true;
    }
    if (known != null
        && known.systemId() == position.systemId()
        && position.timeline() < known.timeline()) {
      return false;
    }
    bucket.timelines.put(shard, position);
    if (known != null) {
      begin(bucket);
      bucket.doubts.values().forEach(doubt -> doubt.removeIf(each -> each.shard().equals(shard)));
    }
    return true;
  }

  private String fresh() {
    return "epoch-" + ++lastEpoch;
  }

  private static boolean laterOnSameSystem(LogPosition old, LogPosition now) {
    return old.systemId() == now.systemId()
        && (old.timeline() > now.timeline()
            || (old.timeline() == now.timeline()
                && Long.compareUnsigned(old.lsn(), now.lsn()) > 0));
  }

  /** One process' client. */
  final class Process implements SharedTier {
    private @Nullable Listener listener;
    private boolean listening;

    /** This process alone cannot reach Redis. */
    volatile boolean cutOff;

    /** This process' messages get lost. */
    volatile boolean deaf;

    /** What others do while this process' announcement is on its way. */
    volatile Runnable beforeAnnouncing = () -> {};

    volatile Runnable whenOpened = () -> {};

    boolean closed;

    private void call() {
      calls++;
      if (down || cutOff || closed) {
        throw new SharedTierException("the fake is down", new IllegalStateException("down"));
      }
    }

    @Override
    public void open(Listener listener) {
      call();
      whenOpened.run();
      if (!listening) {
        listening = true;
        this.listener = listener;
        processes.add(this);
      }
    }

    private void tell(Consumer<Listener> message) {
      for (Process process : processes) {
        if (!process.deaf && process.listener != null) {
          message.accept(process.listener);
        }
      }
    }

    void loseConnection() {
      if (listener != null) {
        listener.messagesMayBeLost();
      }
    }

    @Override
    public Lookup read(CacheKey key, String leaseToken, Asking asking) {
      call();
      return look(key, leaseToken, asking);
    }

    @Override
    public List<Lookup> readAll(List<CacheKey> keys, String leaseToken, Asking asking) {
      call();
      return keys.stream().map(key -> look(key, leaseToken, asking)).toList();
    }

    @Override
    public Glimpse peek(CacheKey key) {
      call();
      synchronized (FakeRedis.this) {
        Bucket bucket = bucket(key);
        Stored stored = bucket.values.get(key.text());
        Lease lease = bucket.leases.get(key.text());
        boolean served =
            stored != null
                && stored.epoch.equals(bucket.epoch)
                && (key.tag() == null || stored.generation.equals(bucket.tags.get(key.tag())));
        return new Glimpse(
            Memory.WHOLE,
            new Place(key.bucket(), bucket.epoch, bucket.seq),
            served ? stored.value.clone() : null,
            served ? Duration.ofMillis(stored.until - time.millis()) : Duration.ZERO,
            "",
            lease == null ? Duration.ZERO : Duration.ofMillis(lease.until - time.millis()),
            bucket.doubt(key).stream()
                .map(writer -> writer.shard() + "/" + Long.toUnsignedString(writer.transactionId()))
                .toList());
      }
    }

    private Lookup look(CacheKey key, String leaseToken, Asking asking) {
      synchronized (FakeRedis.this) {
        Bucket bucket = bucket(key);
        String generation =
            key.tag() == null ? "-" : bucket.tags.computeIfAbsent(key.tag(), same -> fresh());
        Stored stored = bucket.values.get(key.text());
        if (asking != Asking.REFRESH
            && stored != null
            && stored.epoch.equals(bucket.epoch)
            && (key.tag() == null || stored.generation.equals(generation))) {
          Long toldUpTo = asking != Asking.READ_WITH_AGE ? null : bucket.toldUpTo.get(stored.shard);
          return new Lookup.Hit(
              stored.value.clone(),
              Duration.ofMillis(stored.until - time.millis()),
              toldUpTo == null
                  ? null
                  : Duration.of(time.millis() * 1_000 - toldUpTo, ChronoUnit.MICROS));
        }
        Set<Writer> doubt = Set.copyOf(bucket.doubt(key));
        Doubt told = doubt.isEmpty() ? Doubt.NONE : Doubt.IN_DOUBT;
        Lease held = bucket.leases.get(key.text());
        if (held != null && held.epoch.equals(bucket.epoch)) {
          return new Lookup.Awaited(told);
        }
        bucket.leases.put(
            key.text(),
            new Lease(
                bucket.epoch, leaseToken, generation, doubt, time.millis() + LEASE.toMillis()));
        return new Lookup.Leased(told);
      }
    }

    @Override
    public Fill fill(
        CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {
      call();
      return store(key, leaseToken, value, timeToLive, label);
    }

    @Override
    public List<Fill> fillAll(List<Filling> fillings) {
      call();
      return fillings.stream()
          .map(
              each ->
                  store(
                      each.key(), each.leaseToken(), each.value(), each.timeToLive(), each.label()))
          .toList();
    }

    private Fill store(
        CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {
      synchronized (FakeRedis.this) {
        Bucket bucket = bucket(key);
        Lease lease = bucket.leases.get(key.text());
        if (lease == null || !lease.token.equals(leaseToken) || !lease.epoch.equals(bucket.epoch)) {
          return new Fill.Refused(Refusal.LEASE_LOST);
        }
        if (key.tag() != null && !lease.generation.equals(bucket.tags.get(key.tag()))) {
          bucket.leases.remove(key.text());
          return new Fill.Refused(Refusal.LEASE_LOST);
        }
        LogPosition position =
            label instanceof ReadLabel.Primary primary
                ? primary.position()
                : label instanceof ReadLabel.Replica replica ? replica.position() : null;
        if (!hear(bucket, label.shard(), position)) {
          bucket.leases.remove(key.text());
          return new Fill.Refused(Refusal.NOT_NEW_ENOUGH);
        }
        if (!lease.epoch.equals(bucket.epoch)) {
          return new Fill.Unrecovered(bucket.epoch);
        }
        Long horizon = bucket.horizons.get(label.shard());
        if (label instanceof ReadLabel.Primary primary) {
          Fill refused = refuses(bucket, key, lease, horizon, primary);
          if (refused != null) {
            return refused;
          }
        } else if (label instanceof ReadLabel.Replica replica) {
          Fill refused = refuses(bucket, key, lease, horizon, replica);
          if (refused != null) {
            return refused;
          }
        }
        bucket.leases.remove(key.text());
        store(bucket, key, label.shard(), value, timeToLive);
        return new Fill.Stored();
      }
    }

    @Override
    public CompletableFuture<Fill> fillLater(
        CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {
      return CompletableFuture.completedFuture(fill(key, leaseToken, value, timeToLive, label));
    }

    private @Nullable Fill refuses(
        Bucket bucket,
        CacheKey key,
        Lease lease,
        @Nullable Long horizon,
        ReadLabel.Primary primary) {
      TransactionSnapshot snapshot = primary.snapshot();
      if (snapshot != null && horizon == null) {
        return new Fill.Unrecovered(bucket.epoch);
      }
      bucket.leases.remove(key.text());
      if (snapshot == null) {
        return new Fill.Refused(Refusal.NOT_NEW_ENOUGH);
      }
      if (Long.compareUnsigned(snapshot.xmin(), Objects.requireNonNull(horizon)) < 0) {
        return new Fill.Refused(Refusal.BEFORE_HORIZON);
      }
      if (lease.copy.stream().anyMatch(writer -> isOpen(writer, primary.shard(), snapshot))) {
        return new Fill.Refused(Refusal.IN_DOUBT);
      }
      LogPosition position = primary.position();
      if (position != null) {
        bucket
            .doubt(key)
            .removeIf(
                writer ->
                    writer.shard().equals(primary.shard())
                        && !isOpen(writer, primary.shard(), snapshot));
        bucket.raise(primary.shard(), key.cell(), position);
        bucket.lowest.putIfAbsent(primary.shard(), position);
      }
      return null;
    }

    private static boolean isOpen(Writer writer, String shard, TransactionSnapshot snapshot) {
      return writer.shard().equals(shard) && !snapshot.hasFinished(writer.transactionId());
    }

    private @Nullable Fill refuses(
        Bucket bucket,
        CacheKey key,
        Lease lease,
        @Nullable Long horizon,
        ReadLabel.Replica replica) {
      LogPosition position = replica.position();
      if (position == null) {
        return new Fill.Refused(Refusal.NOT_NEW_ENOUGH);
      }
      if (lease.copy.stream().anyMatch(writer -> writer.shard().equals(replica.shard()))) {
        return new Fill.Refused(Refusal.IN_DOUBT);
      }
      if (horizon == null) {
        return new Fill.Unrecovered(bucket.epoch);
      }
      LogPosition lowest = bucket.lowest.get(replica.shard());
      LogPosition floor = bucket.floors.get(key.cell() + ":" + replica.shard());
      return lowest == null
              || !position.covers(lowest)
              || (floor != null && !position.covers(floor))
          ? new Fill.Refused(Refusal.NOT_NEW_ENOUGH)
          : null;
    }

    private void store(
        Bucket bucket, CacheKey key, String shard, byte[] value, Duration timeToLive) {
      bucket.values.put(
          key.text(),
          new Stored(
              bucket.epoch,
              shard,
              key.tag() == null ? "-" : bucket.tags.get(key.tag()),
              value.clone(),
              time.millis() + timeToLive.toMillis()));
    }

    @Override
    public void releaseLater(CacheKey key, String leaseToken) {
      release(key, leaseToken);
    }

    @Override
    public void release(CacheKey key, String leaseToken) {
      call();
      synchronized (FakeRedis.this) {
        bucket(key)
            .leases
            .computeIfPresent(
                key.text(), (same, lease) -> lease.token.equals(leaseToken) ? null : lease);
      }
    }

    @Override
    public List<Intent> announce(List<CacheKey> keys, Change change) {
      call();
      beforeAnnouncing.run();
      Map<Integer, List<CacheKey>> groups = new LinkedHashMap<>();
      keys.forEach(key -> groups.computeIfAbsent(key.bucket(), same -> new ArrayList<>()).add(key));
      Map<CacheKey, Intent> intents = new HashMap<>();
      groups.values().forEach(group -> announce(group, change, intents));
      return keys.stream().map(intents::get).toList();
    }

    private void announce(List<CacheKey> group, Change change, Map<CacheKey, Intent> intents) {
      int[] hashes = group.stream().mapToInt(CacheKey::hash).toArray();
      Place place;
      synchronized (FakeRedis.this) {
        Bucket bucket = bucket(group.get(0));
        boolean heard =
            change instanceof Change.Open open
                ? hear(bucket, open.writer().shard(), open.writer().begun())
                : !(change instanceof Change.Committed committed)
                    || hear(bucket, committed.shard(), committed.position());
        place = tell(bucket, group.get(0).bucket(), hashes);
        for (CacheKey key : group) {
          bucket.values.remove(key.text());
          bucket.tags.remove(key.text());
          bucket.leases.remove(key.text());
          bucket.intents.remove(key.text());
          String token = place.epoch() + ":" + place.seq();
          if (heard && change instanceof Change.Open open) {
            bucket.doubt(key).add(open.writer());
            bucket.intents.put(
                key.text(),
                new Intention(
                    place.epoch(), token, open.writer(), time.millis() + INTENT.toMillis()));
          } else if (heard && change instanceof Change.Committed committed) {
            bucket.raise(committed.shard(), key.cell(), committed.position());
          }
          intents.put(key, new Intent(place, token));
        }
      }
      tell(listener -> listener.invalidated(group.get(0).cache(), place, hashes));
    }

    private Place tell(Bucket bucket, int number, int @Nullable [] hashes) {
      bucket.told.put(++bucket.seq, hashes == null ? new int[0] : hashes);
      if (hashes == null) {
        bucket.told.clear();
      }
      if (bucket.told.size() > REMEMBERED) {
        bucket.told.pollFirstEntry();
      }
      return new Place(number, bucket.epoch, bucket.seq);
    }

    @Override
    public void settle(
        List<Settlement> settlements, Writer writer, @Nullable LogPosition position) {
      call();
      synchronized (FakeRedis.this) {
        for (Settlement settlement : settlements) {
          CacheKey key = settlement.key();
          Bucket bucket = bucket(key);
          if (!hear(bucket, writer.shard(), position == null ? writer.begun() : position)) {
            continue;
          }
          bucket
              .doubt(key)
              .removeIf(
                  each ->
                      each.shard().equals(writer.shard())
                          && each.transactionId() == writer.transactionId());
          if (position != null) {
            bucket.raise(writer.shard(), key.cell(), position);
          }
          Put put = settlement.put();
          Intention last = bucket.intents.get(key.text());
          if (put != null
              && last != null
              && last.token.equals(put.intent().token())
              && put.intent().place().epoch().equals(bucket.epoch)) {
            store(bucket, key, writer.shard(), put.value(), put.timeToLive());
            bucket.leases.remove(key.text());
          }
        }
      }
    }

    @Override
    public void recover(String cache, int number, String epoch, String shard, Horizon horizon) {
      call();
      synchronized (FakeRedis.this) {
        Bucket bucket = bucket(cache, number);
        if (!hear(bucket, shard, horizon.position()) || !bucket.epoch.equals(epoch)) {
          return;
        }
        if (bucket.horizons.putIfAbsent(shard, horizon.transactionId()) == null) {
          learn(bucket, shard, horizon);
        }
      }
    }

    private static void learn(Bucket bucket, String shard, Horizon horizon) {
      Long line = bucket.horizons.get(shard);
      if (line != null && Long.compareUnsigned(horizon.snapshot().xmin(), line) >= 0) {
        bucket.lowest.putIfAbsent(shard, horizon.position());
      }
    }

    @Override
    public int sweep(String cache, int number, List<Integer> cells, String shard, Horizon horizon) {
      call();
      synchronized (FakeRedis.this) {
        Bucket bucket = bucket(cache, number);
        if (!hear(bucket, shard, horizon.position())) {
          return cells.size();
        }
        learn(bucket, shard, horizon);
        int left = 0;
        for (int cell : cells) {
          Set<Writer> doubt = bucket.doubts.computeIfAbsent(cell, same -> new LinkedHashSet<>());
          if (doubt.removeIf(
              writer ->
                  writer.shard().equals(shard) && !isOpen(writer, shard, horizon.snapshot()))) {
            bucket.raise(shard, cell, horizon.position());
          }
          left += doubt.isEmpty() ? 0 : 1;
        }
        return left;
      }
    }

    @Override
    public void forget(String cache) {
      call();
      for (int number = 0; number < CacheKey.BUCKETS; number++) {
        Place place;
        synchronized (FakeRedis.this) {
          Bucket bucket = bucket(cache, number);
          begin(bucket);
          place = tell(bucket, number, null);
        }
        tell(listener -> listener.invalidated(cache, place, null));
      }
    }

    @Override
    public int changed(String cache, String shard, LogPosition position, List<Told> told) {
      call();
      Map<Integer, List<Told>> groups = new LinkedHashMap<>();
      told.forEach(
          each -> groups.computeIfAbsent(each.key().bucket(), same -> new ArrayList<>()).add(each));
      int dropped = 0;
      for (var group : groups.entrySet()) {
        List<CacheKey> keys;
        Place place;
        synchronized (FakeRedis.this) {
          Bucket bucket = bucket(cache, group.getKey());
          keys = drop(bucket, shard, position, group.getValue());
          if (keys.isEmpty()) {
            continue;
          }
          place = tell(bucket, group.getKey(), keys.stream().mapToInt(CacheKey::hash).toArray());
        }
        dropped += keys.size();
        int[] hashes = keys.stream().mapToInt(CacheKey::hash).toArray();
        tell(listener -> listener.invalidated(cache, place, hashes));
      }
      return dropped;
    }

    private List<CacheKey> drop(
        Bucket bucket, String shard, LogPosition position, List<Told> told) {
      boolean heard = hear(bucket, shard, position);
      List<CacheKey> dropped = new ArrayList<>();
      for (Told each : told) {
        CacheKey key = each.key();
        Intention last = bucket.intents.get(key.text());
        List<Writer> writers = new ArrayList<>();
        for (long id : each.transactionIds()) {
          if (last == null
              || !last.epoch.equals(bucket.epoch)
              || !last.writer.shard().equals(shard)
              || last.writer.transactionId() != id) {
            writers.add(new Writer(shard, id, null));
          }
        }
        if (!heard || !writers.isEmpty() || each.transactionIds().isEmpty()) {
          bucket.values.remove(key.text());
          bucket.leases.remove(key.text());
          bucket.intents.remove(key.text());
          bucket.tags.remove(key.text());
          dropped.add(key);
        }
        if (heard) {
          bucket.doubt(key).addAll(writers);
          bucket.raise(shard, key.cell(), position);
        }
      }
      return dropped;
    }

    @Override
    public void reached(String cache, String shard, LogPosition position, long asOf) {
      call();
      synchronized (FakeRedis.this) {
        for (int number = 0; number < CacheKey.BUCKETS; number++) {
          Bucket bucket = bucket(cache, number);
          if (hear(bucket, shard, position)) {
            bucket.toldUpTo.merge(shard, asOf, Math::max);
          }
        }
      }
    }

    @Override
    public long time() {
      call();
      return time.millis() * 1_000;
    }

    @Override
    public String follower(String shard) {
      call();
      synchronized (FakeRedis.this) {
        return followers.getOrDefault(shard, "");
      }
    }

    @Override
    public boolean follow(String shard, String before, String now) {
      call();
      synchronized (FakeRedis.this) {
        if (!followers.getOrDefault(shard, "").equals(before)) {
          return false;
        }
        followers.put(shard, now);
        return true;
      }
    }

    @Override
    public List<Beat> beat(String cache, List<Place> known) {
      call();
      List<Beat> beats = new ArrayList<>();
      synchronized (FakeRedis.this) {
        for (Place place : known) {
          Bucket bucket = bucket(cache, place.bucket());
          Place now = new Place(place.bucket(), bucket.epoch, bucket.seq);
          var missed = bucket.told.tailMap(place.seq(), false);
          boolean complete =
              place.epoch().equals(bucket.epoch) && missed.size() == bucket.seq - place.seq();
          beats.add(
              new Beat(
                  now,
                  complete
                      ? missed.values().stream().flatMapToInt(java.util.Arrays::stream).toArray()
                      : null));
        }
      }
      return beats;
    }

    @Override
    public void close() {
      closed = true;
      processes.remove(this);
    }
  }
}
