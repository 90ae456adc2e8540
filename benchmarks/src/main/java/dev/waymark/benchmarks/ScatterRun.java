package dev.waymark.benchmarks;

import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Runs {@link ScatterBenchmark} on three servers of its own. */
final class ScatterRun {
  private static final String PREFIX = "scatter-";
  private static final List<String> QUERIES = List.of("in", "newest");

  private ScatterRun() {}

  static List<String> groups() {
    return QUERIES.stream().map(query -> PREFIX + query).toList();
  }

  static void run(Bench bench) throws IOException {
    if (groups().stream().noneMatch(bench::wants)) {
      return;
    }
    try (TestCluster cluster =
        bench.cores().start(TestCluster.builder().shards(ScatterBenchmark.SHARDS).replicas(0))) {
      load(cluster);
      for (String query : QUERIES) {
        if (bench.wants(PREFIX + query)) {
          new JmhRun(bench, PREFIX + query, JmhRun.runningJava())
              .run(bench.effort().of(5, 1), 3, contenders(cluster, query))
              .addPercentile(Metric.P50, "50.0")
              .addPercentile(Metric.P99, "99.0")
              .addBytes();
        }
      }
    } finally {
      bench.cores().release();
    }
  }

  private static List<JmhRun.Contender> contenders(TestCluster cluster, String query) {
    PostgresServer any = cluster.shard(0).primary();
    List<String> parameters = new ArrayList<>();
    parameters.add("query=" + query);
    parameters.add("-Dbench.user=" + any.user());
    parameters.add("-Dbench.password=" + any.password());
    for (int i = 0; i < ScatterBenchmark.SHARDS; i++) {
      parameters.add("-Dbench.shard." + i + "=" + cluster.shard(i).primary().url());
    }
    return List.of(
        contender(Summary.RAW, "raw", parameters),
        contender(Summary.NULL_CONTROL, "raw2", parameters),
        contender("waymark-datasource", "waymark", parameters));
  }

  private static JmhRun.Contender contender(String name, String method, List<String> parameters) {
    return new JmhRun.Contender(
        name, ScatterBenchmark.class.getSimpleName() + "." + method, parameters, 3);
  }

  private static void load(TestCluster cluster) {
    for (int i = 0; i < ScatterBenchmark.SHARDS; i++) {
      long first = 1 + i * (long) ScatterBenchmark.USERS_PER_SHARD;
      cluster
          .shard(i)
          .primary()
          .execute(
              "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL); INSERT INTO users"
                  + " SELECT id, 'user ' || id FROM generate_series("
                  + first
                  + ", "
                  + (first + ScatterBenchmark.USERS_PER_SHARD - 1)
                  + ") AS id; GRANT SELECT ON users TO PUBLIC; ANALYZE users");
    }
  }
}
