package dev.waymark;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Reads {@code waymark.yaml}. All that is wrong is reported at once, each problem with its place
 * and what to write instead. A value that may be a secret never gets into a message: neither one
 * that came from the environment nor one of a setting that holds secrets.
 */
final class ConfigReader {
  private ConfigReader() {}

  static WaymarkConfig load(Path file, Function<String, @Nullable String> environment) {
    Problems problems = new Problems(file.toString());
    Optional<WaymarkConfig> config =
        text(file, problems).flatMap(yaml -> read(yaml, problems, environment));
    problems.throwIfAny();
    return config.orElseThrow();
  }

  static WaymarkConfig parse(
      String yaml, String fileName, Function<String, @Nullable String> environment) {
    Problems problems = new Problems(fileName);
    Optional<WaymarkConfig> config = read(yaml, problems, environment);
    problems.throwIfAny();
    return config.orElseThrow();
  }

  private static Optional<WaymarkConfig> read(
      String yaml, Problems problems, Function<String, @Nullable String> environment) {
    return YamlText.compose(yaml, problems)
        .map(node -> ConfigMap.root(new ConfigMap.Scope(problems, environment), node))
        .flatMap(root -> read(root, problems));
  }

  /** Every section is read, whatever is wrong with those before it. */
  private static Optional<WaymarkConfig> read(ConfigMap root, Problems problems) {
    Optional<ShardMap> map = new ShardMapReader(problems).read(root);
    Credentials credentials =
        credentials(
            root.require(
                    "credentials", "credentials: {user: app, password: \"${APP_DB_PASSWORD}\"}")
                .section("credentials", ConfigSection.CREDENTIALS));
    WaymarkConfig.Pool pool = pool(root.section("pool", ConfigSection.POOL));
    WaymarkConfig.Calls calls = calls(root.section("calls", ConfigSection.CALLS));
    WaymarkConfig.Reads reads = reads(root.section("reads", ConfigSection.READS));
    WaymarkConfig.Hedging hedging = hedging(root.section("hedging", ConfigSection.HEDGING));
    WaymarkConfig.Lag lag = lag(root.section("lag", ConfigSection.LAG));
    WaymarkConfig.Monitor monitor = monitor(root.section("monitor", ConfigSection.MONITOR));
    SessionTokenFormat tokens = tokens(root.section("session", ConfigSection.SESSION));
    KeyRendering keys = keys(root.section("errors", ConfigSection.ERRORS));
    Optional<WaymarkConfig.Redis> redis =
        redis(root.section("redis", ConfigSection.REDIS), problems);
    WaymarkConfig.Changes changes = changes(root.section("changes", ConfigSection.CHANGES));
    return map.map(
        shardMap ->
            new WaymarkConfig(
                shardMap,
                credentials,
                pool,
                calls,
                reads,
                hedging,
                lag,
                monitor,
                tokens,
                keys,
                redis,
                changes));
  }

  private static Credentials credentials(ConfigMap map) {
    return new Credentials(
        map.require("user", "user: app").read("user", ConfigValue::nonBlank).orElse(""),
        map.read("password", ConfigValue::text).orElse(""));
  }

  // The sections below start from the defaults and change one value at a time, so that what a
  // record refuses is reported at the setting it came from.

  private static WaymarkConfig.Pool pool(ConfigMap map) {
    WaymarkConfig.Pool pool = WaymarkConfig.Pool.defaults();
    pool =
        map.change(
            "size",
            pool,
            (p, size) ->
                new WaymarkConfig.Pool(size.integer(), p.connectTimeout(), p.acquireTimeout()));
    pool =
        map.change(
            "connectTimeout",
            pool,
            (p, timeout) ->
                new WaymarkConfig.Pool(p.size(), timeout.duration(), p.acquireTimeout()));
    return map.change(
        "acquireTimeout",
        pool,
        (p, timeout) -> new WaymarkConfig.Pool(p.size(), p.connectTimeout(), timeout.duration()));
  }

  private static WaymarkConfig.Calls calls(ConfigMap map) {
    WaymarkConfig.Calls calls = WaymarkConfig.Calls.defaults();
    calls =
        map.change(
            "deadline",
            calls,
            (c, deadline) -> new WaymarkConfig.Calls(deadline.duration(), c.consistency()));
    return map.change(
        "consistency",
        calls,
        (c, consistency) -> new WaymarkConfig.Calls(c.deadline(), consistency.consistency()));
  }

