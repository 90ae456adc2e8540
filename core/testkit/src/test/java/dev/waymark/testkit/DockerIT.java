package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.model.Container;
import com.github.dockerjava.api.model.ContainerPort;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.testcontainers.DockerClientFactory;

/** What only containers have. The other tests of this package say what all servers have. */
@EnabledIfSystemProperty(
    named = ServerHome.PROPERTY,
    matches = "docker",
    disabledReason = "Needs a Docker engine: -Dwaymark.testkit=docker")
class DockerIT {

  private final DockerClient docker = DockerClientFactory.instance().client();

  @Test
  void closedClusterLeavesNoContainerNoNetworkAndNoVolume() {
    Set<String> before = everythingOfOurs();
    try (TestCluster small = TestCluster.builder().replicas(1).redis().start()) {
      PostgresServer primary = small.shard(0).primary();
      // The keeper, two nodes and Redis, their network and their volume.
      assertThat(everythingOfOurs()).hasSize(before.size() + 6);
      // A frozen one must go as well.
      small.shard(0).replicas().get(0).freeze();
      primary.kill();

      small.close();
      small.close();

      assertThat(everythingOfOurs()).isEqualTo(before);
      assertThatThrownBy(primary::start).hasMessageContaining("The cluster is closed");
      assertThat(primary.isRunning()).isFalse();
    }
  }

  @Test
  void failedStartLeavesNothing() {
    Set<String> before = everythingOfOurs();
    assertThatThrownBy(TestCluster.builder().setting("work_mem", "plenty")::start)
        .hasMessageContaining("invalid value for parameter \"work_mem\": \"plenty\"");
    assertThat(everythingOfOurs()).isEqualTo(before);
  }

  @Test
  void portsAreOpenOnLoopbackOnly() throws Exception {
    try (TestCluster single = TestCluster.builder().start()) {
      List<ContainerPort> ports = new ArrayList<>();
      ourContainers().forEach(container -> ports.addAll(List.of(container.getPorts())));
      assertThat(ports)
          .filteredOn(port -> port.getPublicPort() != null)
          .isNotEmpty()
          .allMatch(port -> "127.0.0.1".equals(port.getIp()));
      assertThat(single.servers().get(0).port())
          .isIn(ports.stream().map(ContainerPort::getPublicPort).toList());
    }
  }

  private Set<String> everythingOfOurs() {
    Set<String> ids = new TreeSet<>();
    ourContainers().forEach(container -> ids.add(container.getId()));
    docker.listNetworksCmd().exec().stream()
        .filter(network -> network.getLabels().containsKey(DockerEngine.LABEL))
        .forEach(network -> ids.add(network.getId()));
    docker
        .listVolumesCmd()
        .withFilter("label", List.of(DockerEngine.LABEL))
        .exec()
        .getVolumes()
        .forEach(volume -> ids.add(volume.getName()));
    return ids;
  }

  private List<Container> ourContainers() {
    return docker
        .listContainersCmd()
        .withShowAll(true)
        .withLabelFilter(List.of(DockerEngine.LABEL))
        .exec();
  }
}
