package dev.waymark;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/**
 * One map of the file and the settings in it. Nothing here throws: what is wrong is collected, and
 * what was asked for is then empty, like a setting that is not there. Each problem is reported
 * once, where it is; a map that is absent or broken has no further problems.
 */
final class ConfigMap {
  /** Where the reading takes its problems to and its variables from. */
  record Scope(Problems problems, Function<String, @Nullable String> environment) {}

  private final Scope scope;
  private final String name;
  private final String path;
  private final Problems.Place place;

  /** Null for a map that is absent or broken. */
  private final @Nullable Map<String, Node> settings;

  /** Known settings that an unknown one was probably meant to be: they do not count as missing. */
  private final Set<String> mistyped = new HashSet<>();

  private ConfigMap(
      Scope scope,
      String name,
      String path,
      Problems.Place place,
      @Nullable Map<String, Node> settings) {
    this.scope = scope;
    this.name = name;
    this.path = path;
    this.place = place;
    this.settings = settings;
  }

  /** The map that is the whole file. */
  static ConfigMap root(Scope scope, Node node) {
    return of(scope, "", "", node, ConfigSection.ROOT);
  }

  private static ConfigMap of(
      Scope scope, String name, String path, Node node, ConfigSection section) {
    Problems.Place place = Problems.Place.of(node);
    if (!(node instanceof MappingNode mapping) || isTagged(node)) {
      scope.problems.add(place, wrongKind(path, "a map of settings", node));
      return new ConfigMap(scope, name, path, place, null);
    }
    ConfigMap map = new ConfigMap(scope, name, path, place, new LinkedHashMap<>());
    for (Entry entry : map.entries(mapping)) {
      if (entry.isFirst()) {
        map.add(entry, section);
      }
    }
    return map;
  }

  private void add(Entry entry, ConfigSection section) {
    if (section.settings().contains(entry.name())) {
      settings().put(entry.name(), entry.value());
      return;
    }
    int colon = entry.name().indexOf(':');
    if (colon > 0 && section.settings().contains(entry.name().substring(0, colon))) {
      // "password:abc" is one word to YAML. What follows the colon may be a secret.
      String meant = entry.name().substring(0, colon);
      mistyped.add(meant);
      scope.problems.add(
          entry.place(),
          pathOf(meant) + " has no space after its colon; write '" + meant + ": ' and the value");
      return;
    }
    List<String> free = new ArrayList<>(section.settings());
    free.removeAll(settings().keySet());
    Optional<String> nearest = NearestName.of(entry.name(), free);
    nearest.ifPresent(mistyped::add);
    scope.problems.add(
        entry.place(),
        "unknown setting "
            + pathOf(Problems.printable(entry.name()))
            + nearest
                .map(near -> "; write " + near)
                .orElse("; the settings here are " + String.join(", ", section.settings())));
  }

  private Map<String, Node> settings() {
    return settings == null ? Map.of() : settings;
  }

  /** Whether the map is there and is one. */
  boolean isPresent() {
    return settings != null;
  }

  /** The name that the map has in the map around it; empty for others. */
  String name() {
    return name;
  }

  /** The name with the names of the maps around it, as messages show it. */
  String path() {
    return path;
  }

  /** Whether a setting is written here, soundly or not. */
  boolean has(String setting) {
    return settings().containsKey(setting);
  }

  /** Where the map starts. */
  Problems.Place place() {
    return place;
  }

  /** Where a setting's value starts; the map's own place if the setting is not there. */
  Problems.Place placeOf(String setting) {
    Node node = settings().get(setting);
    return node == null ? place : Problems.Place.of(node);
  }

  /** A map below this one; {@link #isPresent} tells whether it is there. */
  ConfigMap section(String setting, ConfigSection section) {
    Node node = settings().get(setting);
    return node == null
        ? new ConfigMap(scope, setting, pathOf(setting), place, null)
        : of(scope, setting, pathOf(setting), node, section);
  }

  /** The maps of a list, each as it is or broken; empty if there is no list. */
  Optional<List<ConfigMap>> listed(String setting, ConfigSection section) {
    Node node = settings().get(setting);
    if (node == null) {
      return Optional.empty();
    }
    if (!(node instanceof SequenceNode sequence) || isTagged(node)) {
      scope.problems.add(Problems.Place.of(node), wrongKind(pathOf(setting), "a list", node));
      return Optional.empty();
    }
    List<ConfigMap> items = new ArrayList<>();
    for (Node item : sequence.getValue()) {
      items.add(of(scope, "", pathOf(setting) + "[" + items.size() + "]", item, section));
    }
    return Optional.of(items);
  }

