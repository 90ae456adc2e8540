package dev.waymark.sample;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** The files that deploy the service, and ways into them. */
final class DeployFiles {
  static final Path DEPLOY = Path.of("deploy").toAbsolutePath();

  private DeployFiles() {}

  static String text(String file) {
    try {
      return Files.readString(DEPLOY.resolve(file));
    } catch (IOException missing) {
      throw new UncheckedIOException(missing);
    }
  }

  /** The documents of a YAML file. */
  static List<Map<String, Object>> yaml(Path file) {
    try {
      Load load = new Load(LoadSettings.builder().setLabel(file.toString()).build());
      return stream(load.loadAllFromString(Files.readString(file)));
    } catch (IOException missing) {
      throw new UncheckedIOException(missing);
    }
  }

  @SuppressWarnings("unchecked")
  private static List<Map<String, Object>> stream(Iterable<Object> documents) {
    return java.util.stream.StreamSupport.stream(documents.spliterator(), false)
        .map(document -> (Map<String, Object>) merged(document))
        .toList();
  }

  /** With YAML 1.1's merge keys resolved: Compose knows them, our parser keeps to YAML 1.2. */
  private static Object merged(Object tree) {
    if (tree instanceof List<?> list) {
      return list.stream().map(DeployFiles::merged).toList();
    }
    if (!(tree instanceof Map<?, ?> map)) {
      return tree;
    }
    Map<Object, Object> all = new LinkedHashMap<>();
    if (map.get("<<") instanceof Map<?, ?> inherited) {
      all.putAll((Map<?, ?>) merged(inherited));
    }
    map.forEach(
        (name, value) -> {
          if (!name.equals("<<")) {
            all.put(name, merged(value));
          }
        });
    return all;
  }

  /** What lies in nested maps and lists, by names and numbers with dots in between. */
  static Object at(Object tree, String path) {
    Object here = tree;
    for (String step : path.split("\\.")) {
      here =
          here instanceof List<?> list
              ? list.get(Integer.parseInt(step))
              : ((Map<?, ?>) here).get(step);
      if (here == null) {
        throw new AssertionError("Nothing at " + path + " (no " + step + ")");
      }
    }
    return here;
  }

  /** Whether a part of our own class path is in the image, as the Dockerfile says. */
  static Predicate<String> inTheImage() {
    String dockerfile = text("Dockerfile");
    List<String> groups = List.of(option(dockerfile, "-DexcludeGroupIds").split(","));
    List<String> artifacts = List.of(option(dockerfile, "-DexcludeArtifactIds").split(","));
    return entry -> {
      String path = entry.replace('\\', '/');
      return groups.stream().noneMatch(g -> path.contains("/" + g.replace('.', '/') + "/"))
          && artifacts.stream()
              .noneMatch(
                  a ->
                      path.contains("/" + a + "/")
                          || path.contains("/" + a.replace("waymark-", "") + "/target/"))
          && !path.endsWith("/test-classes");
    };
  }

  /** The modules of the image's Java. */
  static String modules() {
    Matcher modules = Pattern.compile("--add-modules (\\S+)").matcher(text("Dockerfile"));
    if (!modules.find()) {
      throw new AssertionError("The Dockerfile names no modules");
    }
    return modules.group(1);
  }

  private static String option(String dockerfile, String name) {
    Matcher value = Pattern.compile(Pattern.quote(name) + "=(\\S+)").matcher(dockerfile);
    if (!value.find()) {
      throw new AssertionError("The Dockerfile does not say " + name);
    }
    return value.group(1);
  }

  static List<Path> manifests() {
    try (Stream<Path> files = Files.list(DEPLOY.resolve("kubernetes"))) {
      return files
          .filter(file -> !file.getFileName().toString().equals("kustomization.yaml"))
          .sorted()
          .toList();
    } catch (IOException missing) {
      throw new UncheckedIOException(missing);
    }
  }
}
