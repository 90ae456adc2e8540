package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** What is left of a cluster when its JVM ends without closing it. */
@DisabledIfSystemProperty(
    named = ServerHome.PROPERTY,
    matches = "docker",
    disabledReason =
        "The guard is the embedded servers'; for containers Testcontainers has its own")
class OrphansIT {

  private static final Duration LIMIT = Duration.ofSeconds(60);

  @TempDir Path directory;

  @Test
  void killedJvmLeavesNoProcessAndNoFile() throws Exception {
    assertNothingIsLeftAfter(ForkedJvm::kill, "running");
  }

  @Test
  void killedJvmLeavesNoFrozenServerEither() throws Exception {
    assertNothingIsLeftAfter(ForkedJvm::kill, "frozen");
  }

  @Test
  void terminatedJvmLeavesNoProcessAndNoFile() throws Exception {
    assertNothingIsLeftAfter(ForkedJvm::terminate, "running");
  }

  @Test
  void jvmKilledWhileItStartsServersLeavesNothing() throws Exception {
    ClusterIT.openToServers(directory);
    // The moments differ from run to run, which is the point; each must end the same way.
    for (int moment = 0; moment < 3; moment++) {
      try (ForkedJvm jvm = ForkedJvm.start(Holder.class, directory.toString(), "running")) {
        assertThat(jvm.readLine(LIMIT)).isEqualTo("starting");
        int entries = moment;
        await()
            .atMost(LIMIT)
            .pollInterval(Duration.ofMillis(5))
            .until(() -> childrenOf(jvm.pid()).size() > entries);
        List<Long> children = childrenOf(jvm.pid());
        jvm.kill();
        await().atMost(LIMIT).until(() -> children.stream().noneMatch(RunningProcesses::exists));
      }
      await().atMost(LIMIT).untilAsserted(() -> assertThat(directory).isEmptyDirectory());
    }
  }

  private void assertNothingIsLeftAfter(
      java.util.function.Consumer<ForkedJvm> end, String serverState) throws Exception {
    ClusterIT.openToServers(directory);
    List<Long> pids;
    try (ForkedJvm jvm = ForkedJvm.start(Holder.class, directory.toString(), serverState)) {
      assertThat(jvm.readLine(LIMIT)).isEqualTo("starting");
      assertThat(jvm.readLine(LIMIT)).isEqualTo("started");
      pids = childrenOf(jvm.pid());
      assertThat(directory).isNotEmptyDirectory();
      end.accept(jvm);
      jvm.waitFor(LIMIT);
    }
    // The guard, two postmasters with their children, and Redis.
    assertThat(pids).hasSizeGreaterThan(10);
    await().atMost(LIMIT).until(() -> pids.stream().noneMatch(RunningProcesses::exists));
    await().atMost(LIMIT).untilAsserted(() -> assertThat(directory).isEmptyDirectory());
  }

  private static List<Long> childrenOf(long pid) {
    List<Long> pids = new ArrayList<>();
    ProcessHandle.of(pid)
        .ifPresent(handle -> handle.descendants().forEach(child -> pids.add(child.pid())));
    return pids;
  }

  static final class Holder {
    static void main(String[] args) throws Exception {
      System.setProperty(LocalBackend.DIRECTORY_PROPERTY, args[0]);
      System.out.println("starting");
      TestCluster cluster = TestCluster.builder().replicas(1).redis().start();
      if (args[1].equals("frozen")) {
        cluster.servers().forEach(PostgresServer::freeze);
        cluster.redis().freeze();
      }
      System.out.println("started");
      System.in.read();
    }
  }
}
