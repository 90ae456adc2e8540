package dev.waymark.cache;

import dev.waymark.LogPosition;
import dev.waymark.Role;
import dev.waymark.WaymarkConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import org.redisson.Redisson;
import org.redisson.api.RScript;
import org.redisson.api.RTopic;
import org.redisson.api.RedissonClient;
import org.redisson.api.listener.StatusListener;
import org.redisson.client.codec.ByteArrayCodec;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;
import org.redisson.config.ConstantDelay;
import org.redisson.connection.ConnectionListener;

/**
 * The shared tier on Redis. Redisson is the transport only: connections, reconnecting, scripts by
 * their hash, the channel. What happens to the data stands in the scripts beside this class.
 */
final class RedissonTier implements SharedTier {
  /** Part of every key: a later layout must not read this one's data. */
  private static final String LAYOUT = "1";

  /**
   * How many scripts of one call are on their way at the same time. All of them have to be answered
   * within one timeout, some of it for opening the connections they share.
   */
  private static final int WAVE = 64;

  private static final Script READ = new Script("read");
  private static final Script FILL = new Script("fill");
  private static final Script RELEASE = new Script("release");
  private static final Script ANNOUNCE = new Script("announce");
  private static final Script SETTLE = new Script("settle");
  private static final Script WITHDRAW = new Script("withdraw");
  private static final Script FORGET = new Script("forget");

  private final WaymarkConfig.Redis settings;
  private final @Nullable TrustManagerFactory trust;
  private final String channel;
  private final String sender = UUID.randomUUID().toString();

  /** Set by {@link #open}, which only one thread calls at a time; see {@link RedisTier}. */
  private volatile @Nullable RedissonClient client;

  private volatile @Nullable Future<?> subscription;
  private volatile boolean closed;

  RedissonTier(WaymarkConfig.Redis settings) {
    this.settings = settings;
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
      client = open;
      if (closed) {
        close();
      }
    }
    await(
        open.getScript(StringCodec.INSTANCE)
            .evalAsync(RScript.Mode.READ_WRITE, "return 1", RScript.ReturnType.LONG));
    Future<?> subscribed = subscription;
    if (subscribed == null || (subscribed.isDone() && failedFuture(subscribed))) {
      subscribed = subscribe(open, listener);
      subscription = subscribed;
    }
    await(subscribed);
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

  private void hear(String message, Listener listener) {
    String[] parts = message.split(" ", -1);
    if (parts.length != 3) {
      // Not of our making, or of a version to come: what it speaks of is anybody's guess.
      listener.messagesMayBeLost();
    } else if (parts[0].equals(sender)) {
      return;
    } else if (parts[2].equals("*")) {
      listener.everythingInvalidated(parts[1]);
    } else {
      try {
        listener.invalidated(parts[1], Integer.parseInt(parts[2]));
      } catch (NumberFormatException unreadable) {
        listener.messagesMayBeLost();
      }
    }
  }

  @Override
  public Lookup read(CacheKey key, String leaseToken, Asking asking) {
    Keys keys = new Keys(key);
    List<?> answer =
        await(
            READ.<List<?>>call(
                client(),
                RScript.ReturnType.LIST,
                List.of(keys.value(), keys.lease(), keys.mark(), keys.epoch()),
                leaseToken,
                LEASE.toMillis(),
                asking == Asking.READ ? "read" : "refresh",
                UUID.randomUUID().toString()));
    int kind = ((Number) answer.get(0)).intValue();
    return switch (kind) {
      case 1 ->
          new Lookup.Hit(
              (byte[]) answer.get(1), Duration.ofMillis(((Number) answer.get(2)).longValue()));
      case 2 -> new Lookup.Leased();
      case 3 -> new Lookup.Awaited();
      default -> new Lookup.InDoubt();
    };
  }

