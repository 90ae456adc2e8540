package dev.waymark.cache;

import dev.waymark.Horizon;
import dev.waymark.LogPosition;
import dev.waymark.WaymarkConfig;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import org.redisson.Redisson;
import org.redisson.api.RScript;
import org.redisson.api.RTopic;
import org.redisson.api.RedissonClient;
import org.redisson.api.listener.StatusListener;
import org.redisson.client.NettyHook;
import org.redisson.client.codec.ByteArrayCodec;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.BaseConfig;
import org.redisson.config.Config;
import org.redisson.config.ConstantDelay;
import org.redisson.config.ReadMode;
import org.redisson.config.SubscriptionMode;
import org.redisson.connection.ConnectionListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shared tier on Redis. Redisson is the transport only: connections, reconnecting, scripts by
 * their hash, the channel. What happens to the data stands in the scripts beside this class.
 */
final class RedissonTier implements SharedTier {
  private static final Logger log = LoggerFactory.getLogger(RedisTier.class);

  /** Part of every key: a later layout must not read this one's data. */
  private static final String LAYOUT = "3";

  /** How many keys one script takes: Redis does nothing else meanwhile. */
  private static final int LARGEST_GROUP = 200;

  /**
   * How many scripts of a change stream are under way at once: Redisson begins to count a command's
   * time before its turn has come.
   */
  private static final int WAVE = 32;

  /** Of a cell; about a thousand. */
  private static final int LONGEST_DOUBT = 24_000;

  private final WaymarkConfig.Redis settings;
  private final @Nullable TrustManagerFactory trust;
  private final String channel;
  private final Scripts scripts;

  /** Through a script, as all the rest: so it is also known that scripts are allowed. */
  private static final String ABOUT =
      "return redis.call('INFO', 'server') .. redis.call('INFO', 'memory')"
          + " .. redis.call('INFO', 'replication')";

  /** What stands in a value's line for a key without a tag. */
  private static final byte[] UNTAGGED = {'-'};

  private final AtomicBoolean toldOfEviction = new AtomicBoolean();

  /** Makes epochs that nobody else makes: who this is, and a count. */
  private final String sender = UUID.randomUUID().toString();

  private final AtomicLong epochs = new AtomicLong();

  private final ServerWatch watch = new ServerWatch(this::identity, Time.system());

  /** Of each cache's buckets. */
  private final Map<String, Names[]> names = new ConcurrentHashMap<>();

  /** For each cache. */
  private final Map<String, Odds> odds = new ConcurrentHashMap<>();

  /** Set by {@link #open}, which only one thread calls at a time; see {@link RedisTier}. */
  private volatile @Nullable RedissonClient client;

  /** Of the client; null in a cluster. Set before it. */
  private volatile @Nullable PlainReads plain;

  private volatile @Nullable Future<?> subscription;
  private volatile boolean closed;

  RedissonTier(WaymarkConfig.Redis settings, Scripts scripts) {
    this.settings = settings;
    this.scripts = scripts;
    // Read now: a file that is missing or empty is a mistake to be told at once, not an outage.
    this.trust = settings.trustStore().map(RedissonTier::trustIn).orElse(null);
    this.channel = settings.namespace() + ":invalidations:" + LAYOUT;
  }

  @Override
  public void open(Listener listener) {
    RedissonClient open = client;
    if (open == null) {
      try {
        open = Redisson.create(config(listener));
      } catch (RuntimeException failure) {
        throw failed(failure);
      }
      plain =
          settings.isCluster()
              ? null
              : new PlainReads((Redisson) open, settings.timeout(), Time.system());
      client = open;
      if (closed) {
        close();
      }
    }
    RedisServerInfo server =
        RedisServerInfo.parse(
            await(
                open.getScript(StringCodec.INSTANCE)
                    .<String>evalAsync(RScript.Mode.READ_WRITE, ABOUT, RScript.ReturnType.VALUE)));
    if (server.isReplica()) {
      // Behind a name or a proxy that leads to the new master by now, only new connections end
      // there.
      disconnect();
    }
    lookAt(server);
    Future<?> subscribed = subscription;
    if (subscribed == null || (subscribed.isDone() && failedFuture(subscribed))) {
      subscribed = subscribe(open, listener);
      subscription = subscribed;
    }
    await(subscribed);
    if (!settings.isCluster()) {
      // Asks, so that the first reads need no script.
      var unused = watch.known();
    }
  }