  private static WaymarkConfig.Reads reads(ConfigMap map) {
    WaymarkConfig.Reads reads = WaymarkConfig.Reads.defaults();
    reads =
        map.change(
            "balancing",
            reads,
            (old, given) ->
                new WaymarkConfig.Reads(
                    given.balancing(), old.zone(), old.slowStart(), old.freshnessWait()));
    reads =
        map.change(
            "zone",
            reads,
            (old, given) ->
                new WaymarkConfig.Reads(
                    old.balancing(), given.text(), old.slowStart(), old.freshnessWait()));
    reads =
        map.change(
            "slowStart",
            reads,
            (old, given) ->
                new WaymarkConfig.Reads(
                    old.balancing(), old.zone(), given.duration(), old.freshnessWait()));
    return map.change(
        "freshnessWait",
        reads,
        (old, given) ->
            new WaymarkConfig.Reads(
                old.balancing(), old.zone(), old.slowStart(), given.duration()));
  }

  private static WaymarkConfig.Hedging hedging(ConfigMap map) {
    WaymarkConfig.Hedging hedging = WaymarkConfig.Hedging.off();
    hedging =
        map.change(
            "budget",
            hedging,
            (old, given) ->
                new WaymarkConfig.Hedging(given.integer(), old.percentile(), old.minimumDelay()));
    hedging =
        map.change(
            "percentile",
            hedging,
            (old, given) ->
                new WaymarkConfig.Hedging(old.budget(), given.integer(), old.minimumDelay()));
    return map.change(
        "minimumDelay",
        hedging,
        (old, given) ->
            new WaymarkConfig.Hedging(old.budget(), old.percentile(), given.duration()));
  }

  private static WaymarkConfig.Lag lag(ConfigMap map) {
    WaymarkConfig.Lag lag = WaymarkConfig.Lag.defaults();
    // The two limits are checked against each other: the one that makes room comes first.
    Duration preferred = map.read("preferred", ConfigValue::duration).orElse(lag.preferred());
    if (preferred.compareTo(lag.tolerated()) > 0) {
      lag =
          map.change(
              "tolerated",
              lag,
              (old, given) ->
                  new WaymarkConfig.Lag(
                      old.preferred(),
                      given.duration(),
                      old.preferredBytes(),
                      old.toleratedBytes(),
                      old.minimumServing(),
                      old.whenAllLag(),
                      old.primaryReads()));
      lag =
          map.change(
              "preferred",
              lag,
              (old, given) ->
                  new WaymarkConfig.Lag(
                      given.duration(),
                      old.tolerated(),
                      old.preferredBytes(),
                      old.toleratedBytes(),
                      old.minimumServing(),
                      old.whenAllLag(),
                      old.primaryReads()));
    } else {
      lag =
          map.change(
              "preferred",
              lag,
              (old, given) ->
                  new WaymarkConfig.Lag(
                      given.duration(),
                      old.tolerated(),
                      old.preferredBytes(),
                      old.toleratedBytes(),
                      old.minimumServing(),
                      old.whenAllLag(),
                      old.primaryReads()));
      lag =
          map.change(
              "tolerated",
              lag,
              (old, given) ->
                  new WaymarkConfig.Lag(
                      old.preferred(),
                      given.duration(),
                      old.preferredBytes(),
                      old.toleratedBytes(),
                      old.minimumServing(),
                      old.whenAllLag(),
                      old.primaryReads()));
    }
    lag =
        map.change(
            "toleratedBytes",
            lag,
            (old, given) ->
                new WaymarkConfig.Lag(
                    old.preferred(),
                    old.tolerated(),
                    old.preferredBytes(),
                    given.wholeNumber(),
                    old.minimumServing(),
                    old.whenAllLag(),
                    old.primaryReads()));
    lag =
        map.change(
            "preferredBytes",
            lag,
            (old, given) ->
                new WaymarkConfig.Lag(
                    old.preferred(),
                    old.tolerated(),
                    given.wholeNumber(),
                    old.toleratedBytes(),
                    old.minimumServing(),
                    old.whenAllLag(),
                    old.primaryReads()));
    lag =
        map.change(
            "minimumServing",
            lag,
            (old, given) ->
                new WaymarkConfig.Lag(
                    old.preferred(),
                    old.tolerated(),
                    old.preferredBytes(),
                    old.toleratedBytes(),
                    given.integer(),
                    old.whenAllLag(),
                    old.primaryReads()));
    lag =
        map.change(
            "whenAllLag",
            lag,
            (old, given) ->
                new WaymarkConfig.Lag(
                    old.preferred(),
                    old.tolerated(),
                    old.preferredBytes(),
                    old.toleratedBytes(),
                    old.minimumServing(),
                    given.whenAllLag(),
                    old.primaryReads()));
    return map.change(
        "primaryReads",
        lag,
        (old, given) ->
            new WaymarkConfig.Lag(
                old.preferred(),
                old.tolerated(),
                old.preferredBytes(),
                old.toleratedBytes(),
                old.minimumServing(),
                old.whenAllLag(),
                given.integer()));
  }

