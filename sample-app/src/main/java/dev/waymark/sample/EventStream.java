package dev.waymark.sample;

import dev.waymark.WaymarkConfig;
import java.net.MalformedURLException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.redisson.Redisson;
import org.redisson.api.BatchOptions;
import org.redisson.api.RBatch;
import org.redisson.api.RStream;
import org.redisson.api.RedissonClient;
import org.redisson.api.stream.StreamAddArgs;
import org.redisson.api.stream.StreamConsumer;
import org.redisson.api.stream.StreamCreateGroupArgs;
import org.redisson.api.stream.StreamMessageId;
import org.redisson.api.stream.StreamReadGroupArgs;
import org.redisson.client.RedisException;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.BaseConfig;
import org.redisson.config.Config;

/**
 * Where events are told: a Redis stream, read by groups of consumers, each event by one consumer of
 * each group. Thread-safe.
 *
 * <p>It holds the last {@value #LONGEST} events or so; a group that is further behind misses some.
 * It lasts as well as Redis does. It is there whether or not Redis is: then its methods throw
 * {@link UnavailableException}.
 */
final class EventStream implements AutoCloseable {
  private static final int LONGEST = 100_000;

  private final RedissonClient redis;
  private final String name;

  private EventStream(RedissonClient redis, String name) {
    this.redis = redis;
    this.name = name;
  }

  /** Redis did not answer; whether it did what was asked is not known. */
  static final class UnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1;