  private void lookAt(RedisServerInfo server) {
    try {
      server.refuseIfUnfit();
    } catch (IllegalStateException unfit) {
      throw new SharedTierException(Objects.requireNonNull(unfit.getMessage()), unfit);
    }
    if (server.mayEvictState() && toldOfEviction.compareAndSet(false, true)) {
      log.warn(
          "Redis at {} evicts by {}: it may drop what the caches know of writers. That is noticed and"
              + " nothing old is served, but values are lost with it each time. Set"
              + " maxmemory-policy to noeviction or one of volatile-*",
          settings.url(),
          server.evictionPolicy());
    }
  }

  private Future<?> subscribe(RedissonClient open, Listener listener) {
    RTopic topic = open.getTopic(channel, StringCodec.INSTANCE);
    return topic
        .addListenerAsync(String.class, (name, message) -> hear(message, listener))
        .toCompletableFuture()
        .thenCompose(
            id ->
                topic
                    .addListenerAsync(
                        new StatusListener() {
                          @Override
                          public void onSubscribe(String name) {
                            // Also after a reconnection, and only then have we missed anything.
                            listener.messagesMayBeLost();
                          }

                          @Override
                          public void onUnsubscribe(String name) {
                            listener.messagesMayBeLost();
                          }
                        })
                    .toCompletableFuture());
  }

  /** {@code cache bucket epoch seq hash,hash} or an asterisk for all hashes. */
  private static void hear(String message, Listener listener) {
    String[] parts = message.split(" ", -1);
    try {
      if (parts.length == 5) {
        listener.invalidated(
            parts[0],
            new Place(Integer.parseInt(parts[1]), parts[2], Long.parseLong(parts[3])),
            hashes(parts[4]));
        return;
      }
    } catch (NumberFormatException unreadable) {
      // As below.
    }
    // Not of our making, or of a version to come: what it speaks of is anybody's guess.
    listener.messagesMayBeLost();
  }

  private static int @Nullable [] hashes(String text) {
    if (text.equals("*")) {
      return null;
    }
    if (text.isEmpty()) {
      return new int[0];
    }
    String[] each = text.split(",", -1);
    int[] hashes = new int[each.length];
    for (int i = 0; i < each.length; i++) {
      if (each[i].equals("*")) {
        return null;
      }
      hashes[i] = Integer.parseInt(each[i]);
    }
    return hashes;
  }

  /**
   * First by a plain command, which costs Redis a small part of a script; where that finds nothing,
   * or cannot be certain of what it found, by the script. In a cluster by the script at once: there
   * {@link ServerWatch} could not tell which of the servers has answered.
   */
  @Override
  public Lookup read(CacheKey key, String leaseToken, Asking asking) {
    Names names = names(key);
    Odds likely = odds.computeIfAbsent(key.cache(), cache -> new Odds());
    if (asking == Asking.READ && !settings.isCluster() && likely.favourAHit()) {
      Lookup.Hit hit = glance(names, key);
      if (hit != null) {
        likely.hit();
        return hit;
      }
    }
    Lookup found =
        lookup(
            await(
                this.<List<?>>call(
                    scripts.read,
                    RScript.ReturnType.LIST,
                    names.ofRead(key),
                    leaseToken,
                    LEASE.toMillis(),
                    asked(asking),
                    key.cell(),
                    freshEpoch())));
    if (found instanceof Lookup.Hit) {
      likely.hit();
    } else if (asking == Asking.READ || asking == Asking.READ_WITH_AGE) {
      // One that waits for another's value has missed once, however often it looks.
      likely.missed();
    }
    return found;
  }

  /**
   * A value, if it is certain that the script would return it: of the epoch that the bucket has at
   * this moment, under the server that answers. Both are of one moment, because one command fetches
   * the value and the epoch.
   */
  private Lookup.@Nullable Hit glance(Names names, CacheKey key) {
    ServerWatch.Server server = watch.known();
    if (server == null) {
      return null;
    }
    String tag = key.tag();
    byte[] epochAt = names.epoch();
    byte[] valueAt = bytes(names.value(key));
    List<Object> found =
        tag == null
            ? plainly(epochAt, valueAt)
            : plainly(epochAt, valueAt, bytes(names.value(tag)));
    byte[] epoch = (byte[]) found.get(0);
    byte[] value = (byte[]) found.get(1);
    byte[] generation = tag == null ? UNTAGGED : (byte[]) found.get(2);
    if (epoch == null || value == null || generation == null || !watch.stillHolds(server)) {
      return null;
    }
    StoredValue stored = StoredValue.read(value);
    if (stored == null || !stored.isOf(epoch, server.id()) || !stored.carries(generation)) {
      return null;
    }
    long remaining = stored.endsAtMillis() - server.latestMillis(System.nanoTime());
    return remaining <= 0
        ? null
        : new Lookup.Hit(stored.payload(), Duration.ofMillis(remaining), null);
  }

