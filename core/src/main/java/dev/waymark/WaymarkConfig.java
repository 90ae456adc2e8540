package dev.waymark;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Everything an operator decides: the shard map, how to log in, and the settings. An immutable
 * value, most often read from {@code waymark.yaml}. Printing it never shows a secret.
 *
 * @param map which shard owns which keys
 * @param credentials the database user, the same on every node
 * @param pool the connection pools
 * @param calls what a call may take and see
 * @param reads how reads are spread over replicas
 * @param hedging whether slow reads are sent to a second node
 * @param lag how far a replica may be behind
 * @param monitor how nodes are watched
 * @param tokens how session tokens are printed and checked
 * @param keys how keys appear in errors and logs
 * @param redis the shared cache tier; empty to do without
 * @param changes whether and how the shards' own changes are followed
 */
public record WaymarkConfig(
    ShardMap map,
    Credentials credentials,
    Pool pool,
    Calls calls,
    Reads reads,
    Hedging hedging,
    Lag lag,
    Monitor monitor,
    SessionTokenFormat tokens,
    KeyRendering keys,
    Optional<Redis> redis,
    Changes changes) {

  /** Checks that every part is present. */
  public WaymarkConfig {
    Objects.requireNonNull(map, "map");
    Objects.requireNonNull(credentials, "credentials");
    Objects.requireNonNull(pool, "pool");
    Objects.requireNonNull(calls, "calls");
    Objects.requireNonNull(reads, "reads");
    Objects.requireNonNull(hedging, "hedging");
    Objects.requireNonNull(lag, "lag");
    Objects.requireNonNull(monitor, "monitor");
    Objects.requireNonNull(tokens, "tokens");
    Objects.requireNonNull(keys, "keys");
    Objects.requireNonNull(redis, "redis");
    Objects.requireNonNull(changes, "changes");
  }

  /** The defaults for everything but the map and the log-in: no Redis, unsigned tokens. */
  public static WaymarkConfig of(ShardMap map, Credentials credentials) {
    return new WaymarkConfig(
        map,
        credentials,
        Pool.defaults(),
        Calls.defaults(),
        Reads.defaults(),
        Hedging.off(),
        Lag.defaults(),
        Monitor.defaults(),
        SessionTokenFormat.unsigned(),
        KeyRendering.FINGERPRINT,
        Optional.empty(),
        Changes.off());
  }

  /**
   * Reads a file; {@code ${NAME}} in it stands for environment variables.
   *
   * @throws ConfigurationException if the file cannot be read or anything in it is wrong; it lists
   *     every problem
   */
  public static WaymarkConfig load(Path file) {
    return ConfigReader.load(file, System::getenv);
  }

  /**
   * Reads YAML text.
   *
   * @param fileName what problems call the text
   * @param environment the value of an environment variable, or null
   * @throws ConfigurationException if anything in it is wrong; it lists every problem
   */
  public static WaymarkConfig parse(
      String yaml, String fileName, Function<String, @Nullable String> environment) {
    return ConfigReader.parse(yaml, fileName, environment);
  }

  /** These settings with other limits for calls. */
  public WaymarkConfig withCalls(Calls calls) {
    return new WaymarkConfig(
        map, credentials, pool, calls, reads, hedging, lag, monitor, tokens, keys, redis, changes);
  }

  /** These settings with other pools. */
  public WaymarkConfig withPool(Pool pool) {
    return new WaymarkConfig(
        map, credentials, pool, calls, reads, hedging, lag, monitor, tokens, keys, redis, changes);
  }

  /** These settings with another way of spreading reads. */
  public WaymarkConfig withReads(Reads reads) {
    return new WaymarkConfig(
        map, credentials, pool, calls, reads, hedging, lag, monitor, tokens, keys, redis, changes);
  }

  /** These settings with other rules for second tries of slow reads. */
  public WaymarkConfig withHedging(Hedging hedging) {
    return new WaymarkConfig(
        map, credentials, pool, calls, reads, hedging, lag, monitor, tokens, keys, redis, changes);
  }

  /** These settings with other limits of lag. */
  public WaymarkConfig withLag(Lag lag) {
    return new WaymarkConfig(
        map, credentials, pool, calls, reads, hedging, lag, monitor, tokens, keys, redis, changes);
  }

  /** These settings with another way of watching nodes. */
  public WaymarkConfig withMonitor(Monitor monitor) {
    return new WaymarkConfig(
        map, credentials, pool, calls, reads, hedging, lag, monitor, tokens, keys, redis, changes);
  }

  /** These settings with another token format. */
  public WaymarkConfig withTokens(SessionTokenFormat tokens) {
    return new WaymarkConfig(
        map, credentials, pool, calls, reads, hedging, lag, monitor, tokens, keys, redis, changes);
  }

  /** These settings with a shared cache tier. */
  public WaymarkConfig withRedis(Redis redis) {
    return new WaymarkConfig(
        map,
        credentials,
        pool,
        calls,
        reads,
        hedging,
        lag,
        monitor,
        tokens,
        keys,
        Optional.of(redis),
        changes);
  }

  /** These settings with other rules for following changes. */
  public WaymarkConfig withChanges(Changes changes) {
    return new WaymarkConfig(
        map, credentials, pool, calls, reads, hedging, lag, monitor, tokens, keys, redis, changes);
  }

  /**
   * The connection pools: two for each node, one for reads and, while it is the primary, one for
   * writes.
   *
   * @param size connections in each pool, at least 1
   * @param connectTimeout how long opening one connection may take, at least 250 ms
   * @param acquireTimeout how long a call waits for a connection of one pool, at least 250 ms; then
   *     a read tries another node, and a write waits again, both until {@code calls.deadline}
   */
  public record Pool(int size, Duration connectTimeout, Duration acquireTimeout) {
    /** Checks each value. */
    public Pool {
      if (size < 1) {
        throw new IllegalArgumentException("pool.size must be at least 1, not " + size);
      }
      atLeast("pool.connectTimeout", connectTimeout, Duration.ofMillis(250));
      // HikariCP takes no shorter one.
      atLeast("pool.acquireTimeout", acquireTimeout, Duration.ofMillis(250));
    }

    /** 10 connections; 1 second to open one, 1 second to wait for one. */
    public static Pool defaults() {
      return new Pool(10, Duration.ofSeconds(1), Duration.ofSeconds(1));
    }
  }

  /**
   * What a call may take and see.
   *
   * @param deadline how long a call may take in all: waiting, retries, and each answer of a server;
   *     at least 1 ms
   * @param consistency what a read sees if nothing else is said
   */
  public record Calls(Duration deadline, Consistency consistency) {
    /** Checks each value. */
    public Calls {
      atLeast("calls.deadline", deadline, Duration.ofMillis(1));
      Objects.requireNonNull(consistency, "consistency");
    }

    /** 10 seconds, session consistency. */
    public static Calls defaults() {
      return new Calls(Duration.ofSeconds(10), Consistency.session());
    }
  }

  /**
   * How reads are spread over the replicas that are fresh enough.
   *
   * @param balancing which of them answers
   * @param zone where this process runs: replicas of the same zone are preferred; empty for no
   *     preference
   * @param slowStart over how long a node that came back is given its full share; zero for at once
   * @param freshnessWait how long a read may wait until a replica is fresh enough, before the
   *     primary answers, within {@code calls.deadline}; zero for not at all
   */
  public record Reads(
      Balancing balancing, String zone, Duration slowStart, Duration freshnessWait) {
    /** Checks each value. */
    public Reads {
      Objects.requireNonNull(balancing, "balancing");
      Objects.requireNonNull(zone, "zone");
      atLeast("reads.slowStart", slowStart, Duration.ZERO);
      atLeast("reads.freshnessWait", freshnessWait, Duration.ZERO);
    }

    /** Peak EWMA, no zone, 10 seconds of slow start, no wait. */
    public static Reads defaults() {
      return new Reads(Balancing.PEAK_EWMA, "", Duration.ofSeconds(10), Duration.ZERO);
    }
  }

  /**
   * Whether a read that takes long is sent to a second replica, whose answer counts if it is first.
   *
   * @param budget how many reads in a hundred may be sent twice, 0 to 100; 0 turns hedging off
   * @param percentile the second node is asked once a read has taken longer than this many in a
   *     hundred recent ones, 50 to 99
   * @param minimumDelay the second node is asked no sooner than this
   */
  public record Hedging(int budget, int percentile, Duration minimumDelay) {
    /** Checks each value. */
    public Hedging {
      between("hedging.budget", budget, 0, 100);
      between("hedging.percentile", percentile, 50, 99);
      atLeast("hedging.minimumDelay", minimumDelay, Duration.ZERO);
    }

    /** No hedging; were it on, after the 95th percentile and at least 5 ms. */
    public static Hedging off() {
      return new Hedging(0, 95, Duration.ofMillis(5));
    }
  }

  /**
   * How far a replica may be behind and still serve reads with session or eventual consistency.
   *
   * @param preferred replicas behind by no more than this serve
   * @param tolerated replicas behind by no more than this serve as well, if fewer than {@code
   *     minimumServing} are left otherwise; at least {@code preferred}
   * @param preferredBytes the same by bytes of log; 0 for no limit by bytes
   * @param toleratedBytes the same by bytes of log; 0 for no limit by bytes
   * @param minimumServing how many replicas are wanted; 0 to never tolerate more than is preferred
   * @param whenAllLag who answers when every replica is behind by more than is tolerated
   * @param primaryReads how many reads at a time, for each shard, may go to the primary because no
   *     replica is fresh enough; 0 for as many as its pool has connections
   */
  public record Lag(
      Duration preferred,
      Duration tolerated,
      long preferredBytes,
      long toleratedBytes,
      int minimumServing,
      WhenAllLag whenAllLag,
      int primaryReads) {
    /** Checks each value. */
    public Lag {
      atLeast("lag.preferred", preferred, Duration.ofMillis(1));
      atLeast("lag.tolerated", tolerated, preferred);
      between("lag.preferredBytes", preferredBytes, 0, Long.MAX_VALUE);
      between("lag.toleratedBytes", toleratedBytes, 0, Long.MAX_VALUE);
      if (toleratedBytes != 0 && toleratedBytes < preferredBytes) {
        throw new IllegalArgumentException(
            "lag.toleratedBytes must be at least lag.preferredBytes, or 0 for no limit, not "
                + toleratedBytes);
      }
      between("lag.minimumServing", minimumServing, 0, 64);
      Objects.requireNonNull(whenAllLag, "whenAllLag");
      between("lag.primaryReads", primaryReads, 0, Integer.MAX_VALUE);
    }

    /** 10 seconds preferred, 5 minutes tolerated, at least one replica, else the primary. */
    public static Lag defaults() {
      return new Lag(Duration.ofSeconds(10), Duration.ofMinutes(5), 0, 0, 1, WhenAllLag.PRIMARY, 0);
    }
  }

  /** Who answers when every replica is behind by more than is tolerated. */
  public enum WhenAllLag {
    /** The primary; a replica only while there is no primary. */
    PRIMARY,
    /** A replica, if the consistency asked for allows its answer. */
    STALE
  }

  /**
   * How nodes are watched.
   *
   * @param interval the pause between two looks at a node, at least 1 ms
   * @param timeout how long a node may take to answer before it counts as down, at least 10 ms
   * @param idleInterval the pause while no call uses the shard, at least {@code interval}
   * @param looksPerSecond how often all processes together should look at one node, at least 1:
   *     each counts the others and looks less often
   */
  public record Monitor(
      Duration interval, Duration timeout, Duration idleInterval, int looksPerSecond) {
    /** Checks each value. */
    public Monitor {
      atLeast("monitor.interval", interval, Duration.ofMillis(1));
      atLeast("monitor.timeout", timeout, Duration.ofMillis(10));
      atLeast("monitor.idleInterval", idleInterval, interval);
      between("monitor.looksPerSecond", looksPerSecond, 1, 1_000_000);
    }

    /** Every 50 ms, every second while idle, with 1 second to answer; 200 looks a second. */
    public static Monitor defaults() {
      return new Monitor(Duration.ofMillis(50), Duration.ofSeconds(1), Duration.ofSeconds(1), 200);
    }
  }

  /**
   * The Redis of the shared cache tier.
   *
   * @param url {@code redis://host:port}, or {@code rediss://} for TLS; without user and password.
   *     Of a Redis Cluster {@code redis+cluster://host:port,host:port}, or {@code
   *     rediss+cluster://}, with some of its servers: the others are asked of them
   * @param credentials empty for a Redis that asks for none; an empty user means Redis' default
   *     user
   * @param trustStore a PKCS12 or JKS file with the certificates to trust over TLS; empty for the
   *     platform's own
   * @param timeout how long one command may take before the database is asked instead, at least 1
   *     ms
   * @param namespace the first part of every key, so that several services can share one Redis
   */
  public record Redis(
      String url,
      Optional<Credentials> credentials,
      Optional<Path> trustStore,
      Duration timeout,
      String namespace) {
    /** Checks each value. */
    public Redis {
      if (!url.matches("rediss?(://|\\+cluster://([^/@?,]+,)*)[^/@?,]+/?")) {
        // The URL is not repeated here: a wrong one may well hold the password.
        throw new IllegalArgumentException(
            "redis.url must look like redis://host:6379 (rediss:// for TLS; redis+cluster://host:6379,"
                + "host:6379 for a cluster), without user and password");
      }
      Objects.requireNonNull(credentials, "credentials");
      Objects.requireNonNull(trustStore, "trustStore");
      atLeast("redis.timeout", timeout, Duration.ofMillis(1));
      if (!namespace.matches("[A-Za-z0-9_.-]{1,64}")) {
        throw new IllegalArgumentException(
            "redis.namespace must be 1 to 64 letters, digits, dots, dashes or underscores, not '"
                + namespace
                + "'");
      }
    }

    /** Whether it is a Redis Cluster. */
    public boolean isCluster() {
      return url.contains("+cluster://");
    }

    /** The servers that the URL names, each as {@code host:port} or {@code host}. */
    public List<String> hosts() {
      String named = url.substring(url.indexOf("://") + 3);
      return List.of(
          (named.endsWith("/") ? named.substring(0, named.length() - 1) : named).split(",", -1));
    }

    /** A Redis that asks for no password, with 250 ms for a command. */
    public static Redis at(String url) {
      return new Redis(url, Optional.empty(), Optional.empty(), Duration.ofMillis(250), "waymark");
    }
  }

  /**
   * Whether and how the shards' own changes are followed, by logical decoding.
   *
   * @param enabled whether this process may follow them; of all that may, one does for each shard
   * @param slot the replication slot on each shard, 1 to 40 lower-case letters, digits and
   *     underscores; all processes that follow the same changes name the same
   * @param publication the publication on each shard, named likewise
   * @param tables which tables are followed, and who sees to the publication
   * @param interval how often it is made sure that nothing is outstanding; at least 10 ms
   * @param timeout how long a server may be silent, or a consumer fail, before the stream is taken
   *     up anew; at least 1 s and 4 intervals
   * @param retain how many bytes of log may wait to be told, at least 16 MiB; beyond, the stream
   *     gives its place up and starts anew
   * @param rows of a transaction with more rows than this only the tables are told; at least 1
   */
  public record Changes(
      boolean enabled,
      String slot,
      String publication,
      ChangedTables tables,
      Duration interval,
      Duration timeout,
      long retain,
      int rows) {
    private static final long LEAST_RETAINED = 16L << 20;

    /** Checks each value. */
    public Changes {
      named("changes.slot", slot);
      named("changes.publication", publication);
      Objects.requireNonNull(tables, "tables");
      atLeast("changes.interval", interval, Duration.ofMillis(10));
      atLeast("changes.timeout", timeout, Duration.ofSeconds(1));
      // A server that is asked for a sign of life gets it with the next one of ours.
      atLeast("changes.timeout", timeout, interval.multipliedBy(4));
      between("changes.retain", retain, LEAST_RETAINED, Long.MAX_VALUE);
      between("changes.rows", rows, 1, 1_000_000);
    }

    private static void named(String setting, String name) {
      // What a slot's name may have, and room for the suffix of the one that is being made.
      if (!name.matches("[a-z0-9_]{1,40}")) {
        throw new IllegalArgumentException(
            setting
                + " must be 1 to 40 lower-case letters, digits or underscores, not '"
                + name
                + "'");
      }
    }

    /** Not followed; were they, the map's tables, with a mark each second. */
    public static Changes off() {
      return new Changes(
          false,
          "waymark",
          "waymark",
          ChangedTables.MAP,
          Duration.ofSeconds(1),
          Duration.ofSeconds(10),
          1L << 30,
          10_000);
    }

    /** Followed, with the defaults for the rest. */
    public static Changes on() {
      Changes off = off();
      return new Changes(
          true,
          off.slot,
          off.publication,
          off.tables,
          off.interval,
          off.timeout,
          off.retain,
          off.rows);
    }
  }

  /** Which tables a change stream follows, and who sees to the publication. */
  public enum ChangedTables {
    /** The tables of the shard map: the stream makes the publication and adds what is missing. */
    MAP,
    /** Every table there is and will be: the stream makes the publication, as a superuser. */
    ALL,
    /** Those of a publication that is there already, and that the stream leaves as it is. */
    GIVEN
  }

  private static void atLeast(String setting, Duration value, Duration least) {
    if (value.compareTo(least) < 0) {
      throw new IllegalArgumentException(
          setting
              + " must be at least "
              + least.toMillis()
              + " ms, not "
              + value.toMillis()
              + " ms");
    }
  }

  private static void between(String setting, long value, long least, long most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          setting
              + " must be at least "
              + least
              + (most == Long.MAX_VALUE || most == Integer.MAX_VALUE ? "" : " and at most " + most)
              + ", not "
              + value);
    }
  }
}
