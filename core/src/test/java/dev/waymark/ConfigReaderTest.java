package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigReaderTest {
  /** The least that makes a configuration, 7 lines; sections of a test are appended. */
  static final String LEAST =
      """
      version: 7
      shards:
        shard-1: {nodes: [{url: "jdbc:postgresql://pg1a/app"}]}
        shard-2: {nodes: [{url: "jdbc:postgresql://pg2a/app"}]}
      ranges:
        - {from: 1, to: 500_000, shard: shard-1}
        - {from: 500_000, to: max, shard: shard-2}
      credentials: {user: app, password: secret}
      """;

  private static final String EVERYTHING =
      """
      version: 7
      tables:
        users:     {key: id}
        orders:    {key: user_id, broadcast: false}
        countries: {broadcast: true}
      shards:
        shard-1:
          nodes:
            - {url: "jdbc:postgresql://pg1a:5432/app"}
            - {url: "jdbc:postgresql://pg1b:5432/app", name: pg1b}
        shard-2: {nodes: [{url: "jdbc:postgresql://pg2a/app"}]}
      ranges:
        - {from: 500000, to: max, shard: shard-2}
        - {from: min, to: 500_000, shard: shard-1}
      credentials: {user: app, password: "${APP_DB_PASSWORD}"}
      pool:    {size: 20, connectTimeout: 2s, acquireTimeout: 300ms}
      calls:   {deadline: 1m, consistency: boundedStaleness(2s)}
      monitor: {interval: 1h, timeout: 1d}
      session: {secret: "${WAYMARK_SESSION_SECRET:}"}
      errors:  {keys: full}
      redis:
        url: rediss://127.0.0.1:6379
        user: cache
        password: "${REDIS_PASSWORD:}"
        trustStore: trust.p12
        timeout: 100ms
        namespace: shop
      changes:
        enabled: true
        slot: shop_cache
        publication: shop
        tables: given
        interval: 5s
        timeout: 1m
        retain: 64_000_000
        rows: 100
      """;

  @Test
  void everySettingArrives() {
    WaymarkConfig config =
        parse(
            EVERYTHING,
            Map.of("APP_DB_PASSWORD", "a: 'b' # }", "WAYMARK_SESSION_SECRET", "sixteen letters!"));

    assertThat(config.map())
        .isEqualTo(
            ShardMap.of(
                7,
                List.of(
                    new Shard(
                        "shard-1",
                        List.of(
                            new Node("pg1a:5432", "jdbc:postgresql://pg1a:5432/app"),
                            new Node("pg1b", "jdbc:postgresql://pg1b:5432/app"))),
                    new Shard(
                        "shard-2", List.of(new Node("pg2a:5432", "jdbc:postgresql://pg2a/app")))),
                List.of(
                    new OwnedRange(new KeyRange(Long.MIN_VALUE, 500_000), "shard-1"),
                    new OwnedRange(new KeyRange(500_000, Long.MAX_VALUE), "shard-2")),
                List.of(
                    new Table.Sharded("users", "id"),
                    new Table.Sharded("orders", "user_id"),
                    new Table.Broadcast("countries"))));
    assertThat(config.credentials()).isEqualTo(new Credentials("app", "a: 'b' # }"));
    assertThat(config.pool())
        .isEqualTo(new WaymarkConfig.Pool(20, Duration.ofSeconds(2), Duration.ofMillis(300)));
    assertThat(config.calls())
        .isEqualTo(
            new WaymarkConfig.Calls(
                Duration.ofMinutes(1), Consistency.boundedStaleness(Duration.ofSeconds(2))));
    assertThat(config.monitor())
        .isEqualTo(
            new WaymarkConfig.Monitor(
                Duration.ofHours(1), Duration.ofDays(1), Duration.ofHours(1), 200));
    assertThat(config.tokens()).hasToString("SessionTokenFormat[signed]");
    assertThat(config.keys()).isEqualTo(KeyRendering.FULL);
    assertThat(config.redis())
        .hasValue(
            new WaymarkConfig.Redis(
                "rediss://127.0.0.1:6379",
                Optional.of(new Credentials("cache", "")),
                Optional.of(Path.of("trust.p12")),
                Duration.ofMillis(100),
                "shop"));
    assertThat(config.changes())
        .isEqualTo(
            new WaymarkConfig.Changes(
                true,
                "shop_cache",
                "shop",
                WaymarkConfig.ChangedTables.GIVEN,
                Duration.ofSeconds(5),
                Duration.ofMinutes(1),
                64_000_000,
                100));
  }

  @Test
  void whatIsNotWrittenHasItsDefault() {
    WaymarkConfig config = parse(LEAST, Map.of());
    WaymarkConfig plain = WaymarkConfig.of(config.map(), config.credentials());

    assertThat(config.withTokens(plain.tokens())).isEqualTo(plain);
    assertThat(config.tokens()).hasToString("SessionTokenFormat[unsigned]");
  }

  @Test
  void changesThatCannotBeFollowedSoAreRefusedAtTheirSettings() {
    assertThat(
            problems(
                LEAST
                    + """
                    changes:
                      enabled: yes
                      slot: "My-Slot"
                      tables: some
                      interval: 5ms
                      timeout: 500ms
                      retain: 1000
                      rows: 0
                    """,
                Map.of()))
        .containsExactly(
            "10:12: changes.enabled must be true or false, not 'yes'",
            "11:9: changes.slot must be 1 to 40 lower-case letters, digits or underscores, not"
                + " 'My-Slot'",
            "12:11: changes.tables must be map, all or given, not 'some'",
            "13:13: changes.interval must be at least 10 ms, not 5 ms",
            "14:12: changes.timeout must be at least 1000 ms, not 500 ms",
            "15:11: changes.retain must be at least 16777216, not 1000",
            "16:9: changes.rows must be at least 1 and at most 1000000, not 0");
    assertThat(problems(LEAST + "changes: {interval: 1m, timeout: 2m}", Map.of()))
        .containsExactly("9:21: changes.timeout must be at least 240000 ms, not 120000 ms");
    assertThat(parse(LEAST + "changes: {interval: 1m, timeout: 4m}", Map.of()).changes().interval())
        .isEqualTo(Duration.ofMinutes(1));
  }

  @Test
  void quotesMakeNoDifference() {
    WaymarkConfig config =
        parse(LEAST.replace("version: 7", "version: '7'") + "pool: {size: \"12\"}", Map.of());

    assertThat(config.map().version()).isEqualTo(7);
    assertThat(config.pool().size()).isEqualTo(12);
  }

  @Test
  void emptySecretAndEmptyRedisPasswordMeanNone() {
    WaymarkConfig config =
        parse(
            LEAST
                + """
                session: {secret: ""}
                redis: {url: "redis://cache", user: "", password: "${NOT_SET:}", trustStore: ""}
                """,
            Map.of());

    assertThat(config.tokens()).hasToString("SessionTokenFormat[unsigned]");
    assertThat(config.redis()).hasValue(WaymarkConfig.Redis.at("redis://cache"));
  }

  @Test
  void variablesAreReplacedWithinTextAndEscapedByASecondDollar() {
    WaymarkConfig config =
        parse(
            LEAST
                .replace("//pg1a/app", "//${HOST}:${PORT:6432}/app")
                .replace("password: secret", "password: \"$5 $${HOST} ${EMPTY:unused}\""),
            Map.of("HOST", "db", "EMPTY", ""));

    assertThat(config.map().shards().get(0).nodes().get(0).name()).isEqualTo("db:6432");
    assertThat(config.credentials().password()).isEqualTo("$5 ${HOST} ");
  }

  @Test
  void everyProblemIsReportedAtOnceInTheOrderOfTheFile() {
    assertThat(
            problems(
                """
                version: 0
                tables:
                  users: {key: id, broadcast: true}
                  orders: {broadcast: false}
                  logs: {}
                shards:
                  shard-1:
                    nodes:
                      - {url: "jdbc:postgresql://pg1a/app"}
                      - {url: "jdbc:postgresql://app:hunter2@pg1b/app"}
                      - {name: nameless}
                  shard-2: {nodes: [{url: "jdbc:postgresql://pg1a:5432/other"}]}
                  shard-3: {nodes: []}
                  shard-4:
                ranges:
                  - {from: 1, to: 10, shard: shard-1}
                  - {from: 10, to: 20, shard: shard-3}
                  - {from: 30, to: 40, shard: shard-9}
                  - {from: 35, to: 50, shard: shard-4}
                  - {from: 60, to: 50, shard: shard-1}
                credentials: {user: "", password: "${MISSING}"}
                pool: {sise: 10, conectTimeout: 5, acquireTimeout: 5}
                calls: {deadline: 0s, consistency: Strong}
                monitor: [50ms]
                session: {secret: hunter2}
                errors: {keys: some}
                redis: {timeout: 1min, namespace: "a b", foo: bar}
                cache: {}
                """,
                Map.of()))
        .containsExactly(
            "1:10: version must be at least 1, not '0'",
            "3:31: tables.users has both a key and broadcast: true; keep the key if each shard holds"
                + " the rows of its own keys, or broadcast: true if every shard holds all rows",
            "4:11: tables.orders.key is missing; write for example key: user_id, or broadcast: true"
                + " if every shard holds all rows",
            "5:9: tables.logs.key is missing; write for example key: user_id, or broadcast: true if"
                + " every shard holds all rows",
            "10:15: shards.shard-1.nodes[1].url holds credentials; write them under 'credentials'",
            "11:9: shards.shard-1.nodes[2].url is missing; write for example url:"
                + " \"jdbc:postgresql://pg1:5432/app\"",
            "12:27: server pg1a:5432 is listed twice; each node must be a server of its own (the"
                + " other is on line 9)",
            "13:20: shards.shard-3.nodes is empty; list at least one node",
            "14:11: shards.shard-4 has no value; write a map of settings or take it out",
            "18:12: no range owns the keys [20, 30); let the range before end at 30 (the other is on"
                + " line 17)",
            "18:31: no shard is called shard-9; define it under 'shards' or name another",
            "19:12: two ranges own the keys [35, 40); let only one of them own these (the other is on"
                + " line 18)",
            "20:20: the range from 60 to 50 holds no key; write a 'to' that is greater than its"
                + " 'from'",
            "21:21: credentials.user must not be empty",
            "21:35: credentials.password needs the environment variable MISSING, which is not set;"
                + " set it, or write ${MISSING:a default}",
            "22:8: unknown setting pool.sise; write size",
            "22:18: unknown setting pool.conectTimeout; write connectTimeout",
            "22:52: pool.acquireTimeout must be a duration with its unit, such as 50ms or 1s, not"
                + " '5'",
            "23:19: calls.deadline must be at least 1 ms, not 0 ms",
            "23:36: calls.consistency must be strong, session, eventual or boundedStaleness(2s), not"
                + " 'Strong'",
            "24:10: monitor must be a map of settings, not a list",
            "25:19: The secret of session tokens must have at least 16 characters, not (hidden)",
            "26:16: errors.keys must be none, fingerprint or full, not 'some'",
            "27:8: redis.url is missing; write for example url: \"redis://127.0.0.1:6379\"",
            "27:18: redis.timeout must be a duration such as 50ms, 1s, 2m, 1h or 1d, not '1min'",
            "27:35: redis.namespace must be 1 to 64 letters, digits, dots, dashes or underscores, not"
                + " 'a b'",
            "27:42: unknown setting redis.foo; the settings here are url, user, password, trustStore,"
                + " timeout, namespace",
            "28:1: unknown setting cache; the settings here are version, tables, shards, ranges,"
                + " credentials, pool, calls, reads, hedging, lag, monitor, session, errors, redis,"
                + " changes");
  }

  @Test
  void emptyFileIsTheOnlyProblemItHas() {
    String message =
        "1:1: the file is empty; write at least version, shards, ranges and credentials";

    assertThat(problems("", Map.of())).containsExactly(message);
    assertThat(problems("# nothing yet\n\n", Map.of())).containsExactly(message);
    assertThat(problems("---\n", Map.of())).containsExactly(message);
  }

  @Test
  void missingSectionsAreNamedOnce() {
    assertThat(problems("pool: {size: 10}", Map.of()))
        .containsExactly(
            "1:1: version is missing; write for example version: 1",
            "1:1: shards is missing; write for example shards: {shard-1: {nodes: [{url:"
                + " \"jdbc:postgresql://pg1/app\"}]}}",
            "1:1: ranges is missing; write for example ranges: [{from: 1, to: max, shard:"
                + " shard-1}]",
            "1:1: credentials is missing; write for example credentials: {user: app, password:"
                + " \"${APP_DB_PASSWORD}\"}");
    assertThat(
            problems(
                LEAST.replaceAll("(?s)shards:.*?ranges:.*?cred", "shards: {}\nranges: []\ncred"),
                Map.of()))
        .containsExactly(
            "2:9: the map has no shards; write at least one",
            "3:9: the map has no ranges; write at least one");
  }

  @Test
  void mistypedSettingIsNotMissingAsWell() {
    assertThat(problems(LEAST.replace("version", "versoin").replace("ranges", "range"), Map.of()))
        .containsExactly(
            "1:1: unknown setting versoin; write version",
            "5:1: unknown setting range; write ranges");
  }

  @Test
  void fileThatIsNoMapIsRefused() {
    assertThat(problems("- 1", Map.of()))
        .containsExactly("1:1: the file must be a map of settings, not a list");
    assertThat(problems("hello", Map.of()))
        .containsExactly("1:1: the file must be a map of settings, not a single value");
  }

  @Test
  void settingWrittenTwiceIsReportedAtTheSecond() {
    assertThat(
            problems(
                LEAST + "pool: {size: 1}\npool: {size: x}\ncalls: {deadline: 1s, deadline: 2s}",
                Map.of()))
        .containsExactly(
            "10:1: pool is written twice, first on line 9; keep one of them",
            "11:23: calls.deadline is written twice, first on line 11; keep one of them");
  }

  @Test
  void shardWrittenTwiceIsReportedOnceAndItsNodesAreRead() {
    assertThat(
            problems(
                LEAST.replace("shard-2: {nodes: [{url:", "shard-1: {nodes: [{name: pg2, uri:"),
                Map.of()))
        .containsExactly(
            "4:3: shards.shard-1 is written twice, first on line 3; keep one of them",
            "4:33: unknown setting shards.shard-1.nodes[0].uri; write url",
            "7:37: no shard is called shard-2; define it under 'shards' or name another");
  }

  @Test
  void shardsThatCannotBeReadMakeNoShardUnknown() {
    assertThat(problems(LEAST.replaceAll("(?s)shards:.*?ranges:", "shards: 5\nranges:"), Map.of()))
        .containsExactly("2:9: shards must be a map from names to settings, not a single value");
    assertThat(problems(LEAST.replace("[{url: \"jdbc:postgresql://pg1a/app\"}]", "[{}]"), Map.of()))
        .containsExactly(
            "3:21: shards.shard-1.nodes[0].url is missing; write for example url:"
                + " \"jdbc:postgresql://pg1:5432/app\"");
  }

  @Test
  void gapThatABrokenRangeMayFillIsNotReported() {
    String ranges =
        """
        version: 1
        credentials: {user: app}
        shards: {s: {nodes: [{url: "jdbc:postgresql://pg1a/app"}]}}
        ranges:
          - {from: 1, to: 10, shard: s}
          - {from: 10, to: 2O, shard: s}
          - {from: 20, to: 30, shard: s}
          - {from: 40, to: 50, shard: s}
        """;

    assertThat(problems(ranges, Map.of()))
        .containsExactly(
            "6:20: ranges[1].to must be a whole number or max, not '2O'",
            "8:12: no range owns the keys [30, 40); let the range before end at 40 (the other is on"
                + " line 7)");
    assertThat(problems(ranges.replace("from: 10, to: 2O", "from: lO, to: 20"), Map.of()))
        .containsExactly(
            "6:12: ranges[1].from must be a whole number or min, not 'lO'",
            "8:12: no range owns the keys [30, 40); let the range before end at 40 (the other is on"
                + " line 7)");
    assertThat(problems(ranges.replace("from: 10, to: 2O", "from: 20, to: 10"), Map.of()))
        .containsExactly(
            "6:20: the range from 20 to 10 holds no key; write a 'to' that is greater than its"
                + " 'from'",
            "8:12: no range owns the keys [30, 40); let the range before end at 40 (the other is on"
                + " line 7)");
    assertThat(problems(ranges.replace("{from: 10, to: 2O, shard: s}", "5"), Map.of()))
        .containsExactly("6:5: ranges[1] must be a map of settings, not a single value");
  }

  @Test
  void valuesFromTheEnvironmentAreNeverShown() {
    Map<String, String> environment =
        Map.of(
            "A",
            "hunter2",
            "N",
            "4711",
            "M",
            "4712",
            "D",
            "4713",
            "URL",
            "jdbc:postgresql://h4714/x");

    assertThat(
            problems(
                """
                version: ${A}
                shards:
                  s:
                    nodes:
                      - {url: "${URL}"}
                      - {url: "jdbc:postgresql://h4714:5432/y"}
                      - {url: "jdbc:postgresql://pg1:${A}/y"}
                      - {url: "jdbc:postgresql://pg2/y", name: "x${N}"}
                      - {url: "jdbc:postgresql://pg3/y", name: x4711}
                ranges:
                  - {from: 1, to: "${N}", shard: s}
                  - {from: "${M}", to: 5000, shard: "${A}"}
                  - {from: "${D}", to: 6000, shard: s}
                  - {from: 0, to: "-${N}", shard: s}
                credentials: {user: app}
                pool: {size: "-${N}", connectTimeout: "${N}", acquireTimeout: "${N:1}${A:2}"}
                calls: {deadline: "${MISSING:0}ms", consistency: "boundedStaleness(${N})"}
                session: {secret: "${A}"}
                errors: {keys: "${A}"}
                redis: {url: "${A}", namespace: "${A} ", timeout: "${A}"}
                """,
                environment))
        .containsExactly(
            "1:10: version must be a whole number, not (the value of ${A})",
            "6:15: server (the value of ${URL}) is listed twice; each node must be a server of its"
                + " own (the other is on line 5)",
            "7:15: shards.s.nodes[2].url has a port that is not a number; write host:5432, and an"
                + " IPv6 address as [::1]:5432",
            "9:48: node (the value of ${N}) is defined twice; give the second one a name of its own"
                + " (the other is on line 8)",
            "12:12: no range owns the keys between the range on line 11 and this one; let the range"
                + " before end where this one starts",
            "12:37: no shard is called (the value of ${A}); define it under 'shards' or name another",
            "13:12: this range and the one on line 12 own the same keys; let only one of them own"
                + " each key",
            "14:19: the range from 0 to (the value of ${N}) holds no key; write a 'to' that is"
                + " greater than its 'from'",
            "16:14: pool.size must be at least 1, not (the value of ${N})",
            "16:39: pool.connectTimeout must be a duration with its unit, such as 50ms or 1s, not"
                + " (the value of ${N})",
            "16:63: pool.acquireTimeout must be a duration such as 50ms, 1s, 2m, 1h or 1d, not (the"
                + " value of ${N} and ${A})",
            "17:19: calls.deadline must be at least 1 ms, not (the value of ${MISSING})",
            "17:50: calls.consistency must be a duration with its unit, such as 50ms or 1s, not (the"
                + " value of ${N})",
            "18:19: The secret of session tokens must have at least 16 characters, not (the value of"
                + " ${A})",
            "19:16: errors.keys must be none, fingerprint or full, not (the value of ${A})",
            "20:14: redis.url must look like redis://host:6379 (rediss:// for TLS;"
                + " redis+cluster://host:6379,host:6379 for a cluster), without user and password",
            "20:33: redis.namespace must be 1 to 64 letters, digits, dots, dashes or underscores, not"
                + " (the value of ${A})",
            "20:51: redis.timeout must be a duration such as 50ms, 1s, 2m, 1h or 1d, not (the value"
                + " of ${A})");
  }

  @Test
  void passwordThatYamlMisunderstandsIsNotShown() {
    assertThat(problems("credentials: {user: app, password:hunter2}\n", Map.of()))
        .contains(
            "1:26: credentials.password has no space after its colon; write 'password: ' and the"
                + " value");
    assertThat(problems("credentials:\n  password: *hunter2\n", Map.of()))
        .containsExactly(
            "2:13: this is not YAML: an alias without its anchor; put a value that starts with '*'"
                + " in quotes");
    assertThat(problems("credentials:\n  password: !hunter!2 x\n", Map.of()))
        .containsExactly(
            "2:13: this is not YAML: an unknown tag; put a value that starts with '!' in quotes");
    assertThat(problems(LEAST.replace("password: secret", "password: !hunter2 x"), Map.of()))
        .containsExactly(
            "8:36: credentials.password has a YAML tag, which means nothing here; write it without");
    assertThat(problems(LEAST.replace("password: secret", "password: [hunter2]"), Map.of()))
        .containsExactly("8:36: credentials.password must be a single value, not a list");
    assertThat(problems(LEAST.replace("password: secret", "password:"), Map.of()))
        .containsExactly(
            "8:35: credentials.password has no value; write a single value or take it out");
  }

  @Test
  void variableWithoutQuotesInAFlowMapGetsAHint() {
    assertThat(problems("credentials: {user: app, password: ${APP_DB_PASSWORD}}\n", Map.of()))
        .containsExactly(
            "1:37: this is not YAML: expected ',' or '}', but got {; between { and }, put ${...} in"
                + " quotes");
  }

  @Test
  void brokenPlaceholderIsExplained() {
    for (String broken : List.of("${", "${}", "${A", "${1A}", "x${A B}")) {
      assertThat(
              problems(LEAST.replace("password: secret", "password: '" + broken + "'"), Map.of()))
          .containsExactly(
              "8:36: credentials.password holds a '${' that starts no variable; write ${NAME} or"
                  + " ${NAME:default}, or $${ for the two characters themselves");
    }
    assertThat(problems(LEAST + "tables: {\"${T}\": {key: id}, \"\": {key: id}}", Map.of()))
        .containsExactly(
            "9:10: variables are not replaced in names, such as those under tables; write the name"
                + " itself",
            "9:29: a name under tables is empty; write one");
  }

  @Test
  void malformedYamlIsReportedWhereItBreaks() {
    assertThat(problems("version: 7\npool: {size: 1\n", Map.of()))
        .containsExactly("3:1: this is not YAML: expected ',' or '}', but got <stream end>");
    assertThat(problems("version: 7\n\tpool: 1\n", Map.of()))
        .containsExactly(
            "2:1: this is not YAML: found character '\\t(TAB)' that cannot start any token. (Do not"
                + " use \\t(TAB) for indentation)");
    assertThat(problems("version: 7\nname: \u0007\n", Map.of()))
        .containsExactly("2:7: this is not YAML: a control character stands here; take it out");
    assertThat(problems("%YAML 2.0\n---\n" + LEAST, Map.of()))
        .containsExactly("1:1: the file asks for another version of YAML; take out its %YAML line");
    assertThat(problems(LEAST + "---\nversion: 8\n", Map.of()))
        .containsExactly("9:1: a second YAML document starts here; keep one and take out '---'");
    assertThat(problems(LEAST + "? [a]\n: 1\n", Map.of()))
        .containsExactly("9:3: a name must be plain text");
  }

  @Test
  void structuresThatOnlyAnAttackerWritesAreRefused() {
    assertThat(problems("a: " + "[".repeat(100_000), Map.of()))
        .containsExactly("1:35: maps and lists are nested too deeply here; no setting needs that");
    assertThat(problems("a: &a [x]\nb: [" + "*a, ".repeat(200) + "]\n", Map.of()))
        .containsExactly("0:0: the file has too many YAML aliases; write the values out");
    assertThat(problems("pool: &p {size: *p}\n" + LEAST, Map.of()))
        .containsExactly("1:7: pool.size must be a single value, not a map");
    assertThat(problems("#".repeat(1 + (1 << 20)), Map.of()))
        .containsExactly("0:0: the file is larger than 1 MiB; a configuration is smaller");
  }

  @Test
  void aliasIsReadWhereItIsUsed() {
    WaymarkConfig config =
        parse(LEAST + "pool: {connectTimeout: &t 2s, acquireTimeout: *t}\n", Map.of());

    assertThat(config.pool().acquireTimeout()).isEqualTo(Duration.ofSeconds(2));
  }

  @Test
  void numbersThatDoNotFitAreRefused() {
    assertThat(
            problems(
                LEAST.replace("version: 7", "version: 9223372036854775808")
                    + """
                    pool: {size: 2147483648, connectTimeout: 999999d}
                    monitor: {interval: -1s, timeout: 99999999999999999999s}
                    calls: {deadline: "", consistency: boundedStaleness(0s)}
                    """,
                Map.of()))
        .containsExactly(
            "1:10: version must be a whole number of at most 64 bits, not '9223372036854775808'",
            "9:14: pool.size must be at most 2147483647, not '2147483648'",
            "9:42: pool.connectTimeout must be a duration of at most 106751d, not '999999d'",
            "10:21: monitor.interval must be a duration such as 50ms, 1s, 2m, 1h or 1d, not '-1s'",
            "10:35: monitor.timeout must be a duration such as 50ms, 1s, 2m, 1h or 1d, not"
                + " '99999999999999999999s'",
            "11:19: calls.deadline must be a duration such as 50ms, 1s, 2m, 1h or 1d, not ''",
            "11:36: calls.consistency must be older than nothing, such as boundedStaleness(2s), not"
                + " 'boundedStaleness(0s)'");
  }

  @Test
  void trustStoreWithoutTlsIsAContradiction() {
    assertThat(problems(LEAST + "redis: {url: 'redis://cache', trustStore: t.p12}", Map.of()))
        .containsExactly(
            "9:43: redis.trustStore is for TLS, which redis.url does not ask for; write rediss:// in"
                + " the URL or take trustStore out");
  }

  @Test
  void fileIsReadAsUtf8WithOrWithoutAByteOrderMark(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("waymark.yaml");
    Files.writeString(file, "\uFEFF" + LEAST.replace("secret", "geheim-\u00fc"));

    assertThat(ConfigReader.load(file, Map.<String, String>of()::get).credentials().password())
        .isEqualTo("geheim-\u00fc");
  }

  @Test
  void fileThatCannotBeReadIsAProblemOfTheFile(@TempDir Path folder) throws IOException {
    Path missing = folder.resolve("missing.yaml");
    Path latin =
        Files.write(
            folder.resolve("latin.yaml"), "a: 1\nb: \u00fc".getBytes(StandardCharsets.ISO_8859_1));
    Path large = Files.write(folder.resolve("large.yaml"), new byte[1 + (1 << 20)]);

    assertThat(problems(missing))
        .containsExactly(missing + ": there is no such file; it was looked for at " + missing);
    assertThat(problems(latin))
        .containsExactly(latin + ":2:4: this is not UTF-8; save the file as UTF-8");
    assertThat(problems(large))
        .containsExactly(large + ": the file is larger than 1 MiB; a configuration is smaller");
    assertThat(problems(folder))
        .singleElement()
        .asString()
        .startsWith(folder + ": the file cannot be read: ");
  }

  @Test
  void messageNamesTheFileAndEachPlace() {
    ConfigurationException refused =
        catchThrowableOfType(
            ConfigurationException.class,
            () -> WaymarkConfig.parse(LEAST + "pool: {size: 0}", "waymark.yaml", name -> null));

    assertThat(refused)
        .hasMessage(
            "The configuration has a problem:\n"
                + "  waymark.yaml:9:14: pool.size must be at least 1, not 0");
    assertThat(refused.outcome()).isEqualTo(Outcome.NOT_SENT);
  }

  @Test
  void nearestNameForgivesASlipInThreeLetters() {
    List<String> names = ConfigSection.POOL.settings();

    assertThat(NearestName.of("Size", names)).hasValue("size");
    assertThat(NearestName.of("szie", names)).hasValue("size");
    assertThat(NearestName.of("acquiretimeuot", names)).hasValue("acquireTimeout");
    assertThat(NearestName.of("length", names)).isEmpty();
    assertThat(NearestName.distance("", "abc")).isEqualTo(3);
    assertThat(NearestName.distance("abcd", "acbd")).isEqualTo(1);
  }

  private static WaymarkConfig parse(String yaml, Map<String, String> environment) {
    return WaymarkConfig.parse(yaml, "waymark.yaml", environment::get);
  }

  /** The problems as {@code line:column: message}. */
  static List<String> problems(String yaml, Map<String, String> environment) {
    ConfigurationException refused =
        catchThrowableOfType(ConfigurationException.class, () -> parse(yaml, environment));
    return refused.problems().stream()
        .map(problem -> problem.line() + ":" + problem.column() + ": " + problem.message())
        .toList();
  }

  private static List<String> problems(Path file) {
    ConfigurationException refused =
        catchThrowableOfType(ConfigurationException.class, () -> WaymarkConfig.load(file));
    return Arrays.stream(refused.problems().toArray()).map(Object::toString).toList();
  }
}