  private List<Object> plainly(Object... keys) {
    PlainReads reads = plain;
    if (reads == null) {
      throw notConnected();
    }
    try {
      return await(reads.send(keys)::get);
    } finally {
      reads.over();
    }
  }

  private CompletionStage<ServerWatch.Answer> identity() {
    return this.<List<?>>call(scripts.identity, RScript.ReturnType.LIST, List.of())
        .thenApply(
            answer ->
                new ServerWatch.Answer(word(answer.get(0)), ((Number) answer.get(1)).longValue()));
  }

  private static String asked(Asking asking) {
    return switch (asking) {
      case READ, READ_AGAIN -> "read";
      case READ_WITH_AGE -> "aged";
      case REFRESH -> "refresh";
    };
  }

  private static Lookup lookup(List<?> answer) {
    return switch (integer(answer.get(0))) {
      case 1 ->
          new Lookup.Hit(
              StoredValue.payloadOf((byte[]) answer.get(1)),
              Duration.ofMillis(((Number) answer.get(2)).longValue()),
              age(((Number) answer.get(3)).longValue()));
      case 2 -> new Lookup.Leased(Doubt.NONE);
      case 3 -> new Lookup.Awaited(Doubt.NONE);
      case 4 -> new Lookup.Leased(Doubt.IN_DOUBT);
      default -> new Lookup.Awaited(Doubt.IN_DOUBT);
    };
  }

  @Override
  public List<Lookup> readAll(List<CacheKey> keys, String leaseToken, Asking asking) {
    List<List<CacheKey>> groups = byBucket(keys);
    List<CompletableFuture<List<?>>> answers = new ArrayList<>();
    for (List<CacheKey> group : groups) {
      Names names = names(group.get(0));
      boolean tagged = group.get(0).tag() != null;
      List<Object> parts = new ArrayList<>(List.of(names.state(), names.stream()));
      List<Object> arguments =
          new ArrayList<>(
              List.of(
                  leaseToken,
                  LEASE.toMillis(),
                  asked(asking),
                  freshEpoch(),
                  tagged ? "tags" : "plain"));
      for (CacheKey key : group) {
        parts.add(names.value(key));
        parts.add(names.lease(key));
        String tag = key.tag();
        if (tag != null) {
          parts.add(names.value(tag));
        }
        arguments.add(key.cell());
      }
      answers.add(call(scripts.readMany, RScript.ReturnType.LIST, parts, arguments.toArray()));
    }
    Map<CacheKey, Lookup> found = new HashMap<>();
    long deadline = deadline();
    for (int i = 0; i < groups.size(); i++) {
      List<?> answer = await(answers.get(i), deadline);
      for (int each = 0; each < groups.get(i).size(); each++) {
        found.put(groups.get(i).get(each), lookup((List<?>) answer.get(each)));
      }
    }
    return keys.stream().map(found::get).map(Objects::requireNonNull).toList();
  }

  @Override
  public Glimpse peek(CacheKey key) {
    Names names = names(key);
    List<Object> parts =
        new ArrayList<>(List.of(names.value(key), names.lease(key), names.state()));
    String tag = key.tag();
    if (tag != null) {
      parts.add(names.value(tag));
    }
    List<?> answer =
        await(this.<List<?>>call(scripts.peek, RScript.ReturnType.LIST, parts, key.cell()));
    String epoch = word(answer.get(1));
    String seq = word(answer.get(2));
    StoredValue stored = StoredValue.read((byte[]) answer.get(3));
    boolean served =
        stored != null
            && stored.epoch().equals(epoch)
            && (tag == null || stored.carries((byte[]) answer.get(8)));
    String lease = word(answer.get(5));
    String doubt = word(answer.get(7));
    return new Glimpse(
        integer(answer.get(0)) == 1 && !epoch.isEmpty() ? Memory.WHOLE : Memory.LOST,
        new Place(key.bucket(), epoch, seq.isEmpty() ? 0 : Long.parseLong(seq)),
        served ? Objects.requireNonNull(stored).payload() : null,
        served ? millis(answer.get(4)) : Duration.ZERO,
        served ? Objects.requireNonNull(stored).label() : "",
        lease.startsWith(epoch + " ") ? millis(answer.get(6)) : Duration.ZERO,
        doubt.isEmpty() ? List.of() : List.of(doubt.split(" ", -1)));
  }

  private static Duration millis(Object number) {
    return Duration.ofMillis(Math.max(0, ((Number) number).longValue()));
  }

  /** Negative too if the clock has been put back: it tells nothing then. */
  private static @Nullable Duration age(long microseconds) {
    return microseconds < 0 ? null : Duration.of(microseconds, ChronoUnit.MICROS);
  }

