package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import dev.waymark.testkit.ForkedJvm;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import io.opentelemetry.api.OpenTelemetry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Several processes create, move and delete users who all want the same few addresses, while they
 * are killed and frozen at any place. A log that the database itself writes, in the transactions,
 * tells who had which address when.
 */
@Timeout(300)
class UniqueEmailsRaceIT {
  private static final int WORKERS = 3;
  private static final int FAULTS = 24;
  private static final List<String> ADDRESSES =
      IntStream.range(0, 6).mapToObj(i -> "wanted" + i + "@example.org").toList();

  /** Shorter than a freeze, so that who is frozen between two steps loses its reservation. */
  private static final Duration GRACE = Duration.ofMillis(150);

  @TempDir private Path directory;

  @Test
  void noAddressHasTwoUsersAndNoneIsLost() throws Exception {
    try (TestCluster cluster = TestCluster.builder().shards(2).replicas(0).start()) {
      Path file = directory.resolve("waymark.yaml");
      Files.writeString(file, yaml(cluster));
      WaymarkConfig config = WaymarkConfig.load(file);
      try (SampleService service = open(config)) {
        SampleSchema.install(service.database());
        cluster.shards().forEach(shard -> shard.primary().execute(LOG));

        harass(file);

        List<Event> events = events(cluster);
        assertThat(events.stream().filter(Event::isGain).count())
            .as("how often an address was taken")
            .isGreaterThan(100);
        assertThat(holdersAtOnce(events)).as("addresses with two users").isEmpty();
        assertThat(entriesThatAreMissing(cluster)).as("users without an entry").isEmpty();

        // Half of the addresses by the reaper, half by whoever wants them.
        Thread.sleep(GRACE.toMillis() * 2);
        for (int i = 0; i < ADDRESSES.size(); i++) {
          if (i == ADDRESSES.size() / 2) {
            service.reaper().runOnce();
          }
          assertThatItCanBeHad(service, ADDRESSES.get(i));
        }
        assertThat(holdersAtOnce(events(cluster))).isEmpty();
        assertThat(entriesThatAreMissing(cluster)).isEmpty();

        // And the log would show it.
        for (int shard = 0; shard < 2; shard++) {
          cluster
              .shard(shard)
              .primary()
              .execute(
                  "INSERT INTO users (id, name, email) VALUES (%d, 'x', 'twice@example.org')"
                      .formatted(shard * 100_000 + 90_000));
        }
        assertThat(holdersAtOnce(events(cluster))).containsExactly("twice@example.org");
      }
    }
  }

  private static void assertThatItCanBeHad(SampleService service, String address)
      throws SQLException {
    Answered<User> holder = service.users().findByEmail(address);
    if (holder == null) {
      service.users().create(new Users.Draft("Last", address), null);
    } else {
      service.users().delete(holder.value().id(), user -> {});
      service.users().create(new Users.Draft("Next", address), null);
    }
  }

  // ---- the processes
  // -----------------------------------------------------------------------------

  private static void harass(Path file) {
    Random random = new Random(7);
    List<ForkedJvm> workers = new ArrayList<>();
    try {
      for (int i = 0; i < WORKERS; i++) {
        workers.add(start(file, i));
      }
      workers.forEach(UniqueEmailsRaceIT::awaitWork);
      for (int fault = 0; fault < FAULTS; fault++) {
        int index = random.nextInt(WORKERS);
        ForkedJvm worker = workers.get(index);
        // At any place of their work, not at one that we have chosen.
        pause(100 + random.nextInt(400));
        if (fault % 4 == 0) {
          worker.kill();
          workers.set(index, start(file, WORKERS + fault));
          awaitWork(workers.get(index));
        } else {
          worker.freeze();
          pause(200 + random.nextInt(600));
          worker.thaw();
        }
      }
    } finally {
      workers.forEach(ForkedJvm::close);
    }
  }

  /** The time for which workers are let run is what this test is about; it waits for nothing. */
  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static ForkedJvm start(Path file, int seed) {
    return ForkedJvm.start(Worker.class, file.toString(), Integer.toString(seed));
  }

  private static void awaitWork(ForkedJvm worker) {
    // Lines of the log may come before.
    while (!worker.readLine(Duration.ofSeconds(60)).equals("working")) {
      assertThat(worker.isAlive()).isTrue();
    }
  }

  private static SampleService open(WaymarkConfig config) {
    return SampleService.open(
        config, ServerSettings.defaults().withEmailGrace(GRACE), OpenTelemetry.noop());
  }

  /** Takes addresses, gives them up, for ever. */
  static final class Worker {
    private Worker() {}

