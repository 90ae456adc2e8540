package dev.waymark.benchmarks;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * What one would write: a connection to each shard, an executor and a merge. Each shard is asked
 * for its own key only, and the calling thread asks the last one itself.
 */
final class ScatterByHand implements Scatter, AutoCloseable {
  private static final String OWN_KEY = "SELECT id, name FROM users WHERE id IN (?)";

  private final Topology topology;
  private final ByConnection.Opener reads;
  private final ExecutorService executor = Executors.newCachedThreadPool();

  /**
   * Asks all shards of a topology.
   *
   * @param reads opens a connection to the shard of a key
   */
  ScatterByHand(Topology topology, ByConnection.Opener reads) {
    this.topology = topology;
    this.reads = reads;
  }

  private interface Question<T> {
    T ask(Connection connection, int shard) throws SQLException;
  }

  @Override
  public List<User> find(long... keys) throws SQLException {
    List<User> found = new ArrayList<>();
    onEach(
            (connection, shard) -> {
              // One key of each shard, in their order.
              return Scatter.find(connection, OWN_KEY, keys[shard]);
            })
        .forEach(found::addAll);
    return found;
  }

  @Override
  public List<User> newest() throws SQLException {
    List<User> found = new ArrayList<>();
    onEach((connection, shard) -> Scatter.find(connection, NEWEST)).forEach(found::addAll);
    found.sort(Comparator.comparingLong(User::id).reversed());
    return found.subList(0, HOW_MANY);
  }

  @Override
  public Map<String, Long> states() throws SQLException {
    Map<String, Long> all = new HashMap<>();
    for (Map<String, Long> own : onEach((connection, shard) -> Scatter.states(connection))) {
      own.forEach((state, count) -> all.merge(state, count, Long::sum));
    }
    return all;
  }

  private <T> List<T> onEach(Question<T> question) throws SQLException {
    int last = topology.shards().size() - 1;
    List<CompletableFuture<T>> running = new ArrayList<>(last);
    for (int i = 0; i < last; i++) {
      int shard = i;
      running.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return on(shard, question);
                } catch (SQLException failure) {
                  throw new CompletionException(failure);
                }
              },
              executor));
    }
    T own = on(last, question);
    List<T> answers = new ArrayList<>(last + 1);
    for (CompletableFuture<T> each : running) {
      answers.add(each.join());
    }
    answers.add(own);
    return answers;
  }

  private <T> T on(int shard, Question<T> question) throws SQLException {
    try (Connection connection = reads.open(1 + shard * topology.keysPerShard())) {
      return question.ask(connection, shard);
    }
  }

  @Override
  public void close() {
    executor.shutdownNow();
  }
}