  @Override
  public Fill fill(
      CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {
    return fill(await(send(new Filling(key, leaseToken, value, timeToLive, label))));
  }

  @Override
  public CompletableFuture<Fill> fillLater(
      CacheKey key, String leaseToken, byte[] value, Duration timeToLive, ReadLabel label) {
    CompletableFuture<Fill> later = new CompletableFuture<>();
    CompletableFuture<List<?>> sent = send(new Filling(key, leaseToken, value, timeToLive, label));
    var unused =
        sent.whenComplete(
            (answer, failure) -> {
              if (failure == null) {
                later.complete(fill(answer));
              } else {
                later.completeExceptionally(failed(failure));
              }
            });
    return later;
  }

  @Override
  public List<Fill> fillAll(List<Filling> fillings) {
    List<CompletableFuture<List<?>>> answers = fillings.stream().map(this::send).toList();
    long deadline = deadline();
    return answers.stream().map(answer -> fill(await(answer, deadline))).toList();
  }

  private CompletableFuture<List<?>> send(Filling filling) {
    CacheKey key = filling.key();
    Names names = names(key);
    ReadLabel label = filling.label();
    List<Object> arguments = new ArrayList<>(9);
    arguments.add(filling.leaseToken());
    arguments.add(filling.value());
    arguments.add(filling.timeToLive().toMillis());
    arguments.add(key.cell());
    arguments.add(freshEpoch());
    if (label instanceof ReadLabel.Primary primary) {
      arguments.add("primary");
      arguments.add(shard(primary.shard()));
      arguments.add(primary.snapshot() == null ? "" : primary.snapshot());
      arguments.add(text(primary.position()));
    } else if (label instanceof ReadLabel.Replica replica) {
      arguments.add("replica");
      arguments.add(shard(replica.shard()));
      arguments.add("");
      arguments.add(text(replica.position()));
    } else {
      arguments.add("unfenced");
      arguments.add(shard(label.shard()));
      arguments.add("");
      arguments.add("");
    }
    return call(scripts.fill, RScript.ReturnType.LIST, names.ofRead(key), arguments.toArray());
  }

  private static Fill fill(List<?> answer) {
    return switch (integer(answer.get(0))) {
      case 1 -> new Fill.Stored();
      case 2 -> new Fill.Refused(Refusal.LEASE_LOST);
      case 3 -> new Fill.Refused(Refusal.IN_DOUBT);
      case 5 -> new Fill.Unrecovered(word(answer.get(1)));
      case 6 -> new Fill.Refused(Refusal.BEFORE_HORIZON);
      default -> new Fill.Refused(Refusal.NOT_NEW_ENOUGH);
    };
  }

  @Override
  public void release(CacheKey key, String leaseToken) {
    await(
        call(scripts.release, RScript.ReturnType.LONG, List.of(names(key).lease(key)), leaseToken));
  }

  @Override
  public void releaseLater(CacheKey key, String leaseToken) {
    // Lost, it costs others a wait.
    var unused =
        call(scripts.release, RScript.ReturnType.LONG, List.of(names(key).lease(key)), leaseToken);
  }

  @Override
  public List<Intent> announce(List<CacheKey> keys, Change change) {
    String writer = "";
    String shard = "";
    String position = "";
    String begun = "";
    if (change instanceof Change.Open open) {
      writer = text(open.writer());
      begun = text(open.writer().begun());
      shard = shard(open.writer().shard());
    } else if (change instanceof Change.Committed committed) {
      shard = shard(committed.shard());
      position = text(committed.position());
    }
    Map<CacheKey, Intent> intents = new HashMap<>();
    List<List<CacheKey>> groups = byBucket(keys);
    List<CompletableFuture<List<?>>> answers = new ArrayList<>();
    for (List<CacheKey> group : groups) {
      Names names = names(group.get(0));
      List<Object> parts = new ArrayList<>(List.of(names.state(), names.stream()));
      List<Object> arguments =
          new ArrayList<>(
              List.of(
                  freshEpoch(),
                  channel,
                  group.get(0).cache() + " " + group.get(0).bucket(),
                  writer,
                  INTENT.toMillis(),
                  shard,
                  position,
                  begun));
      for (CacheKey key : group) {
        parts.addAll(List.of(names.value(key), names.lease(key), names.intent(key)));
        arguments.add(key.cell());
        arguments.add(key.hash());
      }
      answers.add(
          this.<List<?>>call(
              scripts.announce, RScript.ReturnType.LIST, parts, arguments.toArray()));
    }
    long deadline = deadline();
    for (int i = 0; i < groups.size(); i++) {
      List<?> answer = await(answers.get(i), deadline);
      Place place =
          new Place(
              groups.get(i).get(0).bucket(),
              word(answer.get(0)),
              Long.parseLong(word(answer.get(1))));
      for (CacheKey key : groups.get(i)) {
        intents.put(key, new Intent(place, word(answer.get(2))));
      }
    }
    return keys.stream().map(intents::get).map(Objects::requireNonNull).toList();
  }

  @Override
  public void settle(List<Settlement> settlements, Writer writer, @Nullable LogPosition position) {
    Map<CacheKey, Settlement> each = new HashMap<>();
    settlements.forEach(settlement -> each.put(settlement.key(), settlement));
    for (List<CacheKey> group : byBucket(settlements.stream().map(Settlement::key).toList())) {
      Names names = names(group.get(0));
      List<Object> parts = new ArrayList<>(List.of(names.state(), names.stream()));
      String epoch = "";
      for (CacheKey key : group) {
        Put put = Objects.requireNonNull(each.get(key)).put();
        epoch = put == null ? epoch : put.intent().place().epoch();
      }
      List<Object> arguments =
          new ArrayList<>(
              List.of(
                  freshEpoch(),
                  text(writer),
                  shard(writer.shard()),
                  text(position),
                  text(writer.begun()),
                  epoch));
      for (CacheKey key : group) {
        parts.addAll(List.of(names.value(key), names.lease(key), names.intent(key)));
        Put put = Objects.requireNonNull(each.get(key)).put();
        arguments.add(key.cell());
        arguments.add(put == null ? "" : put.intent().token());
        arguments.add(put == null ? "" : put.value());
        arguments.add(put == null ? "" : put.timeToLive().toMillis());
      }
      // Not waited for: lost, it costs the next reader the proof.
      var unused = call(scripts.settle, RScript.ReturnType.LONG, parts, arguments.toArray());
    }
  }

  @Override
  public void recover(String cache, int bucket, String epoch, String shard, Horizon horizon) {
    Names names = names(cache, bucket);
    await(
        call(
            scripts.barrier,
            RScript.ReturnType.LONG,
            List.of(names.state(), names.stream()),
            freshEpoch(),
            epoch,
            shard(shard),
            Long.toUnsignedString(horizon.transactionId()),
            horizon.snapshot(),
            text(horizon.position())));
  }

  @Override
  public int sweep(String cache, int bucket, List<Integer> cells, String shard, Horizon horizon) {
    List<Object> arguments =
        new ArrayList<>(
            List.of(freshEpoch(), shard(shard), horizon.snapshot(), text(horizon.position())));
    Names names = names(cache, bucket);
    arguments.addAll(cells);
    Long left =
        await(
            this.<Long>call(
                scripts.sweep,
                RScript.ReturnType.LONG,
                List.of(names.state(), names.stream()),
                arguments.toArray()));
    return left.intValue();
  }

  @Override
  public void forget(String cache) {
    List<CompletableFuture<Object>> answers = new ArrayList<>();
    for (int bucket = 0; bucket < CacheKey.BUCKETS; bucket++) {
      Names names = names(cache, bucket);
      answers.add(
          call(
              scripts.forget,
              RScript.ReturnType.VALUE,
              List.of(names.state(), names.stream()),
              freshEpoch(),
              channel,
              cache + " " + bucket));
    }
    long deadline = deadline();
    answers.forEach(answer -> await(answer, deadline));
  }

  @Override
  public int changed(String cache, String shard, LogPosition position, List<Told> told) {
    Map<CacheKey, Told> each = new HashMap<>();
    told.forEach(one -> each.put(one.key(), one));
    List<CompletableFuture<Long>> wave = new ArrayList<>();
    int dropped = 0;
    for (List<CacheKey> group : byBucket(told.stream().map(Told::key).toList())) {
      Names names = names(group.get(0));
      List<Object> parts = new ArrayList<>(List.of(names.state(), names.stream()));
      List<Object> arguments =
          new ArrayList<>(
              List.of(
                  freshEpoch(),
                  channel,
                  cache + " " + group.get(0).bucket(),
                  shard(shard),
                  text(position),
                  LONGEST_DOUBT));
      for (CacheKey key : group) {
        parts.addAll(List.of(names.value(key), names.lease(key), names.intent(key)));
        arguments.add(key.cell());
        arguments.add(key.hash());
        arguments.add(
            Objects.requireNonNull(each.get(key)).transactionIds().stream()
                .map(Long::toUnsignedString)
                .collect(Collectors.joining(" ")));
      }
      wave.add(call(scripts.changed, RScript.ReturnType.LONG, parts, arguments.toArray()));
      if (wave.size() == WAVE) {
        dropped += sum(wave);
        wave.clear();
      }
    }
    return dropped + sum(wave);
  }

  private int sum(List<CompletableFuture<Long>> wave) {
    long deadline = deadline();
    int sum = 0;
    for (CompletableFuture<Long> answer : wave) {
      sum += await(answer, deadline).intValue();
    }
    return sum;
  }

  @Override
  public void reached(String cache, String shard, LogPosition position, long asOf) {
    List<CompletableFuture<Long>> wave = new ArrayList<>();
    for (int bucket = 0; bucket < CacheKey.BUCKETS; bucket++) {
      Names names = names(cache, bucket);
      wave.add(
          call(
              scripts.reached,
              RScript.ReturnType.LONG,
              List.of(names.state(), names.stream()),
              freshEpoch(),
              shard(shard),
              text(position),
              asOf));
    }
    sum(wave);
  }

  @Override
  public long time() {
    return await(
        this.<Long>call(
            "local time = redis.call('TIME') return time[1] * 1000000 + time[2]",
            RScript.ReturnType.LONG,
            List.of()));
  }

  @Override
  public String follower(String shard) {
    byte[] note =
        await(
            this.<byte[]>call(
                "return redis.call('GET', KEYS[1]) or ''",
                RScript.ReturnType.VALUE,
                List.of(note(shard))));
    return word(note);
  }

  @Override
  public boolean follow(String shard, String before, String now) {
    return await(
            this.<Long>call(
                scripts.follow, RScript.ReturnType.LONG, List.of(note(shard)), before, now))
        == 1;
  }

  private String note(String shard) {
    return "{" + settings.namespace() + ":changes:" + shard(shard) + "}" + LAYOUT;
  }

  @Override
  public List<Beat> beat(String cache, List<Place> known) {
    List<CompletableFuture<List<?>>> answers = new ArrayList<>();
    for (Place place : known) {
      Names names = names(cache, place.bucket());
      answers.add(
          call(
              scripts.beat,
              RScript.ReturnType.LIST,
              List.of(names.state(), names.stream()),
              freshEpoch(),
              place.epoch(),
              place.seq()));
    }
    long deadline = deadline();
    List<Beat> beats = new ArrayList<>();
    for (int i = 0; i < known.size(); i++) {
      List<?> answer = await(answers.get(i), deadline);
      beats.add(
          new Beat(
              new Place(
                  known.get(i).bucket(), word(answer.get(0)), Long.parseLong(word(answer.get(1)))),
              hashes(word(answer.get(2)))));
    }
    return beats;
  }

  /** The keys of each bucket, no more at once than a script should do. */
  private static List<List<CacheKey>> byBucket(List<CacheKey> keys) {
    Map<Integer, List<CacheKey>> buckets = new LinkedHashMap<>();
    for (CacheKey key : keys) {
      buckets.computeIfAbsent(key.bucket(), unused -> new ArrayList<>()).add(key);
    }
    List<List<CacheKey>> groups = new ArrayList<>();
    for (List<CacheKey> bucket : buckets.values()) {
      for (int from = 0; from < bucket.size(); from += LARGEST_GROUP) {
        groups.add(bucket.subList(from, Math.min(bucket.size(), from + LARGEST_GROUP)));
      }
    }
    return groups;
  }

  @Override
  public void close() {
    closed = true;
    disconnect();
  }

  private void disconnect() {
    PlainReads reads = plain;
    plain = null;
    if (reads != null) {
      reads.end();
    }
    RedissonClient open = client;
    client = null;
    subscription = null;
    if (open != null) {
      open.shutdown(0, 2, TimeUnit.SECONDS);
    }
  }

  private long deadline() {
    return System.nanoTime() + settings.timeout().toNanos();
  }

  private <T> T await(Future<T> answer) {
    return await(answer, deadline());
  }

  /**
   * Waits to the deadline, whatever Redisson's own retries and timers do. An interrupt does not
   * shorten it: the command is on its way, and a writer that gave up here would owe Redis for
   * nothing.
   */
  private <T> T await(Future<T> answer, long deadline) {
    return await(() -> answer.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS));
  }