  private static WaymarkConfig.Monitor monitor(ConfigMap map) {
    WaymarkConfig.Monitor monitor = WaymarkConfig.Monitor.defaults();
    monitor =
        map.change(
            "interval",
            monitor,
            (old, given) ->
                new WaymarkConfig.Monitor(
                    given.duration(),
                    old.timeout(),
                    // A longer interval lengthens the idle one as well, unless that is given.
                    given.duration().compareTo(old.idleInterval()) > 0
                        ? given.duration()
                        : old.idleInterval(),
                    old.looksPerSecond()));
    monitor =
        map.change(
            "timeout",
            monitor,
            (old, given) ->
                new WaymarkConfig.Monitor(
                    old.interval(), given.duration(), old.idleInterval(), old.looksPerSecond()));
    monitor =
        map.change(
            "idleInterval",
            monitor,
            (old, given) ->
                new WaymarkConfig.Monitor(
                    old.interval(), old.timeout(), given.duration(), old.looksPerSecond()));
    return map.change(
        "looksPerSecond",
        monitor,
        (old, given) ->
            new WaymarkConfig.Monitor(
                old.interval(), old.timeout(), old.idleInterval(), given.integer()));
  }

  private static SessionTokenFormat tokens(ConfigMap map) {
    return map.change(
        "secret",
        SessionTokenFormat.unsigned(),
        (unsigned, secret) ->
            secret.text().isEmpty() ? unsigned : SessionTokenFormat.signedWith(secret.text()));
  }

  private static KeyRendering keys(ConfigMap map) {
    return map.read("keys", ConfigValue::keyRendering).orElse(KeyRendering.FINGERPRINT);
  }

  private static Optional<WaymarkConfig.Redis> redis(ConfigMap map, Problems problems) {
    if (!map.isPresent()) {
      return Optional.empty();
    }
    map.require("url", "url: \"redis://127.0.0.1:6379\"");
    WaymarkConfig.Redis redis = WaymarkConfig.Redis.at("redis://127.0.0.1:6379");
    redis =
        map.change(
            "url",
            redis,
            (r, url) ->
                new WaymarkConfig.Redis(
                    url.text(), r.credentials(), r.trustStore(), r.timeout(), r.namespace()));
    String user = map.read("user", ConfigValue::text).orElse("");
    String password = map.read("password", ConfigValue::text).orElse("");
    Optional<Credentials> credentials =
        user.isEmpty() && password.isEmpty()
            ? Optional.empty()
            : Optional.of(new Credentials(user, password));
    Optional<Path> trustStore =
        map.read("trustStore", ConfigReader::path).flatMap(Function.identity());
    if (trustStore.isPresent()
        && map.read("url", ConfigValue::text).orElse("").matches("redis(\\+cluster)?://.*")) {
      problems.add(
          map.placeOf("trustStore"),
          "redis.trustStore is for TLS, which redis.url does not ask for; write rediss:// in the"
              + " URL or take trustStore out");
    }
    redis =
        new WaymarkConfig.Redis(
            redis.url(), credentials, trustStore, redis.timeout(), redis.namespace());
    redis =
        map.change(
            "timeout",
            redis,
            (r, timeout) ->
                new WaymarkConfig.Redis(
                    r.url(), r.credentials(), r.trustStore(), timeout.duration(), r.namespace()));
    redis =
        map.change(
            "namespace",
            redis,
            (r, namespace) ->
                new WaymarkConfig.Redis(
                    r.url(), r.credentials(), r.trustStore(), r.timeout(), namespace.text()));
    return Optional.of(redis);
  }