    UnavailableException(RedisException cause) {
      super("Redis does not answer: " + cause.getMessage(), cause);
    }
  }

  /**
   * An event as it stands in the stream.
   *
   * @param event null if it is malformed: no version of this service has written it
   */
  record Entry(StreamMessageId place, @Nullable Event event) {}

  /** Over the same Redis as the cache; connects when it is first needed. */
  static EventStream over(WaymarkConfig.Redis settings) {
    return new EventStream(Redisson.create(config(settings)), settings.namespace() + ":events");
  }

  /** The name of the stream in Redis. */
  String name() {
    return name;
  }

  /** Adds events in their order, all of them or none. */
  void append(List<Event> events) {
    RBatch batch =
        redis.createBatch(
            BatchOptions.defaults().executionMode(BatchOptions.ExecutionMode.IN_MEMORY_ATOMIC));
    for (Event event : events) {
      Map<String, String> fields = new LinkedHashMap<>();
      fields.put("id", event.id().toString());
      fields.put("type", event.type());
      fields.put("user_id", Long.toString(event.userId()));
      fields.put("at", event.at().toString());
      fields.put("detail", event.detail());
      var unused =
          batch
              .<String, String>getStream(name, StringCodec.INSTANCE)
              .addAsync(StreamAddArgs.entries(fields).trimNonStrict().maxLen(LONGEST).noLimit());
    }
    asking(batch::execute);
  }

  /** Makes a group, which begins with the oldest event there is, unless it is there. */
  void makeGroup(String group) {
    try {
      asking(
          () -> {
            stream()
                .createGroup(
                    StreamCreateGroupArgs.name(group).id(StreamMessageId.ALL).makeStream());
            return true;
          });
    } catch (UnavailableException refused) {
      if (!isAbout(refused, "BUSYGROUP")) {
        throw refused;
      }
    }
  }

  /** Events that no consumer of the group has got, which this one now has until {@link #done}. */
  List<Entry> take(String group, String consumer, int most) {
    return entries(
        asking(
            () ->
                stream()
                    .readGroup(group, consumer, StreamReadGroupArgs.neverDelivered().count(most))));
  }

  /** Events that some consumer has had for so long that it may be dead; this one now has them. */
  List<Entry> claim(String group, String consumer, Duration longerThan, int most) {
    return entries(
        asking(
                () ->
                    stream()
                        .autoClaim(
                            group,
                            consumer,
                            longerThan.toMillis(),
                            TimeUnit.MILLISECONDS,
                            StreamMessageId.MIN,
                            most))
            .getMessages());
  }

  /** Takes note that the group is done with events. */
  void done(String group, List<Entry> entries) {
    if (!entries.isEmpty()) {
      asking(
          () ->
              stream()
                  .ack(group, entries.stream().map(Entry::place).toArray(StreamMessageId[]::new)));
    }
  }

  /** Forgets consumers that have nothing and have not asked for so long. */
  void forgetConsumers(String group, Duration silentFor) {
    for (StreamConsumer consumer : asking(() -> stream().listConsumers(group))) {
      if (consumer.getPending() == 0 && consumer.getIdleTime() > silentFor.toMillis()) {
        asking(() -> stream().removeConsumer(group, consumer.getName()));
      }
    }
  }

  /** Whether Redis said that there is no such group: it has lost its data. */
  static boolean isGroupMissing(UnavailableException refused) {
    return isAbout(refused, "NOGROUP");
  }

  private static boolean isAbout(UnavailableException refused, String code) {
    return String.valueOf(refused.getMessage()).contains(code);
  }

  private RStream<String, String> stream() {
    return redis.getStream(name, StringCodec.INSTANCE);
  }

  private interface Question<T> {
    T ask();
  }

  private static <T> T asking(Question<T> question) {
    try {
      return question.ask();
    } catch (RedisException failure) {
      throw new UnavailableException(failure);
    }
  }

  private static List<Entry> entries(@Nullable Map<StreamMessageId, Map<String, String>> found) {
    List<Entry> entries = new ArrayList<>();
    if (found != null) {
      found.forEach((place, fields) -> entries.add(new Entry(place, event(fields))));
    }
    return entries;
  }

  private static @Nullable Event event(Map<String, String> fields) {
    try {
      return new Event(
          UUID.fromString(field(fields, "id")),
          field(fields, "type"),
          Long.parseLong(field(fields, "user_id")),
          field(fields, "detail"),
          Instant.parse(field(fields, "at")));
    } catch (IllegalArgumentException | java.time.DateTimeException malformed) {
      return null;
    }
  }

  private static String field(Map<String, String> fields, String name) {
    String value = fields.get(name);
    if (value == null) {
      throw new IllegalArgumentException("An event without " + name);
    }
    return value;
  }

  private static Config config(WaymarkConfig.Redis settings) {
    Config config = new Config();
    config.setLazyInitialization(true);
    config.setThreads(2);
    config.setNettyThreads(2);
    settings
        .credentials()
        .ifPresent(
            credentials -> {
              if (!credentials.user().isEmpty()) {
                config.setUsername(credentials.user());
              }
              config.setPassword(credentials.password());
            });
    settings
        .trustStore()
        .ifPresent(
            file -> {
              try {
                // Also reads a store without a password.
                config.setSslTruststore(file.toUri().toURL());
                config.setSslTruststorePassword("changeit");
              } catch (MalformedURLException impossible) {
                throw new IllegalStateException("A file has a URL: " + file, impossible);
              }
            });
    int timeout = Math.toIntExact(Math.max(1_000, settings.timeout().toMillis()));
    String[] addresses = addresses(settings);
    if (settings.isCluster()) {
      patiently(config.useClusterServers(), timeout)
          .addNodeAddress(addresses)
          .setMasterConnectionMinimumIdleSize(1)
          .setMasterConnectionPoolSize(4);
    } else {
      patiently(config.useSingleServer(), timeout)
          .setAddress(addresses[0])
          .setConnectionMinimumIdleSize(1)
          .setConnectionPoolSize(4);
    }
    return config;
  }

  /** Nobody waits for it, but for who tries again anyway. */
  private static <T extends BaseConfig<T>> T patiently(T servers, int timeout) {
    return servers.setRetryAttempts(0).setTimeout(timeout).setConnectTimeout(timeout);
  }

  /** Redisson wants the ports written out. */
  private static String[] addresses(WaymarkConfig.Redis settings) {
    String scheme = settings.url().startsWith("rediss") ? "rediss://" : "redis://";
    return settings.hosts().stream()
        .map(host -> URI.create(scheme + host))
        .map(uri -> scheme + uri.getHost() + ":" + (uri.getPort() < 0 ? 6379 : uri.getPort()))
        .toArray(String[]::new);
  }

  @Override
  public void close() {
    redis.shutdown(0, 2, TimeUnit.SECONDS);
  }
}
