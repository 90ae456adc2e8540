package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** The JSON Schema and the settings page say what the reader does. */
class SettingsDocumentsTest {
  private static final Path DOCS = Path.of("..", "docs");

  /**
   * Where each section stands: its path in the schema, and what the page puts before its settings.
   */
  private static final Map<ConfigSection, Place> PLACES =
      Map.ofEntries(
          Map.entry(ConfigSection.ROOT, new Place("", "")),
          Map.entry(ConfigSection.TABLE, new Place("$defs/table", "tables.*.")),
          Map.entry(ConfigSection.SHARD, new Place("$defs/shard", "shards.*.")),
          Map.entry(ConfigSection.NODE, new Place("$defs/node", "shards.*.nodes[].")),
          Map.entry(ConfigSection.RANGE, new Place("$defs/range", "ranges[].")),
          Map.entry(ConfigSection.CREDENTIALS, new Place("properties/credentials", "credentials.")),
          Map.entry(ConfigSection.POOL, new Place("properties/pool", "pool.")),
          Map.entry(ConfigSection.CALLS, new Place("properties/calls", "calls.")),
          Map.entry(ConfigSection.MONITOR, new Place("properties/monitor", "monitor.")),
          Map.entry(ConfigSection.SESSION, new Place("properties/session", "session.")),
          Map.entry(ConfigSection.READS, new Place("properties/reads", "reads.")),
          Map.entry(ConfigSection.HEDGING, new Place("properties/hedging", "hedging.")),
          Map.entry(ConfigSection.LAG, new Place("properties/lag", "lag.")),
          Map.entry(ConfigSection.ERRORS, new Place("properties/errors", "errors.")),
          Map.entry(ConfigSection.REDIS, new Place("properties/redis", "redis.")),
          Map.entry(ConfigSection.CHANGES, new Place("properties/changes", "changes.")));

  private record Place(String inSchema, String onPage) {}

  private final Map<?, ?> schema = schema();

  @TestFactory
  Stream<DynamicTest> sectionOfTheSchemaHasTheSettingsOfTheReader() {
    return Stream.of(ConfigSection.values())
        .map(
            section ->
                DynamicTest.dynamicTest(
                    section.name(),
                    () -> {
                      Map<?, ?> part = at(place(section).inSchema());
                      assertThat(properties(part).keySet().stream().map(Object::toString))
                          .containsExactlyElementsOf(section.settings());
                      assertThat(part.get("additionalProperties")).isEqualTo(false);
                    }));
  }

  @Test
  void everyMapOfTheSchemaWithSettingsIsASectionOfTheReader() {
    List<Map<?, ?>> found = new ArrayList<>();
    collectMapsWithSettings(schema, found);

    assertThat(found).hasSameSizeAs(ConfigSection.values());
    assertThat(found).allSatisfy(map -> assertThat(map.get("description")).isNotNull());
    assertThat(found)
        .flatExtracting(map -> properties(map).values())
        .allSatisfy(setting -> assertThat(((Map<?, ?>) setting).get("description")).isNotNull());
  }

  @Test
  void settingsThatTheSchemaRequiresAreThoseTheReaderMisses() {
    assertThat(
            problemsWithout(
                "version: 1\n", "shards.*?\nranges", "ranges:.*?\n", "credentials.*?\n"))
        .isEqualTo(required(ConfigSection.ROOT));
    assertThat(problemsWithout("user: app, "))
        .isEqualTo(prefixed("credentials", ConfigSection.CREDENTIALS));
    assertThat(problemsWithout("url: 'redis://cache'"))
        .isEqualTo(prefixed("redis", ConfigSection.REDIS));
    assertThat(problemsWithout("nodes: \\[.*?\\]"))
        .isEqualTo(prefixed("shards.s", ConfigSection.SHARD));
    assertThat(problemsWithout("url: 'jdbc.*?'"))
        .isEqualTo(prefixed("shards.s.nodes[0]", ConfigSection.NODE));
    assertThat(problemsWithout("from: 1,", "to: 2,", "shard: s"))
        .isEqualTo(prefixed("ranges[0]", ConfigSection.RANGE));
  }

  @Test
  void defaultsOfTheSchemaAreThoseOfTheReader() {
    String redis = "redis: {url: 'redis://cache'}\n";
    StringBuilder written = new StringBuilder();
    for (ConfigSection section :
        List.of(
            ConfigSection.POOL,
            ConfigSection.CALLS,
            ConfigSection.READS,
            ConfigSection.HEDGING,
            ConfigSection.LAG,
            ConfigSection.MONITOR,
            ConfigSection.SESSION,
            ConfigSection.ERRORS,
            ConfigSection.REDIS,
            ConfigSection.CHANGES)) {
      String name = place(section).onPage();
      written.append(name, 0, name.length() - 1).append(":\n");
      properties(at(place(section).inSchema()))
          .forEach(
              (setting, part) -> {
                Object defaultValue = ((Map<?, ?>) part).get("default");
                if (setting.equals("url")) {
                  defaultValue = "redis://cache";
                }
                assertThat(defaultValue).as("default of " + setting).isNotNull();
                written.append("  %s: \"%s\"\n".formatted(setting, defaultValue));
              });
    }
    WaymarkConfig expected = parse(SOUND + redis);
    WaymarkConfig actual = parse(SOUND + written);

    assertThat(actual.tokens()).hasToString(expected.tokens().toString());
    assertThat(actual.withTokens(expected.tokens())).isEqualTo(expected);
  }

