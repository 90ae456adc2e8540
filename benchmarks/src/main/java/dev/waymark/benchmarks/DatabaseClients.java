package dev.waymark.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The JVMs in which contenders on real servers are kept open, one for each class path. They are
 * started when first needed; after a failure all are closed and, if needed again, started anew.
 */
final class DatabaseClients implements AutoCloseable {
  private static final int WARM_UP_THREADS = 4;

  private final Bench bench;
  private final Topology topology;
  private final List<String> contenders;
  private final Map<String, ClientProcess> byContender = new LinkedHashMap<>();
  private final Set<String> warmed = new LinkedHashSet<>();

  DatabaseClients(Bench bench, Topology topology, List<String> contenders) {
    this.bench = bench;
    this.topology = topology;
    this.contenders = List.copyOf(contenders);
  }

  /** ShardingSphere needs more than 25 s: 434 us per operation fall to 19 in that time. */
  void warmUp(String contender, Operation operation) throws IOException {
    boolean isSlow = contender.startsWith("shardingsphere");
    // The second one of the same class path finds most of the code compiled.
    boolean isFirst = warmed.stream().noneMatch(each -> each.startsWith("shardingsphere"));
    int seconds = 2;
    if (isSlow && !warmed.contains(contender)) {
      seconds = isFirst ? 28 : 14;
    } else if (isSlow || operation.reach() == Operation.Reach.ALL_SHARDS) {
      seconds = 4;
    }
    System.out.println(operation.group() + ": warming up " + contender);
    var unused =
        slice(contender, operation, WARM_UP_THREADS, bench.effort().of(seconds * 1_000, 200));
    warmed.add(contender);
  }

  ClientJvm.Slice slice(String contender, Operation operation, int threads, int millis)
      throws IOException {
    try {
      if (byContender.isEmpty()) {
        open();
      }
      ClientProcess client = byContender.get(contender);
      if (client == null) {
        throw new IllegalStateException(contender + " has no JVM");
      }
      client.send(contender + " " + operation.group() + " " + threads + " " + millis);
      return ClientJvm.Slice.ofLine(client.answer("[0-9 ]+"));
    } catch (IOException | RuntimeException failed) {
      close();
      throw failed;
    }
  }

  private void open() throws IOException {
    Map<String, List<String>> byClassPath = new LinkedHashMap<>();
    for (String contender : contenders) {
      byClassPath
          .computeIfAbsent(bench.classPaths().of(contender), path -> new ArrayList<>())
          .add(contender);
    }
    for (Map.Entry<String, List<String>> each : byClassPath.entrySet()) {
      ClientProcess client =
          ClientProcess.start(
              ClientJvm.class,
              each.getKey(),
              bench.folder().resolve("clients.log"),
              topology.asProperties(),
              List.of(String.join(",", each.getValue())));
      each.getValue().forEach(contender -> byContender.put(contender, client));
    }
    for (ClientProcess client : new LinkedHashSet<>(byContender.values())) {
      var unused = client.answer("ready");
    }
  }

  @Override
  public void close() {
    new LinkedHashSet<>(byContender.values()).forEach(ClientProcess::close);
    byContender.clear();
    warmed.clear();
  }
}
