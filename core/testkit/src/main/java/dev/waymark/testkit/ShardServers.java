package dev.waymark.testkit;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;

/**
 * The nodes of one shard. Which of them is the primary is asked each time, never remembered.
 *
 * <p>Threads may share it.
 */
public final class ShardServers {

  /** Node names end in a letter. */
  static final int MOST_SERVERS = 26;

  private final String name;
  private final PostgresSettings settings;
  private final Backend backend;
  private final List<PostgresServer> servers = new CopyOnWriteArrayList<>();

  ShardServers(String name, PostgresSettings settings, Backend backend) {
    this.name = name;
    this.settings = settings;
    this.backend = backend;
  }

  /** The shard's name: {@code shard-1}. */
  public String name() {
    return name;
  }

  /** Every node, running or not, in the order they were made: first the first primary. */
  public List<PostgresServer> servers() {
    return List.copyOf(servers);
  }

  /**
   * The node that accepts writes now. With two of them (an old primary was started again) it is the
   * one of the higher timeline.
   *
   * @throws IllegalStateException if no node that runs is a primary
   */
  public PostgresServer primary() {
    List<PostgresServer> primaries =
        servers.stream().filter(s -> Boolean.FALSE.equals(s.observedStandby())).toList();
    if (primaries.size() == 1) {
      return primaries.get(0);
    }
    return primaries.stream()
        .max(Comparator.comparingInt(PostgresServer::observedTimeline))
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "%s has no primary now (%s). Start or thaw the old one, or promote another"
                        .formatted(
                            name,
                            servers.stream()
                                .map(PostgresServer::observedState)
                                .collect(Collectors.joining(", ")))));
  }

  /** The nodes that run and are standbys now; those that are down or frozen are not among them. */
  public List<PostgresServer> replicas() {
    return servers.stream().filter(s -> Boolean.TRUE.equals(s.observedStandby())).toList();
  }

  /**
   * Adds a node: copies the primary while that goes on working, and returns when the copy streams
   * from it.
   *
   * @throws IllegalStateException if there is no primary, or already 26 nodes, or the node does not
   *     stream within 60 s
   */
  public synchronized PostgresServer addReplica() {
    PostgresServer primary = primary();
    PostgresServer replica = newServer();
    try {
      replica.joinAsCopy(primary);
    } catch (RuntimeException e) {
      servers.remove(replica);
      throw e;
    }
    return replica;
  }

  // What a cluster does while it starts.

  PostgresServer newServer() {
    if (servers.size() == MOST_SERVERS) {
      throw new IllegalStateException(name + " has " + MOST_SERVERS + " nodes; it takes no more");
    }
    String server = name + "-" + (char) ('a' + servers.size());
    PostgresServer made =
        new PostgresServer(server, name, settings, backend.postgres(server, settings));
    servers.add(made);
    return made;
  }

  /** Makes the primary run and prepares the replicas, which do not run yet. */
  void startPrimary(int replicas) {
    PostgresServer primary = newServer();
    primary.initialise();
    for (PostgresServer replica : newServers(replicas)) {
      replica.copyNeverStarted(primary);
    }
    primary.startFresh();
  }

  void startReplica(PostgresServer replica) {
    PostgresServer primary = servers.get(0);
    replica.standbyOf(primary);
    replica.startStandby(primary);
  }

  private List<PostgresServer> newServers(int count) {
    List<PostgresServer> made = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      made.add(newServer());
    }
    return made;
  }

  @Override
  public String toString() {
    return name + servers;
  }
}