  @Override
  public Fill fill(
      CacheKey key,
      String leaseToken,
      byte[] value,
      Duration timeToLive,
      Role role,
      @Nullable LogPosition position) {
    Keys keys = new Keys(key);
    List<Object> arguments = new ArrayList<>();
    arguments.add(leaseToken);
    arguments.add(value);
    arguments.add(timeToLive.toMillis());
    arguments.add(role == Role.PRIMARY ? "primary" : "replica");
    addPosition(arguments, position);
    Long answer =
        await(
            FILL.<Long>call(
                client(),
                RScript.ReturnType.LONG,
                List.of(keys.value(), keys.lease(), keys.mark(), keys.floor(), keys.epoch()),
                arguments.toArray()));
    return switch (answer.intValue()) {
      case 1 -> Fill.STORED;
      case 2 -> Fill.LEASE_LOST;
      case 3 -> Fill.IN_DOUBT;
      default -> Fill.NOT_NEW_ENOUGH;
    };
  }

  @Override
  public void release(CacheKey key, String leaseToken) {
    Keys keys = new Keys(key);
    await(
        RELEASE.<Long>call(
            client(), RScript.ReturnType.LONG, List.of(keys.lease(), keys.epoch()), leaseToken));
  }

  @Override
  public void announce(List<CacheKey> toAnnounce, String writer, String intent) {
    forEach(
        toAnnounce,
        key -> {
          Keys keys = new Keys(key);
          return ANNOUNCE.call(
              client(),
              RScript.ReturnType.LONG,
              List.of(keys.value(), keys.lease(), keys.mark(), keys.intent(), keys.epoch()),
              writer,
              MARK.toMillis(),
              intent,
              UUID.randomUUID().toString());
        });
  }

  @Override
  public List<Boolean> settle(List<Settlement> settlements) {
    return forEach(
            settlements,
            settlement -> {
              Keys keys = new Keys(settlement.key());
              List<Object> arguments = new ArrayList<>();
              arguments.add(Objects.requireNonNullElse(settlement.writer(), ""));
              addPosition(arguments, settlement.position());
              arguments.add(FLOOR.toMillis());
              Put put = settlement.put();
              arguments.add(put == null ? "" : put.intent());
              arguments.add(put == null ? "" : put.value());
              arguments.add(put == null ? "" : put.timeToLive().toMillis());
              arguments.add(channel);
              arguments.add(
                  sender + " " + settlement.key().cache() + " " + settlement.key().hash());
              return SETTLE.call(
                  client(),
                  RScript.ReturnType.LONG,
                  List.of(
                      keys.value(),
                      keys.lease(),
                      keys.mark(),
                      keys.intent(),
                      keys.floor(),
                      keys.epoch()),
                  arguments.toArray());
            })
        .stream()
        .map(answer -> answer == 1)
        .toList();
  }

  @Override
  public void withdraw(List<CacheKey> toWithdraw, String writer) {
    forEach(
        toWithdraw,
        key ->
            WITHDRAW.call(
                client(), RScript.ReturnType.LONG, List.of(new Keys(key).mark()), writer));
  }

  @Override
  public void forget(String cache) {
    List<CacheKey> oneOfEachBucket = new ArrayList<>();
    for (int bucket = 0; bucket < CacheKey.BUCKETS; bucket++) {
      oneOfEachBucket.add(new CacheKey(cache, "", bucket));
    }
    forEach(
        oneOfEachBucket,
        key ->
            FORGET.call(
                client(),
                RScript.ReturnType.LONG,
                List.of(new Keys(key).epoch()),
                UUID.randomUUID().toString(),
                channel,
                sender + " " + cache + " *"));
  }

  @Override
  public void close() {
    closed = true;
    RedissonClient open = client;
    client = null;
    if (open != null) {
      open.shutdown(0, 2, TimeUnit.SECONDS);
    }
  }

  /**
   * One script for each item, all on their way before the first answer is waited for: one round
   * trip, and on a Redis Cluster each goes to the node that has its key.
   */
  private <T> List<Long> forEach(List<T> items, Function<T, Future<Long>> script) {
    List<Long> answers = new ArrayList<>(items.size());
    for (int from = 0; from < items.size(); from += WAVE) {
      List<Future<Long>> wave =
          items.subList(from, Math.min(items.size(), from + WAVE)).stream().map(script).toList();
      long deadline = System.nanoTime() + settings.timeout().toNanos();
      for (Future<Long> answer : wave) {
        answers.add(await(answer, deadline));
      }
    }
    return answers;
  }

  private <T> T await(Future<T> answer) {
    return await(answer, System.nanoTime() + settings.timeout().toNanos());
  }