  /** The maps of a map from free names, each as it is or broken; empty if there is no such map. */
  Optional<List<ConfigMap>> named(String setting, ConfigSection section) {
    Node node = settings().get(setting);
    if (node == null) {
      return Optional.empty();
    }
    if (!(node instanceof MappingNode mapping) || isTagged(node)) {
      scope.problems.add(
          Problems.Place.of(node),
          wrongKind(pathOf(setting), "a map from names to settings", node));
      return Optional.empty();
    }
    List<ConfigMap> items = new ArrayList<>();
    ConfigMap names = new ConfigMap(scope, setting, pathOf(setting), Problems.Place.of(node), null);
    for (Entry entry : names.entries(mapping)) {
      if (entry.name().isBlank()) {
        scope.problems.add(entry.place(), "a name under " + setting + " is empty; write one");
      } else if (entry.name().contains("${")) {
        scope.problems.add(
            entry.place(),
            "variables are not replaced in names, such as those under "
                + setting
                + "; write the name itself");
      }
      String itemPath = names.pathOf(Problems.printable(entry.name()));
      items.add(of(scope, entry.name(), itemPath, entry.value(), section));
    }
    return Optional.of(items);
  }

  /** Reports a setting that is not there; the example shows how to write it. */
  ConfigMap require(String setting, String example) {
    if (isPresent() && !has(setting) && !mistyped.contains(setting)) {
      scope.problems.add(place, pathOf(setting) + " is missing; write for example " + example);
    }
    return this;
  }

  /** A value as {@code read} understands it; empty if it is absent or refused. */
  <T> Optional<T> read(String setting, Function<ConfigValue, T> read) {
    Optional<ConfigValue> value = value(setting);
    if (value.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(read.apply(value.get()));
    } catch (IllegalArgumentException refused) {
      String message = refused.getMessage() == null ? refused.toString() : refused.getMessage();
      scope.problems.add(value.get().place(), value.get().conceal(message));
      return Optional.empty();
    }
  }

  /** The settings with one value changed; as they were if the value is absent or refused. */
  <T> T change(String setting, T settings, BiFunction<T, ConfigValue, T> change) {
    return read(setting, value -> change.apply(settings, value)).orElse(settings);
  }

  /** A single value; empty if it is absent or broken. */
  private Optional<ConfigValue> value(String setting) {
    Node node = settings().get(setting);
    if (node == null) {
      return Optional.empty();
    }
    Problems.Place where = Problems.Place.of(node);
    if (!(node instanceof ScalarNode scalar)) {
      scope.problems.add(where, wrongKind(pathOf(setting), "a single value", node));
      return Optional.empty();
    }
    if (isTagged(node)) {
      scope.problems.add(
          where, pathOf(setting) + " has a YAML tag, which means nothing here; write it without");
      return Optional.empty();
    }
    if (isNothing(node)) {
      scope.problems.add(where, wrongKind(pathOf(setting), "a single value", node));
      return Optional.empty();
    }
    Placeholders replaced = Placeholders.replaceIn(scalar.getValue(), scope.environment);
    if (!replaced.faults().isEmpty()) {
      replaced.faults().forEach(fault -> scope.problems.add(where, pathOf(setting) + " " + fault));
      return Optional.empty();
    }
    boolean secret = setting.equals("password") || setting.equals("secret");
    return Optional.of(
        new ConfigValue(pathOf(setting), replaced.text(), where, replaced.variables(), secret));
  }

  /** A name and what stands behind it; {@code isFirst} unless the name was there before. */
  private record Entry(String name, Problems.Place place, Node value, boolean isFirst) {}

  private List<Entry> entries(MappingNode mapping) {
    List<Entry> entries = new ArrayList<>();
    Map<String, Problems.Place> seen = new HashMap<>();
    for (NodeTuple tuple : mapping.getValue()) {
      Problems.Place where = Problems.Place.of(tuple.getKeyNode());
      if (!(tuple.getKeyNode() instanceof ScalarNode key) || isTagged(key)) {
        scope.problems.add(
            where, (path.isEmpty() ? "a name" : "a name in " + path) + " must be plain text");
        continue;
      }
      Problems.Place first = seen.putIfAbsent(key.getValue(), where);
      if (first != null) {
        scope.problems.add(
            where,
            pathOf(Problems.printable(key.getValue()))
                + " is written twice, first on line "
                + first.line()
                + "; keep one of them");
      }
      entries.add(new Entry(key.getValue(), where, tuple.getValueNode(), first == null));
    }
    return entries;
  }

  private String pathOf(String setting) {
    return path.isEmpty() ? setting : path + "." + setting;
  }

  private static String wrongKind(String path, String expected, Node node) {
    String what = path.isEmpty() ? "the file" : path;
    if (isNothing(node)) {
      return what + " has no value; write " + expected + " or take it out";
    }
    String found =
        isTagged(node)
            ? "something with a YAML tag"
            : switch (node.getNodeType()) {
              case MAPPING -> "a map";
              case SEQUENCE -> "a list";
              default -> "a single value";
            };
    return what + " must be " + expected + ", not " + found;
  }

  /** Whether the value is YAML's null: nothing after the colon, {@code ~} or {@code null}. */
  private static boolean isNothing(Node node) {
    return node.getTag().equals(Tag.NULL);
  }

  /**
   * Whether the value carries a tag of its own, such as {@code !secret}. The parser itself tags a
   * plain <code>${NAME}</code>, which is replaced here like any other.
   */
  private static boolean isTagged(Node node) {
    return !node.getTag().getValue().startsWith(Tag.PREFIX) && !node.getTag().equals(Tag.ENV_TAG);
  }
}