    public static void main(String[] arguments) throws Exception {
      Random random = new Random(Long.parseLong(arguments[1]));
      try (SampleService service = open(WaymarkConfig.load(Path.of(arguments[0])))) {
        service.emails().ring();
        System.out.println("working");
        while (true) {
          try {
            step(service, random);
          } catch (Refusal | WaymarkException | SQLException failure) {
            // Taken, or the fault's doing: the next step is another one.
          }
          if (random.nextInt(20) == 0) {
            service.reaper().runOnce();
          }
        }
      }
    }

    private static void step(SampleService service, Random random) throws SQLException {
      String address = ADDRESSES.get(random.nextInt(ADDRESSES.size()));
      Answered<User> holder = service.users().findByEmail(address);
      if (holder == null) {
        service.users().create(new Users.Draft("Racer", address), null);
      } else if (random.nextInt(3) == 0) {
        service.users().delete(holder.value().id(), user -> {});
      } else {
        String other = ADDRESSES.get(random.nextInt(ADDRESSES.size()));
        service.users().update(holder.value().id(), new Users.Change(null, other), user -> {});
      }
    }
  }

  private static String yaml(TestCluster cluster) {
    PostgresServer any = cluster.servers().get(0);
    StringBuilder yaml = new StringBuilder("version: 1\ntables:\n");
    SampleSchema.tables()
        .forEach(
            table -> yaml.append("  %s: {key: %s}%n".formatted(table.name(), table.keyColumn())));
    yaml.append("shards:\n");
    for (ShardServers shard : cluster.shards()) {
      yaml.append(
          "  %s: {nodes: [{url: \"%s\"}]}%n".formatted(shard.name(), shard.primary().url()));
    }
    yaml.append("ranges:\n");
    yaml.append("  - {from: 1, to: 100_000, shard: shard-1}\n");
    yaml.append("  - {from: 100_000, to: max, shard: shard-2}\n");
    return yaml.append(
            "credentials: {user: %s, password: \"%s\"}%n".formatted(any.user(), any.password()))
        .toString();
  }

  // ---- the log
  // -----------------------------------------------------------------------------------

  private static final String LOG =
      """
      CREATE TABLE email_log (email text, user_id bigint, is_gain boolean, at timestamptz);
      CREATE FUNCTION log_email() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.email <> NEW.email) THEN
          INSERT INTO email_log VALUES (OLD.email, OLD.id, false, clock_timestamp());
        END IF;
        IF TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR OLD.email <> NEW.email) THEN
          INSERT INTO email_log VALUES (NEW.email, NEW.id, true, clock_timestamp());
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER log_email AFTER INSERT OR UPDATE OR DELETE ON users
        FOR EACH ROW EXECUTE FUNCTION log_email();
      """;

  /** All shards run on one machine, so that their clocks are one. */
  private record Event(String email, long userId, boolean isGain, java.time.OffsetDateTime at) {}

  private static List<Event> events(TestCluster cluster) throws SQLException {
    List<Event> events = new ArrayList<>();
    for (ShardServers shard : cluster.shards()) {
      try (Connection connection = shard.primary().connect();
          Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery("SELECT * FROM email_log")) {
        while (rows.next()) {
          events.add(
              new Event(
                  rows.getString(1),
                  rows.getLong(2),
                  rows.getBoolean(3),
                  rows.getObject(4, java.time.OffsetDateTime.class)));
        }
      }
    }
    events.sort(Comparator.comparing(Event::at));
    return events;
  }

  private static Set<String> holdersAtOnce(List<Event> events) {
    return events.stream()
        .map(Event::email)
        .distinct()
        .filter(
            email -> {
              Set<Long> holders = new HashSet<>();
              for (Event event : events) {
                if (event.email().equals(email)) {
                  if (event.isGain()) {
                    holders.add(event.userId());
                  } else {
                    holders.remove(event.userId());
                  }
                  if (holders.size() > 1) {
                    return true;
                  }
                }
              }
              return false;
            })
        .collect(Collectors.toSet());
  }

  private static List<String> entriesThatAreMissing(TestCluster cluster) throws SQLException {
    Set<String> entries =
        new HashSet<>(rows(cluster, "SELECT email || ' ' || user_id FROM user_emails"));
    return rows(cluster, "SELECT email || ' ' || id FROM users").stream()
        .filter(user -> !entries.contains(user))
        .toList();
  }

  private static List<String> rows(TestCluster cluster, String sql) throws SQLException {
    List<String> found = new ArrayList<>();
    for (ShardServers shard : cluster.shards()) {
      try (Connection connection = shard.primary().connect();
          Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery(sql)) {
        while (rows.next()) {
          found.add(rows.getString(1));
        }
      }
    }
    return found;
  }
}
