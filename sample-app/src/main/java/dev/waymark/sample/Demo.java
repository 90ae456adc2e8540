package dev.waymark.sample;

import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.SessionTokenFormat;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.NodeStatus;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.security.SecureRandom;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

/** A real cluster with users and orders in it, for looking at the service on one machine. */
final class Demo implements AutoCloseable {
  private static final int SHARDS = 3;
  private static final int REPLICAS = 2;
  private static final int KEYS_PER_SHARD = 500_000;
  private static final int USERS = 300;
  private static final int ORDERS_EACH = 2;
  private static final Duration LONGEST_WAIT_FOR_NODES = Duration.ofSeconds(10);

  /** While the service warms up beside ten servers that do so too, 250 ms are soon over. */
  private static final Duration PATIENCE_WITH_REDIS = Duration.ofSeconds(2);

  private static final List<String> FIRST_NAMES =
      List.of("Ada", "Alan", "Barbara", "Dennis", "Edsger", "Grace", "Jim", "Leslie", "Margaret");
  private static final List<String> GOODS = List.of("LAMP-1", "CHAIR-2", "DESK-3", "MUG-4");
  private static final List<String> LAST_NAMES =
      List.of("Berg", "Costa", "Dubois", "Ivanov", "Jansen", "Keller", "Rossi", "Sato", "Novak");

  private final TestCluster cluster;
  private final PrintStream out;
  private final String token = newSecret();
  private long someUser;

  private Demo(TestCluster cluster, PrintStream out) {
    this.cluster = cluster;
    this.out = out;
  }

  static Demo start(PrintStream out) {
    out.printf(
        "Starting %d PostgreSQL servers (%d shards of 1 primary and %d replicas) and a Redis ...%n",
        SHARDS * (1 + REPLICAS), SHARDS, REPLICAS);
    return new Demo(
        TestCluster.builder()
            .shards(SHARDS)
            .replicas(REPLICAS)
            .redis()
            .progress(line -> out.println("  " + line))
            .start(),
        out);
  }

  /** The live page of a service over this cluster, with buttons to break it. */
  LivePage page(SampleService service) {
    return service.page(
        new DemoControls(cluster, service.userCache()::invalidateAll, new DemoTraffic()), token);
  }

  /** What {@code waymark.yaml} would say of this cluster. */
  WaymarkConfig config() {
    return config(cluster, KEYS_PER_SHARD)
        .withTokens(SessionTokenFormat.signedWith(newSecret()))
        .withChanges(WaymarkConfig.Changes.on())
        .withRedis(
            new WaymarkConfig.Redis(
                cluster.redis().url(),
                Optional.empty(),
                Optional.empty(),
                PATIENCE_WITH_REDIS,
                "sample"));
  }

  /** A map of the cluster's shards in which each owns the same number of keys, from 1 on. */
  static WaymarkConfig config(TestCluster cluster, int keysPerShard) {
    List<Shard> shards = new ArrayList<>();
    List<OwnedRange> ranges = new ArrayList<>();
    for (ShardServers servers : cluster.shards()) {
      long from = (long) keysPerShard * shards.size();
      shards.add(
          new Shard(
              servers.name(),
              servers.servers().stream().map(node -> new Node(node.name(), node.url())).toList()));
      ranges.add(
          new OwnedRange(new KeyRange(Math.max(1, from), from + keysPerShard), servers.name()));
    }
    PostgresServer any = cluster.servers().get(0);
    return WaymarkConfig.of(
        ShardMap.of(1, shards, ranges, List.copyOf(SampleSchema.tables())),
        new Credentials(any.user(), any.password()));
  }

  /** Creates the schema, before a service opens that would miss it. */
  void createSchema() throws SQLException {
    out.println("Creating the schema on every shard ...");
    SampleSchema.install(config());
  }

  /** Creates users and orders, all through the library. */
  void load(SampleService service) throws SQLException {
    out.printf("Loading %d users with %d orders each ...%n", USERS, ORDERS_EACH);
    // The same data each time.
    Random random = new Random(1);
    Map<String, Integer> usersPerShard = new TreeMap<>();
    for (int i = 1; i <= USERS; i++) {
      String first = FIRST_NAMES.get(random.nextInt(FIRST_NAMES.size()));
      String last = LAST_NAMES.get(random.nextInt(LAST_NAMES.size()));
      Answered<User> created =
          service
              .users()
              .create(
                  new Users.Draft(
                      first + " " + last,
                      (first + "." + i + "@example.org").toLowerCase(Locale.ROOT)),
                  null);
      usersPerShard.merge(created.shard(), 1, Integer::sum);
      long id = created.value().id();
      someUser = i == 1 ? id : someUser;
      for (int n = 0; n < ORDERS_EACH; n++) {
        Order.Item item =
            new Order.Item(
                GOODS.get(random.nextInt(GOODS.size())),
                1 + random.nextInt(5),
                BigDecimal.valueOf(100 + random.nextInt(50_000), 2));
        service.orders().create(id, List.of(item), null);
      }
    }
    out.println("  users per shard: " + usersPerShard);
  }

  /** Prints the nodes, and what to try. */
  void explain(SampleService service, String url) {
    awaitNodes(service);
    out.println();
    Map<String, String> addresses = new TreeMap<>();
    service.database().map().shards().stream()
        .flatMap(shard -> shard.nodes().stream())
        .forEach(node -> addresses.put(node.name(), Node.address(node.url())));
    for (NodeStatus node : service.database().nodes()) {
      out.printf(
          "  %-9s %-11s %-8s %s%n",
          node.shard(), node.node(), Nodes.roleOf(node), addresses.get(node.node()));
    }
    out.printf("  %-9s %-11s %-8s %s%n", "", "redis", "", cluster.redis().url());
    out.printf(
        """

        Serving on %1$s; Ctrl-C stops everything.

        To watch it live, with buttons to break it, open

          %1$s/#token=%3$s

        To try (the first one twice: watch Waymark-Tier):

          curl -i -H 'Waymark-Explain: true' %1$s/api/users/%2$d
          curl -i -H 'Waymark-Explain: true' -H 'Content-Type: application/json' \
        -d '{"name": "Ada Lovelace", "email": "ada@example.org"}' %1$s/api/users
          curl -i -H 'Waymark-Explain: true' %1$s/api/users/%2$d/orders
          curl -s %1$s/health/ready

        """,
        url, someUser, token);
  }

  @Override
  public void close() {
    cluster.close();
  }

  /** A replica is seen a moment after it is up; the list is to show all of them. */
  private static void awaitNodes(SampleService service) {
    long deadline = System.nanoTime() + LONGEST_WAIT_FOR_NODES.toNanos();
    while (!service.database().nodes().stream().allMatch(NodeStatus::isUp)
        && System.nanoTime() < deadline) {
      try {
        Thread.sleep(20);
      } catch (InterruptedException stop) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private static String newSecret() {
    byte[] secret = new byte[16];
    new SecureRandom().nextBytes(secret);
    return HexFormat.of().formatHex(secret);
  }
}
