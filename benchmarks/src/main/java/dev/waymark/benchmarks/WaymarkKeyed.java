package dev.waymark.benchmarks;

import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.RoutingMetrics;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.sql.DataSource;

/** Waymark by key: shard map, freshness, replica choice, deadline, retry. */
final class WaymarkKeyed implements Contender {
  private final ShardedDatabase database;

  private WaymarkKeyed(ShardedDatabase database) {
    this.database = database;
  }

  static WaymarkKeyed open(Topology topology) {
    return new WaymarkKeyed(ShardedDatabase.open(config(topology, topology.shards().size())));
  }

  /** The same with everything counted and timed in a Micrometer registry. */
  static WaymarkKeyed observed(Topology topology) {
    RoutingMetrics metrics = new RoutingMetrics(new SimpleMeterRegistry());
    ShardedDatabase database =
        ShardedDatabase.open(config(topology, topology.shards().size()), metrics);
    metrics.watch(database);
    return new WaymarkKeyed(database);
  }

  /** The same with the keys in as many ranges, dealt to the shards in turn. */
  static WaymarkKeyed inRanges(Topology topology, int ranges) {
    return new WaymarkKeyed(ShardedDatabase.open(config(topology, ranges)));
  }

  /** The same within a bound session, which must not go back in time either. */
  static Contender inSession(Topology topology) {
    return inSessions(topology, 1);
  }

  /** The same within as many sessions; a key's last digits say in which. */
  static Contender inSessions(Topology topology, int sessions) {
    return new InSession(open(topology), sessions);
  }

  /** Waymark's data source, which finds the shard in the statement and is told nothing. */
  static Contender dataSource(Topology topology) {
    ShardedDatabase database = ShardedDatabase.open(config(topology, topology.shards().size()));
    DataSource whole = database.dataSource();
    return new ByConnection(
        key -> whole.getConnection(),
        key -> whole.getConnection(),
        new ScatterByDataSource(whole),
        List.of(database));
  }

  static WaymarkConfig config(Topology topology, int ranges) {
    List<Shard> shards = new ArrayList<>();
    for (Topology.Nodes nodes : topology.shards()) {
      List<Node> all = new ArrayList<>();
      all.add(Node.at(nodes.primary()));
      nodes.replicas().forEach(replica -> all.add(Node.at(replica)));
      shards.add(new Shard("shard-" + (shards.size() + 1), all));
    }
    long width = topology.keys() / ranges;
    List<OwnedRange> owned = new ArrayList<>();
    for (int i = 0; i < ranges; i++) {
      long from = 1 + i * width;
      long to = i == ranges - 1 ? Long.MAX_VALUE : from + width;
      owned.add(new OwnedRange(new KeyRange(from, to), shards.get(i % shards.size()).name()));
    }
    return WaymarkConfig.of(
            ShardMap.of(
                1,
                shards,
                owned,
                List.of(
                    new Table.Sharded("users", "id"),
                    new Table.Sharded("visits", "user_id"),
                    new Table.Sharded("orders", "user_id"),
                    new Table.Sharded("profiles", "id"))),
            new Credentials(topology.user(), topology.password()))
        .withPool(
            new WaymarkConfig.Pool(
                topology.poolSize(), Duration.ofSeconds(1), Duration.ofSeconds(1)));
  }

  @Override
  public User find(long key) throws SQLException {
    return database.<User, SQLException>read(key, connection -> Users.find(connection, key));
  }

  @Override
  public int rename(long key) throws SQLException {
    return database.<Integer, SQLException>write(key, connection -> Users.rename(connection, key));
  }

  @Override
  public int visit(long key) throws SQLException {
    return database.<Integer, SQLException>write(key, connection -> Users.visit(connection, key));
  }

  @Override
  public int checkIn(long key) throws SQLException {
    return database.<Integer, SQLException>write(key, connection -> Users.checkIn(connection, key));
  }

  @Override
  public void close() {
    database.close();
  }

  private static final class InSession implements Contender {
    private final WaymarkKeyed keyed;
    private final Session[] sessions;

    InSession(WaymarkKeyed keyed, int sessions) {
      this.keyed = keyed;
      this.sessions = new Session[sessions];
      Arrays.setAll(this.sessions, each -> keyed.database.newSession());
    }

    private Session.Binding bind(long key) {
      return sessions[(int) (key % sessions.length)].bind();
    }

    @Override
    public User find(long key) throws SQLException {
      try (Session.Binding bound = bind(key)) {
        return keyed.find(key);
      }
    }

    @Override
    public int rename(long key) throws SQLException {
      try (Session.Binding bound = bind(key)) {
        return keyed.rename(key);
      }
    }

    @Override
    public int visit(long key) throws SQLException {
      try (Session.Binding bound = bind(key)) {
        return keyed.visit(key);
      }
    }

    @Override
    public int checkIn(long key) throws SQLException {
      try (Session.Binding bound = bind(key)) {
        return keyed.checkIn(key);
      }
    }

    @Override
    public void close() {
      keyed.close();
    }
  }
}
