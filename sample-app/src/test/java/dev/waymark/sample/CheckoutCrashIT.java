package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import io.opentelemetry.api.OpenTelemetry;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Processes of the service are killed at every step of checkouts, of telling events and of hearing
 * them: just before the step's transaction is committed, and just after, when it is committed and
 * nobody has been told. Others carry on.
 *
 * <p>What brings a process to such a place is a trigger that takes a lock which the test holds.
 * That a backend waits for it tells that the process is there. Once the process is dead the lock is
 * released: a backend within a statement then finds nobody to talk to and rolls back; one within
 * COMMIT commits.
 */
@Timeout(300)
class CheckoutCrashIT {
  private static final BigDecimal OPENING = new BigDecimal("1000.00");
  private static final int WORKERS = 2;
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  /** When a trigger fires. */
  private enum When {
    IN_STATEMENT,
    IN_COMMIT
  }

  /** Where processes are killed: a write of a row, which its user's journey is stopped at. */
  private enum Place {
    ORDER_WRITTEN("INSERT", "checkouts", "true", When.IN_STATEMENT),
    ORDER_COMMITTED("INSERT", "checkouts", "true", When.IN_COMMIT),
    PAYING("INSERT", "payments", "true", When.IN_STATEMENT),
    PAID("INSERT", "payments", "true", When.IN_COMMIT),
    CONFIRMING("UPDATE", "checkouts", "NEW.state = 'confirmed'", When.IN_STATEMENT),
    CONFIRMED("UPDATE", "checkouts", "NEW.state = 'confirmed'", When.IN_COMMIT),
    TELLING("DELETE", "outbox", "true", When.IN_STATEMENT),
    TOLD("DELETE", "outbox", "true", When.IN_COMMIT),
    HEARING("INSERT", "activity", "true", When.IN_STATEMENT),
    HEARD("INSERT", "activity", "true", When.IN_COMMIT),
    TURNING_BACK("UPDATE", "checkouts", "NEW.state = 'refunding'", When.IN_STATEMENT),
    TURNED_BACK("UPDATE", "checkouts", "NEW.state = 'refunding'", When.IN_COMMIT),
    GIVING_BACK("UPDATE", "payments", "NEW.state = 'refunded'", When.IN_STATEMENT),
    GIVEN_BACK("UPDATE", "payments", "NEW.state = 'refunded'", When.IN_COMMIT),
    CANCELLING("UPDATE", "checkouts", "NEW.state = 'cancelled'", When.IN_STATEMENT),
    CANCELLED("UPDATE", "checkouts", "NEW.state = 'cancelled'", When.IN_COMMIT);

    private final String operation;
    private final String table;
    private final String condition;
    private final When when;

    Place(String operation, String table, String condition, When when) {
      this.operation = operation;
      this.table = table;
      this.condition = condition;
      this.when = when;
    }

    String trigger() {
      String timing =
          when == When.IN_STATEMENT
              ? "CREATE TRIGGER hold_%1$s BEFORE %2$s ON %3$s"
              : "CREATE CONSTRAINT TRIGGER hold_%1$s AFTER %2$s ON %3$s"
                  + " DEFERRABLE INITIALLY DEFERRED";
      return (timing + " FOR EACH ROW WHEN (%4$s) EXECUTE FUNCTION hold('%1$s')")
          .formatted(name(), operation, table, condition);
    }
  }

  private static final String HOLD =
      """
      CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'DELETE' THEN
          PERFORM pg_advisory_xact_lock_shared(hashtext(TG_ARGV[0] || OLD.user_id));
          RETURN OLD;
        END IF;
        PERFORM pg_advisory_xact_lock_shared(hashtext(TG_ARGV[0] || NEW.user_id));
        RETURN NEW;
      END $$;
      """;

  /** A user with a checkout, and where processes that carry it on are still to be killed. */
  private static final class Journey {
    private final long userId;
    private final BigDecimal price;
    private final Deque<Place> ahead;

    Journey(long userId, String price, Place... places) {
      this.userId = userId;
      this.price = new BigDecimal(price);
      this.ahead = new ArrayDeque<>(List.of(places));
    }
  }