  /** Waits for an answer; may be called again where that was interrupted. */
  private interface Wait<T> {
    T once() throws InterruptedException, ExecutionException, TimeoutException;
  }

  private <T> T await(Wait<T> answer) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return answer.once();
        } catch (InterruptedException early) {
          interrupted = true;
        }
      }
    } catch (TimeoutException late) {
      throw late(late);
    } catch (ExecutionException failure) {
      throw failure.getCause() instanceof TimeoutException late ? late(late) : failed(failure);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private SharedTierException late(TimeoutException late) {
    return new SharedTierException(
        "no answer within " + settings.timeout().toMillis() + " ms", late);
  }

  private SharedTierException failed(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null
        && (root instanceof ExecutionException
            || root instanceof CompletionException
            || root.getCause() != root)) {
      root = root.getCause();
    }
    String message = root.getClass().getSimpleName() + ": " + root.getMessage();
    String password = settings.credentials().map(c -> c.password()).orElse("");
    // Redisson masks it in what it logs itself; this line must not depend on that.
    return new SharedTierException(
        password.isEmpty() ? message : message.replace(password, "(hidden)"), failure);
  }

  private static boolean failedFuture(Future<?> done) {
    try {
      done.get(0, TimeUnit.NANOSECONDS);
      return false;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return true;
    } catch (ExecutionException | TimeoutException | RuntimeException failure) {
      return true;
    }
  }

  private RedissonClient client() {
    RedissonClient open = client;
    if (open == null) {
      throw notConnected();
    }
    return open;
  }

  private static SharedTierException notConnected() {
    return new SharedTierException("not connected", new IllegalStateException("not connected"));
  }

  private String freshEpoch() {
    return sender + "-" + epochs.incrementAndGet();
  }

  private Names names(CacheKey key) {
    return names(key.cache(), key.bucket());
  }

  /**
   * Made once: to put them together each time would cost a hit more than to look into the value.
   */
  private Names names(String cache, int bucket) {
    return names
        .computeIfAbsent(
            cache,
            name ->
                IntStream.range(0, CacheKey.BUCKETS)
                    .mapToObj(each -> new Names(name, each))
                    .toArray(Names[]::new))[bucket];
  }

  private static int integer(Object answer) {
    return ((Number) answer).intValue();
  }

  /** A key as it is sent: Redisson would take a buffer from a pool and encode it there. */
  private static byte[] bytes(String key) {
    return key.getBytes(StandardCharsets.UTF_8);
  }

  private static String word(Object answer) {
    return new String((byte[]) answer, StandardCharsets.UTF_8);
  }

  /** Without blanks and slashes, which have a meaning of their own in the scripts. */
  private static String shard(String name) {
    return URLEncoder.encode(name, StandardCharsets.UTF_8);
  }

  private static String text(Writer writer) {
    return shard(writer.shard()) + "/" + Long.toUnsignedString(writer.transactionId());
  }

  private static String text(@Nullable LogPosition position) {
    return position == null
        ? ""
        : Long.toUnsignedString(position.systemId())
            + " "
            + position.timeline()
            + " "
            + Long.toUnsignedString(position.lsn());
  }

  private <R> CompletableFuture<R> call(
      String script, RScript.ReturnType type, List<Object> keys, Object... arguments) {
    Object[] encoded = new Object[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      encoded[i] =
          arguments[i] instanceof byte[] bytes
              ? bytes
              : arguments[i].toString().getBytes(StandardCharsets.UTF_8);
    }
    try {
      return client()
          .getScript(ByteArrayCodec.INSTANCE)
          .<R>evalAsync(RScript.Mode.READ_WRITE, script, type, keys, encoded)
          .toCompletableFuture();
    } catch (RuntimeException refused) {
      // A client that is being closed says so at once. To the caller it is one more failure.
      return CompletableFuture.failedFuture(refused);
    }
  }

  private Config config(Listener listener) {
    int timeout = Math.toIntExact(Math.min(Integer.MAX_VALUE, settings.timeout().toMillis()));
    Config config = new Config();
    config.setCodec(ByteArrayCodec.INSTANCE);
    config.setUseScriptCache(true);
    config.setThreads(2);
    config.setNettyThreads(2);
    config.setNettyHook(
        new NettyHook() {
          @Override
          public void afterBoostrapInitialization(Bootstrap bootstrap) {}

          @Override
          public void afterChannelInitialization(Channel channel) {
            // First of all: before Redisson itself knows of the connection, and could use it.
            channel
                .pipeline()
                .addFirst(
                    new ChannelInboundHandlerAdapter() {
                      @Override
                      public void channelActive(ChannelHandlerContext context) throws Exception {
                        watch.connected();
                        super.channelActive(context);
                      }
                    });
          }
        });
    config.setConnectionListener(
        new ConnectionListener() {
          @Override
          @Deprecated
          public void onConnect(java.net.InetSocketAddress address) {}

          @Override
          @Deprecated
          public void onDisconnect(java.net.InetSocketAddress address) {
            listener.messagesMayBeLost();
          }
        });
    settings
        .credentials()
        .ifPresent(
            credentials -> {
              if (!credentials.user().isEmpty()) {
                config.setUsername(credentials.user());
              }
              config.setPassword(credentials.password());
            });
    if (trust != null) {
      config.setSslTrustManagerFactory(trust);
    }
    if (settings.isCluster()) {
      patiently(config.useClusterServers(), timeout)
          .addNodeAddress(addresses().toArray(String[]::new))
          // What a replica of Redis has not heard of yet must not be read.
          .setReadMode(ReadMode.MASTER)
          .setSubscriptionMode(SubscriptionMode.MASTER)
          .setScanInterval(1_000)
          .setMasterConnectionMinimumIdleSize(1)
          .setMasterConnectionPoolSize(16)
          .setSubscriptionConnectionMinimumIdleSize(1)
          .setSubscriptionConnectionPoolSize(2);
    } else {
      patiently(config.useSingleServer(), timeout)
          .setAddress(addresses().get(0))
          .setConnectionMinimumIdleSize(1)
          .setConnectionPoolSize(16)
          .setSubscriptionConnectionMinimumIdleSize(1)
          .setSubscriptionConnectionPoolSize(2);
    }
    return config;
  }

  private static <T extends BaseConfig<T>> T patiently(T servers, int timeout) {
    return servers
        // A read that is late goes to the database; trying again would only make it later still.
        .setRetryAttempts(0)
        .setTimeout(timeout)
        .setConnectTimeout(Math.max(1_000, timeout))
        .setSubscriptionTimeout(Math.max(1_000, timeout))
        .setReconnectionDelay(new ConstantDelay(Duration.ofMillis(200)))
        // Finds a connection whose other end has silently gone, the channel's above all.
        .setPingConnectionInterval(1_000);
  }

  /** Redisson wants the ports written out. */
  private List<String> addresses() {
    String scheme = settings.url().startsWith("rediss") ? "rediss" : "redis";
    return settings.hosts().stream()
        .map(host -> URI.create(scheme + "://" + host))
        .map(
            uri ->
                scheme + "://" + uri.getHost() + ":" + (uri.getPort() < 0 ? 6379 : uri.getPort()))
        .toList();
  }

  private static TrustManagerFactory trustIn(Path file) {
    try {
      KeyStore certificates = null;
      // Certificates are not secret. A store without a password is read as it is, one with the
      // password that Java's own tools suggest is read too.
      for (char[] password : new char[][] {null, "changeit".toCharArray()}) {
        for (String type : List.of("PKCS12", "JKS")) {
          KeyStore tried = KeyStore.getInstance(type);
          try (InputStream in = Files.newInputStream(file)) {
            tried.load(in, password);
            if (certificates == null && tried.size() > 0) {
              certificates = tried;
            }
          } catch (java.nio.file.NoSuchFileException missing) {
            throw missing;
          } catch (IOException notOfThisType) {
            // The next type or password may fit.
          }
        }
      }
      if (certificates == null) {
        throw new IllegalArgumentException(
            "redis.trustStore holds no certificate that can be read: "
                + file
                + "; it must be a PKCS12 or JKS file without a password or with 'changeit'");
      }
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(certificates);
      return trust;
    } catch (IOException | GeneralSecurityException unreadable) {
      throw new IllegalArgumentException("redis.trustStore cannot be read: " + file, unreadable);
    }
  }

  /**
   * The names of one bucket's parts. The tag in braces keeps them in one slot of a Redis Cluster.
   */
  private final class Names {
    private final String bucket;
    private final byte[] epoch;
    private final String values;

    Names(String cache, int bucket) {
      this.bucket = "{" + settings.namespace() + ":" + cache + ":" + bucket + "}" + LAYOUT;
      this.epoch = bytes(this.bucket + ":epoch");
      this.values = this.bucket + ":value:";
    }

    String state() {
      return bucket + ":state";
    }

    /** As common.lua derives it from the state's. */
    byte[] epoch() {
      return epoch;
    }

    String stream() {
      return bucket + ":stream";
    }

    /** What a read and a fill of one key touch. */
    List<Object> ofRead(CacheKey key) {
      String tag = key.tag();
      return tag == null
          ? List.of(value(key), lease(key), state(), stream())
          : List.of(value(key), lease(key), state(), stream(), value(tag));
    }

    String value(CacheKey key) {
      return value(key.text());
    }

    /** Of a tag as well: to announce it drops what is there, as with any key. */
    String value(String text) {
      return values + text;
    }

    String lease(CacheKey key) {
      return bucket + ":lease:" + key.text();
    }

    String intent(CacheKey key) {
      return bucket + ":intent:" + key.text();
    }
  }
}