  @Test
  void everySettingHasOneRowOnThePageWithTheDefaultOfTheSchema() {
    Map<String, Map<?, ?>> settings = new LinkedHashMap<>();
    for (ConfigSection section : ConfigSection.values()) {
      properties(at(place(section).inSchema()))
          .forEach(
              (name, part) ->
                  settings.put(
                      place(section).onPage() + name, (Map<?, ?>) Objects.requireNonNull(part)));
    }
    // What holds other settings has no row of its own.
    List.of(
            "tables",
            "shards",
            "ranges",
            "credentials",
            "pool",
            "calls",
            "reads",
            "hedging",
            "lag",
            "monitor",
            "session",
            "errors",
            "redis",
            "changes",
            "shards.*.nodes")
        .forEach(settings::remove);
    Map<String, String[]> rows = new LinkedHashMap<>();
    page()
        .lines()
        .filter(line -> line.startsWith("| `"))
        .map(line -> line.split("\\s*\\|\\s*"))
        .forEach(cells -> assertThat(rows.put(cells[1].replace("`", ""), cells)).isNull());

    assertThat(rows.keySet()).containsExactlyInAnyOrderElementsOf(settings.keySet());
    rows.forEach(
        (setting, cells) -> {
          assertThat(cells).as(setting).hasSize(7);
          assertThat(List.of(cells).subList(1, 7)).as(setting).doesNotContain("");
          Object defaultValue = Objects.requireNonNull(settings.get(setting)).get("default");
          if (defaultValue != null) {
            String shown = defaultValue.equals("") ? "\"\"" : defaultValue.toString();
            assertThat(cells[4]).as("default of " + setting).isEqualTo("`" + shown + "`");
          }
        });
  }

  @Test
  void wholeFileOnThePageIsReadAsItStands() {
    String page = page();
    int start = page.indexOf("```yaml", page.indexOf("## A whole file")) + "```yaml".length();
    String yaml = page.substring(start, page.indexOf("```", start));

    WaymarkConfig config =
        WaymarkConfig.parse(yaml, "settings.md", Map.of("APP_DB_PASSWORD", "x")::get);

    assertThat(config.map().shards()).hasSize(2);
    assertThat(config.redis()).hasValue(WaymarkConfig.Redis.at("redis://127.0.0.1:6379"));
  }

  private static final String SOUND =
      """
      version: 1
      shards: {s: {nodes: [{url: 'jdbc:postgresql://pg/x'}]}}
      ranges: [{from: 1, to: 2, shard: s}]
      credentials: {user: app, password: x}
      """;

  /** The settings that the reader calls missing when these are taken out. */
  private static List<String> problemsWithout(String... patterns) {
    String yaml = SOUND + "redis: {url: 'redis://cache'}\n";
    for (String pattern : patterns) {
      yaml = yaml.replaceFirst(pattern, pattern.endsWith("ranges") ? "ranges" : "");
    }
    return ConfigReaderTest.problems(yaml, Map.of()).stream()
        .map(problem -> problem.replaceFirst("^[0-9]+:[0-9]+: (\\S+) is missing; .*$", "$1"))
        .toList();
  }

  private List<String> required(ConfigSection section) {
    List<String> required = new ArrayList<>();
    ((List<?>) Objects.requireNonNull(at(place(section).inSchema()).get("required")))
        .forEach(name -> required.add(String.valueOf(name)));
    return required;
  }

  private List<String> prefixed(String path, ConfigSection section) {
    return required(section).stream().map(name -> path + "." + name).toList();
  }

  private static Place place(ConfigSection section) {
    return Objects.requireNonNull(PLACES.get(section));
  }

  private Map<?, ?> at(String path) {
    Map<?, ?> part = schema;
    for (String step : path.split("/")) {
      part = step.isEmpty() ? part : (Map<?, ?>) Objects.requireNonNull(part.get(step), path);
    }
    return part;
  }

  private static Map<?, ?> properties(Map<?, ?> part) {
    return (Map<?, ?>) Objects.requireNonNull(part.get("properties"));
  }

  private static void collectMapsWithSettings(Object part, List<Map<?, ?>> found) {
    if (part instanceof Map<?, ?> map) {
      if (map.get("properties") instanceof Map<?, ?>) {
        found.add(map);
      }
      map.values().forEach(value -> collectMapsWithSettings(value, found));
    } else if (part instanceof List<?> list) {
      list.forEach(value -> collectMapsWithSettings(value, found));
    }
  }

  private static WaymarkConfig parse(String yaml) {
    return WaymarkConfig.parse(yaml, "waymark.yaml", name -> null);
  }

  /** JSON is YAML. */
  private static Map<?, ?> schema() {
    return (Map<?, ?>)
        new Load(LoadSettings.builder().build()).loadFromString(read("waymark.schema.json"));
  }

  private static String page() {
    return read("settings.md");
  }

  private static String read(String file) {
    try {
      return Files.readString(DOCS.resolve(file));
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }
}