  @Test
  void whoeverDiesWhereverEveryCheckoutEndsAndTheMoneyIsAllThere() throws Exception {
    try (TestCluster cluster = TestCluster.builder().shards(2).replicas(0).redis().start()) {
      try (SampleService service = open(config("test", Where.of(cluster)))) {
        SampleSchema.install(service.database());
        cluster
            .shards()
            .forEach(
                shard -> {
                  shard.primary().execute(HOLD);
                  for (Place place : Place.values()) {
                    shard.primary().execute(place.trigger());
                  }
                });
        long paid = userWithAccountElsewhere(service);
        long declined = userWithAccountElsewhere(service);
        long gone = userWithAccountElsewhere(service);
        long told = userWithAccountElsewhere(service);
        long heard = userWithAccountElsewhere(service);
        List<Journey> journeys =
            List.of(
                new Journey(
                    paid,
                    "10.00",
                    Place.ORDER_WRITTEN,
                    Place.ORDER_COMMITTED,
                    Place.PAYING,
                    Place.PAID,
                    Place.CONFIRMING,
                    Place.CONFIRMED),
                new Journey(
                    declined,
                    "1000.01",
                    Place.TURNING_BACK,
                    Place.TURNED_BACK,
                    Place.CANCELLING,
                    Place.CANCELLED),
                new Journey(gone, "20.00", Place.PAID, Place.GIVING_BACK, Place.GIVEN_BACK),
                new Journey(told, "30.00", Place.TELLING, Place.TOLD),
                new Journey(heard, "40.00", Place.HEARING, Place.HEARD));
        Map<String, Integer> expected = new TreeMap<>();
        for (Journey journey : journeys) {
          expected.put(journey.userId + " user.created", 1);
        }
        for (long confirmed : new long[] {paid, told, heard}) {
          expected.put(confirmed + " order.confirmed", 1);
        }
        expected.put(declined + " payment.failed", 1);

        try (Holds holds = new Holds(cluster);
            Processes processes = new Processes(Where.of(cluster))) {
          journeys.forEach(journey -> holds.put(journey.ahead.peek(), journey.userId));
          // The first one's is begun by a process that is killed at it.
          for (Journey journey : journeys.subList(1, journeys.size())) {
            service.checkouts().begin(journey.userId, items(journey.price), null);
          }
          Ledger ledger = new Ledger(cluster, OPENING);
          Set<Place> killedAt = travel(journeys, holds, processes, service, ledger, gone);

          assertThat(killedAt).containsExactlyInAnyOrder(Place.values());
          // Repeated by a client that never had an answer.
          processes.begin(journeys.get(0));
          await()
              .atMost(PATIENCE)
              .untilAsserted(
                  () -> {
                    assertThat(ledger.column("SELECT user_id FROM checkouts")).hasSize(5);
                    assertThat(ledger.hasOpenCheckouts()).isFalse();
                    assertThat(ledger.column("SELECT type FROM outbox")).isEmpty();
                    assertThat(totals(ledger)).isEqualTo(expected);
                  });
          ledger.check();
          assertThat(
                  ledger.rows(
                      "SELECT user_id, state, coalesce(reason, '') FROM checkouts ORDER BY user_id"))
              .containsExactlyInAnyOrder(
                  List.of("" + paid, "confirmed", ""),
                  List.of("" + declined, "cancelled", "declined"),
                  List.of("" + gone, "cancelled", "order_gone"),
                  List.of("" + told, "confirmed", ""),
                  List.of("" + heard, "confirmed", ""));
          assertThat(ledger.column("SELECT state FROM payments WHERE user_id = " + gone))
              .containsExactly("refunded");
          assertThat(told(cluster)).isEqualTo(expected);
        }
      }
    }
  }

