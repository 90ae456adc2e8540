package dev.waymark.sample;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;

/** What tells people and their tools about the API: its description, a page to try it, problems. */
final class DocumentRoutes implements Routes {
  /** Scripts and styles are ours; the page's own images are data URLs; forms talk to us only. */
  private static final String CONTENT_SECURITY_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
          + " font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none';"
          + " base-uri 'none'";

  /** What the page needs of the web jar. */
  private static final Set<String> FILES_OF_THE_JAR =
      Set.of("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js");

  private final Map<ApiVersion, byte[]> descriptions = new EnumMap<>(ApiVersion.class);
  private final Replies replies;
  private final String jar;

  DocumentRoutes(List<Operation> operations, Replies replies) {
    this.replies = replies;
    for (ApiVersion version : ApiVersion.values()) {
      descriptions.put(version, Json.bytes(OpenApi.describe(version, operations)));
    }
    this.jar = directoryOfTheJar();
  }

  @Override
  public void addTo(RoutesConfig routes) {
    routes.get(
        "/openapi.json",
        context -> {
          ApiVersion.resolve(context);
          description(context, ApiVersion.of(context));
        });
    for (ApiVersion version : ApiVersion.values()) {
      routes.get(
          "/openapi/v" + version.number() + ".json", context -> description(context, version));
    }
    routes.get("/docs", context -> own(context, "docs.html", "text/html; charset=utf-8"));
    routes.get("/docs/docs.js", context -> own(context, "docs.js", "text/javascript"));
    for (String file : FILES_OF_THE_JAR) {
      routes.get(
          "/docs/" + file,
          context ->
              file(
                  context,
                  jar + file,
                  file.endsWith(".css") ? "text/css" : "text/javascript; charset=utf-8"));
    }
    routes.get("/problems", context -> replies.ok(context, problems()));
    for (Problem problem : Problem.values()) {
      routes.get("/problems/" + problem.code(), context -> replies.ok(context, describe(problem)));
    }
  }

  private void description(Context context, ApiVersion version) {
    context
        .header("Cache-Control", "public, no-cache")
        .contentType("application/json")
        .result(Objects.requireNonNull(descriptions.get(version)));
  }

  private static List<Map<String, Object>> problems() {
    return List.of(Problem.values()).stream().map(DocumentRoutes::describe).toList();
  }

  private static Map<String, Object> describe(Problem problem) {
    return Map.of(
        "code",
        problem.code(),
        "status",
        problem.status(),
        "title",
        problem.title(),
        "advice",
        problem.advice());
  }

  private static void own(Context context, String name, String type) {
    file(context, "/dev/waymark/sample/" + name, type);
  }

  private static void file(Context context, String resource, String type) {
    context
        .header("Cache-Control", "public, no-cache")
        .header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        .contentType(type)
        .result(read(resource));
  }

  private static byte[] read(String resource) {
    try (InputStream in =
        Objects.requireNonNull(DocumentRoutes.class.getResourceAsStream(resource), resource)) {
      return in.readAllBytes();
    } catch (IOException unreadable) {
      throw new UncheckedIOException(resource + " cannot be read from the class path", unreadable);
    }
  }

  /** The web jar has its version in its paths, and says in its properties which it is. */
  private static String directoryOfTheJar() {
    Properties properties = new Properties();
    try (InputStream in =
        Objects.requireNonNull(
            DocumentRoutes.class.getResourceAsStream(
                "/META-INF/maven/org.webjars/swagger-ui/pom.properties"))) {
      properties.load(in);
    } catch (IOException unreadable) {
      throw new UncheckedIOException("The web jar of Swagger UI cannot be read", unreadable);
    }
    return "/META-INF/resources/webjars/swagger-ui/" + properties.getProperty("version") + "/";
  }
}
