package dev.waymark.sample;

import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * What somebody may do to the demo's servers, one thing at a time. Each method returns what has
 * been done, in words, and throws {@link Impossible} where it cannot be done now. Safe to share.
 */
final class DemoControls implements AutoCloseable {
  private final TestCluster cluster;
  private final Runnable flushCache;
  private final DemoTraffic traffic;
  private final ReentrantLock one = new ReentrantLock();

  /**
   * Controls.
   *
   * @param flushCache empties the cache, both tiers
   */
  DemoControls(TestCluster cluster, Runnable flushCache, DemoTraffic traffic) {
    this.cluster = cluster;
    this.flushCache = flushCache;
    this.traffic = traffic;
  }

  /** What can be done to a node. */
  enum NodeAction {
    PAUSE,
    RESUME,
    KILL,
    START,
    PROMOTE;

    static Optional<NodeAction> named(String name) {
      for (NodeAction action : values()) {
        if (action.name().toLowerCase(Locale.ROOT).equals(name)) {
          return Optional.of(action);
        }
      }
      return Optional.empty();
    }
  }

  /**
   * It cannot be done now, and nothing was; or it did not work, and then some of it may have been
   * done. The message says which, and why.
   */
  static final class Impossible extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Impossible(String message) {
      super(message);
    }
  }

  String toNode(String name, NodeAction action) {
    PostgresServer node =
        cluster.servers().stream()
            .filter(each -> each.name().equals(name))
            .findFirst()
            .orElseThrow(() -> new Impossible("There is no node of that name."));
    return oneAtATime(
        () ->
            switch (action) {
              case PAUSE -> pause(node);
              case RESUME -> resume(node);
              case KILL -> kill(node);
              case START -> start(node);
              case PROMOTE -> promote(node);
            });
  }

  String flushCache() {
    return oneAtATime(
        () -> {
          flushCache.run();
          return "The cache is empty: this process' memory and Redis.";
        });
  }

  String killRedis() {
    return oneAtATime(
        () -> {
          cluster.redis().kill();
          return "Redis was killed. Requests go on, without the shared tier.";
        });
  }

  String startRedis() {
    return oneAtATime(
        () -> {
          if (cluster.redis().isRunning()) {
            throw new Impossible("Redis runs.");
          }
          cluster.redis().start();
          return "Redis runs again, empty.";
        });
  }

  /** Sends requests to the service until told to stop. */
  String startTraffic(String url) {
    return traffic.start(url);
  }

  String stopTraffic() {
    return traffic.stop();
  }

  /** What is going on, for the page. */
  Map<String, Boolean> state() {
    return Map.of("traffic", traffic.isRunning());
  }

  @Override
  public void close() {
    traffic.close();
  }

  private static String pause(PostgresServer node) {
    requireRunning(node);
    if (isPrimary(node)) {
      throw new Impossible(node.name() + " is the primary: only a replica replays.");
    }
    node.pauseReplay();
    return node.name() + " replays nothing more: it is getting old, and reads will pass it over.";
  }

  private static String resume(PostgresServer node) {
    requireRunning(node);
    if (isPrimary(node)) {
      throw new Impossible(node.name() + " is the primary: only a replica replays.");
    }
    node.resumeReplay();
    return node.name() + " replays again.";
  }

  private static String kill(PostgresServer node) {
    requireRunning(node);
    node.kill();
    return node.name() + " was killed.";
  }

  private String start(PostgresServer node) {
    if (node.isRunning()) {
      throw new Impossible(node.name() + " runs.");
    }
    Optional<PostgresServer> primary = primaryOf(node);
    if (primary.isPresent()) {
      // A copy: started as it is, an old primary would be a second one.
      node.rejoin(primary.get());
      return "%s is back, as a replica of %s.".formatted(node.name(), primary.get().name());
    }
    node.start();
    return node.name() + " is back, as what it was.";
  }

  /** A switchover: the old primary is stopped first, so that nothing is lost and nobody splits. */
  private String promote(PostgresServer node) {
    requireRunning(node);
    Optional<PostgresServer> old = primaryOf(node);
    if (old.isPresent() && old.get() == node) {
      throw new Impossible(node.name() + " is the primary already.");
    }
    old.ifPresent(PostgresServer::stop);
    node.promote();
    for (PostgresServer other : cluster.shard(node.shard()).servers()) {
      if (other != node && other.isRunning()) {
        // Not follow(): a replica whose replay is paused could not.
        other.rejoin(node);
      }
    }
    old.ifPresent(server -> server.rejoin(node));
    return node.name() + " is the primary of " + node.shard() + ".";
  }

  private Optional<PostgresServer> primaryOf(PostgresServer node) {
    ShardServers shard = cluster.shard(node.shard());
    try {
      return Optional.of(shard.primary());
    } catch (IllegalStateException none) {
      return Optional.empty();
    }
  }

  private static boolean isPrimary(PostgresServer node) {
    try (var connection = node.connect();
        var statement = connection.createStatement();
        var answer = statement.executeQuery("SELECT NOT pg_is_in_recovery()")) {
      answer.next();
      return answer.getBoolean(1);
    } catch (java.sql.SQLException unreachable) {
      throw new Impossible(node.name() + " does not answer.");
    }
  }

  private static void requireRunning(PostgresServer node) {
    if (!node.isRunning()) {
      throw new Impossible(node.name() + " does not run.");
    }
  }

  private String oneAtATime(Supplier<String> action) {
    if (!one.tryLock()) {
      throw new Impossible("Something else is being done; try again in a moment.");
    }
    try {
      return action.get();
    } catch (IllegalStateException failure) {
      throw new Impossible("That did not work: " + firstSentence(failure));
    } finally {
      one.unlock();
    }
  }

  /** What follows are the last lines of the server's log. */
  private static String firstSentence(IllegalStateException failure) {
    String message = failure.getMessage();
    return message == null ? "no reason was given." : message.lines().findFirst().orElse("");
  }
}