  /** Kills whoever comes to where a journey is to be stopped, until none is any more. */
  private static Set<Place> travel(
      List<Journey> journeys,
      Holds holds,
      Processes processes,
      SampleService service,
      Ledger ledger,
      long gone)
      throws Exception {
    Set<Place> killedAt = new TreeSet<>();
    Journey first = journeys.get(0);
    while (journeys.stream().anyMatch(journey -> !journey.ahead.isEmpty())) {
      // Who is where: only what was seen before anybody is killed counts.
      Map<Journey, Set<String>> arrived = new HashMap<>();
      AtomicInteger looks = new AtomicInteger();
      await()
          .atMost(PATIENCE)
          .pollInterval(Duration.ofMillis(20))
          .until(
              () -> {
                // A client that has had no answer repeats itself. Whether a commit that its process
                // did not live to see came about is the server's to say, not the journey's.
                if (looks.getAndIncrement() % 100 == 0
                    && ledger
                        .column("SELECT id FROM checkouts WHERE user_id = " + first.userId)
                        .isEmpty()) {
                  processes.begin(first);
                }
                for (Journey journey : journeys) {
                  if (!journey.ahead.isEmpty()) {
                    Set<String> there = holds.waiting(journey.ahead.peek(), journey.userId);
                    if (!there.isEmpty()) {
                      arrived.put(journey, there);
                    }
                  }
                }
                return !arrived.isEmpty();
              });
      for (String name :
          arrived.values().stream().flatMap(Set::stream).collect(Collectors.toSet())) {
        processes.kill(name);
      }
      for (Journey journey : arrived.keySet()) {
        Place place = journey.ahead.remove();
        killedAt.add(place);
        if (journey.userId == gone && place == Place.PAID) {
          service.users().delete(gone, user -> {});
        }
        // The next one first, or the journey might pass it.
        if (!journey.ahead.isEmpty()) {
          holds.put(journey.ahead.peek(), journey.userId);
        }
        holds.release(place, journey.userId);
      }
    }
    return killedAt;
  }

  private static long userWithAccountElsewhere(SampleService service) throws SQLException {
    while (true) {
      User user =
          service
              .users()
              .create(new Users.Draft("Buyer", UUID.randomUUID() + "@example.org"), null)
              .value();
      String home = service.database().map().shardFor(user.id()).name();
      long slot = service.payments().slotOf(user.id());
      if (!service.database().map().shardFor(slot).name().equals(home)) {
        return user.id();
      }
      service.users().delete(user.id(), any -> {});
    }
  }

  private static List<Order.Item> items(BigDecimal price) {
    return List.of(new Order.Item("A-1", 1, price));
  }

  // ---- the events ------------------------------------------------------------------------------

  /** How often what happened to whom. */
  private static Map<String, Integer> totals(Ledger ledger) {
    Map<String, Integer> totals = new TreeMap<>();
    ledger
        .rows(
            "SELECT user_id || ' ' || type, times FROM activity_totals"
                + " WHERE user_id IN (SELECT user_id FROM checkouts)")
        .forEach(row -> totals.put(row.get(0), Integer.valueOf(row.get(1))));
    return totals;
  }

  /** What stands in the stream, each event once: its id tells whether it is told again. */
  private static Map<String, Integer> told(TestCluster cluster) {
    Set<String> users =
        new HashSet<>(new Ledger(cluster, OPENING).column("SELECT user_id FROM checkouts"));
    Map<String, Integer> told = new TreeMap<>();
    try (EventStream stream = EventStream.over(WaymarkConfig.Redis.at(cluster.redis().url()))) {
      stream.makeGroup("test");
      stream.take("test", "test", 10_000).stream()
          .map(EventStream.Entry::event)
          .distinct()
          .filter(event -> users.contains("" + event.userId()))
          .forEach(event -> told.merge(event.userId() + " " + event.type(), 1, Integer::sum));
    }
    return told;
  }

  // ---- the places ------------------------------------------------------------------------------

  /** The locks that bring processes to a stop, on every shard. */
  private static final class Holds implements AutoCloseable {
    private final List<Connection> connections = new ArrayList<>();

    Holds(TestCluster cluster) throws SQLException {
      for (ShardServers shard : cluster.shards()) {
        connections.add(shard.primary().connect());
      }
    }

    void put(Place place, long userId) {
      onEach("SELECT pg_advisory_lock(hashtext(? || ?))", place, userId);
    }

    void release(Place place, long userId) {
      onEach("SELECT pg_advisory_unlock(hashtext(? || ?))", place, userId);
    }

