package dev.waymark.testkit;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.async.ResultCallback;
import com.github.dockerjava.api.command.InspectContainerResponse;
import com.github.dockerjava.api.exception.ConflictException;
import com.github.dockerjava.api.exception.DockerException;
import com.github.dockerjava.api.exception.NotFoundException;
import com.github.dockerjava.api.exception.NotModifiedException;
import com.github.dockerjava.api.model.Bind;
import com.github.dockerjava.api.model.Container;
import com.github.dockerjava.api.model.ExposedPort;
import com.github.dockerjava.api.model.Frame;
import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.PortBinding;
import com.github.dockerjava.api.model.Ports;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.images.RemoteDockerImage;
import org.testcontainers.utility.DockerImageName;

/**
 * The Docker engine as one cluster sees it, and the only class that knows Testcontainers.
 *
 * <p>Testcontainers finds the engine, fetches images, and removes what a JVM that was killed left,
 * by its labels. Its {@code GenericContainer} is not used: that is made to start once and to be
 * thrown away, and asks after a start only once a second over all containers; these servers are
 * killed, paused and started again.
 *
 * <p>Threads may share it.
 */
final class DockerEngine {

  /** On everything a cluster makes; the value is the cluster's own. */
  static final String LABEL = "dev.waymark.testkit";

  /** Where the cluster's volume is in every container that has it. */
  private static final String VOLUME_DIRECTORY = "/waymark";

  /** Parallel queries live in /dev/shm, and Docker gives 64 MiB. A limit; nothing is taken. */
  private static final long SHARED_MEMORY = 256L << 20;

  private final String cluster;
  private final Consumer<String> progress;
  private final DockerClient client;
  private final Map<String, String> labels = new HashMap<>();

  DockerEngine(String cluster, Consumer<String> progress) {
    this.cluster = cluster;
    this.progress = progress;
    this.client = connect();
    labels.putAll(DockerClientFactory.DEFAULT_LABELS);
    labels.put(DockerClientFactory.TESTCONTAINERS_SESSION_ID_LABEL, DockerClientFactory.SESSION_ID);
    labels.put(LABEL, cluster);
  }

  private static DockerClient connect() {
    try {
      DockerClient client = DockerClientFactory.instance().client();
      String host = DockerClientFactory.instance().dockerHostIpAddress();
      if (!host.equals("localhost") && !host.equals("127.0.0.1")) {
        throw new IllegalStateException(
            "The Docker engine is on %s, and the test cluster publishes its ports on the engine's own 127.0.0.1 only. Take an engine of this machine; if it is one and Testcontainers is mistaken, set TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1"
                .formatted(host));
      }
      return client;
    } catch (IllegalStateException e) {
      throw new IllegalStateException(
          "No Docker engine can be used (%s). Start one, or leave -D%s out: the embedded servers need no Docker"
              .formatted(e.getMessage(), ServerHome.PROPERTY),
          e);
    }
  }

  /** What a container is made of. */
  record Plan(
      String name,
      String image,
      @Nullable List<String> entrypoint,
      List<String> command,
      @Nullable Published published,
      boolean withVolume) {}

  /** A container's port and the one of 127.0.0.1 that leads there. */
  record Published(int inside, int outside) {}

  /** What a command in a container left: its exit status and all it printed. */
  record Outcome(int status, String output) {}

  /** What a container is doing. */
  record State(boolean running, boolean paused, long pid) {
    static final State NONE = new State(false, false, 0);
  }

  /** The port of 127.0.0.1 belongs to somebody else. */
  static final class PortTaken extends Exception {
    private static final long serialVersionUID = 1L;

    PortTaken(DockerException cause) {
      super(cause.getMessage(), cause);
    }
  }

  /** Fetches an image unless it is there; the name under which it is. */
  String image(String name, String property) {
    try {
      client.inspectImageCmd(name).exec();
    } catch (NotFoundException absent) {
      progress.accept("fetching the image " + name + " (an attempt that fails takes two minutes)");
    }
    try {
      // Also where it is there: a configured substitute (a mirror's name) is seen to.
      return new RemoteDockerImage(DockerImageName.parse(name)).get();
    } catch (Exception e) { // It throws checked ones as well, undeclared.
      throw new IllegalStateException(
          "The image %s is not here and cannot be fetched; Testcontainers' log says why. Fetch or build it by hand, or choose another by -D%s=…"
              .formatted(name, property),
          e);
    }
  }

  void createNetwork() {
    client.createNetworkCmd().withName(cluster).withLabels(labels).exec();
  }

  void createVolume() {
    client.createVolumeCmd().withName(cluster).withLabels(labels).exec();
  }