  private static WaymarkConfig.Changes changes(ConfigMap map) {
    WaymarkConfig.Changes changes = WaymarkConfig.Changes.off();
    changes =
        map.change(
            "enabled",
            changes,
            (old, given) ->
                new WaymarkConfig.Changes(
                    given.truth(),
                    old.slot(),
                    old.publication(),
                    old.tables(),
                    old.interval(),
                    old.timeout(),
                    old.retain(),
                    old.rows()));
    changes =
        map.change(
            "slot",
            changes,
            (old, given) ->
                new WaymarkConfig.Changes(
                    old.enabled(),
                    given.text(),
                    old.publication(),
                    old.tables(),
                    old.interval(),
                    old.timeout(),
                    old.retain(),
                    old.rows()));
    changes =
        map.change(
            "publication",
            changes,
            (old, given) ->
                new WaymarkConfig.Changes(
                    old.enabled(),
                    old.slot(),
                    given.text(),
                    old.tables(),
                    old.interval(),
                    old.timeout(),
                    old.retain(),
                    old.rows()));
    changes =
        map.change(
            "tables",
            changes,
            (old, given) ->
                new WaymarkConfig.Changes(
                    old.enabled(),
                    old.slot(),
                    old.publication(),
                    given.changedTables(),
                    old.interval(),
                    old.timeout(),
                    old.retain(),
                    old.rows()));
    // The two are checked against each other: the one that makes room comes first.
    Duration interval = map.read("interval", ConfigValue::duration).orElse(changes.interval());
    boolean isLonger = interval.compareTo(changes.interval()) > 0;
    for (String setting :
        isLonger ? List.of("timeout", "interval") : List.of("interval", "timeout")) {
      changes =
          map.change(
              setting,
              changes,
              (old, given) ->
                  new WaymarkConfig.Changes(
                      old.enabled(),
                      old.slot(),
                      old.publication(),
                      old.tables(),
                      setting.equals("interval") ? given.duration() : old.interval(),
                      setting.equals("timeout") ? given.duration() : old.timeout(),
                      old.retain(),
                      old.rows()));
    }
    changes =
        map.change(
            "retain",
            changes,
            (old, given) ->
                new WaymarkConfig.Changes(
                    old.enabled(),
                    old.slot(),
                    old.publication(),
                    old.tables(),
                    old.interval(),
                    old.timeout(),
                    given.wholeNumber(),
                    old.rows()));
    return map.change(
        "rows",
        changes,
        (old, given) ->
            new WaymarkConfig.Changes(
                old.enabled(),
                old.slot(),
                old.publication(),
                old.tables(),
                old.interval(),
                old.timeout(),
                old.retain(),
                given.integer()));
  }

  private static Optional<Path> path(ConfigValue value) {
    if (value.text().isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(Path.of(value.text()));
    } catch (InvalidPathException impossible) {
      throw value.refused("the path of a file");
    }
  }

  private static Optional<String> text(Path file, Problems problems) {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      // Not Files.size: it says nothing about a pipe, and the file may grow meanwhile.
      bytes = in.readNBytes(YamlText.MAXIMUM_SIZE + 1);
    } catch (NoSuchFileException absent) {
      problems.add(
          Problems.Place.WHOLE_FILE,
          "there is no such file; it was looked for at " + file.toAbsolutePath());
      return Optional.empty();
    } catch (AccessDeniedException denied) {
      problems.add(
          Problems.Place.WHOLE_FILE,
          "the file may not be read; give the user of this process the right to");
      return Optional.empty();
    } catch (IOException unreadable) {
      problems.add(
          Problems.Place.WHOLE_FILE, "the file cannot be read: " + unreadable.getMessage());
      return Optional.empty();
    }
    if (bytes.length > YamlText.MAXIMUM_SIZE) {
      problems.add(Problems.Place.WHOLE_FILE, YamlText.TOO_LARGE);
      return Optional.empty();
    }
    CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    CharBuffer text = CharBuffer.allocate(bytes.length);
    if (decoder.decode(ByteBuffer.wrap(bytes), text, true).isError()) {
      String sound = text.flip().toString();
      problems.add(
          YamlText.placeOf(sound.length(), sound), "this is not UTF-8; save the file as UTF-8");
      return Optional.empty();
    }
    return Optional.of(text.flip().toString());
  }
}