    /** The names of the processes that wait at a place. */
    Set<String> waiting(Place place, long userId) {
      return onEach(
          """
          SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
          WHERE l.locktype = 'advisory' AND NOT l.granted AND l.objsubid = 1
            AND (l.classid::bigint << 32 | l.objid::bigint) = hashtext(? || ?)::bigint
          """,
          place,
          userId);
    }

    private Set<String> onEach(String sql, Place place, long userId) {
      Set<String> found = new HashSet<>();
      for (Connection connection : connections) {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
          statement.setString(1, place.name());
          statement.setString(2, Long.toString(userId));
          try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
              found.add(rows.getString(1));
            }
          }
        } catch (SQLException failure) {
          throw new AssertionError(failure);
        }
      }
      return found;
    }

    @Override
    public void close() throws SQLException {
      for (Connection connection : connections) {
        connection.close();
      }
    }
  }

  // ---- the processes ---------------------------------------------------------------------------

  /** Some processes of the service, by name; who is killed gets a successor. */
  private static final class Processes implements AutoCloseable {
    private final Where where;
    private final Map<String, ForkedJvm> running = new TreeMap<>();
    private int started;

    Processes(Where where) {
      this.where = where;
      for (int i = 0; i < WORKERS; i++) {
        start();
      }
    }

    private void start() {
      String name = "worker-" + ++started;
      running.put(name, ForkedJvm.start(Worker.class, name, Json.text(where)));
    }

    void kill(String name) {
      ForkedJvm process = running.remove(name);
      if (process != null) {
        process.kill();
        start();
      }
    }

    /** Has a process begin a journey's checkout. */
    void begin(Journey journey) {
      running.values().iterator().next().send("begin " + journey.userId + " " + journey.price);
    }

    @Override
    public void close() {
      running.values().forEach(ForkedJvm::close);
    }
  }

  /** A process of the service: takes part in the work, and begins checkouts as it is told. */
  static final class Worker {
    private Worker() {}

    public static void main(String[] arguments) throws Exception {
      try (SampleService service =
          open(config(arguments[0], Json.read(arguments[1], Where.class)))) {
        service.startWork();
        BufferedReader told =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = told.readLine(); line != null; line = told.readLine()) {
          String[] words = line.split(" ");
          try {
            service
                .checkouts()
                .begin(
                    Long.parseLong(words[1]),
                    items(new BigDecimal(words[2])),
                    new Idempotency.Request("checkout:crash", "the same"));
          } catch (WaymarkException | SQLException failure) {
            // It is told again.
            System.err.println(failure.getMessage());
          }
        }
      }
    }
  }

  private static SampleService open(WaymarkConfig config) {
    return SampleService.open(
        config,
        ServerSettings.defaults()
            .withWork(
                new WorkSettings(
                    Duration.ofMillis(100),
                    Duration.ofMillis(250),
                    Duration.ofMinutes(15),
                    Duration.ofMillis(500),
                    OPENING)),
        OpenTelemetry.noop());
  }

  /** Where the servers are. */
  private record Where(List<String> urls, String user, String password, String redis) {
    static Where of(TestCluster cluster) {
      PostgresServer any = cluster.servers().get(0);
      return new Where(
          cluster.shards().stream().map(ShardServers::primary).map(PostgresServer::url).toList(),
          any.user(),
          any.password(),
          cluster.redis().url());
    }
  }

  /** The cluster as a process sees it whose name PostgreSQL is to know. */
  private static WaymarkConfig config(String name, Where where) {
    List<Shard> shards = new ArrayList<>();
    List<OwnedRange> ranges = new ArrayList<>();
    for (String url : where.urls()) {
      String shard = "shard-" + (shards.size() + 1);
      long from = 1 + 100_000L * shards.size();
      shards.add(new Shard(shard, List.of(Node.at(url + "?ApplicationName=" + name))));
      ranges.add(new OwnedRange(new KeyRange(from, from + 100_000), shard));
    }
    return WaymarkConfig.of(
            ShardMap.of(1, shards, ranges, List.copyOf(SampleSchema.tables())),
            new Credentials(where.user(), where.password()))
        .withRedis(WaymarkConfig.Redis.at(where.redis()));
  }
}
