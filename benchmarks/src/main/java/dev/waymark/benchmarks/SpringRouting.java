package dev.waymark.benchmarks;

import com.zaxxer.hikari.HikariDataSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.datasource.LazyConnectionDataSourceProxy;
import org.springframework.jdbc.datasource.lookup.AbstractRoutingDataSource;

/**
 * Spring's routing data source behind its lazy proxy, which takes a connection only when the first
 * statement comes. The caller says where to by a variable of the thread, as Spring documents it.
 */
final class SpringRouting extends AbstractRoutingDataSource {
  private final ThreadLocal<Integer> place = new ThreadLocal<>();

  private SpringRouting() {}

  static Contender open(Topology topology) {
    List<HikariDataSource> pools = new ArrayList<>();
    List<Integer> primaries = new ArrayList<>();
    List<Integer[]> replicas = new ArrayList<>();
    Map<Object, Object> targets = new HashMap<>();
    for (Topology.Nodes nodes : topology.shards()) {
      primaries.add(add(topology, nodes.primary(), pools, targets));
      replicas.add(
          nodes.replicas().stream()
              .map(url -> add(topology, url, pools, targets))
              .toArray(Integer[]::new));
    }
    SpringRouting routing = new SpringRouting();
    routing.setTargetDataSources(targets);
    routing.afterPropertiesSet();
    LazyConnectionDataSourceProxy lazy = new LazyConnectionDataSourceProxy();
    lazy.setTargetDataSource(routing);
    // Said rather than asked of a first connection, which no place is known for.
    lazy.setDefaultAutoCommit(true);
    lazy.setDefaultTransactionIsolation(java.sql.Connection.TRANSACTION_READ_COMMITTED);
    return new ByConnection(
        key -> {
          Integer[] own = replicas.get(topology.shardOf(key));
          routing.place.set(own[(int) (key % own.length)]);
          return lazy.getConnection();
        },
        key -> {
          routing.place.set(primaries.get(topology.shardOf(key)));
          return lazy.getConnection();
        },
        pools);
  }

  private static Integer add(
      Topology topology, String url, List<HikariDataSource> pools, Map<Object, Object> targets) {
    HikariDataSource pool = Contenders.pool(topology, url, new Properties());
    Integer place = pools.size();
    pools.add(pool);
    targets.put(place, pool);
    return place;
  }

  @Override
  protected @Nullable Object determineCurrentLookupKey() {
    return place.get();
  }
}