  /** Makes a container that does not run yet; its id. */
  String create(Plan plan) {
    HostConfig host =
        new HostConfig()
            .withNetworkMode(cluster)
            .withShmSize(SHARED_MEMORY)
            // Said aloud, it keeps names without a dot inside the engine. A replica whose primary
            // is down would else ask the machine's own name servers for it, and with these out of
            // reach it came back 5 s late.
            .withDnsOptions(List.of("ndots:1"));
    if (plan.withVolume()) {
      host.withBinds(Bind.parse(cluster + ":" + VOLUME_DIRECTORY));
    }
    var command =
        client
            .createContainerCmd(plan.image())
            .withName(cluster + "-" + plan.name())
            .withHostName(plan.name())
            .withAliases(plan.name())
            .withLabels(labels)
            .withCmd(plan.command())
            .withEnv("LC_ALL=C");
    List<String> entrypoint = plan.entrypoint();
    if (entrypoint != null) {
      // As root, whatever the image says: the script goes down to PostgreSQL's account itself.
      command.withEntrypoint(entrypoint).withUser("0");
    }
    Published published = plan.published();
    if (published != null) {
      ExposedPort inside = ExposedPort.tcp(published.inside());
      command.withExposedPorts(inside);
      host.withPortBindings(
          new PortBinding(Ports.Binding.bindIpAndPort("127.0.0.1", published.outside()), inside));
    }
    return command.withHostConfig(host).exec().getId();
  }

  void start(String container) throws PortTaken {
    try {
      client.startContainerCmd(container).exec();
    } catch (NotModifiedException alreadyRuns) {
      // What was wanted.
    } catch (DockerException e) {
      String message = String.valueOf(e.getMessage());
      if (message.contains("port is already allocated")
          || message.contains("address already in use")) {
        throw new PortTaken(e);
      }
      throw e;
    }
  }

  /** Sends a signal to the container's first process; one that does not run is no error. */
  void signal(String container, String signal) {
    try {
      client.killContainerCmd(container).withSignal(signal).exec();
    } catch (NotFoundException | ConflictException gone) {
      // What was wanted.
    }
  }

  void pause(String container) {
    client.pauseContainerCmd(container).exec();
  }

  void unpause(String container) {
    client.unpauseContainerCmd(container).exec();
  }

  State state(String container) {
    try {
      InspectContainerResponse.ContainerState state =
          client.inspectContainerCmd(container).exec().getState();
      Long pid = state.getPidLong();
      return new State(
          Boolean.TRUE.equals(state.getRunning()),
          Boolean.TRUE.equals(state.getPaused()),
          pid == null ? 0 : pid);
    } catch (NotFoundException removed) {
      return State.NONE;
    }
  }

  /** Runs a command in a running container to its end. */
  Outcome run(String container, Map<String, String> environment, List<String> command) {
    List<String> variables = new ArrayList<>(List.of("LC_ALL=C"));
    environment.forEach((name, value) -> variables.add(name + "=" + value));
    String id =
        client
            .execCreateCmd(container)
            .withAttachStdout(true)
            .withAttachStderr(true)
            .withEnv(variables)
            .withCmd(command.toArray(String[]::new))
            .exec()
            .getId();
    Output output = new Output();
    await(client.execStartCmd(id).exec(output), Waiting.LONG, "A command in a container");
    Long status = client.inspectExecCmd(id).exec().getExitCodeLong();
    return new Outcome(status == null ? -1 : Math.toIntExact(status), output.text());
  }

  /** The last lines a container's first process wrote, over all its starts. */
  String log(String container, int lines) {
    try {
      Output output = new Output();
      await(
          client
              .logContainerCmd(container)
              .withStdOut(true)
              .withStdErr(true)
              .withTail(lines)
              .exec(output),
          Duration.ofSeconds(10),
          "Reading a log");
      return output.text();
    } catch (RuntimeException e) {
      return "(no log: " + e.getMessage() + ")";
    }
  }

  void remove(String container) {
    try {
      client.removeContainerCmd(container).withForce(true).withRemoveVolumes(true).exec();
    } catch (NotFoundException gone) {
      // What was wanted.
    }
  }

  /** Removes all that bears this cluster's label. */
  void removeEverything() {
    client
        .listContainersCmd()
        .withShowAll(true)
        .withLabelFilter(Map.of(LABEL, cluster))
        .exec()
        .parallelStream()
        .map(Container::getId)
        .forEach(this::remove);
    try {
      client.removeNetworkCmd(cluster).exec();
    } catch (NotFoundException neverMade) {
      // What was wanted.
    }
    try {
      client.removeVolumeCmd(cluster).exec();
    } catch (NotFoundException neverMade) {
      // What was wanted.
    }
  }

  private static void await(
      ResultCallback.Adapter<Frame> answer, Duration limit, String whatTakesLong) {
    try (answer) {
      if (!answer.awaitCompletion(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new IllegalStateException(
            whatTakesLong + " did not end within " + Waiting.inSeconds(limit));
      }
    } catch (InterruptedException e) {
      throw Waiting.interrupted(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Collects both streams in the order they come. */
  private static final class Output extends ResultCallback.Adapter<Frame> {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Override
    public synchronized void onNext(Frame frame) {
      bytes.writeBytes(frame.getPayload());
    }

    synchronized String text() {
      return bytes.toString(StandardCharsets.UTF_8).strip();
    }
  }
}
