package dev.waymark.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Servers in containers: a network of their own, where each is found under its name, and one volume
 * with the data of every PostgreSQL, so that a copy is a {@code cp} inside the engine and needs
 * nothing of the image but that.
 *
 * <p>A container of its own, the keeper, attends to the volume. It runs the short tasks (initdb,
 * copies, files), because the servers they are for do not run at that time.
 */
final class DockerBackend implements Backend {

  static final String POSTGRES_IMAGE_PROPERTY = "waymark.testkit.postgres-image";
  static final String REDIS_IMAGE_PROPERTY = "waymark.testkit.redis-image";

  private static final String SCRIPT = "container.sh";

  private final DockerEngine engine;
  private final FreePorts ports = new FreePorts();
  private final String script;
  private final String cluster;
  private final Lazy postgresImage;
  private final Lazy redisImage;
  private final Lazy keeper;
  private volatile boolean closed;

  DockerBackend(Consumer<String> progress) {
    this.script = script();
    byte[] suffix = new byte[6];
    new SecureRandom().nextBytes(suffix);
    this.cluster = "waymark-testkit-" + HexFormat.of().formatHex(suffix);
    this.engine = new DockerEngine(cluster, progress);
    this.postgresImage =
        new Lazy(
            () ->
                engine.image(
                    property(POSTGRES_IMAGE_PROPERTY, "postgres:18"), POSTGRES_IMAGE_PROPERTY));
    this.redisImage =
        new Lazy(
            () -> engine.image(property(REDIS_IMAGE_PROPERTY, "redis:7"), REDIS_IMAGE_PROPERTY));
    this.keeper = new Lazy(this::startKeeper);
    engine.createNetwork();
  }

  private static String property(String name, String otherwise) {
    String value = System.getProperty(name, "").strip();
    return value.isEmpty() ? otherwise : value;
  }

  private static String script() {
    try (InputStream in = DockerBackend.class.getResourceAsStream(SCRIPT)) {
      if (in == null) {
        throw new IOException(SCRIPT + " is missing from the testkit's jar");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public PostgresControl postgres(String name, PostgresSettings settings) {
    return new DockerPostgres(this, name, settings);
  }

  @Override
  public ServerControl redis(String name) {
    return new DockerRedis(this, name);
  }

  DockerEngine engine() {
    return engine;
  }

  int freePort() {
    return ports.next();
  }

  String postgresImage() {
    return postgresImage.get();
  }

  String redisImage() {
    return redisImage.get();
  }

  private String startKeeper() {
    engine.createVolume();
    String container =
        engine.create(
            new DockerEngine.Plan(
                "keeper", postgresImage(), entrypoint(), List.of("keep", "keeper"), null, true));
    try {
      engine.start(container);
    } catch (DockerEngine.PortTaken e) {
      throw new AssertionError("It publishes none", e);
    }
    return container;
  }

  /** The entrypoint of a container whose command is a task of the script. */
  List<String> entrypoint() {
    return List.of("sh", "-c", script, SCRIPT);
  }

  /**
   * Runs a task of the script on the data of a node that does not run.
   *
   * @param texts the task's variables
   */
  void task(String node, Map<String, String> texts, String task, List<String> arguments) {
    List<String> command = new ArrayList<>(entrypoint());
    command.add(task);
    command.add(node);
    command.addAll(arguments);
    DockerEngine.Outcome outcome = engine.run(keeper.get(), texts, command);
    if (outcome.status() != 0) {
      throw new IllegalStateException(
          "%s for %s ended with status %d:%n%s"
              .formatted(task, node, outcome.status(), outcome.output()));
    }
  }

  void requireOpen(String server) {
    if (closed) {
      throw new IllegalStateException(
          "The cluster is closed; " + server + " cannot start any more");
    }
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      engine.removeEverything();
    } catch (RuntimeException e) {
      throw new IllegalStateException(
          "Not everything of %s could be removed. Look for its container, network and volume by the label %s=%s"
              .formatted(cluster, DockerEngine.LABEL, cluster),
          e);
    }
  }

  /** A text that is worked out when it is first wanted, once; failures are not kept. */
  private static final class Lazy {
    private final Supplier<String> source;
    private @Nullable String value;

    Lazy(Supplier<String> source) {
      this.source = source;
    }

    synchronized String get() {
      String known = value;
      if (known == null) {
        known = source.get();
        value = known;
      }
      return known;
    }
  }
}