  /**
   * Waits to the deadline, whatever Redisson's own retries and timers do. An interrupt does not
   * shorten it: the command is on its way, and a writer that gave up here would owe Redis for
   * nothing.
   */
  private <T> T await(Future<T> answer, long deadline) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return answer.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (InterruptedException early) {
          interrupted = true;
        }
      }
    } catch (TimeoutException late) {
      throw new SharedTierException(
          "no answer within " + settings.timeout().toMillis() + " ms", late);
    } catch (ExecutionException failure) {
      throw failed(failure);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
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
      throw new SharedTierException("not connected", new IllegalStateException("not connected"));
    }
    return open;
  }

  private static void addPosition(List<Object> arguments, @Nullable LogPosition position) {
    if (position == null) {
      arguments.addAll(List.of("", "", "", ""));
    } else {
      arguments.add(Long.toUnsignedString(position.systemId()));
      arguments.add(position.timeline());
      arguments.add(position.lsn() >>> 32);
      arguments.add(position.lsn() & 0xFFFF_FFFFL);
    }
  }

  private Config config(Listener listener) {
    int timeout = Math.toIntExact(Math.min(Integer.MAX_VALUE, settings.timeout().toMillis()));
    Config config = new Config();
    config.setCodec(ByteArrayCodec.INSTANCE);
    config.setUseScriptCache(true);
    config.setThreads(2);
    config.setNettyThreads(2);
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
    config
        .useSingleServer()
        .setAddress(address())
        // A read that is late goes to the database; trying again would only make it later still.
        .setRetryAttempts(0)
        .setTimeout(timeout)
        .setConnectTimeout(Math.max(1_000, timeout))
        .setSubscriptionTimeout(Math.max(1_000, timeout))
        .setReconnectionDelay(new ConstantDelay(Duration.ofMillis(200)))
        // Finds a connection whose other end has silently gone, the channel's above all.
        .setPingConnectionInterval(1_000)
        .setConnectionMinimumIdleSize(1)
        .setConnectionPoolSize(16)
        .setSubscriptionConnectionMinimumIdleSize(1)
        .setSubscriptionConnectionPoolSize(2);
    return config;
  }

  /** Redisson wants the port written out. */
  private String address() {
    URI uri = URI.create(settings.url());
    return uri.getScheme()
        + "://"
        + uri.getHost()
        + ":"
        + (uri.getPort() < 0 ? 6379 : uri.getPort());
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

  /** The names of one key's parts. The tag in braces keeps them in one slot of a Redis Cluster. */
  private final class Keys {
    private final String bucket;
    private final String text;

    Keys(CacheKey key) {
      this.bucket =
          "{" + settings.namespace() + ":" + key.cache() + ":" + key.bucket() + "}" + LAYOUT;
      this.text = key.text();
    }

    String value() {
      return bucket + ":value:" + text;
    }

    String lease() {
      return bucket + ":lease:" + text;
    }

    String mark() {
      return bucket + ":mark:" + text;
    }

    String intent() {
      return bucket + ":intent:" + text;
    }

    String floor() {
      return bucket + ":floor:" + text;
    }

    String epoch() {
      return bucket + ":epoch";
    }
  }

  /** A script of this package. */
  private static final class Script {
    private final String text;

    Script(String name) {
      String file = name + ".lua";
      try (InputStream in = RedissonTier.class.getResourceAsStream(file)) {
        this.text =
            new String(Objects.requireNonNull(in, file).readAllBytes(), StandardCharsets.UTF_8);
      } catch (IOException unreadable) {
        throw new UncheckedIOException(unreadable);
      }
    }

    <R> Future<R> call(
        RedissonClient client, RScript.ReturnType type, List<Object> keys, Object... arguments) {
      Object[] encoded = new Object[arguments.length];
      for (int i = 0; i < arguments.length; i++) {
        encoded[i] =
            arguments[i] instanceof byte[] bytes
                ? bytes
                : arguments[i].toString().getBytes(StandardCharsets.UTF_8);
      }
      try {
        return client
            .getScript(ByteArrayCodec.INSTANCE)
            .<R>evalAsync(RScript.Mode.READ_WRITE, text, type, keys, encoded)
            .toCompletableFuture();
      } catch (RuntimeException refused) {
        // A client that is being closed says so at once. To the caller it is one more failure.
        return CompletableFuture.failedFuture(refused);
      }
    }
  }
}
